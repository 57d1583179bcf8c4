# SPDX-License-Identifier: ISC
"""What clients know of a mailbox, learned in three ways.

    Resync      QRESYNC: comes back with what it knew and hears what changed
    Live        stays, by message numbers or (qresync=True) by UIDs
    read_whole  asks for everything, with a client that knew nothing
"""
import re

FETCH = re.compile(rb"^\* (\d+) FETCH \((.*)\)$", re.S)
UIDS = re.compile(rb"^\* VANISHED (\(EARLIER\) )?([\d:,]+)$")


def uid_set(text):
    """"1:3,5" as a set."""
    found = set()
    for part in text.decode().split(","):
        first, _, last = part.partition(":")
        found.update(range(int(first), int(last or first) + 1))
    return found


def set_text(uids):
    """The set as "1:3,5"."""
    parts, uids = [], sorted(uids)
    for uid in uids:
        if parts and parts[-1][1] == uid - 1:
            parts[-1][1] = uid
        else:
            parts.append([uid, uid])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in parts)


def fetched(line):
    """(number, {uid, flags, modseq, id}) of a FETCH line, or None."""
    m = FETCH.match(line)
    if not m:
        return None
    row, text = {}, m[2]
    if f := re.search(rb"\bUID (\d+)", text):
        row["uid"] = int(f[1])
    if f := re.search(rb"\bFLAGS \(([^)]*)\)", text):
        row["flags"] = flags_of(f[1].split())
    if f := re.search(rb"\bMODSEQ \((\d+)\)", text):
        row["modseq"] = int(f[1])
    if f := re.search(rb"(?i)X-Id: (\S+)", text):
        row["id"] = f[1].decode()
    return int(m[1]), row


def flags_of(words):
    """\\Recent is of the session, not of the message."""
    return frozenset(w.decode().lower() for w in words
                     if w.lower() != b"\\recent")


def code(lines, name):
    for line in lines:
        if m := re.match(rb"^\* OK \[" + name + rb" (\d+)\]", line):
            return int(m[1])
    return None


def read_whole(c, folder):
    """{uid: (flags, id)}, and (uidvalidity, uidnext), as it is now."""
    lines = c.ok(f"EXAMINE {folder}")
    state = code(lines, b"UIDVALIDITY"), code(lines, b"UIDNEXT")
    (exists,) = [int(x.split()[1]) for x in lines if x.endswith(b" EXISTS")]
    found = {}
    if exists:
        rows = c.ok("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (X-Id)])")
        for row in (fetched(line) for line in rows):
            if row and "id" in row[1]:
                found[row[1]["uid"]] = row[1]["flags"], row[1]["id"]
        assert len(found) == exists, (folder, exists, sorted(found), rows)
    c.ok("UNSELECT")
    return found, state


class Resync:
    """A client that keeps its mailboxes, and resynchronises by QRESYNC."""

    def __init__(self):
        self.folders = {}  # name: [uidvalidity, modseq, uidnext, {uid: flags}]

    def forget(self, folder):
        self.folders.pop(folder, None)

    def renamed(self, old, new):
        if old in self.folders:
            self.folders[new] = self.folders.pop(old)

    def sync(self, c, folder, known=False):
        """One resynchronisation; "c" has QRESYNC enabled.

        With "known" the client names the UIDs it has, for a server that
        forgot what was expunged; of others it then hears nothing, and asks
        for the new ones (RFC 7162 section 3.2.5.1).
        """
        validity, modseq, uidnext, have = self.folders.get(
            folder, (0, 0, 1, {}))
        request = ""
        if modseq:
            uids = f" {set_text(have)}" if known and have else ""
            request = f" (QRESYNC ({validity} {modseq}{uids}))"
        lines = c.ok(f"SELECT {folder}{request}")
        now = code(lines, b"UIDVALIDITY")
        highest = code(lines, b"HIGHESTMODSEQ")
        assert highest, lines
        same = now == validity
        have = dict(have) if same else {}
        self.take(lines, have, request != "" and same)
        self.fetch_from(c, have, uidnext if same else 1)
        state = [now, highest, code(lines, b"UIDNEXT"), have]
        self.folders[folder] = state
        self.later(c, state)
        return have

    @staticmethod
    def fetch_from(c, have, uid):
        for line in c.ok(f"UID FETCH {uid}:* (FLAGS)"):
            if row := fetched(line):
                have[row[1]["uid"]] = row[1]["flags"]

    def later(self, c, state):
        """What changed between the SELECT and now, and leaves."""
        lines = c.ok("NOOP")
        for line in lines:
            if m := UIDS.match(line):
                for uid in uid_set(m[2]):
                    state[3].pop(uid, None)
            elif row := fetched(line):
                assert "uid" in row[1], f"QRESYNC without UID: {line!r}"
                state[3][row[1]["uid"]] = row[1]["flags"]
        if any(line.endswith(b" EXISTS") for line in lines):
            self.fetch_from(c, state[3], state[2])
        c.ok("UNSELECT")

    @staticmethod
    def take(lines, have, earlier):
        for line in lines:
            if m := UIDS.match(line):
                assert earlier and m[1], f"unexpected {line!r}"
                gone = uid_set(m[2])
                for uid in gone & set(have):
                    del have[uid]
            elif row := fetched(line):
                assert "uid" in row[1] and "modseq" in row[1], line
                have[row[1]["uid"]] = row[1]["flags"]


class Live:
    """A connection that has a mailbox selected and believes what it hears."""

    def __init__(self, c, folder, qresync=False):
        self.c, self.folder, self.qresync = c, folder, qresync
        if qresync:
            c.ok("ENABLE QRESYNC")
        lines = c.ok(f"SELECT {folder}")
        self.validity = code(lines, b"UIDVALIDITY")
        self.uids, self.flags = [], {}
        self.count = 0
        self.hear(lines)
        self.fetch_new()

    def hear(self, lines):
        self.heard = lines  # for who reads the failure
        for line in lines:
            if m := UIDS.match(line):
                assert self.qresync and not m[1], line
                for uid in uid_set(m[2]):
                    assert uid in self.uids, (
                        f"told to forget what was never told: {line!r}")
                    self.uids.remove(uid)
                    del self.flags[uid]
                    self.count -= 1
            elif m := re.match(rb"^\* (\d+) EXPUNGE$", line):
                assert not self.qresync, line
                number = int(m[1])
                assert 1 <= number <= self.count, (line, self.count)
                self.count -= 1
                if number <= len(self.uids):
                    del self.flags[self.uids.pop(number - 1)]
            elif m := re.match(rb"^\* (\d+) EXISTS$", line):
                assert int(m[1]) >= self.count, (line, self.count)
                self.count = int(m[1])
            elif row := fetched(line):
                self.heard_flags(*row)

    def heard_flags(self, number, row):
        assert number <= self.count, (number, row, self.count, self.heard)
        if "uid" in row and number <= len(self.uids):
            assert self.uids[number - 1] == row["uid"], (number, row)
        if "flags" in row and number <= len(self.uids):
            self.flags[self.uids[number - 1]] = row["flags"]

    def fetch_new(self):
        while len(self.uids) < self.count:
            first = len(self.uids) + 1
            # No EXPUNGE comes with FETCH: the numbers hold.
            lines = self.c.ok(f"FETCH {first}:* (UID FLAGS)")
            for line in lines:
                row = fetched(line)
                if row and "uid" in row[1] and row[0] == len(self.uids) + 1:
                    self.uids.append(row[1]["uid"])
                    self.flags[row[1]["uid"]] = row[1]["flags"]
                else:
                    self.hear([line])
            assert len(self.uids) >= first, (
                f"{self.count} told, number {first} is not to be had: {lines}")

    def update(self):
        """Hears what is new."""
        self.hear(self.c.ok("NOOP"))
        self.fetch_new()
        return self.flags
