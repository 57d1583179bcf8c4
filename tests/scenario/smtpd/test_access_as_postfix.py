# SPDX-License-Identifier: ISC
"""What results of access tables mean, and which names of clients and HELO are
refused, beside the running Postfix."""
import pytest

from side_by_side import Mail, assert_same, both, needs_postfix

pytestmark = needs_postfix

RESULTS = """\
OK
RELAY
OK text here
12345
200 fine
REJECT
REJECT text
REJECT 5.7.9 text
REJECT 4.7.9 text
reject lower
DEFER
DEFER 4.2.3 busy
DEFER 5.2.3 busy
DEFER_IF_PERMIT
DEFER_IF_PERMIT 4.5.6 hm
DEFER_IF_REJECT
DEFER_IF_REJECT 4.5.6 hm
DEFER_IF_REJECT x
450 text
450 4.1.2 text
450 5.1.2 text
550 4.1.2 text
599 x
DUNNO
DUNNO x
WARN careful
INFO note
DISCARD silently
PREPEND X-Foo: bar
permit_mynetworks
reject_unauth_destination
class
class, REJECT never
warn_if_reject REJECT x
warn_if_reject, reject
check_sender_access inline:{{s@b.test=REJECT inner}}
check_helo_access inline:{{client.test=DEFER_IF_PERMIT helo}}
reject
defer
defer_if_permit
OK, REJECT
REJECT  two  spaces
REJECT 5.7
REJECT 5.7.x""".split("\n")
NAMES = ["bad.test", "sub.bad.test", "x.par.test", "par.test", "y.par2.test",
         "[127.0.0.1]", "127.0.0.1", "lit", "a_b.test", "-x.test", "x..test",
         "x.test.", "#1", "localhost"]
CLIENTS = ["NAME=bad.name.test ADDR=10.9.1.1",
           "NAME=x.bad.name.test ADDR=10.9.1.1", "NAME=a.sub.test ADDR=10.9.1.1",
           "NAME=sub.test ADDR=10.9.1.1", "ADDR=10.1.2.3", "ADDR=10.2.3.4",
           "ADDR=10.2.3.5", "ADDR=10.2.4.1", "ADDR=192.0.2.77",
           "NAME=[TEMPUNAVAIL] ADDR=10.9.9.9"]
MAIN = """\
default_transport = discard
smtpd_restriction_classes = class
class = permit_inet_interfaces, reject
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access texthash:@@tables@@/rcpt,
 {last}
smtpd_helo_restrictions = {helo} check_helo_access texthash:@@tables@@/helo
smtpd_client_restrictions = check_client_access texthash:@@tables@@/client,
 check_client_access cidr:@@tables@@/networks
smtpd_sender_restrictions = check_sender_access texthash:@@tables@@/sender
smtpd_reject_footer = \\c; see $server_name
"""
TABLES = {
    "rcpt": "".join(f"r{i}@x.test {r}\n" for i, r in enumerate(RESULTS)),
    "helo": "bad.test REJECT\n.par.test REJECT par\npar2.test REJECT par2\n"
            "lit REJECT\n127.0.0.1 REJECT plain\n[127.0.0.1] REJECT brackets\n",
    "client": "bad.name.test REJECT name\n10.1 REJECT net\n10.2.3 REJECT net3\n"
              "10.2.3.4 DUNNO\nunknown DUNNO\n.sub.test REJECT sub\n",
    "networks": "192.0.2.0/24 REJECT cidr\n",
    "sender": "<> DUNNO\nb@bad.test REJECT b\nbad2.test REJECT domain\n"
              "user@ REJECT user\n",
}
SENDERS = ["b@bad.test", "x@bad2.test", "x@y.bad2.test", "user@any.test",
           "user+e@any.test", ""]
MAILS = [Mail("s@b.test", [f"r{i}@x.test"]) for i in range(len(RESULTS))] + [
    Mail(sender, ["a@x.test"]) for sender in SENDERS] + [
    Mail("s@b.test", ["a@x.test"], helo=name) for name in NAMES] + [
    Mail("s@b.test", ["a@x.test"], xclient=x) for x in CLIENTS]


@pytest.mark.parametrize("last, helo", [
    ("permit", "reject_invalid_helo_hostname,"),
    ("reject_unauth_destination", "reject_non_fqdn_helo_hostname,")])
def test_results_and_names(suite, last, helo):
    ours, theirs = both(suite, MAILS, MAIN.format(last=last, helo=helo),
                        TABLES)
    assert_same(ours, theirs)
    assert len({str(said) for _, said in ours.replies}) > 20
