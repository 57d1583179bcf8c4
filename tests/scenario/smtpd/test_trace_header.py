# SPDX-License-Identifier: ISC
"""The Received header: who, how, and under which name."""
import re

from peers import Dialogue


def received(s, user="bob"):
    (message,) = s.wait_messages(user)
    match = re.search(rb"^Received: (?:.*\r\n)(?:[ \t].*\r\n)*", message, re.M)
    return match.group(0).decode()


def send(d, hello="EHLO", options="", to="<bob@example.test>"):
    d.ask(f"{hello} client.test")
    assert d.ask(f"MAIL FROM:<a@b.test>{options}").startswith("250")
    for r in to.split():
        assert d.ask(f"RCPT TO:{r}").startswith("250")
    assert d.ask("DATA").startswith("354")
    assert d.ask("Subject: x\r\n\r\nx\r\n.").startswith("250")


def connect(s, port="smtp"):
    d = Dialogue(s.ports[port])
    d.reply()
    return d


def test_plain(suite):
    s = suite()
    with connect(s) as d:
        send(d, "HELO")
    assert re.fullmatch(
        r"Received: from client\.test \(localhost \[127\.0\.0\.1\]\)\r\n"
        r"\tby mx\.example\.test \(Posthaste\) with SMTP id \w+\r\n"
        r"\tfor <bob@example\.test>; \w{3}, \d+ \w{3} \d{4} "
        r"\d\d:\d\d:\d\d [-+]\d{4}\r\n", received(s))


def test_several_recipients_are_not_told(suite):
    s = suite()
    with connect(s) as d:
        send(d, to="<bob@example.test> <carol@example.test>")
    text = received(s)
    assert "for <" not in text and "carol" not in text
    assert " with ESMTP id " in text


def test_tls_and_login(suite):
    s = suite(main="smtpd_tls_received_header = yes\n"
              "smtpd_sasl_authenticated_header = yes\n")
    with s.smtp("submission", tls=True, login="alice@example.test") as m:
        s.send_on(m, "alice@example.test", ["bob@example.test"],
                  "Subject: x\r\n\r\nx\r\n")
    text = received(s)
    assert re.search(r"\r\n\t\(using TLSv1\.\d with cipher \S+ "
                     r"\(\d+/\d+ bits\)\)\r\n", text)
    assert "\r\n\t(Authenticated sender: alice@example.test)\r\n" in text
    assert " with ESMTPSA id " in text


def test_tls_alone_and_smtputf8(suite):
    s = suite()
    with connect(s) as d:
        d.ask("EHLO client.test")
        assert d.ask("STARTTLS").startswith("220")
        d.begin_tls()
        send(d)
    assert " with ESMTPS id " in received(s)
    with connect(s) as d:
        send(d, options=" SMTPUTF8", to="<carol@example.test>")
    assert " with UTF8SMTP id " in received(s, "carol")


def test_a_reload_leaves_sessions_as_they_were(suite):
    s = suite()
    with connect(s) as d:
        d.ask("EHLO client.test")
        d.ask("MAIL FROM:<a@b.test>")
        s.set(smtpd_banner="$myhostname anew")
        s.posthaste("reload")
        with Dialogue(s.ports["smtp"]) as fresh:
            assert fresh.reply() == "220 mx.example.test anew"
        assert d.ask("RCPT TO:<bob@example.test>").startswith("250")
        assert d.ask("DATA").startswith("354")
        assert d.ask("Subject: x\r\n\r\nx\r\n.").startswith("250")
    s.wait_messages("bob")
