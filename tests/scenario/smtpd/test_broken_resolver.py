# SPDX-License-Identifier: ISC
"""A name server that is not there: nobody is told that a name does not exist,
and mail comes in where the site's policy asks for no names."""
import pytest

RULES = {
    "reject_unknown_sender_domain": "<a@elsewhere.test>: Sender address",
    "reject_unknown_helo_hostname": "<h.elsewhere.test>: Helo command",
}


def hear(s, sender="a@elsewhere.test"):
    with s.smtp() as m:
        m.ehlo("h.elsewhere.test")
        assert m.mail(sender)[0] == 250
        code, text = m.rcpt("bob@example.test")
    return f"{code} {text.decode()}"


def test_mail_comes_in(suite):
    s = suite()  # its dns_servers answer nobody
    s.send(sender="a@elsewhere.test")
    s.wait_messages("bob")


@pytest.mark.parametrize("rule", RULES)
def test_nobody_is_said_not_to_exist(suite, rule):
    s = suite(main=f"smtpd_recipient_restrictions = {rule}, "
                   "reject_unauth_destination\nmynetworks =\n")
    assert hear(s) == (f"450 4.4.3 {RULES[rule]} rejected: Name service "
                       "error, try again later")


def test_outbound_mail_waits(suite):
    s = suite()
    s.command("sendmail", "-f", "bob@example.test", "x@elsewhere.test",
              stdin="Subject: x\n\nx\n")
    s.wait_log("to=<x@elsewhere.test>.*dsn=4.4.3, status=deferred .*Name "
               "service error for name=elsewhere.test")
