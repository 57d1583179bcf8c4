# SPDX-License-Identifier: ISC
"""Connections with somebody else's folder selected are parked like others;
what becomes of the rights to it meanwhile counts at once."""
import os
import time

import pytest
from parked import (SOON, all_parked, awake, parent, stay_parked, told,
                    until)
from posthaste import AS_ROOT, wait_for
from sharing import BOB, message, shared

BYE = b"* BYE You may not read the selected mailbox any more"


def test_woken_by_a_change_and_by_the_client(suite):
    s, bob, alice = shared(suite, "lrswite", SOON)
    alice.ok(f"SELECT {BOB}/Work")
    alice.ok("SEARCH RETURN (SAVE) 2")
    all_parked(s)
    assert b"text 2" in alice.ok("FETCH $ BODY.PEEK[TEXT]")[0]
    alice.ok(r"STORE 1 +FLAGS (\Flagged)")
    tag = alice.idle()
    stay_parked(s)
    began = time.monotonic()
    bob.append("Work", message(4))
    assert alice.line() == b"* 4 EXISTS"
    assert time.monotonic() - began < 20
    all_parked(s)
    bob.ok("SELECT Work")
    bob.ok(r"STORE 2 +FLAGS (\Deleted)")
    bob.ok("EXPUNGE")
    lines = until(alice, b"EXPUNGE")
    all_parked(s)
    lines += alice.done(tag)
    assert b"* 2 EXPUNGE" in lines
    assert alice.ok("UID SEARCH ALL") == [b"* SEARCH 1 3 4"]
    alice.ok(r"STORE 1 -FLAGS (\Flagged)")


def test_in_a_public_folder(suite):
    s = suite(main=SOON + "disable_plaintext_auth = no\n"
              "mail_special_folders =\n"
              "mail_public_folders = Public = maildir:{root}/public\n"
              "mail_public_owners = bob@example.test\n", start=False)
    path = s.root / "etc/main.cf"
    path.write_text(path.read_text().replace("{root}", str(s.root)))
    (s.root / "public").mkdir(mode=0o700)
    os.chown(s.root / "public", s.uid, s.gid)
    s.start()
    bob = s.imap("bob")
    bob.ok("CREATE Public/News")
    bob.ok("SETACL Public/News anyone lr")
    alice = s.imap("alice")
    alice.ok("SELECT Public/News")
    tag = alice.idle()
    stay_parked(s)
    bob.append("Public/News", message())
    assert alice.line() == b"* 1 EXISTS"
    alice.done(tag)


def test_rights_change_meanwhile(suite):
    s, bob, alice = shared(suite, "lr", SOON)
    alice.ok(f"SELECT {BOB}/Work")
    all_parked(s)
    bob.ok("SETACL Work alice@example.test +swite")
    all_parked(s)
    # it was read-only by its rights, not by EXAMINE
    assert any(b"Rights have changed" in x for x in alice.ok("NOOP"))
    alice.ok(r"STORE 1 +FLAGS (\Flagged)")
    bob.ok("SETACL Work alice@example.test -wie")
    all_parked(s)
    assert b"NOPERM" in alice.no(r"STORE 1 -FLAGS (\Flagged)")
    alice.ok(f"EXAMINE {BOB}/Work")
    all_parked(s)
    bob.ok("SETACL Work alice@example.test +wie")
    assert alice.no(r"STORE 1 -FLAGS (\Flagged)")


@pytest.mark.parametrize("idle", [True, False])
def test_the_right_to_read_is_taken(suite, idle):
    """In IDLE that is told without any change of mail."""
    s, bob, alice = shared(suite, "lrs", SOON)
    alice.ok(f"SELECT {BOB}/Work")
    if idle:
        alice.idle()
    all_parked(s)
    bob.ok("DELETEACL Work alice@example.test")
    if not idle:
        assert not alice.waiting(1.5)
        alice.send(b"a FETCH 1 BODY[]\r\n")
    (bye,) = [x for x in alice.closed() if x]
    assert bye.startswith(b"* BYE ")
    assert b"text" not in bye


def test_another_connection_ends_the_share_of_nobody_else(suite):
    s, bob, alice = shared(suite, "lrs", SOON)
    carol = s.imap("carol")
    bob.ok("SETACL Work carol@example.test lr")
    carol = s.imap("carol")
    for c in (alice, carol):
        c.ok(f"SELECT {BOB}/Work")
        c.idle()
    all_parked(s)
    bob.ok("DELETEACL Work alice@example.test")
    assert alice.closed()[-1].startswith(b"* BYE ")
    assert told(carol) == []
    bob.append("Work", message(4))
    assert carol.line() == b"* 4 EXISTS"


@pytest.mark.skipif(not AS_ROOT, reason="without root all is one user's")
def test_the_parent_watches_what_is_the_users_own(suite):
    """Root could watch what the user may not even read: it does not."""
    s = suite(main=SOON + "disable_plaintext_auth = no\n")
    c = s.imap()
    c.ok("SELECT INBOX")
    cur = s.maildir("bob") / "cur"
    os.chown(cur, s.uid + 7, -1)
    cur.chmod(0o777)
    tag = c.idle()
    s.wait_log("a connection of user=<bob@example.test> cannot be parked:"
               " what is to be watched is not the user's own")
    awake(s)
    # another try comes: after twenty times as long
    os.chown(cur, s.uid, -1)
    wait_for("it to be parked", lambda: s.processes("imapd-session") == [
        parent(s)], 40)
    c.done(tag)
    c.ok("NOOP")
