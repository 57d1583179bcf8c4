# SPDX-License-Identifier: ISC
"""Relaying: denied to strangers, allowed to our networks and to users."""
import smtplib

import pytest

from peers import FakeServer

STRANGERS = "mynetworks = 192.0.2.1/32\n"


def test_stranger_may_not_relay(suite):
    s = suite(main=STRANGERS)
    with s.smtp() as session:
        session.ehlo("client.test")
        session.mail("a@b.test")
        code, reply = session.rcpt("someone@elsewhere.test")
        assert code in (454, 554)
        assert b"<someone@elsewhere.test>: Relay access denied" in reply
        assert session.rcpt("bob@example.test")[0] == 250
    s.wait_log(
        r"NOQUEUE: reject: RCPT from \S+\[127\.0\.0\.1\]: \d54 \d\.7\.1 "
        r"<someone@elsewhere\.test>: Relay access denied; "
        r"from=<a@b\.test> to=<someone@elsewhere\.test> proto=ESMTP "
        r"helo=<client\.test>")


def test_unknown_recipient_is_refused_others_go_through(suite):
    s = suite(main=STRANGERS)
    with s.smtp() as session:
        session.ehlo("client.test")
        session.mail("a@b.test")
        code, reply = session.rcpt("joe@example.test")
        assert code == 550
        assert reply.startswith(
            b"5.1.1 <joe@example.test>: Recipient address rejected: "
            b"User unknown"), reply
        assert session.rcpt("bob@example.test")[0] == 250
        assert session.data("Subject: x\r\n\r\nhi\r\n")[0] == 250
    s.wait_messages("bob")


def test_login_allows_relaying(suite):
    with FakeServer() as server:
        s = suite(main=STRANGERS + f"relayhost = [127.0.0.1]:{server.port}\n")
        s.send(to="x@elsewhere.test", port="submission", tls=True,
               login="alice@example.test", body="out\r\n")
        ((sender, recipients, content),) = server.wait()
        assert sender.startswith("MAIL FROM:<alice@example.test>")
        assert recipients[0].startswith("RCPT TO:<x@elsewhere.test>")
        assert content.endswith(b"\r\nout\r\n")


@pytest.mark.parametrize("port,tls", [("submission", True),
                                      ("smtps", False)])
def test_submission_refuses_without_login(suite, port, tls):
    s = suite()
    with s.smtp(port=port, tls=tls) as session:
        session.ehlo("client.test")
        session.mail("alice@example.test")
        code, _ = session.rcpt("bob@example.test")
        assert code in (550, 554, 530)


def test_no_login_before_tls(suite):
    s = suite()
    with s.smtp(port="submission") as session:
        session.ehlo("client.test")
        assert "auth" not in session.esmtp_features
        assert session.docmd("AUTH", "PLAIN AGEAYgBj")[0] in (503, 530, 538)


def test_wrong_password_is_refused(suite):
    s = suite()
    with pytest.raises(smtplib.SMTPAuthenticationError) as e:
        with s.smtp(port="smtps") as session:
            session.login("alice@example.test", "wrong")
    assert e.value.smtp_code == 535


@pytest.mark.parametrize("to", ["postmaster", "postmaster@example.test"])
def test_postmaster_is_accepted_and_delivered(suite, to):
    s = suite(start=False)
    s.write("virtual", "postmaster@example.test alice@example.test\n"
                       "postmaster@mx.example.test alice@example.test\n")
    s.start()
    with s.smtp() as session:
        session.ehlo("client.test")
        session.mail("a@b.test")
        assert session.docmd("RCPT", f"TO:<{to}>")[0] == 250
        assert session.data("Subject: x\r\n\r\nhi\r\n")[0] == 250
    s.wait_messages("alice")


def test_missing_table_is_try_again_never_unknown(suite):
    s = suite(main="virtual_mailbox_maps = hash:/nonexistent/boxes\n")
    with s.smtp() as session:
        session.ehlo("client.test")
        session.mail("a@b.test")
        code, reply = session.rcpt("bob@example.test")
        assert code == 451, (code, reply)
        assert reply.startswith(b"4.3."), reply
    s.wait_log(r"warning: .*/nonexistent/boxes")
