# SPDX-License-Identifier: ISC
"""A long search does not hold up the user's other connections, and what it
learned serves the next one."""
import os

from mail_search import esearch, found
from posthaste import owner_ids, quick

OPEN = "disable_plaintext_auth = no\n"
COUNT = 10000


def fill(home):
    """Messages of 4 KB, every thousandth with the word."""
    for part in ("cur", "new", "tmp"):
        (home / part).mkdir(parents=True, exist_ok=True)
    line = "A line of the usual length, and words that come again.\n"
    for n in range(COUNT):
        text = (f"From: a@example.test\nSubject: number {n}\n\n"
                f"{line * 70}{'the needle' if n % 1000 == 7 else 'hay'}\n")
        name = f"{1700000000 + n}.M{n}P1.host,S={len(text)}:2,S"
        (home / "cur" / name).write_text(text)
    for folder, _, names in os.walk(home):
        for path in [folder] + [os.path.join(folder, n) for n in names]:
            os.chown(path, *owner_ids())


def test_others_go_on_meanwhile(suite):
    s = suite(main=OPEN, start=False)
    fill(s.maildir("bob"))
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
    assert most >= 3, most
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
    fill(s.maildir("bob"))
    s.start()
    gone, other = s.imap(), s.imap()
    gone.ok("SELECT INBOX")
    gone.start("SEARCH TEXT needle")
    gone.close()
    other.ok("SELECT INBOX")
    assert found(other.ok("SEARCH UID 1:5 SEEN")) == [1, 2, 3, 4, 5]
    s.wait_log(r"logout user=<bob@example.test>")
    assert "given up" not in s.log()
