# SPDX-License-Identifier: ISC
"""What Apple Mail and iOS send: R40, R41. iOS 18 puts DONE and the commands
behind it into one packet; servers that dropped the rest made it hang.

Written from reports of its trouble and what is known of it, not recorded."""

MAIN = "imap_hibernate_timeout = 1s\n"
TEXT = (b"From: ann@example.test\r\nTo: bob@example.test\r\nSubject: %s\r\n"
        b"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nMessage-Id: <%s@x>\r\n"
        b"Mime-Version: 1.0\r\n"
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<p>Hello\r\n--b--\r\n")
FIELDS = ("date subject from to cc message-id in-reply-to references "
          "content-type x-priority x-uniform-type-identifier x-universally-"
          "unique-identifier list-id list-unsubscribe bimi-indicator "
          "bimi-location authentication-results dkim-signature")


def connect(s):
    c = s.imap(user=None, tls="implicit")
    c.talk(r"""
        C: 1.1 CAPABILITY
        S: * CAPABILITY IMAP4rev1 ...
        S: 1.1 OK ...
        C: 2.1 AUTHENTICATE PLAIN AGJvYgBwb3N0aGFzdGU=
        S: 2.1 OK [CAPABILITY IMAP4rev1 ...
        C: 3.1 CAPABILITY
        S: * CAPABILITY IMAP4rev1 ...
        S: 3.1 OK ...
        C: 4.1 ID ("name" "iPhone Mail" "version" "22A3354" "os" "iOS" "os-version" "18.0 (22A3354)")
        S: * ID (...)
        S: 4.1 OK ...
        C: 5.1 ENABLE CONDSTORE QRESYNC
        S: * ENABLED CONDSTORE QRESYNC
        S: 5.1 OK ...
        C: 6.1 NAMESPACE
        S: * NAMESPACE (("" "/")) NIL NIL
        S: 6.1 OK ...
        C: 7.1 LIST "" "*" RETURN (SPECIAL-USE)
        S* * LIST (...) "/" INBOX
        S* * LIST (...\Archive...) "/" Archive
        S* * LIST (...\Drafts...) "/" Drafts
        S* * LIST (...\Junk...) "/" Junk
        S* * LIST (...\Sent...) "/" Sent
        S* * LIST (...\Trash...) "/" Trash
        S: 7.1 OK ...
    """)
    return c


def fill(s, n):
    other = s.imap(tls="implicit")
    for i in range(n):
        other.append("INBOX", TEXT % (b"m%d" % i, b"m%d" % i))
    return other


def test_first_sync(suite):
    s = suite(main=MAIN)
    fill(s, 4)
    c = connect(s)
    lines = c.ok("SELECT INBOX (CONDSTORE)")
    assert b"* 4 EXISTS" in lines
    lines = c.ok("FETCH 1:4 (UID FLAGS)")
    assert len(lines) == 4
    # the order of the answers is that of the numbers
    lines = c.ok(
        "UID FETCH 1:4 (INTERNALDATE UID RFC822.SIZE FLAGS "
        f"BODY.PEEK[HEADER.FIELDS ({FIELDS})])")
    assert len(lines) == 4 and all(b"Subject: m" in x for x in lines)
    (line,) = c.ok("UID FETCH 3 (BODYSTRUCTURE BODY.PEEK[HEADER])")
    assert b'"alternative"' in line.lower()
    (line,) = c.ok("UID FETCH 3 (BODY.PEEK[1.MIME] BODY.PEEK[1]<0.32768> "
                   "BODY.PEEK[2]<0.32768>)")
    assert b"BODY[1]<0> {5}\r\nHello" in line
    assert c.ok("UID SEARCH 1:4 NOT DELETED") == [b"* SEARCH 1 2 3 4"]
    assert c.ok("UID SEARCH RETURN (ALL) UID 1:* UNSEEN")[0].endswith(
        b"UID ALL 1:4")


def test_idle_in_one_packet(suite):
    s = suite(main=MAIN)
    other = fill(s, 1)
    c = connect(s)
    c.ok("SELECT INBOX (CONDSTORE)")
    for round_ in range(3):
        tag = c.idle()
        other.append("INBOX", TEXT % (b"n", b"n"))
        while c.line() != b"* %d EXISTS" % (2 + round_):
            pass
        # all in one packet, as iOS 18 does
        c.send(b"DONE\r\n12.1 NOOP\r\n13.1 UID FETCH %d:* (UID FLAGS)\r\n"
               b"14.1 STATUS Sent (MESSAGES UIDNEXT UIDVALIDITY)\r\n"
               b"15.1 IDLE\r\n" % (2 + round_))
        assert c.finish(tag)[0] == "OK"
        assert c.finish(b"12.1")[0] == "OK"
        word, _, lines = c.finish(b"13.1")
        assert word == "OK" and any(b"UID %d" % (2 + round_) in x
                                    for x in lines)
        word, _, lines = c.finish(b"14.1")
        assert word == "OK" and lines[-1].startswith(b"* STATUS Sent (")
        while not c.line().startswith(b"+"):
            pass
        c.send(b"DONE\r\n")
        assert c.finish(b"15.1")[0] == "OK"


def test_comes_again(suite):
    """QRESYNC, with what it knows; then only what changed."""
    s = suite(main=MAIN)
    other = fill(s, 6)
    c = connect(s)
    names = c.talk(r"""
        C: 8.1 SELECT INBOX (CONDSTORE)
        S: * FLAGS ...
        S: * OK [PERMANENTFLAGS ...
        S: * 6 EXISTS
        S: * <n> RECENT
        S: * OK [UNSEEN 1] ...
        S: * OK [UIDVALIDITY <validity>] ...
        S: * OK [UIDNEXT 7] ...
        S: * OK [HIGHESTMODSEQ <modseq>] ...
        S: * OK [MAILBOXID ...
        S: 8.1 OK ...
    """)
    c.close()
    other.ok("SELECT INBOX")
    other.ok(r"UID STORE 2,5 +FLAGS.SILENT (\Deleted)")
    other.ok("EXPUNGE")
    other.ok(r"UID STORE 6 +FLAGS.SILENT (\Seen)")
    c = connect(s)
    lines = c.ok(f"SELECT INBOX (QRESYNC ({names['validity']} "
                 f"{names['modseq']} 1:6))")
    told = [x for x in lines if b"VANISHED" in x or b" FETCH " in x]
    assert told[0] == b"* VANISHED (EARLIER) 2,5"
    assert len(told) == 2 and b"* 4 FETCH (UID 6 FLAGS (\\Seen)" in told[1]


def test_flags_of_many_in_sets(suite):
    """Long sets, flags of Apple's, archive by COPY where MOVE fails."""
    s = suite(main=MAIN)
    fill(s, 30)
    c = connect(s)
    c.ok("SELECT INBOX (CONDSTORE)")
    odd = ",".join(str(n) for n in range(1, 31, 2))
    c.ok(f"UID STORE {odd} +FLAGS.SILENT "
         r"(\Seen $MailFlagBit0 $NotJunk JunkRecorded)")
    lines = c.ok("UID FETCH 1:30 (UID FLAGS)")
    assert sum(b"$MailFlagBit0" in x for x in lines) == 15
    c.ok(f"UID MOVE {odd} Archive")
    c.ok(f"UID MOVE {odd} Archive")  # again: they are gone, and that is fine
    assert len(c.ok("UID FETCH 1:* (UID FLAGS)")) == 15
    c.ok("UID COPY 2 Trash")
    c.ok(r"UID STORE 2 +FLAGS.SILENT (\Deleted)")
    assert c.ok("UID EXPUNGE 2") == [b"* VANISHED 2"]
    uid = c.append("Sent", TEXT % (b"s", b"s"),
                   r"(\Seen $NotJunk)", '"17-Jul-1996 02:44:25 -0700"')
    assert uid == 1
    c.ok("UNSELECT")
    c.logout()
