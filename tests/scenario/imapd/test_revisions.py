# SPDX-License-Identifier: ISC
"""IMAP4rev1 to the letter until IMAP4rev2 is enabled (R41): RFC 9051 appendix
E, RFC 3501, RFC 5161, RFC 6855."""

OPEN = "disable_plaintext_auth = no\n"
TEXT = b"Subject: x\r\n\r\ny\r\n"


def test_rev1(suite):
    s = suite(main=OPEN)
    c = s.imap()
    c.append("INBOX", TEXT, r"(\Seen)")
    c.append("INBOX", TEXT)
    c.ok("CREATE Entw&APw-rfe")
    c.talk(r"""
        C: a SELECT INBOX
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
        S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] ...
        S: * 2 EXISTS
        S: * 2 RECENT
        S: * OK [UNSEEN 2] ...
        S: * OK [UIDVALIDITY <validity>] ...
        S: * OK [UIDNEXT 3] ...
        S: * OK [HIGHESTMODSEQ <n>] ...
        S: * OK [MAILBOXID (<id>)] ...
        S: a OK [READ-WRITE] ...
        C: b SEARCH UNSEEN
        S: * SEARCH 2
        S: b OK ...
        C: c FETCH 1 FLAGS
        S: * 1 FETCH (FLAGS (\Seen \Recent))
        S: c OK ...
        C: d STATUS INBOX (RECENT)
        S: * STATUS INBOX (RECENT 0)
        S: d OK ...
        C: e LIST "" Entw*
        S: * LIST (\HasNoChildren) "/" Entw&APw-rfe
        S: e OK ...
        C: f SUBSCRIBE Entw&APw-rfe
        S: f OK ...
        C: g LSUB "" *rfe
        S: * LSUB (...) "/" Entw&APw-rfe
        S: g OK ...
        C: h CHECK
        S: h OK ...
        C: i EXAMINE INBOX
        S: * OK [CLOSED] ...
        S: * FLAGS ...
        S: * OK [PERMANENTFLAGS ()] ...
        S: * 2 EXISTS
        S: * 0 RECENT
        S: * OK [UNSEEN 2] ...
        S: * OK [UIDVALIDITY <validity>] ...
        S: * OK [UIDNEXT 3] ...
        S: * OK [HIGHESTMODSEQ <n>] ...
        S: * OK [MAILBOXID (<id>)] ...
        S: i OK [READ-ONLY] ...
        C: j FETCH 1 FLAGS
        S: * 1 FETCH (FLAGS (\Seen))
        S: j OK ...
    """)


def test_rev2(suite):
    s = suite(main=OPEN)
    c = s.imap()
    assert {"IMAP4rev1", "IMAP4rev2", "ENABLE"} <= set(c.capabilities())
    c.append("INBOX", TEXT)
    c.ok("CREATE Entw&APw-rfe")
    c.talk(r"""
        C: a ENABLE IMAP4rev2
        S: * ENABLED IMAP4rev2
        S: a OK ...
        C: b SELECT INBOX
        S: * FLAGS ...
        S: * OK [PERMANENTFLAGS ...] ...
        S: * 1 EXISTS
        S: * OK [UIDVALIDITY <n>] ...
        S: * OK [UIDNEXT 2] ...
        S: * OK [HIGHESTMODSEQ <n>] ...
        S: * OK [MAILBOXID (<id>)] ...
        S: * LIST (...) "/" INBOX
        S: b OK [READ-WRITE] ...
        C: c UID SEARCH ALL
        S: * ESEARCH (TAG "c") UID ALL 1
        S: c OK ...
        C: d UID FETCH 1 FLAGS
        S: * 1 FETCH (UID 1 FLAGS ())
        S: d OK ...
        C: e LIST "" Entw*
        S: * LIST (\HasNoChildren) "/" "Entwürfe"
        S: e OK ...
        C: f SELECT "Entwürfe"
        S: * OK [CLOSED] ...
        S: * FLAGS ...
        S: * OK [PERMANENTFLAGS ...] ...
        S: * 0 EXISTS
        S: * OK [UIDVALIDITY <n>] ...
        S: * OK [UIDNEXT 1] ...
        S: * OK [HIGHESTMODSEQ <n>] ...
        S: * OK [MAILBOXID (...)] ...
        S: * LIST (...) "/" "Entwürfe"
        S: f OK [READ-WRITE] ...
    """)


def test_recent_is_for_one_session(suite):
    s = suite(main=OPEN)
    s.imap().append("INBOX", TEXT)
    a, b, d = s.imap(), s.imap(), s.imap()
    assert b"* 1 RECENT" in a.ok("EXAMINE INBOX")
    assert b"* 1 RECENT" in b.ok("SELECT INBOX")
    assert b"* 0 RECENT" in d.ok("SELECT INBOX")
    assert d.ok("FETCH 1 FLAGS") == [rb"* 1 FETCH (FLAGS ())"]
    assert b.ok("FETCH 1 FLAGS") == [rb"* 1 FETCH (FLAGS (\Recent))"]


def test_enable(suite):
    c = suite(main=OPEN).imap()
    c.talk(r"""
        C: a ENABLE NONSENSE
        S: * ENABLED
        S: a OK ...
        C: b ENABLE condstore X-OTHER
        S: * ENABLED CONDSTORE
        S: b OK ...
        C: c ENABLE QRESYNC CONDSTORE
        S: * ENABLED QRESYNC
        S: c OK ...
        C: d ENABLE QRESYNC
        S: * ENABLED
        S: d OK ...
        C: e ENABLE
        S: e BAD ...
        C: f ENABLE (QRESYNC)
        S: f BAD ...
        C: g ENABLE UTF8=ACCEPT
        S: * ENABLED UTF8=ACCEPT
        S: g OK ...
        C: h CREATE "é&"
        S: h OK ...
        C: i LIST "" "é*"
        S: * LIST (...) "/" "é&"
        S: i OK ...
    """)


def test_what_is_legal_when(suite):
    c = suite(main=OPEN).imap()
    for command in ("FETCH 1 FLAGS", "STORE 1 FLAGS ()", "SEARCH ALL",
                    "COPY 1 INBOX", "CLOSE", "UNSELECT", "EXPUNGE", "CHECK",
                    "UID FETCH 1 FLAGS", "LOGIN bob posthaste", "STARTTLS",
                    "AUTHENTICATE PLAIN", "UID NOOP", "UID", "FROBNICATE",
                    "SELECT", "NOOP x", "SELECT INBOX (NONSENSE)"):
        c.bad(command)
        c.ok("NOOP")  # errors in a row would end it
    c.no("SELECT nowhere")
    c.ok("SELECT INBOX")
    assert b"[NONEXISTENT]" in c.no("SELECT nowhere")
    c.bad("FETCH 1 FLAGS")  # RFC 3501 section 6.3.1: nothing is selected
    c.logout()


def test_too_many_errors(suite):
    s = suite(main=OPEN + "imap_error_limit = 3\n")
    c = s.imap()
    for _ in range(3):
        c.bad("NONSENSE")
    c.ok("NOOP")
    for _ in range(4):
        c.bad("NONSENSE")
    assert c.closed() == [b"* BYE Too many errors"]
    s.wait_log("reason=.too many errors: see imap_error_limit")


def test_idle_too_long(suite):
    s = suite(main=OPEN + "imap_timeout = 1s\n")
    c = s.imap()
    assert c.closed() == [b"* BYE Disconnected for inactivity"]
    s.wait_log("reason=.timeout: see imap_timeout")
