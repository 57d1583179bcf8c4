# SPDX-License-Identifier: ISC
"""Whatever a message holds, what FETCH says of it is valid IMAP, and what it
says of a part is the part."""
import pathlib

import hostile_messages
from fetched import MAIN, fetch, put, wire

HERE = pathlib.Path(__file__).resolve().parents[3]
CORPUS = sorted((HERE / "tests/corpus/odd").rglob("*.raw"))

def test_answers_are_valid(suite):
    s = suite(main=MAIN)
    messages = hostile_messages.messages() + [
        p.read_bytes() for p in CORPUS]
    assert len(CORPUS) > 10
    put(s, messages)
    c = s.imap()
    c.ok("SELECT INBOX")
    what = ("(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE "
            "EMAILID THREADID PREVIEW BODY.PEEK[] BODY.PEEK[HEADER] "
            "BODY.PEEK[TEXT] BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[1.1] "
            "BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)])")
    for utf8 in (False, True):
        found = fetch(c, what, utf8=utf8)
        assert len(found) == len(messages)
        for number, items in found.items():
            message = messages[number - 1]
            text = wire(message).replace(b"\0", b"\x80")
            assert items["RFC822.SIZE"] == len(text), number
            assert items["BODY[]"] == text, number
            assert items["BODY[HEADER]"] + items["BODY[TEXT]"] == text
        c.ok("ENABLE IMAP4rev2")
    c.ok("NOOP")


def test_line_of_a_mailbox_file(suite):
    """Where mail was moved out of such files, messages may begin with one: it
    is in the header, and no field of it."""
    s = suite(main=MAIN)
    fields = b"Subject: here\nFrom: Jo <jo@example.test>\n" \
             b"Content-Type: text/html\n"
    put(s, [start + fields + b"\n<p>body\n"
            for start in (b"From jo@x Mon Jan  1 00:00:00 2024\n",
                          b">From jo@x Mon Jan  1 00:00:00 2024\r\n")]
        + [b"Subject: other\n\nFrom one\n"])
    c = s.imap()
    c.ok("SELECT INBOX")
    # searched, sorted and shown from the same cut, cached or not
    for _ in range(2):
        assert c.ok("SEARCH SUBJECT here") == [b"* SEARCH 1 2"]
        assert c.ok("SEARCH FROM jo@example BODY body") == [b"* SEARCH 1 2"]
        assert c.ok("SEARCH BODY example") == [b"* SEARCH"]
        assert c.ok("SORT (SUBJECT) UTF-8 ALL") == [b"* SORT 1 2 3"]
        found = fetch(c, "(ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER] "
                      "BODY.PEEK[TEXT] BODY.PEEK[] "
                      "BODY.PEEK[HEADER.FIELDS (SUBJECT)] "
                      "BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)])")
        for n in (1, 2):
            items = found[n]
            assert items["ENVELOPE"][1] == b"here"
            assert items["BODYSTRUCTURE"]["subtype"] == b"html"
            assert items["BODY[TEXT]"] == b"<p>body\r\n"
            assert items["BODY[HEADER]"].endswith(wire(fields) + b"\r\n")
            assert items["BODY[HEADER]"] + items["BODY[TEXT]"] == \
                items["BODY[]"]
            assert items["BODY[HEADER.FIELDS (SUBJECT)]"] == \
                b"Subject: here\r\n\r\n"
            assert items["BODY[HEADER.FIELDS.NOT (SUBJECT)]"] == \
                wire(fields).split(b"\r\n", 1)[1] + b"\r\n"
        assert found[3]["BODY[TEXT]"] == b"From one\r\n"
