# SPDX-License-Identifier: ISC
"""Programs that want a terminal."""
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import termios
import time

import pytest

from posthaste import DEADLINE


def on_terminal(command, folder, env, timeout=DEADLINE):
    """Runs a program that wants a terminal, until it ends. What it showed."""
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        os.execvpe(command[0], command, dict(os.environ, **env))
    shown = b""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            if select.select([terminal], [], [], 0.2)[0]:
                shown += os.read(terminal, 65536)
        except OSError:
            break
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0, shown[-2000:]
    return shown


def mutt_reads(s, folder):
    """The first message that mutt finds for bob by POP3."""
    rc = folder / "muttrc"
    (folder / "Mail").mkdir()
    out = s.root / "out"
    rc.write_text(
        f"set certificate_file={s.root}/etc/cert.pem\n"
        "set ssl_force_tls=yes\nset ssl_verify_host=no\n"
        "set ssl_verify_dates=no\nset confirmcreate=no\nset quit=yes\n"
        "set delete=no\nset move=no\nset copy=no\n"
        "set pop_user='bob@example.test'\nset pop_pass=posthaste\n"
        "set header_cache=''\nset timeout=5\nset confirmappend=no\n"
        f"push '<copy-message>{out}<enter><exit>'\n")
    on_terminal(["mutt", "-n", "-F", str(rc), "-f",
                 f"pops://localhost:{s.ports['pop3s']}/"],
                folder, {"TERM": "xterm", "HOME": str(folder)})
    return out.read_bytes()


class Terminal:
    """A program on a terminal that is answered as a person would: keys are
    sent once a text was shown."""

    def __init__(self, command, folder, env):
        if not shutil.which(command[0]):
            pytest.skip(f"{command[0]} is not installed")
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            fcntl.ioctl(0, termios.TIOCSWINSZ,
                        struct.pack("HHHH", 30, 100, 0, 0))
            os.execvpe(command[0], command, dict(os.environ, **env))
        self.shown = ""
        self.at = 0  # what was shown before is read

    def more(self, seconds):
        if not select.select([self.terminal], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.terminal, 65536).decode("utf-8", "replace")
        except OSError:
            return False
        self.shown += re.sub("\x1b[^a-zA-Z]*[a-zA-Z]|[\0\x0e\x0f]", "", data)
        return True

    def until(self, text, timeout=DEADLINE):
        end = time.monotonic() + timeout
        while text not in self.shown[self.at:]:
            open_still = self.more(0.2)
            assert open_still and time.monotonic() < end, (
                f"no {text!r} in {self.shown[self.at:][-2000:]!r}")
        self.at += self.shown[self.at:].index(text) + len(text)
        return self

    def keys(self, keys):
        os.write(self.terminal, keys.encode())
        return self

    def answer(self, keys, text, timeout=DEADLINE):
        """To a question: some programs throw away what came before they
        listen, so that a person who sees nothing happen types it again."""
        end = time.monotonic() + timeout
        while text not in self.shown[self.at:] and time.monotonic() < end:
            before = len(self.shown)
            self.keys(keys).more(5)
            while self.more(0.2) and len(self.shown) > before:
                before = len(self.shown)
        return self.until(text, 0)

    def end(self, timeout=DEADLINE):
        """Waits for its end; it must be a good one."""
        end = time.monotonic() + timeout
        while self.more(0.2) and time.monotonic() < end:
            pass
        if time.monotonic() >= end:
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.terminal)
        assert os.waitpid(self.pid, 0)[1] == 0, self.shown[-2000:]
