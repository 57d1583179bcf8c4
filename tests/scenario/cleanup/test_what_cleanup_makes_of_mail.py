# SPDX-License-Identifier: ISC
"""Headers, line ends, copies and limits, from SMTP to the mailbox."""
import re

import pytest

from peers import TO_DATA, Dialogue

BOB = "bob@example.test"


def data(session, text, to=(BOB,), sender="alice@example.test"):
    """The reply to a transaction's content."""
    session.ehlo_or_helo_if_needed()
    assert session.mail(sender)[0] == 250
    for r in to:
        assert session.rcpt(r)[0] == 250
    code, reply = session.data(text)
    return code, reply.decode()


def one(s, text, **options):
    """Sends, and gives what arrives at bob."""
    with s.smtp() as session:
        code, reply = data(session, text, **options)
        assert code == 250, reply
    return s.wait_messages("bob")[0]


def test_content_arrives_byte_for_byte(suite):
    s = suite()
    body = bytes(b for b in range(256) if b not in (10, 13)) * 3
    text = (b"From: a@b.test\r\nDate: d\r\nMessage-ID: <m@x>\r\n"
            b"X-Odd: \xc3\xa9\xff\r\n\tfolded  \r\n\r\n" + body + b"\r\n"
            + b"x" * 5000 + b"\r\n..\r\n\r\n\r\n")
    assert one(s, text).endswith(text)


def test_twenty_megabytes(suite):
    s = suite()
    body = b"".join(b"%08d" % i * 9 + b"\r\n" for i in range(270000))
    text = b"From: a@b.test\r\nDate: d\r\nMessage-ID: <m@x>\r\n\r\n" + body
    assert one(s, text).endswith(text)


def test_bcc_and_its_kin_do_not_travel(suite):
    s = suite()
    message = one(s, "From: a@b.test\r\nBcc: secret@x.test,\r\n more@x.test\r\n"
                     "return-path: <x@y>\r\nContent-Length: 7\r\n"
                     "Subject: s\r\n\r\nBcc: stays\r\n")
    assert b"secret" not in message and b"more@" not in message
    assert b"<x@y>" not in message and b"Content-Length" not in message
    assert b"Subject: s\r\n" in message and b"Bcc: stays" in message


def test_delivery_headers_of_a_single_recipient(suite):
    s = suite()
    message = one(s, "From: a@b.test\r\n\r\nx\r\n")
    assert message.startswith(b"Return-Path: <alice@example.test>\r\n"
                              b"X-Original-To: bob@example.test\r\n"
                              b"Delivered-To: bob@example.test\r\n"
                              b"Received: from ")


def test_original_recipient_of_an_alias(suite):
    s = suite(start=False)
    s.write("virtual", "info@example.test bob@example.test\n")
    s.start()
    message = one(s, "From: a@b.test\r\n\r\nx\r\n", to=["info@example.test"])
    assert (b"X-Original-To: info@example.test\r\n"
            b"Delivered-To: bob@example.test\r\n") in message


def test_alias_of_several_and_duplicates(suite):
    s = suite(start=False)
    s.write("virtual", "all@example.test bob@example.test, "
                       "carol@example.test, bob@example.test\n")
    s.start()
    s.send(to=["all@example.test"])
    s.wait_messages("carol")
    s.wait_empty()
    assert len(s.messages("bob")) == 1
    assert len(s.messages("carol")) == 1


def test_missing_headers_of_our_own_users_mail(suite):
    s = suite()
    message = one(s, "Subject: s\r\n\r\nx\r\n")
    queue_id = re.search(rb" id (\w+)\s", message).group(1)
    assert re.search(rb"^Message-Id: <\d{14}\." + queue_id +
                     rb"@mx\.example\.test>\r$", message, re.M)
    assert re.search(rb"^Date: \w{3}, \d+ \w{3} \d{4} ", message, re.M)
    assert b"\r\nFrom: alice@example.test\r\n" in message
    s.wait_log(rf"{queue_id.decode()}: message-id=<\d{{14}}\.")


def test_strangers_mail_is_not_completed(suite):
    s = suite(main="local_header_rewrite_clients =\n")
    message = one(s, "Subject: s\r\n\r\nx\r\n")
    for name in (b"Message-Id:", b"Date:", b"From:"):
        assert name not in message
    s.wait_log("message-id=<>")


def test_missing_headers_of_all_mail_where_that_is_set(suite):
    s = suite(main="local_header_rewrite_clients =\n"
                   "always_add_missing_headers = yes\n")
    assert b"\r\nFrom: alice@example.test\r\n" in one(s, "A: b\r\n\r\nx\r\n")


@pytest.mark.parametrize("hops, code", [(48, 250), (49, 554), (500, 554)])
def test_a_loop_ends(suite, hops, code):
    s = suite()
    with s.smtp() as session:
        answer, reply = data(session, "Received: x\r\n" * hops + "\r\nx\r\n")
    assert answer == code
    if code != 250:
        assert reply.startswith("5.4.0") and "too many hops" in reply
        assert s.queue() == []


def test_a_long_header_is_cut(suite):
    s = suite(main="header_size_limit = 2000\n")
    message = one(s, "X-Long: " + "x" * 900 + "\r\n" +
                  (" " + "y" * 900 + "\r\n") * 3000 +
                  "Subject: after\r\n\r\nbody\r\n")
    assert len(message) < 5000
    assert b"\r\nSubject: after\r\n" in message
    assert message.endswith(b"\r\n\r\nbody\r\n")


def test_a_million_headers_need_little_memory(suite):
    s = suite()
    lines = "".join(f"X-{i}: v\r\n" for i in range(1000000))
    message = one(s, lines + "\r\nbody\r\n")
    assert b"X-999999: v\r\n" in message
    for pid in s.processes("cleanup"):
        with open(f"/proc/{pid}/status") as status:
            peak = int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1))
        assert peak < 40000, f"{peak} kB"


def test_headers_of_any_length_are_no_long_lines_in_the_log(suite):
    """CVE-2010-4344: of a message that is refused for its size, too."""
    s = suite(main="message_size_limit = 400000\n")
    long = "".join(f"{name}: <{'h' * 60000}@x>\r\n" for name in (
        "Message-ID", "From", "To", "Subject", "Return-Path", "X-Spam"))
    with s.smtp() as session:
        assert data(session, long + "\r\nx\r\n")[0] == 250
        code, reply = data(session, long * 2 + "\r\nx\r\n")
    assert code == 552, reply
    s.wait_messages("bob")
    s.wait_empty()
    s.wait_log("message-id=")
    s.wait_log("larger than message_size_limit")
    assert max(map(len, s.log().splitlines())) < 2048


def test_sixty_megabytes_of_headers_that_are_refused(suite):
    """CVE-2010-4344: for a byte at their end, which the log tells."""
    s = suite(main="message_size_limit = 100000000\n"
                   "message_reject_characters = \\001\n")
    field = b"X-Long: " + b"h" * 59989 + b"\r\n"
    with Dialogue(s.ports["smtp"]) as d:
        d.script("S: 220\nC: EHLO client.test\nS: 250" + TO_DATA)
        for _ in range(50):
            d.send(field * 20)
        d.send(b"Message-ID: <" + b"m" * 50000 + b"@x>\r\nSubject: " +
               b"s" * 50000 + b"\1\r\n\r\n")
        assert "5.7.1 disallowed character" in d.ask("x\r\n.")
        assert d.ask("NOOP").startswith("250")
    s.wait_log("reject: .*disallowed character")
    assert max(map(len, s.log().splitlines())) < 2048
    assert s.queue() == [] and s.messages("bob") == []


def test_copies(suite):
    s = suite(users=("alice", "bob", "carol", "dave"), main=(
        "always_bcc = carol@example.test\n"
        "sender_bcc_maps = inline:{ alice@example.test=bob@example.test }\n"))
    s.send(to="dave@example.test")
    for user in ("dave", "carol", "bob"):
        assert len(s.wait_messages(user)) == 1
    assert b"bob@" not in s.messages("dave")[0]


def test_canonical_tables_and_headers(suite):
    s = suite(start=False)
    s.set(canonical_maps=f"texthash:{s.root}/etc/canonical")
    s.write("canonical", "a.user@example.test Ann.User@example.test\n"
                         "bob.real@example.test bob@example.test\n")
    s.start()
    message = one(s, "From: A <a.user@example.test>\r\n"
                     "To: bob.real@example.test (Bob)\r\n"
                     "Subject: a.user@example.test\r\n\r\n"
                     "a.user@example.test\r\n",
                  to=["bob.real@example.test"], sender="a.user@example.test")
    assert b"Return-Path: <Ann.User@example.test>" in message
    assert b"\r\nFrom: A <Ann.User@example.test>\r\n" in message
    assert b"\r\nTo: bob@example.test (Bob)\r\n" in message
    assert b"\r\nSubject: a.user@example.test\r\n" in message
    assert message.endswith(b"\r\na.user@example.test\r\n")


def test_what_would_become_too_long_is_not_completed(suite):
    """Nor does it wait for ever for a question that cannot be put."""
    s = suite(start=False)
    s.set(canonical_maps="inline:{a@b.test=c@d.test}")
    s.start()
    word = "w" * 1015
    s.command("sendmail", "-f", word, "bob@example.test",
              stdin=f"To:\n {word}\n\nx\n")
    message = s.wait_messages("bob")[0]
    assert b"\r\nTo:\r\n " + word.encode() + b"\r\n" in message
    assert b"Return-Path: <%s>" % word.encode() in message


def test_too_large(suite):
    s = suite(main="message_size_limit = 200000\n")
    with s.smtp() as session:
        code, reply = data(session, "A: b\r\n\r\n" + "x" * 70 * 4000 + "\r\n")
        assert code == 552
        assert data(session, "A: b\r\n\r\nsmall\r\n")[0] == 250
    assert len(s.wait_messages("bob")) == 1


def test_lookup_down_is_no_refusal(suite):
    """What cannot be known now is 4xx, and nothing is left behind."""
    s = suite(start=False)
    s.set(recipient_bcc_maps="fail:broken")
    s.start()
    with s.smtp() as session:
        code, _ = data(session, "A: b\r\n\r\nx\r\n")
    assert code == 451
    assert s.queue() == []


@pytest.mark.parametrize("first", [
    "From bob Mon Nov 21 10:00:00 2026\r\n", ">From bob\r\n",
    ">From x\r\nFrom " + "y" * 900 + "\r\n"])
def test_the_line_of_a_mailbox_file_ends_no_header(suite, first):
    s = suite()
    message = one(s, first + "From: a@b.test\r\nSubject: s\r\n\r\nFrom me\r\n")
    header, body = message.split(b"\r\n\r\n", 1)
    for line in first.splitlines():
        assert f"\r\nX-Mailbox-Line: {line}\r\n".encode() in header + b"\r\n"
    assert b"\r\nFrom: a@b.test\r\nSubject: s" in header
    assert body == b"From me\r\n"


@pytest.mark.parametrize("first", ["Fro", "From", ">From", "From\r\n", ">",
                                   "Frog: x\r\n", "From: x@y\r\n"])
def test_what_only_looks_like_such_a_line(suite, first):
    s = suite()
    assert b"X-Mailbox-Line" not in one(s, first)


def test_errors_behind_the_data_are_worded_as_postfix_s(suite):
    s = suite(main="message_size_limit = 100000\n")
    with s.smtp() as session:
        assert data(session, "Received: x\r\n" * 60 + "\r\nx\r\n") == (
            554, "5.4.0 Error: too many hops")
        assert data(session, "X: y\r\n\r\n" + ("x" * 70 + "\r\n") * 2000) == (
            552, "5.3.4 Error: message file too big")
