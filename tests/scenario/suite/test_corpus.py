# SPDX-License-Identifier: ISC
"""Real and odd messages come out byte for byte as they went in."""
import email.generator
import glob
import os
import pathlib
import poplib
import random

import pytest

FOLDERS = ("/usr/lib/python3*/test/test_email/data",
           "/usr/lib/python3*/test/test_email",
           os.environ.get("POSTHASTE_CORPUS", "/nonexistent"))


def real_messages():
    """Messages from Debian packages' test data, with CRLF line ends."""
    found = []
    for folder in FOLDERS:
        for base in glob.glob(folder):
            for path in sorted(pathlib.Path(base).rglob("*")):
                if path.suffix in (".py", ".pyc", ".au", ".gif") or \
                        not path.is_file():
                    continue
                found.append(crlf(path.read_bytes()))
    return found


def crlf(data):
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not data.endswith(b"\n"):
        data += b"\n"
    return data.replace(b"\n", b"\r\n")


def made_messages():
    """Shapes that real mail has and test data often lacks."""
    noise = random.Random(7)
    head = b"From: a@b.test\r\nTo: bob@example.test\r\nSubject: %s\r\n\r\n"
    yield head % b"empty body"
    yield head % b"dots" + b".\r\n..\r\n.x\r\n.\r\n"
    yield head % b"bytes" + bytes(
        b for b in range(1, 256) if b not in b"\r\n") + b"\r\n"
    yield head % b"NUL" + b"a\0b\r\n"
    yield head % b"no final text\r\nX-Long: " + b"x" * 900 + b"\r\n"
    yield head % b"long line" + b"y" * 30000 + b"\r\n"
    yield b"\r\nno header at all\r\n"
    yield b"Not a header\r\n\r\nbody\r\n"
    yield b"Subject: header only\r\n"
    yield head % b"many headers" + b""
    yield b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(500)) + \
        b"\r\nbody\r\n"
    for size in (65535, 65536, 65537, 131072, 1000000):
        lines = b"".join(b"%072d\r\n" % i for i in range(size // 74 + 1))
        yield head % b"size %d" % size + lines[:size - 2] \
            .rsplit(b"\r\n", 1)[0] + b"\r\n"
    for i in range(2000):
        words = b"".join(
            bytes(noise.choice(b"abc .\t\xc3\xa9\xff=-") for _ in range(
                noise.randrange(200))) + b"\r\n"
            for _ in range(noise.randrange(60)))
        yield head % b"noise %d" % i + words


def stuffed(message):
    out = message.replace(b"\r\n.", b"\r\n..")
    return b"." + out if out.startswith(b".") else out


def send_raw(session, message, to="bob@example.test"):
    """Through smtplib's connection, but the bytes are ours."""
    assert session.mail("corpus@client.test", ["BODY=8BITMIME"])[0] == 250
    assert session.rcpt(to)[0] == 250
    session.putcmd("data")
    assert session.getreply()[0] == 354
    session.send(stuffed(message) + b".\r\n")
    code, reply = session.getreply()
    assert code == 250, (code, reply, message[:80])


def retrieved(p, number):
    _, lines, _ = p.retr(number)
    return b"".join(line + b"\r\n" for line in lines)


def content(stored):
    """What the client sent: without the lines that we put in front."""
    mark = b"@example.test>; "
    at = stored.index(b"Received: ")
    while True:
        end = stored.index(b"\r\n", at) + 2
        at = end
        if not stored[at:at + 1] in (b" ", b"\t"):
            return stored[at:]


def without_added(sent, got):
    """Headers that cleanup must add to mail without them."""
    if sent == got:
        return True
    for name in (b"Message-Id", b"Date", b"From", b"To"):
        for line in got.split(b"\r\n")[:12]:
            if line.lower().startswith(name.lower() + b":") and \
                    line + b"\r\n" not in sent:
                got = got.replace(line + b"\r\n", b"", 1)
    return sent == got or b"\r\n" + sent == got or \
        sent.replace(b"\r\n\r\n", b"\r\n", 1) == \
        got.replace(b"\r\n\r\n", b"\r\n", 1)


def test_corpus_is_read_back_byte_for_byte(suite, monkeypatch):
    monkeypatch.setattr(poplib, "_MAXLINE", 1 << 22)
    s = suite(main="local_header_rewrite_clients =\n"
                   "mynetworks = 192.0.2.1/32\n"
                   "line_length_limit = 2048\n")
    messages = list(made_messages()) + real_messages()
    with s.smtp() as session:
        session.ehlo("client.test")
        for message in messages:
            send_raw(session, message)
    s.wait_messages("bob", len(messages), 60)
    p = s.pop3()
    count, _ = p.stat()
    assert count == len(messages)
    left = {}
    for number in range(1, count + 1):
        got = content(retrieved(p, number))
        left.setdefault(len(got), []).append(got)
    lost = []
    for message in messages:
        if message in left.get(len(message), ()):
            left[len(message)].remove(message)
        else:
            lost.append(message)
    rest = [m for same in left.values() for m in same]
    wrong = [m for m in lost
             if not any(without_added(m, got) for got in rest)]
    assert not wrong, (len(wrong), wrong[0][:300], rest[0][:300])


def test_twenty_megabytes_arrive_whole(suite):
    s = suite()
    line = b"0123456789" * 7 + b"\r\n"
    message = b"From: a@b.test\r\nSubject: big\r\n\r\n" + line * 290000
    with s.smtp(timeout=60) as session:
        session.ehlo("client.test")
        send_raw(session, message)
    (stored,) = s.wait_messages("bob", 1, 60)
    assert content(stored).endswith(line * 290000)
    p = s.pop3()
    assert p.stat() == (1, len(stored))


@pytest.mark.parametrize("size,code", [(50000000 - 2000, 250),
                                       (50000001, 552)])
def test_size_limit_is_exact_enough(suite, size, code):
    s = suite(main="message_size_limit = 50000000\n")
    with s.smtp(timeout=60) as session:
        session.ehlo("client.test")
        answer = session.mail("a@b.test", [f"SIZE={size}"])
        assert answer[0] == code
