# SPDX-License-Identifier: ISC
"""Who meets a limit hears the right code, and the log says which setting it
was; those of the dialogue itself are in smtpd/test_limits.py and pop3d."""
import pwd
import re

import pytest

from peers import Dialogue
from posthaste import owner_ids

HEADER = "From: alice@example.test\r\n"


def data(s, text, to="bob@example.test", sender="alice@example.test"):
    """The reply to a message."""
    with s.smtp() as session:
        session.ehlo()
        session.mail(sender)
        code, reply = session.rcpt(to)
        if code != 250:
            return code, reply.decode()
        code, reply = session.data(text)
        return code, reply.decode()


def test_hops(suite):
    s = suite(main="hopcount_limit = 5\n")
    hop = "Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n"
    # our own Received header is one more
    assert data(s, hop * 3 + HEADER + "\r\nx\r\n")[0] == 250
    code, reply = data(s, hop * 5 + HEADER + "\r\nx\r\n")
    assert (code, reply[:5]) == (554, "5.4.0")
    assert "too many hops" in reply
    s.wait_log(r"cleanup\[\d+\]: warning: \w+: too many Received: headers "
               r"\(hopcount_limit\)")


def test_header_length_cuts_and_says_so(suite):
    s = suite(main="header_size_limit = 1000\n")
    code, _ = data(s, HEADER + "X-Long: " + "y" * 990 + "\r\n " + "z" * 500 +
                   "\r\nX-Other: kept\r\n\r\nx\r\n")
    assert code == 250
    mail, = s.wait_messages("bob")
    assert b"y" * 980 in mail and b"zz" not in mail
    assert b"X-Other: kept\r\n" in mail
    s.wait_log(r"a header is longer than header_size_limit \(1000\)")


def test_recipients_in_headers(suite):
    s = suite(main="extract_recipient_limit = 3\n")
    to = ", ".join(f"u{i}@example.test" for i in range(4))
    s.command("sendmail", "-t", "-f", "alice@example.test",
              stdin=f"To: {to}\nSubject: x\n\nx\n", check=False)
    s.wait_log(r"too many recipients in message headers "
               r"\(extract_recipient_limit\)")
    # the sender has it back
    back, = s.wait_messages("alice")
    assert b"too many recipients" in back


@pytest.mark.parametrize("setting, table", [
    ("virtual_alias_expansion_limit = 3",
     "a@example.test b@x.test, c@x.test, d@x.test, e@x.test\n"),
    ("virtual_alias_recursion_limit = 3",
     "a@example.test b@example.test\nb@example.test c@example.test\n"
     "c@example.test d@example.test\nd@example.test bob@example.test\n"),
    ("virtual_alias_address_length_limit = 100",
     f"a@example.test {'b' * 120}@example.test\n"),
], ids=lambda v: v.split(" ")[0])
def test_aliases(suite, setting, table):
    s = suite(start=False, main=setting + "\n")
    s.write("virtual", table)
    s.start()
    code, reply = data(s, HEADER + "\r\nx\r\n", to="a@example.test")
    assert code // 100 == 4 and "Alias expansion error" in reply, reply
    name = setting.split(" ")[0]
    s.wait_log(rf"unreasonable virtual_alias_maps .* \({name}\)")


def test_virtual_mailbox(suite):
    s = suite(main="message_size_limit = 200000\n"
              "virtual_mailbox_limit = 200000\n")
    # what delivery adds is too much
    q = s.send(sender="", body="y" * 40 + "\r\n" +
               ("x" * 70 + "\r\n") * 2772)
    s.wait_log(rf"{q}: the mailbox would be larger than virtual_mailbox_limit")
    s.wait_log(rf"{q}: to=<bob@example.test>, .*dsn=5.2.2, status=bounced")


@pytest.mark.parametrize("setting, script, answer", [
    ("smtpd_client_auth_rate_limit",
     ["AUTH LOGIN", "*", "AUTH LOGIN", "*", "AUTH LOGIN"], "450 4.7.1"),
])
def test_authentication_rate(suite, setting, script, answer):
    s = suite(main="mynetworks = 192.0.2.1\nsmtpd_tls_auth_only = no\n"
              f"smtpd_sasl_auth_enable = yes\n{setting} = 2\n")
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        d.ask("EHLO client.test")
        replies = [d.ask(line) for line in script]
        assert replies[0].startswith("334") and replies[2].startswith("334")
        assert replies[-1].startswith(answer), replies
    s.wait_log(rf"limit exceeded: .*\({setting}\)")


def test_tls_session_rate(suite):
    setting = "smtpd_client_new_tls_session_rate_limit"
    s = suite(main=f"mynetworks = 192.0.2.1\n{setting} = 2\n")
    for _ in range(2):
        s.smtp(tls=True).quit()
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        d.ask("EHLO client.test")
        answer = d.ask("STARTTLS")
        assert answer == ("454 4.7.0 Error: too many new TLS sessions from "
                          "127.0.0.1")
        # and goes on in clear
        assert d.ask("NOOP").startswith("250")
    s.wait_log(rf"limit exceeded: .*\({setting}\)")


def test_messages_of_sendmail(suite):
    s = suite(main="message_size_limit = 20000\n")
    done = s.command("sendmail", "bob@example.test",
                     stdin="Subject: x\n\n" + "y" * 70 + "\n" * 30000,
                     check=False)
    assert done.returncode == 69
    assert re.search("message_size_limit|message file too big", done.err), \
        done.err


def test_mailbox_of_a_system_user(suite):
    user = pwd.getpwuid(owner_ids()[0]).pw_name
    s = suite(start=False, main="local_recipient_maps =\n"
              "mailbox_size_limit = 20000\nmessage_size_limit = 19000\n")
    spool = s.root / "var-mail"
    spool.mkdir()
    spool.chmod(0o1777)
    s.set(mail_spool_directory=spool)
    s.start()
    s.send(to=f"{user}@local.test", sender="", body="x\r\n" * 4000)
    s.wait_log("status=sent")
    s.send(to=f"{user}@local.test", sender="", body="y\r\n" * 6000)
    s.wait_log(r"\w+: the mailbox would be larger than mailbox_size_limit")
    s.wait_log("dsn=5.2.2, status=bounced")
