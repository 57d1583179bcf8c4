# SPDX-License-Identifier: ISC
"""Dialogues as the RFCs print them."""
import pytest

OPEN = "disable_plaintext_auth = no\n"
# RFC 3501 section 8, RFC 9051 section 8
GRAY = (b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
        b"From: Terry Gray <gray@cac.washington.edu>\r\n"
        b"Subject: IMAP4rev2 WG mtg summary and minutes\r\n"
        b"To: imap@cac.washington.edu\r\n"
        b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
        b"Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n"
        + b"x\r\n" * 92)
# RFC 9051 section 6.3.12
FRED = (b"Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\n"
        b"From: Fred Foobar <foobar@Blurdybloop.example>\r\n"
        b"Subject: afternoon meeting\r\n"
        b"To: mooch@owatagu.siam.edu.example\r\n"
        b"Message-Id: <B27397-0100000@Blurdybloop.example>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n"
        b"Hello Joe, do you think we can meet at 3:30 tomorrow?\r\n\r\n")


@pytest.fixture
def c(suite):
    return suite(main=OPEN).imap()


def test_sample_connection(suite):
    """RFC 3501 section 8."""
    s = suite(main=OPEN)
    c = s.imap()
    for _ in range(11):
        c.append("INBOX", FRED)
    c.append("INBOX", GRAY, date='"17-Jul-1996 02:44:25 -0700"')
    c.logout()
    c = s.imap(user=None)
    assert c.greeting.startswith(b"* OK ")
    size = len(GRAY)
    c.talk(rf"""
        C: a001 login bob posthaste
        S: a001 OK ...
        C: a002 select inbox
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
        S: * OK [PERMANENTFLAGS ...
        S: * 12 EXISTS
        S: * <n> RECENT
        S: * OK [UNSEEN 1] ...
        S: * OK [UIDVALIDITY <n>] ...
        S: * OK [UIDNEXT 13] ...
        S: * OK [HIGHESTMODSEQ <n>] ...
        S: * OK [MAILBOXID (...)] ...
        S: a002 OK [READ-WRITE] ...
        C: a003 fetch 12 full
        S: * 12 FETCH (FLAGS (\Recent) INTERNALDATE "17-Jul-1996 09:44:25 +0000" RFC822.SIZE {size} ENVELOPE ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" (("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) ((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "<B27397-0100000@cac.washington.edu>") BODY ("text" "plain" ("charset" "US-ASCII") NIL NIL "7bit" 276 92))
        S: a003 OK ...
        C: a004 fetch 12 body[header]
    """)
    lines = []
    while not (line := c.line()).startswith(b"a004 "):
        lines.append(line)
    header = GRAY[:GRAY.index(b"\r\n\r\n") + 4]
    assert len(lines) == 1 and lines[0].startswith(b"* 12 FETCH (")
    assert b"BODY[HEADER] {%d}\r\n%s" % (len(header), header) in lines[0]
    assert b"FLAGS (\\Seen \\Recent)" in lines[0]
    c.talk(r"""
        C: a005 store 12 +flags \deleted
        S: * 12 FETCH (FLAGS (\Deleted \Seen \Recent))
        S: a005 OK ...
        C: a006 logout
        S: * BYE ...
        S: a006 OK ...
    """)


def test_append_and_copy(c):
    """RFC 9051 sections 6.3.12 and 6.4.7."""
    c.ok("CREATE saved-messages")
    c.talk(rf"""
        C: A003 APPEND saved-messages (\Seen) {{{len(FRED)}}}
        S: + OK
    """)
    c.send(FRED + b"\r\n")
    c.talk(r"""
        S: A003 OK [APPENDUID <validity> 1] ...
        C: A004 APPEND MEETING {3+}
        C: a
        C:
        S: A004 NO [TRYCREATE] ...
        C: A005 SELECT saved-messages
        S: * FLAGS ...
        S: * OK [PERMANENTFLAGS ...
        S: * 1 EXISTS
        S: * 1 RECENT
        S: * OK [UIDVALIDITY <validity>] ...
        S: * OK [UIDNEXT 2] ...
        S: * OK [HIGHESTMODSEQ ...
        S: * OK [MAILBOXID ...
        S: A005 OK [READ-WRITE] ...
        C: A006 COPY 1:1 MEETING
        S: A006 NO [TRYCREATE] ...
        C: A007 CREATE MEETING
        S: A007 OK ...
        C: A008 COPY 1 MEETING
        S: A008 OK [COPYUID <other> 1 1] ...
        C: A009 CLOSE
        S: A009 OK ...
    """)


def test_expunge_and_numbers(c):
    """RFC 9051 section 6.4.3: the numbers are those of each moment."""
    for _ in range(11):
        c.append("INBOX", FRED)
    c.ok("SELECT INBOX")
    c.ok(r"STORE 3,4,7,11 +FLAGS.SILENT (\Deleted)")
    lines = c.ok("EXPUNGE")
    left = list(range(1, 12))
    for line in lines:
        left.pop(int(line.split()[1]) - 1)
    assert left == [1, 2, 5, 6, 8, 9, 10]
    assert c.ok("UID SEARCH ALL") == [b"* SEARCH 1 2 5 6 8 9 10"]


def test_list_of_a_tree(c):
    """RFC 9051 section 6.3.9 and RFC 5258 section 5."""
    c.ok("CREATE owatagusiam/blurdybloop")
    c.ok("CREATE foo/bar/")
    c.ok("SUBSCRIBE foo/bar")
    c.talk(r"""
        C: A101 LIST "" ""
        S: * LIST (\Noselect) "/" ""
        S: A101 OK ...
        C: A202 LIST "" foo*
        S: * LIST (\HasChildren) "/" foo
        S: * LIST (\HasNoChildren) "/" foo/bar
        S: A202 OK ...
        C: A203 LIST foo/ %
        S: * LIST (\HasNoChildren) "/" foo/bar
        S: A203 OK ...
        C: A204 LIST (SUBSCRIBED) "" "foo*"
        S: * LIST (...\Subscribed...) "/" foo/bar
        S: A204 OK ...
        C: A205 LIST "" (owata% INBOX)
        S* * LIST (...) "/" owatagusiam
        S* * LIST (...) "/" INBOX
        S: A205 OK ...
        C: A206 LSUB "" foo/%
        S: * LSUB (...) "/" foo/bar
        S: A206 OK ...
    """)


def test_bad_and_no(c):
    """RFC 9051 section 7.1."""
    c.talk(r"""
        C: A222 COPY 1:2 owatagusiam
        S: A222 BAD ...
        C: A443 BLURDYBLOOP
        S: A443 BAD ...
        C: * NOOP
        S: * BAD ...
        C: A684 NOOP PLEASE
        S: A684 BAD ...
        C: A685 DELETE nowhere
        S: A685 NO [NONEXISTENT] ...
        C: A686 CREATE INBOX
        S: A686 NO [ALREADYEXISTS] ...
        C: A687 DELETE INBOX
        S: A687 NO [CANNOT] ...
    """)


def test_sasl_in_the_first_line(suite):
    """RFC 4959 section 3, RFC 9051 section 6.2.2."""
    c = suite(main=OPEN).imap(user=None)
    c.talk(r"""
        C: C01 CAPABILITY
        S: * CAPABILITY IMAP4rev1 ...SASL-IR...
        S: C01 OK ...
        C: A01 AUTHENTICATE PLAIN AGJvYgBwb3N0aGFzdGU=
        S: A01 OK [CAPABILITY IMAP4rev1 ...
    """)
