# SPDX-License-Identifier: ISC
"""Input made to hurt: bounded memory, one answer each, others unharmed."""
import re
import resource

import pytest

from peers import TO_DATA, Dialogue
from posthaste import DEADLINE, SOURCE, does_not_grow


def greet(s):
    d = Dialogue(s.ports["smtp"])
    d.script("S: 220\nC: EHLO client.test\nS: 250")
    return d


def resident(s):
    total = 0
    for pid in s.processes("smtpd"):
        with open(f"/proc/{pid}/statm") as f:
            total += int(f.read().split()[1]) * resource.getpagesize()
    return total


def well(s):
    """Another client is served, and nothing died."""
    assert s.send()
    assert not [line for line in s.log().splitlines()
                if "panic" in line or "killed by signal" in line
                or "fatal" in line]


def test_an_endless_line_is_cut(suite):
    s = suite()
    s.send()

    def endless():
        with Dialogue(s.ports["smtp"]) as d:
            d.reply()
            sent = 0
            try:
                while sent < 256 << 20:
                    d.send(b"x" * (1 << 20))
                    sent += 1 << 20
            except OSError:
                pass
            assert sent < 32 << 20

    does_not_grow("smtpd", lambda: resident(s), endless, 4 << 20)
    well(s)


def test_blank_lines_are_errors(suite):
    s = suite(main="smtpd_error_sleep_time = 0\n")
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        try:
            d.send(b"\r\n" * 100000)
        except OSError:
            pass
        replies = []
        try:
            while (line := d.line()):
                replies.append(line[:3])
        except OSError:
            pass
        assert 1 <= len(replies) <= 21 and set(replies) <= {b"500", b"421"}
    well(s)


@pytest.mark.parametrize("size", [100, 1000, 2042, 2043, 2044, 4096, 1 << 20])
def test_ehlo_of_any_length(suite, size):
    s = suite()
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        try:
            d.send("EHLO " + "a" * size + "\r\n")
            reply = d.reply()
        except OSError:
            reply = "500"
        assert reply.startswith("250" if size + 5 <= 2048 else "500")
    well(s)


def test_odd_arguments(suite):
    s = suite(main="smtpd_hard_error_limit = 10000\n"
              "smtpd_soft_error_limit = 10000\n"
              "line_length_limit = 65000\n")
    with greet(s) as d:
        for line in (
                "MAIL FROM:<a@b> " + "X " * 10000,
                "MAIL FROM:<a@b> " + "SIZE=1 " * 1000,
                "MAIL FROM:<a@b> =", "MAIL FROM:<a@b> ==", "MAIL FROM:<a@b> =1",
                "MAIL FROM:<a@b> SIZE=-1", "MAIL FROM:<a@b> SIZE=1e9",
                "MAIL FROM:<a@b> SIZE=18446744073709551616",
                "MAIL FROM:<" + "a" * 60000 + "@b>", "MAIL FROM:<@>",
                "MAIL FROM:<\"\">", "MAIL FROM:<\"\"@d>", "MAIL FROM:<a@b",
                "MAIL FROM:<<a@b>>", "MAIL FROM:\"<a@b>\"",
                "MAIL FROM:<a@b>\u00e4", "MAIL FROM:<" + "@x," * 500 + ">",
                "MAIL FROM:<a@b> ENVID=" + "x" * 300,
                "RCPT TO:<a@b>", "AUTH", "AUTH " + "X" * 5000,
                "STARTTLS x", "VRFY " + "x" * 5000, "VRFY <"):
            reply = d.ask(line)
            assert reply[0] == "5", (line[:60], reply)
        assert d.ask("MAIL FROM:<a@b.test>").startswith("250")
        for line in (
                "RCPT TO:<bob@example.test> NOTIFY=NEVER NOTIFY=NEVER",
                "RCPT TO:<bob@example.test> ORCPT=rfc822;a+00b",
                "RCPT TO:<bob@example.test> ORCPT=;",
                "RCPT TO:<bob@example.test> ORCPT=rfc822;" + "a" * 3000,
                "RCPT TO:<" + "b" * 3000 + "@example.test>"):
            reply = d.ask(line)
            assert reply[0] == "5", (line[:60], reply)
        assert d.ask("RCPT TO:<bob@example.test>").startswith("250")
    well(s)


TORN = (b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xff", b"\xc0\x80",
        b"\xed\xa0\x80")
# (what is said before, to be where arguments count; what stands before the
# torn character), each verb of smtpd's and none
SENDER = "MAIL FROM:<a@b.test>"
RECIPIENT = "RCPT TO:<bob@example.test>"
ARGUMENTS = [
    ((), "EHLO "), ((), "HELO "), ((), "VRFY "), ((), "NOOP "), ((), "HELP "),
    ((), "AUTH "), ((), "AUTH PLAIN "), ((), "STARTTLS "), ((), "RSET "),
    ((), "QUIT "), ((), ""), ((), "XCLIENT "), ((), "XCLIENT NAME="),
    ((), "XCLIENT LOGIN="), ((), "XCLIENT HELO="), ((), "XFORWARD "),
    ((), "XFORWARD NAME="), ((), "XFORWARD IDENT="),
    *(((), f"{SENDER[:n]}") for n in (5, 10, 11, 12, 13, len(SENDER))),
    *(((), f"{SENDER} {p}") for p in (
        "", "ENVID=", "ENVID=x+2B", "RET=", "BODY=", "SIZE=1", "AUTH=",
        "AUTH=a@", "SMTPUTF8 ENVID=", "SMTPUTF8 ")),
    *(((SENDER,), f"{RECIPIENT[:n]}") for n in (5, 8, 9, 12, len(RECIPIENT))),
    *(((SENDER,), f"{RECIPIENT} {p}") for p in (
        "", "ORCPT=", "ORCPT=rfc822;", "ORCPT=utf-8;", "ORCPT=utf-8;a\u00e4",
        "NOTIFY=", "NOTIFY=NEVER,")),
    ((SENDER, RECIPIENT), "DATA "),
]
# how many bytes follow nobody knows: nothing behind it is heard
CHUNKS = ["BDAT ", "BDAT 0", "BDAT 0 ", "BDAT 0 LAST", "BDAT 0 LAST "]


def test_torn_utf8_in_every_argument(suite):
    """CVE-2020-7046: one answer for each, and what was said before stays."""
    verbs = re.findall(r"^VERB\((\w+),", (
        SOURCE / "smtpd/verbs.def").read_text(), re.M)
    assert {verb.split(" ")[0] for _, verb in ARGUMENTS} | {"BDAT"} == {
        *verbs, ""}
    s = suite(main="smtpd_hard_error_limit = 10000\n"
              "smtpd_soft_error_limit = 10000\n"
              "smtpd_junk_command_limit = 10000\n"
              "smtpd_authorized_xclient_hosts = 127.0.0.0/8\n"
              "smtpd_authorized_xforward_hosts = 127.0.0.0/8\n")
    with greet(s) as d:
        for before, argument in ARGUMENTS:
            assert d.ask("RSET").startswith("250")
            for line in before:
                assert d.ask(line).startswith("250")
            for torn in TORN:
                for end in (b"", b" ", b">", b"="):
                    d.send(argument.encode() + torn + end + b"\r\n")
                    said = d.reply()
                    assert said.startswith("500 5.5.2 Error: bad UTF-8"), (
                        argument, torn, end, said)
            # the transaction is where it was
            following = [SENDER, RECIPIENT, "DATA"][len(before)]
            assert d.ask(following)[:3] in ("250", "354"), argument
            if following == "DATA":
                assert d.ask(".").startswith("250")
    for argument in CHUNKS:
        for torn in TORN:
            with greet(s) as d:
                d.script(f"C: {SENDER}\nS: 250\nC: {RECIPIENT}\nS: 250")
                d.send(argument.encode() + torn + b"\r\n")
                said = [d.reply(), d.reply()]
                assert said[0].startswith("500 5.5.2 Error: bad UTF-8"), said
                assert said[1].startswith("521 "), (argument, torn, said)
                assert d.line() == b""
    well(s)


# the same, as xtext and its like has it: what decodes to no character
ENCODED = [
    ((), f"{SENDER} ENVID=x+C3"), ((), f"{SENDER} ENVID=+E2+82"),
    ((SENDER,), f"{RECIPIENT} ORCPT=rfc822;+C3"),
    ((SENDER,), f"{RECIPIENT} ORCPT=utf-8;\\x{{D800}}"),
    ((SENDER,), f"{RECIPIENT} ORCPT=utf-8;\\x{{C3"),
    ((), "XCLIENT NAME=+C3"), ((), "XCLIENT HELO=+E2+82"),
]


def test_torn_utf8_behind_an_encoding(suite):
    s = suite(main="smtpd_authorized_xclient_hosts = 127.0.0.0/8\n")
    for before, line in ENCODED:
        with greet(s) as d:
            for earlier in before:
                assert d.ask(earlier).startswith("250")
            said = d.ask(line)
            assert said.startswith("501 "), (line, said)
    well(s)


def test_nul_bytes(suite):
    s = suite()
    with greet(s) as d:
        d.send(b"MAIL FROM:<a\0@b.test>\r\n")
        assert d.reply().startswith("500 5.5.2")
        d.script(TO_DATA)
        d.send(b"Subject: nul\r\n\r\na\0b\r\n.\0\r\n.\r\n")
        assert d.reply().startswith("250")
    (message,) = s.wait_messages("bob")
    assert message.endswith(b"\r\n\r\na\0b\r\n\0\r\n")


def test_helo_names_cannot_forge_headers(suite):
    s = suite()
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        assert d.ask("EHLO evil) by (good <x@y>;").startswith("250")
        d.script(TO_DATA + "C: Subject: x\nC: .\nS: 250")
    (message,) = s.wait_messages("bob")
    received = message[message.index(b"Received:"):]
    assert received.startswith(
        b"Received: from evil??by??good??x?y?? (localhost [127.0.0.1])\r\n"
        b"\tby mx.example.test (Posthaste) with ESMTP id ")


def test_slow_data_is_cut_off_where_told_so(suite):
    s = suite(main="smtpd_timeout = 4s\nsmtpd_per_request_deadline = yes\n"
              "smtpd_min_data_rate = 1000\n")
    with greet(s) as d:
        d.script(TO_DATA)
        # a byte now and then keeps no session alive
        d.socket.settimeout(0.3)
        reply = b""
        for _ in range(200):
            try:
                d.send(b"x")
                reply = d.socket.recv(200)
                break
            except TimeoutError:
                continue
        assert reply.startswith(b"421 4.4.2")
    s.wait_log(r"timeout after DATA \(\d+ bytes\) from")
    assert s.queue() == []


def test_a_slow_reader_gets_all_answers(suite):
    """More answers than the kernel holds, read after a while."""
    import socket
    import time
    s = suite(main="smtpd_junk_command_limit = 100000000\n")
    d = Dialogue.__new__(Dialogue)
    d.buffer = b""
    d.socket = socket.socket()
    d.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    d.socket.connect(("127.0.0.1", s.ports["smtp"]))
    d.socket.settimeout(DEADLINE)
    d.reply()
    d.ask("EHLO a.test")  # who did not say it must wait for each answer
    count = 3000000
    d.socket.setblocking(False)
    data = b"NOOP\r\n" * count
    data = memoryview(data)
    stuck = time.monotonic()
    while data and time.monotonic() - stuck < 3.5:
        try:
            sent = d.socket.send(data[:65536])
            data = data[sent:]
            stuck = time.monotonic()
        except BlockingIOError:
            time.sleep(0.05)  # until it can be written, or is stuck
    assert data, "the server's answers were never held up"
    sent = count - (len(data) + 5) // 6
    d.socket.settimeout(DEADLINE)
    want = b"250 2.0.0 Ok\r\n" * sent
    got = bytearray()
    while len(got) < len(want):
        more = d.socket.recv(1 << 20)
        assert more, f"{len(got)} of {len(want)} bytes"
        got += more
    assert got == want
    d.close()
