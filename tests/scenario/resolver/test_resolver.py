# SPDX-License-Identifier: ISC
"""resolver alone hears name servers; the others ask it."""
import os
import signal
import socket
import time

import pytest

from posthaste import wait_for
from programs import SPEAKS_TO_MASTER, one, own_programs, replace
from resolver_client import (ADDRESSES, AGAIN, BAD, CLIENT, MX, NO_DATA,
                             NO_NAME, OK, Resolver)

RECORDS = {
    ("two.test", "MX"): [(20, "b.two.test"), (10, "a.two.test")],
    ("a.two.test", "A"): ["192.0.2.1"],
    ("a.two.test", "AAAA"): ["2001:db8::1"],
    ("null.test", "MX"): [(0, "")],
    ("fail.test", "MX"): "SERVFAIL",
    ("odd.test", "MX"): [(5, "not a host.test")],
    ("half.test", "MX"): [(7, "a.two.test"), (5, "not a host.test")],
    ("puzzled.test", "MX"): "FORMERR",
    ("silent.test", "MX"): "DROP",
    ("1.2.0.192.in-addr.arpa", "PTR"): ["a.two.test"],
    ("9.2.0.192.in-addr.arpa", "PTR"): ["a.two.test"],
}
# since equal questions are asked once
SILENT = [f"silent-{i}.test" for i in range(3100)]
MANY = {**RECORDS, **{(name, "MX"): "DROP" for name in SILENT}}
CHECKED = ("smtpd_recipient_restrictions = reject_unknown_sender_domain, "
           "reject_unauth_destination\nmynetworks =\n")
LATER = ("450 4.4.3 <a@silent.test>: Sender address rejected: Name service "
         "error, try again later")


def ip4(text):
    return socket.inet_pton(socket.AF_INET, text)


def ip6(text):
    return socket.inet_pton(socket.AF_INET6, text)


def come(instance, count, kind=Resolver):
    """So many connections of one service, without those that were refused."""
    many = []
    for _ in range(count):
        try:
            many.append(kind(instance, "captured"))
        except ConnectionError:
            pass
    return many


def record(name="", preference=0, address=b""):
    return {"name": name, "preference": preference, "address": address}


def asked(names, name="silent.test"):
    return sum(n == name for n, _ in names.queries)


def rcpt(session, sender):
    session.ehlo("h.example.test")
    assert session.mail(sender)[0] == 250
    code, text = session.rcpt("bob@example.test")
    return f"{code} {text.decode()}"


def test_each_kind_of_question(suite, dns):
    r = Resolver(suite(dns=dns(RECORDS)))
    assert r.find(MX, "two.test") == (OK, [record("a.two.test", 10),
                                           record("b.two.test", 20)])
    assert r.find(MX, "null.test") == (OK, [record("", 0)])
    assert r.find(MX, "a.two.test") == (NO_DATA, [])
    assert r.find(MX, "nobody.test") == (NO_NAME, [])
    assert r.find(MX, "fail.test") == (AGAIN, [])
    assert r.find(MX, "puzzled.test") == (AGAIN, [])
    assert r.find(MX, "odd.test") == (BAD, [])
    assert r.find(MX, "half.test") == (OK, [record("", 5),
                                            record("a.two.test", 7)])
    for odd in ("", "a..test", "with space.test", "with\\.escape.test",
                "\u00e9.test"):
        assert r.find(MX, odd) == (BAD, []), odd
    four, six = record(address=ip4("192.0.2.1")), record(
        address=ip6("2001:db8::1"))
    assert r.find(ADDRESSES, "a.two.test") == (OK, [four, six])
    assert r.find(ADDRESSES, "a.two.test", family=4) == (OK, [four])
    assert r.find(ADDRESSES, "a.two.test", family=6) == (OK, [six])
    name = [record("a.two.test")]
    assert r.find(CLIENT, client=ip4("192.0.2.1")) == (OK, name)
    # the zone says so, and the name does not lead back
    assert r.find(CLIENT, client=ip4("192.0.2.9")) == (NO_NAME, name)
    assert r.find(CLIENT, client=ip6("2001:db8::9")) == (NO_NAME, [])
    r.close()


def test_forms_of_name_servers(suite, dns):
    """Those that the check lets pass, c-ares takes."""
    names = dns(RECORDS)
    s = suite(dns=names, start=False)
    s.set(dns_servers=f"127.0.0.1:{names.port},[::1]:53,2001:db8::1,"
          "192.0.2.1")
    s.start()
    r = Resolver(s)
    assert r.find(MX, "nobody.test") == (NO_NAME, [])
    r.close()


def test_who_waits_holds_up_nobody_and_many_are_under_way(suite, dns):
    r = Resolver(suite(dns=dns(RECORDS)))
    silent = r.put(MX, "silent.test", patience=8000)
    begun = time.monotonic()
    # no more than answers fit in the socket, which nobody reads meanwhile
    numbers = set()
    for _ in range(20):
        numbers |= {r.put(MX, "two.test") for _ in range(60)}
        numbers |= {r.put(ADDRESSES, "a.two.test") for _ in range(30)}
        for _ in range(90):
            number, result, records = r.get()
            assert number != silent and len(records) == 2 and result == OK
            numbers.remove(number)
    assert not numbers
    assert r.get() == (silent, AGAIN, [])
    assert time.monotonic() - begun >= 8
    r.close()


@pytest.mark.parametrize("question", [
    dict(kind=ADDRESSES, name="a.test", family=5),
    dict(kind=CLIENT, client=b"12345"), dict(kind=CLIENT, name="a.test"),
    dict(kind=3, name="a.test"), dict(kind=MX, name=255 * "a"),
    dict(kind=CLIENT, client=17 * b"x")])
def test_what_nobody_asks_ends_that_connection_alone(suite, dns, question):
    s = suite(dns=dns(RECORDS))
    good, bad = Resolver(s), Resolver(s)
    assert good.find(MX, "nobody.test") == (NO_NAME, [])
    pid = s.processes("resolver")
    bad.put(**question)
    with pytest.raises((EOFError, ConnectionError)):
        bad.receive()
    s.wait_log("resolver.*protocol error")
    assert good.find(MX, "nobody.test") == (NO_NAME, [])
    assert s.processes("resolver") == pid
    good.close()


def test_a_captured_service_holds_up_itself_alone(suite, dns):
    """As many connections and questions as it likes, of what nobody answers."""
    names = dns(RECORDS)
    s = suite(dns=names, main=CHECKED)
    greedy = [Resolver(s, "captured") for _ in range(4)]
    for r in greedy:
        r.socket.settimeout(0.5)
        try:
            while r.last < 5000:
                r.put(MX, "silent.test")
        except TimeoutError:
            pass
    # 1000 of each of three connections, and none of the fourth
    s.wait_log(r"service captured \(smtpd\) has 4 connections and 3000 "
               r"questions under way: its next ones wait")
    begun = time.monotonic()
    with s.smtp() as session:
        assert rcpt(session, "a@two.test").startswith("250 ")
    other = Resolver(s, "other")
    assert other.find(MX, "nobody.test") == (NO_NAME, [])
    assert time.monotonic() - begun < 10
    for r in (*greedy, other):
        r.close()


def crowd(s, each):
    """Three connections with so many questions each, 4 s patience."""
    greedy = [Resolver(s, "captured") for _ in range(3)]
    for i, r in enumerate(greedy):
        for name in SILENT[i * each:(i + 1) * each]:
            r.put(MX, name, patience=4000)
    return greedy


def given_up(greedy):
    for r in greedy:
        assert all(r.get()[1] == AGAIN for _ in range(r.last))
        r.close()


def hold_both_channels(s, names, patient):
    """Else c-ares would be told that nobody waits for anything."""
    patient.put(MX, SILENT[-1])
    wait_for("the question", lambda: names.askers)
    other = Resolver(s, "captured")
    wait_for("the other one's turn", lambda: other.find(
        MX, "nobody.test") and len(set(names.askers)) > 1)
    patient.put(MX, SILENT[-2])
    other.close()


def test_to_come_again_is_no_way_to_have_more(suite, dns):
    """What was asked counts until it is answered, or c-ares gives it up."""
    names = dns(MANY)
    s = suite(dns=names)
    patient = Resolver(s, "captured")
    hold_both_channels(s, names, patient)
    given_up(crowd(s, 980))
    for name in SILENT[-60:-2]:
        patient.put(MX, name)
    patient.put(MX, "two.test")
    s.wait_log(r"service captured \(smtpd\) has \d connections? and 300\d "
               r"questions under way: its next ones wait")
    assert not patient.answered()
    patient.close()


def test_what_c_ares_has_given_up_holds_no_place(suite, dns):
    s = suite(dns=dns(MANY))
    again = Resolver(s, "captured")
    given_up(crowd(s, 1000))
    assert again.find(MX, "two.test", patience=5000)[0] == OK
    again.close()


@pytest.fixture
def full(suite, dns):
    """(name server, instance, connection of a service that has asked nothing):
    others have left it no room for a question more."""
    names = dns(MANY)
    s = suite(dns=names)
    late = Resolver(s, "captured")
    greedy = [Resolver(s, "captured") for _ in range(3)]
    for i, r in enumerate(greedy):
        for name in SILENT[i * 1000:(i + 1) * 1000]:
            r.put(MX, name)
    # none of them twice: c-ares repeats what nobody answers
    wait_for("all questions", lambda: len({
        n for n, _ in list(names.queries) if n.startswith("silent-")}) >= 3000)
    yield names, s, late
    for r in (*greedy, late):
        r.close()


def test_what_waits_too_long_is_answered_and_not_asked(full):
    names, _, late = full
    begun = time.monotonic()
    for patience in (1000, 0):
        assert late.find(MX, "two.test", patience=patience) == (AGAIN, [])
    assert time.monotonic() - begun < 8
    assert not asked(names, "two.test")


def test_who_is_due_first_waits_behind_nobody(full):
    """Each is answered when it is due, whatever was asked before it."""
    names, _, late = full
    begun = time.monotonic()
    order = [late.put(MX, "two.test", patience=1000 * seconds)
             for seconds in (30, 3, 1, 2)]
    for number in (order[2], order[3], order[1]):
        assert late.get() == (number, AGAIN, [])
    assert time.monotonic() - begun < 15
    assert not asked(names, "two.test")


def test_what_waits_is_asked_when_there_is_room(full):
    names, s, late = full
    numbers = {late.put(MX, "two.test") for _ in range(20)}
    s.wait_log("has 4 connections and 3000 questions under way")
    assert not asked(names, "two.test")
    names.records = RECORDS  # c-ares repeats the others
    while numbers:
        number, result, _ = late.get()
        assert result == OK
        numbers.remove(number)


def test_what_waits_for_somebody_who_is_gone_is_not_asked(full):
    names, s, gone = full
    for i in range(1000):
        gone.put(MX, f"gone-{i}.test")
    wait_for("all to be heard", lambda: not gone.unread())
    gone.close()
    names.records = RECORDS  # c-ares repeats the others
    again = Resolver(s, "captured")
    assert again.find(MX, "two.test")[0] == OK
    assert not any(n.startswith("gone-") for n, _ in names.queries)
    again.close()


def test_equal_questions_of_a_service_are_asked_once(suite, dns):
    """So that who forges an answer has one number to guess, not hundreds."""
    names = dns(RECORDS)
    s = suite(dns=names)
    many = [Resolver(s, "captured") for _ in range(4)]
    for r in many:
        for _ in range(100):
            r.put(MX, "silent.test")
        last = r.put(MX, "nobody.test")
        assert r.get() == (last, NO_NAME, [])
    assert 1 <= asked(names) <= 4  # tries
    for r in many:
        r.close()


def test_mail_that_leaves_shares_no_socket_with_strangers(suite, dns):
    names = dns(RECORDS)
    s = suite(dns=names)
    both = Resolver(s, "a"), Resolver(s, "b", program="smtp")
    for r in both:
        r.put(MX, "silent.test")
    wait_for("two ports", lambda: len(set(names.askers)) == 2)
    for r in both:
        r.close()


def test_a_service_has_no_more_connections_than_processes(suite, dns):
    s = suite(dns=dns(RECORDS))
    many = come(s, 400)
    s.wait_log(r"service captured \(smtpd\) has 64 connections and \d+ "
               "questions under way: it gets no more connections")
    other = Resolver(s, "other")
    assert other.find(MX, "nobody.test") == (NO_NAME, [])
    for r in (*many, other):
        r.close()


class Mute(Resolver):
    """master's word alone, and of what would follow only a beginning."""

    def send(self, message, **fields):
        super().send("introduction", program="smtpd", service=self.told)
        self.socket.sendall((500).to_bytes(4, "big"))


def test_who_never_asks_counts_as_well(suite, dns):
    s = suite(dns=dns(RECORDS))
    many = come(s, 200, Mute)
    s.wait_log(r"service captured \(smtpd\) has 64 connections and 0 "
               "questions under way: it gets no more connections")
    for r in many:
        r.close()


def test_a_byte_now_and_then_keeps_no_connection(suite, dns):
    r = Mute(suite(dns=dns(RECORDS)), "captured")
    r.socket.settimeout(1)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            r.socket.sendall(b"x")
            if not r.socket.recv(1000):
                break
        except TimeoutError:
            pass
        except ConnectionError:
            break
    assert time.monotonic() < end
    r.close()


def test_no_question_is_long(suite, dns):
    s = suite(dns=dns(RECORDS))
    r = Resolver(s, "captured")
    assert r.find(MX, "nobody.test") == (NO_NAME, [])
    r.socket.sendall((1 << 20).to_bytes(4, "big") + b"x")
    s.wait_log("resolver.*protocol error: too large a message announced")
    r.close()


def connections(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_a_resolver_that_hangs_is_left_for_another(suite, dns):
    s = suite(dns=dns(RECORDS), main=CHECKED)
    crowd = []

    def two():
        """Each that comes may be the one whom the first one leaves."""
        if len(crowd) < 60:
            crowd.append(Resolver(s, "crowd"))
            assert crowd[-1].find(MX, "nobody.test") == (NO_NAME, [])
        pids = s.processes("resolver")
        return len(pids) > 1 and pids
    pids = wait_for("a second one", two)
    before = {pid: connections(pid) for pid in pids}
    with s.smtp() as session:
        assert rcpt(session, "a@two.test").startswith("250 ")
        stuck = max(pids, key=lambda pid: connections(pid) - before[pid])
        os.kill(stuck, signal.SIGSTOP)
        try:
            session.rset()
            code = session.mail("a@two.test")[0]
            assert code == 250
            assert session.rcpt("bob@example.test")[0] == 450
            s.wait_log("no answer from resolver: it says nothing")
            session.rset()
            begun = time.monotonic()
            assert rcpt(session, "a@two.test").startswith("250 ")
            assert time.monotonic() - begun < 10
        finally:
            os.kill(stuck, signal.SIGCONT)
    for r in crowd:
        r.close()


def deaf_one(s):
    """Takes no answers, and has asked as much as it could."""
    deaf = Resolver(s, "deaf")
    deaf.socket.settimeout(1)
    with pytest.raises(TimeoutError):
        for _ in range(200000):
            deaf.put(MX, "with space.test")
    return deaf


def test_who_takes_no_answers_is_not_heard(suite, dns):
    s = suite(dns=dns(RECORDS))
    deaf = deaf_one(s)
    other = Resolver(s, "other")
    assert other.find(MX, "nobody.test") == (NO_NAME, [])
    # and then it is; the last question was not sent whole
    deaf.socket.settimeout(30)
    numbers = {deaf.get()[0] for _ in range(1, deaf.last)}
    assert numbers == set(range(1, deaf.last))
    deaf.close()
    other.close()


def test_a_question_outlives_the_resolver(suite, dns):
    """It ends amid a session: the next one is asked."""
    names = dns(RECORDS)
    s = suite(dns=names, main=CHECKED)
    with s.smtp() as session:
        session.ehlo("h.example.test")
        session.mail("a@silent.test")
        session.putcmd("rcpt", "to:<bob@example.test>")
        wait_for("the question", lambda: asked(names))
        pid = one(s, "resolver")
        names.records["silent.test", "MX"] = [(10, "a.two.test")]
        os.kill(pid, signal.SIGKILL)
        assert session.getreply()[0] == 250
        assert pid not in s.processes("resolver")
    s.may_crash = True


def test_a_resolver_that_ends_each_time_is_a_temporary_failure(suite, dns):
    names = dns(RECORDS)
    s = suite(dns=names, main=CHECKED)
    with s.smtp() as session:
        session.ehlo("h.example.test")
        session.mail("a@silent.test")
        session.putcmd("rcpt", "to:<bob@example.test>")
        gone = []
        for _ in range(3):
            before = asked(names)
            wait_for("the question",
                     lambda n=before: asked(names) > n or not n)
            pid = wait_for("a resolver", lambda: [
                p for p in s.processes("resolver") if p not in gone])[0]
            wait_for("its question", lambda n=before: asked(names) > n)
            os.kill(pid, signal.SIGKILL)
            gone.append(pid)
        code, text = session.getreply()
        assert f"{code} {text.decode()}" == LATER
        # another question of the same session has its answer
        session.rset()
        assert rcpt(session, "a@two.test").startswith("250 ")
    s.wait_log("no answer from resolver: it ended 3 times")
    s.may_crash = True


def test_who_needs_no_names_has_no_resolver(suite, dns):
    names = dns(RECORDS)
    s = suite(dns=names)
    s.send(to="bob@example.test")
    s.wait_messages("bob")
    assert not names.queries and not s.processes("resolver")


def test_a_reload_asks_other_servers(suite, dns):
    old, new = dns(RECORDS), dns(RECORDS)
    s = suite(dns=old, main=CHECKED)
    with s.smtp() as session:
        assert rcpt(session, "a@two.test").startswith("250 ")
    assert old.queries and not new.queries
    s.set(dns_servers=f"127.0.0.1:{new.port}")
    s.posthaste("reload")
    before = len(old.queries)
    with s.smtp() as session:
        assert rcpt(session, "a@two.test").startswith("250 ")
    assert new.queries and len(old.queries) == before


def test_who_is_never_quiet_asks_other_servers_after_a_reload(suite, dns):
    old, new = dns(RECORDS), dns(RECORDS)
    s = suite(dns=old, main=CHECKED)
    with s.smtp() as session:
        assert rcpt(session, "a@two.test").startswith("250 ")
        before = s.processes("resolver")
        s.set(dns_servers=f"127.0.0.1:{new.port}")
        s.posthaste("reload")

        def asks_the_new_one():
            session.rset()
            assert rcpt(session, "a@two.test").startswith("250 ")
            return new.queries
        wait_for("a question to the new server", asks_the_new_one, 15)
        old.queries.clear()
        asks_the_new_one()
        assert not old.queries
        wait_for("the end of the old resolver", lambda: not set(
            before) & set(s.processes("resolver")))
    assert "no answer from resolver" not in s.log()


def test_who_takes_no_answers_keeps_no_former_resolver(suite, dns):
    s = suite(dns=dns(RECORDS))
    deaf = deaf_one(s)
    pid = one(s, "resolver")
    s.posthaste("reload")
    wait_for("the end of the old resolver",
             lambda: pid not in s.processes("resolver"), 20)
    other = Resolver(s, "other")
    assert other.find(MX, "nobody.test") == (NO_NAME, [])
    deaf.close()
    other.close()


def test_a_question_under_way_is_asked_of_other_servers_after_a_reload(
        suite, dns):
    """More often than one that resolver ends with is asked again."""
    servers = [dns(RECORDS) for _ in range(5)]
    s = suite(dns=servers[0], main=CHECKED)
    servers[-1].records = {**RECORDS, ("silent.test", "MX"): [(1, "a.test")]}
    with s.smtp() as session:
        session.ehlo("h.example.test")
        session.mail("a@silent.test")
        session.putcmd("rcpt", "to:<bob@example.test>")
        for i, names in enumerate(servers):
            wait_for(f"the question to server {i}",
                     lambda names=names: asked(names))
            if i + 1 < len(servers):
                s.set(dns_servers=f"127.0.0.1:{servers[i + 1].port}")
                s.posthaste("reload")
        assert session.getreply()[0] == 250
    assert "no answer from resolver" not in s.log()


def test_outbound_mail_waits_for_it(suite, dns):
    names = dns({**RECORDS, ("elsewhere.test", "MX"): "DROP"})
    s = suite(dns=names)
    s.command("sendmail", "-f", "bob@example.test", "x@elsewhere.test",
              stdin="Subject: x\n\nx\n")
    for _ in range(3):
        before = asked(names, "elsewhere.test")
        wait_for("the question",
                 lambda n=before: asked(names, "elsewhere.test") > n)
        os.kill(one(s, "resolver"), signal.SIGKILL)
    s.wait_log("to=<x@elsewhere.test>.*dsn=4.4.3, status=deferred .*Name "
               "service error for name=elsewhere.test")
    s.may_crash = True


LIES = SPEAKS_TO_MASTER + """
import threading
def number(n): return struct.pack(">Q", n)
def serve(c):
    c.sendall(frame("hello", field("protocol", 0, b"resolver"),
                    field("version", 1, number(1))))
    heard = b""
    while True:
        data = c.recv(65536)
        if not data:
            return
        heard += data
        for asked in re.findall(rb"\\x06number\\x01\\0\\0\\0\\x08(.{{8}})",
                                heard, re.S):
            with open({count!r}, "a") as f:
                f.write("x")
            name, address = {name!r}, {address!r}
            one = (field("name", 0, name) + field("preference", 1, number(1))
                   + field("address", 3, address))
            c.sendall(frame("name_answer",
                field("number", 1, number({number})),
                field("result", 1, number(0)),
                field("records", 5, struct.pack(">I", {records}) +
                      {records} * (struct.pack(">I", len(one)) + one))))
            heard = b""
master.sendall(frame("ready", field("generation", 1, number(1))))
listener = socket.socket(fileno=os.dup(7))
listener.setblocking(True)
def accept():
    while True:
        c, _ = listener.accept()
        c.setblocking(True)
        threading.Thread(target=serve, args=(c,), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
while b"retire" not in (master.recv(4096) or b"retire"):
    pass
"""
OWN = "int.from_bytes(asked, 'big')"


@pytest.mark.parametrize("lie", [
    dict(name=b"a.test\r\n250 x"), dict(name=b"-a b"), dict(name=b".a"),
    dict(name=256 * b"a"), dict(name=b"", records=2), dict(number="77"),
    dict(records=65), dict(records=0)])
def test_what_a_captured_resolver_says_is_looked_at(suite, tmp_path, lie):
    count = tmp_path / "count"
    tmp_path.chmod(0o755)
    count.touch()
    count.chmod(0o666)
    s = suite(main=CHECKED, start=False)
    replace(own_programs(s), "resolver", LIES.format(**{
        "count": str(count), "name": b"a.test", "address": b"", "number": OWN,
        "records": 1, **lie}))
    s.start()
    with s.smtp() as session:
        assert rcpt(session, "a@silent.test") == LATER
    assert len(count.read_text()) == 3
    s.wait_log("smtpd.*resolver: protocol error")
