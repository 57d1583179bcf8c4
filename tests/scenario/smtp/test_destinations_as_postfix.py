# SPDX-License-Identifier: ISC
"""Where the client goes, how it logs in and encrypts there, beside the running
Postfix: names with MX records and without, [host], host:port, fallbacks, relays
by sender, and the tables that are asked for each of these."""
from side_by_side import Mail, assert_same, both, needs_postfix

pytestmark = needs_postfix

MAIN = """\
default_transport = smtp
transport_maps = texthash:@@tables@@/transport
smtp_tcp_port = @@port@@
smtp_host_lookup = dns
smtp_connect_timeout = 3
smtp_sasl_auth_enable = yes
smtp_sasl_security_options =
smtp_sasl_mechanism_filter = plain
smtp_sasl_password_maps = texthash:@@tables@@/passwords
smtp_tls_security_level = may
smtp_tls_policy_maps = texthash:@@tables@@/policy
smtp_discard_ehlo_keyword_address_maps = cidr:@@tables@@/discard
smtp_reply_filter = regexp:@@tables@@/replies
smtp_fallback_relay = fallback.test
smtp_generic_maps = texthash:@@tables@@/generic
sender_dependent_relayhost_maps = texthash:@@tables@@/relayhost
sender_dependent_default_transport_maps = texthash:@@tables@@/default
"""
RECORDS = {
    ("a.test", "MX"): [(10, "mx1.a.test")],
    ("mx1.a.test", "A"): ["127.0.0.2"],
    ("b.test", "MX"): [(10, "mx1.b.test"), (20, "mx2.b.test")],
    ("mx1.b.test", "A"): ["127.0.0.99"], ("mx2.b.test", "A"): ["127.0.0.3"],
    ("noa.test", "MX"): [(10, "nothere.test")],
    ("nomx.test", "A"): ["127.0.0.4"],
    ("null.test", "MX"): [(0, ".")],
    ("fallback.test", "A"): ["127.0.0.5"],
    ("cn.test", "CNAME"): ["nomx.test"],
    ("self.test", "MX"): [(10, "host.dom.test"), (20, "mx1.a.test")],
    ("host.dom.test", "A"): ["127.0.0.98"],
    ("sf.test", "MX"): "SERVFAIL",
    ("sfa.test", "MX"): [(10, "sfa.mx.test")],
    ("sfa.mx.test", "A"): "SERVFAIL",
    ("gw.test", "A"): ["127.0.0.6"],
    ("gw.test", "MX"): [(5, "mxgw.test")], ("mxgw.test", "A"): ["127.0.0.7"],
    ("mxcn.test", "MX"): [(10, "cnmx.test")],
    ("cnmx.test", "CNAME"): ["mx1.a.test"],
    ("literal.test", "MX"): [(10, "127.0.0.2")],
    **{(n, "MX"): [(10, "mx1.a.test")]
       for n in ("enc.test", "x.par.test", "par.test")},
    ("many.test", "MX"): [(10, f"mx{i}.many.test") for i in range(8)],
    **{(f"mx{i}.many.test", "A"): [f"127.0.0.{100 + i}"] for i in range(8)},
}
TRANSPORTS = [
    "smtp:[gw.test]", "smtp:gw.test", "smtp:[gw.test]:@@port@@",
    "smtp:gw.test:@@port@@", "smtp:[127.0.0.6]", "smtp:127.0.0.6",
    "smtp:nx.test, gw.test", "smtp:[gw.test]:@@port@@, a.test", "smtp:",
    ":[gw.test]", "smtp:[nx.test]", "smtp:nomx.test:1", "relay:gw.test",
    "lmtp:inet:gw.test:@@port@@", "lmtp:[gw.test]:@@port@@",
    "lmtp:gw.test:@@port@@", "smtp:host.dom.test:@@port@@",
]
TABLES = {
    "transport": "".join(f"t{i}.test {value}\n"
                         for i, value in enumerate(TRANSPORTS)),
    "passwords": "mx1.a.test host-a:x\na.test next-a:x\n"
                 "[gw.test]:@@port@@ place-gw:x\n[gw.test] brackets-gw:x\n"
                 "gw.test gw:x\ngw.test:@@port@@ gw-port:x\n"
                 "mxgw.test mxgw:x\nfallback.test fb:x\nnomx.test nomx:x\n"
                 "mx2.b.test mx2b:x\n127.0.0.6 literal:x\n",
    "policy": ".sub.a.test encrypt\nenc.test encrypt\nmx1.enc.test none\n"
              ".par.test encrypt\npar.test none\n[mx1.a.test] encrypt\n"
              "t8.test encrypt\n",
    "discard": "127.0.0.4 8bitmime, pipelining\n",
    "replies": "/^550 5\\.9\\.9 (.*)/ 450 4.9.9 $1\n/^250-X-Y/ 250-SIZE 3\n",
    "generic": "@gen.test @out.test\n",
    "relayhost": "r1@snd.test [gw.test]\nr2@snd.test gw.test:@@port@@\n"
                 "r3@snd.test DUNNO\n",
    "default": "d1@snd.test lmtp:[gw.test]:@@port@@\nd2@snd.test smtp:\n"
               "d3@snd.test discard:\n",
}
DOMAINS = ["a.test", "A.test", "b.test", "noa.test", "nomx.test", "null.test",
           "cn.test", "self.test", "sf.test", "sfa.test", "nx.test",
           "mxcn.test", "literal.test", "many.test", "enc.test", "x.par.test",
           "par.test", "[127.0.0.6]", "gw.test",
           *(f"t{i}.test" for i in range(len(TRANSPORTS)))]
HEADER = "From: x@gen.test\r\nSubject: x\r\n\r\nx\r\n"
MAILS = [Mail(f"s{n}@snd.test", [f"r@{d}"], HEADER)
         for n, d in enumerate(DOMAINS)] + [
    Mail(f"{sender}@snd.test", [f"r@{domain}"], HEADER)
    for sender in ("r1", "r2", "r3", "d1", "d2", "d3")
    for domain in ("a.test", "t0.test")]


def said_of(line):
    return "550 5.9.9 no such" if "<r@nomx" in line else "250 2.1.5 Ok"


def test_where_the_client_goes(suite):
    lmtp = "lmtp unix - - n - - lmtp\n"
    ours, theirs = both(
        suite, MAILS, MAIN, TABLES, [f"127.0.0.{i}" for i in range(2, 8)],
        RECORDS, peer_master=lmtp,
        extensions=("8BITMIME", "PIPELINING", "AUTH PLAIN", "X-Y"),
        replies={"AUTH": "235 2.7.0 Ok", "RCPT": said_of})
    assert_same(ours, theirs)
    assert len(ours.heard) > 40 and len(ours.logins) > 20
