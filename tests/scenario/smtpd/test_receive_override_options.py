# SPDX-License-Identifier: ISC
"""receive_override_options of single services, of main.cf, and of pickup; and
what Postfix does with the same."""
import re
import smtplib

import pytest

import postfix_peer
from peers import FakeServer
from posthaste import free_port, wait_for

WORDS = ["", "no_unknown_recipient_checks", "no_address_mappings",
         "no_header_body_checks", "no_milters",
         "no_unknown_recipient_checks,no_header_body_checks, "
         "no_address_mappings,no_milters"]
MAIN = """\
smtpd_peername_lookup = no
mydestination = local.test
myorigin = origin.test
local_recipient_maps = inline:{{{{root=x}}}}
virtual_mailbox_domains =
virtual_mailbox_maps =
relay_domains = out.test
relay_recipient_maps = inline:{{{{known@out.test=x}} {{gone@out.test=x}}}}
virtual_alias_domains = alias.test
virtual_alias_maps = inline:{{{{a@alias.test=one@out.test, two@out.test}} {{known@out.test=alias@out.test}} {{gone@alias.test=gone@out.test}} {{b@other.test=alias@out.test}}}}
canonical_maps = inline:{{{{s@from.test=canonical@from.test}} {{c@other.test=canonical@other.test}}}}
masquerade_domains = mask.test
masquerade_classes = envelope_sender, envelope_recipient, header_sender, header_recipient
always_bcc = copy@other.test
recipient_bcc_maps = inline:{{{{known@out.test=second-copy@other.test}}}}
local_header_rewrite_clients = permit_mynetworks
mynetworks = 127.0.0.0/8
append_dot_mydomain = no
transport_maps = inline:{{{{gone@out.test=error:5.1.6 moved}} {{later@other.test=retry:4.3.2 later}}}}, static:{{smtp:[127.0.0.1]:{sink}}}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_sender_access inline:{{{{reject@from.test=reject_unlisted_recipient}}}}
smtpd_reject_unlisted_sender = yes
message_reject_characters = \\0
message_strip_characters = ~
strict_8bitmime = yes
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
"""
RECIPIENTS = ["known@out.test", "unknown@out.test", "gone@out.test",
              "later@other.test", "a@alias.test", "unknown@alias.test",
              "b@other.test", "c@other.test", "x@host.mask.test",
              "root@local.test", "unknown@local.test"]
SENDERS = ["s@from.test", "reject@from.test", "unknown@local.test", "",
           "y@host.mask.test"]
HEADER = ("From: s@from.test\r\nTo: c@other.test, x@host.mask.test, bare\r\n"
          "Date: Sun, 22 Nov 2026 09:00:00 +0000\r\n"
          "Message-ID: <{}@from.test>\r\nSubject: x\r\n\r\n")
CONTENTS = {"plain": b"x\r\n", "stripped": b"a~b\r\n", "nul": b"\0\r\n",
            "eight": b"\xe9\r\n"}


def services(ports):
    return "".join(
        f"127.0.0.1:{port} inet n - n - - smtpd\n"
        + (f"  -o {{ receive_override_options = {words} }}\n" if words else "")
        for port, words in zip(ports, WORDS))


def hear(ports):
    """What is answered where."""
    heard = {}
    for port, words in zip(ports, WORDS):
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as s:
            s.ehlo("a.test")
            for sender in SENDERS:
                s.mail(sender)
                for r in RECIPIENTS:
                    heard[words, sender, r] = s.rcpt(r)
                s.rset()
    return heard


def send(ports):
    """One message by each service; those taken are for the sink."""
    taken = {}
    for port, words in zip(ports, WORDS):
        for name, content in CONTENTS.items():
            with smtplib.SMTP("127.0.0.1", port, timeout=60) as s:
                s.ehlo("a.test")
                s.mail("s@from.test")
                for r in ("known@out.test", "b@other.test", "c@other.test",
                          "x@host.mask.test"):
                    assert s.rcpt(r)[0] == 250, r
                id = f"{name}.{WORDS.index(words)}"
                code, text = s.data(HEADER.format(id).encode() + content)
                taken[id] = (code, text if code != 250 else b"")
    return taken


def arrived(sink, count):
    """Envelopes and contents by message, however they were split."""
    seen = {}

    def add():
        for sender, recipients, content in sink.messages:
            id = re.search(rb"Message-ID: <(.*)@", content).group(1).decode()
            rest = re.sub(rb"\A(Received: .*\r\n([ \t].*\r\n)*)+", b"",
                          content)
            one = seen.setdefault(id, (set(), set(), set()))
            one[0].add(re.search("<(.*?)>", sender).group(1))
            one[1].update(re.search("<(.*?)>", r).group(1)
                          for r in recipients)
            one[2].add(rest)
        return sum(len(s[1]) for s in seen.values()) >= count
    wait_for("all deliveries", add)
    return seen


def test_as_postfix_has_it(suite):
    with FakeServer() as mine, FakeServer() as other:
        ports = [free_port() for _ in WORDS]
        s = suite(main=MAIN.format(sink=mine.port), master=services(ports))
        ours, ours_taken = hear(ports), send(ports)
        here = [free_port() for _ in WORDS]
        with postfix_peer.beside(
                s.root / "postfix", free_port(), MAIN.format(sink=other.port),
                services(here)) as peer:
            if peer is None:
                pytest.skip("no Postfix to compare with, or not root")
            theirs, theirs_taken = hear(here), send(here)
            good = [i for i, a in theirs_taken.items() if a[0] == 250]
            # four recipients, and two copies or the alias's target
            deliveries = sum(4 if i[-1] in "25" else 5 for i in good)
            there = arrived(other, deliveries)
        different = {k: (ours[k], theirs[k]) for k in ours
                     if ours[k] != theirs[k]}
        assert not different, "\n".join(map(str, different.items()))
        assert ours_taken == theirs_taken
        assert arrived(mine, deliveries) == there


def test_pickup_has_it_too(suite):
    s = suite(main="virtual_alias_maps = inline:{{bob@example.test="
              "alice@example.test} {carol@example.test=bob@example.test}}\n"
              "always_bcc = alice@example.test\n"
              "message_reject_characters = ~\n")

    def submit(subject):
        s.command("sendmail", "-f", "x@y.test", "bob@example.test",
                  stdin=f"Subject: {subject}\n\na~b\n".encode())
    submit("refused")
    s.wait_log("pickup.*refused: 5")
    text = (s.root / "etc/master.cf").read_text()
    s.write("master.cf", re.sub(
        r"^pickup .*$", r"\g<0>\n  -o receive_override_options="
        "no_header_body_checks,no_address_mappings", text, flags=re.M))
    s.posthaste("reload")
    submit("taken")
    (message,) = s.wait_messages("bob")
    assert b"Subject: taken" in message and message.endswith(b"a~b\r\n")
    s.wait_log(r"qmgr.*: removed")
    assert not s.messages("alice")


def test_words_that_are_none(suite):
    s = suite(start=False, main="receive_override_options = no_milters, x\n",
              master="127.0.0.1:9 inet n - - - - smtpd\n"
              "  -o receive_override_options=NO_MILTERS\n")
    done = s.posthaste("check", check=False)
    assert done.returncode != 0
    assert re.search(r"main\.cf: line \d+: receive_override_options: there is "
                     r'no option "x"', done.err)
    assert re.search(r"master\.cf: line \d+: .*receive_override_options: there "
                     r'is no option "NO_MILTERS"', done.err)
