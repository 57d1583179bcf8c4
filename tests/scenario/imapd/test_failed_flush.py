# SPDX-License-Identifier: ISC
"""A flush to the disk fails: the change is not announced, the user's sessions
hear a BYE, and the next one is served by a process that begins from the mail."""
import shutil
import subprocess

import pytest

from long_runs import children
from posthaste import AS_ROOT, wait_for

pytestmark = pytest.mark.skipif(
    not shutil.which("strace") or not AS_ROOT,
    reason="needs strace, and root to attach it")

# sessions stay where they are
MAIN = "disable_plaintext_auth = no\nimap_hibernate_timeout = 0\n"
TEXT = b"Subject: x\r\n\r\ny\r\n"


def test_it_is_not_announced(suite):
    s = suite(main=MAIN)
    c, idle, other = s.imap(), s.imap(), s.imap()
    c.append("INBOX", TEXT)
    c.ok("SELECT INBOX")
    idle.ok("SELECT INBOX")
    idle.send(b"i IDLE\r\n")
    wait_for("IDLE", lambda: b"+ " in idle.line())
    (child,) = children(s)
    with subprocess.Popen(
            ["strace", "-f", "-o", "/dev/null", "-e", "trace=fsync", "-e",
             "inject=fsync:error=EIO:when=1", "-p", str(child)],
            stderr=subprocess.PIPE, text=True) as strace:
        assert "attached" in strace.stderr.readline()
        c.send(b"s STORE 1 +FLAGS (\\Flagged)\r\n")
        assert b"* BYE [UNAVAILABLE]" in c.line()
        # also who was only waiting, or has nothing selected
        assert b"* BYE [UNAVAILABLE]" in idle.line()
        assert b"* BYE [UNAVAILABLE]" in other.line()
        wait_for("the process to end", lambda: child not in children(s))
    s.wait_log("the mail could not be flushed to disk; it is set aside")
    d = s.imap()
    d.ok("SELECT INBOX")
    assert b"\\Flagged" in d.ok("FETCH 1 FLAGS")[0]
    d.ok("STORE 1 -FLAGS (\\Flagged)")
