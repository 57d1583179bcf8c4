# SPDX-License-Identifier: ISC
"""A long search does not hold up the user's other connections, and what it
learned serves the next one."""
import os

from mail_search import esearch, found
from many_messages import make
from posthaste import quick

OPEN = "disable_plaintext_auth = no\n"
COUNT = 20000


def fill(s):
    """Messages of 4 KB, every thousandth with the word: links to two."""
    line = b"A line of the usual length, and words that come again.\n"
    sources = [make(s, word.decode(), b"From: a@example.test\nSubject: text\n\n" +
                    line * 70 + word + b"\n") for word in (b"hay", b"needle")]
    for n in range(COUNT):
        source = sources[n % 1000 == 7]
        os.link(source, source.parent / "cur" / (
            f"{1700000000 + n}.M{n}P1.host,S={source.stat().st_size}:2,S"))


def test_others_go_on_meanwhile(suite):
    s = suite(main=OPEN, start=False)
    fill(s)
    s.start()
    busy, other = s.imap(), s.imap()
    busy.ok("SELECT INBOX")
    hits = [n for n in range(1, COUNT + 1) if n % 1000 == 8]
    most = 0
    for _ in range(3):
        tag = busy.start("SEARCH TEXT needle")
        rounds = 0
        while not busy.waiting(0.001):
            other.ok("NOOP")
            rounds += 1
        word, _, lines = busy.finish(tag)
        assert word == "OK" and found(lines) == hits
        most = max(rounds, most)
    # one that had to wait for the search's end would be the only one
    assert most >= 2, most
    # now that every message has been read once
    for text in ("SEARCH TEXT needle", "SEARCH RETURN (MIN) TEXT needle",
                 "SEARCH BODY nowhere"):
        lines = quick(text, 0.5, lambda: busy.ok(text))
        if "MIN" in text:
            assert esearch(lines)["MIN"] == 8
        else:
            assert found(lines) == (hits if "needle" in text else [])


def test_a_client_that_goes_ends_its_search(suite):
    s = suite(main=OPEN, start=False)
    fill(s)
    s.start()
    gone, other = s.imap(), s.imap()
    gone.ok("SELECT INBOX")
    gone.start("SEARCH TEXT needle")
    gone.close()
    other.ok("SELECT INBOX")
    assert found(other.ok("SEARCH UID 1:5 SEEN")) == [1, 2, 3, 4, 5]
    s.wait_log(r"logout user=<bob@example.test>")
    assert "given up" not in s.log()
