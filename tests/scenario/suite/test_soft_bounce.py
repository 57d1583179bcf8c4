# SPDX-License-Identifier: ISC
"""soft_bounce: nothing is refused or returned for good while a site tries
its configuration."""
import pytest

from peers import Dialogue, FakeServer

SOFT = "soft_bounce = yes\n"
RETRY = "minimal_backoff_time = 1s\nqueue_run_delay = 1s\n"


def refusals(s, text):
    with Dialogue(s.ports["smtp"]) as d:
        d.script("S: 220\nC: EHLO client.test\nS: 250")
        return [d.ask(line) for line in text.strip().splitlines()]


def test_smtpd_refuses_for_now(suite):
    s = suite(main=SOFT + "message_size_limit = 100000\n"
              "smtpd_client_restrictions = check_sender_access "
              "inline:{ {spam@b.test = 521 5.7.1 go away} }\n")
    mail, unknown, path, word = refusals(s, """
MAIL FROM:<a@b.test> SIZE=100001
VRFY <nobody@example.test>
MAIL FROM:<>x
NONSENSE
""")
    assert mail.startswith("452 4.3.4 Message size exceeds fixed limit")
    assert unknown.startswith("450 4.1.1 <nobody@example.test>")
    assert path.startswith("401 4.")
    assert word.startswith("400 4.5.2")
    *_, unknown, known = refusals(s, """
MAIL FROM:<a@b.test>
RCPT TO:<nobody@example.test>
RCPT TO:<bob@example.test>
""")
    assert unknown.startswith("450 4.1.1 <nobody@example.test>")
    assert known.startswith("250")
    s.wait_log(r"NOQUEUE: reject: RCPT from \S+: 450 4.1.1 "
               r"<nobody@example.test>")
    *_, away = refusals(s, "MAIL FROM:<spam@b.test>\nRCPT TO:<bob@example.test>")
    assert away.startswith("421 4.7.1")


def test_whatever_would_end_an_attempt_is_said_for_now(suite):
    """A client returns its mail for any reply that begins with a 5."""
    s = suite(main=SOFT + "smtpd_tls_security_level = encrypt\n")
    assert refusals(s, "MAIL FROM:<a@b.test>")[0].startswith(
        "430 4.7.0 Must issue a STARTTLS command first")
    s.set(smtpd_tls_security_level="none")
    s.posthaste("reload")
    bad, unknown, early = refusals(s, """
MAIL FROM:<a@b.test> SIZE=1 ODD=1
MAIL FROM:<a b@c.test>
RCPT TO:<bob@example.test>
""")
    assert bad.startswith("455 4.5.4"), bad
    assert unknown.startswith("401 4.1.7"), unknown
    assert early.startswith("403 4.5.1"), early
    *_, chunk = refusals(s, "MAIL FROM:<a@b.test>\n"
                         "RCPT TO:<bob@example.test>\nBDAT x")
    assert chunk.startswith("421 4.5.4"), chunk
    s.set(smtpd_delay_reject="no", smtpd_client_restrictions="reject")
    s.posthaste("reload")
    with Dialogue(s.ports["smtp"]) as d:
        assert d.reply().startswith("454 4.7.1")
        assert d.ask("HELO x").startswith("403 4.7.0 Error: access denied")


def test_what_a_server_refuses_stays_queued(suite):
    with FakeServer(replies={"RCPT": "550 5.1.1 no such user"}) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n"
                  "smtp_tls_security_level = none\n" + SOFT)
        qid = s.send(to="x@remote.test", sender="bob@example.test")
        s.wait_log(rf"{qid}: to=<x@remote.test>, .*dsn=5.1.1, "
                   r"status=SOFTBOUNCE \(host .* said: 550 5.1.1 no such")
        assert s.queue("deferred") == [qid]
        assert "no such user" in s.command("postqueue", "-p").out
        assert s.messages("bob") == []


def test_a_backup_host_may_take_what_the_first_refuses(suite, dns):
    names = dns({("two.test", "MX"): [(20, "b.two.test"), (10, "a.two.test")],
                 ("a.two.test", "A"): ["127.0.0.1"],
                 ("b.two.test", "A"): ["127.0.0.2"]})
    with FakeServer(host="127.0.0.2") as backup, \
            FakeServer(port=backup.port,
                       replies={"MAIL": "550 5.7.1 not you"}) as first:
        s = suite(dns=names, main=f"smtp_tcp_port = {backup.port}\n" + SOFT)
        s.send(to="x@two.test")
        backup.wait()
        assert first.commands
        s.wait_empty()


@pytest.mark.parametrize("table", [
    "transport_maps = inline:{ {gone.test = error:5.1.0 moved} }\n"
    "relay_domains = gone.test\n",
    "relocated_maps = inline:{ {x@gone.test = y@else.test} }\n"
    "relay_domains = gone.test\n"])
def test_what_the_suite_itself_would_return_stays_queued(suite, table):
    s = suite(main=table + SOFT + "smtpd_reject_unlisted_recipient = no\n")
    with s.smtp() as session:
        code = session.docmd("MAIL FROM:<bob@example.test>")[0]
        assert code == 250
        code, text = session.docmd("RCPT TO:<x@gone.test>")
    if code != 250:
        assert code == 450 or code == 454, text
    s.command("sendmail", "-f", "bob@example.test", "x@gone.test",
              stdin="Subject: x\n\nx\n")
    s.wait_log(r"to=<x@gone.test>, .*dsn=5\S+, status=SOFTBOUNCE")
    assert len(s.queue("deferred", "incoming")) == 1
    assert s.messages("bob") == []


def test_what_is_too_old_goes_back(suite):
    with FakeServer(replies={"RCPT": "550 5.1.1 no such user"}) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n"
                  "maximal_queue_lifetime = 0\n" + SOFT + RETRY)
        s.send(to="x@remote.test", sender="bob@example.test")
        (report,) = s.wait_messages("bob")
        assert b"no such user" in report


def test_of_one_service_alone(suite):
    """A client that is tried out, where the server refuses as ever."""
    with FakeServer(replies={"RCPT": "550 5.1.1 no such user"}) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n")
        master = (s.root / "etc/master.cf").read_text()
        lines = []
        for line in master.splitlines():
            lines.append(line)
            if line.split()[:2] in (["smtp", "unix"], ["relay", "unix"]):
                lines.append("  -o soft_bounce=yes")
        s.write("master.cf", "\n".join(lines) + "\n")
        s.posthaste("reload")
        qid = s.send(to="x@remote.test", sender="bob@example.test")
        s.wait_log(rf"{qid}: to=<x@remote.test>, .*status=SOFTBOUNCE")
        *_, unknown = refusals(s, "MAIL FROM:<a@b.test>\n"
                               "RCPT TO:<nobody@example.test>")
        assert unknown.startswith("550 5.1.1")
        assert s.queue("deferred") == [qid]
