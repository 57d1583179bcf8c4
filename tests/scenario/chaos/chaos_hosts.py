# SPDX-License-Identifier: ISC
"""Hosts that change their minds: mail servers, name servers, table servers.

Each has .mood, which an action sets, and "well", to which healing returns it;
how often each was chosen, and how often somebody met it. Who is "dead" does not
listen: the port is closed.
"""
import collections
import os
import pathlib
import threading
import time

from peers import FakeDNS, FakeServer
from wire_servers import Wire

HANG = 6  # seconds, longer than the suite waits


class Moody:
    """close() and open() make the port a closed one, and one that listens."""
    MOODS = ()

    def __init__(self):
        self.mood = "well"
        self.chosen, self.met = collections.Counter(), collections.Counter()
        self.changed = threading.Event()

    def set(self, mood):
        before, self.mood = self.mood, mood
        self.chosen[mood] += 1
        self.changed.set()
        self.changed = threading.Event()
        if mood == "dead" != before:
            self.close()
        elif before == "dead" != mood:
            self.open()

    def hang(self):
        self.changed.wait(HANG)


class Stamped(list):
    """Each thing behind the time it came."""

    def append(self, what):
        super().append((time.time(), what))


class Destination(Moody):
    """A mail server; what it says no to for ever does not depend on mood."""
    MOODS = ("later", "cut", "hang", "slow", "nonsense", "dead", "well")

    def __init__(self, noise, **options):
        super().__init__()
        self.noise = noise
        self.server = FakeServer(replies={
            "connect": self.greet, "RCPT": self.judge, ".": self.end},
            **options)
        self.server.messages = Stamped()

    def open(self):
        self.server.listen()

    def close(self):
        self.server.stop()

    def taken(self):
        """(when it was taken, text) of each message"""
        return [(when, text)
                for when, (_, _, text) in list(self.server.messages)]

    def forget(self, count):
        """The oldest ones."""
        del self.server.messages[:count]

    def now(self, chance):
        """The mood, or now and then none."""
        mood = self.mood  # another one may come while this one hangs
        if mood == "slow":
            time.sleep(0.05)
        if mood in ("well", "dead") or self.noise.random() > chance:
            return None
        self.met[mood] += 1
        if mood == "hang":
            self.hang()
        return mood

    def greet(self, _):
        mood = self.now(0.1)
        if mood in ("hang", "cut"):
            return None
        return {"later": "421 4.3.2 too many"}.get(mood, "220 fake ESMTP")

    def judge(self, line):
        if "@reject.test" in line:
            return "550 5.1.1 nobody of that name"
        if self.mood == "later" and "@defer.test" in line:
            self.met["later"] += 1
            return "450 4.2.0 later"
        mood = self.now(0.2)
        if mood in ("hang", "cut"):
            return None
        return {"later": "451 4.3.0 not now", "nonsense": "what?"}.get(
            mood, "250 2.1.5 Ok")

    def end(self, _):
        """A message counts as taken with a 250 alone."""
        mood = self.now(0.1)
        if mood in ("hang", "cut"):
            return None
        return {"later": "452 4.3.1 no room"}.get(mood, "250 2.0.0 Ok")


def to_closed_ports():
    """Datagrams that came to ports nobody has, in this network."""
    text = pathlib.Path("/proc/net/snmp").read_text()
    names, values = (line.split() for line in text.splitlines()
                     if line.startswith("Udp:"))
    return int(values[names.index("NoPorts")])


class Names(FakeDNS, Moody):
    MOODS = ("silent", "failing", "truncated", "nonsense", "slow", "dead")

    def __init__(self, records):
        Moody.__init__(self)
        FakeDNS.__init__(self, records)

    def open(self):
        if "dead" in self.chosen:
            self.met["dead"] += to_closed_ports() - self.closed_at
        super().open()

    def close(self):
        super().close()
        self.closed_at = to_closed_ports()

    def respond(self, question):
        mood = self.mood
        if mood == "dead":  # a connection of before
            return None
        self.met[mood] += 1
        if mood == "silent":
            return None
        if mood == "failing":
            return question[:2] + b"\x81\x82" + question[4:]
        if mood == "nonsense":
            return question[:2] + os.urandom(30)
        if mood == "slow":
            time.sleep(0.2)
        return super().respond(question)

    def datagram(self, question):
        if self.mood == "truncated":  # in full over TCP
            self.met["truncated"] += 1
            return question[:2] + b"\x83\x80" + question[4:]
        return self.respond(question)


def bulk(text):
    """As Redis says it; None: there is none."""
    return b"$-1\r\n" if text is None else b"$%d\r\n%s\r\n" % (
        len(text), text.encode())


class Redis(Wire):
    """Is asked one thing: GET KEY."""

    def question(self, f):
        words = []
        for _ in range(int(f.readline()[1:] or 0)):
            words.append(f.read(int(f.readline()[1:])))
            f.read(2)
        return words[-1].decode() if words else None


class Answers(Moody):
    """A server of a table (wire_servers), which knows good(key)."""
    MOODS = ("hang", "cut", "nonsense", "slow", "dead")

    def __init__(self, kind, good):
        super().__init__()
        self.good = good
        self.server = kind(self.answer)

    def open(self):
        self.server.open()

    def close(self):
        self.server.close()

    def answer(self, key):
        self.met[self.mood] += 1
        if self.mood == "hang":
            self.hang()
            return None
        if self.mood in ("cut", "dead"):
            return None
        if self.mood == "nonsense":
            return b"\xff\x00 what?\r\n"
        if self.mood == "slow":
            time.sleep(0.2)
        return self.good(key)
