# SPDX-License-Identifier: ISC
"""smtpd_command_filter: other commands than the client has sent."""
from peers import Dialogue


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
