# SPDX-License-Identifier: ISC
"""What K-9 Mail and Thunderbird for Android send: R41.

Written from what is known of it, not recorded."""
import zlib

from test_compress import Deflated

MAIN = "imap_hibernate_timeout = 1s\n"
TEXT = (b"From: ann@example.test\r\nTo: bob@example.test\r\nSubject: %s\r\n"
        b"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nMessage-ID: <%s@x>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHello\r\n")
HEADERS = ("date subject from content-type to cc reply-to message-id "
           "references in-reply-to list-unsubscribe sender X-K9mail-Identity "
           "Chat-Version")


def connect(s, compress=True):
    c = s.imap(user=None, tls="implicit")
    c.talk(r"""
        C: 1 CAPABILITY
        S: * CAPABILITY IMAP4rev1 ...
        S: 1 OK ...
        C: 2 AUTHENTICATE PLAIN AGJvYgBwb3N0aGFzdGU=
        S: 2 OK [CAPABILITY ...
    """)
    if compress:
        c.ok("COMPRESS DEFLATE")
        c.socket = Deflated(c.socket)
        assert isinstance(c.socket.out, type(zlib.compressobj()))
    c.talk(r"""
        C: 4 ID ("name" "K-9 Mail")
        S: * ID (...)
        S: 4 OK ...
        C: 5 NAMESPACE
        S: * NAMESPACE (("" "/")) NIL NIL
        S: 5 OK ...
    """)
    return c


def test_folder_list(suite):
    c = connect(suite(main=MAIN))
    c.talk(r"""
        C: 6 LIST "" "*" RETURN (SPECIAL-USE)
        S* * LIST (...) "/" INBOX
        S* * LIST (...\Archive...) "/" Archive
        S* * LIST (...\Drafts...) "/" Drafts
        S* * LIST (...\Junk...) "/" Junk
        S* * LIST (...\Sent...) "/" Sent
        S* * LIST (...\Trash...) "/" Trash
        S: 6 OK ...
        C: 7 LIST "" "INBOX"
        S: * LIST (...) "/" INBOX
        S: 7 OK ...
    """)


def test_sync(suite):
    s = suite(main=MAIN)
    other = s.imap(tls="implicit")
    for n in range(5):
        other.append("INBOX", TEXT % (b"m%d" % n, b"m%d" % n))
    c = connect(s)
    assert b"* 5 EXISTS" in c.ok('SELECT "INBOX"')
    (line,) = c.ok("UID SEARCH 1:5 NOT DELETED")
    assert line == b"* SEARCH 1 2 3 4 5"
    assert c.ok("UID SEARCH SINCE 01-Jan-1990 NOT DELETED") == [line]
    lines = c.ok("UID FETCH 5,4,3,2,1 (UID FLAGS INTERNALDATE RFC822.SIZE "
                 f"BODY.PEEK[HEADER.FIELDS ({HEADERS})])")
    assert len(lines) == 5
    lines = c.ok("UID FETCH 1,2,3,4,5 (UID BODYSTRUCTURE)")
    assert len(lines) == 5
    # not all of a large one, at first
    lines = c.ok("UID FETCH 2 (UID BODY.PEEK[]<0.32768>)")
    assert b"BODY[]<0> {" in lines[0]
    lines = c.ok("UID FETCH 2 (UID BODY.PEEK[TEXT]<0.32768>)")
    assert lines[0].endswith(b"Hello\r\n)")
    c.ok(r"UID STORE 2 +FLAGS.SILENT (\Seen)")
    c.ok(r"UID STORE 2 +FLAGS.SILENT (\Answered $Forwarded)")
    c.ok('UID COPY 4,5 "Archive"')
    c.ok(r"UID STORE 4,5 +FLAGS.SILENT (\Deleted)")
    c.ok("UID EXPUNGE 4,5")
    c.ok('UID MOVE 3 "Trash"')
    (line,) = c.ok("UID SEARCH 1:* NOT DELETED")
    assert line == b"* SEARCH 1 2"
    c.ok("CLOSE")


def test_push(suite):
    """A connection in IDLE; it is broken by DONE after each event."""
    s = suite(main=MAIN)
    c = connect(s, compress=False)
    other = s.imap(tls="implicit")
    assert b"* 0 EXISTS" in c.ok('EXAMINE "INBOX"')
    c.ok("UID SEARCH *:*")
    for n in (1, 2, 3):
        tag = c.idle()
        other.append("INBOX", TEXT % (b"p", b"p"))
        while not c.line().startswith(b"* %d EXISTS" % n):
            pass
        c.send(b"DONE\r\n")
        assert c.finish(tag)[0] == "OK"
        c.ok("UID SEARCH UID 1:*")


def test_upload(suite):
    """A message sent goes to Sent; its UID is looked for by Message-ID."""
    s = suite(main=MAIN)
    c = connect(s)
    assert c.append('"Sent"', TEXT % (b"out", b"out"), r"(\Seen)",
                    '"17-Jul-1996 02:44:25 -0700"') == 1
    c.ok('SELECT "Sent"')
    assert c.ok('UID SEARCH HEADER MESSAGE-ID "<out@x>"') == [b"* SEARCH 1"]
    assert c.append('"Drafts"', TEXT % (b"d", b"d"), r"(\Seen \Draft)") == 1
    c.logout()
