# SPDX-License-Identifier: ISC
"""Two servers of ours, one behind the other, as before and behind a filter:
one message in is one message out, whatever stands around its dots, and the
second trusts the first in everything (CVE-2023-51764 and its kin)."""
import re

import pytest

from peers import Dialogue
from test_smuggling import ENDS, MATRIX, SECOND


@pytest.mark.parametrize("edge", ["no", "normalize", "note"])
def test_one_in_is_one_out(suite, edge):
    inner = suite(main="smtpd_forbid_bare_newline = no\n"
                  "smtpd_forbid_bare_newline_exclusions = $mynetworks\n")
    outer = suite(main=f"smtpd_forbid_bare_newline = {edge}\n"
                  "smtpd_forbid_bare_newline_exclusions = $mynetworks\n"
                  "virtual_mailbox_domains =\nrelay_domains = example.test\n"
                  "relay_recipient_maps =\n"
                  f"relayhost = [127.0.0.1]:{inner.ports['smtp']}\n"
                  "virtual_alias_maps =\n")
    names = []
    for a, b in MATRIX:
        name = f"{a}-dot-{b}"
        with Dialogue(outer.ports["smtp"]) as d:
            d.reply()
            for line in ("EHLO client.test", "MAIL FROM:<a@b.test>",
                         "RCPT TO:<bob@example.test>"):
                assert d.ask(line).startswith("250")
            assert d.ask("DATA").startswith("354")
            d.send(f"Subject: {name}\r\n\r\nfirst".encode() + ENDS[a] + b"." +
                   ENDS[b] + SECOND)
            assert d.reply().startswith("250 2.0.0 Ok: queued as"), name
            assert d.ask("QUIT").startswith("221"), name
        names.append(name)
    messages = inner.wait_messages("bob", len(names))
    outer.wait_empty()
    inner.wait_empty()
    found = [re.search(rb"^Subject: (\S+)", m, re.M).group(1).decode()
             for m in messages]
    assert sorted(found) == sorted(names)
    assert inner.messages("carol") == []
    assert all(b"Subject: smuggled" in m for m in messages)


def test_headers_that_are_added_part_nothing(suite):
    """What each server writes in front, with hostile words in it."""
    inner = suite()
    outer = suite(main="virtual_mailbox_domains =\nvirtual_alias_maps =\n"
                  "relay_domains = example.test\nrelay_recipient_maps =\n"
                  f"relayhost = [127.0.0.1]:{inner.ports['smtp']}\n")
    with Dialogue(outer.ports["smtp"]) as d:
        d.reply()
        d.send(b"EHLO x)\r\n")
        d.reply()
        d.send(b"EHLO (\\\r\n")
        d.reply()
        d.script("""
            C: MAIL FROM:<"a b\\"c>"@b.test>
            S: 250
            C: RCPT TO:<bob@example.test>
            S: 250
            C: DATA
            S: 354
        """)
        # no empty line: all of it is header, then body at once
        d.send(b"Subject: one\r\n .\r\n\t.\r\n.\r\n")
        assert d.reply().startswith("250")
    mail, = inner.wait_messages("bob")
    assert mail.count(b"\r\nReceived: ") == 2
    assert b"Subject: one\r\n .\r\n\t.\r\n" in mail
    assert b'Return-Path: <"a b\\"c>"@b.test>\r\n' in mail
