# SPDX-License-Identifier: ISC
"""Which recipients exist is asked with the -o of the service that a client
talks to, as Postfix's smtpd asks: what a site has behind a content filter. The
same questions go to a Postfix, where there is one."""
import pathlib
import smtplib
import tempfile

import pytest

import postfix_peer
from posthaste import AS_ROOT, free_port, wait_for

MAIN = """\
mydestination = l.test
relay_domains = r.test
virtual_mailbox_domains = v.test
virtual_alias_domains = a.test
local_recipient_maps = inline:{ {known=x} } $mine
relay_recipient_maps = inline:{ {known@r.test=x} }
virtual_mailbox_maps = inline:{ {known@v.test=x} }
virtual_alias_maps = inline:{ {alias@l.test=known@l.test},
 {known@a.test=known@l.test} }
canonical_maps = inline:{ {canon@l.test=known@l.test} }
relocated_maps = inline:{ {moved@l.test=else.test} }
transport_maps = inline:{ {error@l.test=error:5.7.0 no mail here} }
mine =
local_transport = discard:here
virtual_transport = discard:there
relay_transport = discard:relayed
default_transport = discard:gone
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions =
smtpd_soft_error_limit = 500
smtpd_hard_error_limit = 500
smtpd_junk_command_limit = 500
"""
RECIPIENTS = """known@l.test nobody@l.test alias@l.test canon@l.test
moved@l.test error@l.test known@r.test nobody@r.test known@v.test nobody@v.test
known@a.test nobody@a.test extra@l.test extra@a.test MAILER-DAEMON@l.test
postmaster@l.test double-bounce@l.test mailer-daemon@v.test""".split()
# what is refused on a line without -o
USUAL = set("""nobody@l.test moved@l.test error@l.test nobody@r.test
nobody@v.test nobody@a.test extra@l.test extra@a.test
mailer-daemon@v.test""".split())
INLINE = "-o {{ {}_maps = inline:{{ {{{}=x}} }} }}".format
# the -o, what is refused no more, what is refused as well
SERVICES = {
    "usual": ("", "", ""),
    "local": ("-o local_recipient_maps=", "nobody@l.test extra@l.test", ""),
    "relay": ("-o relay_recipient_maps=", "nobody@r.test", ""),
    "mailbox": ("-o virtual_mailbox_maps=", "nobody@v.test mailer-daemon@v.test",
                ""),
    "other mailboxes": (INLINE("virtual_mailbox", "nobody@v.test"),
                        "nobody@v.test", "known@v.test"),
    "no aliases": ("-o virtual_alias_maps=", "", "alias@l.test known@a.test"),
    "other aliases": (INLINE("virtual_alias", "extra@a.test"), "extra@a.test",
                      "alias@l.test known@a.test"),
    "no canonical": ("-o canonical_maps=", "", "canon@l.test"),
    "canonical": (INLINE("recipient_canonical", "extra@l.test"),
                  "extra@l.test", ""),
    "by another name": ("-o mine=static:x", "nobody@l.test extra@l.test", ""),
    "the last counts": (
        "-o local_recipient_maps=static:x -o local_recipient_maps=fail:y "
        "-o local_recipient_maps=", "nobody@l.test extra@l.test", ""),
    "without the table's name": ("-o show_user_unknown_table_name=no", "", ""),
    "all unlisted": ("-o smtpd_reject_unlisted_recipient=no",
                     " ".join(USUAL), ""),
}


def ask(port):
    """What each recipient hears."""
    heard = {}
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as s:
        s.ehlo("client.test")
        for r in RECIPIENTS:
            s.mail("from@else.test")
            code, text = s.rcpt(r)
            heard[r] = f"{code} {text.decode()}"
            s.rset()
    return heard


def lines(ports):
    return "".join(f"127.0.0.1:{ports[name]} inet n - n - - smtpd {options}\n"
                   for name, (options, _, _) in SERVICES.items())


def wrong(heard):
    found = []
    for name, (_, fewer, more) in SERVICES.items():
        expected = USUAL - set(fewer.split()) | set(more.split())
        refused = {r for r, a in heard[name].items() if a[0] != "2"}
        if refused != expected:
            found.append(f"{name}: {sorted(refused ^ expected)}: " + repr(
                {r: heard[name][r] for r in refused ^ expected}))
    return found


def theirs(ports):
    with tempfile.TemporaryDirectory(prefix="ph-one-", dir="/tmp") as top:
        folder = pathlib.Path(top)
        folder.chmod(0o755)
        peer = postfix_peer.PostfixServer(
            folder, free_port(), MAIN + "alias_maps =\n", lines(ports))
        peer.start()
        try:
            wait_for("Postfix", lambda: "daemon started" in peer.log())
            return {name: ask(port) for name, port in ports.items()}
        finally:
            peer.stop()


@pytest.fixture
def ports():
    return {name: free_port() for name in SERVICES}


def test_recipients_exist_as_the_service_says(suite, ports):
    suite(main=MAIN, master=lines(ports))
    heard = {name: ask(port) for name, port in ports.items()}
    assert not wrong(heard), "\n".join(wrong(heard))
    assert "local recipient table" in heard["usual"]["nobody@l.test"]
    assert heard["without the table's name"]["nobody@l.test"].endswith(
        "User unknown")


@pytest.mark.skipif(not AS_ROOT or postfix_peer.why_not() is not None,
                    reason=postfix_peer.why_not() or "Postfix needs root")
def test_the_same_words_as_postfix(suite, ports):
    instance = suite(main=MAIN, master=lines(ports))
    ours = {name: ask(port) for name, port in ports.items()}
    instance.stop()
    asked = theirs(ports)
    assert not wrong(asked), "\n".join(wrong(asked))
    assert ours == asked
