# SPDX-License-Identifier: ISC
"""A message comes by SMTP or from a user: what was accepted arrives, as often
as it was sent."""
import pytest

import crasher
from posthaste import AS_ROOT, wait_for

BOB = ["bob@example.test"]
pytestmark = pytest.mark.skipif(not AS_ROOT, reason="all identities are one")


# who has a part in it, whichever way it comes
ACCEPT = ("smtpd", "cleanup", "qmgr", "local")
FROM_A_USER = ("pickup", "cleanup", "qmgr", "local")
MANY = ("cleanup", "qmgr", "local", "lookup")


@pytest.mark.parametrize("lines", [1, 6000], ids=["small", "large"])
@pytest.mark.parametrize("program", ACCEPT)
def test_by_smtp_and_taken_by_rename(crashing, program, lines):
    s = crashing("virtual_maildir_form = crlf\n")

    def act(token):
        sent = crasher.send(s, BOB, crasher.message(token, lines))
        wait_for("an empty queue", lambda: crasher.settled(s))
        assert 1 <= crasher.copies(s, token) <= sent, (token, sent)

    crasher.at_each_point(s, program, act, ACCEPT)


def test_who_writes_the_log_ends(crashing):
    """How many lines it writes at once, and so where it ends, is chance."""
    s = crashing()

    def once(n):
        token = f"logged-{n}"
        s.crasher.arm("logd", n)
        sent = crasher.send(s, BOB, crasher.message(token))
        wait_for("an empty queue", lambda: crasher.settled(s))
        assert 1 <= crasher.copies(s, token) <= sent, (token, sent)
        return s.crasher.disarm()[0]

    crasher.until_it_ends(once)


# submitted, and still in maildrop: once more (doc/DURABILITY.md)
@pytest.mark.parametrize("program", FROM_A_USER)
def test_from_a_user(crashing, program):
    s = crashing()
    again = program in ("pickup", "cleanup")

    def act(token):
        s.command("sendmail", *BOB, stdin=crasher.message(token).replace(
            "\r\n", "\n"))
        wait_for("an empty queue", lambda: crasher.settled(s))
        assert 1 <= crasher.copies(s, token) <= 1 + again, token

    crasher.at_each_point(s, program, act, FROM_A_USER)


@pytest.mark.parametrize("program", FROM_A_USER)
def test_refused_to_a_user(crashing, program):
    """What cleanup never takes goes back: a second report at most."""
    s = crashing()
    hops = "Received: by a.test; Sat, 21 Nov 2026 13:25:01 +0000\n" * 60

    def act(token):
        s.command("sendmail", "-f", "alice@example.test", *BOB, stdin=hops +
                  crasher.message(token).replace("\r\n", "\n"))
        wait_for("an empty queue",
                 lambda: crasher.settled(s) or crasher.wake_pickup(s))
        reports = [t for t in crasher.everywhere(s, ["alice"])
                   if b"Subject: " + token.encode() + b"\r\n" in t]
        assert 1 <= len(reports) <= 2, (token, len(reports))
        assert crasher.copies(s, token) == 0

    crasher.at_each_point(s, program, act, FROM_A_USER)


def test_users_program_ends(crashing):
    """Without success nothing is promised; what comes is whole, and once."""
    s = crashing()
    given = s.root / "given"

    def drop(n):
        token = f"dropped-{n}"
        text = crasher.message(token).replace("\r\n", "\n").encode()
        given.write_bytes(
            b"POSTHASTE-DROP 1\n"
            b"\x06sender\x00\x12alice@example.test"
            b"\x09recipient\x00\x10bob@example.test\x07content\x00\x00" +
            len(text).to_bytes(4, "big") + text +
            b"\x00\x00\x00\x00POSTHASTE-END\n")
        killed, status = crasher.run_command(s, n, "postdrop", stdin=given)
        wait_for("an empty queue",
                 lambda: crasher.settled(s) or crasher.wake_pickup(s))
        got = crasher.copies(s, token)
        assert got == 1 if status == 0 else got <= 1, (killed, status, got)
        return killed

    crasher.until_it_ends(drop)


@pytest.mark.parametrize("program", MANY)
def test_one_address_that_stands_for_many(crashing, program):
    s = crashing()
    s.write("virtual", "all@example.test alice@example.test, "
            "bob@example.test, carol@example.test\n")

    def act(token):
        sent = crasher.send(s, ["all@example.test"], crasher.message(token))
        wait_for("an empty queue", lambda: crasher.settled(s))
        again = program in ("qmgr", "local")  # an answer was lost
        for user in ("alice", "bob", "carol"):
            got = crasher.copies(s, token, [user])
            assert 1 <= got <= sent + again, (token, user, got, sent)

    crasher.at_each_point(s, program, act, (*MANY, "smtpd"))
