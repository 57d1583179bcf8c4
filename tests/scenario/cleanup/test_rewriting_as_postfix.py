# SPDX-License-Identifier: ISC
"""What addresses of envelope and header become, beside the running Postfix:
completed, turned round, mapped, masqueraded."""
import pytest

from side_by_side import Mail, assert_same, both, needs_postfix

pytestmark = needs_postfix

RELAY = "relayhost = [127.0.0.2]:@@port@@\ndisable_dns_lookups = yes\n"
MAPPED = RELAY + """\
local_header_rewrite_clients = static:all
masquerade_domains = foo.bar.test !sub.example.test example.test
masquerade_exceptions = root, admin
masquerade_classes = envelope_sender, header_sender, header_recipient,
 envelope_recipient
canonical_maps = texthash:@@tables@@/canonical
canonical_classes = envelope_sender, header_recipient
sender_canonical_maps = texthash:@@tables@@/sender
recipient_canonical_maps = texthash:@@tables@@/recipient
recipient_canonical_classes = envelope_recipient, header_recipient
propagate_unmatched_extensions = canonical
virtual_alias_maps = texthash:@@tables@@/virtual
"""
TABLES = {
    "canonical": "a@can.test b@y.can.test\n@whole.test @new.test\n"
                 "loop1@can.test loop2@can.test\n"
                 "loop2@can.test loop1@can.test\nbare@can.test bare\n"
                 "pct%x@can.test perc@new.test\n"
                 '"q q"@can.test "r r"@new.test\n',
    "sender": "snd@s.test from@new.test\n@sdom.test @snew.test\n"
              "h@host.example.test keep@host.example.test\n",
    "recipient": "rc@r.test to@new.test\n@rdom.test @rnew.test\n",
    "virtual": 'v1@v.test a1@o.test, a2@o.test,"c d"@o.test\n'
               "@vd.test @vnew.test\nv2@v.test v1@v.test, plain\n"
               "self@v.test self@v.test, o@o.test\n"
               "route@v.test x%y.test@local.test\n",
}
ADDRESSES = [
    "u@foo.bar.test", "u@x.foo.bar.test", "root@x.foo.bar.test",
    "ROOT@x.foo.bar.test", "root+e@x.foo.bar.test", "u@sub.example.test",
    "u@a.sub.example.test", "u@host.example.test", "h@host.example.test",
    "u@EXAMPLE.test", "u@Host.EXAMPLE.test", "a@can.test", "a+e@can.test",
    "x@whole.test", "x+e@whole.test", "X@Whole.TEST", "bare@can.test",
    "pct%x@can.test", "snd@s.test", "snd+e@s.test", "x+e@sdom.test",
    "rc@r.test", "rc+e@r.test", "x+y@rdom.test", "plain", "plain@host",
    "user%remote.test", "user%remote.test@local.test", "site!user",
    "site.test!user@local.test", "a!b!c", "a!b%c", "u@[127.0.0.1]",
    "u@Mixed.Test", "u@x_y.test", "v1@v.test", "x@vd.test",
    "loop1@can.test",
]
FIELDS = ("From: {a} (Comment)\r\nSender: \"A \\\" Name\" <{a}>\r\n"
          "Reply-To: a group: {a}, {b};, c\r\nTo: {b},\r\n\t\"X, Y\" <{a}>\r\n"
          "Cc: {a}\r\nBcc: hidden@x.test\r\nErrors-To: {a}\r\n"
          "Return-Receipt-To: {a}\r\nDisposition-Notification-To: {a}\r\n"
          "Resent-From: {a}\r\nResent-To: {b}\r\nApparently-To: {b}\r\n"
          "X-Other: {a}\r\nMail-Followup-To: {a}\r\nSubject: {n}\r\n\r\nx\r\n")
MORE = ["v1@v.test", "v2@v.test", "self@v.test", "route@v.test",
        "a+e@vd.test", "v1+e@v.test", '"q q"@can.test']


NO_SENDERS = ["u@-x.test", "u@x-.test", "u@x..test", "u@x.-y.test"]


def mails():
    found = []
    for n, a in enumerate(ADDRESSES):
        b = ADDRESSES[(n + 7) % len(ADDRESSES)]
        found += [
            Mail("env@e.test", ["r@r1.test"], FIELDS.format(a=a, b=b, n=n)),
            Mail(a, ["s@r2.test"]), Mail("x@y.test", [a])]
    found += [Mail(a, ["s@r2.test"]) for a in NO_SENDERS]
    return found + [Mail("x@y.test", [a]) for a in MORE]


@pytest.mark.parametrize("settings", [
    MAPPED,
    RELAY + "local_header_rewrite_clients = static:all\n"
    "append_dot_mydomain = YES\nswap_bangpath = Yes\n",
    RELAY + "local_header_rewrite_clients = static:all\n"
    "swap_bangpath = no\nallow_percent_hack = NO\n",
    RELAY + "local_header_rewrite_clients =\n"
    "remote_header_rewrite_domain = invalid.test\n"
    "append_dot_mydomain = yes\n",
    RELAY + "local_header_rewrite_clients =\nappend_at_myorigin = no\n"],
    ids=["mapped", "dot", "literally", "strangers", "left alone"])
def test_addresses_of_envelope_and_header(suite, settings):
    ours, theirs = both(suite, mails(), settings, TABLES, ["127.0.0.2"])
    assert_same(ours, theirs)
    assert len(ours.heard) > len(ADDRESSES)
