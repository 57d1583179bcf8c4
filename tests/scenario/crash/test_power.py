# SPDX-License-Identifier: ISC
"""The power goes while mail is accepted, delivered, put off, returned, held and
requeued: on whatever the disk may have then (power.py) the suite starts, lets
its queue run out, and each message that was taken has come, or come back;
whole, and as often as doc/DURABILITY.md allows."""
import contextlib
import functools
import os
import random
import re
import tempfile
import threading
import time

import pytest

import crasher
import power
from peers import FakeServer
from posthaste import AS_ROOT, wait_for
from test_deliver import maildir, mbox, prepare

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="all identities are one")
SECONDS = float(os.environ.get("POSTHASTE_POWER_SECONDS",
                               100 if crasher.FULL else 3))
MBOXES = ("mbox", "file", "virtual-mbox")
GROUP = [f"user{n}" for n in range(12)]
QUEUES = ("incoming", "deferred", "hold", "report", "maildrop")
# what a command does is its own: this one does not end before it is on disk
SCRIPT = """#!/bin/sh
cd {home} && cat >coming.$$ && sync coming.$$ && mv coming.$$ got.$$ && sync .
"""
ALIASES = """\
list: {user}, bob@example.test, {home}/file, "|{home}/script"
maildir: {home}/Maildir/
"""


class Mail:
    """A message, and where it is due."""

    def __init__(self, token, lines):
        self.token = token
        self.text = crasher.message(token, lines)
        self.body = self.text.split("\r\n\r\n", 1)[1].replace(
            "\r\n", "\n").encode()
        self.told = None  # the program that took it, and its words
        self.due = {}  # {place: how often at most}
        self.sure = set()  # places where it is then, at least once
        self.gone = None  # the program that removed it, and its words


class Scene:
    """An instance, its mail, and what was told about it."""

    def __init__(self, s, server):
        self.s, self.server, self.mails = s, server, {}
        self.now = True  # far servers take what waits
        self.apart = False  # each folder was on disk for itself
        self.places = {
            "bob": lambda: self.virtual("bob"),
            "carol": lambda: self.virtual("carol"),
            "virtual-mbox": lambda: mbox(s.root / "mail/dora.mbox"),
            "mbox": lambda: mbox(s.var_mail / s.user),
            "file": lambda: mbox(s.home / "file"),
            "maildir": lambda: maildir(s.home / "Maildir"),
            "command": lambda: [p.read_bytes() for p in s.home.glob("got.*")],
        }

        self.places |= {u: functools.partial(self.virtual, u) for u in GROUP}

    def virtual(self, user):
        return [crasher.shown(p) for p in self.s.message_files(user)]

    def rcpt(self, line):
        if "<never" in line:
            return "550 5.1.1 nobody"
        return "250 2.1.5 Ok" if self.now else "451 4.7.1 later"

    # what happens before the power goes

    def mail(self, token, lines=1, **due):
        mail = self.mails[token] = Mail(token, lines)
        mail.due, mail.sure = due, set(due)
        return mail

    def send(self, token, *to, lines=1, bdat=False, notify=(), **due):
        """By SMTP; the queue id."""
        mail = self.mail(token, lines, **due)
        with self.s.smtp() as session:
            session.ehlo()
            assert session.mail("alice@example.test")[0] == 250
            for r in to:
                code, reply = session.rcpt(r, notify)
                assert code == 250, reply
            code, reply = by_bdat(session, mail.text) if bdat else \
                session.data(mail.text)
        assert code == 250, reply
        name = re.search(rb"queued as (\S+)", reply)[1]
        mail.told = ("smtpd", b"queued as " + name)
        return name.decode()

    def sendmail(self, token, *to, **due):
        mail = self.mail(token, **due)
        given = self.s.root / "given"
        given.write_text(mail.text.replace("\r\n", "\n"))
        self.command(f"sendmail -f alice@example.test {' '.join(to)} <{given}",
                     token)
        mail.told = ("sh", f"done {token}.".encode())

    def command(self, line, token):
        self.recorder.do(f"MAIL_CONFIG={self.s.root}/etc "
                         f"{crasher.ROOT}/sbin/{line}", token)

    def wait_deferred(self, *names):
        wait_for("put off",
                 lambda: set(names) <= set(self.s.queue("deferred")))

    def wait_end(self):
        wait_for("an empty queue", lambda: crasher.settled(self.s, *QUEUES))

    # and behind that

    def left(self):
        return [f"{p.parent.name}/{p.name} {p.stat().st_nlink}"
                for queue in QUEUES
                for p in (self.s.root / "spool" / queue).rglob("*")
                if p.is_file()]

    def recover(self):
        self.server.messages.clear()
        self.now = True
        self.s.start()
        self.s.command("postsuper", "-H", "ALL")
        self.wait_end()
        self.s.stop()

    def found(self):
        """{place: texts}, those of far servers and the reports as well."""
        texts = {place: read() for place, read in self.places.items()}
        texts["far"] = [m[2] for m in self.server.messages]
        texts["report"] = self.virtual("alice")
        return texts

    def counted(self, place, texts):
        """{token: how often it is there}. A part of a message may be in an
        mbox, where it stays; without a journal in a Maildir, of a copy that was
        not told of; nowhere else."""
        counts = dict.fromkeys(self.mails, 0)
        for text in texts:
            token = re.search(rb"^Subject: ([\w-]+)\r?$",
                              text.split(b"Final-Recipient")[-1], re.M)
            mail = token and self.mails.get(token[1].decode())
            good = mail and is_whole(place, mail, text)
            assert good or place in MBOXES or (
                self.apart and place not in ("far", "command")), \
                (place, text[:2000])
            if good:
                counts[mail.token] += 1
        return counts

    def check(self, disk, cut):
        for place, texts in self.found().items():
            counts = self.counted(place, texts)
            for mail in self.mails.values():
                n = counts[mail.token]
                most = mail.due.get(place, 0)
                # it may have kept its old name
                most += self.apart and most > 0
                told = disk.told(*mail.told)
                if place == "far" and handed_over(disk, mail, cut):
                    n, most = n + 1, most + 1
                if place in mail.sure and told <= cut:
                    assert n > 0, f"{mail.token}: not in {place}"
                if mail.gone and disk.told(*mail.gone) <= cut:
                    most = 0
                assert n <= most, f"{mail.token}: {n} times in {place}"
        lost = {name for name in self.s.queue("corrupt")
                if (disk.told("smtpd", b"queued as " + name.encode()) or
                    cut + 1) <= cut}
        assert not lost, f"corrupt: {lost}"


def is_whole(place, mail, text):
    text = text.replace(b"\r\n", b"\n")
    if place == "report":
        whole = b"\nContent-Type: message/rfc822\n" in text
        return text.count(b"\nFinal-Recipient: ") == 1 and \
            text.rstrip().endswith(b"--") and whole == (mail.body in text)
    return mail.body in text


def handed_over(disk, mail, cut):
    told = disk.told("smtp", f"Subject: {mail.token}\r".encode())
    return told is not None and told <= cut


def by_bdat(session, text):
    half = len(text) // 2
    session.send(f"BDAT {half}\r\n{text[:half]}")
    assert session.getreply()[0] == 250
    session.send(f"BDAT {len(text) - half} LAST\r\n{text[half:]}")
    return session.getreply()


def in_memory():
    """A folder for an instance, where flushes cost nothing."""
    there = os.access("/dev/shm", os.W_OK)
    return tempfile.mkdtemp(prefix="ph-", dir="/dev/shm" if there else None)


@pytest.fixture
def scene(suite):
    """scene(act, root) -> the scene, and the disk when it has been acted on."""
    with contextlib.ExitStack() as ends:
        def make(act, root=None, main=""):
            root = root or in_memory()
            server = ends.enter_context(FakeServer())
            s = suite(start=False, root=root, main=crasher.QUICK +
                      "disable_plaintext_auth = no\n"
                      "virtual_maildir_form = crlf\nstale_lock_time = 1s\n"
                      f"relayhost = [127.0.0.1]:{server.port}\n")
            prepare(s, main)
            (s.home / "script").write_text(SCRIPT.format(home=s.home))
            s.write("aliases", ALIASES.format(user=s.user, home=s.home))
            s.set(forward_path=f"{s.home}/.forward+$extension")
            forward = s.home / ".forward+file"
            forward.write_text(
                f"\\{s.user}, {s.home}/file, bob@example.test\n")
            os.chown(forward, s.uid, s.gid)
            with open(s.root / "etc/mailboxes", "a") as f:
                f.write("dora@example.test dora.mbox\n" + "".join(
                    f"{u}@example.test example.test/{u}/\n" for u in GROUP))
            s.write("virtual", "all@example.test bob@example.test, "
                    "carol@example.test\n")
            sc = Scene(s, server)
            server.replies["RCPT"] = sc.rcpt
            s.start()
            s.stop()  # all folders are there
            return sc, recorded(sc, act)

        yield make


def recorded(sc, act):
    s = sc.s
    sc.recorder = power.Recorder(s.root / "record", s.root / "spool",
                                 s.root / "mail", s.home, s.var_mail)
    try:
        s.started = True
        sc.command(f"posthaste -c {s.root}/etc start", "started")
        act(sc)
        sc.wait_end()
        sc.command(f"posthaste -c {s.root}/etc stop", "stopped")
        s.started = False
        disk = sc.recorder.end()
    finally:
        sc.recorder.crasher.close()
    # whose "250" is not found would be asked for nowhere
    unheard = [m.token for m in sc.mails.values()
               if disk.told(*m.told) is None]
    assert not unheard, f"not in the record: {unheard}"
    return disk


def judge(sc, disk, n, chance):
    begin = disk.told("sh", b"done started.")
    cut = chance.choice([cut for cut in disk.cuts() if cut > begin])
    names, data = power.ways(chance, disk)
    image = disk.image(cut, names, data, chance)
    image.lay_out()
    sc.apart = names == "apart"
    try:
        sc.recover()
        sc.check(disk, cut)
    except AssertionError as e:
        raise AssertionError(f"image {n}: names {names}, data {data}: {e}\n"
                             f"{image.about()}\nleft: {sc.left()}\n"
                             f"{sc.s.log_tail(12)}") from e


def cut_power(sc, disk):
    """As many images as there is time for: others with each run."""
    test = os.environ["PYTEST_CURRENT_TEST"]
    print(f"POSTHASTE_CRASH_SEED={crasher.SEED}")
    end, n = time.monotonic() + SECONDS, 0
    while n < 3 or time.monotonic() < end:
        judge(sc, disk, n, random.Random(f"{crasher.SEED} {test} {n}"))
        n += 1
    print(f"{len(disk.events)} events, {n} images")


def accept(sc):
    sc.send("small", "bob@example.test", bob=1)
    sc.send("large", "bob@example.test", lines=6000, bob=1)
    sc.send("bdat", "carol@example.test", bdat=True, carol=1)
    sc.send("many", "bob@example.test", "carol@example.test", bob=2, carol=2)
    sc.send("all", "all@example.test", bob=2, carol=2)
    sc.sendmail("user", "bob@example.test", bob=2)
    together = [threading.Thread(target=sc.send, kwargs={"bob": 1}, args=(
        f"together-{n}", "bob@example.test")) for n in range(5)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()


def deliver(sc):
    user = f"{sc.s.user}@local.test"
    sc.send("mbox", user, mbox=2)
    sc.send("mbox-large", user, lines=2000, mbox=2)
    sc.send("maildir", "maildir@local.test", maildir=2)
    sc.send("command", "x@filter.test", command=2)
    sc.send("virtual-mbox", "dora@example.test", **{"virtual-mbox": 2})
    # a file that others have locked for now: what was done is repeated
    sc.send("list", "list@local.test", mbox=5, bob=5, file=5, command=5)
    sc.send("maildir-large", "maildir@local.test", lines=3000, maildir=2)
    sc.send("forward", f"{sc.s.user}+file@local.test", mbox=5, file=5, bob=5)


def group(sc):
    for n, users in enumerate((GROUP, GROUP[:5])):
        sc.send(f"group-{n}", *(f"{u}@example.test" for u in users),
                lines=1 + 300 * n, **dict.fromkeys(users, 2))


def queue(sc):
    sc.send("success", "carol@example.test", notify=["NOTIFY=SUCCESS"],
            carol=2, report=1)
    sc.now = False
    later = [sc.send(f"later-{n}", "x@far.test", far=1) for n in range(2)]
    sc.send("never", "never@far.test", report=1)
    held = sc.send("held", "x@far.test", far=1)
    anew = sc.send("anew", "x@far.test", far=2)
    gone = sc.send("gone", "x@far.test", far=1)
    sc.mails["gone"].sure.clear()
    sc.mails["gone"].gone = ("sh", b"done delete.")
    sc.wait_deferred(*later, held, anew, gone)
    sc.command(f"postsuper -h {held}", "hold")
    sc.command(f"postsuper -d {gone}", "delete")
    sc.command(f"postsuper -r {anew}", "requeue")
    sc.send("never-again", "never@far.test", report=1)
    sc.now = True
    sc.command("postqueue -f", "flush")
    sc.command(f"postsuper -H {held}", "release")


@pytest.mark.parametrize("act", [accept, deliver, group, queue],
                         ids=lambda f: f.__name__)
def test_what_was_told_holds(scene, act):
    cut_power(*scene(act))


def read(sc):
    for n in range(4):
        sc.send(f"read-{n}", "bob@example.test", bob=2)
    sc.wait_end()
    for user in ("bob", "carol"):
        sc.send(f"later-{user}", f"{user}@example.test", **{user: 2})
        session = sc.s.pop3(user, tls=None)
        for n in range(1, session.stat()[0] + 1, 2):
            session.retr(n)
        session.quit()
    sc.send("last", "bob@example.test", bob=2)


@pytest.mark.parametrize("act", [accept, deliver, group, queue, read],
                         ids=lambda f: f.__name__)
def test_without_a_journal(no_journal, scene, act):
    assert power.is_loose(no_journal)
    sc, disk = scene(act, no_journal)
    disk.names = ("apart",)
    cut_power(sc, disk)


@pytest.mark.parametrize("act", [deliver, group], ids=lambda f: f.__name__)
def test_with_a_journal_that_keeps_order(scene, act):
    root = tempfile.mkdtemp(prefix="ph-", dir="/tmp")
    if not power.is_ordered(root):
        os.rmdir(root)
        pytest.skip("/tmp has no journal that keeps order")
    sc, disk = scene(act, root)
    assert any(e.what == "waited" for e in disk.events)
    cut_power(sc, disk)
