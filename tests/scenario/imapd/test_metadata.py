# SPDX-License-Identifier: ISC
"""GETMETADATA and SETMETADATA: RFC 5464."""
import re

import pytest

from test_list import listed, quiet


def test_a_value_is_kept_and_removed(suite):
    s, c = quiet(suite)
    c.talk(r'''
        C: a1 SETMETADATA INBOX (/private/comment "My new comment" /shared/comment "This one is for you!")
        S: a1 OK ...
        C: a2 GETMETADATA "INBOX" /private/comment
        S: * METADATA INBOX (/private/comment "My new comment")
        S: a2 OK ...
        C: a3 GETMETADATA INBOX (/shared/comment /private/comment)
        S: * METADATA INBOX (/shared/comment "This one is for you!" /private/comment "My new comment")
        S: a3 OK ...
        C: a4 SETMETADATA INBOX (/private/comment NIL)
        S: a4 OK ...
        C: a5 GETMETADATA INBOX /private/comment
        S: * METADATA INBOX (/private/comment NIL)
        S: a5 OK ...
    ''')
    c.logout()
    c = s.imap()
    assert c.ok("GETMETADATA INBOX /SHARED/Comment") == [
        b'* METADATA INBOX (/shared/comment "This one is for you!")']


@pytest.mark.parametrize("value", [
    b"two\r\nlines", b"", b'"quotes" and \\', b"\xc3\xa9", b"x" * 60000])
def test_any_value_comes_back(suite, value):
    _, c = quiet(suite)
    c.ok("SETMETADATA INBOX (/private/comment {})", value)
    line, = c.ok("GETMETADATA INBOX /private/comment")
    m = re.fullmatch(rb"\* METADATA INBOX \(/private/comment (.*)\)", line,
                     re.S)
    got = m[1]
    if got.startswith(b"{"):
        got = got.split(b"\r\n", 1)[1]
    else:
        got = re.sub(rb"\\(.)", rb"\1", got[1:-1])
    assert got == value


def test_maxsize_leaves_long_ones_out(suite):
    _, c = quiet(suite)
    c.ok('SETMETADATA INBOX (/private/comment "short" /shared/comment {})',
         b"y" * 2199)
    for text in ("GETMETADATA (MAXSIZE 1024) INBOX",
                 "GETMETADATA INBOX (MAXSIZE 1024)"):
        lines = c.ok(text + " (/shared/comment /private/comment)")
        assert lines == [b'* METADATA INBOX (/private/comment "short")']
        assert c.text.startswith(b"[METADATA LONGENTRIES 2199]")


def test_depth(suite):
    _, c = quiet(suite)
    base = "/private/filters/values"
    c.ok(f'SETMETADATA INBOX ({base}/small "SMALLER 5000"'
         f' {base}/boss "FROM boss" {base}/deep/er "x" /private/filter "y")')

    def entries(options, entry=base):
        lines = c.ok(f"GETMETADATA {options} INBOX {entry}")
        return set(re.findall(r"(/[a-z/]+) \"", b"".join(lines).decode()))

    assert entries("(DEPTH 1)") == {f"{base}/small", f"{base}/boss"}
    assert entries("(DEPTH infinity)") == {
        f"{base}/small", f"{base}/boss", f"{base}/deep/er"}
    assert entries("(DEPTH 0)") == set()
    assert entries("(DEPTH infinity)", "/private/filters") == {
        f"{base}/small", f"{base}/boss", f"{base}/deep/er"}
    assert entries("(MAXSIZE 2 DEPTH infinity)") == {f"{base}/deep/er"}


def test_of_the_server_only_what_is_private_can_be_set(suite):
    """Who has entries of the server has what others are told."""
    s, c = quiet(suite)
    c.ok('SETMETADATA "" (/private/comment "mine")')
    assert c.ok('GETMETADATA "" /private/comment') == [
        b'* METADATA "" (/private/comment "mine")']
    assert b"NOPERM" in c.no('SETMETADATA "" (/shared/comment "for all")')
    # nobody else sees it
    other = s.imap("alice")
    assert other.ok('GETMETADATA "" /private/comment') == [
        b'* METADATA "" (/private/comment NIL)']


def test_all_of_a_command_or_nothing(suite):
    _, c = quiet(suite, "imap_metadata_max_size = 1024\n"
                 "imap_metadata_max_entries = 10\n")
    c.ok('SETMETADATA INBOX (/private/a "1")')
    text = c.no('SETMETADATA INBOX (/private/a "2" /private/b {})',
                b"x" * 1025)
    assert text.startswith(b"[METADATA MAXSIZE 1024]")
    many = " ".join(f'/private/n{i} "x"' for i in range(10))
    assert c.no(f'SETMETADATA INBOX (/private/a "2" {many})').startswith(
        b"[METADATA TOOMANY]")
    line, = c.ok("GETMETADATA INBOX (/private/a /private/b /private/n0)")
    assert line.endswith(b'(/private/a "1" /private/b NIL /private/n0 NIL)')


def test_special_uses_are_entries_too(suite):
    """RFC 6154 section 5.4."""
    _, c = quiet(suite)
    c.ok(r"CREATE SentMail (USE (\Sent))")
    c.ok("CREATE Other")
    entry = "/private/specialuse"
    assert c.ok(f"GETMETADATA SentMail {entry}") == [
        rf'* METADATA SentMail ({entry} "\\Sent")'.encode()]
    assert b"USEATTR" in c.no(rf'SETMETADATA Other ({entry} "\\Sent")')
    assert b"USEATTR" in c.no(rf'SETMETADATA Other ({entry} "\\Future")')
    c.ok(f"SETMETADATA SentMail ({entry} NIL)")
    c.ok(rf'SETMETADATA Other ({entry} "\\Sent")')
    got = listed(c, 'LIST "" % RETURN (SPECIAL-USE)')
    assert r"\Sent" in got["Other"] and r"\Sent" not in got["SentMail"]


def test_entries_go_with_their_mailbox(suite):
    _, c = quiet(suite)
    c.ok("CREATE foo")
    c.ok('SETMETADATA foo (/private/comment "kept")')
    c.ok("RENAME foo bar")
    assert c.ok("GETMETADATA bar /private/comment") == [
        b'* METADATA bar (/private/comment "kept")']
    c.ok("DELETE bar")
    c.ok("CREATE bar")
    assert c.ok("GETMETADATA bar /private/comment") == [
        b"* METADATA bar (/private/comment NIL)"]
    assert b"NONEXISTENT" in c.no("GETMETADATA nosuch /private/comment")
    assert b"NONEXISTENT" in c.no('SETMETADATA nosuch (/private/comment "x")')


@pytest.mark.parametrize("command", [
    "GETMETADATA", "GETMETADATA INBOX", "GETMETADATA INBOX comment",
    "GETMETADATA INBOX /other/comment", 'GETMETADATA INBOX "/private/%"',
    "GETMETADATA INBOX /private//comment", "GETMETADATA INBOX /private/",
    "GETMETADATA (DEPTH 2) INBOX /private/comment",
    "GETMETADATA (MAXSIZE x) INBOX /private/comment",
    "GETMETADATA INBOX ()", "SETMETADATA INBOX", "SETMETADATA INBOX ()",
    "SETMETADATA INBOX (/private/comment)",
    'SETMETADATA INBOX (/private "x")', 'SETMETADATA INBOX /private/a "x"'])
def test_bad_arguments(suite, command):
    _, c = quiet(suite)
    c.bad(command)
    c.ok("NOOP")


def test_what_is_wanted_twice_comes_once(suite):
    _, c = quiet(suite)
    c.ok('SETMETADATA INBOX (/private/comment "x")')
    assert c.ok("GETMETADATA INBOX (/private/comment /private/comment"
                " /private/none /private/none)") == [
        b'* METADATA INBOX (/private/comment "x" /private/none NIL)']
    assert c.ok("GETMETADATA (DEPTH infinity) INBOX (/private"
                " /private/comment)") == [
        b'* METADATA INBOX (/private/comment "x")']


def test_what_the_server_says_of_itself(suite):
    """Settings say it, and nobody else can: RFC 5464 section 6.2.1."""
    s = suite(main="disable_plaintext_auth = no\n"
              "imap_server_admin = mailto:postmaster@example.test\n"
              "imap_server_comment = moved to the new machine\n")
    c = s.imap()
    both = c.ok('GETMETADATA "" (/shared/admin /shared/comment)')
    assert both == [
        b'* METADATA "" (/shared/admin "mailto:postmaster@example.test" '
        b'/shared/comment "moved to the new machine")']
    (line,) = c.ok('GETMETADATA (DEPTH infinity) "" (/shared)')
    assert b"postmaster" in line and b"/private" not in line
    assert b"NOPERM" in c.no('SETMETADATA "" (/shared/admin "mailto:me")')
    assert b"NOPERM" in c.no('SETMETADATA "" (/shared/comment NIL)')
    c.ok('SETMETADATA "" (/private/comment "my own")')
    assert c.ok('GETMETADATA "" (/shared/admin /shared/comment)') == both
    quiet = suite(main="disable_plaintext_auth = no\n").imap("alice")
    assert quiet.ok('GETMETADATA "" /shared/admin') == [
        b'* METADATA "" (/shared/admin NIL)']
