# SPDX-License-Identifier: ISC
"""smtpd_sender_login_maps: who may send as whom, beside the running Postfix.
The logins come by XCLIENT, which both take from a proxy they trust."""
import pytest

import postfix_peer
from peers import Dialogue
from posthaste import AS_ROOT, free_port

pytestmark = pytest.mark.skipif(
    not AS_ROOT or postfix_peer.why_not() is not None,
    reason=postfix_peer.why_not() or "Postfix needs root")

CHECKS = ("reject_sender_login_mismatch",
          "reject_known_sender_login_mismatch",
          "reject_authenticated_sender_login_mismatch",
          "reject_unauthenticated_sender_login_mismatch")
MAIN = """\
myorigin = origin.test
mydestination = local.test
local_recipient_maps =
mynetworks = 127.0.0.0/8
recipient_delimiter = +
smtpd_delay_reject = no
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
smtpd_sasl_auth_enable = yes
smtpd_tls_auth_only = no
smtpd_sasl_tls_security_options = noanonymous
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_null_access_lookup_key = <>
smtpd_sender_restrictions = {check}
smtpd_sender_login_maps = {maps}
"""
TABLE = ("a@own.test alice\na+e@own.test bob\n@own.test carol\n"
         "shared@own.test alice, bob carol\nl@local.test alice\n"
         "m bob\nUPPER@own.test Alice\n@many.test alice,bob@x.test\n"
         "<> nobody\n")
LOGINS = ("", "alice", "Alice", "bob", "bob@x.test", "carol", "nobody")
SENDERS = ("a@own.test", "A@OWN.test", "a+e@own.test", "a+f@own.test",
           "b@own.test", "shared@own.test", "l@local.test", "l+e@local.test",
           "m@local.test", "m@elsewhere.test", "upper@own.test",
           "x@many.test", "x@free.test", "", '"a"@own.test', '"a b"@own.test')


def said(port):
    found = {}
    for login in LOGINS:
        with Dialogue(port) as d:
            d.reply()
            d.ask("EHLO client.test")
            first = d.ask(f"XCLIENT LOGIN={login or '[UNAVAILABLE]'}")
            assert first.startswith("220"), first
            d.ask("EHLO client.test")
            for sender in SENDERS:
                found[login, sender] = d.ask(f"MAIL FROM:<{sender}>").strip()
                d.ask("RSET")
    return found


@pytest.mark.parametrize("form", ["texthash:{}", "regexp:{}"])
@pytest.mark.parametrize("check", CHECKS)
def test_who_may_send_as_whom(suite, check, form):
    s = suite(start=False)
    table = s.root / "logins"
    table.write_text(TABLE if form.startswith("texthash") else
                     "/^a@own/ alice\n/^(.*)\\+.*@own/ $1\n/^@/ never\n"
                     "/^m$/ never\n/@many/ alice bob@x.test\n/^<>$/ nobody\n")
    table.chmod(0o644)
    s.root.chmod(0o755)
    main = MAIN.format(check=check, maps=form.format(table))
    with open(s.root / "etc/main.cf", "a") as f:
        f.write(main)
    s.start()
    ours = said(s.ports["smtp"])
    port = free_port()
    with postfix_peer.beside(s.root / "postfix", port, main) as peer:
        assert peer is not None
        theirs = said(port)
    apart = [f"{k}: ours {ours[k]}, Postfix's {theirs[k]}"
             for k in ours if ours[k] != theirs[k]]
    assert not apart, "\n".join(apart)
    assert len(set(ours.values())) > 2
