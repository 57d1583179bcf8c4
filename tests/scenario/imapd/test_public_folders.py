# SPDX-License-Identifier: ISC
"""Trees of folders for everybody: R49, RFC 2342, RFC 4314."""
import contextlib
import os
import pathlib
import re

import pytest
from posthaste import AS_ROOT
from sharing import ALL, MAIN, message
from test_list import listed


def public(suite, options="", main="", owner="bob@example.test", uid=None):
    """An instance with a tree below root/public; (suite, its directory)."""
    s = suite(start=False, main=MAIN + main)
    top = s.root / "public"
    top.mkdir()
    os.chown(top, s.uid if uid is None else uid, s.gid)
    s.set(mail_public_folders=f"Public = maildir:{top}{options}",
          mail_public_owners=owner)
    return s.start(), top


def folder(s, path, acl=None):
    """A folder as another server made it."""
    for part in (path, path / "cur", path / "new", path / "tmp"):
        part.mkdir()
        os.chown(part, s.uid, s.gid)
    if acl is not None:
        (path / "dovecot-acl").write_text(acl)
        os.chown(path / "dovecot-acl", s.uid, s.gid)


def test_a_tree_of_dovecot_is_served(suite):
    s, top = public(suite)
    folder(s, top / ".News", "anyone lr\nuser=alice@example.test lrwstie\n")
    folder(s, top / ".News.Old", "authenticated l\n-user=carol@example.test l\n")
    folder(s, top / ".Staff", "group=staff lr\n")
    folder(s, top / ".Nobody")
    folder(s, top / ".Doubtful", "anyone lr\nno such line\n")
    carol, alice = s.imap("carol"), s.imap("alice")
    assert listed(carol, 'LIST "" *') == {
        "INBOX": {"\\HasNoChildren"},
        "Public": {"\\Noselect", "\\HasChildren"},
        "Public/News": {"\\HasNoChildren"}}
    assert "Public/News/Old" in listed(alice, 'LIST "" *')
    assert alice.append("Public/News", message()) == 1
    carol.ok("SELECT Public/News")
    assert b"[READ-ONLY]" in carol.text
    assert b"text 1" in carol.ok("FETCH 1 BODY[TEXT]")[0]
    assert b"READ-ONLY" in carol.no(r"STORE 1 +FLAGS (\Seen)")
    # \Seen is everybody's
    alice.ok("SELECT Public/News")
    alice.ok(r"STORE 1 +FLAGS (\Seen)")
    assert b"\\Seen" in carol.ok("NOOP")[0]
    for name in ("Staff", "Nobody", "Doubtful", "INBOX", "nosuch"):
        assert b"NONEXISTENT" in carol.no(f"SELECT Public/{name}")
    s.wait_log("Public/Doubtful: its list of rights has lines that are not"
               " understood")
    assert b"NONEXISTENT" in carol.no("SELECT Public")


def test_its_owner_gives_rights_in_dovecots_form(suite):
    s, top = public(suite)
    bob, carol = s.imap("bob"), s.imap("carol")
    assert b"NOPERM" in carol.no("CREATE Public/News")
    bob.ok("CREATE Public/News")
    assert carol.no("STATUS Public/News (MESSAGES)").startswith(
        b"[NONEXISTENT]")
    assert b"CANNOT" in bob.no("SETACL Public/News $staff lr")
    assert b"CANNOT" in bob.no("SETACL Public/News bob@example.test lr")
    bob.ok("SETACL Public/News anyone lrs")
    bob.ok("SETACL Public/News -alice@example.test s")
    bob.ok("SETACL Public/News dave@example.test lrswipkxtea")
    path = top / ".News/dovecot-acl"
    assert sorted(path.read_text().splitlines()) == [
        "-user=alice@example.test s", "anyone lrs",
        f"user=dave@example.test {ALL}"]
    assert path.stat().st_uid == s.uid
    assert bob.ok("GETACL Public/News")[0].startswith(
        f"* ACL Public/News bob@example.test {ALL}cd anyone lrs".encode())
    assert carol.ok("MYRIGHTS Public/News") == [b"* MYRIGHTS Public/News lrs"]
    assert s.imap("alice").ok("MYRIGHTS Public/News") == [
        b"* MYRIGHTS Public/News lr"]
    # what is made below it has the same rights
    bob.ok("CREATE Public/News/2026")
    assert (top / ".News.2026/dovecot-acl").read_text() == path.read_text()
    # an entry of no rights counts before anyone's
    bob.ok('SETACL Public/News carol@example.test ""')
    assert b"NONEXISTENT" in carol.no("MYRIGHTS Public/News")
    assert b'carol@example.test ""' in bob.ok("GETACL Public/News")[0]
    bob.ok("DELETEACL Public/News carol@example.test")
    carol.ok("MYRIGHTS Public/News")
    bob.ok("DELETEACL Public/News anyone")
    assert listed(carol, 'LIST "" Public/*') == {
        "Public/News": {"\\Noselect", "\\HasChildren"},
        "Public/News/2026": {"\\HasNoChildren"}}


@pytest.mark.parametrize("options", ["", ":LAYOUT=fs"])
def test_rights_go_with_a_folder(suite, options):
    s, top = public(suite, options)
    bob, carol = s.imap("bob"), s.imap("carol")
    bob.ok("CREATE Public/A/B")
    for name in ("A", "A/B"):
        bob.ok(f"SETACL Public/{name} anyone lr")
    bob.ok("RENAME Public/A Public/C")
    assert set(listed(carol, 'LIST "" Public/*')) == {
        "Public/C", "Public/C/B"}
    # one that has others below it leaves a level, and no rights
    bob.ok("DELETE Public/C")
    assert listed(carol, 'LIST "" Public/*') == {
        "Public/C": {"\\Noselect", "\\HasChildren"},
        "Public/C/B": {"\\HasNoChildren"}}
    bob.ok("CREATE Public/C")
    assert bob.ok("GETACL Public/C") == [
        f"* ACL Public/C bob@example.test {ALL}cd".encode()]
    assert b"NONEXISTENT" in carol.no("SELECT Public/C")


def test_several_people_at_once(suite):
    s, _ = public(suite)
    bob, alice, carol = s.imap("bob"), s.imap("alice"), s.imap("carol")
    bob.ok("CREATE Public/News")
    bob.ok("SETACL Public/News authenticated lrswite")
    uids = []
    for n in range(3):
        uids += [c.append("Public/News", message(n))
                 for c in (bob, alice, carol)]
    assert uids == list(range(1, 10))
    for c in (bob, alice, carol):
        c.ok("SELECT Public/News")
    tag = carol.idle()
    alice.ok(r"STORE 2 +FLAGS (\Deleted)")
    assert carol.line() == b"* 2 FETCH (FLAGS (\\Deleted))"
    bob.ok("EXPUNGE")
    assert carol.line() == b"* 2 EXPUNGE"
    carol.done(tag)
    # within the tree a move is a move
    bob.ok("CREATE Public/Old")
    bob.ok("SETACL Public/Old authenticated lrswite")
    alice.ok("NOOP")
    alice.ok("MOVE 1 Public/Old")
    assert b"* 1 EXPUNGE" in carol.ok("NOOP")
    alice.ok("MOVE 1 INBOX")
    carol.ok("COPY 1:* INBOX")
    carol.ok("SELECT INBOX")
    assert len(carol.ok("FETCH 1:* FLAGS")) == 6


@pytest.mark.skipif(not AS_ROOT, reason="there is one system user")
def test_mail_of_another_system_user_is_not_offered(suite):
    s, _ = public(suite, uid=12345)
    bob = s.imap("bob")
    s.wait_log("public folders of Public cannot be offered: .* belongs to the"
               " system user 12345")
    assert list(listed(bob, 'LIST "" *')) == ["INBOX"]
    assert b"NOPERM" in bob.no("CREATE Public/News")


@pytest.mark.skipif(not AS_ROOT, reason="there is one system user")
def test_a_person_of_another_system_user_is_not_let_in(suite):
    s = suite(start=False, main=MAIN)
    path = s.root / "etc/accounts"
    path.write_text(path.read_text().replace(
        f"alice@example.test:{{PLAIN}}posthaste:{s.uid}:",
        "alice@example.test:{PLAIN}posthaste:12345:"))
    home = s.maildir("alice")
    home.mkdir(parents=True)
    os.chown(home.parent, s.uid, s.gid)
    os.chown(home, 12345, s.gid)
    s.start()
    bob = s.imap("bob")
    bob.ok("CREATE Work")
    bob.ok("SETACL Work alice@example.test lr")
    alice = s.imap("alice")
    s.wait_log("user=<alice@example.test>: mail of bob@example.test cannot be"
               " offered: .* belongs to the system user")
    assert b"NONEXISTENT" in alice.no(
        "SELECT shared/bob@example.test/Work")


def test_dots_between_levels(suite):
    s, top = public(suite, main="mail_hierarchy_separator = .\n")
    bob = s.imap("bob")
    bob.ok("CREATE Work.Now")
    bob.ok("SETACL Work.Now alice@example.test lri")
    bob.ok("CREATE Public.News")
    bob.ok("SETACL Public.News anyone lr")
    alice = s.imap("alice")
    name = "shared.bob@example.test.Work.Now"
    assert alice.ok("NAMESPACE") == [
        b'* NAMESPACE (("" ".")) (("shared." ".")) (("Public." "."))']
    assert {name, "Public.News"} <= set(listed(alice, 'LIST "" *'))
    assert alice.append(name, message()) == 1
    alice.ok(f"SELECT {name}")
    alice.ok("SELECT Public.News")
    assert set(listed(alice, 'LIST "" %')) == {"INBOX", "shared", "Public"}


def test_an_own_folder_of_that_name_is_out_of_reach_and_kept(suite):
    s, top = public(suite)
    folder(s, top / ".News", "anyone lr\n")
    s.imap("alice").logout()
    folder(s, s.maildir("alice") / ".Public")
    folder(s, s.maildir("alice") / ".shared.mine")
    alice = s.imap("alice")
    assert set(listed(alice, 'LIST "" *')) == {
        "INBOX", "Public", "Public/News"}
    s.wait_log("the folder .* is not seen")
    assert b"NOPERM" in alice.no("CREATE shared/mine")
    assert (s.maildir("alice") / ".shared.mine/cur").is_dir()


@pytest.mark.parametrize("settings", [
    {"mail_public_folders": "Public"},
    {"mail_public_folders": "INBOX = maildir:/x"},
    {"mail_public_folders": "A/B = maildir:/x"},
    {"mail_public_folders": "A = maildir:/x, A = maildir:/y"},
    {"mail_shared_prefix": "a*b"},
    {"mail_shared_prefix": "inbox"},
    {"mail_shared_prefix": "same",
     "mail_public_folders": "same = maildir:/x"}])
def test_settings_that_cannot_be_meant(suite, settings):
    s = suite(start=False, main=MAIN)
    s.set(**settings)
    done = s.posthaste("start", check=False)
    assert done.returncode != 0
    assert re.search(r"main\.cf: line \d+: mail_(public_folders|shared_prefix)"
                     ": ", done.err)


def open_directories(s, where):
    """Of sessions' processes: their descriptors of this directory."""
    for pid in s.processes("imapd-session"):
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(fd.stat(), where):
                    yield fd


@pytest.mark.skipif(not AS_ROOT, reason="nobody else may mount")
def test_nothing_leads_out_of_a_tree(suite):
    """Where there is no other sharing as well."""
    s, top = public(suite, main="mail_shared_prefix =\n")
    c = s.imap("bob")
    c.ok("CREATE Public/News")
    found = list(open_directories(s, top.stat()))
    assert found
    for fd in found:
        assert os.path.samestat(os.stat(fd / ".."), top.stat())
