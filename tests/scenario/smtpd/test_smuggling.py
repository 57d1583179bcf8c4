# SPDX-License-Identifier: ISC
"""Nothing but CRLF.CRLF ends a message: the matrix of line ends around a dot,
sent whole and byte by byte; one message in is one message out."""
import itertools
import re

import pytest

from peers import TO_DATA, Dialogue

ENDS = {"CR": b"\r", "LF": b"\n", "CRCRLF": b"\r\r\n", "NUL": b"\0",
        "CRLF": b"\r\n", "LFCR": b"\n\r", "CRNULLF": b"\r\0\n"}
SECOND = (b"MAIL FROM:<evil@b.test>\r\nRCPT TO:<carol@example.test>\r\n"
          b"DATA\r\nSubject: smuggled\r\n\r\nevil\r\n.\r\n")
MATRIX = [(a, b) for a, b in itertools.product(ENDS, ENDS)
          if b"\r\n.\r\n" not in ENDS[a] + b"." + ENDS[b]]


def begin(s):
    d = Dialogue(s.ports["smtp"])
    d.script("S: 220\nC: EHLO client.test\nS: 250" + TO_DATA)
    return d


def attack(s, name, payload, by_byte):
    with begin(s) as d:
        content = (f"Subject: {name}\r\n\r\nfirst".encode() + payload +
                   SECOND)
        if by_byte:
            for i in range(len(content)):
                d.send(content[i:i + 1])
        else:
            d.send(content)
        reply = d.reply()
        assert reply.startswith("250 2.0.0 Ok: queued as"), (name, reply)
        # had anything ended the message early, more answers would come
        assert d.ask("QUIT").startswith("221"), name


@pytest.mark.parametrize("main", [
    "", "smtpd_forbid_bare_newline = no\n",
    "smtpd_forbid_bare_newline = note\n",
    "smtpd_forbid_bare_newline = normalize\n"
    "smtpd_forbid_bare_newline_exclusions =\n"],
    ids=["exclusions", "no", "note", "normalize"])
def test_one_message_stays_one(suite, main):
    s = suite(main=main)
    names = []
    for i, (a, b) in enumerate(MATRIX):
        name = f"{a}-dot-{b}"
        names.append(name)
        attack(s, name, ENDS[a] + b"." + ENDS[b], i % 5 == 0)
    messages = s.wait_messages("bob", len(names))
    s.wait_empty()
    found = [re.search(rb"^Subject: (\S+)", m, re.M).group(1).decode()
             for m in messages]
    assert sorted(found) == sorted(names)
    assert s.messages("carol") == []
    for m in messages:
        assert b"Subject: smuggled" in m
        bare = re.sub(rb"\r\n", b"", m)
        assert b"\r" not in bare and b"\n" not in bare


def test_reject_mode_refuses_and_says_which_setting(suite):
    s = suite(main="smtpd_forbid_bare_newline = reject\n"
              "smtpd_forbid_bare_newline_exclusions =\n")
    with begin(s) as d:
        d.send(b"Subject: x\r\n\r\none\ntwo\r\n.\r\n")
        assert d.reply().startswith(
            "550 5.5.2 mx.example.test Error: bare <LF> received")
        assert d.at_end()
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        d.send(b"EHLO client.test\n")
        assert d.reply().startswith("550 5.5.2")
        assert d.at_end()
    s.wait_log("bare <LF> received .*smtpd_forbid_bare_newline")
    assert s.queue() == []


def test_exclusions_are_from_refusal_not_from_the_rule(suite):
    """Their bare LF is a line end, and never an end of data."""
    s = suite(main="smtpd_forbid_bare_newline = reject\n"
              "smtpd_forbid_bare_newline_exclusions = 127.0.0.1\n")
    names = [f"{a}-dot-{b}" for a, b in MATRIX if "LF" in (a, b)]
    for a, b in MATRIX:
        if "LF" in (a, b):
            attack(s, f"{a}-dot-{b}", ENDS[a] + b"." + ENDS[b], False)
    messages = s.wait_messages("bob", len(names))
    s.wait_empty()
    assert len(messages) == len(names)
    assert s.messages("carol") == []
    assert "bare <LF>" not in s.log()


def test_note_mode_names_the_client(suite):
    s = suite(main="smtpd_forbid_bare_newline = note\n"
              "smtpd_forbid_bare_newline_exclusions =\n")
    with begin(s) as d:
        d.send(b"Subject: x\r\n\r\none\ntwo\r\n.\r\n")
        assert d.reply().startswith("250")
    s.wait_log(r"bare <LF> received after DATA from \S+\[127\.0\.0\.1\]")
    assert b"one\r\ntwo\r\n" in s.wait_messages("bob")[0]


def test_bare_lf_senders_get_through_by_default(suite):
    s = suite(main="smtpd_forbid_bare_newline_exclusions =\n")
    with begin(s) as d:
        d.send(b"Subject: x\n\none\n..two\nthree\r\n.\r\n")
        assert d.reply().startswith("250")
    assert s.wait_messages("bob")[0].endswith(
        b"\r\n\r\none\r\n.two\r\nthree\r\n")


def test_chunks_end_where_they_say(suite):
    """BDAT: dots and line ends mean nothing to the dialogue."""
    s = suite()
    contents = [b"a" + ENDS[a] + b"." + ENDS[b] + SECOND
                for a, b in itertools.product(ENDS, ENDS)]
    with Dialogue(s.ports["smtp"]) as d:
        d.script("S: 220\nC: EHLO client.test\nS: /CHUNKING/")
        for content in contents:
            d.send(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\n"
                   b"BDAT 14\r\nSubject: x\r\n\r\n" +
                   f"BDAT {len(content)} LAST\r\n".encode() + content)
            replies = [d.reply() for _ in range(4)]
            assert [r[:3] for r in replies] == ["250"] * 4, replies
            assert "queued as" in replies[3]
        assert d.ask("QUIT").startswith("221")
    messages = s.wait_messages("bob", len(contents))
    s.wait_empty()
    assert len(messages) == len(contents)
    assert s.messages("carol") == []


def test_a_refused_chunk_is_not_executed(suite):
    s = suite()
    with Dialogue(s.ports["smtp"]) as d:
        d.script("S: 220\nC: EHLO client.test\nS: 250")
        d.send(f"BDAT {len(SECOND)} LAST\r\n".encode() + SECOND)
        assert d.reply().startswith("503 5.5.1")
        assert d.ask("NOOP").startswith("250")
        d.send(b"BDAT x LAST\r\n" + SECOND)
        assert d.reply().startswith("503 5.5.1")
        assert d.reply().startswith("521 5.5.4 Syntax: BDAT count [LAST]")
        try:
            assert d.at_end()
        except ConnectionResetError:
            pass  # what it sent on was not read
    assert s.queue() == [] and s.messages("carol") == []
