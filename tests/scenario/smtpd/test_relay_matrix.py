# SPDX-License-Identifier: ISC
"""Who may send where: clients of every kind of address, logged in or not, and
every way to write a recipient (CVE-2005-0337: addresses of IPv6 made a backup
MX a relay for all)."""
import pytest

from peers import Dialogue

MAIN = """\
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_peername_lookup = no
smtpd_delay_reject = yes
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
mynetworks = 127.0.0.0/8 [::1]/128 192.0.2.0/28 [2001:db8:1::]/64
relay_domains = relay.test
relay_recipient_maps =
recipient_delimiter = +
smtpd_relay_restrictions = {rules}
"""
RULES = ["permit_mynetworks, permit_sasl_authenticated, "
         "reject_unauth_destination",
         "permit_mynetworks, permit_sasl_authenticated, "
         "defer_unauth_destination",
         "permit_sasl_authenticated, permit_mynetworks, "
         "permit_auth_destination, reject"]
# the address that a proxy tells, and whether it is one of ours
CLIENTS = {
    "127.0.0.1": True, "192.0.2.5": True, "192.0.2.16": False,
    "192.0.2.99": False, "IPV6:::1": True, "IPV6:2001:db8:1::5": True,
    "IPV6:2001:db8:1:1::5": False, "IPV6:2001:db8:2::5": False,
    # one that is IPv4, one that looks like it, and one of its bits
    "IPV6:::ffff:192.0.2.5": True, "IPV6:::ffff:192.0.2.99": False,
    "IPV6:::192.0.2.5": False, "IPV6:c000:205::": False,
    "[UNAVAILABLE]": False,
}
OURS = ["bob@example.test", "BOB@EXAMPLE.TEST", "bob+x@example.test",
        '"bob"@example.test', "@elsewhere.test:bob@example.test",
        "user@relay.test", "user@RELAY.test"]
THEIRS = ["x@elsewhere.test", "x@ELSEWHERE.TEST",
          "@example.test:x@elsewhere.test",
          "@example.test,@relay.test:x@elsewhere.test", "x@[192.0.2.99]",
          "x@[IPv6:2001:db8::99]", "x@m\u00fcnchen.test",
          "x@xn--mnchen-3ya.test", "x@relay.test.elsewhere.test",
          "x@notrelay.test", "x@elsewhere.test.",
          '"x y"@elsewhere.test', "postmaster@elsewhere.test"]
# ways to elsewhere by somebody who would take them for it
ROUTES = ["x%elsewhere.test@example.test", "x%elsewhere.test@relay.test",
          "elsewhere.test!x@example.test", "elsewhere.test!x@relay.test",
          '"x@elsewhere.test"@example.test', '"x@elsewhere.test"@relay.test',
          '"x%elsewhere.test"@relay.test', "elsewhere.test!x",
          "x%elsewhere.test", '"x@elsewhere.test"',
          "x@elsewhere.test@example.test", "x@elsewhere.test@relay.test"]


@pytest.mark.parametrize("rules", RULES)
def test_matrix(suite, rules):
    s = suite(main=MAIN.format(rules=rules))
    s.command("postconf", "-e", "smtpd_sasl_auth_enable=yes",
              "smtpd_tls_auth_only=no")
    s.posthaste("reload")
    wrong = []
    for client, ours in CLIENTS.items():
        for login in ("", " LOGIN=alice@example.test"):
            with Dialogue(s.ports["smtp"]) as d:
                d.reply()
                said = d.ask(f"XCLIENT ADDR={client}{login}")
                assert said.startswith("220"), (client, said)
                d.ask("EHLO client.test")
                d.ask("MAIL FROM:<a@b.test>")
                for to in OURS + THEIRS + ROUTES:
                    code = d.ask(f"RCPT TO:<{to}>")[0]
                    if to in OURS:
                        good = code == "2"
                    elif ours or login:
                        good = to in ROUTES or code == "2"
                    else:
                        good = code in "45"
                    if not good:
                        wrong.append((client, login, to, code))
    assert not wrong, wrong
