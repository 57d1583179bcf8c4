# SPDX-License-Identifier: ISC
"""Medians, how far single rounds lie apart, and ratios, as text or markdown."""
import statistics

# in the order in which they run, and of columns; the first is ours
PEERS = ("posthaste", "postfix", "exim", "opensmtpd", "dovecot", "cyrus",
         "courier")
OURS = PEERS[0]
# what is measured without a server, and the head of its column
ALONE = {"disk": "disk alone", "client": "client alone"}


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


def cell(values, otherwise=""):
    if not values:
        return otherwise
    return f"{number(statistics.median(values))} {spread(values)}".strip()


def ahead(figure, medians):
    """What ours is of the best of the others; above 1 is ahead. Nothing where
    a figure is 0, of which nobody is a multiple."""
    others = [v for n, v in medians.items() if n != OURS]
    ours = medians.get(OURS)
    if not others or ours is None:
        return ""
    top, bottom = ((ours, max(others)) if better_high(figure)
                   else (min(others), ours))
    return f"{top / bottom:.2f}" if bottom and top else ""


class Table:
    """rows[label][figure][who] is a list with a value for each round; who is a
    server, or one of ALONE."""

    def __init__(self, title):
        self.title = title
        self.rows = {}
        self.runs = {}    # (label, who): the run that its values are of
        self.failed = {}  # (label, who): why
        self.notes = {}   # (label, who): what is to be known of its figures
        self.seconds = {}  # run: what it took

    def take(self, record):
        """One record of a frame.book.Book that is of this group."""
        if "title" in record:
            self.title = record["title"]
        elif "seconds" in record:
            self.seconds[record["run"]] = record["seconds"]
        elif "note" in record:
            where = self.of_run(record["label"], record["peer"], record["run"])
            self.notes[where] = record["note"]
        elif "failed" in record:
            where = self.of_run(record["label"], record["peer"], record["run"])
            self.failed[where] = record["failed"]
        else:
            self.add(record["label"], record.get("peer") or record["alone"],
                     record["figures"], record["run"])

    def of_run(self, label, who, run):
        """Where this run's word goes; an earlier one's is forgotten."""
        if self.runs.setdefault((label, who), run) != run:
            self.forget(label, who)
            self.runs[label, who] = run
        return label, who

    def forget(self, label, who):
        self.failed.pop((label, who), None)
        self.notes.pop((label, who), None)
        for values in self.rows.get(label, {}).values():
            values.pop(who, None)

    def add(self, label, who, figures, run=""):
        """A later run's values take the place of an earlier one's."""
        self.of_run(label, who, run)
        row = self.rows.setdefault(label, {})
        for figure, value in figures.items():
            row.setdefault(figure, {}).setdefault(who, []).append(value)

    def columns(self):
        """Servers, and what was measured alone."""
        seen = {}
        for row in self.rows.values():
            for values in row.values():
                seen.update(dict.fromkeys(values))
        return ([n for n in PEERS if n in seen],
                [n for n in ALONE if n in seen])

    def lines(self):
        """Cells of each row, the head first."""
        peers, alone = self.columns()
        yield ["", *peers, *(ALONE[n] for n in alone), "ahead"]
        for label, row in self.rows.items():
            for figure, values in row.items():
                medians = {n: statistics.median(values[n]) for n in peers
                           if values.get(n)}
                if not medians:
                    continue
                yield [f"{label}: {figure}",
                       *(cell(values.get(n), "-") for n in peers),
                       *(cell(values.get(n)) for n in alone),
                       ahead(figure, medians)]

    def foot(self):
        """Lines below it; what is said of several cases is one."""
        told = {}
        for (label, who), note in self.notes.items():
            told.setdefault((who, note), []).append(label)
        return [f"{'; '.join(labels)}: {who}: {note}"
                for (who, note), labels in told.items()] + [
            f"{label}: {who} FAILED: {why}"
            for (label, who), why in self.failed.items()] + [
            f"took {sum(self.seconds.values()) / 60:.1f} minutes"] * bool(
                self.seconds)

    def text(self):
        lines = list(self.lines())
        widths = [max(len(line[i]) for line in lines)
                  for i in range(len(lines[0]))]
        out = [self.title]
        for line in lines:
            out.append("  ".join(
                [line[0].ljust(widths[0])] +
                [c.rjust(w) for c, w in zip(line[1:], widths[1:])]).rstrip())
        return "\n".join(out + [f"  {line}" for line in self.foot()]) + "\n"

    def markdown(self):
        head, *lines = self.lines()
        out = [f"## {self.title}", "",
               "| " + " | ".join(head) + " |",
               "|---|" + "---:|" * (len(head) - 1)]
        out += ["| " + " | ".join(line) + " |" for line in lines]
        return "\n".join(out + [""] + [f"- {line}" for line in self.foot()]
                         ) + "\n"
