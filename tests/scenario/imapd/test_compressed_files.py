# SPDX-License-Identifier: ISC
"""Messages that Dovecot's zlib plugin has compressed: S= is the message's
size, not the file's. What is gzip is read; the rest is named in the log; a
file that a power cut has torn is neither."""
import gzip
import os
import poplib

from long_runs import kill_children as kill
from posthaste import AS_ROOT

OPEN = "disable_plaintext_auth = no\n"
TEXT = b"Subject: packed\r\n\r\n" + b"text of a message\r\n" * 500


def put(s, name, data):
    inbox = s.maildir("bob")
    path = inbox / "cur" / name
    path.write_bytes(data)
    if AS_ROOT:
        st = inbox.stat()
        os.chown(path, st.st_uid, st.st_gid)
    return path


def body(c, n):
    c.ok("SELECT INBOX")
    (line,) = c.ok(f"FETCH {n} (RFC822.SIZE BODY.PEEK[])")
    return line


def test_gzip(suite):
    s = suite(main=OPEN)
    s.imap().ok("SELECT INBOX")
    n = len(TEXT)
    plain = TEXT.replace(b"\r\n", b"\n")
    put(s, f"1.a,S={n},W={n}:2,", gzip.compress(TEXT))
    put(s, f"2.b,S={len(plain)}:2,", gzip.compress(plain))
    put(s, "3.c:2,", gzip.compress(TEXT))
    c = s.imap()
    for i in (1, 2, 3):
        line = body(c, i)
        assert b"RFC822.SIZE %d" % n in line and TEXT in line
    assert c.ok("SEARCH TEXT \"text of a message\"")[0] == b"* SEARCH 1 2 3"
    p = poplib.POP3("127.0.0.1", s.ports["pop3"])
    p.user("bob")
    p.pass_("posthaste")
    assert p.stat() == (3, 3 * n)
    for i in (1, 2, 3):
        assert b"\r\n".join(p.retr(i)[1]) + b"\r\n" == TEXT
    p.quit()


def test_what_cannot_be_read(suite):
    s = suite(main=OPEN)
    s.imap().ok("SELECT INBOX")
    packed = gzip.compress(TEXT)
    put(s, "1.a,S=9000:2,", b"\x28\xb5\x2f\xfd" + b"x" * 100)
    put(s, "2.b,S=9000:2,", packed[:-20])
    put(s, "3.c,S=20:2,", packed)  # more than it says
    c = s.imap()
    c.ok("SELECT INBOX")
    for n in (1, 2, 3):
        c.command(f"FETCH {n} BODY.PEEK[]")
    s.wait_log(r"1\.a,S=9000\S*: the message is compressed with zstd, which is"
               " not supported")
    s.wait_log(r"2\.b,S=9000\S*: the message is compressed, and cannot be read")
    s.wait_log(r"3\.c,S=20\S*: the message is compressed, and cannot be read")
    c.ok("NOOP")


def test_torn_files_are_others(suite):
    s = suite(main=OPEN)
    s.imap().ok("SELECT INBOX")
    put(s, f"1.a,S={len(TEXT)},U=5:2,", gzip.compress(TEXT))
    put(s, f"2.b,S={len(TEXT)},U=6:2,", TEXT[:1000])
    kill(s)
    for p in s.maildir("bob").glob("posthaste.index"):
        p.write_bytes(b"as a power cut leaves it" * 1000)
    c = s.imap()
    assert b"* 1 EXISTS" in c.ok("SELECT INBOX")
    assert TEXT in body(c, 1)
    s.wait_log(r"2\.b,S=\d+,U=6:2,: only 1000 of \d+ bytes are there")
