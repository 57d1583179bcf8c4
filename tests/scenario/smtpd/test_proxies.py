# SPDX-License-Identifier: ISC
"""Clients behind others: the PROXY protocol, XCLIENT and XFORWARD; and what
Postfix answers to the same."""
import re
import socket
import struct

import pytest

import postfix_peer
from peers import Dialogue
from posthaste import free_port

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LINE = "PROXY TCP4 192.0.2.1 192.0.2.25 40000 25\r\n"
PROXIED = "smtpd_upstream_proxy_protocol = haproxy\n"


def binary(client, server="192.0.2.25", port=40000, more=b"", command=0x21):
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    block = (socket.inet_pton(family, client) + socket.inet_pton(family, server)
             + struct.pack(">HH", port, 25) + more)
    return SIGNATURE + bytes([command, 0x21 if ":" in client else 0x11]) + \
        struct.pack(">H", len(block)) + block


def proxied(s, header, port="smtp"):
    d = Dialogue(s.ports[port])
    d.send(header)
    return d


@pytest.mark.parametrize("header, client", [
    (LINE, "192.0.2.1"),
    ("PROXY TCP6 2001:db8::1 2001:db8::25 40000 25\r\n", "2001:db8::1"),
    (binary("192.0.2.1"), "192.0.2.1"),
    (binary("2001:db8::1", "2001:db8::25"), "2001:db8::1"),
    (binary("192.0.2.1", more=b"\x20\0\x05" + b"\1" * 5), "192.0.2.1"),
    (binary("::ffff:192.0.2.1", "::1"), "192.0.2.1"),
    (binary("192.0.2.1", command=0x20), "127.0.0.1"),  # the proxy itself
], ids=["line", "line6", "binary", "binary6", "extension", "mapped", "local"])
def test_the_client_is_who_the_proxy_says(suite, header, client):
    s = suite(main=PROXIED + "smtpd_peername_lookup = no\n"
              "smtpd_client_port_logging = yes\n")
    with proxied(s, header) as d:
        assert d.reply().startswith("220 ")
        assert d.ask("EHLO a.test").startswith("250")
        d.ask("MAIL FROM:<x@y.test>")
        # who relays is decided by that address, too
        answer = d.ask("RCPT TO:<x@elsewhere.test>")
        assert answer[:3] == ("250" if client == "127.0.0.1" else "454")
        assert d.ask("RCPT TO:<bob@example.test>").startswith("250")
        assert d.ask("DATA").startswith("354")
        assert d.ask("Subject: x\r\n\r\nx\r\n.").startswith("250")
    (message,) = s.wait_messages("bob")
    shown = f"IPv6:{client}" if ":" in client else client
    assert f"(unknown [{shown}])".encode() in message
    port = r":\d+" if client == "127.0.0.1" else ":40000"
    s.wait_log(rf"client=unknown\[{re.escape(client)}\]{port}")


def test_in_pieces(suite):
    s = suite(main=PROXIED)
    with Dialogue(s.ports["smtp"]) as d:
        for at in range(0, len(LINE), 5):
            d.send(LINE[at:at + 5])
        assert d.reply().startswith("220 ")
    whole = binary("192.0.2.1")
    with Dialogue(s.ports["smtp"]) as d:
        for byte in whole:
            d.send(bytes([byte]))
        assert d.reply().startswith("220 ")


BAD = [b"EHLO a.test\r\n", b"PROXY UNKNOWN\r\n", b"PROXY TCP4 1.2.3.4\r\n",
       b"PROXY " + b"x" * 200, SIGNATURE + b"\x21\x00\0\0",
       SIGNATURE + b"\x21\x11\xff\xff", b"\x16\x03\x01\x02\x00"]


@pytest.mark.parametrize("header", BAD, ids=range(len(BAD)))
def test_without_its_word_nobody_gets_in(suite, header):
    s = suite(main=PROXIED + "smtpd_upstream_proxy_timeout = 2s\n")
    with proxied(s, header) as d:
        assert d.reply() == "421 4.3.0 mx.example.test Server local error"
        assert d.line() == b""
    s.wait_log(r"warning: haproxy read: .*, from 127\.0\.0\.1")
    assert "client=" not in s.log()


def test_a_proxy_that_says_nothing(suite):
    s = suite(main=PROXIED + "smtpd_upstream_proxy_timeout = 1s\n")
    with Dialogue(s.ports["smtp"]) as d:
        assert d.reply().startswith("421 4.3.0")
    s.wait_log("haproxy read: timeout error")
    with Dialogue(s.ports["smtp"]) as d:
        d.socket.shutdown(socket.SHUT_WR)
        assert d.reply().startswith("421 4.3.0")
    s.wait_log("haproxy read: EOF")


def test_in_front_of_tls(suite):
    s = suite(main=PROXIED + "smtpd_peername_lookup = no\n")
    with proxied(s, LINE, "smtps") as d:
        d.begin_tls()
        assert d.reply().startswith("220 ")
    s.wait_log(r"smtps/smtpd.*connect from unknown\[192\.0\.2\.1\]")
    with proxied(s, b"\x16\x03\x01\x02\x00\x01\0\1\xfc\x03\x03", "smtps") as d:
        assert d.line() == b""


def test_limits_are_the_clients(suite):
    s = suite(main=PROXIED + "smtpd_client_connection_count_limit = 1\n")
    with proxied(s, LINE) as one:
        assert one.reply().startswith("220 ")
        with proxied(s, LINE) as again:
            assert "too many connections from 192.0.2.1" in again.reply()
        with proxied(s, binary("192.0.2.2")) as other:
            assert other.reply().startswith("220 ")


XCLIENT = "smtpd_authorized_xclient_hosts = 127.0.0.1\n"
XFORWARD = "smtpd_authorized_xforward_hosts = 127.0.0.1\n"

# each is a session of its own; replies are compared with Postfix's
SESSIONS = [
    ["EHLO a.test"],
    ["XCLIENT NAME=spike.example.test ADDR=192.0.2.9", "MAIL FROM:<x@y.test>",
     "RCPT TO:<x@elsewhere.test>"],
    ["XCLIENT NAME=spike.example.test ADDR=IPV6:2001:db8::9", "EHLO a.test",
     "MAIL FROM:<x@y.test>", "RCPT TO:<x@elsewhere.test>"],
    ["XCLIENT ADDR=[UNAVAILABLE] NAME=[TEMPUNAVAIL]", "HELO a.test",
     "MAIL FROM:<x@y.test>", "RCPT TO:<x@elsewhere.test>"],
    ["EHLO a.test", "MAIL FROM:<x@y.test>", "XCLIENT ADDR=192.0.2.9",
     "XFORWARD ADDR=192.0.2.9"],
    ["XCLIENT ADDR=192.0.2.9", "XCLIENT ADDR=127.0.0.1",
     "MAIL FROM:<x@y.test>", "RCPT TO:<x@elsewhere.test>"],
    ["XCLIENT ADDR=192.0.2.9 HELO=h.test PROTO=ESMTP",
     "MAIL FROM:<x@y.test> SIZE=1", "RCPT TO:<helo@elsewhere.test>"],
    ["XCLIENT"], ["XFORWARD"], ["XCLIENT ADDR"], ["XCLIENT ADDR="],
    ["XCLIENT ADDR=1.2.3"], ["XCLIENT ADDR=localhost"],
    ["XCLIENT ADDR=2001:db8::1"], ["XCLIENT NAME=-x-"], ["XCLIENT NAME=a..b"],
    ["XCLIENT PROTO=HTTP"], ["XCLIENT PORT=x"],
    ["XCLIENT PORT=25 DESTPORT=25 DESTADDR=192.0.2.25"],
    ["XCLIENT WRONG=1"], ["XCLIENT IDENT=1"], ["XFORWARD LOGIN=1"],
    ["XCLIENT NAME=" + "x" * 300],
    ["XCLIENT NAME=spike+2Eexample.test", "HELO a.test"],
    ["XCLIENT NAME=[UNAVAILABLE] REVERSE_NAME=r.example.test", "NOOP"],
    ["xclient name=spike.example.test addr=192.0.2.9", "NOOP"],
    ["XFORWARD NAME=spike.example.test ADDR=192.0.2.9 PORT=1 IDENT=ABC "
     "SOURCE=REMOTE HELO=h.test PROTO=SMTP", "NOOP"],
    ["XFORWARD SOURCE=ELSEWHERE"], ["XFORWARD NAME=[UNAVAILABLE]"],
    ["XFORWARD ADDR=nowhere"], ["XFORWARD PROTO=ESMTP IDENT=[UNAVAILABLE]"],
    ["XCLIENT LOGIN=alice@example.test ADDR=192.0.2.9",
     "MAIL FROM:<x@y.test>", "RCPT TO:<x@elsewhere.test>"],
]


def hear(port):
    heard = []
    for session in SESSIONS:
        with Dialogue(port) as d:
            d.reply()
            for line in session:
                heard.append((line, d.ask(line)))
    return heard


def plain(heard, host):
    """Without what differs by name, and the extensions that one lacks."""
    out = []
    for line, answer in heard:
        if line.startswith("EHLO"):
            answer = "\n".join(re.findall(r"250.X.*", answer))
        if answer.startswith("220 "):
            answer = "220"
        out.append((line, answer.replace(host, "HOST")))
    return out


SAME = ("smtpd_peername_lookup = no\nmynetworks = 127.0.0.0/8\n"
        "smtpd_relay_restrictions = permit_mynetworks, "
        "permit_sasl_authenticated, reject_unauth_destination\n"
        "smtpd_client_restrictions =\nsmtpd_recipient_restrictions = "
        "check_helo_access inline:{{h.test=REJECT that one}}\n"
        "smtpd_soft_error_limit = 1000\n")


def test_the_answers_are_postfix_s(suite):
    s = suite(main=XCLIENT + XFORWARD + SAME)
    ours = plain(hear(s.ports["smtp"]), "mx.example.test")
    port = free_port()
    with postfix_peer.beside(s.root / "postfix", port,
                             XCLIENT + XFORWARD + SAME) as peer:
        if peer is None:
            pytest.skip("no Postfix to compare with, or not root")
        theirs = plain(hear(port), "host.example.test")
    different = [(o, t) for o, t in zip(ours, theirs) if o != t]
    assert not different, "\n".join(map(str, different))


def test_who_is_not_listed_may_not(suite):
    s = suite(main="smtpd_authorized_xclient_hosts = !127.0.0.1, 0.0.0.0/0\n")
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        assert "XCLIENT" not in d.ask("EHLO a.test")
        for command in ("XCLIENT ADDR=192.0.2.9", "XFORWARD ADDR=192.0.2.9"):
            assert d.ask(command) == ("550 5.7.0 Error: insufficient "
                                      "authorization")


def test_a_login_is_believed_where_people_log_in(suite):
    s = suite(main=XCLIENT)
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        for bad in ("PORT=65536", "ADDR=IPV6:192.0.2.1", "NAME=a+zzb",
                    "LOGIN=a+0Ab"):
            assert d.ask(f"XCLIENT {bad}").startswith("501 5.5.4")
    s = suite(main=XCLIENT + "smtpd_sasl_auth_enable = yes\n")
    for login, answer in (("LOGIN=alice@example.test", "250"),
                          ("LOGIN=[UNAVAILABLE]", "454"),
                          ("PORT=1", "454")):
        with Dialogue(s.ports["smtp"]) as d:
            d.reply()
            assert d.ask(f"XCLIENT ADDR=192.0.2.9 {login}").startswith("220")
            d.ask("MAIL FROM:<x@y.test>")
            assert d.ask("RCPT TO:<x@elsewhere.test>").startswith(answer)


def test_xclient_is_as_if_that_one_had_connected(suite):
    s = suite(main=XCLIENT + "smtpd_client_connection_count_limit = 1\n"
              "smtpd_delay_reject = no\nsmtpd_client_restrictions = "
              "check_client_access inline:{192.0.2.66=REJECT}\n"
              "smtpd_client_event_limit_exceptions =\n")
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        assert d.ask("XCLIENT ADDR=192.0.2.66 NAME=[UNAVAILABLE]").startswith(
            "554 5.7.1 <unknown[192.0.2.66]>: Client host rejected")
        assert d.ask("HELO x").startswith("503 5.7.0 Error: access denied")
    with Dialogue(s.ports["smtp"]) as d, Dialogue(s.ports["smtp"]) as e:
        d.reply(), e.reply()
        assert d.ask("XCLIENT ADDR=192.0.2.9 NAME=b.test").startswith("220 ")
        assert e.ask("XCLIENT ADDR=192.0.2.9").startswith("421 4.7.0")
        d.ask("EHLO a.test")
        d.ask("MAIL FROM:<x@y.test>")
        assert d.ask("RCPT TO:<bob@example.test>").startswith("250")
        assert d.ask("DATA").startswith("354")
        assert d.ask("Subject: x\r\n\r\nx\r\n.").startswith("250")
        # the new one is not listed
        assert d.ask("XCLIENT ADDR=127.0.0.1").startswith("550 5.7.0")
    (message,) = s.wait_messages("bob")
    assert b"from a.test (b.test [192.0.2.9])" in message
    s.wait_log(r"disconnect from b\.test\[192\.0\.2\.9\] .* xclient=1/2 ")


LIMITED = (XCLIENT + "smtpd_peername_lookup = no\nmynetworks = 192.0.2.77\n"
           "smtpd_client_connection_count_limit = 2\n"
           "smtpd_client_event_limit_exceptions =\n")


def hear_many(port):
    """Four at once of a proxy, and what they hear when they name a client."""
    heard = []
    for address in ("[UNAVAILABLE]", "192.0.2.9"):
        many = [Dialogue(port) for _ in range(4)]
        heard += [d.reply()[:3] for d in many]
        heard += [d.ask(f"XCLIENT ADDR={address}")[:9] for d in many]
        for d in many:
            d.close()
    return [h[:3] if h.startswith("220") else h for h in heard]


def test_a_proxy_is_not_counted_but_those_it_names(suite):
    s = suite(main=LIMITED)
    ours = hear_many(s.ports["smtp"])
    assert ours == 2 * (6 * ["220"] + 2 * ["421 4.7.0"])
    port = free_port()
    with postfix_peer.beside(s.root / "postfix", port, LIMITED) as peer:
        if peer is None:
            pytest.skip("no Postfix to compare with, or not root")
        assert hear_many(port) == ours


def test_xforward_names_the_first_client_of_one_message(suite):
    s = suite(main=XFORWARD)
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        d.ask("EHLO a.test")
        assert d.ask("XFORWARD NAME=first.test ADDR=192.0.2.9").startswith(
            "250 2.0.0")
        assert d.ask("XFORWARD IDENT=4AB SOURCE=REMOTE").startswith("250")
        for _ in range(2):
            d.ask("MAIL FROM:<x@y.test>")
            assert d.ask("RCPT TO:<bob@example.test>").startswith("250")
            assert d.ask("DATA").startswith("354")
            assert d.ask("Subject: x\r\n\r\nx\r\n.").startswith("250")
    one, two = s.wait_messages("bob", 2)
    # of a stranger nothing is completed, of our own filter it is
    assert (b"\r\nDate: " in one, b"\r\nDate: " in two) == (False, True)
    assert b"first.test" not in one and b"(localhost [127.0.0.1])" in one
    s.wait_log(r"client=localhost\[127\.0\.0\.1\]$")
    log = s.log()
    assert len(re.findall(r"client=localhost\[127\.0\.0\.1\], "
                          r"orig_queue_id=4AB, orig_client=first\.test"
                          r"\[192\.0\.2\.9\]$", log, re.M)) == 1
    assert len(re.findall(r"client=localhost\[127\.0\.0\.1\]$", log,
                          re.M)) == 1


def test_a_hidden_session(suite):
    s = suite(main="smtpd_hide_client_session = yes\n"
              "smtpd_sasl_authenticated_header = yes\n"
              "smtpd_tls_received_header = yes\n")
    with s.smtp("submission", tls=True, login="alice@example.test") as m:
        s.send_on(m, "alice@example.test", ["bob@example.test"],
                  "Subject: x\r\n\r\nx\r\n")
    (message,) = s.wait_messages("bob")
    (received,) = re.findall(rb"^Received: (?:.*\r\n)(?:[ \t].*\r\n)*",
                             message, re.M)
    assert re.fullmatch(
        rb"Received: by mx\.example\.test \(Posthaste\) id \w+\r\n"
        rb"\tfor <bob@example\.test>; .*\r\n", received)
    # the log tells all the same
    s.wait_log(r"client=localhost\[127\.0\.0\.1\], sasl_method=")
