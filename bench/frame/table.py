# SPDX-License-Identifier: ISC
"""Medians, how far single rounds lie apart, and ratios, as text or markdown."""
import statistics

OURS = "posthaste"


def better_high(figure):
    """Is more better? Figures name their unit: only rates end with "/s)"."""
    return figure.endswith("/s)")


def number(value):
    """Three digits that count, and no more than a reader can use."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def spread(values):
    """Half the distance of the outermost rounds, in per cent of the median."""
    middle = statistics.median(values)
    if len(values) < 2 or not middle:
        return ""
    return f"±{abs((max(values) - min(values)) / 2 / middle) * 100:.0f}%"


def ahead(figure, medians):
    """What ours is of the best of the others; above 1 is ahead."""
    others = [v for n, v in medians.items() if n != OURS]
    ours = medians.get(OURS)
    if not others or ours is None:
        return ""
    top, bottom = ((ours, max(others)) if better_high(figure)
                   else (min(others), ours))
    return f"{top / bottom:.2f}" if bottom and top else ""


class Table:
    """rows[label][figure][peer] is a list with a value for each round."""

    def __init__(self, title):
        self.title = title
        self.rows = {}
        self.disk = {}   # label: rates of the disk alone
        self.foot = []   # lines below it

    def add(self, label, peer, figures):
        row = self.rows.setdefault(label, {})
        for figure, value in figures.items():
            row.setdefault(figure, {}).setdefault(peer, []).append(value)

    def peers(self):
        seen = {}
        for row in self.rows.values():
            for values in row.values():
                seen.update(dict.fromkeys(values))
        return sorted(seen, key=lambda name: name != OURS)

    def lines(self):
        """Cells of each row, the head first."""
        peers = self.peers()
        disk = bool(self.disk)
        yield ["", *peers, *(["disk alone"] if disk else []), "ahead"]
        for label, row in self.rows.items():
            first = True
            for figure, values in row.items():
                cells = []
                for peer in peers:
                    v = values.get(peer)
                    cells.append(f"{number(statistics.median(v))} "
                                 f"{spread(v)}".strip() if v else "-")
                if disk:
                    alone = self.disk.get(label) if first else None
                    cells.append(f"{number(statistics.median(alone))} "
                                 f"{spread(alone)}".strip() if alone else "")
                medians = {n: statistics.median(v) for n, v in values.items()}
                yield [f"{label}: {figure}", *cells, ahead(figure, medians)]
                first = False

    def text(self):
        lines = list(self.lines())
        widths = [max(len(line[i]) for line in lines)
                  for i in range(len(lines[0]))]
        out = [self.title]
        for line in lines:
            out.append("  ".join(
                [line[0].ljust(widths[0])] +
                [c.rjust(w) for c, w in zip(line[1:], widths[1:])]).rstrip())
        return "\n".join(out + [f"  {line}" for line in self.foot]) + "\n"

    def markdown(self):
        head, *lines = self.lines()
        out = [f"## {self.title}", "",
               "| " + " | ".join(head) + " |",
               "|---|" + "---:|" * (len(head) - 1)]
        out += ["| " + " | ".join(line) + " |" for line in lines]
        return "\n".join(out + [""] + [f"- {line}" for line in self.foot]
                         ) + "\n"

    def record(self):
        """What -j writes: every single value."""
        return {"title": self.title, "rows": self.rows, "disk": self.disk,
                "foot": self.foot}
