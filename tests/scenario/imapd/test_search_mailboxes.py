# SPDX-License-Identifier: ISC
"""ESEARCH in several mailboxes (RFC 7377)."""
import pytest

from mail_search import esearch_line, found

OPEN = "disable_plaintext_auth = no\n"


def message(subject):
    return f"Subject: {subject}\r\n\r\nbody\r\n".encode()


@pytest.fixture
def account(suite):
    c = suite(main=OPEN).imap()
    for name in ("folder1", "folder2", "folder2/banana", "folder2/peach",
                 "folder2/peach/stone"):
        c.ok(f"CREATE {name}")
        c.append(name, message("chad"))
        c.append(name, message("else"), r"(\Seen)")
    c.append("INBOX", message("chad"))
    return c


def ask(c, text):
    """{mailbox: answer}"""
    tag = c.start("ESEARCH " + text)
    word, rest, lines = c.finish(tag)
    assert word == "OK", rest
    rows = [esearch_line(x) for x in lines if x.startswith(b"* ESEARCH")]
    assert all(r["UID"] and r["TAG"] == tag.decode() for r in rows)
    assert len({r["MAILBOX"] for r in rows}) == len(rows)
    return {r["MAILBOX"]: r for r in rows}


@pytest.mark.parametrize("sources, mailboxes", [
    ('mailboxes "folder1" subtree "folder2"',
     {"folder1", "folder2", "folder2/banana", "folder2/peach",
      "folder2/peach/stone"}),
    ('subtree-one "folder2"', {"folder2", "folder2/banana", "folder2/peach"}),
    ('mailboxes (folder1 folder2 nowhere folder1)', {"folder1", "folder2"}),
    ("inboxes", {"INBOX"}),
    ("personal", {"INBOX", "folder1", "folder2", "folder2/banana",
                  "folder2/peach", "folder2/peach/stone"}),
])
def test_sources(account, sources, mailboxes):
    got = ask(account, f"IN ({sources}) SUBJECT chad")
    assert set(got) == mailboxes
    assert all(r["ALL"] == [1] for r in got.values())


def test_answers(account):
    got = ask(account, "IN (personal) RETURN (COUNT MIN) SEEN")
    assert all((r["COUNT"], r["MIN"]) == (1, 2) for r in got.values())
    assert "INBOX" not in got  # nothing is said where nothing matches
    assert ask(account, "IN (personal) RETURN (COUNT) DRAFT") == {}
    got = ask(account, "IN (subtree folder2) RETURN (PARTIAL -1:-1) ALL")
    assert got["folder2"]["PARTIAL"] == ("-1:-1", [2])


def test_the_selected_mailbox(account):
    c = account
    c.bad("ESEARCH ALL")
    c.bad("ESEARCH IN (selected) ALL")
    c.ok("SELECT folder1")
    assert set(ask(c, "ALL")) == {"folder1"}
    assert set(ask(c, "IN (selected mailboxes folder2) SEEN")) == {
        "folder1", "folder2"}
    # it is still selected, and messages are as they were
    assert found(c.ok("SEARCH SEEN")) == [2]
    assert ask(c, "RETURN (SAVE) UNSEEN") == {}
    assert found(c.ok("SEARCH $")) == [1]
    c.bad("ESEARCH IN (selected mailboxes folder2) RETURN (SAVE) ALL")


@pytest.mark.parametrize("text", [
    "IN () ALL", "IN (foo) ALL", "IN (mailboxes) ALL", "IN (mailboxes ()) ALL",
    "IN selected ALL", "IN (selected-delayed) ALL", "IN (inboxes)",
    "IN (inboxes (x y)) ALL", "",
])
def test_refusals(account, text):
    account.bad(f"ESEARCH {text}")
    assert set(ask(account, "IN (inboxes) ALL")) == {"INBOX"}
