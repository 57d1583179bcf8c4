# SPDX-License-Identifier: ISC
"""Why a message may come once more: the rows of DURABILITY.md whose test says
"a second copy", "delivered a second time" or "both".

A cause is an event in the life of a message, and good for one copy more in
each place at the most: a program that had a part in it died (by a kill -9 of
ours, with master, or because master would wait no longer), or a local
recipient with a command and others was put off behind the command.
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
# a recipient's command comes first, and the others may not be had for a while
REPEATED = {"team": "team@local.test"}
LATE = re.compile(r"(?m)^(\w+ +\d+ [\d:]+) .*?: warning: (\S+) pid \d+ "
                  r"does not end: killed$")
PUT_OFF = re.compile(r"(?m)^(\w+ +\d+ [\d:]+) \S+ \S+: (\w+): to=<(\S+)>, "
                     r".*status=deferred")
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
        self.put_off = collections.defaultdict(list)
        for when, queue_id, to in PUT_OFF.findall(log):
            if to in REPEATED.values():
                self.put_off[queue_id, to].append(log_time(when))

    def between(self, token, place, recipients, begin, end):
        """What may have made a message come once more by then."""
        who = programs(place, recipients)
        found = [x for x in self.ends if x.program in who
                 and x.end >= begin and x.begin <= end]
        key = REPEATED.get(place)
        return found + [Cause("put off", when, when)
                        for queue_id in self.ids[token]
                        for when in self.put_off.get((queue_id, key), ())
                        if when <= end]
