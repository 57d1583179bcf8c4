# SPDX-License-Identifier: ISC
"""Sessions of IMAP and POP3 beside all else, with a ledger of their own: what
was answered OK is so, a UID never means another message, UIDVALIDITY stays,
and nothing goes that nobody removed."""
import contextlib
import poplib
import re
import threading

from chaos_loads import PATIENCE, Load, Refused
from imap_client import CONTEXT
from mail_caches import Live, code, fetched, set_text
from mail_ledger import FOLDERS, Ledger, Writer, check, look
from posthaste import PASSWORD

# a refusal that a client may hear while all is not well
FOR_A_WHILE = re.compile(rb"\[(UNAVAILABLE|OVERQUOTA|LIMIT|INUSE|"
                         rb"EXPUNGEISSUED|SERVERBUG)\]")
COPIES = "copies"


def imap(load, user):
    """A session, by one of three ways."""
    tls = load.noise.choice((None, None, "starttls", "implicit"))
    return load.suite.imap(user, tls=tls, timeout=PATIENCE)


def refused(e):
    """Is this a NO, with a reason that passes?"""
    what = e.args[0] if e.args else None
    return (isinstance(what, tuple) and len(what) == 4 and what[1] == "NO"
            and FOR_A_WHILE.match(what[2]) is not None)


def make_folders(suite, user):
    """While there is room for them."""
    with contextlib.closing(suite.imap(user)) as c:
        for folder in (*FOLDERS[1:], COPIES):
            c.ok(f"CREATE {folder}")
        for folder in (*FOLDERS, COPIES):
            c.ok(f"SELECT {folder}")


class Meaning:
    """What UIDs of an account mean, for ever."""

    def __init__(self):
        self.lock = threading.Lock()
        self.uids, self.validity = {}, {}

    def note(self, folder, validity, found):
        with self.lock:
            before = self.validity.setdefault(folder, validity)
            assert before == validity, (
                f"UIDVALIDITY of {folder} was {before} and is {validity}")
            for uid, ident in found.items():
                before = self.uids.setdefault((folder, uid), ident)
                assert before == ident, (
                    f"UID {uid} of {folder} was {before} and is {ident}")


class ImapLoad(Load):
    def __init__(self, chaos, user, number):
        self.user, self.meaning = user, chaos.meanings[user]
        super().__init__(chaos, f"{type(self).__name__}-{user}-{number}")

    def once(self):
        c = None
        try:
            c = imap(self, self.user)
            self.session(c)
            c.logout()
        except AssertionError as e:
            if refused(e):
                raise Refused from None
            raise
        finally:
            if c:
                c.close()


class Changes(ImapLoad):
    """Appends, flags, copies, moves and removes messages of its own."""

    def __init__(self, chaos, user, number):
        super().__init__(chaos, user, number)
        # Writer's steps, without its thread: connections come and go here
        self.writer = Writer(self.suite, number, self.name, Ledger())
        self.writer.random = self.noise
        self.copied = {}  # uid in COPIES: id

    def session(self, c):
        self.writer.c = c
        steps = (self.writer.append, self.writer.store, self.writer.move,
                 self.writer.expunge, self.copy, self.search)
        for _ in range(self.noise.choice((3, 10, 40))):
            self.noise.choices(steps, (4, 3, 2, 3, 2, 1))[0]()
            if self.chaos.stopping.wait(0.02):
                break

    def copy(self):
        if some := self.writer.some():
            ident, folder, uid, _ = some
            self.writer.c.ok(f"SELECT {folder}")
            self.writer.c.ok(f"UID COPY {uid} {COPIES}")
            m = re.match(rb"\[COPYUID \d+ \d+ (\d+)\]", self.writer.c.text)
            self.copied[int(m[1])] = ident

    def search(self):
        """A message is found by its own words."""
        if some := self.writer.some():
            ident, folder, uid, _ = some
            self.writer.c.ok(f"SELECT {folder}")
            lines = self.writer.c.ok(f"UID SEARCH UID {uid} HEADER X-Id "
                                     f'"{ident}" TEXT "{ident}"')
            assert b"* SEARCH %d" % uid in lines, (ident, folder, uid, lines)


class Reads(ImapLoad):
    """Fetches folders, and sees to it that UIDs keep their meaning."""
    pause = 0.3

    def session(self, c):
        for folder in FOLDERS:
            word, rest, lines = c.command(f"EXAMINE {folder}")
            if word == "NO" and rest.startswith(b"[NONEXISTENT]"):
                continue
            assert word == "OK", ("EXAMINE", word, rest, lines)
            validity = code(lines, b"UIDVALIDITY")
            word, rest, lines = c.command(
                "UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (X-Id)])")
            rows = [r[1] for r in (fetched(line) for line in lines) if r]
            self.meaning.note(folder, validity, {
                r["uid"]: r["id"] for r in rows if {"uid", "id"} <= set(r)})


class Waits(ImapLoad):
    """Stays in IDLE, is parked meanwhile, and believes all it is told."""

    def session(self, c):
        live = Live(c, "INBOX")
        while not self.chaos.stopping.is_set():
            tag = c.start("IDLE")
            lines = []
            while not (line := c.line()).startswith(b"+"):
                lines.append(line)
            self.chaos.stopping.wait(self.noise.uniform(0.1, 3))
            c.send(b"DONE\r\n")
            word, _, more = c.finish(tag)
            assert word == "OK", word
            live.hear(lines + more)
            live.fetch_new()
            self.sessions += 1


class Pop3(Load):
    """Fetches, and removes some of what it has. It is alone with its box."""
    pause = 0.2
    most, share = 30, 0.7  # fetched in a session, and removed of these

    def __init__(self, chaos, user):
        super().__init__(chaos, f"pop3-{user}")
        self.user = user
        self.texts = {}  # uidl: content
        self.known, self.doubt, self.removed = set(), set(), set()

    def connect(self):
        p = poplib.POP3("127.0.0.1", self.suite.ports["pop3"],
                        timeout=PATIENCE)
        try:
            if self.noise.random() < 0.5:
                p.stls(context=CONTEXT)
            p.user(f"{self.user}@example.test")
            p.pass_(PASSWORD)
        except BaseException:
            p.close()
            raise
        return p

    def once(self):
        p = None
        try:
            p = self.connect()
            numbers = self.listed(p)
            for uidl in sorted(numbers)[:self.most]:
                self.retrieve(p, numbers[uidl], uidl)
            self.remove(p, numbers)
        except poplib.error_proto as e:
            if re.search(r"\[AUTH\]", str(e)):
                raise AssertionError(str(e)) from None
            raise Refused from None
        finally:
            if p:
                p.close()

    def listed(self, p):
        """{uidl: number}; judged by what was there before."""
        numbers = {words[1].decode(): int(words[0]) for words in
                   (line.split() for line in p.uidl()[1])}
        there = set(numbers)
        self.never_again(there)
        gone = self.known - there
        assert gone <= self.doubt, f"vanished: {gone - self.doubt}"
        self.removal(gone)
        self.doubt.clear()
        self.known |= there
        return numbers

    def never_again(self, there):
        assert not there & self.removed, f"again: {there & self.removed}"

    def retrieve(self, p, number, uidl):
        text = b"".join(line + b"\r\n" for line in p.retr(number)[1])
        before = self.texts.setdefault(uidl, text)
        assert before == text, f"{uidl} has become another message"

    def removal(self, uidls):
        for uidl in uidls:
            self.ledger.taken(self.texts.pop(uidl), self.user)
        self.removed |= uidls
        self.known -= uidls

    def remove(self, p, numbers):
        marked = {u for u in numbers if u in self.texts
                  and self.noise.random() < self.share}
        for uidl in marked:
            p.dele(numbers[uidl])
        self.doubt |= marked
        p.quit()
        self.removal(marked)
        self.doubt.clear()

    def settle(self):
        """With all well: what the last session left in doubt is so or not."""
        p = self.connect()
        self.listed(p)
        p.quit()


class Pop3Mbox(Pop3):
    """Names are digests, and of several that are the same the last one's goes,
    whichever is removed (pop3d(8)): so all go at once. What comes again is
    another copy, which the ledger counts."""
    most, share = None, 1

    def never_again(self, there):
        pass


def clear(suite, user, loads):
    """Removes what came by delivery, and what was copied."""
    with contextlib.closing(suite.imap(user)) as c:
        for folder, which in (("INBOX", 'HEADER X-Id "token-"'),
                              (COPIES, "ALL")):
            c.ok(f"SELECT {folder}")
            (line,) = [x for x in c.ok(f"UID SEARCH {which}")
                       if x.startswith(b"* SEARCH")]
            if uids := line.split()[2:]:
                uids = set_text(map(int, uids))
                c.ok(f"UID STORE {uids} +FLAGS.SILENT (\\Deleted)")
                c.ok(f"UID EXPUNGE {uids}")
    for load in loads:
        load.copied.clear()


class As:
    """An instance as mail_ledger.look() sees it: one user's."""

    def __init__(self, suite, user):
        self.suite, self.user = suite, user

    def imap(self):
        return self.suite.imap(self.user)


def check_account(suite, user, loads, meaning):
    """With all well: the ledgers of an account's writers are right."""
    found = look(As(suite, user))
    check([load.writer.ledger for load in loads], found, meaning.uids)
    with contextlib.closing(suite.imap(user)) as c:
        there = {}
        c.ok(f"EXAMINE {COPIES}")
        for line in c.ok("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (X-Id)])"):
            if row := fetched(line):
                there[row[1]["uid"]] = row[1]["id"]
    for load in loads:
        for uid, ident in load.copied.items():
            assert there.get(uid) == ident, (
                f"copy {uid} of {ident} is {there.get(uid)}")
    return len(found) + len(there)
