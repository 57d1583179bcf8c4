# SPDX-License-Identifier: ISC
"""The ledger of chaos.py sees what it is there to see."""
import itertools
import re
import time
import types

import pytest
import chaos_texts
from chaos_causes import Cause
from chaos_ledger import Ledger
from chaos_site import PAUL, SCRIPTED

TOKEN, OTHER = "token-a-1-end", "token-a-2-end"
FROM = "From alice@example.test  Mon Nov 23 10:00:00 2026\n"
TO = {"bob": "bob@example.test", "paul": "paul@example.test",
      "command": "command@local.test"}


NAMES = itertools.count()


class Nobody:
    """A host that nothing was sent to."""

    def taken(self):
        return []

    def forget(self, count):
        assert not count


class Suite:
    """What the ledger asks of an instance."""

    def __init__(self, root):
        self.root, self.lines = root, ""

    def message_files(self, user):
        return sorted((self.root / "mail" / user).glob("*"))

    def messages_by_file(self, user):
        return {p: p.read_bytes() for p in self.message_files(user)}

    def log(self):
        return self.lines

    def command(self, *_, **__):
        return types.SimpleNamespace(out="", err="")


@pytest.fixture
def site(tmp_path):
    for place in ("mail/bob", "files/folder/new", "mail/example.test",
                  *(f"files/{p}" for p in SCRIPTED)):
        (tmp_path / place).mkdir(parents=True)
    nobody = Nobody()
    return types.SimpleNamespace(
        suite=Suite(tmp_path), sink=nobody, named=nobody, lmtp=nobody,
        hosts=(nobody,), mbox=tmp_path / "mbox")


@pytest.fixture
def ledger():
    return Ledger()


def accept(ledger, place, token=TOKEN):
    ledger.offered(token, [TO[place]])
    ledger.accepted(token, [TO[place]])


def put(site, place, *texts):
    """Where a program would have put them."""
    root = site.suite.root
    for text in texts:
        if place == "paul":
            with open(root / PAUL, "ab") as f:
                f.write(FROM.encode() + text + b"\n")
        elif place == "bob":
            (root / f"mail/bob/{int(time.time())}.{next(NAMES)}").write_bytes(text)
        else:
            (root / f"files/{place}/got.{next(NAMES)}").write_bytes(text)


def whole(token=TOKEN, lines=100):
    text = chaos_texts.made(token, lines, "\n").encode()
    return b"Return-Path: <alice@example.test>\n" + text


def overwritten(text, at, by):
    return text[:at] + by + text[at + len(by):]


FAULTS = {
    "nothing is left": b"",
    "cut in its head": whole()[:60],
    "cut behind its head": whole()[:whole().index(b"\n\n") + 2],
    "cut amid": whole()[:3000],
    "cut behind a line": whole()[:whole().index(TOKEN.encode() + b" 0050")],
    "without its last line end": whole()[:-1],
    "zeros": overwritten(whole(), 3000, bytes(512)),
    "zeros in its head": overwritten(whole(), 3, bytes(8)),
    "a line less": re.sub(rb"(?m)^\S+ 0050 .*\n", b"", whole()),
    "bytes of another": overwritten(whole(), 3000, whole(OTHER)[3000:4000]),
    "the end of another": whole()[:3000] + whole(OTHER)[3000:],
    "another behind it": whole() + whole(OTHER),
    "a head of another": overwritten(
        whole(), whole().index(b"X-Id"), b"X-Id: " + OTHER.encode()),
}


@pytest.mark.parametrize("text", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("repeated", (False, True))
def test_what_is_not_whole_is_seen(site, ledger, text, repeated):
    """Also with a kill that explains a copy more, and the whole beside it."""
    accept(ledger, "bob")
    put(site, "bob", text, *[whole()] * repeated)
    with pytest.raises(AssertionError, match="1 not whole"):
        ledger.check(site, [Cause("local", time.time(), time.time())])


@pytest.mark.parametrize("place", TO)
def test_whole_ones_are_found(site, ledger, place):
    accept(ledger, place)
    accept(ledger, place, OTHER)
    put(site, place, whole().replace(b"\n", b"\r\n"), whole(OTHER, 0))
    assert not ledger.check(site, [])


@pytest.mark.parametrize("place", ("paul", "command"))
@pytest.mark.parametrize("text", (whole()[:3000], whole()[:40]),
                         ids=("in its body", "in its head"))
def test_a_part_needs_a_kill_and_the_whole(site, ledger, place, text):
    accept(ledger, place)
    put(site, place, text)
    kill = Cause("local", time.time(), time.time())
    with pytest.raises(AssertionError, match="1 not whole"):
        ledger.check(site, [])
    with pytest.raises(AssertionError, match="1 of 1 lost"):
        ledger.check(site, [kill])
    put(site, place, whole())
    assert not ledger.check(site, [kill])


def test_what_pop3_took_is_judged(site, ledger):
    ledger.offered(TOKEN, ["erin@example.test"])
    ledger.accepted(TOKEN, ["erin@example.test"])
    ledger.taken(whole(), "erin")
    assert not ledger.check(site, [])
    ledger.taken(whole()[:3000], "erin")
    with pytest.raises(AssertionError, match="1 not whole"):
        ledger.check(site, [])


REPORT = f"""\
Content-Type: multipart/report; report-type=delivery-status;
	boundary="limit"

--limit

About {TOKEN}.
--limit--
""".encode()


def test_a_report_has_an_end(site, ledger):
    ledger.offered(TOKEN, ["never@reject.test"])
    ledger.accepted(TOKEN, ["never@reject.test"])
    put(site, "bob", REPORT)
    assert not ledger.check(site, [])
    put(site, "bob", REPORT[:-10])
    with pytest.raises(AssertionError, match="1 not whole"):
        ledger.check(site, [])


def settled(site, ledger, *places):
    """A message that was found in each, and made room."""
    for i, place in enumerate(places):
        token = f"token-old-{i}-end"
        accept(ledger, place, token)
        put(site, place, whole(token))
    assert not ledger.check(site, [])
    ledger.forget(site)
    assert not ledger.check(site, [])


def test_a_late_copy_needs_a_cause_from_then_on(site, ledger):
    settled(site, ledger, "bob")
    offered = ledger.mail["token-old-0-end"].since
    before = Cause("local", offered, offered)
    put(site, "bob", whole("token-old-0-end"))
    with pytest.raises(AssertionError, match="1 too often"):
        ledger.check(site, [before])
    ledger.judged = None
    after = Cause("local", time.time(), time.time())
    assert ledger.check(site, [before, after]) == {
        ("token-old-0-end", "bob"): 1}


def test_what_stays_is_no_copy(site, ledger):
    """POP3 alone empties its boxes."""
    settled(site, ledger, "paul")
    (site.suite.root / PAUL).unlink()
    with pytest.raises(AssertionError, match="1 of 1 lost"):
        ledger.check(site, [])
    ledger.taken(whole("token-old-0-end"), "paul")
    assert not ledger.check(site, [])


def test_what_came_behind_the_judgement_makes_no_room(site, ledger):
    accept(ledger, "bob")
    put(site, "bob", whole())
    assert not ledger.check(site, [])
    put(site, "bob", whole())
    ledger.forget(site)
    with pytest.raises(AssertionError, match="1 too often"):
        ledger.check(site, [])


def test_what_was_not_accepted_may_come_late_once(site, ledger):
    ledger.offered(TOKEN, [TO["bob"]])
    assert not ledger.check(site, [])
    ledger.forget(site)
    put(site, "bob", whole())
    assert not ledger.check(site, [])
    put(site, "bob", whole())
    with pytest.raises(AssertionError, match="1 too often"):
        ledger.check(site, [])


def test_what_nobody_sent(site, ledger):
    put(site, "bob", whole())
    with pytest.raises(AssertionError, match="never sent"):
        ledger.check(site, [])
