# SPDX-License-Identifier: ISC
"""reject_unauth_pipelining in each list, with smtpd_delay_reject and without:
who is refused, and in which words, as with Postfix."""
import pytest

import postfix_peer
from peers import Dialogue
from posthaste import free_port

STAGES = ["client", "helo", "sender", "relay", "recipient", "data",
          "end_of_data"]
MAIN = """\
smtpd_peername_lookup = no
smtpd_forbid_unauth_pipelining = no
smtpd_relay_restrictions = reject_unauth_destination
transport_maps = static:discard:
notify_classes =
smtpd_soft_error_limit = 100
smtpd_hard_error_limit = 200
{}
"""
COMMANDS = ["MAIL FROM:<a@b.test>", "RCPT TO:<sink@example.test>", "DATA",
            "Subject: x\r\n\r\nx\r\n."]


def services(ports):
    return "".join(
        f"127.0.0.1:{port} inet n - n - - smtpd\n"
        f"  -o {{ smtpd_{stage}_restrictions = reject_unauth_pipelining"
        f"{', reject_unauth_destination' if stage == 'relay' else ''} }}\n"
        f"  -o smtpd_delay_reject={delay}\n"
        for (stage, delay), port in ports.items())


def talk(port, greeting, early):
    """What is heard when one command has another behind it."""
    heard = []
    with Dialogue(port) as d:
        heard.append(d.reply()[:3])
        for i, line in enumerate([f"{greeting} a.test", *COMMANDS]):
            more = "\r\nNOOP" if i == early else ""
            heard.append(d.ask(line + more)[:200])
            if more and heard[-1][:3] != "354":
                d.reply()
            if heard[-1][:1] not in "23":
                break
    return [h if h[:1] in "45" else h[:3] for h in heard]


def all_of(ports):
    return {(key, greeting, early): talk(port, greeting, early)
            for key, port in ports.items() for greeting in ("HELO", "EHLO")
            for early in range(5)}


def test_as_postfix_has_it(suite):
    def ports():
        return {(stage, delay): free_port() for stage in STAGES
                for delay in ("yes", "no")}

    mine = ports()
    s = suite(main=MAIN.format("virtual_mailbox_maps = static:x"),
              master=services(mine))
    ours = all_of(mine)
    assert any("pipelining" in str(h) for h in ours.values())
    theirs = ports()
    with postfix_peer.beside(
            s.root / "postfix", free_port(),
            MAIN.format("mydestination = example.test\n"
                        "local_recipient_maps ="), services(theirs)) as peer:
        if peer is None:
            pytest.skip("no Postfix to compare with, or not root")
        heard = all_of(theirs)
    different = [f"{k}: {ours[k]} {heard[k]}" for k in ours
                 if ours[k] != heard[k]]
    assert not different, "\n".join(different)
