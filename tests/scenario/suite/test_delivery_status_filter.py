# SPDX-License-Identifier: ISC
"""default_delivery_status_filter and those of each agent: the last word on
what becomes of a recipient."""

import pathlib
import re
import shutil
import smtplib
import socket
import tempfile

import pytest

import postfix_peer
from peers import FakeServer
from posthaste import AS_ROOT, free_port, wait_for


def listens(port):
    with socket.socket() as c:
        return c.connect_ex(("127.0.0.1", port)) == 0


def rules(s, text, name="filter"):
    return f"regexp:{s.write(name, text)}"


def test_a_refusal_by_a_server_is_tried_again(suite):
    with FakeServer(replies={"RCPT": "550 5.7.1 bad reputation"}) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n", start=False)
        s.set(smtp_delivery_status_filter=rules(
            s, "/^5\\.7\\.1 (.*) said: (.*reputation.*)/ 4.7.1 $2 by $1\n"))
        s.start()
        s.send(to="x@remote.test")
        s.wait_log(r"dsn=4\.7\.1, status=deferred \(550 5\.7\.1 bad "
                   r"reputation .* by host 127\.0\.0\.1")
        assert s.queue("deferred")


def test_a_mailbox_that_is_not_there(suite):
    s = suite(start=False)
    s.set(default_delivery_status_filter=rules(
        s, "/^5\\.1\\.1 .*/ 4.1.1 wait a little\n"
           "/^2\\.[0-9.]+ (.*)/ 2.9.9 fine: $1\n"),
        smtpd_reject_unlisted_recipient="no", local_recipient_maps="")
    s.start()
    s.send(to="nobody-here@local.test")
    s.wait_log(r"to=<nobody-here@local.test>.*dsn=4\.1\.1, status=deferred "
               r"\(wait a little\)")
    s.send()
    s.wait_log(r"to=<bob@example.test>.*dsn=2\.9\.9, status=sent "
               r"\(fine: delivered to maildir\)")
    s.wait_messages("bob")


def test_deferred_becomes_bounced(suite):
    s = suite(start=False)
    s.set(smtp_delivery_status_filter=rules(
        s, "/^4\\.4\\.1 (connect to .*)/ 5.4.1 $1\n"),
        relayhost=f"[127.0.0.1]:{free_port()}")
    s.start()
    s.send(to="x@remote.test", sender="bob@example.test")
    s.wait_log(r"dsn=5\.4\.1, status=bounced \(connect to 127\.0\.0\.1")
    assert "5.4.1" in s.wait_messages("bob")[0].decode()


@pytest.mark.parametrize("answer, complaint", [
    ("4.0.0 no", "would turn success into failure: ignored"),
    ("fine", "begins with no status code: ignored"),
])
def test_an_answer_that_makes_no_sense_changes_nothing(suite, answer,
                                                       complaint):
    s = suite(start=False)
    s.set(virtual_delivery_status_filter=rules(s, f"/^2/ {answer}\n"))
    s.start()
    s.send()
    s.wait_log(f'virtual_delivery_status_filter: "{answer}" {complaint}')
    s.wait_messages("bob")
    s.wait_empty()


def test_failure_stays_failure(suite):
    with FakeServer(replies={"RCPT": "550 5.7.1 no"}) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n", start=False)
        s.set(default_delivery_status_filter=rules(s, "/^5/ 2.0.0 fine\n"))
        s.start()
        s.send(to="x@remote.test", sender="bob@example.test")
        s.wait_log("would turn failure into success: ignored")
        s.wait_log(r"dsn=5\.7\.1, status=bounced \(host")


@pytest.mark.skipif(not AS_ROOT, reason="needs root")
def test_as_postfix_does(suite):
    """Each rule makes of the same refusal what it makes with Postfix."""
    if (why := postfix_peer.why_not()):
        pytest.skip(why)
    text = ("/^5\\.1\\.1 (.*)/ 4.1.1 later: $1\n"
            "/^5\\.1\\.2 / 2.0.0 no such thing\n"
            "/^4\\.1\\.3 (.*)/ 5.1.3 never: $1\n"
            "/^5\\.1\\.4 /  5.9.9\n"
            "/^5\\.1\\.5 /  nonsense\n"
            "/^5\\.1\\.6 /    5.7.77   two   blanks\n")
    told, folder = {}, pathlib.Path(tempfile.mkdtemp())
    codes = ["550 5.1.1", "550 5.1.2", "450 4.1.3", "550 5.1.4", "550 5.1.5",
             "550 5.1.6", "250 2.1.5"]

    class Sink(FakeServer):
        def answer(self, verb, line, default):
            if verb == "RCPT" and "<r" in line:
                return codes[int(line.split("<r")[1][0])] + " said so"
            return super().answer(verb, line, default)

    with Sink() as sink:
        main = (f"relayhost = [127.0.0.1]:{sink.port}\n"
                "smtp_fallback_relay =\n")
        for side in ("postfix", "posthaste"):
            if side == "postfix":
                port = free_port()
                p = postfix_peer.PostfixServer(
                    folder, port, main + "inet_interfaces = loopback-only\n"
                    f"smtp_delivery_status_filter = regexp:{folder}/f\n"
                    "smtp_tls_security_level = none\n")
                (folder / "f").write_text(text)
                p.start()
                wait_for("Postfix", lambda: listens(port))
                log = p.log
            else:
                s = suite(main=main, start=False)
                s.set(smtp_delivery_status_filter=rules(s, text))
                s.start()
                port, log = s.ports["smtp"], s.log
            with smtplib.SMTP("127.0.0.1", port) as c:
                c.sendmail("bob@example.test",
                           [f"r{i}@remote.test" for i in range(len(codes))],
                           "Subject: x\n\nx\n")

            def done():
                found = re.findall(r"to=<r(\d)@.*dsn=([\d.]+), status=(\w+) "
                                   r"\((.*)\)$", log(), re.M)
                return len(found) == len(codes) and sorted(found)
            found = wait_for("all outcomes", done)
            told[side] = [(i, dsn, status, text.replace(
                "localhost", "127.0.0.1")) for i, dsn, status, text in found]
            if side == "postfix":
                p.stop()
    assert told["posthaste"] == told["postfix"]
    shutil.rmtree(folder)
