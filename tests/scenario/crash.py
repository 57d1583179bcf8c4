# SPDX-License-Identifier: ISC
"""What ends a program at its n-th system call that changes something
(tests/crash/crasher.c), and what a client does about it."""
import contextlib
import os
import re
import smtplib
import socket
import subprocess

from posthaste import DEADLINE, ROOT, wait_for

CRASHER = ROOT.parent / "tests/crash/crasher"


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
            if what == "killed":
                self.killed = rest
            elif what == "ended":
                self.ended = int(rest)
            if what == word:
                return rest

    def arm(self, program, point):
        self.killed = None
        self.ask(f"arm {program[:15]} {point}")
        self.until("armed")

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
