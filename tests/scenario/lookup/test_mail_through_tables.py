# SPDX-License-Identifier: ISC
"""What tables mean to a client that sends mail, and to the mail."""
import re

import pytest

from posthaste import wait_for


def rcpt(s, *recipients, sender="alice@example.test"):
    """The replies to RCPT, of one session."""
    with s.smtp() as session:
        session.ehlo()
        session.mail(sender)
        return [(code, text.decode()) for code, text in
                (session.rcpt(r) for r in recipients)]


def test_unknown_users_are_told_in_which_table(suite):
    s = suite(main="virtual_alias_domains = alias.test\n"
                   "local_recipient_maps = inline:{root=x}\n"
                   "relay_domains = relay.test\n"
                   "relay_recipient_maps = inline:{a@relay.test=x}\n")
    replies = rcpt(s, "no@example.test", "no@alias.test", "no@local.test",
                   "no@relay.test")
    for (code, text), table in zip(replies, (
            "virtual mailbox", "virtual alias", "local recipient",
            "relay recipient")):
        assert code == 550
        assert text.startswith("5.1.1 <no@")
        assert text.endswith("Recipient address rejected: User unknown in "
                             f"{table} table")


def test_domains_that_hold_aliases_alone(suite):
    s = suite(main="virtual_alias_domains = alias.test\n"
                   "transport_maps = inline:{old@example.test=error:moved}\n")
    s.write("virtual", "x@alias.test bob@example.test\n"
                       "old@example.test bob@example.test\n")
    s.posthaste("reload")
    assert [code for code, _ in rcpt(s, "x@alias.test", "no@alias.test",
                                     "old@example.test")] == [250, 550, 250]
    s.send(to="x@alias.test")
    (message,) = s.wait_messages("bob")
    assert b"X-Original-To: x@alias.test" in message


@pytest.mark.parametrize("route", [
    f"smtp:[{'x' * 600}.test]", f"{'x' * 70}:"], ids=["next hop", "transport"])
def test_one_route_too_long_delays_nobody_else(suite, route):
    """At RCPT, and behind an alias, whose members RCPT does not look at."""
    s = suite(main="local_header_rewrite_clients =\n")
    s.write("routes", f"carol@example.test {route}\n")
    s.write("virtual", "all@example.test bob@example.test, carol@example.test\n")
    s.set(transport_maps=f"texthash:{s.root}/etc/routes")
    s.posthaste("reload")
    replies = rcpt(s, "carol@example.test", "bob@example.test")
    assert [code for code, _ in replies] == [451, 250]
    s.wait_log(r"warning: transport_maps: transport .* for recipient "
               r"carol@example\.test is too long: its mail waits")
    s.send(to="all@example.test")
    s.wait_messages("bob")
    s.wait_log(r"to=<carol@example\.test>.* dsn=4\.3\.5, status=deferred "
               r"\(Server configuration error\)")
    # it goes its way when the row is mended
    s.write("routes", "other@example.test :\n")
    wait_for("the table", lambda: rcpt(s, "carol@example.test")[0][0] == 250)
    s.command("postqueue", "-f")
    s.wait_messages("carol")
    s.wait_empty()
    assert len(s.messages("bob")) == 1


@pytest.mark.parametrize("long", ["e" * 990, "é" * 495], ids=["ascii", "utf-8"])
def test_what_becomes_too_long_is_returned_as_it_was(suite, long):
    """Fits until it gets a domain."""
    s = suite(main="recipient_canonical_maps = "
                   f"inline:{{carol@example.test={long}}}\n"
                   f"myorigin = {'o' * 60}.{'p' * 60}.test\n")
    s.send(to="carol@example.test", sender="alice@example.test")
    (report,) = s.wait_messages("alice")
    assert b"\nFinal-Recipient: rfc822; carol@example.test\r\n" in report
    s.wait_log(r"to=<carol@example\.test>.* dsn=5\.1\.3, status=bounced")
    s.wait_empty()


def test_missing_table_is_451(suite):
    s = suite()
    (s.root / "etc/mailboxes").unlink()
    wait_for("the loss to be seen",
             lambda: rcpt(s, "bob@example.test")[0][0] != 250)
    code, text = rcpt(s, "carol@example.test")[0]
    assert code == 451
    assert text.startswith("4.3.0 <carol@example.test>: ")
    assert text.endswith("Temporary lookup failure")
    s.write("mailboxes", "carol@example.test example.test/carol/\n")
    wait_for("the table", lambda: rcpt(s, "carol@example.test")[0][0] == 250)


def test_new_mailbox_gets_mail_without_a_reload(suite):
    s = suite()
    assert rcpt(s, "dora@example.test")[0][0] == 550
    with open(s.root / "etc/mailboxes", "a") as f:
        f.write("dora@example.test example.test/dora/\n")
    wait_for("the mailbox",
             lambda: rcpt(s, "dora@example.test")[0][0] == 250)
    s.send(to="dora@example.test")
    s.wait_messages("dora")


def test_alias_of_aliases_delivers_once_to_each(suite):
    s = suite()
    s.write("virtual", "all@example.test bob@example.test, some@example.test\n"
                       "some@example.test carol@example.test,"
                       " bob@example.test, all@example.test\n")
    wait_for("the alias", lambda: rcpt(s, "all@example.test")[0][0] == 250)
    s.send(to="all@example.test")
    s.wait_messages("bob")
    s.wait_messages("carol")
    s.wait_empty()
    assert (len(s.messages("bob")), len(s.messages("carol"))) == (1, 1)
    assert b"X-Original-To: all@example.test" in s.messages("carol")[0]


def test_canonical_forms_reach_envelope_and_headers(suite):
    s = suite(main="canonical_maps = inline:{a.user@example.test="
                   "Alice.User@example.test}\n"
                   "local_header_rewrite_clients = permit_mynetworks\n")
    s.send(to="bob@example.test", sender="a.user@example.test")
    text = s.wait_messages("bob")[0].decode()
    assert re.search(r"^Return-Path: <Alice\.User@example\.test>", text, re.M)
    assert re.search(r"^From: Alice\.User@example\.test", text, re.M)


def test_extension_is_kept_through_an_alias(suite):
    s = suite()
    s.write("virtual", "sales@example.test bob@example.test\n")
    wait_for("the alias", lambda: rcpt(s, "sales@example.test")[0][0] == 250)
    s.send(to="sales+x@example.test")
    text = s.wait_messages("bob")[0]
    assert b"Delivered-To: bob+x@example.test" in text


def test_moved_and_closed(suite):
    s = suite(main="relocated_maps = inline:{bob@example.test="
                   "bob@new.example}\n"
                   "transport_maps = inline:{{carol@example.test="
                   "error:5.7.1 No mail here}}\n")
    moved, closed = rcpt(s, "bob@example.test", "carol@example.test")
    assert moved[0] == 550 and "5.1.6" in moved[1]
    assert moved[1].endswith("User has moved to bob@new.example")
    assert closed[0] == 550 and closed[1].startswith("5.7.1 ")
    assert closed[1].endswith("No mail here")


def test_names_without_a_domain(suite):
    s = suite(main="myorigin = example.test\n")
    s.command("sendmail", "-f", "alice", "bob",
              stdin="From: alice\nTo: bob\nSubject: x\n\nbody\n")
    text = s.wait_messages("bob")[0].decode()
    assert re.search(r"^Return-Path: <alice@example\.test>", text, re.M)
    assert re.search(r"^To: bob@example\.test", text, re.M)


MASQUERADE = """\
masquerade_domains = open.example.test !secret.test example.test secret.test
masquerade_exceptions = root inline:{mailer=x}
canonical_maps = inline:{ann@host.example.test=ann.b@host.example.test}
"""


@pytest.mark.parametrize("sender, shown", [
    ("ann@host.example.test", "ann.b@example.test"),  # behind canonical_maps
    ("x@deep.host.example.test", "x@example.test"),
    ("x@example.test", "x@example.test"),
    ("x@notexample.test", "x@notexample.test"),
    ("x@open.example.test", "x@open.example.test"),
    ("x@a.open.example.test", "x@open.example.test"),
    ("x@host.secret.test", "x@host.secret.test"),
    ("root@host.example.test", "root@host.example.test"),
    ("mailer@host.example.test", "mailer@host.example.test"),
])
def test_hosts_behind_a_domain_are_not_shown(suite, sender, shown):
    """masquerade_domains: in the envelope and the header, not for whom."""
    s = suite(main=MASQUERADE)
    with s.smtp() as session:
        s.send_on(session, sender, ["bob@example.test"],
                  f"From: {sender}\r\nTo: X <y@h.example.test>\r\n"
                  f"X-Not: {sender}\r\nMessage-Id: <i@x>\r\nDate: d\r\n"
                  f"\r\n{sender}\r\n")
    message = s.wait_messages("bob")[0].decode()
    assert message.startswith(f"Return-Path: <{shown}>\r\n")
    assert f"\r\nFrom: {shown}\r\n" in message
    assert "\r\nTo: X <y@example.test>\r\n" in message
    assert f"\r\nX-Not: {sender}\r\n" in message
    assert message.endswith(f"\r\n\r\n{sender}\r\n")


@pytest.mark.parametrize("classes, delivered", [
    ("envelope_sender", "to=<bob@h.example.test>, relay=local"),
    ("envelope_recipient, envelope_sender", "to=<bob@example.test>, "
     "orig_to=<bob@h.example.test>, relay=virtual"),
])
def test_recipients_are_masqueraded_where_asked_for(suite, classes, delivered):
    s = suite(main="masquerade_domains = example.test\n"
              f"masquerade_classes = {classes}\n"
              "mydestination = local.test, h.example.test\n"
              "local_recipient_maps =\n")
    queue_id = s.send(to="bob@h.example.test", sender="x@h.example.test")
    s.wait_log(f"{queue_id}: from=<x@example.test>")
    s.wait_log(f"{queue_id}: {re.escape(delivered)}")


def test_exceptions_that_cannot_be_read_are_try_again(suite):
    s = suite(main="masquerade_domains = example.test\n"
              "masquerade_exceptions = fail:broken\n")
    with s.smtp() as session:
        session.helo()
        session.mail("x@host.example.test")
        session.rcpt("bob@example.test")
        assert session.data("Subject: x\r\n\r\nx\r\n")[0] == 451
    wait_for("an empty queue", lambda: s.queue() == [])
    assert s.messages("bob") == []
