# SPDX-License-Identifier: ISC
"""Mail that cannot be delivered now waits, and is tried again in time."""
import os
import threading
import time

import pytest

from peers import FakeServer
from posthaste import DEADLINE, free_port, wait_for

QUICK = "minimal_backoff_time = 2s\nmaximal_backoff_time = 4s\n" \
        "queue_run_delay = 1s\n"
SLOW = "minimal_backoff_time = 1000s\nmaximal_backoff_time = 4000s\n"


def relay(port):
    return f"relayhost = [127.0.0.1]:{port}\n"


def deferred_file(s, queue_id):
    for folder, _, files in os.walk(s.root / "spool/deferred"):
        if queue_id in files:
            return os.path.join(folder, queue_id)
    return None


def test_next_attempt_is_the_file_time(suite):
    s = suite(main=relay(9) + SLOW)
    queue_id = s.send(to="x@relay.test")
    path = wait_for("deferral", lambda: deferred_file(s, queue_id))
    ahead = os.stat(path).st_mtime - time.time()
    assert 900 < ahead <= 1130, ahead
    s.wait_log(rf"{queue_id}: to=<x@relay\.test>, relay=none, .*"
               r"status=deferred \(connect to 127\.0\.0\.1\[127\.0\.0\.1\]:9: "
               r"Connection refused\)")


def test_each_wait_is_longer_than_the_one_before(suite):
    s = suite(main=relay(9) + "minimal_backoff_time = 1s\n"
              "maximal_backoff_time = 100s\nqueue_run_delay = 1s\n")
    queue_id = s.send(to="x@relay.test")
    waits, seen = [], 0

    def attempted():
        """A new time is set right behind an attempt, which ctime tells."""
        path = deferred_file(s, queue_id)
        try:
            of = os.stat(path) if path else None
        except OSError:
            return None
        return of if of and of.st_mtime > max(seen, of.st_ctime) else None
    for _ in range(3):
        of = wait_for("the next attempt", attempted)
        seen = of.st_mtime
        waits.append(seen - of.st_ctime)
    # times are whole seconds: the first two may look alike
    assert waits[2] > 1.4 * max(waits[:2]), waits


def test_deferred_mail_goes_when_the_server_is_back(suite):
    port = free_port()
    s = suite(main=relay(port) + QUICK)
    queue_id = s.send(to="x@relay.test")
    wait_for("deferral", lambda: deferred_file(s, queue_id))
    with FakeServer(port=port) as server:
        server.wait()
        s.wait_empty()
        assert len(server.messages) == 1
    s.wait_log(rf"{queue_id}: removed$")
    wait_for("no reason left",
             lambda: os.listdir(s.root / "spool/defer") == [])


def test_delivered_recipients_are_not_served_again(suite):
    later = {"b@relay.test": 2}

    def rcpt(line):
        for address in later:
            if address in line and later[address] > 0:
                later[address] -= 1
                return "450 4.2.0 busy"
        return "250 2.1.5 Ok"

    with FakeServer(replies={"RCPT": rcpt}) as server:
        s = suite(main=relay(server.port) + QUICK)
        s.send(to=["a@relay.test", "b@relay.test", "c@relay.test"])
        s.wait_empty()
        to = [r for _, recipients, _ in server.messages for r in recipients]
        assert sorted(to) == ["RCPT TO:<a@relay.test>",
                              "RCPT TO:<b@relay.test>",
                              "RCPT TO:<c@relay.test>"], to


def test_flush_one_message_or_one_site(suite):
    port = free_port()
    s = suite(main=relay(port) + SLOW)
    one = s.send(to="x@one.test")
    two = s.send(to="x@two.test")
    wait_for("two deferrals",
             lambda: sorted(s.queue("deferred")) == sorted([one, two]))
    with FakeServer(port=port) as server:
        s.command("postqueue", "-i", one)
        server.wait(1)
        wait_for("one left", lambda: s.queue("deferred") == [two])
        s.command("postqueue", "-s", "two.test")
        server.wait(2)
        s.wait_empty()


@pytest.mark.parametrize("how", ["refused", "not reached"])
@pytest.mark.parametrize("asked", [
    ["-f"], ["-s", "relay.test"], ["-i"], ["-s", "other.test"]])
def test_flush_amid_an_attempt_asks_for_another(suite, asked, how):
    """What began before it was asked is not what was asked for, nor does it
    say that the destination is still down."""
    tried, goes_on = [], threading.Event()

    def first_later(line):
        tried.append(line)
        if len(tried) > 1:
            return "250 Ok" if line else "220 fake.test ESMTP"
        goes_on.wait(DEADLINE)
        return "421 4.7.0 later"

    verb = "connect" if how == "not reached" else "RCPT"
    with FakeServer(replies={verb: first_later}) as server:
        s = suite(main=relay(server.port) + SLOW +
                  "initial_destination_concurrency = 1\n")
        queue_id = s.send(to="x@relay.test")
        wait_for("an attempt", lambda: tried)
        s.command("postqueue", *asked, *[queue_id][:asked == ["-i"]])
        goes_on.set()
        if "other.test" in asked:
            path = wait_for("deferral", lambda: deferred_file(s, queue_id))
            assert os.stat(path).st_mtime > time.time() + 500
            assert len(tried) == 1
            return
        s.wait_empty()
        assert len(tried) == 2
    assert s.log().count("suspended") == 0


@pytest.mark.parametrize("first", ["reload", "flush"])
def test_flush_amid_an_attempt_of_the_qmgr_before(suite, first):
    tried, goes_on = [], threading.Event()

    def first_later(line):
        tried.append(line)
        if len(tried) > 1:
            return "250 Ok"
        goes_on.wait(DEADLINE)
        return "450 4.7.0 later"

    with FakeServer(replies={"RCPT": first_later}) as server:
        s = suite(main=relay(server.port) + SLOW)
        s.send(to="x@relay.test")
        wait_for("an attempt", lambda: tried)
        if first == "flush":
            s.command("postqueue", "-f")
        before = set(s.processes("qmgr"))
        s.posthaste("reload")
        wait_for("the next qmgr", lambda: set(s.processes("qmgr")) - before)
        if first == "reload":
            s.command("postqueue", "-f")
        goes_on.set()
        s.wait_empty()
        assert len(tried) == 2


def test_destination_that_is_down_is_left_alone(suite):
    s = suite(main=relay(9) + SLOW)
    for i in range(8):
        s.send(to=f"x{i}@relay.test")
    wait_for("eight deferrals", lambda: len(s.queue("deferred")) == 8)
    s.wait_log(r"status=deferred \(delivery temporarily suspended: "
               r"connect to 127\.0\.0\.1")
    attempts = s.log().count("status=deferred (connect to")
    assert attempts < 8, attempts


def test_missing_service_defers(suite):
    s = suite(main="transport_maps = inline:{ gone.test=nosuch: }\n" + SLOW)
    queue_id = s.send(to="x@gone.test")
    s.wait_log(rf"{queue_id}: to=<x@gone\.test>.*dsn=4\.3\.0, "
               r"status=deferred \(mail transport unavailable\)")
    wait_for("deferral", lambda: s.queue("deferred") == [queue_id])
    s.send(to="bob@example.test")
    s.wait_messages("bob")


def test_deferred_transport_waits_for_a_request(suite):
    with FakeServer() as server:
        s = suite(main=relay(server.port) + QUICK +
                  "defer_transports = smtp\n")
        queue_id = s.send(to="x@relay.test")
        s.wait_log(rf"{queue_id}: to=<x@relay\.test>, relay=none, .*"
                   r"status=deferred \(deferred transport\)")
        time.sleep(3)  # runs of the queue
        assert server.messages == []
        s.command("postqueue", "-f")
        server.wait()
        s.wait_empty()


def test_service_that_is_there_again_has_its_mail_in_seconds(suite):
    s = suite()
    private = s.root / "spool/private"
    (private / "virtual").rename(private / "away")
    first = s.send(to="bob@example.test")
    s.wait_log(rf"{first}: .*\(mail transport unavailable\)")
    s.send(to="bob@example.test")  # while it counts as dead
    s.wait_log(r"(?s)\(mail transport unavailable\).*"
               r"\(mail transport unavailable\)")
    (private / "away").rename(private / "virtual")
    assert len(s.wait_messages("bob", 2)) == 2
    s.wait_empty()


def test_service_that_stays_away_has_its_mail_deferred(suite):
    s = suite(main="transport_maps = inline:{ gone.test=nosuch: }\n")
    queue_id = s.send(to="x@gone.test")
    unavailable = r"\(mail transport unavailable\).*"
    s.wait_log(f"(?s){unavailable * 2}")

    def later():
        (path,) = (s.root / "spool/deferred").rglob(queue_id)
        return path.stat().st_mtime > time.time() + 60

    wait_for("a real deferral", later)
    time.sleep(2)  # for a third time
    assert s.log().count("(mail transport unavailable)") == 2
