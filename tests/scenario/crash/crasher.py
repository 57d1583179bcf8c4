# SPDX-License-Identifier: ISC
"""What ends a program at its n-th system call that changes something
(tests/crash/crasher.c), and what a client does about it."""
import contextlib
import itertools
import os
import poplib
import random
import re
import smtplib
import socket
import subprocess
import time

from posthaste import DEADLINE, ROOT, wait_for

POP3_ERROR = poplib.error_proto
CRASHER = ROOT.parent / "tests/crash/crasher"
FULL = bool(os.environ.get("POSTHASTE_FULL"))
# which points are tried; others with each run, and the same when it is given
SEED = os.environ.get("POSTHASTE_CRASH_SEED", str(time.time_ns()))
QUICK = ("minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\n"
         "queue_run_delay = 1s\ntransport_retry_time = 1s\n"
         "service_throttle_time = 1s\n")


# who need not be named as ended: master, with which all ends (the chaos tests do
# that), who writes the log of all (test_accept.py), and what is none of ours
SPARED = {"master", "logd", "script", "sh", "cat", "mkdir", "mv"}
PAUSE = 0.3  # seconds between two questions to qmgr
MOST = 5000  # no scenario has as many points


def points(total, chance, some):
    """Of 1..total: the first and some others, each once; in full runs all, and
    those behind, since there may be more to do the next time."""
    if FULL:
        return itertools.count(1)
    return sorted({1, *chance.sample(range(1, total + 1), min(some, total))})


class Crasher:
    """A command, and all that comes of it, under the tool."""

    def __init__(self, *command, **popen):
        here, there = socket.socketpair()
        self.control = here
        here.settimeout(DEADLINE)
        self.tool = subprocess.Popen(
            [CRASHER, str(there.fileno()), *map(str, command)],
            pass_fds=[there.fileno()], **popen)
        there.close()
        self.text = b""
        self.killed = None  # what was said about it
        self.points = []  # "NAME HOW CALL WHERE" of each, where none was killed
        self.ended = None  # the command's status, as wait(2) has it

    def ask(self, line):
        self.control.sendall(f"{line}\n".encode())

    def line(self):
        while b"\n" not in self.text:
            more = self.control.recv(4096)
            assert more, "the tool is gone"
            self.text += more
        line, self.text = self.text.split(b"\n", 1)
        return line.decode()

    def until(self, word):
        """The rest of the line that begins so; notes what comes before."""
        while True:
            what, _, rest = self.line().partition(" ")
            if what == "point":
                self.points.append(rest)
            elif what == "killed":
                self.killed = rest
            elif what == "ended":
                self.ended = int(rest)
            if what == word:
                return rest

    def arm(self, program, point):
        self.killed, self.points = None, []
        self.ask(f"arm {program[:15]} {point}")
        self.until("armed")

    def of(self, program):
        """"HOW CALL WHERE" of each point that this program had."""
        found = (point.split(" ", 1) for point in self.points)
        return [what for name, what in found if name == program[:15]]

    def changed(self):
        """Programs that had points at files, not only at connections."""
        return {point.split(" ", 1)[0] for point in self.points
                if not re.search(r" (socket|pipe):\[\d+\]$", point)}

    def disarm(self):
        """What was killed since it was armed, or None; how many points."""
        self.ask("disarm")
        counted = int(self.until("counted"))
        return self.killed, counted

    def run(self):
        """The command's exit status; below zero the signal that ended it."""
        self.ask("run")
        self.until("ended")
        return os.waitstatus_to_exitcode(self.ended)

    def close(self):
        self.control.close()
        self.tool.wait(DEADLINE)


def start(s):
    """Starts an instance under the tool."""
    crasher = Crasher(ROOT / "sbin/posthaste", "-c", s.root / "etc", "start")
    s.started = True
    status = crasher.run()
    assert status == 0, (status, s.log_tail())
    return crasher


def run_command(s, point, name, *arguments, stdin=None):
    """A command of the suite, ended at its n-th point: what was killed, or
    None, and its exit status."""
    with open(stdin or os.devnull, "rb") as given:
        crasher = Crasher(ROOT / "sbin" / name, *arguments, stdin=given,
                          stderr=subprocess.PIPE, cwd=s.root, env=dict(
                              os.environ, MAIL_CONFIG=str(s.root / "etc")))
    with contextlib.closing(crasher):
        crasher.arm(name, point)
        status = crasher.run()
        killed, _ = crasher.disarm()
    assert (status == -9) == (killed is not None), (status, killed)
    return killed, status


def send(s, to, text, sender="alice@example.test", port="smtp"):
    """As a client that tries again until it is told 250: how often the
    message may have been taken."""
    sent = 0

    def told():
        nonlocal sent
        with contextlib.suppress(smtplib.SMTPException, OSError):
            with s.smtp(port, timeout=20) as session:
                session.ehlo()
                if session.mail(sender)[0] != 250:
                    return False
                if any(session.rcpt(r)[0] != 250 for r in to):
                    return False
                sent += 1
                return session.data(text)[0] == 250
        return False

    wait_for("250", told)
    return sent


def shown(path):
    """What a reader shows of a file in a Maildir: the size of its name."""
    text = path.read_bytes()
    size = re.search(r",S=(\d+)", path.name)
    return text[:int(size[1])] if size else text


def check_whole(text, token):
    """A message that was sent with this token has its beginning and end."""
    assert text.count(b"\nSubject: " + token) == 1, text[:2000]
    assert re.search(rb"\n\r?\n" + token + rb" begins\b", text), text[:2000]
    assert text.rstrip(b"\r\n").endswith(token + b" ends"), text[-2000:]


def message(token, lines=1):
    """One that can be seen to be whole."""
    body = "".join(f"{n} of some lines that are in between\r\n"
                   for n in range(lines))
    return (f"From: alice@example.test\r\nSubject: {token}\r\n\r\n"
            f"{token} begins\r\n{body}{token} ends\r\n")


def wake_pickup(s):
    with socket.socket(socket.AF_UNIX) as wake, \
            contextlib.suppress(OSError):  # the connection will do
        wake.connect(str(s.root / "spool/public/pickup"))
        wake.send(b"W")


def settled(s, *queues):
    """Nothing is left to do in these queues, or in any: what waits for its
    time is asked for, and what was never finished is old."""
    if not s.queue(*queues):
        s.asked = None
        return True
    for path in (s.root / "spool").glob("[imr]*/*"):
        with contextlib.suppress(FileNotFoundError):
            # not one that is just being made, and not locked yet
            if time.time() - path.stat().st_mtime > 1:
                os.utime(path, (1, 1))
            if path.stat().st_mode & 0o777 == 0o600 and \
                    path.parent.name == "maildrop":
                wake_pickup(s)
    # not at once, nor all the time: each question is another point of qmgr's
    now = time.monotonic()
    before = getattr(s, "asked", None) or now
    s.asked = before
    if now - before > PAUSE:
        s.asked = now
        s.command("postqueue", "-f", check=False)  # qmgr may just have ended
    return False


def everywhere(s, users=("alice", "bob", "carol")):
    return [shown(p) for u in users for p in s.message_files(u)]


def with_token(texts, token):
    """Those that were sent with it; each is whole."""
    mark = f"Subject: {token}".encode()
    found = [t for t in texts if mark + b"\r\n" in t or mark + b"\n" in t]
    for text in found:
        check_whole(text, token.encode())
    return found


def check_some_whole(text):
    """Whatever this is, it is not a part of a message."""
    token = re.search(rb"\nSubject: (\S+)\r?\n", text)
    assert token, text[:2000]
    check_whole(text, token[1])


def copies(s, token, users=("bob",)):
    """How often it is there; each is whole."""
    return len(with_token(everywhere(s, users), token))


def check_who(s, ended):
    """All that change files in what was just done are ended somewhere."""
    spared = s.crasher.changed() - {name[:15] for name in ended} - SPARED
    assert not spared, ("change files here and are never ended",
                        [p for p in s.crasher.points
                         if p.split(" ", 1)[0] in spared])


def tell(reached, tried):
    """What was done, for who reads the output; tests/deep adds it up."""
    print(*reached, sep="\n")
    print(f"points: {tried} tried, {len(reached)} ended it")


class Scenario:
    """act(token) under the tool, behind before(token)."""

    def __init__(self, s, program, act, before=None):
        self.s, self.program, self.act = s, program, act
        self.before = before or (lambda token: None)

    def counted(self, program, point, token):
        """What was killed, or None, and how many points there were."""
        crasher = self.s.crasher
        self.before(token)
        crasher.arm(program, point)
        self.act(token)
        if not crasher.killed:
            time.sleep(0.02)  # for what is said behind the last change
        return crasher.disarm()

    def measured(self, ended):
        """The points of one run, when all programs are there already."""
        self.counted("*", 0, f"{self.program}-first")
        return self.measured_again(ended, "second")

    def measured_again(self, ended, which):
        _, total = self.counted("*", 0, f"{self.program}-{which}")
        assert total == len(self.s.crasher.points)
        check_who(self.s, ended)
        found = self.s.crasher.of(self.program)
        assert found, f"{self.program} changes nothing"
        return found

    def end_at(self, n, token):
        """"HOW CALL WHERE" of the n-th point; None: there was none."""
        killed, _ = self.counted(self.program, n, token)
        # "PID NAME POINT HOW CALL WHERE"
        return killed and killed.split(" ", 3)[3]


def at_each_point(s, program, act, ended, some=4, steps=(), before=None):
    """before(token), then act(token) while the program ends at each of its
    points; at least once at each of these steps, patterns of "HOW CALL WHERE".
    "ended" is each program that this is done with, here or for the same act in
    another test: nobody else may change a file."""
    test = os.environ["PYTEST_CURRENT_TEST"]
    print(f"POSTHASTE_CRASH_SEED={SEED}")
    chance = random.Random(f"{SEED} {test}")
    scenario = Scenario(s, program, act, before)
    lower = random.Random(f"{SEED} {test} lower")
    found = scenario.measured(ended)
    tried = []  # (point, where that was, or None)

    def end_at(n):
        what = scenario.end_at(n, f"{program}-{n}-{len(tried)}")
        tried.append((n, what))
        return what

    def met(step):
        return any(what and re.search(step, what) for _, what in tried)

    def end_below(n):
        """There may be less to do than when it was measured, on a machine that
        was busier: then at some point before."""
        while not end_at(n):
            if FULL or n == 1:
                return False
            n = lower.randrange(1, n)
        return True

    drawn = []  # was a point met?
    for n in points(len(found), chance, some):
        drawn.append(end_below(n))
        if not drawn[-1] and n > len(found):
            break
        assert n < MOST, "it has no end"
    def meet(step, found):
        at = [n for n, what in enumerate(found, 1) if re.search(step, what)]
        assert at, (step, found)
        n = chance.choice(at)
        # there may be more to do this time, or less
        for near in (n, n + 1, n - 1, n + 2, n - 2, n + 3, n - 3, n + 4):
            if near >= 1 and not met(step):
                end_at(near)

    for step in steps:
        meet(step, found)
        for again in range(5):  # much more, or much less
            if not met(step):
                meet(step, scenario.measured_again(
                    ended, f"again-{len(tried)}-{again}"))
        assert met(step), (step, tried)
    tell([what for _, what in tried if what], len(tried))
    # in full runs those behind all that are met were the measured run's alone
    while FULL and drawn and not drawn[-1]:
        drawn.pop()
    assert 2 * sum(drawn) > len(drawn), (found, tried)


def until_it_ends(once):
    """once(n) says what was killed at the n-th point, None: there is none.
    Where there are many points, the first ones and ever fewer later ones; in
    full runs each."""
    n, reached = 1, []
    while killed := once(n):
        reached.append(killed)
        n += 1 if FULL or n < 4 else n // 3 + 1
        assert n < MOST, "it has no end"
    tell(reached, len(reached) + 1)
    assert reached, "it changes nothing"
