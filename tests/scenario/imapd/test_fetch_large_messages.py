# SPDX-License-Identifier: ISC
"""A message of any size is served in a few megabytes of memory; one that
changes while it is sent ends the connection."""
import base64
import os
import pathlib
import re

import pytest
from fetched import MAIN, one, put, wire

LARGE = 300 << 20
FEW = 16 << 20


def memory(s):
    """What the processes of users hold of their own, in bytes."""
    most = 0
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            text = (path / "status").read_text()
            home = os.readlink(path / "cwd")
        except OSError:
            continue
        if text.startswith("Name:\timapd-session") and str(s.root) in home:
            anon = re.search(r"RssAnon:\s+(\d+)", text)
            most = max(most, int(anon[1]) * 1024)
    assert most > 0
    return most


def read_literal(c, look=lambda piece: None):
    """Reads the next line's literal without keeping it; its length."""
    line = c.raw_line()
    m = re.search(rb"\{(\d+)\}$", line)
    assert m, line
    left = int(m[1])
    while left > 0:
        if not c.buffer:
            c.buffer = c.socket.recv(1 << 20)
            if not c.buffer:
                raise EOFError(f"closed with {left} to come")
        piece, c.buffer = c.buffer[:left], c.buffer[left:]
        left -= len(piece)
        look(piece)
    return int(m[1])


def large(s, line, size):
    """A message with this line as often as there is room for."""
    head = b"Subject: large\r\nContent-Type: text/plain\r\n\r\n"
    if b"\r" not in line:
        head = wire(head).replace(b"\r\n", b"\n")
    put(s, [head])
    (path,) = (s.maildir("bob") / "cur").iterdir()
    block = line * (1048576 // len(line))
    with open(path, "ab") as f:
        for _ in range(size // len(block)):
            f.write(block)
    os.utime(s.maildir("bob") / "cur", (1, 1))
    return path


@pytest.mark.parametrize("line", [b"x" * 62 + b"\r\n", b"x" * 63 + b"\n",
                                  b"\0" * 62 + b"\r\n"],
                         ids=["CRLF", "LF", "NUL"])
def test_memory_does_not_grow_with_the_message(suite, line):
    s = suite(main=MAIN)
    path = large(s, line, LARGE)
    data = path.stat().st_size
    lines = 3 + (data - 45) // len(line)
    c = s.imap()
    c.ok("SELECT INBOX")
    tag = c.start("FETCH 1 BODY.PEEK[]")
    nul = []
    n = read_literal(c, lambda piece: nul.append(b"\0" in piece))
    assert not any(nul)
    assert c.raw_line() == b")"
    if line.endswith(b"\r\n"):
        assert n == data
    else:
        assert n >= data + (data - 45) // len(line)
    assert c.finish(tag)[0] == "OK"
    assert memory(s) < FEW
    assert one(c, "RFC822.SIZE") == n
    assert one(c, "BODY")["lines"] >= lines - 4
    assert memory(s) < FEW
    # a piece near its end, without reading what comes before
    assert len(one(c, f"BODY.PEEK[TEXT]<{n - 2000}.1000>")) == 1000
    assert memory(s) < FEW


def test_a_large_part_piece_by_piece(suite):
    """As clients take attachments: each piece goes on where the last ended."""
    s = suite(main=MAIN)
    data = os.urandom(6 << 20)
    put(s, [b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\n"
            b"Content-Type: application/x\n"
            b"Content-Transfer-Encoding: base64\n\n"
            + base64.encodebytes(data) + b"--b--\n"])
    c = s.imap()
    c.ok("SELECT INBOX")
    coded = wire(base64.encodebytes(data))[:-2]
    got = b""
    while piece := one(c, f"BODY.PEEK[2]<{len(got)}.65536>"):
        got += piece
    assert got == coded
    assert one(c, "BINARY.SIZE[2]") == len(data)
    got = b""
    while piece := one(c, f"BINARY.PEEK[2]<{len(got)}.100000>"):
        got += piece
    assert got == data
    assert one(c, "BODY.PEEK[1]") == b"text"
    for at in (5 << 20, 0, 77):
        assert one(c, f"BINARY.PEEK[2]<{at}.1000>") == data[at:at + 1000]


def test_a_message_cut_while_it_is_sent_ends_the_connection(suite):
    s = suite(main=MAIN)
    path = large(s, b"y" * 62 + b"\r\n", 64 << 20)
    c = s.imap()
    c.ok("SELECT INBOX")
    c.start("FETCH 1 BODY.PEEK[]")
    c.more()
    (path,) = path.parent.iterdir()  # its name tells the UID now
    os.truncate(path, 1 << 20)
    with pytest.raises((EOFError, ConnectionError)):
        read_literal(c)
