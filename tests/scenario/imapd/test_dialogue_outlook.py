# SPDX-License-Identifier: ISC
"""What Outlook sends (classic on Windows, and the one for Mac and phones):
R41, and R45: mail filed into folders that others have removed.

Written from what is known of it, not recorded."""

MAIN = "imap_hibernate_timeout = 1s\n"
TEXT = (b"From: ann@example.test\r\nTo: <bob@example.test>\r\nSubject: %s\r\n"
        b"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nMessage-ID: <%s@x>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain;\r\n"
        b"\tcharset=\"us-ascii\"\r\n\r\nHello\r\n")
HEADER = ("Date Subject From To Cc Bcc Message-ID In-Reply-To References "
          "X-MSMail-Priority X-Priority Importance Content-Type Reply-To")


def connect(s):
    c = s.imap(user=None, tls="implicit")
    c.talk(r"""
        C: 9qbv CAPABILITY
        S: * CAPABILITY IMAP4rev1 ...
        S: 9qbv OK ...
        C: mqtz LOGIN "bob" "posthaste"
        S: mqtz OK ...
        C: 8mo3 CAPABILITY
        S: * CAPABILITY IMAP4rev1 ...
        S: 8mo3 OK ...
        C: 7jk1 ID ("name" "Microsoft.Outlook" "version" "16.0" "vendor" "Microsoft")
        S: * ID (...)
        S: 7jk1 OK ...
    """)
    return c


def test_first_sync(suite):
    s = suite(main=MAIN)
    other = s.imap(tls="implicit")
    for n in range(3):
        other.append("INBOX", TEXT % (b"m%d" % n, b"m%d" % n))
    c = connect(s)
    c.talk(r"""
        C: p4d0 LIST "" ""
        S: * LIST (\Noselect) "/" ""
        S: p4d0 OK ...
        C: 2bzz LIST "" "*"
        S* * LIST (...) "/" INBOX
        S* * LIST (...) "/" Archive
        S* * LIST (...) "/" Drafts
        S* * LIST (...) "/" Junk
        S* * LIST (...) "/" Sent
        S* * LIST (...) "/" Trash
        S: 2bzz OK ...
        C: h3xn LSUB "" "*"
        S* * LSUB (...) "/" Archive
        S* * LSUB (...) "/" Drafts
        S* * LSUB (...) "/" Junk
        S* * LSUB (...) "/" Sent
        S* * LSUB (...) "/" Trash
        S* * LSUB (...) "/" INBOX
        S: h3xn OK ...
        C: y01k STATUS "INBOX" (MESSAGES UNSEEN UIDNEXT)
        S: * STATUS INBOX (MESSAGES 3 UIDNEXT 4 UNSEEN 3)
        S: y01k OK ...
    """)
    lines = c.ok('SELECT "INBOX"')
    assert b"* 3 EXISTS" in lines
    assert len(c.ok("UID FETCH 1:* (UID FLAGS)")) == 3
    lines = c.ok("UID FETCH 1:3 (UID FLAGS RFC822.SIZE INTERNALDATE "
                 f"BODY.PEEK[HEADER.FIELDS ({HEADER})])")
    assert len(lines) == 3
    (line,) = c.ok("UID FETCH 2 (UID BODYSTRUCTURE)")
    (line,) = c.ok("UID FETCH 2 (BODY.PEEK[] UID)")
    assert TEXT % (b"m1", b"m1") in line
    c.ok(r"UID STORE 2 +FLAGS (\Seen)")
    # deleting marks, purging removes
    c.ok(r"UID STORE 2 +FLAGS.SILENT (\Deleted)")
    assert c.ok("UID SEARCH 1:* NOT DELETED") == [b"* SEARCH 1 3"]
    assert c.ok("EXPUNGE") == [b"* 2 EXPUNGE"]


def test_folders_for_deep_names(suite):
    """The parents are real, so what is filed there is not lost."""
    s = suite(main=MAIN)
    c = connect(s)
    c.ok('CREATE "Clients/Acme/2024"')
    for name in ("Clients", "Clients/Acme", "Clients/Acme/2024"):
        c.ok(f'SUBSCRIBE "{name}"')
        assert c.append(f'"{name}"', TEXT % (b"a", b"a"), r"(\Seen)") == 1
        assert b"* 1 EXISTS" in c.ok(f'SELECT "{name}"')


def test_a_folder_that_is_gone(suite):
    """R45: NO with TRYCREATE; what was to be filed stays where it is."""
    s = suite(main=MAIN)
    c = connect(s)
    c.ok('CREATE "Filed"')
    c.append("INBOX", TEXT % (b"m", b"m"))
    c.ok('SELECT "INBOX"')
    other = s.imap(tls="implicit")
    other.ok("DELETE Filed")
    for command in ('UID COPY 1 "Filed"', 'UID MOVE 1 "Filed"'):
        assert c.no(command).startswith(b"[TRYCREATE]")
    word, text, _ = c.command('APPEND "Filed" {}', TEXT % (b"x", b"x"))
    assert word == "NO" and text.startswith(b"[TRYCREATE]")
    assert c.ok("UID SEARCH ALL") == [b"* SEARCH 1"]
    c.ok('CREATE "Filed"')
    c.ok('UID MOVE 1 "Filed"')
    assert b"* 1 EXISTS" in c.ok('SELECT "Filed"')


def test_idle_and_poll(suite):
    s = suite(main=MAIN)
    c = connect(s)
    other = s.imap(tls="implicit")
    c.ok('SELECT "INBOX"')
    for n in range(2):
        tag = c.idle()
        other.append("INBOX", TEXT % (b"i", b"i"))
        while c.line() != b"* %d EXISTS" % (n + 1):
            pass
        c.done(tag)
        assert any(b"UID %d " % (n + 1) in x for x in c.ok(
            f"UID FETCH {n + 1}:* (UID FLAGS)"))
    c.ok('STATUS "Sent" (MESSAGES UNSEEN UIDNEXT)')
    c.ok("CHECK")
    c.ok("CLOSE")
    c.logout()
