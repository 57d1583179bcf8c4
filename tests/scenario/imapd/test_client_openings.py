# SPDX-License-Identifier: ISC
"""How clients ask for their folders when they begin: R41, R44, R45.

Commands of the kinds that each of them is known for, not recordings; what they
look for in the answer is checked, in any order.
"""
import pytest

from posthaste import wait_for
from test_list import PLAIN, SPECIAL, listed, make, parse

MESSAGE = b"Subject: one\r\n\r\ntext\r\n"


@pytest.fixture
def mail(suite):
    """bob's account with folders of people: umlauts, "&", quotes, levels."""
    s = suite(main=PLAIN)
    c = s.imap()
    make(c, "Projects/2024/Spring", "R&-D", "Caf&AOk-")
    c.ok(r'CREATE "say \"hi\""')
    for name in ("INBOX", "Projects", "Projects/2024/Spring", "R&-D"):
        c.ok(f'SUBSCRIBE "{name}"')
    c.append("INBOX", MESSAGE)
    c.logout()
    return s


EVERYTHING = {"INBOX", "Projects", "Projects/2024", "Projects/2024/Spring",
              "R&-D", "Caf&AOk-", 'say "hi"', *SPECIAL}


def specials(got):
    return {name for name, attributes in got.items()
            if attributes & {rf"\{x}" for x in SPECIAL}}


def test_thunderbird(mail):
    c = mail.imap()
    names = c.capabilities()
    assert {"NAMESPACE", "LIST-EXTENDED", "SPECIAL-USE"} <= set(names)
    c.ok("NAMESPACE")
    got = listed(c, 'LIST (SUBSCRIBED) "" "*" RETURN (SPECIAL-USE)')
    assert {"INBOX", "Projects", "Projects/2024/Spring", "R&-D",
            *SPECIAL} == set(got)
    assert specials(got) == set(SPECIAL)
    assert set(listed(c, 'LIST "" "INBOX"')) == {"INBOX"}
    # the dialogue for subscriptions opens level by level
    top = listed(c, 'LIST "" "%"')
    assert r"\HasChildren" in top["Projects"]
    assert set(listed(c, 'LIST "" "Projects/%"')) == {"Projects/2024"}
    assert set(listed(c, 'LIST "" "%/%"')) == {"Projects/2024"}


def test_apple_mail(mail):
    c = mail.imap()
    got = listed(c, 'LIST "" "*"')
    assert set(got) == EVERYTHING and specials(got) == set(SPECIAL)
    assert [parse(x)[2] for x in c.ok('LIST "" ""')] == [""]
    # status of each, in one packet
    tags = [c.start(f'STATUS "{name}" (MESSAGES UNSEEN UIDNEXT UIDVALIDITY)')
            for name in ("INBOX", *SPECIAL)]
    for tag in tags:
        word, _, lines = c.finish(tag)
        assert word == "OK" and any(b"STATUS" in x for x in lines)


def test_outlook(mail):
    c = mail.imap()
    assert set(listed(c, 'LSUB "" "*"')) == {
        "INBOX", "Projects", "Projects/2024/Spring", "R&-D", *SPECIAL}
    assert set(listed(c, 'LIST "" "*"')) == EVERYTHING
    # files into a parent nobody made by hand, and into one that is new
    c.append("Projects/2024", MESSAGE)
    c.ok('CREATE "Kunden/Neu"')
    c.append("Kunden", MESSAGE)
    c.ok("SELECT Kunden")
    # one that was removed elsewhere meanwhile says so
    other = mail.imap()
    other.ok("DELETE Projects/2024/Spring")
    assert b"TRYCREATE" in c.no("COPY 1 Projects/2024/Spring")
    assert b"TRYCREATE" in c.no("APPEND Projects/2024/Spring {}", MESSAGE)


def test_k_9_and_nextcloud(mail):
    c = mail.imap()
    got = listed(c, 'LIST (SUBSCRIBED) "" "*" RETURN (SPECIAL-USE)')
    assert {r"\Sent"} <= got["Sent"]
    got = listed(c, 'LIST "" ("*") RETURN (CHILDREN SPECIAL-USE STATUS'
                 ' (MESSAGES UNSEEN UIDVALIDITY HIGHESTMODSEQ))')
    assert set(got) == EVERYTHING
    lines = c.ok('LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT))')
    assert b"* STATUS INBOX (MESSAGES 1 UIDNEXT 2)" in lines
    assert sum(x.startswith(b"* STATUS") for x in lines) == len(EVERYTHING)


def test_roundcube_and_imapsync(mail):
    c = mail.imap()
    assert set(listed(c, 'LIST "" "*" RETURN (SUBSCRIBED)')) == EVERYTHING
    for name in ("R&-D", "Caf&AOk-", r"say \"hi\""):
        assert len(c.ok(f'STATUS "{name}" (MESSAGES)')) == 1
        c.ok(f'SELECT "{name}"')
        c.ok(f'GETQUOTAROOT "{name}"')
        c.ok(f'MYRIGHTS "{name}"')
    assert c.ok('LIST "" "R&-D"') and c.ok('LSUB "" "R&-D"')


def test_a_client_that_marks_its_own_folders(mail):
    """R44: no second Sent."""
    c = mail.imap()
    for name in SPECIAL:
        assert b"ALREADYEXISTS" in c.no(f"CREATE {name}")
        assert b"USEATTR" in c.no(rf"CREATE My{name} (USE (\{name}))")
    got = listed(c, 'LIST (SPECIAL-USE) "" "*"')
    assert set(got) == set(SPECIAL)
    # by the next process too
    c.logout()
    wait_for("the process to be used again or anew",
             lambda: mail.processes("imapd-session"))
    assert specials(listed(mail.imap(), 'LIST "" "*"')) == set(SPECIAL)
