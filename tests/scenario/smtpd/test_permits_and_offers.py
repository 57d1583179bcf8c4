# SPDX-License-Identifier: ISC
"""What single clients are offered, what is logged of what passes, and what
comes of DNS that does not answer."""
import re

import pytest

import postfix_peer
from peers import Dialogue, FakeDNS
from posthaste import free_port, wait_for


def hello(s, port="smtp"):
    with Dialogue(s.ports[port]) as d:
        d.reply()
        return d.ask("EHLO a.test")


def test_mechanisms_that_the_filter_leaves(suite):
    s = suite(main="smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = no\n"
              "smtpd_sasl_mechanism_filter = !login, "
              "inline:{scram-sha-1=x}, !/etc/hostname, plain\n")
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        offered = re.search(r"AUTH (.*)", d.ask("EHLO a.test")).group(1)
        assert set(offered.split()) - {"SCRAM-SHA-1"} == {"PLAIN"}
        assert d.ask("AUTH LOGIN").startswith("535 5.7.8")
    s.set(smtpd_sasl_mechanism_filter="!plain, static:rest")
    s.posthaste("reload")
    offered = re.search(r"AUTH (.*)", hello(s)).group(1).split()
    assert "LOGIN" in offered and "PLAIN" not in offered
    s.set(smtpd_sasl_mechanism_filter="")
    s.posthaste("reload")
    assert "AUTH" not in hello(s)


def test_keywords_that_one_client_is_not_told(suite):
    s = suite(main="smtpd_discard_ehlo_keywords = vrfy\n"
              "smtpd_authorized_xclient_hosts = 127.0.0.1, 192.0.2.9\n"
              "smtpd_discard_ehlo_keyword_address_maps = inline:{"
              "{127.0.0.1=chunking, dsn, nonsense} {192.0.2.9=silent-discard}}"
              "\n")
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        text = d.ask("EHLO a.test")
        assert "CHUNKING" not in text and "DSN" not in text
        assert "VRFY" in text
        assert d.ask("MAIL FROM:<a@b.test> RET=FULL").startswith("555")
        assert d.ask("XCLIENT ADDR=192.0.2.9").startswith("220")
        text = d.ask("EHLO a.test")
        assert "CHUNKING" in text and "DSN" in text and "VRFY" in text
        assert d.ask("XCLIENT ADDR=192.0.2.10").startswith("220")
        assert "VRFY" not in d.ask("EHLO a.test")
    s.wait_log("discarding EHLO keywords: chunking, dsn")
    s.wait_log("smtpd_discard_ehlo_keyword_address_maps: unknown keyword: "
               "nonsense")


def test_a_table_that_cannot_be_asked(suite):
    s = suite(main="smtpd_discard_ehlo_keyword_address_maps = "
              "socketmap:unix:/nowhere:x\n")
    assert hello(s).startswith("450 4.3.0")


PERMITS = ("smtpd_log_access_permit_actions = !permit_mynetworks, static:all\n"
           "smtpd_delay_reject = yes\n"
           "smtpd_client_restrictions = permit_mynetworks\n"
           "smtpd_helo_restrictions = check_helo_access "
           "inline:{{a.test=OK}}\n"
           "smtpd_sender_restrictions = check_sender_access "
           "inline:{{a@b.test=dunno} {b.test=1}}, permit\n"
           "smtpd_relay_restrictions = permit_auth_destination, reject\n"
           "smtpd_recipient_restrictions = permit_inet_interfaces\n"
           "smtpd_peername_lookup = no\n")
LINE = re.compile(r"smtpd\[\d+\]: (NOQUEUE: permit: .*)", re.M)


def permits(port):
    with Dialogue(port) as d:
        d.reply()
        d.ask("EHLO a.test")
        for sender in ("a@b.test", "c@b.test"):
            d.ask(f"MAIL FROM:<{sender}>")
            assert d.ask("RCPT TO:<bob@example.test>").startswith("250")
            d.ask("RSET")
        d.ask("QUIT")
        d.line()


def test_what_passes_is_logged(suite):
    s = suite(main=PERMITS)
    permits(s.ports["smtp"])
    s.wait_log("disconnect from")
    ours = LINE.findall(s.log())
    assert len([x for x in ours if "action=permit for Sender address" in x]) == 1
    assert not any("permit_mynetworks" in line for line in ours)
    port = free_port()
    with postfix_peer.beside(
            s.root / "postfix", port, PERMITS + "mynetworks = 127.0.0.0/8\n"
            "mydestination = example.test\nlocal_recipient_maps =\n") as peer:
        if peer is None:
            pytest.skip("no Postfix to compare with, or not root")
        permits(port)
        wait_for("Postfix's log", lambda: "disconnect from" in peer.log())
        # which puts a blank where it names no table
        theirs = LINE.findall(peer.log().replace(" ;", ";"))
    assert ours == theirs


def test_dns_that_does_not_answer(suite):
    with FakeDNS() as dns:
        dns.records["later.test", "MX"] = "SERVFAIL"
        dns.records["later.test", "A"] = "SERVFAIL"
        main = ("smtpd_sender_restrictions = reject_unknown_sender_domain\n"
                "smtpd_helo_restrictions = reject_unknown_helo_hostname\n"
                "smtpd_recipient_restrictions = reject\nmynetworks =\n")
        s = suite(dns=dns, main=main)

        def ask(helo, sender):
            with Dialogue(s.ports["smtp"]) as d:
                d.reply()
                d.ask(f"EHLO {helo}")
                d.ask(f"MAIL FROM:<{sender}>")
                return d.ask("RCPT TO:<bob@example.test>")

        literal = "[127.0.0.1]"
        # what refuses in any case goes before
        assert ask(literal, "a@later.test").startswith("554")
        assert ask("later.test", "").startswith("554")
        s.set(unknown_address_tempfail_action="defer")
        s.posthaste("reload")
        assert ask(literal, "a@later.test").startswith("450 4.4.3")
        assert ask("later.test", "").startswith("554")
        s.set(unknown_address_tempfail_action="defer_if_permit",
              reject_tempfail_action="defer")
        s.posthaste("reload")
        assert ask(literal, "a@later.test").startswith("554")
        assert ask("later.test", "").startswith("450 4.4.3")
