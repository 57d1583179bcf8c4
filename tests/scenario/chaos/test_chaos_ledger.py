# SPDX-License-Identifier: ISC
"""The ledger of chaos.py sees what it is there to see."""
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
    nobody = types.SimpleNamespace(taken=list, forget=lambda: None)
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
    for i, text in enumerate(texts):
        if place == "paul":
            with open(root / PAUL, "ab") as f:
                f.write(FROM.encode() + text + b"\n")
        elif place == "bob":
            (root / f"mail/bob/{int(time.time())}.{i}").write_bytes(text)
        else:
            (root / f"files/{place}/got.{i}").write_bytes(text)


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
@pytest.mark.parametrize("text", (whole()[:3000], whole()[:40]))
def test_a_part_needs_a_kill_and_the_whole(site, ledger, place, text):
    accept(ledger, place)
    put(site, place, text)
    kill = Cause("local", time.time(), time.time())
    with pytest.raises(AssertionError, match="1 not whole"):
        ledger.check(site, [])
    with pytest.raises(AssertionError, match="1 of 1 lost"):
        ledger.check(site, [kill])
    put(site, place, text, whole())
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
