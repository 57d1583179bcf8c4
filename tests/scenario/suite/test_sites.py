# SPDX-License-Identifier: ISC
"""Configurations of the kinds that sites have, started, and mail sent through
them: what their owners expect of them happens."""
from peers import FakeServer
from posthaste import free_port


def rcpt(s, to, sender="a@elsewhere.test"):
    with s.smtp() as m:
        m.helo("x.test")
        assert m.mail(sender)[0] == 250
        code, text = m.rcpt(to)
    return f"{code} {text.decode()}"


def test_null_client(suite):
    """All mail of a machine goes to the provider, with a password."""
    with FakeServer(extensions=("AUTH PLAIN LOGIN",),
                    replies={"AUTH": "235 2.7.0 Ok"}) as provider:
        s = suite(main=(
            f"relayhost = [127.0.0.1]:{provider.port}\nmydestination =\n"
            "virtual_mailbox_domains =\nvirtual_alias_maps =\n"
            "local_transport = error:5.1.1 no mailboxes here\n"
            "smtp_sasl_auth_enable = yes\nsmtp_sasl_security_options =\n"
            "myorigin = example.test\nsmtp_tls_security_level = none\n"
            f"smtp_sasl_password_maps = inline:{{[127.0.0.1]:{provider.port}="
            "me:secret}\n"))
        s.command("sendmail", "-f", "root", "admin@elsewhere.test",
                  stdin="Subject: disk\n\nfull\n")
        (message,) = provider.wait()
        s.wait_log("to=<admin@elsewhere.test>.*status=sent")
        s.command("sendmail", "root", stdin="Subject: cron\n\nx\n")
        s.wait_log("to=<root@example.test>.*status=sent")


def test_backup_mx(suite):
    """Takes mail for those that the primary has, while it is away."""
    port = free_port()
    s = suite(main=(
        "relay_domains = primary.test\nmydestination =\n"
        "relay_recipient_maps = inline:{who@primary.test=x}\n"
        "transport_maps = inline:{{primary.test=relay:[127.0.0.1]:"
        f"{port}}}}}\nmynetworks = 192.0.2.1\n"
        "smtpd_recipient_restrictions = reject_unauth_destination\n"
        "smtp_tls_security_level = none\n"))
    assert rcpt(s, "who@primary.test").startswith("250")
    assert rcpt(s, "none@primary.test").startswith(
        "550 5.1.1 <none@primary.test>: Recipient address rejected: User "
        "unknown in relay recipient table")
    assert "Relay access denied" in rcpt(s, "x@elsewhere.test")
    s.send(to="who@primary.test")
    s.wait_log("to=<who@primary.test>.*status=deferred .*refused")
    with FakeServer(port=port) as primary:
        s.command("postqueue", "-f")
        primary.wait()
    s.wait_log("to=<who@primary.test>.*status=sent")


def test_lists_with_owners(suite):
    """owner- aliases take what comes back."""
    with FakeServer() as there:
        s = suite(start=False, main=(
            "mydestination = lists.test\nlocal_recipient_maps = $alias_maps\n"
            f"relayhost = [127.0.0.1]:{there.port}\n"
            "smtp_tls_security_level = none\n"))
        s.write("aliases", "news: one@elsewhere.test, two@elsewhere.test\n"
                           "owner-news: bob@example.test\n")
        s.set(alias_maps=f"hash:{s.root}/etc/aliases")
        s.command("postalias", f"hash:{s.root}/etc/aliases")
        s.start()
        s.send(to="news@lists.test", sender="writer@elsewhere.test")
        ((sender, readers, _),) = there.wait()
        assert sender.startswith(
            "MAIL FROM:<owner-news@mx.example.test>")  # myorigin, as Postfix
        assert len(readers) == 2
        assert rcpt(s, "nobody@lists.test").startswith("550 5.1.1")
        s.send(to="owner-news@lists.test", sender="")
        s.wait_messages("bob")
