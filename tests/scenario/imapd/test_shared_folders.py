# SPDX-License-Identifier: ISC
"""Folders of other users: R49, RFC 4314, RFC 2342."""
import fcntl
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from posthaste import wait_for
from sharing import ALL, BOB, MAIN, entries, message, shared
from test_list import listed


def test_namespaces_are_told(suite):
    s = suite(main=MAIN + "mail_public_folders = Public = maildir:/nowhere,"
              " More stuff = maildir:/nowhere/else\n")
    assert s.imap().ok("NAMESPACE") == [
        b'* NAMESPACE (("" "/")) (("shared/" "/")) (("Public/" "/")'
        b'("More stuff/" "/"))']


def test_a_folder_is_shared_read_and_written(suite):
    s, bob, alice = shared(suite, "lrswite")
    assert listed(alice, 'LIST "" *') == {
        "INBOX": {"\\HasNoChildren"},
        "shared": {"\\Noselect", "\\HasChildren"},
        BOB: {"\\Noselect", "\\HasChildren"},
        f"{BOB}/Work": {"\\HasNoChildren"}}
    lines = alice.ok(f"SELECT {BOB}/Work")
    assert b"* 3 EXISTS" in lines and b"[READ-WRITE]" in alice.text
    assert b"text 2" in alice.ok("FETCH 2 BODY[TEXT]")[0]
    alice.ok(r"STORE 1 +FLAGS (\Flagged $Alices)")
    bob.ok("SELECT Work")
    lines = bob.ok("FETCH 1:2 FLAGS")
    assert b"\\Flagged" in lines[0] and b"$Alices" in lines[0]
    assert b"\\Seen" in lines[1]
    uid = alice.append(f"{BOB}/Work", message(4))
    assert uid == 4
    assert b"* 4 EXISTS" in bob.ok("NOOP")
    bob.ok(r"STORE 3 +FLAGS (\Deleted)")
    assert b"* 3 EXPUNGE" in alice.ok("EXPUNGE")
    assert b"* 3 EXPUNGE" in bob.ok("NOOP")
    assert entries(s) == {("alice@example.test", "bob@example.test")}


def test_nobody_else_sees_it(suite):
    s, _, alice = shared(suite, "lr")
    carol = s.imap("carol")
    assert list(listed(carol, 'LIST "" *')) == ["INBOX"]
    for name in (f"{BOB}/Work", f"{BOB}/nosuch", "shared/nobody/x", BOB):
        told = {re.sub(rb"^x\d+", b"", carol.no(f"{verb} {name}{rest}"))
                for verb, rest in (("SELECT", ""), ("STATUS", " (MESSAGES)"),
                                   ("MYRIGHTS", ""), ("GETACL", ""),
                                   ("DELETE", ""))}
        assert told == {b"[NONEXISTENT] There is no such mailbox"}
    assert b"NOPERM" in carol.no(f"CREATE {BOB}/Work")
    assert b"NOPERM" in carol.no(f"CREATE {BOB}/other")
    alice.ok(f"EXAMINE {BOB}/Work")


def test_a_grant_is_seen_by_the_next_connection(suite):
    s = suite(main=MAIN)
    alice = s.imap("alice")
    bob = s.imap("bob")
    bob.ok("CREATE Work")
    bob.ok("SETACL Work alice lr")
    alice.no(f"SELECT {BOB}/Work")
    late = s.imap("alice")
    late.ok(f"SELECT {BOB}/Work")
    alice.no(f"SELECT {BOB}/Work")
    # and rights to another folder at once
    bob.ok("CREATE Play")
    assert b"NONEXISTENT" in late.no(f"STATUS {BOB}/Play (MESSAGES)")
    bob.ok("SETACL Play alice@example.test lr")
    late.ok(f"STATUS {BOB}/Play (MESSAGES)")


def test_rights_that_are_taken_are_missed_at_the_next_command(suite):
    s, bob, alice = shared(suite, "lrswite")
    alice.ok(f"SELECT {BOB}/Work")
    bob.ok("SETACL Work alice@example.test -wie")
    lines = alice.ok("NOOP")
    assert b"* OK [PERMANENTFLAGS (\\Deleted \\Seen)] Rights have changed." \
        in lines
    assert b"NOPERM" in alice.no(r"STORE 1 +FLAGS (\Flagged)")
    assert b"NOPERM" in alice.no("EXPUNGE")
    assert b"NOPERM" in alice.no("COPY 1 " + BOB + "/Work")
    idle = s.imap("alice")
    idle.ok(f"SELECT {BOB}/Work")
    idle.idle()
    bob.ok("DELETEACL Work alice@example.test")
    bob.append("Work", message(4))
    (bye,) = [x for x in idle.closed() if x]
    assert bye == b"* BYE You may not read the selected mailbox any more"
    alice.send(b"a1 FETCH 1:* BODY[]\r\n")
    assert alice.closed() == [bye]
    again = s.imap("alice")
    assert b"NONEXISTENT" in again.no(f"SELECT {BOB}/Work")
    assert list(listed(again, 'LIST "" *')) == ["INBOX"]
    wait_for("no share", lambda: entries(s) == set())


def test_changes_are_told_while_idle(suite):
    s, bob, alice = shared(suite, "lrsw", "imap_hibernate_timeout = 1s\n")
    alice.ok(f"SELECT {BOB}/Work")
    tag = alice.idle()
    bob.append("Work", message(4))
    assert alice.line() == b"* 4 EXISTS"
    alice.done(tag)
    tag = bob.idle() if bob.ok("SELECT Work") else None
    alice.ok(r"STORE 1 +FLAGS (\Flagged)")
    assert b"\\Flagged" in bob.line()
    bob.done(tag)


def test_an_administrator_of_a_folder_shares_it_with_others(suite):
    s, bob, alice = shared(suite, "lra")
    alice.ok(f"SETACL {BOB}/Work carol@example.test lr")
    assert alice.ok(f"GETACL {BOB}/Work") == [
        f"* ACL {BOB}/Work bob@example.test {ALL}cd alice@example.test lra"
        " carol@example.test lr".encode()]
    s.imap("carol").ok(f"SELECT {BOB}/Work")
    for who in ("bob@example.test", "bob", "owner"):
        assert b"CANNOT" in alice.no(f"SETACL {BOB}/Work {who} lr")
        assert b"CANNOT" in alice.no(f"DELETEACL {BOB}/Work {who}")
    for who in ("anyone", "authenticated", "$staff"):
        assert b"CANNOT" in alice.no(f"SETACL {BOB}/Work {who} lr")
        assert b"CANNOT" in bob.no(f"SETACL Work {who} lr")


def test_subscriptions_are_ones_own(suite):
    _, bob, alice = shared(suite, "lr")
    alice.ok(f"SUBSCRIBE {BOB}/Work")
    alice.ok(f"SUBSCRIBE {BOB}/Hidden")
    bob.ok("CREATE Hidden")
    for n in range(2):
        assert listed(alice, 'LIST (SUBSCRIBED) "" *') == {
            f"{BOB}/Work": {"\\HasNoChildren", "\\Subscribed"},
            f"{BOB}/Hidden": {"\\NonExistent", "\\HasNoChildren",
                              "\\Subscribed"}}
        bob.ok("DELETE Hidden" if n == 0 else "NOOP")
    assert listed(bob, 'LSUB "" *') == {}
    alice.ok(f"UNSUBSCRIBE {BOB}/Work")
    assert list(listed(alice, 'LIST (SUBSCRIBED) "" *')) == [f"{BOB}/Hidden"]


def test_copies_between_accounts(suite):
    s, bob, alice = shared(suite, "lrswite")
    bob.ok("SELECT Work")
    bob.ok(r"STORE 1:2 +FLAGS ($One \Answered)")
    bob.ok(r"STORE 2 +FLAGS ($Two \Deleted)")
    alice.ok("CREATE Mine")
    alice.ok(f"SELECT {BOB}/Work")
    alice.ok("COPY 1:3 Mine")
    assert re.match(rb"\[COPYUID \d+ 1:3 1:3\]", alice.text)
    alice.ok("MOVE 2 Mine")
    alice.ok("SELECT Mine")
    lines = alice.ok("FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[HEADER])")
    assert len(lines) == 4
    assert [b"Subject: %d\r\n" % n in x for n, x in
            zip((1, 2, 3, 2), lines)] == [True] * 4
    assert b"$One" in lines[0] and b"$Two" not in lines[0]
    assert b"$Two" in lines[1] and b"\\Deleted" in lines[3]
    assert b"\\Answered" in lines[3] and b"$" not in lines[2]
    assert bob.ok("NOOP")[0] == b"* 2 EXPUNGE"
    alice.ok(f"COPY 4 {BOB}/Work")
    alice.ok(f"MOVE 1 {BOB}/Work")
    assert b"* 4 EXISTS" in bob.ok("NOOP")
    assert len(alice.ok("FETCH 1:* FLAGS")) == 3


def test_folders_are_made_renamed_and_removed(suite):
    s, bob, alice = shared(suite, "lrkx")
    assert b"NOPERM" in alice.no(f"CREATE {BOB}/Other")
    alice.ok(f"CREATE {BOB}/Work/One/Two/")
    assert b"USEATTR" in alice.no(f"CREATE {BOB}/Work/X (USE (\\Sent))")
    for name in ("Work/One", "Work/One/Two"):
        assert b" alice@example.test lrkx" in bob.ok(f"GETACL {name}")[0]
        assert alice.ok(f"MYRIGHTS {BOB}/{name}")[0].endswith(b" lrkxc")
    alice.ok(f"RENAME {BOB}/Work/One/Two {BOB}/Work/Three")
    assert b"NOPERM" in alice.no(f"RENAME {BOB}/Work/Three {BOB}/Three")
    assert b"CANNOT" in alice.no(f"RENAME {BOB}/Work/Three Three")
    alice.ok("CREATE Mine")
    assert b"CANNOT" in alice.no(f"RENAME Mine {BOB}/Work/Mine")
    alice.ok(f"DELETE {BOB}/Work/One")
    assert sorted(listed(bob, 'LIST "" *')) == [
        "INBOX", "Work", "Work/Three"]
    # rights go with a mailbox, and do not come again with its name
    bob.ok("SETACL Work/Three carol lr")
    alice.ok(f"DELETE {BOB}/Work/Three")
    alice.ok(f"CREATE {BOB}/Work/Three")
    assert b"carol" not in bob.ok("GETACL Work/Three")[0]


def test_parents_without_rights_are_levels(suite):
    """The example of RFC 4314 section 4."""
    s = suite(main=MAIN)
    bob = s.imap("bob")
    for name in ("A", "A/B", "C", "C/D", "E", "E/F"):
        bob.ok(f"CREATE {name}")
    for name in ("A/B", "C", "C/D"):
        bob.ok(f"SETACL {name} alice@example.test l")
    bob.ok("SETACL E alice@example.test lr")
    alice = s.imap("alice")
    names = listed(alice, f'LIST "" {BOB}/*')
    assert names == {
        f"{BOB}/A": {"\\Noselect", "\\HasChildren"},
        f"{BOB}/A/B": {"\\Noselect", "\\HasNoChildren"},
        f"{BOB}/C": {"\\Noselect", "\\HasChildren"},
        f"{BOB}/C/D": {"\\Noselect", "\\HasNoChildren"},
        f"{BOB}/E": {"\\HasNoChildren"}}
    assert sorted(listed(alice, 'LIST "" %')) == ["INBOX", "shared"]
    assert sorted(listed(alice, 'LIST "" shared/%')) == [BOB]
    assert sorted(listed(alice, f'LIST {BOB}/ %')) == [
        f"{BOB}/{x}" for x in "ACE"]
    assert b"NONEXISTENT" in alice.no(f"SELECT {BOB}/A")
    assert b"NOPERM" in alice.no(f"SELECT {BOB}/C")


def test_example_of_flags_that_are_lost_on_copy(suite):
    """RFC 4314 section 4."""
    for rights, told in (("rwis", [{"\\Draft"}, {"\\Answered"},
                                   {"$Forwarded", "\\Seen"}]),
                         ("rsti", [{"\\Deleted"}, set(), {"\\Seen"}])):
        s, bob, alice = shared(suite, rights, messages=0)
        for flags in (r"(\Draft \Deleted)", r"(\Answered)",
                      r"($Forwarded \Seen)"):
            alice.append("INBOX", message(), flags)
        alice.ok("SELECT INBOX")
        assert alice.ok(f"MYRIGHTS {BOB}/Work") == [
            f"* MYRIGHTS {BOB}/Work "
            f"{'rswi' if 'w' in rights else 'rsitd'}".encode()]
        alice.ok(f"COPY 1:3 {BOB}/Work")
        for flags in (r"(\Draft \Deleted)", r"(\Answered)",
                      r"($Forwarded \Seen)"):
            alice.append(f"{BOB}/Work", message(), flags)
        alice.ok(f"SELECT {BOB}/Work")
        lines = alice.ok("FETCH 1:* FLAGS")
        assert [set(re.search(rb"FLAGS \(([^)]*)\)", x)[1].decode().split())
                - {"\\Recent"} for x in lines] == told * 2


def test_example_of_permanent_flags(suite):
    """RFC 4314 section 5.1.1, pipelined."""
    s, bob, alice = shared(suite, "lrwis")
    alice.send(f"A142 SELECT {BOB}/Work\r\nA143 MYRIGHTS {BOB}/Work\r\n")
    lines = [alice.line()]
    while not lines[-1].startswith(b"A143"):
        lines.append(alice.line())
    assert b"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Seen \\Draft \\*)]" \
        b" Flags permitted." in lines
    assert b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)" in lines
    assert f"* MYRIGHTS {BOB}/Work lrswi".encode() in lines
    # section 5.2
    for rights, code in (("lr", "ONLY"), ("lrpkxa", "ONLY"), ("lri", "WRITE"),
                         ("lre", "WRITE"), ("lrs", "WRITE"), ("lrw", "WRITE"),
                         ("lrt", "WRITE")):
        bob.ok(f"SETACL Work alice@example.test {rights}")
        alice.ok(f"SELECT {BOB}/Work")
        assert alice.text.startswith(f"[READ-{code}]".encode())


def test_somebody_elses_quota_counts_and_is_not_told(suite):
    s = suite(start=False, main=MAIN)
    path = s.root / "etc/accounts"
    path.write_text("".join(
        line + (" userdb_quota_rule=*:storage=20K"
                if line.startswith("bob") else "") + "\n"
        for line in path.read_text().splitlines()))
    s.start()
    bob = s.imap("bob")
    bob.ok("CREATE Work")
    bob.ok("SETACL Work alice@example.test lri")
    alice = s.imap("alice")
    big = b"Subject: big\r\n\r\n" + b"x" * 30000 + b"\r\n"
    assert b"OVERQUOTA" in alice.no(f"APPEND {BOB}/Work {{}}", big)
    alice.append("INBOX", big)
    alice.ok("SELECT INBOX")
    assert b"OVERQUOTA" in alice.no(f"COPY 1 {BOB}/Work")
    assert alice.ok(f"GETQUOTAROOT {BOB}/Work") == [
        f"* QUOTAROOT {BOB}/Work".encode()]
    assert b"NONEXISTENT" in alice.no(f"GETQUOTAROOT {BOB}/nosuch")


def test_entries_that_all_see(suite):
    """RFC 5464 section 3.3."""
    s, bob, alice = shared(suite, "lrw")
    bob.ok('SETMETADATA Work (/shared/comment "ours" /private/comment "mine")')
    assert alice.ok(f'GETMETADATA {BOB}/Work (/shared/comment'
                    ' /private/comment)') == [
        f'* METADATA {BOB}/Work (/shared/comment "ours"'
        ' /private/comment NIL)'.encode()]
    alice.ok(f'SETMETADATA {BOB}/Work (/shared/comment "all")')
    assert b"NOPRIVATE" in alice.no(
        f'SETMETADATA {BOB}/Work (/private/comment "x")')
    assert b'"all"' in bob.ok("GETMETADATA Work /shared/comment")[0]
    bob.ok("SETACL Work alice@example.test lr")
    assert b"NOPERM" in alice.no(
        f'SETMETADATA {BOB}/Work (/shared/comment "x")')
    bob.ok("SETACL Work alice@example.test r")
    for text in ("GETMETADATA {} /shared/comment",
                 'SETMETADATA {} (/shared/comment "x")'):
        assert alice.no(text.replace("{}", f"{BOB}/Work")).startswith(
            b"[NOPERM]")


def test_lists_with_more(suite):
    s, bob, alice = shared(suite, "lrs")
    lines = alice.ok(f'LIST "" {BOB}/* RETURN (STATUS (MESSAGES UNSEEN)'
                     ' MYRIGHTS SPECIAL-USE)')
    assert lines == [
        f'* LIST (\\HasNoChildren) "/" {BOB}/Work'.encode(),
        f"* STATUS {BOB}/Work (MESSAGES 3 UNSEEN 3)".encode(),
        f"* MYRIGHTS {BOB}/Work lrs".encode()]
    lines = alice.ok(f'ESEARCH IN (subtree "{BOB}") UNSEEN')
    assert len(lines) == 1 and f'MAILBOX {BOB}/Work'.encode() in lines[0]
    assert alice.ok('ESEARCH IN (personal) ALL') == []


def test_notify_of_shared_mailboxes(suite):
    s, bob, alice = shared(suite, "lr")
    bob.ok("CREATE Secret")
    alice.ok(f'NOTIFY SET (subtree "{BOB}" (MessageNew MessageExpunge))')
    bob.append("Secret", message())
    bob.append("Work", message(4))
    line = alice.line()
    assert line.startswith(f"* STATUS {BOB}/Work (MESSAGES 4 ".encode())
    bob.ok("DELETEACL Work alice@example.test")
    bob.append("Work", message(5))
    assert not alice.waiting(1)


def test_a_captured_name_is_no_way_out(suite):
    """No path, and no name of another, comes of it."""
    _, _, alice = shared(suite, ALL)
    for name in (f"{BOB}/../alice", f"{BOB}/Work/../../carol", f"{BOB}//Work",
                 "shared/../INBOX", "shared//bob@example.test/Work",
                 f"{BOB}/.", "shared/%/Work", f"{BOB}/Work/\\2e\\2e"):
        for text in (f'SELECT "{name}"', f'DELETE "{name}"',
                     f'RENAME "{name}" x'):
            alice.no(text.replace("\\", "\\\\"))
    with pytest.raises(AssertionError):
        alice.ok('SELECT "shared"')


def test_files_of_dovecot_are_known_after_their_owners_login(suite):
    s = suite(start=False, main=MAIN)
    work = s.maildir("bob") / ".Work"
    for path in (work.parent, work, work / "cur", work / "new", work / "tmp"):
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, s.uid, s.gid)
    os.chown(work.parent.parent, s.uid, s.gid)
    (work / "dovecot-acl").write_text("user=alice lr\nanyone lrswitea\n"
                                      "user=carol@example.test \n")
    os.chown(work / "dovecot-acl", s.uid, s.gid)
    s.start()
    assert list(listed(s.imap("alice"), 'LIST "" *')) == ["INBOX"]
    s.imap("bob")
    wait_for("a share", lambda: entries(s) == {
        ("alice@example.test", "bob@example.test")})
    alice = s.imap("alice")
    alice.ok(f"SELECT {BOB}/Work")
    assert b"[READ-ONLY]" in alice.text
    assert b"NONEXISTENT" in s.imap("carol").no(f"SELECT {BOB}/Work")


def test_names_that_are_no_accounts_are_not_kept(suite):
    """A process can have the parent make no files for names of its choice."""
    s = suite(main=MAIN)
    bob = s.imap("bob")
    for who in ("dave@example.test", "../../x", "carol+x@example.test",
                "bob@example.test.", "-alice@example.test", "x" * 250):
        bob.ok(f"SETACL INBOX {who} lr")
    bob.ok("SETACL INBOX carol@example.test lr")
    wait_for("a share", lambda: entries(s) == {
        ("carol@example.test", "bob@example.test")})
    assert b"NONEXISTENT" in s.imap("alice").no(f"SELECT {BOB}/INBOX")
    carol = s.imap("carol")
    carol.ok(f"SELECT {BOB}/INBOX")
    assert b"NONEXISTENT" in carol.no(f"SELECT {BOB}/inboxes")
    bob.ok("SETACL INBOX carol@example.test lrx")
    for text in (f"DELETE {BOB}/INBOX", f"RENAME {BOB}/INBOX {BOB}/x"):
        assert carol.no(text).startswith((b"[CANNOT]", b"[NOPERM]"))


def test_entries_of_accounts_that_are_gone_hide_nobody(suite):
    s = suite(main=MAIN)
    bob = s.imap("bob")
    bob.ok("CREATE Work")
    bob.ok("SETACL Work alice@example.test lr")
    wait_for("the entry", lambda: entries(s) == {
        ("alice@example.test", "bob@example.test")})
    folder = s.root / "data/imap-shares/alice@example.test"
    for n in range(900):
        (folder / f"gone{n}@example.test").touch()
    assert BOB in listed(s.imap("alice"), 'LIST "" *')


def test_what_is_taken_is_taken_however_it_is_written(suite):
    s, bob, alice = shared(suite, "lrs")
    bob.ok("SETACL Work -Alice@Example.Test r")
    assert bob.ok("GETACL Work")[0].endswith(b" -alice@example.test r")
    assert b"NOPERM" in alice.no(f"SELECT {BOB}/Work")
    bob.ok("DELETEACL Work -ALICE@example.test")
    alice.ok(f"SELECT {BOB}/Work")
    bob.ok("SETACL Work -Alice s")
    assert alice.ok(f"MYRIGHTS {BOB}/Work")[-1].endswith(b" lr")
    # and what is given
    bob.ok("SETACL Work Carol lr")
    s.imap("carol").ok(f"SELECT {BOB}/Work")
    assert b"CANNOT" in bob.no("SETACL Work Anyone lr")
    assert b"CANNOT" in bob.no("SETACL Work -Bob lr")


SWAP = """
import ctypes, sys, time
libc, end = ctypes.CDLL(None), time.time() + 3
one, two = (x.encode() for x in sys.argv[1:])
while time.time() < end:
    assert libc.renameat2(-100, one, -100, two, 2) == 0  # RENAME_EXCHANGE
"""


def test_a_name_that_leads_elsewhere_meanwhile_gives_no_right(suite):
    s, bob, alice = shared(suite, "lr")
    bob.ok("CREATE Secret")
    bob.append("Secret", message())
    for name in ("Work", "Secret"):
        bob.ok(f"STATUS {name} (MESSAGES)")
    mail = s.maildir("bob")
    swap = subprocess.Popen([sys.executable, "-c", SWAP, mail / ".Work",
                             mail / ".Secret"])
    told = []
    while swap.poll() is None:
        told += alice.command(f"STATUS {BOB}/Work (MESSAGES)")[-1]
    assert swap.returncode == 0
    assert not [x for x in told if b"MESSAGES 1" in x]


def test_levels_that_others_made_keep_their_lists(suite):
    s, bob, alice = shared(suite, "lrkx")
    mail = s.maildir("bob")
    with open(mail / "posthaste-tree.lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        alice.send(f"a1 CREATE {BOB}/Work/A/B\r\n")
        assert not alice.waiting(0.5)
        for path in [mail / ".Work.A"] + [
                mail / ".Work.A" / x for x in ("cur", "new", "tmp")]:
            path.mkdir()
            os.chown(path, s.uid, s.gid)
        path = mail / ".Work.A" / "dovecot-acl"
        path.write_text("user=carol lr\n")
        os.chown(path, s.uid, s.gid)
    assert b"NOPERM" in alice.line()
    assert path.read_text() == "user=carol lr\n"


COMMANDS = {
    "DELETE": f"DELETE {BOB}/Work",
    "RENAME": f"RENAME {BOB}/Work {BOB}/Top/Mine",
    "SETACL": f"SETACL {BOB}/Work carol@example.test lrswitea",
    "DELETEACL": f"DELETEACL {BOB}/Work dave@example.test",
}


@pytest.mark.parametrize("what", ["taken", "exchanged"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_was_looked_at_is_what_is_changed(suite, command, what):
    """Rights count as they are when nobody changes folders any more, those
    of the folder that has the name then."""
    s, bob, alice = shared(suite, "lrkxa")
    bob.ok("SETACL Work dave@example.test lr")
    for name in ("Top", "Other"):
        bob.ok(f"CREATE {name}")
    bob.ok("SETACL Top alice@example.test lrk")
    bob.ok("SETACL Other alice@example.test lr")
    bob.append("Other", message())
    alice.ok(f"STATUS {BOB}/Other (MESSAGES)")
    mail = s.maildir("bob")
    with open(mail / "posthaste-tree.lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        alice.send(b"a1 %s\r\n" % COMMANDS[command].encode())
        assert not alice.waiting(0.5)
        if what == "taken":
            (mail / ".Work/dovecot-acl").write_text(
                "user=alice@example.test lr\nuser=dave@example.test lr\n")
        else:
            os.rename(mail / ".Work", mail / ".Away")
            os.rename(mail / ".Other", mail / ".Work")
    assert alice.line().startswith(b"a1 NO [NOPERM]")
    names = {x.name for x in mail.glob(".[A-Z]*")}
    assert names == ({".Work", ".Other", ".Top"} if what == "taken" else
                     {".Away", ".Work", ".Top"})
    assert b"carol" not in (mail / ".Work/dovecot-acl").read_bytes()
    kept = mail / (".Work" if what == "taken" else ".Away")
    assert b"dave" in (kept / "dovecot-acl").read_bytes()


def test_the_inbox_of_another_stays(suite):
    """However it is called, a separator at its end included."""
    s, bob, _ = shared(suite, "lrkx")
    bob.append("INBOX", message())
    bob.ok("SETACL INBOX alice@example.test lrx")
    alice = s.imap("alice")
    for name in ("INBOX", "INBOX/", "inbox", "Inbox/", "&AEkATgBCAE8AWA-/"):
        told = alice.no(f"RENAME {BOB}/{name} {BOB}/Work/Taken")
        assert told.startswith((b"[CANNOT]", b"[NONEXISTENT]")), told
    assert bob.ok("STATUS INBOX (MESSAGES)") == [
        b"* STATUS INBOX (MESSAGES 1)"]
    assert sorted(listed(bob, 'LIST "" *')) == ["INBOX", "Work"]
    # the owner may
    bob.ok("RENAME INBOX/ Old")
    assert bob.ok("STATUS Old (MESSAGES)") == [b"* STATUS Old (MESSAGES 1)"]


def test_giving_and_taking_does_not_fill_the_number_of_processes(suite):
    s = suite(main=MAIN)
    bob = s.imap("bob")
    open_ones = []
    for _ in range(12):
        bob.ok("SETACL INBOX alice@example.test lr")
        wait_for("it is there", lambda: entries(s))
        open_ones.append(s.imap("alice"))
        bob.ok("DELETEACL INBOX alice@example.test")
        wait_for("it is gone", lambda: not entries(s))
    assert len(s.processes("imapd-session")) <= 1 + 1 + 4
    for c in open_ones:
        c.ok("NOOP")


def give_to_strangers(c, n, at_last=()):
    """Rights for so many that have no account, all at once."""
    names = [f"nobody{i}@example.test" for i in range(n)] + list(at_last)
    tags = [c.start(f"SETACL Work {name} lr") for name in names]
    for tag in tags:
        word, rest, _ = c.finish(tag)
        assert word == "OK", rest


def test_all_of_many_words_are_heard(suite):
    """The parent hears so many at a time; what it has read is not left."""
    s = suite(main=MAIN)
    bob = s.imap("bob")
    bob.ok("CREATE Work")
    parent = s.processes("imapd-session")[0]
    os.kill(parent, signal.SIGSTOP)
    try:
        give_to_strangers(bob, 120, ["alice@example.test"])
    finally:
        os.kill(parent, signal.SIGCONT)
    wait_for("the last to be heard", lambda: entries(s) == {
        ("alice@example.test", "bob@example.test")})


def test_questions_without_answers_hold_nobody_up(suite):
    """One user's process makes the parent ask; others' connections go on."""
    s = suite(main=MAIN + "imap_hibernate_timeout = 1s\n")
    carol = s.imap("carol")
    carol.ok("SELECT INBOX")
    wait_for("carol to be parked",
             lambda: len(s.processes("imapd-session")) == 1)
    bob = s.imap("bob")
    bob.ok("CREATE Work")
    (asked,) = s.processes("auth-session")
    os.kill(asked, signal.SIGSTOP)
    try:
        give_to_strangers(bob, 20)
        began = time.monotonic()
        carol.ok("NOOP")
        # some of what is asked ends after two seconds; twenty would be 40
        assert time.monotonic() - began < 20
    finally:
        os.kill(asked, signal.SIGCONT)
    s.wait_log("the accounts cannot be asked who shares")
