# SPDX-License-Identifier: ISC
"""Mailboxes by tables."""
import os
import stat

import pytest

from posthaste import AS_ROOT, wait_for


def delivered(s, user="bob"):
    return sorted((s.maildir(user) / "new").iterdir())


def test_maildir_file(suite, outcome):
    s = suite()
    q = s.send()
    assert outcome(s, "bob@example.test", q).text == "delivered to maildir"
    path, = delivered(s)
    st = path.stat()
    assert stat.S_IMODE(st.st_mode) == 0o600
    assert (st.st_uid, st.st_gid) == (s.uid, s.gid)
    assert path.name.endswith(
        f"_{q}.mx.example.test,S={st.st_size},W={st.st_size}")
    assert path.read_bytes().startswith(
        b"Return-Path: <alice@example.test>\r\n"
        b"X-Original-To: bob@example.test\r\n"
        b"Delivered-To: bob@example.test\r\nReceived: ")
    s.wait_empty()


@pytest.mark.skipif(not AS_ROOT, reason="only root has other users")
def test_each_gets_a_file_of_its_own_owner(suite):
    """One message, owners in turn, one whose table fails, and an mbox."""
    s = suite(start=False)
    owners = {"a": s.uid, "b": s.uid, "c": s.uid + 1, "d": s.uid,
              "e": s.uid + 1, "m": s.uid + 1, "f": s.uid}
    (s.root / "mail").chmod(0o777)
    s.write("mailboxes", "bad@example.test example.test/bad/\n" + "".join(
        f"{u}@example.test {u}{'.mbox' if u == 'm' else '/'}\n"
        for u in owners))
    s.write("uids", "bad@example.test none\n" + "".join(
        f"{u}@example.test {uid}\n" for u, uid in owners.items()))
    s.set(virtual_uid_maps=f"texthash:{s.root}/etc/uids")
    s.start()
    with s.smtp() as session:
        s.send_on(session, "alice@example.test",
                  [f"{u}@example.test" for u in [*owners, "bad"]],
                  "Subject: x\r\n\r\nhello\r\n")
    s.wait_log("to=<bad@example.test>.*status=deferred")
    for user, uid in owners.items():
        s.wait_log(f"to=<{user}@example.test>.*status=sent")
        path = s.root / "mail" / user
        file, = (path / "new").iterdir() if user != "m" else [
            path.with_suffix(".mbox")]
        assert file.stat().st_uid == uid
        assert b"hello" in file.read_bytes()


@pytest.mark.parametrize("parts", [("new", "cur", "tmp"), ("cur",), ()])
def test_the_queue_file_itself_is_moved(suite, parts):
    s = suite(start=False)
    # whatever there is of the Maildir, it takes the file, not a copy
    for part in parts:
        (s.maildir("bob") / part).mkdir(parents=True)
    if AS_ROOT:
        for path in (s.root / "mail").rglob("*"):
            os.chown(path, s.uid, s.gid)
    # no owner is known: it waits
    s.set(virtual_uid_maps=f"texthash:{s.root}/etc/uids")
    s.start()
    q = s.send()
    s.wait_log(f"{q}: to=<bob@example.test>.*status=deferred")
    wait_for("the deferred file", lambda: s.queue("deferred"))
    file, = [p for p in (s.root / "spool/deferred").rglob(q)]
    inode = file.stat().st_ino
    s.write("uids", f"@example.test {s.uid}\n")
    wait_for("delivery", lambda: s.command("postqueue", "-f") and
             s.messages("bob"))
    path, = delivered(s)
    assert path.stat().st_ino == inode
    s.wait_log(f"{q}: removed")  # until then it is cut by its name alone
    assert path.read_bytes().endswith(b"\r\n\r\nHello\r\n")
    s.wait_empty()


def test_a_mailbox_that_was_replaced_is_noticed(suite):
    s = suite()
    q = s.send(body="first\r\n")
    s.wait_messages("bob")
    s.wait_log(f"{q}: removed")  # until then it is not there for others
    pid = s.wait_log(r"posthaste/virtual\[(\d+)\]")[1]
    s.maildir("bob").rename(s.maildir("old"))
    q = s.send(body="second\r\n")
    s.wait_log(f"{q}: removed")
    text, = s.wait_messages("bob")
    assert text.endswith(b"second\r\n")
    assert s.wait_log(rf"virtual\[(\d+)\]: {q}: to=")[1] == pid
    assert len(s.messages("old")) == 1
    (s.maildir("bob") / "new").rename(s.maildir("bob") / "gone")
    q = s.send(body="third\r\n")
    s.wait_log(f"{q}: removed")
    text, = s.wait_messages("bob")
    assert text.endswith(b"third\r\n")
    s.wait_empty()


@pytest.mark.skipif(not AS_ROOT, reason="gives a folder away")
def test_a_mailbox_of_somebody_else_gets_nothing(suite, outcome):
    s = suite()
    s.send()
    s.wait_messages("bob")
    new = s.maildir("bob") / "new"
    os.chown(new, 0, 0)
    q = s.send(body="for nobody\r\n")
    assert outcome(s, "bob@example.test", q).status == "deferred"
    assert len(s.messages("bob")) == 1
    os.chown(new, s.uid, s.gid)
    wait_for("delivery", lambda: s.command("postqueue", "-f") and
             len(s.messages("bob")) == 2)


def test_several_recipients_get_copies(suite):
    s = suite()
    s.send(to=["alice@example.test", "bob@example.test"])
    for user in ("alice", "bob"):
        text, = s.wait_messages(user)
        assert text.count(b"Delivered-To:") == 1
        assert f"Delivered-To: {user}@example.test\r\n".encode() in text
        path, = delivered(s, user)
        assert f",S={len(text)},W={len(text)}" in path.name
    s.wait_empty()


def test_unix_line_ends_where_asked_for(suite):
    s = suite(main="virtual_maildir_form = lf\n")
    s.send(body="a\r\nb\r\n")
    text, = s.wait_messages("bob")
    assert b"\r" not in text and text.endswith(b"\n\na\nb\n")
    path, = delivered(s)
    assert f",S={len(text)},W={len(text) + text.count(10)}" in path.name


def test_mbox(suite, outcome):
    s = suite(start=False)
    s.write("mailboxes", "bob@example.test example.test/bob.mbox\n")
    s.start()
    s.send()
    assert outcome(s, "bob@example.test").text == "delivered to mailbox"
    path = s.root / "mail/example.test/bob.mbox"
    assert path.read_text().startswith("From alice@example.test  ")
    assert path.stat().st_uid == s.uid


def test_extension_and_catch_all(suite):
    s = suite(start=False)
    s.write("mailboxes", "bob@example.test example.test/bob/\n"
            "@example.test example.test/carol/\n")
    s.start()
    s.send(to="bob+tag@example.test")
    s.wait_messages("bob")
    s.send(to="someone@example.test")
    s.wait_messages("carol")


def test_loop_ends(suite, outcome):
    s = suite()
    s.send(sender="", subject="x\r\nDelivered-To: BOB@example.test")
    o = outcome(s, "bob@example.test")
    assert (o.dsn, o.status) == ("5.4.6", "bounced")
    assert o.text == "mail forwarding loop for bob@example.test"


@pytest.mark.parametrize("lead", [0, 4000, 4090, 20000, 80000])
def test_loop_deep_in_a_long_header_ends(suite, outcome, lead):
    s = suite()
    long = "".join(f"X-{i}: {'x' * 92}\r\n" for i in range(lead // 100))
    s.send(sender="", subject="x\r\n" + long + "X-Odd: " +
           "y" * (lead % 100) + "\r\nDelivered-To: bob@example.test")
    assert outcome(s, "bob@example.test").dsn == "5.4.6"


def test_missing_table_is_try_again(suite, outcome):
    s = suite()
    s.send()
    s.wait_messages("bob")
    (s.root / "etc/mailboxes").rename(s.root / "etc/hidden")
    # an open table is served on; a new process finds none
    s.posthaste("reload")
    with s.smtp() as c:
        c.ehlo()
        c.mail("alice@example.test")
        code, _ = c.rcpt("bob@example.test")
    assert code // 100 != 5


def test_large_message_over_the_limit(suite, outcome):
    s = suite(main="message_size_limit = 200000\n"
                   "virtual_mailbox_limit = 200000\n")
    s.send(sender="", body="y" * 40 + "\r\n" +
           ("x" * 70 + "\r\n") * 2772)
    o = outcome(s, "bob@example.test")
    assert (o.dsn, o.status) == ("5.2.2", "bounced")
    assert not s.messages("bob")
