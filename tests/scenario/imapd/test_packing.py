# SPDX-License-Identifier: ISC
"""Commands may come in any packing: needs R40. A script of all families, cut
at any byte, sent byte by byte or in one piece, gives identical replies."""
import random
import re
import socket
import time

import pytest

MESSAGE = (b"From: Ann <ann@example.test>\r\nTo: bob@example.test\r\n"
           b"Subject: lunch\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\n"
           b"Message-Id: <B27397@example.test>\r\nMIME-Version: 1.0\r\n"
           b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
           b"--b\r\n\r\na LOGOUT\r\n--b\r\nContent-Type: text/html\r\n\r\n"
           b"<p>b LOGOUT\r\n--b--\r\n")


def literal(data, mark=b"+"):
    return b"{%d%s}\r\n%s" % (len(data), mark, data)


# what it makes it removes, so that it finds the same account each time
SCRIPT = b"".join([
    b"a1 CAPABILITY\r\n",
    b"a2 ID (\"name\" \"script\" \"version\" NIL)\r\n",
    b"a3 NAMESPACE\r\n",
    b"a4 ENABLE CONDSTORE\r\n",
    b"\r\n",
    b"b1 CREATE work\r\n",
    b"b2 CREATE ", literal(b"work/Entw&APw-rfe"), b"\r\n",
    b"b3 SUBSCRIBE work\r\n",
    b"b4 LIST \"\" (work work/*) RETURN (SUBSCRIBED CHILDREN)\r\n",
    b"b5 LSUB \"\" work\r\n",
    b"b6 STATUS work (MESSAGES UIDNEXT UNSEEN)\r\n",
    b"b7 RENAME \"work/Entw&APw-rfe\" work/new\r\n",
    b"b8 NONSENSE ", literal(b"x LOGOUT\r\n"), b" ",
    literal(b"y LOGOUT\r\n"), b"\r\n",
    b"c1 APPEND work (\\Seen $Junk) \"17-Jul-1996 02:44:25 -0700\" ",
    literal(MESSAGE), b"\r\n",
    b"c2 APPEND ", literal(b"work"), b" ", literal(MESSAGE), b" (\\Draft) ",
    literal(MESSAGE, b""), b"\r\n",
    b"c3 APPEND nowhere ", literal(b"z LOGOUT\r\nz2 LOGOUT\r\n"), b"\r\n",
    b"c4 SELECT work\r\n",
    b"c5 NOOP\r\n",
    b"c6 CHECK\r\n",
    b"d1 FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE)\r\n",
    b"d2 FETCH 1 (BODY.PEEK[HEADER.FIELDS (", literal(b"Subject"),
    b" \"To\")] BODY[1] BODY[2.MIME] BODY.PEEK[TEXT]<5.20>)\r\n",
    b"d3 UID FETCH 1:2 (BINARY.SIZE[1] BODY[])\r\n",
    b"d4 FETCH 2:1 FAST\r\n",
    b"e1 STORE 2 +FLAGS (\\Flagged work)\r\n",
    b"e2 UID STORE 3 -FLAGS.SILENT (\\Draft)\r\n",
    b"e3 STORE 1:3 FLAGS.SILENT ()\r\n",
    b"e4 STORE 1:2 +FLAGS \\Seen \\Deleted\r\n",
    b"f1 SEARCH ALL\r\n",
    b"f2 UID SEARCH CHARSET UTF-8 SUBJECT ", literal(b"lunch"),
    b" NOT DELETED\r\n",
    b"f3 SEARCH RETURN (MIN MAX COUNT) OR SEEN TEXT \"LOGOUT\"\r\n",
    b"f4 UID SEARCH RETURN (SAVE) DELETED\r\n",
    b"f5 UID FETCH $ (FLAGS)\r\n",
    b"f6 SORT (REVERSE SUBJECT SIZE) UTF-8 ALL\r\n",
    b"f7 UID THREAD REFERENCES UTF-8 ALL\r\n",
    b"g1 COPY 1 work/new\r\n",
    b"g2 UID MOVE 3 work/new\r\n",
    b"g3 IDLE\r\nDONE\r\ng4 NOOP\r\n",
    b"g5 UID EXPUNGE 1\r\n",
    b"g6 EXPUNGE\r\n",
    b"h1 IDLE\r\nbreak\r\nh2 NOOP\r\n",
    b"h3 FETCH 9 FLAGS\r\n",
    b"h4 FETCH 1 (\r\n",
    b"h5 UNSELECT\r\n",
    b"h6 EXAMINE \"work/new\"\r\n",
    b"h7 STORE 1 +FLAGS (\\Seen)\r\n",
    b"h8 CLOSE\r\n",
    b"i1 GETQUOTAROOT work\r\n",
    b"i2 SETMETADATA work (/private/comment ", literal(b"a\r\nb LOGOUT"),
    b")\r\n",
    b"i3 GETMETADATA work /private/comment\r\n",
    b"i4 MYRIGHTS work\r\n",
    b"j1 UNSUBSCRIBE work\r\n",
    b"j2 DELETE work/new\r\n",
    b"j3 DELETE work\r\n",
    b"j4 LIST \"\" work*\r\n",
    b"j5 LOGOUT\r\n",
])


def same(text):
    """Without what differs from one run to the next."""
    text = re.sub(rb"(MAILBOXID|EMAILID|THREADID) \([^)]*\)", rb"\1 ()", text)
    text = re.sub(rb"(INTERNALDATE|SAVEDATE) \"[^\"]*\"", rb"\1 x", text)
    return re.sub(rb"\d{7,}", b"N", text)


def run(s, parts, tls=None):
    c = s.imap(tls=tls)
    c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i, part in enumerate(parts):
        if i > 0:
            time.sleep(0.001)  # a packet of its own, mostly
        c.send(part)
    return same(b"\n".join(c.closed()))


def cut(places):
    places = [0, *sorted(places), len(SCRIPT)]
    return [SCRIPT[a:b] for a, b in zip(places, places[1:])]


def whole(s):
    """In one piece, twice; and each command was answered as it is meant."""
    first = run(s, [SCRIPT])
    assert run(s, [SCRIPT]) == first
    ends = dict(re.findall(rb"^([a-j]\d) (OK|NO|BAD)", first, re.M))
    tags = re.findall(rb"(?m)^([a-j]\d) [A-Z]", SCRIPT)
    assert list(ends) == tags and len(tags) > 55
    assert {t for t in ends if ends[t] != b"OK"} == {
        b"b8", b"c3", b"h1", b"h3", b"h4", b"h7"}, first.decode()
    return first


def test_cut_in_two(suite):
    s = suite(main="disable_plaintext_auth = no\n")
    want = whole(s)
    for at in range(1, len(SCRIPT), 17):
        assert run(s, cut([at])) == want, (at, SCRIPT[:at][-40:])


@pytest.mark.parametrize("tls", [None, "implicit"])
def test_cut_in_many(suite, tls):
    s = suite(main="disable_plaintext_auth = no\n")
    want = whole(s)
    chance = random.Random(20)
    for n in (2, 5, 20, 20, 80, 300):
        places = chance.sample(range(1, len(SCRIPT)), n)
        assert run(s, cut(places), tls) == want, sorted(places)


def test_byte_by_byte(suite):
    s = suite(main="disable_plaintext_auth = no\n")
    want = whole(s)
    c = s.imap()
    c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i in range(len(SCRIPT)):
        c.send(SCRIPT[i:i + 1])
    assert same(b"\n".join(c.closed())) == want


def test_every_reply_is_imap(suite):
    """The same script, each line read by the strict grammar."""
    s = suite(main="disable_plaintext_auth = no\n")
    c = s.imap()
    c.send(SCRIPT)
    while not c.line().startswith(b"j5 OK"):
        pass


def test_done_and_what_follows(suite):
    """iOS sends DONE and the next commands in one packet."""
    s = suite(main="disable_plaintext_auth = no\n")
    c = s.imap()
    c.talk(r"""
        C: a SELECT INBOX
        S* * FLAGS ...
        S* * 0 EXISTS
        S* * 0 RECENT
        S* * OK [PERMANENTFLAGS ...
        S* * OK [UIDVALIDITY ...
        S* * OK [UIDNEXT ...
        S* * OK [HIGHESTMODSEQ ...
        S* * OK [MAILBOXID ...
        S: a OK ...
        C: b IDLE
        S: + idling
    """)
    c.send(b"DONE\r\nc UID FETCH 1:* (FLAGS)\r\nd IDLE\r\nDONE\r\ne NOOP\r\n")
    assert [c.line()[:4] for _ in range(5)] == [
        b"b OK", b"c OK", b"+ id", b"d OK", b"e OK"]
    c.send(b"f IDLE\r\nDONE\r\ng LOGOUT\r\n")
    assert [x[:4] for x in c.closed()] == [
        b"+ id", b"f OK", b"* BY", b"g OK"]
