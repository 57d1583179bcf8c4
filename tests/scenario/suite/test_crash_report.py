# SPDX-License-Identifier: ISC
"""A program that crashes says where, however it is confined."""
import os
import signal

import pytest

from programs import one

pytestmark = pytest.mark.unsanitized
PLACE = r"[\w.-]+\+0x[0-9a-f]+"


def told(s, tag, pid):
    line = s.wait_log(
        rf"posthaste/{tag}\[{pid}\]: panic: signal 11, sent by process "
        rf"{os.getpid()}, at {PLACE}\n")
    callers = s.wait_log(rf"\[{pid}\]: panic: signal 11 perhaps called from "
                         rf"{PLACE}(, {PLACE})*\n")
    return line, callers


@pytest.mark.parametrize("program", ("smtpd", "lookup", "cleanup", "qmgr"))
def test_programs(suite, program):
    s = suite()
    s.send()
    s.wait_messages("bob", 1)
    s.may_crash = True
    pid = one(s, program)
    os.kill(pid, signal.SIGSEGV)
    told(s, program, pid)
    s.wait_log(rf"process {program} .* pid {pid} killed by signal 11")
    s.send()
    s.wait_messages("bob", 2)


def test_a_session_of_a_user(suite):
    s = suite(main="disable_plaintext_auth = no\n")
    s.may_crash = True
    bob = s.imap()
    child = s.processes("imapd-session")[1]
    os.kill(child, signal.SIGSEGV)
    bob.closed()
    told(s, "imapd", child)
    s.wait_log(rf"process imapd-session pid {child} of "
               r"user=<bob@example.test> killed by signal 11")
    s.imap().logout()
