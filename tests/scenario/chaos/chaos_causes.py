# SPDX-License-Identifier: ISC
"""Why a message may come once more: the rows of DURABILITY.md whose test says
"a second copy", "delivered a second time" or "both".

A cause is an event in the life of a message, and good for one copy more in
each place at the most: a program that had a part in it died (by a kill -9 of
ours, with master, or because master would wait no longer), or an attempt failed
behind the point at which it counts: a local recipient's command was run and
what else it stands for could not be had, or a server's answer to a message was
waited for too long, which smtp logs as "may be sent more than once".
"""
import collections
import re
import time

# a message passes through these wherever it goes
ALWAYS = {"master", "pickup", "cleanup", "qmgr"}
# what a script was running may be what is killed
COMMAND = {"local", "script", "mktemp", "cat", "mv"}
# place: who brings it there, and can die behind that
BRINGS = collections.defaultdict(lambda: {"local"}, {
    "sink": {"smtp"}, "lmtp": {"smtp"}, "report": {"bounce", "local"},
    "command": COMMAND, "team": COMMAND, "pipe": COMMAND})
# place: what is in the line of an attempt that may count and failed
TOO_LONG = re.compile(r"timed out while sending end of data")
FAILED = {"team": re.compile(r"to=<team@local\.test>"),
          "sink": TOO_LONG, "lmtp": TOO_LONG}
LATE = re.compile(r"(?m)^(\w+ +\d+ [\d:]+) .*?: warning: (\S+) pid \d+ "
                  r"does not end: killed$")
PUT_OFF = re.compile(r"(?m)^(\w+ +\d+ [\d:]+) \S+ \S+: (\w+): "
                     r"(to=<\S+>, .*status=deferred .*)$")
NAMED = re.compile(r"(?m): (\w+): message-id=<(token-[\w-]+-end)@")

# programs is what died; from when to when it may have done so
Cause = collections.namedtuple("Cause", "program begin end")


def log_time(text):
    """When a line was written, to the second."""
    year = time.localtime().tm_year
    return time.mktime(time.strptime(f"{year} {text}", "%Y %b %d %H:%M:%S"))


def programs(place, recipients):
    """Whose death may bring a message there once more."""
    # an alias stands for others, to whom local sends it anew
    sends_on = any(r.endswith("@local.test") for r in recipients)
    return ALWAYS | BRINGS[place] | ({"local"} if sends_on else set())


class Causes:
    def __init__(self, ends, log):
        """Of what was ended by us, and of what the log tells."""
        self.ends = list(ends)
        self.ends += [Cause(name, log_time(when), log_time(when) + 2)
                      for when, name in LATE.findall(log)]
        self.ids = collections.defaultdict(set)
        for queue_id, token in NAMED.findall(log):
            self.ids[token].add(queue_id)
        self.failed = collections.defaultdict(list)
        for when, queue_id, line in PUT_OFF.findall(log):
            for place in [p for p, how in FAILED.items() if how.search(line)]:
                self.failed[queue_id, place].append(log_time(when))

    def between(self, token, place, recipients, begin, end):
        """What may have made a message come once more by then."""
        who = programs(place, recipients)
        found = [x for x in self.ends if x.program in who
                 and x.end >= begin and x.begin <= end]
        return found + [Cause("an attempt", when, when)
                        for queue_id in self.ids[token]
                        for when in self.failed.get((queue_id, place), ())
                        if when <= end]
