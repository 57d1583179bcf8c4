# SPDX-License-Identifier: ISC
"""local_header_rewrite_clients and remote_header_rewrite_domain: whose headers
are completed, and with what; and what Postfix does with the same."""
import re

import pytest

import postfix_peer
from peers import Dialogue, FakeServer
from posthaste import free_port
from wire_servers import Tcp

# whom single services take for our own people
SERVICES = ["", "permit_mynetworks", "static:all", "inline:{192.0.2.9=x}",
            "permit_sasl_authenticated",
            "check_address_map inline:{127.0.0.1=x}"]
CLIENTS = ["127.0.0.1", "192.0.2.9", "198.51.100.7"]
MAIN = """\
smtpd_peername_lookup = no
smtpd_authorized_xclient_hosts = 127.0.0.1
mynetworks = 198.51.100.0/24
myorigin = origin.test
append_dot_mydomain = no
canonical_maps = inline:{{{{a@domain.invalid=mapped@remote.test}} {{b@origin.test=mapped@origin.test}} {{c@from.test=mapped@from.test}}}}
default_transport = smtp:[127.0.0.1]:{sink}
smtpd_relay_restrictions = permit
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, permit
relay_domains = out.test
relay_transport = smtp:[127.0.0.1]:{sink}
relay_recipient_maps =
remote_header_rewrite_domain = {domain}
{default}
"""
HEADER = ("Subject: {}\r\nTo: a, b, x@host\r\nCc: \"A B\" <c@from.test>, "
          "b (comment)\r\n\r\nx\r\n")


def services(ports, whose=SERVICES, more=""):
    return "".join(
        f"127.0.0.1:{port} inet n - n - - smtpd\n"
        f"  -o {{ local_header_rewrite_clients = {clients} }}\n" + more
        for port, clients in zip(ports, whose))


def send(ports):
    for i, port in enumerate(ports):
        for client in CLIENTS:
            with Dialogue(port) as d:
                d.reply()
                assert d.ask(f"XCLIENT ADDR={client}").startswith("220")
                d.ask("EHLO a.test")
                assert d.ask("MAIL FROM:<c@from.test>").startswith("250")
                assert d.ask("RCPT TO:<x@out.test>").startswith("250")
                assert d.ask("DATA").startswith("354")
                assert d.ask(HEADER.format(f"{i} {client}") + ".").startswith(
                    "250")


def arrived(sink):
    """Headers by message, without what is a name or a time."""
    out = {}
    for _, _, content in sink.wait(len(SERVICES) * len(CLIENTS)):
        text = re.sub(r"\A(Received: .*\r\n([ \t].*\r\n)*)+", "",
                      content.decode())
        text = re.sub(r"(?m)^(Message-Id|Date): [^\r]*", r"\1", text)
        key = re.search("Subject: (.*)\r", text).group(1)
        out[key] = sorted(text.partition("\r\n\r\n")[0].split("\r\n"))
    return out


@pytest.mark.parametrize("domain", ["", "domain.invalid"])
def test_as_postfix_has_it(suite, domain):
    with FakeServer() as mine, FakeServer() as other:
        ports = [free_port() for _ in SERVICES]
        s = suite(main=MAIN.format(sink=mine.port, domain=domain, default=""),
                  master=services(ports))
        send(ports)
        ours = arrived(mine)
        assert "From: mapped@from.test" in ours["1 198.51.100.7"]
        assert (domain != "") == any(l.startswith("From")
                                     for l in ours["1 192.0.2.9"])
        here = [free_port() for _ in SERVICES]
        with postfix_peer.beside(
                s.root / "postfix", free_port(),
                MAIN.format(sink=other.port, domain=domain,
                            default="mydestination ="),
                services(here)) as peer:
            if peer is None:
                pytest.skip("no Postfix to compare with, or not root")
            send(here)
            theirs = arrived(other)
    different = {k: (ours[k], theirs[k]) for k in ours if ours[k] != theirs[k]}
    assert not different, "\n".join(map(str, different.items()))


# A table that is down makes mail wait, where it has to be asked.
DOWN = {"check_address_map fail:x": ("451", "451"),
        "fail:x static:all": ("451", "451"),
        "static:all, fail:x": ("250", "250"),
        "permit_mynetworks": ("451", "451"),
        "permit_sasl_authenticated, static:all": ("250", "250")}


def begin_mail(ports):
    out = []
    for port in ports:
        for client in ("127.0.0.1", "192.0.2.9"):
            with Dialogue(port) as d:
                d.reply()
                assert d.ask(f"XCLIENT ADDR={client}").startswith("220")
                d.ask("EHLO a.test")
                out.append(d.ask("MAIL FROM:<c@from.test>"))
    return out


def test_a_table_that_is_down_makes_it_wait(suite):
    main = ("smtpd_peername_lookup = no\nnotify_classes =\n"
            "smtpd_authorized_xclient_hosts = 127.0.0.1\n"
            "smtpd_client_event_limit_exceptions = 127.0.0.1\n")
    more = "  -o mynetworks=fail:y\n"
    ports = [free_port() for _ in DOWN]
    s = suite(main=main, master=services(ports, DOWN, more))
    ours = begin_mail(ports)
    assert [a[:3] for a in ours] == [c for two in DOWN.values() for c in two]
    s.wait_log(r"smtpd.*NOQUEUE: reject: MAIL from unknown\[192.0.2.9\]: 451 "
               r"4.3.0 Temporary lookup error; proto=ESMTP helo=<a.test>")
    here = [free_port() for _ in DOWN]
    with postfix_peer.beside(s.root / "postfix", free_port(), main,
                             services(here, DOWN, more)) as peer:
        if peer is None:
            pytest.skip("no Postfix to compare with, or not root")
        assert begin_mail(here) == ours


def test_it_is_asked_at_mail_and_not_with_the_content(suite):
    """Not while something is held for the message."""
    table = Tcp(lambda key: b"200 x\n")
    s = suite(main=f"local_header_rewrite_clients = {table.spec()}\n"
              "myorigin = origin.test\nappend_dot_mydomain = no\n")
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        d.ask("EHLO a.test")
        assert d.ask("MAIL FROM:<c@from.test>").startswith("250")
        table.close()
        assert d.ask("RCPT TO:<bob@example.test>").startswith("250")
        d.ask("DATA")
        assert d.ask("To: a\r\n\r\nx\r\n.").startswith("250")
    assert "To: a@origin.test" in str(s.wait_messages("bob")[0])
    assert table.asked == ["127.0.0.1"]


def test_words_that_are_none(suite):
    s = suite(start=False, main="local_header_rewrite_clients = "
              "permit_mynetworks, permit_tls_clientcerts\n")
    done = s.posthaste("check", check=False)
    assert done.returncode != 0
    assert re.search(r"main\.cf: line \d+: local_header_rewrite_clients: "
                     r'"permit_tls_clientcerts" is not known here', done.err)
