# SPDX-License-Identifier: ISC
"""Routes that depend on the sender go by the one that the message will have:
its canonical form, but not where the service says no_address_mappings."""
import pytest

import postfix_peer
from peers import Dialogue, FakeServer
from posthaste import free_port

MAIN = """\
smtpd_peername_lookup = no
mydestination =
smtpd_recipient_restrictions = permit_mynetworks, reject
smtp_tls_security_level = none
sender_canonical_maps = inline:{{ {{given@from.test=canonical@from.test}} }}
sender_dependent_relayhost_maps = inline:{{
 {{given@from.test=[127.0.0.1]:{given}}}
 {{canonical@from.test=[127.0.0.1]:{canonical}}} }}
"""
MASTER = """\
127.0.0.1:{0} inet n - n - - smtpd
127.0.0.1:{1} inet n - n - - smtpd
  -o receive_override_options=no_address_mappings
"""


def send(ports, given, canonical):
    """What each server hears of the sender."""
    for port in ports:
        with Dialogue(port) as d:
            d.reply()
            for line in ("EHLO a.test", "MAIL FROM:<given@from.test>",
                         "RCPT TO:<x@out.test>"):
                assert d.ask(line).startswith("250")
            d.ask("DATA")
            assert d.ask("\r\nx\r\n.").startswith("250")
    return [[m[0].split(">")[0] for m in server.wait()]
            for server in (given, canonical)]


def test_by_the_sender_that_leaves(suite):
    def both():
        return FakeServer(), FakeServer()

    (given, canonical), ports = both(), [free_port(), free_port()]
    with given, canonical:
        s = suite(main=MAIN.format(given=given.port, canonical=canonical.port),
                  master=MASTER.format(*ports))
        ours = send(ports, given, canonical)
    assert ours == [["MAIL FROM:<given@from.test"],
                    ["MAIL FROM:<canonical@from.test"]]
    (given, canonical), ports = both(), [free_port(), free_port()]
    with given, canonical, postfix_peer.beside(
            s.root / "postfix", free_port(),
            MAIN.format(given=given.port, canonical=canonical.port),
            MASTER.format(*ports)) as peer:
        if peer is None:
            pytest.skip("no Postfix to compare with, or not root")
        assert send(ports, given, canonical) == ours
