# SPDX-License-Identifier: ISC
"""Rights: RFC 4314. The owner's are complete; others' are kept."""
import os
import re

import pytest

from test_list import PLAIN, quiet

ALL = "lrswipkxteacd"


def test_the_owner_has_all_rights_for_ever(suite):
    _, c = quiet(suite)
    assert c.ok("MYRIGHTS INBOX") == [f"* MYRIGHTS INBOX {ALL}".encode()]
    me = "bob@example.test"
    assert c.ok(f"LISTRIGHTS INBOX {me}") == [
        f"* LISTRIGHTS INBOX {me} {ALL}".encode()]
    for command in (f"SETACL INBOX {me} lr", f"SETACL INBOX {me} -w",
                    f"DELETEACL INBOX {me}", f"SETACL INBOX -{me} w",
                    "SETACL INBOX owner lr"):
        assert b"CANNOT" in c.no(command)
    c.ok(f"SETACL INBOX {me} +lr")
    c.ok(f"SETACL INBOX {me} lrswipkxtea")
    assert c.ok("GETACL INBOX") == [f"* ACL INBOX {me} {ALL}".encode()]
    assert "RIGHTS=kxte" in c.capabilities() and "ACL" in c.capabilities()


def test_rights_of_others_are_kept(suite):
    """With the examples of RFC 4314 section 2.1.1."""
    s, c = quiet(suite)
    c.ok("CREATE Drafts")
    c.ok("SETACL Drafts David lrswida")
    c.ok("SETACL Drafts Byron lrswikda")
    c.ok("SETACL Drafts anyone l")
    c.ok("SETACL Drafts -Fred w")
    owner = f"* ACL Drafts bob@example.test {ALL}"
    assert c.ok("GETACL Drafts") == [
        (owner + " david lrswitead byron lrswikteacd anyone l -fred w")
        .encode()]
    c.ok("SETACL Drafts David -td")
    c.ok("SETACL Drafts anyone +r")
    c.ok('SETACL Drafts Byron ""')
    c.ok("DELETEACL Drafts -Fred")
    c.logout()
    c = s.imap()
    # who has an entry has that alone, not what anyone has
    assert c.ok("GETACL Drafts") == [
        (owner + ' david lrswia byron "" anyone lr').encode()]
    c.ok("RENAME Drafts Elsewhere")
    assert b"david lrswia" in c.ok("GETACL Elsewhere")[0]
    assert c.ok("LISTRIGHTS Elsewhere David") == [
        b'* LISTRIGHTS Elsewhere david "" l r s w i p k x t e a c d']
    # and nobody is let in by them: there is no way to name it
    other = s.imap("alice")
    assert b"NAMESPACE" in other.ok("NAMESPACE")[0]
    assert other.ok("NAMESPACE") == [b'* NAMESPACE (("" "/")) NIL NIL']
    other.no("SELECT Elsewhere")


def test_a_file_of_dovecot_is_read_and_kept(suite):
    s, c = quiet(suite)
    c.ok("CREATE Team")
    path = s.maildir("bob") / ".Team" / "dovecot-acl"
    path.write_text("# ours\nuser=fred lr :expunge\ngroup=staff l\n"
                    "strange thing\n")
    os.chown(path, s.uid, s.gid)
    assert c.ok("GETACL Team")[0].endswith(b" fred lred $staff l")
    c.ok("SETACL Team alice lrw")
    c.ok("DELETEACL Team $staff")
    assert sorted(path.read_text().splitlines()) == sorted([
        "user=fred lre", "user=alice lrw", "# ours", "strange thing"])
    assert path.stat().st_uid == s.uid


@pytest.mark.parametrize("command", [
    "GETACL", "GETACL INBOX x", "SETACL INBOX fred", "SETACL INBOX fred lrz",
    "SETACL INBOX fred LR", 'SETACL INBOX "" lr', 'SETACL INBOX "a\\"b" lr',
    "DELETEACL INBOX", "LISTRIGHTS INBOX", "MYRIGHTS", "SETACL INBOX - lr",
    "SETACL INBOX $ l", "SETACL INBOX !$ l", "SETACL INBOX -$ l",
    "SETACL INBOX -!$ l"])
def test_bad_arguments(suite, command):
    _, c = quiet(suite)
    c.bad(command)
    c.ok("NOOP")


@pytest.mark.parametrize("command", [
    "GETACL nosuch", "SETACL nosuch fred lr", "DELETEACL nosuch fred",
    "LISTRIGHTS nosuch fred", "MYRIGHTS nosuch"])
def test_no_such_mailbox(suite, command):
    _, c = quiet(suite)
    assert b"NONEXISTENT" in c.no(command)


def test_several_people_with_one_mailbox(suite):
    """R49: what there is of it."""
    s = suite(start=False, main=PLAIN + "mail_special_folders =\n")
    path = s.root / "etc/accounts"
    team = s.maildir("team")
    path.write_text("".join(
        re.sub(r"userdb_mail=\S+", f"userdb_mail=maildir:{team}", line) + "\n"
        for line in path.read_text().splitlines()))
    s.start()
    bob, alice = s.imap("bob"), s.imap("alice")
    bob.ok("CREATE Cases")
    bob.ok("SELECT Cases")
    tag = bob.idle()
    uids = [alice.append("Cases", b"Subject: one\r\n\r\n1\r\n")
            for _ in range(3)]
    assert uids == [1, 2, 3]
    seen = []
    while b"* 3 EXISTS" not in seen:
        seen.append(bob.line())
    bob.done(tag)
    alice.ok("SELECT Cases")
    alice.ok(r"STORE 2 +FLAGS (\Flagged $Work)")
    lines = bob.ok("NOOP") + bob.ok("FETCH 2 (UID FLAGS)")
    assert any(b"Flagged" in x and b"$Work)" in x for x in lines), lines
    assert bob.append("Cases", b"Subject: four\r\n\r\n4\r\n") == 4
    alice.ok(r"STORE 1 +FLAGS (\Deleted)")
    alice.ok("EXPUNGE")
    assert b"* 1 EXPUNGE" in bob.ok("NOOP")
    assert [x.split()[-1] for x in bob.ok("FETCH 1:* (UID)")] == [
        b"2)", b"3)", b"4)"]
    # and rights are each one's own
    assert alice.ok("MYRIGHTS Cases") == bob.ok("MYRIGHTS Cases")
