# SPDX-License-Identifier: ISC
"""Medians, how far single rounds lie apart, and ratios, as text or markdown."""
import statistics

from .measure import is_counted

# in the order in which they run, and of columns; the first is ours
PEERS = ("posthaste", "postfix", "exim", "opensmtpd", "dovecot", "cyrus",
         "courier")
OURS = PEERS[0]
# of what the client does alone: a rate above that is in part the client's
NEAR = 0.7
# most work has none of these: a line where all are 0 is left out
NONE = ("writes waited for (n)",)
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


def when(run):
    """As the head of all tables names it."""
    return run[:16]


class Table:
    """rows[label][figure][who] is a list with a value for each round; who is a
    server, or one of ALONE."""

    def __init__(self, title):
        self.title = title
        self.rows = {}
        # (label, who): the run that its values are of; and that of its counts
        self.runs, self.counted = {}, {}
        self.failed = {}  # (label, who): why
        self.notes = {}   # (label, who): what is to be known of its figures
        self.lacks = {}   # (label, who): why it has none, or not all
        self.remarks = {}  # run: what is to be known of all its figures
        self.begun = []   # runs
        self.seconds = {}  # run: what it took

    def take(self, record):
        """One record of a frame.book.Book that is of this group."""
        run = record["run"]
        if "title" in record:
            self.title = record["title"]
            self.begun.append(run)
            self.remarks[run] = record.get("remarks", [])
        elif "seconds" in record:
            self.seconds[run] = record["seconds"]
        elif "figures" in record:
            self.add(record["label"], record.get("peer") or record["alone"],
                     record["figures"], run)
        else:
            where = record["label"], record["peer"]
            self.of_run(where, run, record.get("counted", False))
            for kind, words in (("note", self.notes), ("lacks", self.lacks),
                                ("failed", self.failed)):
                if kind in record:
                    words[where] = record[kind]

    def of_run(self, where, run, counted=False):
        """This run has a word there; an earlier one's is forgotten."""
        runs = self.counted if counted else self.runs
        if runs.setdefault(where, run) != run:
            self.forget(*where, counted)
            runs[where] = run

    def forget(self, label, who, counted):
        for words in () if counted else (self.failed, self.notes, self.lacks):
            words.pop((label, who), None)
        for figure, values in self.rows.get(label, {}).items():
            if is_counted(figure) == counted:
                values.pop(who, None)

    def add(self, label, who, figures, run=""):
        """A later run's values take the place of an earlier one's: counts that
        of counts, all others that of all others."""
        counted = bool(figures) and all(map(is_counted, figures))
        self.of_run((label, who), run, counted)
        row = self.rows.setdefault(label, {})
        for figure, value in figures.items():
            row.setdefault(figure, {}).setdefault(who, []).append(value)

    def has(self, label, who, kinds=(False, True)):
        """Has it any figure there, counted or else?"""
        return any(values.get(who) and is_counted(figure) in kinds
                   for figure, values in self.rows.get(label, {}).items())

    def all_runs(self):
        """(label, who), run, whether of counts."""
        for counted, runs in ((False, self.runs), (True, self.counted)):
            for where, run in runs.items():
                yield where, run, counted

    def shown(self):
        """Runs of which there is a figure, or a failure; the last one, where
        none left any."""
        return {run for where, run, counted in self.all_runs()
                if where in self.failed or
                self.has(*where, (counted,))} or set(self.begun[-1:])

    def cut_off(self):
        """Runs of these that began the group and did not end it."""
        return self.shown() & set(self.begun) - set(self.seconds)

    def columns(self):
        """Servers, and what was measured alone."""
        seen = {}
        for row in self.rows.values():
            for values in row.values():
                seen.update(dict.fromkeys(values))
        return ([n for n in PEERS if n in seen],
                [n for n in ALONE if n in seen])

    def near_client(self, label):
        """Servers of whose rates one is near to the client's alone."""
        near = set()
        for figure, values in self.rows[label].items():
            if better_high(figure) and values.get("client"):
                most = NEAR * statistics.median(values["client"])
                near |= {n for n in PEERS if values.get(n)
                         and statistics.median(values[n]) > most}
        return [n for n in PEERS if n in near]

    def cells(self):
        """(label, figure, values, medians of the servers) of each line."""
        peers, _ = self.columns()
        for label, row in self.rows.items():
            for figure, values in row.items():
                medians = {n: statistics.median(values[n]) for n in peers
                           if values.get(n)}
                if any(medians.values()) or medians and figure not in NONE:
                    yield label, figure, values, medians

    def lines(self):
        """Cells of each line, the head first."""
        peers, alone = self.columns()
        yield ["", *peers, *(ALONE[n] for n in alone), "ahead"]
        for label, figure, values, medians in self.cells():
            ratio = ahead(figure, medians)
            if ratio and values.get("client") and self.near_client(label):
                ratio = f"({ratio})"
            yield [f"{label}: {figure}",
                   *(cell(values.get(n), "-") for n in peers),
                   *(cell(values.get(n)) for n in alone), ratio]

    def foot(self):
        """Lines below it."""
        shown = [run for run in self.begun if run in self.shown()]
        took = [self.seconds[run] for run in self.shown()
                if run in self.seconds]
        return [
            *dict.fromkeys(line for run in shown
                           for line in self.remarks[run]),
            *self.told((*where, line) for words in (self.notes, self.lacks)
                       for where, line in words.items()),
            *self.told((label, who, "near to what the client does alone, "
                        "which limits it (\"ahead\" in brackets): compare cpu")
                       for label in self.rows
                       for who in self.near_client(label)),
            *self.told(self.unsaid()),
            *(f"{label}: {who} FAILED: {why}"
              for (label, who), why in self.failed.items()),
            *self.of_several_runs(),
            *(f"interrupted: the run of {when(run)} did not end this group; "
              "what it had measured is shown"
              for run in sorted(self.cut_off())),
            *[f"took {sum(took) / 60:.1f} minutes"] * bool(took)]

    def told(self, words):
        """Lines of (label, who, what is said of it); what is said of several
        is one."""
        labels, several = {}, {}
        for label, who, said in words:
            labels.setdefault((who, said), []).append(label)
        for (who, said), where in labels.items():
            several.setdefault((self.together(where), said), []).append(who)
        return [f"{where}: {', '.join(who)}: {said}"
                for (where, said), who in several.items()]

    def together(self, labels):
        labels = list(dict.fromkeys(labels))
        return ("all" if len(labels) > 2 and set(labels) >= set(self.rows)
                else "; ".join(labels))

    def unsaid(self):
        """(label, who, why) of each "-" of which there is no other word."""
        peers, _ = self.columns()
        for label, _, values, _ in self.cells():
            for who in peers:
                where, has = (label, who), self.has(label, who)
                if values.get(who) or where in self.failed or \
                        where in self.lacks or where in self.notes and not has:
                    continue
                cut = (self.runs[where] in self.cut_off() if where in self.runs
                       else self.cut_off())
                yield label, who, (
                    "some figures are missing" if has else "not measured") + (
                        ": the run was interrupted" if cut else "")

    def of_several_runs(self):
        """Lines of cases of which not all figures are of one run."""
        said = {}
        for label in self.rows:
            runs = {}
            for (of, who), run, counted in self.all_runs():
                if of == label and self.has(label, who, (counted,)):
                    runs.setdefault((run, counted), []).append(
                        ALONE.get(who, who))
            if len({run for run, _ in runs}) > 1:
                said.setdefault("; ".join(
                    f"{'what was counted of ' * counted}{', '.join(who)} of "
                    f"{when(run)}"
                    for (run, counted), who in sorted(runs.items())),
                    []).append(label)
        return [f"{self.together(labels)}: of several runs: {text}"
                for text, labels in said.items()]

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
