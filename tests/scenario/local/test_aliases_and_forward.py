# SPDX-License-Identifier: ISC
"""Aliases, include files and ~/.forward."""
import os
import re

import pytest

from posthaste import wait_for


def test_alias_to_several_addresses(local, outcome):
    s = local(aliases="team: alice@example.test, bob@example.test,\n"
                      "  carol@example.test, bob@example.test\n")
    s.send(to="team@local.test", sender="sender@example.test")
    for user in ("alice", "bob", "carol"):
        text, = s.wait_messages(user)
        assert b"X-Original-To: team@local.test\r\n" in text
        assert b"Delivered-To: team@local.test\r\n" in text
        assert text.startswith(b"Return-Path: <sender@example.test>\r\n")
    o = outcome(s, "team@local.test")
    assert o.status == "sent" and re.match(r"forwarded as \w+$", o.text)
    s.wait_empty()
    assert len(s.messages("bob")) == 1


def test_alias_of_alias_and_extension(local):
    s = local(aliases="one: two\ntwo: bob@example.test\n"
                      "two+x: carol@example.test\n")
    s.send(to="one@local.test")
    s.wait_messages("bob")
    s.send(to="two+x@local.test")
    s.wait_messages("carol")
    s.send(to="two+other@local.test")
    s.wait_messages("bob", 2)


def test_alias_that_names_itself_is_the_mailbox(local, outcome):
    s = local(aliases="{user}: {user}, bob@example.test\n")
    s.send(to=f"{s.user}@local.test")
    s.wait_messages("bob")
    assert outcome(s, f"{s.user}@local.test").status == "sent"
    assert "Subject: test\n" in s.spool_file.read_text()


def test_owner_of_a_list_is_the_sender(local):
    s = local(aliases="list: bob@example.test\n"
                      "owner-list: alice@example.test\n")
    s.send(to="list@local.test")
    text, = s.wait_messages("bob")
    assert text.startswith(b"Return-Path: <owner-list@local.test>\r\n")
    s.send(to="list@local.test", sender="")
    # as Postfix: a report to the list comes from its owner, too
    assert s.wait_messages("bob", 2)[1].startswith(
        b"Return-Path: <owner-list@local.test>\r\n")


def test_include_file(local, outcome):
    s = local(aliases="list: :include:{root}/etc/members\n")
    s.write("members", "# members\nbob@example.test\n"
            "Carol Jones <carol@example.test>\n")
    s.send(to="list@local.test")
    s.wait_messages("bob")
    s.wait_messages("carol")


def test_include_file_that_is_missing_waits(local, outcome):
    s = local(aliases="list: :include:{root}/etc/members\n")
    s.send(to="list@local.test")
    o = outcome(s, "list@local.test")
    assert o.status == "deferred" and "include file" in o.text


def test_commands_in_include_files_are_restricted(local, outcome):
    s = local(aliases="list: :include:{root}/etc/members\n")
    s.write("members", f"|touch {s.home}/ran\n")
    s.send(to="list@local.test", sender="")
    o = outcome(s, "list@local.test")
    assert (o.dsn, o.status) == ("5.7.1", "bounced")
    assert not (s.home / "ran").exists()


@pytest.mark.parametrize("length", [1, 2, 10, 100])
def test_cycles_of_includes_and_aliases_end(local, outcome, length):
    names = [f"c{i}" for i in range(length)]
    s = local(aliases="inc: :include:{root}/etc/i0\n" + "".join(
        f"{n}: {names[(i + 1) % length]}\n" for i, n in enumerate(names)))
    for i in range(length):
        s.write(f"i{i}", f":include:{s.root}/etc/i{(i + 1) % length}\n")
    s.send(to="inc@local.test", sender="")
    o = outcome(s, "inc@local.test")
    assert (o.dsn, o.status) == ("5.4.6", "bounced")
    s.send(to="c0@local.test", sender="")
    assert outcome(s, "c0@local.test").status == "bounced"


def test_alias_to_file_and_maildir(local, outcome):
    s = local(aliases="file: {root}/home/box\ndir: {root}/home/dir/\n"
                      "null: /dev/null\n", start=False)
    os.chmod(s.home, 0o777)
    s.start()
    s.send(to="file@local.test")
    assert outcome(s, "file@local.test").text == \
        f"delivered to file: {s.home}/box"
    assert "\nDelivered-To: file@local.test\n" in \
        (s.home / "box").read_text()
    s.send(to="dir@local.test")
    assert outcome(s, "dir@local.test").status == "sent"
    assert len(list((s.home / "dir/new").iterdir())) == 1
    s.send(to="null@local.test")
    assert outcome(s, "null@local.test").status == "sent"


def test_loop_between_two_aliases_of_two_names_ends(local, outcome):
    """Each goes through the queue again: Delivered-To ends it."""
    s = local(aliases="ping: pong@local.test, bob@example.test\n"
                      "pong: ping@local.test, carol@example.test\n")
    s.send(to="ping@local.test", sender="")
    s.wait_messages("bob")
    s.wait_messages("carol")
    s.wait_log(r"dsn=5.4.6, status=bounced \(mail forwarding loop for "
               r"p.ng@local.test\)")
    s.wait_empty()


def test_forward_file(local, outcome):
    s = local()
    s.own(".forward", f"# copies\n\\{s.user}, bob@example.test\n"
          f'"|cat >{s.home}/command"\n{s.home}/file\n')
    s.send(to=f"{s.user}@local.test")
    s.wait_messages("bob")
    assert outcome(s, f"{s.user}@local.test").status == "sent"
    for path in (s.spool_file, s.home / "command", s.home / "file"):
        assert "Subject: test\n" in path.read_text()


@pytest.mark.parametrize("forward, mailboxes", [
    ("\\{user}, |{root}/fail, bob@example.test", 1),
    ("|{root}/fail, \\{user}, bob@example.test", 0)])
def test_soft_bounce_repeats_no_part_of_a_forward_file(local, outcome, forward,
                                                       mailboxes):
    """What somebody has is not sent again and again: it comes to an end."""
    s = local(soft_bounce="yes", minimal_backoff_time="1s",
              queue_run_delay="1s")
    (s.root / "fail").write_text("#!/bin/sh\ncat >/dev/null\nexit 67\n")
    (s.root / "fail").chmod(0o755)
    s.own(".forward", forward.format(user=s.user, root=s.root) + "\n")
    s.send(to=f"{s.user}@local.test", sender="alice@example.test")
    result = outcome(s, f"{s.user}@local.test")
    assert result.dsn == "5.1.1"
    if mailboxes == 0:
        assert result.status == "SOFTBOUNCE"
        wait_for("what is tried again", lambda: len(s.queue("deferred")) == 1)
        assert not s.spool_file.exists() and s.messages("bob") == []
        return
    assert result.status == "bounced"
    s.wait_messages("bob")
    s.wait_messages("alice")
    s.wait_empty()
    assert s.spool_file.read_bytes().count(b"\nDelivered-To:") == 1


def test_forward_file_of_an_extension(local):
    s = local()
    s.own(".forward", "bob@example.test\n")
    s.own(".forward+x", "carol@example.test\n")
    s.send(to=f"{s.user}+x@local.test")
    s.wait_messages("carol")
    s.send(to=f"{s.user}+y@local.test")
    s.wait_messages("bob")


def test_forward_expansion_is_filtered(local, outcome):
    s = local()
    (s.home / "sub").mkdir()
    os.chown(s.home / "sub", s.uid, s.gid)
    s.own("evil", "bob@example.test\n")
    s.send(to=f"{s.user}+/../evil@local.test", sender="")
    s.wait_empty()
    assert not s.messages("bob")


def test_empty_forward_file_is_the_mailbox(local, outcome):
    s = local()
    s.own(".forward", "# nothing\n\n")
    s.send(to=f"{s.user}@local.test")
    assert outcome(s, f"{s.user}@local.test").text == "delivered to mailbox"


def test_alias_table_that_is_gone_is_try_again(local, outcome):
    s = local(start=False)
    (s.root / "etc/aliases").unlink()
    s.start()
    s.send(to="nobodyatall@local.test")
    o = outcome(s, "nobodyatall@local.test")
    assert o.status == "deferred"
    (s.root / "etc/aliases").write_text("nobodyatall: bob@example.test\n")
    wait_for("the retry", lambda: s.command("postqueue", "-f") and
             s.messages("bob"))


def test_extensions_are_passed_on_where_asked_for(local):
    s = local(aliases="one: bob@example.test\ntwo: :include:{root}/etc/two\n",
              propagate_unmatched_extensions="alias, include, forward")
    s.write("two", "carol@example.test\n")
    s.own(".forward", "alice@example.test\n")
    for to, user in (("one", "bob"), ("two", "carol"), (s.user, "alice")):
        s.send(to=f"{to}+tag@local.test", sender="x@example.test")
        text, = s.wait_messages(user)
        assert f"Delivered-To: {user}+tag@example.test\r\n".encode() in text
    # a file for this very extension has used it up
    s.own(".forward+tag", "alice@example.test\n")
    s.send(to=f"{s.user}+tag@local.test", sender="x@example.test")
    texts = s.wait_messages("alice", 2)
    assert b"Delivered-To: alice@example.test\r\n" in texts[1]


def test_extensions_end_at_aliases_by_default(local):
    s = local(aliases="one: bob@example.test\n")
    s.send(to="one+tag@local.test")
    text, = s.wait_messages("bob")
    assert b"Delivered-To: bob@example.test\r\n" in text


def test_owner_alias_is_expanded_where_asked_for(local):
    s = local(aliases="list: bob@example.test\nowner-list: "
                      "alice@example.test\n", expand_owner_alias="yes")
    s.send(to="list@local.test", sender="x@example.test")
    text, = s.wait_messages("bob")
    assert text.startswith(b"Return-Path: <alice@example.test>\r\n")


@pytest.mark.parametrize("reset, sender", [
    ("no", "owner-outer@local.test"), ("yes", "x@example.test")])
def test_owner_of_the_outer_alias(local, reset, sender):
    s = local(aliases="outer: inner\nowner-outer: alice@example.test\n"
                      "inner: bob@example.test\n", reset_owner_alias=reset)
    s.send(to="outer@local.test", sender="x@example.test")
    text, = s.wait_messages("bob")
    assert text.startswith(f"Return-Path: <{sender}>\r\n".encode())
