# SPDX-License-Identifier: ISC
"""Reports of failure: form, size, and who gets them."""
import email
import email.policy

import pytest

from peers import FakeServer
from posthaste import wait_for

REPLIES = {"RCPT": lambda line: "550 5.1.1 <nobody> unknown here"
           if "nobody" in line else "250 2.1.5 Ok"}


@pytest.fixture
def refusing():
    with FakeServer(replies=REPLIES) as server:
        yield server


def relay(server, more=""):
    return f"relayhost = [127.0.0.1]:{server.port}\n" + more


def report_for(s, user="bob"):
    (raw,) = s.wait_messages(user)
    return email.message_from_bytes(raw, policy=email.policy.default)


def status_of(report):
    part = report.get_payload()[1]
    assert part.get_content_type() == "message/delivery-status"
    return part.get_payload()


def test_a_report_may_be_larger_than_what_is_taken(suite, refusing):
    s = suite(main=relay(refusing, "message_size_limit = 3000\n"))
    s.send(to=["nobody@relay.test"], sender="bob@example.test",
           body="as large as may be\r\n" * 125)
    (raw,) = s.wait_messages("bob")
    assert len(raw) > 3000
    assert raw.count(b"as large as may be") == 125
    s.wait_empty("incoming", "deferred", "report")


def test_form_of_a_report(suite, refusing):
    s = suite(main=relay(refusing))
    queue_id = s.send(to=["nobody@relay.test", "fine@relay.test"],
                      sender="bob@example.test", subject="the original")
    report = report_for(s)
    assert report["Return-Path"] == "<>"
    assert report["Auto-Submitted"] == "auto-replied"
    assert report["Subject"] == "Undelivered Mail Returned to Sender"
    assert report["To"] == "bob@example.test"
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    words, _, original = report.get_payload()
    assert "<nobody@relay.test>" in words.get_content()
    assert "fine@relay.test" not in words.get_content()
    message, recipient = status_of(report)
    assert message["Reporting-MTA"] == "dns; mx.example.test"
    assert message["X-Posthaste-Queue-ID"] == queue_id
    assert message["Arrival-Date"]
    assert recipient["Final-Recipient"] == "rfc822; nobody@relay.test"
    assert recipient["Action"] == "failed"
    assert recipient["Status"] == "5.1.1"
    assert "550 5.1.1 <nobody> unknown here" in recipient["Diagnostic-Code"]
    assert original.get_content_type() == "message/rfc822"
    inner = original.get_payload()[0]
    assert inner["Subject"] == "the original"
    assert inner.get_content().split() == ["Hello"]
    new_id = s.wait_log(rf"{queue_id}: sender non-delivery notification: "
                        r"(\w+)$").group(1)
    s.wait_log(rf"{new_id}: from=<>, size=\d+, nrcpt=1 \(queue active\)")
    s.wait_empty()
    assert len(refusing.messages) == 1


def test_large_message_returns_its_header(suite, refusing):
    s = suite(main=relay(refusing, "bounce_size_limit = 1000\n"))
    s.send(to="nobody@relay.test", sender="bob@example.test",
           subject="a large one", body="x" * 70 + "\n" + "y\n" * 1000)
    header = report_for(s).get_payload()[2]
    assert header.get_content_type() == "text/rfc822-headers"
    text = header.get_payload()
    assert "Subject: a large one" in text and "y\ny" not in text


def test_ret_hdrs_and_envid_and_orcpt(suite, refusing):
    s = suite(main=relay(refusing))
    with s.smtp() as session:
        session.ehlo()
        session.sendmail("bob@example.test", ["nobody@relay.test"],
                         "Subject: s\r\n\r\nbody\r\n",
                         mail_options=["RET=HDRS", "ENVID=tag+2B7"],
                         rcpt_options=["ORCPT=rfc822;first+2Blast@x.test",
                                       "NOTIFY=FAILURE"])
    report = report_for(s)
    message, recipient = status_of(report)
    assert message["Original-Envelope-Id"] == "tag+7"
    assert recipient["Original-Recipient"] == "rfc822;first+last@x.test"
    assert report.get_payload()[2].get_content_type() == \
        "text/rfc822-headers"


def test_notify_never_is_silent(suite, refusing):
    s = suite(main=relay(refusing))
    with s.smtp() as session:
        session.ehlo()
        session.sendmail("bob@example.test",
                         ["nobody@relay.test"], "Subject: s\r\n\r\nb\r\n",
                         rcpt_options=["NOTIFY=NEVER"])
    s.wait_log("status=bounced")
    s.wait_empty()
    assert s.messages("bob") == []
    assert "notification" not in s.log()


def test_nothing_for_the_null_sender(suite, refusing):
    s = suite(main=relay(refusing))
    queue_id = s.send(to="nobody@relay.test", sender="")
    s.wait_log(rf"{queue_id}: removed")
    s.wait_empty()
    assert "notification" not in s.log()


def test_double_bounce_goes_to_the_postmaster(suite, refusing):
    s = suite(main=relay(refusing, "notify_classes = 2bounce\n"
                         "2bounce_notice_recipient = alice@example.test\n"))
    queue_id = s.send(to="nobody@relay.test", sender="")
    report = report_for(s, "alice")
    assert report["Return-Path"].startswith("<double-bounce@")
    assert report["Subject"] == "Postmaster Copy: Undelivered Mail"
    s.wait_log(rf"{queue_id}: postmaster non-delivery notification: \w+$")
    s.wait_empty()


def test_undeliverable_double_bounce_is_dropped(suite, refusing):
    s = suite(main=relay(refusing, "notify_classes = 2bounce\n"
                         "2bounce_notice_recipient = nobody@relay.test\n"))
    s.send(to="nobody@relay.test", sender="")
    s.wait_log("undeliverable postmaster notification discarded")
    s.wait_empty()
    assert s.log().count("postmaster non-delivery notification") == 1


def test_postmaster_copy_has_no_body(suite, refusing):
    s = suite(main=relay(refusing, "notify_classes = bounce\n"
                         "bounce_notice_recipient = alice@example.test\n"))
    s.send(to="nobody@relay.test", sender="bob@example.test",
           body="private words\n")
    s.wait_messages("bob")
    copy = report_for(s, "alice")
    assert copy["Subject"] == "Postmaster Copy: Undelivered Mail"
    assert "private words" not in copy.as_string()
    assert "nobody@relay.test" in copy.as_string()


def test_expired_mail_is_returned_once(suite):
    s = suite(main="relayhost = [127.0.0.1]:9\nmaximal_queue_lifetime = 0\n"
                   "minimal_backoff_time = 1s\nqueue_run_delay = 1s\n")
    queue_id = s.send(to="x@relay.test", sender="bob@example.test")
    s.wait_log(rf"{queue_id}: from=<bob@example\.test>, status=expired, "
               "returned to sender")
    report = report_for(s)
    _, recipient = status_of(report)
    assert recipient["Action"] == "failed"
    assert recipient["Status"].startswith("4.4.")
    assert "Connection refused" in recipient["Diagnostic-Code"]
    s.wait_empty()
    wait_for("removal", lambda: f"{queue_id}: removed" in s.log())
    assert len(s.messages("bob")) == 1


def test_eight_bit_original_stays_whole(suite, refusing):
    s = suite(main=relay(refusing))
    text = "Subject: =?utf-8?q?x?=\r\nMIME-Version: 1.0\r\n" \
           "Content-Type: text/plain; charset=utf-8\r\n" \
           "Content-Transfer-Encoding: 8bit\r\n\r\ngrüße\r\n"
    with s.smtp() as session:
        session.ehlo()
        session.sendmail("bob@example.test", ["nobody@relay.test"],
                         text.encode(), mail_options=["BODY=8BITMIME"])
    report = report_for(s)
    inner = report.get_payload()[2].get_payload()[0]
    assert inner.get_content().split() == ["grüße"]


def test_words_of_the_site_and_thread(suite, refusing):
    s = suite(start=False, main=relay(refusing,
                                      "enable_threaded_bounces = yes\n"))
    path = s.write("bounce.cf", "failure_template = <<EOF\n"
                   "Charset: utf-8\nFrom: Poststelle <post@$mydomain>\n"
                   "Subject: Unzustellbar\n\n"
                   "Hier ist $myhostname: nicht zustellbar für Sie.\nEOF\n")
    s.set(bounce_template_file=path)
    s.start()
    s.send(to="nobody@relay.test", sender="bob@example.test")
    report = report_for(s)
    assert report["Subject"] == "Unzustellbar"
    assert report["From"] == "Poststelle <post@example.test>"
    words, _, original = report.get_payload()
    text = words.get_content()
    assert text.startswith("Hier ist mx.example.test: nicht zustellbar für")
    assert "<nobody@relay.test>: " in text
    assert report["In-Reply-To"] == \
        original.get_payload()[0]["Message-ID"]


def test_broken_template_is_named_and_not_used(suite, refusing):
    s = suite(start=False, main=relay(refusing))
    s.set(bounce_template_file=s.write("bounce.cf", "nonsense\n"))
    s.start()
    s.send(to="nobody@relay.test", sender="bob@example.test")
    assert report_for(s)["Subject"] == "Undelivered Mail Returned to Sender"
    s.wait_log(r"warning: bounce_template_file \S+/bounce\.cf: line 1: ")
