# SPDX-License-Identifier: ISC
"""Programs that smtpd asks are killed: try again is said, nothing is lost, and
the next message goes through."""
from peers import Dialogue
from posthaste import kill_all, wait_for


def greet(s):
    d = Dialogue(s.ports["smtp"])
    d.script("S: 220\nC: EHLO client.test\nS: 250")
    return d


def kill(s, name):
    kill_all(wait_for(name, lambda: s.processes(name)))


def test_lookup_dies_between_recipients(suite):
    s = suite()
    with greet(s) as d:
        d.ask("MAIL FROM:<a@b.test>")
        assert d.ask("RCPT TO:<bob@example.test>").startswith("250")
        for _ in range(3):
            kill(s, "lookup")
            reply = wait_for("an answer", lambda: d.ask(
                "RCPT TO:<carol@example.test>"))
            assert reply[:3] in ("250", "451"), reply
            # never "no such user" because a program was away
            reply = d.ask("RCPT TO:<carol@example.test>")
            assert reply[:3] in ("250", "451"), reply
        assert d.ask("DATA").startswith("354")
        assert d.ask("Subject: x\r\n\r\nx\r\n.").startswith("250")
    s.wait_messages("bob")


def test_cleanup_dies_with_half_a_message(suite):
    """It does not know of it yet."""
    s = suite()
    with greet(s) as d:
        d.ask("MAIL FROM:<a@b.test>")
        d.ask("RCPT TO:<carol@example.test>")
        d.ask("DATA")
        d.send(b"Subject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * 5000)
        kill(s, "cleanup")  # it has made a scratch file
        assert d.ask("end\r\n.").startswith("250")
    (message,) = s.wait_messages("carol")
    assert message.endswith((b"x" * 70 + b"\r\n") * 5000 + b"end\r\n")
    s.wait_empty()


def test_idle_pooled_connections_to_dead_programs_are_noticed(suite):
    s = suite()
    for name in ("cleanup", "lookup"):
        s.send()
        kill(s, name)
        assert s.send(), name


def test_smtpd_dies_with_half_a_message(suite):
    s = suite()
    with greet(s) as d:
        d.ask("MAIL FROM:<a@b.test>")
        d.ask("RCPT TO:<bob@example.test>")
        d.ask("DATA")
        d.send(b"Subject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * 5000)
        wait_for("a scratch file", lambda: s.processes("cleanup"))
        kill(s, "smtpd")
    s.wait_empty()
    assert s.send(body="whole\r\n")
    (message,) = s.wait_messages("bob")
    assert b"whole" in message
    assert len(s.messages("bob")) == 1
