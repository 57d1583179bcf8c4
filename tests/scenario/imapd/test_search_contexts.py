# SPDX-License-Identifier: ISC
"""Searches that are kept up to date: CONTEXT (RFC 5267)."""
import random

from mail_search import esearch, esearch_line

OPEN = "disable_plaintext_auth = no\n"


def message(subject):
    return f"Subject: {subject}\r\n\r\nbody\r\n".encode()


def updates(lines, tag):
    return [esearch_line(x) for x in lines if x.startswith(b"* ESEARCH")
            and f'"{tag}"'.encode() in x]


def apply(result, lines, tag):
    """What a client does with updates (sections 4.3.3 and 4.3.4)."""
    for u in updates(lines, tag):
        for kind, pairs in u.get("changes", []):
            for position, numbers in pairs:
                if kind == "ADDTO" and position == 0:
                    result[:] = sorted(result + numbers)
                elif kind == "ADDTO":
                    result[position - 1:position - 1] = numbers
                elif position == 0:
                    assert all(n in result for n in numbers)
                    result[:] = [n for n in result if n not in numbers]
                else:
                    at = position - 1
                    assert result[at:at + len(numbers)] == numbers
                    del result[at:at + len(numbers)]


def test_dialogue(suite):
    s = suite(main=OPEN)
    c, other = s.imap(), s.imap()
    for i in range(3):
        c.append("INBOX", message(i))
    c.ok("SELECT INBOX")
    other.ok("SELECT INBOX")
    c.talk(r"""
        C: B01 UID SEARCH RETURN (UPDATE COUNT) DELETED KEYWORD $Junk
        S: * ESEARCH (TAG "B01") UID COUNT 0
        S: B01 OK ...
        C: B01 SORT RETURN (UPDATE) (DATE) UTF-8 FLAGGED
        S: B01 BAD Tag reuse
    """)
    other.ok(r"STORE 1:2 +FLAGS.SILENT (\Deleted $Junk)")
    lines = c.ok("NOOP")
    assert lines[-1] == b'* ESEARCH (TAG "B01") UID ADDTO (0 1:2)', lines
    assert any(b"FETCH" in x for x in lines[:-1])
    other.ok("STORE 1 -FLAGS.SILENT ($Junk)")
    assert c.ok("NOOP")[-1] == b'* ESEARCH (TAG "B01") UID REMOVEFROM (0 1)'
    # before the EXPUNGE that is its cause
    other.ok("UID EXPUNGE 2")
    assert c.ok("NOOP") == [
        b'* ESEARCH (TAG "B01") UID REMOVEFROM (0 2)', b"* 2 EXPUNGE"]
    c.ok('CANCELUPDATE "B01"')
    other.ok(r"STORE 1 +FLAGS.SILENT ($Junk)")
    assert updates(c.ok("NOOP"), "B01") == []


def test_there_is_an_end_to_them(suite):
    c = suite(main=OPEN).imap()
    c.append("INBOX", message(1))
    c.ok("SELECT INBOX")
    told = [c.ok("SEARCH RETURN (UPDATE) ALL") for _ in range(11)]
    assert not any(b"NOUPDATE" in x for x in told[9][0].split())
    assert any(x.startswith(b"* NO [NOUPDATE ") for x in told[10])
    assert esearch(told[10])["TAG"]
    c.ok("SELECT INBOX")  # they end with the mailbox
    assert not any(b"NOUPDATE" in x for x in c.ok(
        "SEARCH RETURN (UPDATE) ALL"))
    c.bad("CANCELUPDATE")


def test_contexts_stay_true(suite):
    """After any changes, what was told is what a new search finds."""
    r = random.Random(11)
    s = suite(main=OPEN)
    c, other = s.imap(), s.imap()
    for i in range(10):
        other.append("INBOX", message(r.randint(0, 5)))
    c.ok("SELECT INBOX")
    other.ok("SELECT INBOX")
    asked = {
        "t1": "UID SEARCH RETURN (UPDATE ALL) UNSEEN",
        "t2": "UID SEARCH RETURN (UPDATE ALL) OR FLAGGED SUBJECT 3",
        "t3": "UID SORT RETURN (UPDATE ALL) (SUBJECT REVERSE ARRIVAL) UTF-8 "
              "NOT FLAGGED",
        "t4": "UID SORT RETURN (UPDATE ALL) (REVERSE SUBJECT) US-ASCII ALL",
    }
    known = {}
    for tag, text in asked.items():
        c.send(f"{tag} {text}\r\n")
        word, _, lines = c.finish(tag.encode())
        assert word == "OK"
        known[tag] = esearch(lines).get("ALL", [])
    for step in range(40):
        for _ in range(r.randint(1, 4)):
            kind = r.randrange(4)
            if kind == 0:
                other.append("INBOX", message(r.randint(0, 5)))
            elif kind == 1 and step % 3 == 0:
                other.ok(f"UID STORE {r.randint(1, 60)} +FLAGS.SILENT "
                         r"(\Deleted)")
                other.ok("EXPUNGE")
            else:
                flag = r.choice([r"\Seen", r"\Flagged"])
                other.ok(f"UID STORE {r.randint(1, 60)} {r.choice('+-')}"
                         f"FLAGS.SILENT ({flag})")
        lines = c.ok("NOOP")
        for tag, text in asked.items():
            apply(known[tag], lines, tag)
            plain = text.replace("UPDATE ", "")
            assert known[tag] == esearch(c.ok(plain)).get("ALL", []), (
                step, tag, lines)


def test_updates_come_in_idle(suite):
    s = suite(main=OPEN)
    c, other = s.imap(), s.imap()
    c.append("INBOX", message("first"))
    c.ok("SELECT INBOX")
    c.send("t1 UID SEARCH RETURN (UPDATE COUNT) SUBJECT news\r\n")
    assert c.finish(b"t1")[0] == "OK"
    tag = c.idle()
    other.append("INBOX", message("old"))
    other.append("INBOX", message("news"))
    seen = []
    while not any(x.startswith(b"* ESEARCH") for x in seen):
        seen.append(c.line())
    assert seen[-1] == b'* ESEARCH (TAG "t1") UID ADDTO (0 3)', seen
    assert b"* 3 EXISTS" in seen[:-1]
    c.done(tag)
