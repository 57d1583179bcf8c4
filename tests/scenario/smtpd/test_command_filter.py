# SPDX-License-Identifier: ISC
"""smtpd_command_filter: other commands than the client has sent; beside
Postfix."""
import base64

import pytest

import postfix_peer
from peers import Dialogue
from posthaste import free_port


def test_commands_are_replaced(suite):
    s = suite(start=False)
    s.write("filter", r"/^HELO (\S+) .*$/ HELO $1" "\n/^PING$/ NOOP\n"
            r"/^(MAIL FROM:)\s*(\S+)$/ $1<$2>" "\n")
    s.set(smtpd_command_filter=f"regexp:{s.root}/etc/filter",
          strict_rfc821_envelopes="yes")
    s.start()
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        assert d.ask("HELO a.test and more").startswith("250")
        assert d.ask("PING").startswith("250")
        assert d.ask("PONG").startswith("500")
        assert d.ask("MAIL FROM: a@b.test").startswith("250 2.1.0")
    s.wait_log(r'smtpd_command_filter: "NOOP" for "PING"')


def test_a_table_that_is_down_ends_the_session(suite):
    s = suite(main="smtpd_command_filter = socketmap:unix:/nowhere:x\n")
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        assert d.ask("HELO a.test").startswith("421 4.3.0")
        assert d.line() == b""


LONG = "LONG" + "x" * 1500
ASKED = ["  PING", "\tPING", "PING  ", "PING x", LONG, "y" * 2000,
         "  HELO a.test more", "VRFY " + "v" * 1900]


def hear(port):
    with Dialogue(port) as d:
        d.reply()
        return [d.ask(line) for line in ASKED]


def test_blanks_and_long_lines(suite):
    s = suite(start=False)
    s.write("filter", "/^PING$/ NOOP\n/^LONG/ NOOP\n"
            r"/^HELO (\S+) .*$/ HELO $1" "\n")
    main = (f"smtpd_command_filter = regexp:{s.root}/etc/filter\n"
            "smtpd_peername_lookup = no\ndisable_vrfy_command = yes\n")
    s.write("main.cf", (s.root / "etc/main.cf").read_text() + main)
    s.start()
    ours = hear(s.ports["smtp"])
    assert [a[:3] for a in ours] == ["250", "250", "500", "500", "250", "500",
                                     "250", "502"]
    port = free_port()
    with postfix_peer.beside(s.root / "postfix", port, main) as peer:
        if peer is None:
            pytest.skip("no Postfix to compare with, or not root")
        theirs = [a.replace("host.ex", "mx.ex") for a in hear(port)]
    assert theirs == ours


@pytest.mark.parametrize("more", [0, 9000], ids=["short", "long"])
def test_passwords_are_not_logged(suite, more):
    s = suite(start=False)
    s.write("filter", r"/^(AUTH|LOGON) (.*)$/ AUTH $2" "\n")
    s.set(smtpd_command_filter=f"regexp:{s.root}/etc/filter",
          smtpd_sasl_auth_enable="yes", smtpd_tls_auth_only="no",
          smtpd_sasl_security_options="noanonymous")
    s.start()
    secret = base64.b64encode(b"\0alice\0" + b"x" * (20 + more)).decode()
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        d.ask("EHLO a.test")
        assert d.ask(f"AUTH PLAIN {secret}").startswith("535")
        if not more:
            assert d.ask(f"LOGON PLAIN {secret}").startswith("535")
        assert d.ask("NOOP").startswith("250")
    if not more:
        s.wait_log('smtpd_command_filter: "AUTH" for "LOGON"')
    assert secret[:20] not in s.log()
