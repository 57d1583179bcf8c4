# SPDX-License-Identifier: ISC
"""Thunderbird: R41.

The first test repeats what Thunderbird 153.7.0 said, recorded; the others are
written from what is known of versions from 115 on (which use CONDSTORE when
it is turned on), without a recording."""
from recorded import replay

MAIN = "imap_hibernate_timeout = 1s\n"
TEXT = (b"From: ann@example.test\r\nTo: bob@example.test\r\nSubject: %s\r\n"
        b"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nMessage-ID: <%s@x>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n"
        b"Hello\r\n")
HEADERS = ("From To Cc Bcc Subject Date Message-ID Priority X-Priority "
           "References Newsgroups In-Reply-To Content-Type Reply-To Received")


def test_recorded(suite):
    """Synchronising, reading, tags, folders, moving, copying, deleting, a
    draft, a sent message, a search, renaming; and another start."""
    s = suite(main="disable_plaintext_auth = no\n")
    assert replay(s, "thunderbird-153") > 300


def connect(s):
    """The first connection, up to the list of folders."""
    c = s.imap(user=None, tls="implicit")
    c.talk(r"""
        C: 1 capability
        S: * CAPABILITY IMAP4rev1 ...AUTH=PLAIN...
        S: 1 OK ...
        C: 2 authenticate PLAIN
        S: + ...
        C: AGJvYgBwb3N0aGFzdGU=
        S: 2 OK ...
        C: 3 capability
        S: * CAPABILITY IMAP4rev1 ...
        S: 3 OK ...
        C: 4 ID ("name" "Thunderbird" "version" "128.5.0")
        S: * ID (...)
        S: 4 OK ...
        C: 5 namespace
        S: * NAMESPACE (("" "/")) NIL NIL
        S: 5 OK ...
        C: 6 enable CONDSTORE UTF8=ACCEPT
        S: * ENABLED CONDSTORE UTF8=ACCEPT
        S: 6 OK ...
    """)
    return c


def test_first_start(suite):
    s = suite(main=MAIN)
    c = connect(s)
    c.talk(r"""
        C: 7 list (subscribed) "" "*" return (special-use)
        S* * LIST (...\Subscribed...) "/" Archive
        S* * LIST (...\Subscribed...) "/" Drafts
        S* * LIST (...\Subscribed...) "/" Junk
        S* * LIST (...\Subscribed...) "/" Sent
        S* * LIST (...\Subscribed...) "/" Trash
        S* * LIST (...) "/" INBOX
        S: 7 OK ...
        C: 8 list "" "INBOX"
        S: * LIST (\HasNoChildren) "/" INBOX
        S: 8 OK ...
        C: 9 select "INBOX" (CONDSTORE)
        S: * FLAGS (...)
        S: * OK [PERMANENTFLAGS (... \*)] ...
        S: * 0 EXISTS
        S: * 0 RECENT
        S: * OK [UIDVALIDITY <n>] ...
        S: * OK [UIDNEXT 1] ...
        S: * OK [HIGHESTMODSEQ <n>] ...
        S: * OK [MAILBOXID (...)] ...
        S: 9 OK [READ-WRITE] ...
        C: 10 getquotaroot "INBOX"
        S: * QUOTAROOT INBOX...
    """)
    while not c.line().startswith(b"10 OK"):
        pass
    c.talk(r"""
        C: 11 UID fetch 1:* (FLAGS)
        S: 11 OK ...
        C: 12 IDLE
        S: + idling
    """)


def test_new_mail_read_and_filed(suite):
    s = suite(main=MAIN)
    other = s.imap(tls="implicit")
    for n in range(3):
        other.append("INBOX", TEXT % (b"m%d" % n, b"m%d" % n))
    c = connect(s)
    lines = c.ok('select "INBOX" (CONDSTORE)')
    assert b"* 3 EXISTS" in lines
    lines = c.ok("UID fetch 1:* (FLAGS)")
    assert [x.split()[1] for x in lines] == [b"1", b"2", b"3"]
    lines = c.ok("UID fetch 1:3 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS "
                 f"({HEADERS})])")
    assert len(lines) == 3 and all(b"Subject: m" in x for x in lines)
    (line,) = c.ok("UID fetch 2 (UID RFC822.SIZE BODY[])")
    assert TEXT % (b"m1", b"m1") in line
    # new mail while in IDLE; DONE, and what it fetches, follow
    tag = c.idle()
    other.append("INBOX", TEXT % (b"m3", b"m3"))
    while b"* 4 EXISTS" != c.line():
        pass
    c.done(tag)
    c.ok("noop")
    (line,) = [x for x in c.ok("UID fetch 4:* (FLAGS)") if b"UID 4" in x]
    c.ok(r"uid store 2 +Flags (\Seen)")
    c.ok(r"uid store 3 +Flags ($label1 NonJunk)")
    (line,) = [x for x in c.ok("uid fetch 3 (FLAGS)")]
    assert b"$label1" in line and b"NonJunk" in line
    c.ok('uid move 2 "Trash"')
    assert c.ok("uid expunge 2") == [] and c.ok("close") == []


def test_sent_mail_is_filed(suite):
    """A second connection, with the message once more in Sent."""
    s = suite(main=MAIN)
    c = connect(s)
    text = TEXT % (b"sent", b"sent")
    c.talk(r"""
        C: 20 list "" "Sent"
        S: * LIST (...\Sent...) "/" Sent
        S: 20 OK ...
    """)
    uid = c.append('"Sent"', text, r"(\Seen)")
    assert uid == 1
    c.ok('select "Sent" (CONDSTORE)')
    assert c.ok('UID SEARCH HEADER Message-ID "<sent@x>"') == [b"* SEARCH 1"]
    # a draft replaces the one before it
    c.append('"Drafts"', text, r"(\Draft \Seen $MDNSent)")
    c.ok('select "Drafts" (CONDSTORE)')
    new = c.append('"Drafts"', text, r"(\Draft \Seen)")
    c.ok(r"uid store 1 +FLAGS (\Deleted)")
    c.ok("UID EXPUNGE 1")
    assert c.ok("UID SEARCH ALL") == [b"* SEARCH %d" % new]


def test_folders(suite):
    s = suite(main=MAIN)
    c = connect(s)
    # it has enabled UTF-8
    c.ok('create "Geschäft & Co/日本"')
    c.ok('subscribe "Geschäft & Co/日本"')
    c.talk(r"""
        C: 30 list "" "Geschäft*"
        S: * LIST (\HasChildren) "/" "Geschäft & Co"
        S: * LIST (\HasNoChildren) "/" "Geschäft & Co/日本"
        S: 30 OK ...
        C: 31 rename "Geschäft & Co/日本" "Trash/日本"
        S: 31 OK ...
        C: 32 STATUS "Trash/日本" (UIDNEXT MESSAGES UNSEEN RECENT)
        S: * STATUS "Trash/日本" (MESSAGES 0 RECENT 0 UIDNEXT 1 UNSEEN 0)
        S: 32 OK ...
        C: 33 delete "Trash/日本"
        S: 33 OK ...
        C: 34 logout
        S: * BYE ...
        S: 34 OK ...
    """)
    # one that has enabled nothing sees the same names in its own form
    assert b'* LIST (\\HasNoChildren) "/" "Gesch&AOQ-ft &- Co"' in s.imap(
        tls="implicit").ok('LIST "" Gesch*')
