# SPDX-License-Identifier: ISC
"""Searches once message numbers are out of use (UIDONLY, RFC 9586)."""
from mail_search import esearch, found

OPEN = "disable_plaintext_auth = no\n"


def test_only_uids(suite):
    c = suite(main=OPEN).imap()
    for n in range(3):
        c.append("INBOX", f"Subject: {n}\r\n\r\nx\r\n".encode())
    c.ok("SELECT INBOX")
    c.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
    c.ok("EXPUNGE")
    c.ok("ENABLE UIDONLY")
    for text in ("SEARCH ALL", "SORT (DATE) UTF-8 ALL",
                 "THREAD REFERENCES UTF-8 ALL", "UID SEARCH 1:2",
                 "UID SEARCH NOT *"):
        assert b"[UIDREQUIRED]" in c.bad(text), text
    assert found(c.ok("UID SEARCH ALL")) == [2, 3]
    assert found(c.ok("UID SEARCH UID 3:*")) == [3]
    assert esearch(c.ok("UID SEARCH RETURN (SAVE ALL) SUBJECT 1"))[
        "ALL"] == [2]
    assert found(c.ok("UID SEARCH $")) == [2]
    assert found(c.ok("UID SORT (REVERSE SUBJECT) UTF-8 ALL"),
                 b"SORT") == [3, 2]
