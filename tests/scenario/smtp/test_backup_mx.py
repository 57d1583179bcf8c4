# SPDX-License-Identifier: ISC
"""We are one of a domain's MX hosts: mail goes to those that are better, waits
while they are not to be found, and ends only where none is better. Beside the
running Postfix."""
import os
import re

import pytest

from peers import FakeServer
from posthaste import AS_ROOT, free_port, wait_for
from side_by_side import Mail, assert_same, both, needs_postfix

US = "host.dom.test"  # in side_by_side's settings
AGAIN = "later.mx.test"
WORSE = "worse.mx.test"
LOOPS = ("5.4.6", "bounced", "mail for {} loops back to myself")
WAITS = ("4.4.4", "deferred", "unable to find primary relay for {}")
NOT_NOW = ("4.4.3", "deferred", "Host or domain name not found. Name service "
           f"error for name={AGAIN} type=A: Host not found, try again")
DOWN = ("4.4.1", "deferred",
        "connect to down.mx.test[127.0.0.97]:25: Connection refused")
HOSTS = {
    (US, "A"): ["127.0.0.1"],
    (AGAIN, "A"): "SERVFAIL",
    ("nodata.mx.test", "TXT"): ["no address"],
    ("six.mx.test", "AAAA"): ["2001:db8::1"],
    ("down.mx.test", "A"): ["127.0.0.97"],
    ("nat.mx.test", "A"): ["192.0.2.99"],  # proxy_interfaces
    ("alias.mx.test", "CNAME"): [US],
    (WORSE, "A"): ["127.0.0.96"],
}
# a domain's MX hosts, and what becomes of its mail
DOMAINS = {
    "again.test": ([(10, AGAIN), (20, US)], WAITS),
    "nodata.test": ([(10, "nodata.mx.test"), (20, US)], WAITS),
    "nxdomain.test": ([(10, "gone.mx.test"), (20, US)], WAITS),
    "six.test": ([(10, "six.mx.test"), (20, US)], WAITS),
    "worse.test": ([(10, AGAIN), (20, US), (30, WORSE)], WAITS),
    "no-worse.test": ([(10, AGAIN), (20, US), (20, WORSE)], WAITS),
    "several.test": ([(5, "gone.mx.test"), (10, AGAIN), (20, US), (30, WORSE),
                      (30, AGAIN)], WAITS),
    "twice.test": ([(10, AGAIN), (20, US), (30, US)], WAITS),
    "literal.test": ([(10, AGAIN), (20, "127.0.0.1")], WAITS),
    "nat.test": ([(10, AGAIN), (20, "nat.mx.test")], WAITS),
    "alias.test": ([(10, AGAIN), (20, "alias.mx.test")], WAITS),
    "equal.test": ([(10, AGAIN), (10, US)], LOOPS),
    "best.test": ([(10, US), (20, AGAIN)], LOOPS),
    "best-of-all.test": ([(10, US), (20, WORSE)], LOOPS),
    "best-literal.test": ([(10, "127.0.0.1"), (20, WORSE)], LOOPS),
    "best-nat.test": ([(10, "nat.mx.test"), (20, WORSE)], LOOPS),
    "alone.test": ([(10, US)], LOOPS),
    "down.test": ([(10, "down.mx.test"), (20, US), (30, WORSE)], DOWN),
    "some.test": ([(5, AGAIN), (10, "down.mx.test"), (20, US)], DOWN),
    "foreign.test": ([(10, AGAIN), (20, AGAIN)], NOT_NOW),
}
RECORDS = {**HOSTS, ("plain.test", "A"): ["127.0.0.1"],
           ("nowhere.test", "MX"): [(10, "gone.mx.test")],
           **{(domain, "MX"): mx for domain, (mx, _) in DOMAINS.items()}}
MAIN = """\
inet_protocols = ipv4
proxy_interfaces = 192.0.2.99
smtp_host_lookup = dns
smtp_connect_timeout = 3
"""


def mail(domains):
    return [Mail("s@snd.test", [f"r@{domain}"]) for domain in domains]


def became(told):
    """Domain to code, status and reason. Reports are another thing; of a name
    that does not exist Postfix asks for MX records and addresses."""
    return {to.split("@")[1]: (dsn, status, re.sub(
                r"(name=gone\.\S* type)=MX:", r"\1=A:", how))
            for _, to, _, _, dsn, status, how in told.deliveries
            if to.startswith("r@")}


def expected(domains):
    return {d: (dsn, status, how.format(d))
            for d, (_, (dsn, status, how)) in domains.items()}


@needs_postfix
@pytest.mark.parametrize("defer", ["no", "yes"])
def test_beside_postfix(suite, defer):
    ours, theirs = both(
        suite, mail([*DOMAINS, "plain.test", "nowhere.test"]),
        MAIN + f"smtp_defer_if_no_mx_address_found = {defer}\n", dns=RECORDS)
    result = became(ours)
    assert result == became(theirs)
    assert result.pop("nowhere.test")[:2] == (
        ("4.4.4", "deferred") if defer == "yes" else ("5.4.4", "bounced"))
    assert result == {**expected(DOMAINS), "plain.test": (
        "5.4.6", "bounced", "mail for plain.test loops back to myself")}
    assert "to worse.mx.test" not in ours.log


@needs_postfix
def test_mail_that_we_are_an_mx_for_is_not_given_to_a_fallback(suite):
    """It would come back from there. Other mail is."""
    ours, theirs = both(
        suite, mail([*DOMAINS, "plain.test"]),
        MAIN + "smtp_fallback_relay = [127.0.0.95]:@@port@@\n",
        hosts=["127.0.0.95"], dns=RECORDS)
    assert_same(ours, theirs, "heard")
    assert became(ours) == became(theirs)
    assert [d for d, (_, status, _) in became(ours).items()
            if status == "sent"] == ["foreign.test"]


@needs_postfix
@pytest.mark.parametrize("main, domains", [
    ("relayhost = gone.mx.test\n", ["x.test"]),
    ("relayhost = [gone.mx.test]\n", ["x.test"]),
    ("relayhost = alone.test\n", ["x.test"]),
    # these are away, for now and for good
    ("smtp_fallback_relay = gone.mx.test\n", ["foreign.test", "gone.test"]),
    ("smtp_fallback_relay = alone.test\n", ["foreign.test", "gone.test"])])
def test_a_relay_that_is_not_there_bounces_nothing(suite, main, domains):
    ours, theirs = both(suite, mail(domains), MAIN + main, dns=RECORDS)
    assert {(dsn, status) for dsn, status, _ in became(ours).values()} == {
        ("4.3.5", "deferred")}
    assert became(ours) == became(theirs)


def ours_alone(suite, dns, records, main=""):
    s = suite(dns=dns(records), main=main)
    qid = s.send(to="x@odd.test")
    return s, rf"{qid}: to=<x@odd\.test>, .*"


# of the suite's own settings
SELF = {("mx.example.test", "A"): ["127.0.0.1"]}


@pytest.mark.parametrize("records, result", [
    # a record that names no host says that somebody is better
    ({("odd.test", "MX"): [(10, "no host.odd.test"), (20, "mx.example.test")],
      **SELF}, "dsn=4.4.4, status=deferred"),
    ({("odd.test", "MX"): [(0, ""), (20, "mx.example.test")], **SELF},
     "dsn=4.4.4, status=deferred"),
    ({("odd.test", "MX"): [(10, "mx.example.test"), (20, "no host.odd.test")],
      **SELF}, "dsn=5.4.6, status=bounced"),
    # our own name is our own while it cannot be looked up as well
    ({("odd.test", "MX"): [(10, "gone.odd.test"), (20, "mx.example.test"),
                           (30, "c.odd.test")],
      ("mx.example.test", "A"): "SERVFAIL", ("c.odd.test", "A"): [
          "127.0.0.96"]}, "dsn=4.4.4, status=deferred"),
    ({("odd.test", "MX"): [(10, "mx.example.test"), (30, "c.odd.test")],
      ("mx.example.test", "A"): "SERVFAIL", ("c.odd.test", "A"): [
          "127.0.0.96"]}, "dsn=4.4.4, status=deferred"),
    # servers that say nothing of the name
    ({("odd.test", "MX"): "FORMERR"}, "dsn=4.4.3, status=deferred"),
    ({("odd.test", "MX"): "REFUSED"}, "dsn=4.4.3, status=deferred"),
    ({("odd.test", "MX"): [(10, "a.odd.test")], ("a.odd.test", "A"): "FORMERR"
      }, "dsn=4.4.3, status=deferred"),
    ({("odd.test", "A"): "FORMERR", ("odd.test", "MX"): []},
     "dsn=4.4.3, status=deferred"),
])
def test_what_name_servers_say(suite, dns, records, result):
    s, line = ours_alone(suite, dns, records)
    s.wait_log(line + result)
    assert "connect to" not in s.log()


@pytest.mark.parametrize("records", [
    {("odd.test", "A"): ["127.0.0.1"]},
    {("odd.test", "A"): "NXDOMAIN"},
])
def test_what_stands_in_for_mx_records_ends_nothing(suite, dns, records):
    """ignore_mx_lookup_error: the domain may have others all the same."""
    s, line = ours_alone(suite, dns,
                         {("odd.test", "MX"): "SERVFAIL", **records},
                         "ignore_mx_lookup_error = yes\n")
    s.wait_log(line + "dsn=4.4.3, status=deferred")


US_BY_GREETING = {"connect": "220 mx.example.test ESMTP"}


def test_a_greeting_where_an_address_stands_in_ends_nothing(suite, dns):
    """ignore_mx_lookup_error: nobody knows that we are the best."""
    names = {("odd.test", "MX"): "SERVFAIL", ("odd.test", "A"): ["127.0.0.2"]}
    with FakeServer(host="127.0.0.2", replies=US_BY_GREETING) as router:
        s, line = ours_alone(suite, dns, names, "ignore_mx_lookup_error = yes\n"
                             f"smtp_tcp_port = {router.port}\n")
        s.wait_log(line + "dsn=4.4.6, status=deferred .mail for odd.test loops "
                   "back to myself")


@pytest.mark.parametrize("setting", ["relayhost", "smtp_fallback_relay"])
def test_a_relay_that_turns_out_to_be_us_bounces_nothing(suite, dns, setting):
    """It leads through a router back to us, and a person may mend that."""
    names = {("odd.test", "MX"): [(10, "down.test")],
             ("relay.test", "MX"): [(10, "router.test")],
             ("down.test", "A"): ["127.0.0.3"],
             ("router.test", "A"): ["127.0.0.2"]}
    with FakeServer(host="127.0.0.2", replies=US_BY_GREETING) as router:
        s, line = ours_alone(suite, dns, names, f"{setting} = relay.test\n"
                             f"smtp_tcp_port = {router.port}\n")
        s.wait_log(line + "dsn=4.3.5, status=deferred .mail for relay.test "
                   "loops back to myself")
    s.wait_log("warning: .*relay.test is where a setting or a table sends mail")


def test_what_a_table_named_waits_whoever_goes_along(suite, dns):
    """The name is one recipient's own, and for that one there is none."""
    s = suite(dns=dns({}), main="transport_maps = "
              "inline:{moved.test=smtp:gone.test}\n")
    s.send(to=["x@gone.test", "y@moved.test"])
    s.wait_log(r"to=<y@moved\.test>, .*status=")
    s.wait_log(r"to=<x@gone\.test>, .*dsn=5\.4\.4, status=bounced")
    assert re.search(r"to=<y@moved\.test>, .*dsn=4\.3\.5, status=deferred",
                     s.log())


def test_without_dns_no_mx_is_asked_for(suite, dns):
    names = dns({("localhost", "MX"): [(10, "nowhere.test")]})
    with FakeServer() as sink:
        s = suite(dns=names, main="disable_dns_lookups = yes\n"
                  f"relayhost = localhost:{sink.port}\n")
        s.send(to="x@odd.test")
        sink.wait()
        assert names.queries == []


@pytest.mark.parametrize("records, result, last", [
    ([(10, "a.odd.test"), (20, "b.odd.test"), (30, "c.odd.test")],
     "dsn=4.4.6, status=deferred", True),
    ([(10, "b.odd.test"), (30, "c.odd.test")],
     "dsn=5.4.6, status=bounced", False),
])
def test_an_address_that_nobody_told_us_is_ours(suite, dns, records, result,
                                                last):
    """Our own name in a greeting: proxy_interfaces lacks that of a router.
    The primary is down, and what is worse than we are is left alone."""
    names = {("odd.test", "MX"): records, ("a.odd.test", "A"): ["127.0.0.3"],
             ("b.odd.test", "A"): ["127.0.0.2"],
             ("c.odd.test", "A"): ["127.0.0.4"]}
    with FakeServer(host="127.0.0.2", replies=US_BY_GREETING) as router, \
            FakeServer(port=router.port, host="127.0.0.4") as worse, \
            FakeServer() as fallback:
        s, line = ours_alone(
            suite, dns, names, f"smtp_tcp_port = {router.port}\n"
            f"smtp_fallback_relay = [127.0.0.1]:{fallback.port}\n")
        s.wait_log(line + result + " .mail for odd.test loops back to myself")
        assert ("connect to a.odd.test" in s.log()) == last
        assert worse.connections == fallback.connections == 0


@pytest.mark.skipif(not AS_ROOT, reason="port 25 is root's")
@pytest.mark.parametrize("failure", [
    "SERVFAIL", "NXDOMAIN", [],
    pytest.param("DROP", marks=pytest.mark.skipif(
        not os.environ.get("POSTHASTE_FULL"), reason="takes half a minute"))])
def test_mail_waits_until_the_primary_is_found_again(suite, dns, failure):
    number = free_port()
    host = f"127.78.{number // 256}.{number % 256}"
    names = dns({("client.test", "MX"): [(10, "primary.client.test"),
                                         (20, "mx.example.test")],
                 ("primary.client.test", "A"): failure, **SELF})
    with FakeServer(port=25, host=host) as primary:
        s = suite(dns=names, main="relay_domains = client.test\n")
        qid = s.send(to="x@client.test", sender="y@elsewhere.test")
        s.wait_log(rf"{qid}: to=<x@client\.test>, relay=none, .*dsn=4\.4\.4, "
                   r"status=deferred \(unable to find primary relay for "
                   r"client\.test\)", deadline=60)
        wait_for("it in the queue", lambda: s.queue("deferred") == [qid])
        names.records["primary.client.test", "A"] = [host]
        s.command("postqueue", "-f")
        (sender, _, _), = primary.wait()
        assert "<y@elsewhere.test>" in sender
        s.wait_empty()
    assert "bounced" not in s.log()
