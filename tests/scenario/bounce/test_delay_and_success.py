# SPDX-License-Identifier: ISC
"""Delay warnings, and reports of success for those who ask."""
import email
import email.policy
import re

from peers import FakeServer
from posthaste import wait_for

QUICK = "minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\n" \
        "queue_run_delay = 1s\n"


def report_for(s, user="bob"):
    (raw,) = s.wait_messages(user)
    return email.message_from_bytes(raw, policy=email.policy.default)


def send(s, to, **options):
    with s.smtp() as session:
        session.ehlo()
        session.sendmail("bob@example.test", [to],
                         "Subject: original\r\n\r\nbody\r\n", **options)


def test_one_warning_for_mail_that_waits(suite):
    s = suite(main="relayhost = [127.0.0.1]:9\ndelay_warning_time = 1s\n"
              + QUICK)
    queue_id = s.send(to="x@relay.test", sender="bob@example.test")
    report = report_for(s)
    assert report["Subject"] == "Delayed Mail (still being retried)"
    message, recipient = report.get_payload()[1].get_payload()
    assert message["Arrival-Date"]
    assert recipient["Action"] == "delayed"
    assert recipient["Will-Retry-Until"]
    assert report.get_payload()[2].get_content_type() == \
        "text/rfc822-headers"
    s.wait_log(rf"{queue_id}: sender delay notification: \w+$")
    def attempts():
        return len(re.findall(rf"{queue_id}: to=.*status=deferred", s.log()))

    before = attempts()
    wait_for("three more attempts", lambda: attempts() >= before + 3)
    assert len(s.messages("bob")) == 1
    assert s.log().count("sender delay notification") == 1
    assert s.queue("deferred") == [queue_id]


def test_success_is_reported_when_asked_for(suite):
    s = suite()
    send(s, "alice@example.test", rcpt_options=["NOTIFY=SUCCESS,FAILURE"],
         mail_options=["ENVID=seven"])
    report = report_for(s)
    assert report["Subject"] == "Successful Mail Delivery Report"
    message, recipient = report.get_payload()[1].get_payload()
    assert message["Original-Envelope-Id"] == "seven"
    assert recipient["Action"] == "delivered"
    assert recipient["Status"].startswith("2.")
    assert len(s.wait_messages("alice")) == 1
    s.wait_empty()


def test_next_hop_with_dsn_takes_the_duty(suite):
    with FakeServer(extensions=("DSN", "PIPELINING")) as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n")
        send(s, "x@relay.test", rcpt_options=["NOTIFY=SUCCESS"])
        server.wait()
        s.wait_empty()
        assert any("NOTIFY=SUCCESS" in c for c in server.commands)
        assert s.messages("bob") == []


def test_next_hop_without_dsn_is_reported_as_relayed(suite):
    with FakeServer() as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n")
        send(s, "x@relay.test", rcpt_options=["NOTIFY=SUCCESS"])
        server.wait()
        _, recipient = report_for(s).get_payload()[1].get_payload()
        assert recipient["Action"] == "relayed"
        s.wait_empty()


def wait_until_warned(s):
    """Mail for a server that is not there, of which bob has been told."""
    queue_id = s.send(to="x@relay.test", sender="bob@example.test")
    s.wait_log(rf"{queue_id}: sender delay notification: \w+$")
    s.wait_messages("bob")
    return queue_id


def test_end_of_a_delay_is_confirmed(suite):
    with FakeServer() as server:
        port = server.port
    s = suite(main=f"relayhost = [127.0.0.1]:{port}\n"
              "delay_warning_time = 1s\nconfirm_delay_cleared = yes\n" + QUICK)
    queue_id = wait_until_warned(s)
    with FakeServer(port=port) as server:
        server.wait()
        s.wait_log(rf"{queue_id}: sender delivery status notification: \w+$")
        warning, report = (
            email.message_from_bytes(raw, policy=email.policy.default)
            for raw in s.wait_messages("bob", 2))
        if report["Subject"].startswith("Delayed"):
            warning, report = report, warning
        assert warning["Subject"] == "Delayed Mail (still being retried)"
        assert report["Subject"] == "Successful Mail Delivery Report"
        _, recipient = report.get_payload()[1].get_payload()
        assert recipient["Action"] == "relayed"
        assert recipient["Final-Recipient"] == "rfc822; x@relay.test"
        # what was not delayed is not confirmed
        s.send(to="y@relay.test", sender="bob@example.test")
        server.wait(2)
        s.wait_empty()
    assert len(s.messages("bob")) == 2


def test_end_of_a_delay_is_not_confirmed_unless_asked(suite):
    with FakeServer() as server:
        port = server.port
    s = suite(main=f"relayhost = [127.0.0.1]:{port}\n"
              "delay_warning_time = 1s\n" + QUICK)
    wait_until_warned(s)
    with FakeServer(port=port) as server:
        server.wait()
        s.wait_empty()
    assert len(s.messages("bob")) == 1


def test_end_of_a_delay_of_a_file_that_could_be_the_mailbox(suite):
    """Delivery here moves the queue file, unless it is still needed."""
    s = suite(main="delay_warning_time = 1s\nconfirm_delay_cleared = yes\n"
              "transport_maps = texthash:$config_directory/transport\n"
              + QUICK, start=False)
    table = s.write("transport", "alice@example.test smtp:[127.0.0.1]:9\n")
    s.start()
    queue_id = s.send(to="alice@example.test", sender="bob@example.test")
    s.wait_log(rf"{queue_id}: sender delay notification: \w+$")
    table.write_text("# none\n")
    s.wait_log(rf"{queue_id}: sender delivery status notification: \w+$")
    assert len(s.wait_messages("alice")) == 1
    assert len(s.wait_messages("bob", 2)) == 2
    s.wait_empty()
