# SPDX-License-Identifier: ISC
"""What a client sends before it may is not executed."""
import ssl

import pytest

from peers import Dialogue
from posthaste import careless_tls

ENVELOPE = ("MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\n")


def greet(s, port="smtp"):
    d = Dialogue(s.ports[port])
    d.script("S: 220\nC: EHLO client.test\nS: 250")
    return d


@pytest.mark.parametrize("port", ["smtp", "submission"])
def test_plaintext_behind_starttls_ends_the_session(suite, port):
    s = suite()
    with greet(s, port) as d:
        d.send("STARTTLS\r\nMAIL FROM:<evil@b.test>\r\n")
        assert d.reply().startswith("554 5.5.0 Error: SMTP protocol "
                                    "synchronization")
        assert d.at_end()
    s.wait_log("improper command pipelining after STARTTLS")


@pytest.mark.parametrize("port", ["smtp", "submission"])
def test_plaintext_behind_starttls_is_thrown_away(suite, port):
    s = suite(main="smtpd_forbid_unauth_pipelining = no\n"
              "smtpd_tls_loglevel = 1\n")
    with greet(s, port) as d:
        # in one segment, so that it lies in the server's buffer
        d.send("STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@b.test>\r\n")
        assert d.reply().startswith("220 2.0.0 Ready to start TLS")
        d.begin_tls()
        # nothing was said before TLS: no EHLO, no sender
        assert d.ask("RCPT TO:<bob@example.test>").startswith("503 5.5.1")
        assert d.ask("EHLO client.test").startswith("250")
        assert d.ask("RCPT TO:<bob@example.test>").startswith(
            "503" if port == "smtp" else "503")
    s.wait_log("improper command pipelining after STARTTLS .* thrown away")
    s.wait_log("TLS connection established from .*: TLSv1")


def test_state_is_forgotten_at_starttls(suite):
    s = suite()
    with greet(s) as d:
        assert d.ask("MAIL FROM:<a@b.test>").startswith("250")
        assert d.ask("STARTTLS").startswith("220")
        d.begin_tls()
        reply = d.ask("EHLO client.test")
        assert "STARTTLS" not in reply
        assert d.ask("DATA").startswith("503")
        assert d.ask("STARTTLS").startswith("554 5.5.1")


def test_pipelining_behind_data_and_ehlo_ends_the_session(suite):
    s = suite()
    for early in ("EHLO client.test\r\nMAIL FROM:<a@b.test>\r\n",
                  "EHLO client.test\r\n"):
        with Dialogue(s.ports["smtp"]) as d:
            d.reply()
            d.send(early + "NOOP\r\n")
            assert d.reply().startswith("554 5.5.0")
            assert d.at_end()
    with greet(s) as d:
        d.send(ENVELOPE + "DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n")
        assert d.reply().startswith("250")
        assert d.reply().startswith("250")
        assert d.reply().startswith("554 5.5.0")
        assert d.at_end()
    assert s.queue() == []


def test_pipelined_envelope_is_answered_in_order(suite):
    s = suite()
    with greet(s) as d:
        d.send("MAIL FROM:<a@b.test>\r\n" + "".join(
            f"RCPT TO:<{u}@example.test>\r\n"
            for u in ("bob", "joe", "carol", "joe", "alice")) + "DATA\r\n")
        codes = [d.reply()[:3] for _ in range(7)]
        assert codes == ["250", "250", "550", "250", "550", "250", "354"]
        d.send("Subject: x\r\n\r\nx\r\n.\r\nQUIT\r\n")
        assert d.reply().startswith("250 2.0.0 Ok: queued as")
        assert d.reply().startswith("221")
    for user in ("alice", "bob", "carol"):
        s.wait_messages(user)


def test_tls_is_demanded_where_it_is_set(suite):
    s = suite()
    with greet(s, "submission") as d:
        assert d.ask("MAIL FROM:<a@b.test>").startswith(
            "530 5.7.0 Must issue a STARTTLS command first")
        assert d.ask("AUTH PLAIN AGEAYg==").startswith("530")
        assert d.ask("NOOP").startswith("250")


def test_a_ticket_of_one_port_is_nothing_at_another(suite):
    s = suite()
    context = careless_tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with greet(s) as d:
        d.ask("STARTTLS")
        d.begin_tls(context)
        d.ask("EHLO client.test")
        session = d.socket.session
    with greet(s, "submission") as d:
        d.ask("STARTTLS")
        d.begin_tls(context, session=session)
        assert not d.socket.session_reused
        assert d.ask("EHLO client.test").startswith("250")


def test_failed_handshakes_harm_nobody(suite):
    s = suite()
    for _ in range(20):
        with greet(s) as d:
            assert d.ask("STARTTLS").startswith("220")
            d.send(b"\x16\x03\x01\x00\x05hello, this is no handshake")
    with Dialogue(s.ports["smtps"]) as d:
        d.send(b"EHLO client.test\r\n")
        assert b"220" not in d.line()
    s.wait_log("SSL_accept error from")
    assert s.send()


def test_who_speaks_before_the_greeting_is_sent_away(suite):
    # the proxy's header and what is behind it are there at once
    s = suite(main="smtpd_upstream_proxy_protocol = haproxy\n"
              "smtpd_peername_lookup = no\n")
    header = "PROXY TCP4 192.0.2.1 192.0.2.25 40000 25\r\n"
    with Dialogue(s.ports["smtp"]) as d:
        d.send(header + "EHLO client.test\r\n")
        assert d.reply() == "554 5.5.0 Error: SMTP protocol synchronization"
        assert d.line() == b""
    s.wait_log(r"improper command pipelining after CONNECT from "
               r"unknown\[192\.0\.2\.1\]: EHLO client\.test")
    with Dialogue(s.ports["smtp"]) as d:
        d.send(header)
        assert d.reply().startswith("220 ")
        assert d.ask("EHLO client.test").startswith("250")
    s.set(smtpd_forbid_unauth_pipelining="no")
    s.posthaste("reload")
    with Dialogue(s.ports["smtp"]) as d:
        d.send(header + "EHLO client.test\r\n")
        assert d.reply().startswith("220 ")
        assert d.reply().startswith("250")
