# SPDX-License-Identifier: ISC
"""COMPRESS=DEFLATE: RFC 4978."""
import zlib

import pytest


class Deflated:
    """A socket, compressed in both directions."""

    def __init__(self, sock):
        self.sock = sock
        self.out = zlib.compressobj(9, zlib.DEFLATED, -15)
        self.back = zlib.decompressobj(-15)
        self.received = self.inflated = 0

    def sendall(self, data):
        self.sock.sendall(self.out.compress(data) +
                          self.out.flush(zlib.Z_SYNC_FLUSH))

    def recv(self, n):
        while True:
            data = self.sock.recv(n)
            text = self.back.decompress(data)
            self.received += len(data)
            self.inflated += len(text)
            if text or not data:
                return text

    def __getattr__(self, name):
        return getattr(self.sock, name)


@pytest.mark.parametrize("tls", [None, "implicit"])
def test_compressed(suite, tls):
    c = suite(main="disable_plaintext_auth = no\n").imap(tls=tls)
    assert "COMPRESS=DEFLATE" in c.capabilities()
    c.bad("COMPRESS")
    c.bad("COMPRESS LZW")
    c.ok("COMPRESS DEFLATE")
    wire = c.socket = Deflated(c.socket)
    assert "COMPRESS=DEFLATE" not in c.capabilities()
    assert c.no("COMPRESS DEFLATE").startswith(b"[COMPRESSIONACTIVE]")
    text = b"Subject: x\r\n\r\n" + b"The same line again.\r\n" * 20000
    c.append("INBOX", text)
    c.ok("SELECT INBOX")
    before = wire.received
    (line,) = c.ok("FETCH 1 BODY.PEEK[]")
    assert line == b"* 1 FETCH (BODY[] {%d}\r\n%s)" % (len(text), text)
    assert wire.received - before < len(text) / 20
    tag = c.idle()
    c.done(tag)
    c.send(b"a NOOP\r\nb NOOP\r\nc LOGOUT\r\n")
    assert [x[:4] for x in c.closed()] == [b"a OK", b"b OK", b"* BY", b"c OK"]


def test_damaged(suite):
    s = suite(main="disable_plaintext_auth = no\n")
    c = s.imap()
    c.ok("COMPRESS DEFLATE")
    c.send(b"\xff\xff\xff\xff NOOP\r\n")
    c.closed()
    s.wait_log("reason=.compressed data is damaged")
    # a bomb: ten megabytes of one line, in ten kilobytes
    c = s.imap()
    c.ok("COMPRESS DEFLATE")
    c.socket = Deflated(c.socket)
    c.send(b"a NOOP " + b"x" * 10000000 + b"\r\n")
    assert c.closed()[-1].startswith((b"* BYE", b"a BAD"))
