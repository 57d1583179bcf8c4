# SPDX-License-Identifier: ISC
"""Which server mail for a domain goes to."""
import socket
import threading

import pytest

from peers import FakeServer
from posthaste import MASTER_CF


def test_best_mx_first_and_the_next_when_it_is_down(suite, dns):
    names = dns({("two.test", "MX"): [(20, "b.two.test"), (10, "a.two.test")],
                 ("a.two.test", "A"): ["127.0.0.1"],
                 ("b.two.test", "A"): ["127.0.0.2"]})
    with FakeServer(host="127.0.0.2") as backup:
        s = suite(dns=names, main=f"smtp_tcp_port = {backup.port}\n")
        s.send(to="x@two.test")
        backup.wait()
        s.wait_log(r"connect to a.two.test\[127.0.0.1\]:\d+: Connection "
                   "refused")
        s.wait_log(r"relay=b.two.test\[127.0.0.2\]:\d+, .*status=sent")
        with FakeServer(port=backup.port) as first:
            s.set(smtp_connection_cache_time_limit="0")
            s.posthaste("reload")
            s.send(to="y@two.test")
            first.wait()
        assert len(backup.messages) == 1


@pytest.mark.parametrize("replies", [
    {"connect": "554 5.3.0 no"},
    {"connect": "421 4.3.0 busy"},
    {"connect": None},
    {"EHLO": "421 4.3.0 busy"},
    {"MAIL": "451 4.3.0 later"},
    {"RCPT": "450 4.2.0 later"},
    {".": "451 4.3.0 later"},
])
def test_next_mx_is_asked_when_the_first_is_unwell(suite, dns, replies):
    names = dns({("two.test", "MX"): [(10, "a.two.test"), (20, "b.two.test")],
                 ("a.two.test", "A"): ["127.0.0.1"],
                 ("b.two.test", "A"): ["127.0.0.2"]})
    with FakeServer(replies=replies) as first, \
            FakeServer(port=first.port, host="127.0.0.2") as second:
        s = suite(dns=names, main=f"smtp_tcp_port = {first.port}\n")
        s.send(to="x@two.test")
        second.wait()
        s.wait_empty()
        assert first.connections == 1
        assert not first.messages


def test_no_more_sessions_than_told(suite, dns):
    names = dns({("two.test", "MX"): [(10, "a.two.test"), (20, "b.two.test")],
                 ("a.two.test", "A"): ["127.0.0.1"],
                 ("b.two.test", "A"): ["127.0.0.2"]})
    with FakeServer(replies={"MAIL": "451 4.3.0 not now"}) as first, \
            FakeServer(port=first.port, host="127.0.0.2") as second:
        s = suite(dns=names, main=f"smtp_tcp_port = {first.port}\n"
                  "smtp_mx_session_limit = 1\n")
        s.send(to="x@two.test")
        s.wait_log("status=deferred .*451 4.3.0 not now")
        s.wait_log(r"1 sessions: .*\(smtp_mx_session_limit\)")
        assert second.connections == 0


def test_refused_recipient_is_not_tried_elsewhere(suite, dns):
    names = dns({("two.test", "MX"): [(10, "a.two.test"), (20, "b.two.test")],
                 ("a.two.test", "A"): ["127.0.0.1"],
                 ("b.two.test", "A"): ["127.0.0.2"]})
    with FakeServer(replies={"RCPT": "550 5.1.1 unknown"}) as first, \
            FakeServer(port=first.port, host="127.0.0.2") as second:
        s = suite(dns=names, main=f"smtp_tcp_port = {first.port}\n")
        s.send(to="x@two.test")
        s.wait_log("status=bounced .*550 5.1.1 unknown")
        assert second.connections == 0


def test_domain_without_mx_is_its_own_host(suite, dns):
    names = dns({("plain.test", "A"): ["127.0.0.3"]})
    with FakeServer(host="127.0.0.3") as sink:
        s = suite(dns=names, main=f"smtp_tcp_port = {sink.port}\n")
        s.send(to="x@plain.test")
        sink.wait()
        assert ("plain.test", "MX") in names.queries


@pytest.mark.parametrize("records, dsn, status, text", [
    ({}, "5.4.4", "bounced", "Host or domain name not found. Name service "
     "error for name=odd.test type=MX: Host not found"),
    ({("odd.test", "MX"): "SERVFAIL"}, "4.4.3", "deferred",
     "Host or domain name not found. Name service error for name=odd.test "
     "type=MX: Host not found, try again"),
    ({("odd.test", "MX"): [(0, "")]}, "5.1.10", "bounced",
     "Domain odd.test does not accept mail .nullMX."),
    ({("odd.test", "MX"): [(10, "gone.odd.test")]}, "5.4.4", "bounced",
     "Host or domain name not found"),
    ({("odd.test", "MX"): [(10, "later.odd.test")],
      ("later.odd.test", "A"): "SERVFAIL"}, "4.4.3", "deferred",
     "Host or domain name not found"),
    ({("odd.test", "TXT"): ["no mail here"]}, "5.4.4", "bounced",
     "Host or domain name not found"),
    ({("odd.test", "MX"): [(10, "mx.example.test")],
      ("mx.example.test", "A"): ["127.0.0.1"]}, "5.4.6", "bounced",
     "mail for odd.test loops back to myself"),
    ({("odd.test", "MX"): [(10, "nat.odd.test")],
      ("nat.odd.test", "A"): ["127.0.0.1"]}, "5.4.6", "bounced",
     "mail for odd.test loops back to myself"),
])
def test_names_that_lead_nowhere(suite, dns, records, dsn, status, text):
    s = suite(dns=dns(records))
    qid = s.send(to="x@odd.test")
    s.wait_log(rf"{qid}: to=<x@odd.test>, relay=none, .*dsn={dsn}, "
               rf"status={status} \({text}")


def test_worse_mx_than_us_is_not_used(suite, dns):
    """On port 25, where nobody listens here: on others there are filters."""
    names = dns({("ours.test", "MX"): [(10, "a.ours.test"),
                                       (20, "mx.example.test"),
                                       (30, "c.ours.test")],
                 ("a.ours.test", "A"): ["127.0.0.97"],
                 ("mx.example.test", "A"): ["127.0.0.98"],
                 ("c.ours.test", "A"): ["127.0.0.99"]})
    s = suite(dns=names)
    s.send(to="x@ours.test")
    s.wait_log("status=deferred .connect to a.ours.test")
    assert "to mx.example.test" not in s.log()
    assert "to c.ours.test" not in s.log()


def test_equal_preference_is_shared_out(suite, dns):
    """RFC 5321 section 5.1: the hosts must be taken in random order."""
    names = dns({("even.test", "MX"): [(10, "a.even.test"), (10, "b.even.test"),
                                       (20, "c.even.test")],
                 ("a.even.test", "A"): ["127.0.0.1"],
                 ("b.even.test", "A"): ["127.0.0.2"],
                 ("c.even.test", "A"): ["127.0.0.3"]})
    with FakeServer() as a, FakeServer(port=a.port, host="127.0.0.2") as b, \
            FakeServer(port=a.port, host="127.0.0.3") as worse:
        s = suite(dns=names, main=f"smtp_tcp_port = {a.port}\n"
                  "smtp_connection_cache_on_demand = no\n")
        for _ in range(30):
            s.send(to="x@even.test")
        s.wait_empty()
        # one of the two by chance alone: once in a thousand million times
        assert len(a.messages) + len(b.messages) == 30
        assert len(a.messages) > 0 and len(b.messages) > 0
        assert worse.connections == 0


def test_equal_preference_in_the_order_of_dns_where_it_is_wanted(suite, dns):
    names = dns({("even.test", "MX"): [(10, "a.even.test"),
                                       (10, "b.even.test")],
                 ("a.even.test", "A"): ["127.0.0.1"],
                 ("b.even.test", "A"): ["127.0.0.2"]})
    with FakeServer() as a, FakeServer(port=a.port, host="127.0.0.2") as b:
        s = suite(dns=names, main=f"smtp_tcp_port = {a.port}\n"
                  "smtp_randomize_addresses = no\n"
                  "smtp_connection_cache_on_demand = no\n")
        for _ in range(12):
            s.send(to="x@even.test")
        s.wait_empty()
        assert {len(a.messages), len(b.messages)} == {0, 12}


def no_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
    except OSError:
        return True
    return False


class V6Server(FakeServer):
    """On ::1."""

    def __init__(self, port=None, **options):
        super().__init__(**options)
        self.v6 = socket.socket(socket.AF_INET6)
        self.v6.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.v6.bind(("::1", port or self.port))
        self.v6.listen(20)
        self.v6_connections = 0
        threading.Thread(target=self.accept_v6, daemon=True).start()

    def accept_v6(self):
        while True:
            try:
                connection, _ = self.v6.accept()
            except OSError:
                return
            self.v6_connections += 1
            threading.Thread(target=self.run, args=(connection,),
                             daemon=True).start()

    def close(self):
        self.v6.shutdown(socket.SHUT_RDWR)  # ends accept(2)
        self.v6.close()
        super().close()


@pytest.mark.skipif(no_ipv6(), reason="no IPv6 here")
@pytest.mark.parametrize("protocols, preference, v6", [
    ("all", "ipv6", 1), ("all", "ipv4", 0), ("ipv6", "any", 1),
    ("ipv4", "ipv6", 0)])
def test_addresses_of_both_kinds(suite, dns, protocols, preference, v6):
    names = dns({("both.test", "MX"): [(10, "a.both.test")],
                 ("a.both.test", "A"): ["127.0.0.1"],
                 ("a.both.test", "AAAA"): ["::1"]})
    listen = "[::1]:{" if protocols == "ipv6" else "127.0.0.1:{"
    with V6Server() as sink:
        s = suite(dns=names, master_cf=MASTER_CF.replace("127.0.0.1:{", listen),
                  main=f"smtp_tcp_port = {sink.port}\n"
                  f"inet_protocols = {protocols}\n"
                  f"smtp_address_preference = {preference}\n")
        s.command("sendmail", "-f", "alice@example.test", "x@both.test",
                  stdin="Subject: x\n\nx\n")
        sink.wait()
        assert sink.v6_connections == v6
        s.wait_log(r"relay=a.both.test\[%s\]:" % ("::1" if v6 else
                                                  "127.0.0.1"))


@pytest.mark.skipif(no_ipv6(), reason="no IPv6 here")
def test_the_other_kind_of_address_when_one_is_down(suite, dns):
    names = dns({("both.test", "MX"): [(10, "a.both.test")],
                 ("a.both.test", "A"): ["127.0.0.3"],
                 ("a.both.test", "AAAA"): ["::1"]})
    with FakeServer(host="127.0.0.3") as sink:
        s = suite(dns=names, main=f"smtp_tcp_port = {sink.port}\n"
                  "inet_protocols = all\nsmtp_address_preference = ipv6\n")
        s.send(to="x@both.test")
        sink.wait()
        s.wait_log(r"connect to a.both.test\[::1\]:\d+: Connection refused")


def test_address_limit(suite, dns):
    names = dns({("many.test", "MX"): [(i, f"m{i}.many.test")
                                       for i in range(1, 6)],
                 **{(f"m{i}.many.test", "A"): [f"127.0.0.{i}"]
                    for i in range(1, 6)}})
    with FakeServer(host="127.0.0.4") as fourth:
        s = suite(dns=names, main=f"smtp_tcp_port = {fourth.port}\n"
                  "smtp_mx_address_limit = 3\n")
        s.send(to="x@many.test")
        s.wait_log("status=deferred .connect to m3.many.test")
        assert fourth.connections == 0


def test_international_domain(suite, dns):
    names = dns({("xn--bcher-kva.test", "MX"): [(10, "mx.books.test")],
                 ("mx.books.test", "A"): ["127.0.0.3"]})
    with FakeServer(("SMTPUTF8", "8BITMIME"), host="127.0.0.3") as sink:
        s = suite(dns=names, main=f"smtp_tcp_port = {sink.port}\n")
        with s.smtp() as session:
            session.ehlo()
            session.command_encoding = "utf-8"
            session.mail("alice@example.test", ["SMTPUTF8"])
            assert session.rcpt("x@bücher.test")[0] == 250
            session.data("Subject: x\r\n\r\nx\r\n")
        sink.wait()


def test_hosts_file_where_it_is_asked_for(suite, dns):
    name = socket.gethostname()
    if not any(name in line.split()[1:] and line.startswith("127.")
               for line in open("/etc/hosts")):
        pytest.skip("this machine's name is not in its hosts file")
    address = socket.gethostbyname(name)
    with FakeServer(host=address) as sink:
        s = suite(dns=dns(), main=f"relayhost = [{name}]:{sink.port}\n"
                  "smtp_host_lookup = native, dns\n")
        s.send(to="x@remote.test")
        sink.wait()


def test_questions_for_one_message_are_bounded(suite, dns):
    """CVE-2023-50387 and its like: an answer of many names is no amplifier,
    and aliases that lead on and on come to an end."""
    many = [(i % 7, f"m{i}.many.test") for i in range(100)]
    chain = {(f"c{i}.test", "CNAME"): [f"c{i + 1}.test"] for i in range(40)}
    names = dns({("many.test", "MX"): many, ("c0.test", "MX"): [
        (1, "c1.test")], **chain,
        **{(host, "A"): ["127.0.0.77"] for _, host in many}})
    s = suite(dns=names, main="smtp_mx_session_limit = 2\n"
              "minimal_backoff_time = 1000s\n")
    s.send(to="x@many.test", sender="")
    s.send(to="x@c0.test", sender="")
    for domain in ("many", "c0"):
        s.wait_log(rf"to=<x@{domain}\.test>, .*status=(deferred|bounced)")
    asked = [name for name, _ in names.queries if name != "many.test"]
    assert len([n for n in asked if n.endswith("many.test")]) <= 2 * 64
    assert len([n for n in asked if n.startswith("c")]) <= 40, asked
