# SPDX-License-Identifier: ISC
"""What a crowd needed is given back some seconds after it: processes and
memory."""
import contextlib
import re

from posthaste import wait_for

MESSAGE = "From: <a@example.net>\r\nSubject: x\r\n\r\n" + 2000 * "x" + "\r\n"
CROWD = 24


def memory(pids):
    """Private memory of these, in KB."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += sum(map(int, re.findall(
                    r"^Private_Dirty:\s+(\d+)", f.read(), re.M)))
    return total


def crowd(s):
    """All in the middle of a message, then all of them end it at once."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(s.smtp()) for _ in range(CROWD)]
        for c in clients:
            c.ehlo("client.example.net")
            c.mail("a@example.net")
            c.rcpt("bob@example.test")
            assert c.docmd("DATA")[0] == 354
        for c in clients:
            c.send(MESSAGE + ".\r\n")
        for c in clients:
            assert c.getreply()[0] == 250


def test_what_a_crowd_needed_is_given_back(suite):
    s = suite(main="max_idle = 1000s\n")
    s.send()
    s.wait_messages("bob")
    before = memory(s.processes())
    crowd(s)
    assert len(s.processes("cleanup")) > 1
    s.wait_messages("bob", 1 + CROWD)
    for program in ("cleanup", "local", "smtpd", "lookup"):
        wait_for(f"one {program}",
                 lambda: len(s.processes(program)) <= 1)
    wait_for("memory to come back",
             lambda: memory(s.processes()) < before * 1.25)
