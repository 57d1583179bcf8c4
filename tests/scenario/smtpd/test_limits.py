# SPDX-License-Identifier: ISC
"""Each limit is answered with the right code, and the log names the
setting."""
import contextlib
import re
import socket
import threading

import pytest

from peers import Dialogue
from posthaste import MASTER_CF, kill_all, wait_for

STRANGER = ("mynetworks = 192.0.2.1\n"
            "smtpd_relay_restrictions = reject_unauth_destination\n")


def greet(s):
    d = Dialogue(s.ports["smtp"])
    d.script("S: 220\nC: EHLO client.test\nS: 250")
    return d


def admitted(s, count):
    """Is there a place for so many at once?"""
    clients = [Dialogue(s.ports["smtp"]) for _ in range(count)]
    greetings = [d.reply() for d in clients]
    for d in clients:
        d.close()
    return all(g.startswith("220") for g in greetings)


def test_message_size(suite):
    s = suite(main="message_size_limit = 100000\n")
    with greet(s) as d:
        assert d.ask("MAIL FROM:<a@b.test> SIZE=100001").startswith(
            "552 5.3.4 Message size exceeds fixed limit")
        assert d.ask("MAIL FROM:<a@b.test> SIZE=100000").startswith("250")
        d.script("""
            C: RCPT TO:<bob@example.test>
            S: 250
            C: DATA
            S: 354
        """)
        d.send(b"Subject: x\r\n\r\n" + b"x" * 998 + b"\r\n")
        d.send((b"x" * 998 + b"\r\n") * 100)
        assert d.ask(".").startswith("552 5.3.4 Error: message file too big")
        assert d.ask("NOOP").startswith("250")
    s.wait_log("larger than message_size_limit")
    s.wait_log("reject: MAIL from .*: 552 5.3.4 Message size exceeds fixed "
               "limit; from=<.*> proto=ESMTP helo=<.*> .message_size_limit.")
    assert s.queue() == []


def test_recipients(suite):
    s = suite(main="smtpd_recipient_limit = 3\n")
    with greet(s) as d:
        d.ask("MAIL FROM:<a@b.test>")
        codes = [d.ask("RCPT TO:<bob@example.test>")[:9] for _ in range(4)]
        assert codes == ["250 2.1.5"] * 3 + ["452 4.5.3"]
        assert d.ask("DATA").startswith("354")
        assert d.ask("Subject: x\r\n\r\nx\r\n.").startswith("250")
    s.wait_log("too many recipients .*smtpd_recipient_limit")


def test_line_length(suite):
    s = suite()
    with greet(s) as d:
        d.send("NOOP " + "x" * 2100 + "\r\n")
        assert d.reply().startswith("500 5.5.2 Error: line too long")
        assert d.at_end()
    s.wait_log(r"line longer than line_length_limit \(2048\)")


def test_errors_are_slowed_then_ended(suite):
    s = suite(main="smtpd_soft_error_limit = 3\nsmtpd_hard_error_limit = 5\n"
              "smtpd_error_sleep_time = 1s\n")
    with greet(s) as d:
        for _ in range(5):
            assert d.ask("FOO").startswith("500 5.5.2")
        assert d.reply().startswith("421 4.7.0 mx.example.test Error: too "
                                    "many errors")
        assert d.at_end()
    s.wait_log("too many errors after UNKNOWN from")
    s.wait_log(r"session ended by smtpd_hard_error_limit \(5\)")


def test_junk_commands(suite):
    s = suite(main="smtpd_junk_command_limit = 5\n"
              "smtpd_hard_error_limit = 3\n")
    with greet(s) as d:
        replies = [d.ask("NOOP") for _ in range(7)]
        assert all(r.startswith("250") for r in replies)
        assert d.reply().startswith("421 4.7.0")
    s.wait_log(r"junk commands count as errors now "
               r"\(smtpd_junk_command_limit\)")


def test_recipients_far_beyond_the_limit(suite):
    s = suite(main="smtpd_recipient_limit = 2\n"
              "smtpd_recipient_overshoot_limit = 3\n"
              "smtpd_hard_error_limit = 2\n")
    with greet(s) as d:
        d.ask("MAIL FROM:<a@b.test>")
        codes = [d.ask("RCPT TO:<bob@example.test>")[:9] for _ in range(7)]
        assert codes == ["250 2.1.5"] * 2 + ["452 4.5.3"] * 5
        assert d.reply().startswith("421 4.7.0")
    s.wait_log(r"count as errors \(smtpd_recipient_overshoot_limit\)")


def rcpts(d, count):
    """Answers to so many RCPTs that go ahead of them, up to the end."""
    thread = threading.Thread(target=send_all, args=(
        d, b"".join(b"RCPT TO:<bob+%d@example.test>\r\n" % i
                    for i in range(count))))
    thread.start()
    codes = []
    with contextlib.suppress(ConnectionError), d.socket.makefile("rb") as f:
        while len(codes) < count and (line := f.readline()):
            codes.append(int(line[:3]))
    thread.join()
    return codes


def send_all(d, data):
    with contextlib.suppress(ConnectionError):  # it has heard enough
        d.send(data)


MANY = 100000
DISCARD = "transport_maps = static:discard:\n"


def test_a_hundred_thousand_recipients_ahead_of_their_answers(suite):
    """CVE-2020-28017: numbers of recipients that no program counts in."""
    s = suite(main=DISCARD + "smtpd_recipient_overshoot_limit = 1000000\n")
    with greet(s) as d:
        assert d.ask("MAIL FROM:<a@b.test>").startswith("250")
        codes = rcpts(d, MANY)
        assert codes == [250] * 1000 + [452] * (MANY - 1000)
        assert d.ask("DATA").startswith("354")
        assert d.ask("Subject: x\r\n\r\nx\r\n.").startswith("250")
    s.wait_log(r"nrcpt=1000 \(queue active\)")
    wait_for("each of them", lambda: len(re.findall(
        r"to=<bob\+\d+@example\.test>.*status=sent", s.log())) == 1000)
    s.wait_empty()


def test_recipients_without_end_end_the_session(suite):
    """With all limits as they are: 1000, as many again, and 20 errors."""
    s = suite(main=DISCARD + "smtpd_error_sleep_time = 0\n")
    with greet(s) as d:
        assert d.ask("MAIL FROM:<a@b.test>").startswith("250")
        codes = rcpts(d, MANY)
    # of the last ones a reset may have taken some along
    whole = [250] * 1000 + [452] * 1020 + [421]
    assert codes == whole[:len(codes)] and len(codes) > 1000, codes[1000:]
    s.wait_log(r"session ended by smtpd_hard_error_limit \(20\)")
    assert s.queue() == []


EDGES = [2 ** n for n in (31, 32, 63, 64)]
SIZES = sorted({n + more for n in EDGES for more in (-1, 0, 1, 100)})


def test_sizes_that_wrap(suite):
    """As announced, and where there is no limit."""
    s = suite()
    for limit, code in (("50000000", "552 5.3.4"), ("0", "250 2.1.0")):
        s.set(message_size_limit=limit, virtual_mailbox_limit="0",
              mailbox_size_limit="0")
        s.posthaste("reload")
        wait_for("the new limit", lambda: said(s, 2 ** 31).startswith(code))
        for size in SIZES:
            answer = said(s, size)
            assert answer.startswith(code if size < 2 ** 64 else
                                     "501 5.5.4"), (limit, size, answer)


def said(s, size):
    with greet(s) as d:
        return d.ask(f"MAIL FROM:<a@b.test> SIZE={size}")


@pytest.mark.parametrize("last", ["", " LAST"])
def test_chunks_that_wrap(suite, last):
    """None of them is at its end when so few bytes have come."""
    s = suite()
    content = b"Subject: x\r\n\r\nx\r\n.\r\nRSET\r\nNOOP\r\n"
    for size in [edge + len(content) for edge in EDGES] + SIZES:
        with greet(s) as d:
            d.ask("MAIL FROM:<a@b.test>")
            d.ask("RCPT TO:<bob@example.test>")
            d.send(b"BDAT %d%s\r\n" % (size, last.encode()) + content)
            d.socket.shutdown(socket.SHUT_WR)
            answer = d.line()
            assert answer.startswith(b"521 5.5.4") == (size >= 2 ** 63), size
            assert not answer.startswith(b"2"), size
            assert not answer or d.at_end(), size
    s.send(subject="after")
    s.wait_empty()
    (found,) = s.messages("bob")
    assert b"Subject: after" in found


def test_timeout(suite):
    s = suite(main="smtpd_timeout = 2s\n")
    with greet(s) as d:
        d.send("NOO")
        assert d.reply().startswith(
            "421 4.4.2 mx.example.test Error: timeout exceeded")
        assert d.at_end()
    s.wait_log(r"timeout after EHLO from \S+\[127\.0\.0\.1\]")
    s.wait_log(r"session ended by smtpd_timeout \(2 s\)")


def test_connections_at_once(suite):
    s = suite(main=STRANGER + "smtpd_client_connection_count_limit = 3\n")
    open_ones = [greet(s) for _ in range(3)]
    with Dialogue(s.ports["smtp"]) as d:
        assert d.reply().startswith("421 4.7.0 mx.example.test Error: too "
                                    "many connections from 127.0.0.1")
        assert d.at_end()
    s.wait_log("Connection concurrency limit exceeded: .*"
               "smtpd_client_connection_count_limit")
    open_ones.pop().close()
    wait_for("a free place", lambda: admitted(s, 1))
    for d in open_ones:
        d.close()


def test_killed_processes_leave_nothing_counted(suite):
    s = suite(main=STRANGER + "smtpd_client_connection_count_limit = 3\n")
    open_ones = [greet(s) for _ in range(3)]
    kill_all(s.processes("smtpd"))
    for d in open_ones:
        d.close()
    wait_for("three free places", lambda: admitted(s, 3))


@pytest.mark.parametrize("setting, script, answer", [
    ("smtpd_client_connection_rate_limit", None, "421 4.7.0"),
    ("smtpd_client_message_rate_limit",
     ["MAIL FROM:<a@b.test>", "RSET"] * 2 + ["MAIL FROM:<a@b.test>"],
     "450 4.7.1 Error: too much mail from 127.0.0.1"),
    ("smtpd_client_recipient_rate_limit",
     ["MAIL FROM:<a@b.test>"] + ["RCPT TO:<bob@example.test>"] * 3,
     "450 4.7.1 Error: too many recipients from 127.0.0.1"),
], ids=["connection", "message", "recipient"])
def test_rates(suite, setting, script, answer):
    s = suite(main=STRANGER + f"{setting} = 2\n")
    if script is None:
        for _ in range(2):
            greet(s).close()
        with Dialogue(s.ports["smtp"]) as d:
            assert d.reply().startswith(answer)
    else:
        with greet(s) as d:
            replies = [d.ask(line) for line in script]
            assert replies[-1].startswith(answer), replies
            assert all(r.startswith("250") for r in replies[:-1]), replies
    s.wait_log(f"limit exceeded: .*{setting}")


@pytest.mark.parametrize("exceptions", [
    "", "mynetworks = 192.0.2.0/24\n"
    "smtpd_client_connection_limit_exceptions = 127.0.0.1\n"])
def test_exceptions_have_no_limits(suite, exceptions):
    s = suite(main="smtpd_client_connection_rate_limit = 1\n"
              f"smtpd_client_connection_count_limit = 1\n{exceptions}")
    for d in [greet(s) for _ in range(4)]:
        d.close()


@pytest.mark.parametrize("line", [
    "GET / HTTP/1.0", "connect x", "Subject: hello", ".", "\u00e4rger",
    "<xml>"])
def test_what_is_not_smtp_ends_the_session(suite, line):
    s = suite()
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        assert d.ask(line).startswith(
            "221 2.7.0 Error: I can break rules, too. Goodbye.")
        assert d.at_end()
    s.wait_log("warning: non-SMTP command from localhost")


def test_stop_says_goodbye(suite):
    s = suite()
    with greet(s) as d:
        s.stop()
        assert d.reply().startswith("421 4.3.2 mx.example.test ")
        assert d.at_end()


def test_the_session_that_fills_the_service_is_under_stress(suite):
    few = MASTER_CF.replace("{smtp} inet n - n - 200", "{smtp} inet n - n - 2")
    s = suite(master_cf=few, main="smtpd_timeout = ${stress?{4}:{100}}s\n")
    with greet(s) as calm:
        with greet(s) as stressed:
            assert stressed.reply().startswith("421 4.4.2")
        assert calm.ask("NOOP").startswith("250")


def test_reject_footer(suite):
    s = suite(main="smtpd_reject_footer = Call 123\\nfrom "
              "$client_address at $server_name\n")
    with greet(s) as d:
        assert d.ask("FOO") == (
            "500-5.5.2 Error: command not recognized\n"
            "500-5.5.2 Call 123\n"
            "500 5.5.2 from 127.0.0.1 at mx.example.test")
