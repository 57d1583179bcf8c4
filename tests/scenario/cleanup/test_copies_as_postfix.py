# SPDX-License-Identifier: ISC
"""Which copies always_bcc, sender_bcc_maps and recipient_bcc_maps make, and
of which form of an address they are asked, beside a real Postfix."""
import re
import smtplib

import pytest

import postfix_peer
from posthaste import free_port, wait_for

# settings, sender, recipients
CASES = {
    "of the address as canonical mapping has it": (
        "recipient_canonical_maps = inline:{{old@a.test=new@a.test}}\n"
        "recipient_bcc_maps = inline:{{new@a.test=copy@a.test},"
        "{old@a.test=wrong@a.test}}\n", "s@b.test", ["old@a.test"]),
    "before virtual aliases": (
        "virtual_alias_maps = inline:{{list@a.test=x@a.test, y@a.test}}\n"
        "recipient_bcc_maps = inline:{{list@a.test=copy@a.test},"
        "{x@a.test=wrong@a.test}}\n", "s@b.test", ["list@a.test"]),
    "canonical mapping goes on until it settles": (
        "canonical_maps = inline:{{one@a.test=two@a.test},"
        "{two@a.test=three@a.test}}\n"
        "recipient_bcc_maps = inline:{{three@a.test=copy@a.test}}\n",
        "s@b.test", ["one@a.test"]),
    "of the masqueraded address": (
        "masquerade_domains = a.test\n"
        "masquerade_classes = envelope_sender, envelope_recipient\n"
        "recipient_bcc_maps = inline:{{u@a.test=copy@a.test},"
        "{u@host.a.test=wrong@a.test}}\n", "s@b.test", ["u@host.a.test"]),
    "of the masqueraded sender": (
        "masquerade_domains = b.test\n"
        "sender_bcc_maps = inline:{{s@b.test=copy@a.test},"
        "{s@h.b.test=wrong@a.test}}\n", "s@h.b.test", ["u@a.test"]),
    "of the sender as canonical mapping has it": (
        "sender_canonical_maps = inline:{{s@b.test=t@b.test}}\n"
        "sender_bcc_maps = inline:{{t@b.test=copy@a.test},"
        "{s@b.test=wrong@a.test}}\n", "s@b.test", ["u@a.test"]),
    "the copy's address is mapped, too": (
        "recipient_canonical_maps = inline:{{copy@a.test=archive@a.test}}\n"
        "virtual_alias_maps = inline:{{archive@a.test=disk@a.test}}\n"
        "recipient_bcc_maps = inline:{{u@a.test=copy@a.test}}\n",
        "s@b.test", ["u@a.test"]),
    "no copy of a copy": (
        "recipient_bcc_maps = inline:{{u@a.test=copy@a.test},"
        "{copy@a.test=again@a.test}}\n", "s@b.test", ["u@a.test"]),
    "no copy of a copy for all": (
        "always_bcc = copy@a.test\n"
        "recipient_bcc_maps = inline:{{copy@a.test=again@a.test}}\n",
        "s@b.test", ["u@a.test"]),
    "all three": (
        "always_bcc = all@a.test\n"
        "sender_bcc_maps = inline:{{s@b.test=sent@a.test}}\n"
        "recipient_bcc_maps = inline:{{u@a.test=got@a.test}}\n",
        "s@b.test", ["u@a.test", "v@a.test"]),
    "all three the same": (
        "always_bcc = copy@a.test\n"
        "sender_bcc_maps = static:copy@a.test\n"
        "recipient_bcc_maps = static:copy@a.test\n",
        "s@b.test", ["u@a.test", "v@a.test"]),
    "a copy to who is a recipient": (
        "always_bcc = u@a.test\n", "s@b.test", ["u@a.test"]),
    "a copy to who is a recipient, originals not kept": (
        "always_bcc = u@a.test\nenable_original_recipient = no\n",
        "s@b.test", ["u@a.test"]),
    "a copy to whom an alias names, originals not kept": (
        "always_bcc = u@a.test\nenable_original_recipient = no\n"
        "virtual_alias_maps = inline:{{list@a.test=u@a.test, v@a.test}}\n",
        "s@b.test", ["list@a.test"]),
    "a copy to whom an alias names": (
        "always_bcc = u@a.test\n"
        "virtual_alias_maps = inline:{{list@a.test=u@a.test, v@a.test}}\n",
        "s@b.test", ["list@a.test"]),
    "one value for two recipients": (
        "recipient_bcc_maps = inline:{{@a.test=copy@a.test}}\n",
        "s@b.test", ["u@a.test", "v@a.test"]),
    "without the extension, and with it": (
        "recipient_delimiter = +\n"
        "recipient_bcc_maps = inline:{{u@a.test=copy@a.test}}\n",
        "s@b.test", ["u+x@a.test"]),
    "of a domain": (
        "recipient_bcc_maps = inline:{{@a.test=copy@b.test}}\n",
        "s@b.test", ["u@a.test"]),
    "a value that is a domain": (
        "recipient_bcc_maps = inline:{{u@a.test=@c.test}}\n",
        "s@b.test", ["u@a.test"]),
    "a value that is a domain of ours": (
        "always_bcc = @a.test\n", "s@b.test", ["u@a.test"]),
    "a value without a domain": (
        "recipient_bcc_maps = inline:{{u@a.test=copy}}\n",
        "s@b.test", ["u@a.test"]),
    "always_bcc without a domain": (
        "always_bcc = copy\n", "s@b.test", ["u@a.test"]),
    "a value with a comment": (
        "recipient_bcc_maps = inline:{{u@a.test=Arch <c@a.test>}}\n",
        "s@b.test", ["u@a.test"]),
    "of the null sender": (
        "sender_bcc_maps = static:copy@a.test\n", "", ["u@a.test"]),
    "capitals": (
        "recipient_bcc_maps = inline:{{u@a.test=copy@a.test}}\n",
        "s@b.test", ["U@a.test"]),
    "the same recipient twice": (
        "recipient_bcc_maps = static:copy@a.test\n", "s@b.test",
        ["u@a.test", "U@a.test"]),
    "REDIRECT of an access table, and always_bcc": (
        "always_bcc = copy@a.test\nrecipient_bcc_maps = static:more@a.test\n"
        "smtpd_sender_restrictions = check_sender_access inline:{{s@b.test="
        "REDIRECT box@a.test}}\n", "s@b.test", ["u@a.test", "v@a.test"]),
    "BCC of an access table is not copied again": (
        "recipient_bcc_maps = inline:{{box@a.test=more@a.test}}\n"
        "smtpd_sender_restrictions = check_sender_access inline:{{s@b.test="
        "BCC box@a.test}}\n", "s@b.test", ["u@a.test"]),
    "copies of copies by pattern": (
        "recipient_bcc_maps = regexp:{{/^(.*)@a.test$$/ $$1@c.test}}\n",
        "s@b.test", ["u@a.test", "v@a.test"]),
}
PLAIN = ("transport_maps = static:discard:\nlocal_recipient_maps =\n"
         "mydestination = a.test, host.a.test\nmyhostname = host.example.test\n"
         "myorigin = host.example.test\nvirtual_alias_maps =\n"
         "virtual_mailbox_domains =\nsmtpd_peername_lookup = no\n"
         "recipient_delimiter =\nsmtpd_recipient_limit = 100\n")
GONE = re.compile(r": ([0-9A-Za-z]+): to=<([^>]*)>, (?:orig_to=<([^>]*)>)?")


def deliveries(log, wanted):
    return sorted((to, original) for i, to, original in GONE.findall(log())
                  if i == wanted)


def hear(port, log, sender, recipients):
    """What becomes of a message: to whom it goes, and for whom that is."""
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as s:
        s.helo("x.test")
        replies = [s.mail(sender)[0]]
        replies += [s.rcpt(r)[0] for r in recipients]
        code, text = s.data("Subject: x\r\n\r\nx\r\n")
    if code != 250:
        return replies, code, []
    queued = text.decode().split()[-1]
    wait_for(f"{queued} to be gone",
             lambda: re.search(f": {queued}: removed", log()))
    return replies, code, deliveries(log, queued)


@pytest.mark.parametrize("case", CASES)
def test_copies(suite, case):
    settings, sender, recipients = CASES[case]
    s = suite(main=PLAIN + settings)
    ours = hear(s.ports["smtp"], s.log, sender, recipients)
    port = free_port()
    with postfix_peer.beside(s.root / "postfix", port,
                             PLAIN + settings) as peer:
        if peer is None:
            pytest.skip("no Postfix to compare with, or not root")
        theirs = hear(port, peer.log, sender, recipients)
    if "REDIRECT" in case:  # for whom it was is told of one of them there
        theirs = (*theirs[:2], [(to, "") for to, _ in theirs[2]])
    assert ours == theirs
