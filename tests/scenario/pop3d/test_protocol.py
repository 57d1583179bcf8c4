# SPDX-License-Identifier: ISC
"""RFC 1939, and what RFC 2449, 2595, 3206 and 5034 add."""
import base64
import os
import re
import socket

import pytest

from pop3_client import Client, crlf, put
from posthaste import careless_tls

ONE = b"Subject: one\r\n\r\n.dot\r\n..dots\r\nlast\r\n"
TWO = b"Subject: two\n\n.\nFrom here\nno end"


def bobs_two(s):
    crlf(s, "bob", 1, ONE)
    put(s, "bob", "1700000002.M1P1_2.host", TWO)


def test_a_whole_session(suite):
    s = suite()
    bobs_two(s)
    c = Client(s, tls=True, login="bob")
    assert c.last == b"+OK Logged in"
    sizes = [len(ONE), len(TWO.replace(b"\n", b"\r\n")) + 2]
    assert c.say("STAT") == b"+OK 2 %d" % sum(sizes)
    assert c.many("LIST")[1] == [b"1 %d" % sizes[0], b"2 %d" % sizes[1]]
    assert c.say("list 2") == b"+OK 2 %d" % sizes[1]
    first, lines = c.many("RETR 1")
    assert first == b"+OK %d octets" % sizes[0]
    assert lines == [b"Subject: one", b"", b"..dot", b"...dots", b"last"]
    assert c.many("RETR 2")[1] == [b"Subject: two", b"", b"..",
                                   b"From here", b"no end"]
    assert c.many("TOP 1 0")[1] == [b"Subject: one", b""]
    assert c.many("TOP 1 2")[1] == [b"Subject: one", b"", b"..dot",
                                    b"...dots"]
    assert c.many("TOP 2 99")[1][-1] == b"no end"
    assert c.say("DELE 1").startswith(b"+OK")
    assert c.say("DELE 1").startswith(b"-ERR")
    assert c.say("RETR 1").startswith(b"-ERR")
    assert c.say("STAT") == b"+OK 1 %d" % sizes[1]
    assert [x.split()[0] for x in c.many("UIDL")[1]] == [b"2"]
    assert c.say("RSET").startswith(b"+OK")
    assert c.say("STAT") == b"+OK 2 %d" % sum(sizes)
    assert c.say("NOOP").startswith(b"+OK")
    assert c.say("DELE 2").startswith(b"+OK")
    assert c.say("QUIT").startswith(b"+OK")
    assert c.closed()
    (left,) = (s.maildir("bob") / "cur").iterdir()
    assert left.read_bytes() == ONE
    assert left.name.endswith(":2,S")
    s.wait_log(r"pop3d\[\d+\]: login user=<bob@example.test>, "
               r"client=127.0.0.1, method=USER, tls=TLSv1.3")
    s.wait_log(r"pop3d\[\d+\]: logout user=<bob@example.test>.*retrieved=2, "
               r"bytes=\d+, deleted=1, left=1$")


def test_nothing_is_deleted_without_quit(suite):
    s = suite()
    bobs_two(s)
    c = Client(s, "pop3s", login="bob@example.test")
    c.say("DELE 1")
    c.say("DELE 2")
    c.close()
    s.wait_log(r"logout user=<bob@example.test>.*deleted=0, left=2, "
               r"reason=\(lost connection\)")
    assert len(s.messages("bob")) == 2


@pytest.mark.parametrize("command", [
    "RETR", "RETR 0", "RETR 3", "RETR -1", "RETR 1x", "RETR 99999999999999999",
    "RETR 18446744073709551617", "DELE", "DELE a", "TOP 1", "TOP", "TOP 1 -1",
    "LIST 0", "UIDL 3", "LAST", "USER bob", "STLS", "XYZZY", "", "A" * 300,
    "RETR\t1", "STAT\x01"])
def test_wrong_commands_are_refused(suite_of_bob, command):
    c = Client(suite_of_bob, "pop3s", login="bob")
    assert c.last.startswith(b"+OK")
    assert c.say(command).startswith(b"-ERR")
    assert c.say("NOOP").startswith(b"+OK")
    assert c.say("QUIT").startswith(b"+OK")
    assert c.closed()


@pytest.fixture(scope="module")
def suite_of_bob():
    from posthaste import Instance
    s = Instance().start()
    bobs_two(s)
    yield s
    s.close()


def test_capabilities(suite):
    s = suite()
    c = Client(s)
    _, plain = c.many("CAPA")
    for name in (b"TOP", b"UIDL", b"PIPELINING", b"RESP-CODES",
                 b"AUTH-RESP-CODE", b"EXPIRE NEVER", b"STLS",
                 b"IMPLEMENTATION Posthaste"):
        assert name in plain
    assert any(x.startswith(b"LOGIN-DELAY") for x in plain)
    assert b"USER" not in plain
    assert not any(x.startswith(b"SASL") for x in plain)
    c.say("STLS")
    c.wrap()
    _, secure = c.many("CAPA")
    assert b"USER" in secure and b"SASL PLAIN LOGIN" in secure
    assert b"STLS" not in secure
    c.say("USER bob")
    c.say("PASS posthaste")
    _, inside = c.many("CAPA")
    assert b"TOP" in inside and b"PIPELINING" in inside


def test_no_password_before_tls(suite):
    s = suite()
    c = Client(s)
    for command in ("USER bob", "PASS posthaste", "AUTH PLAIN",
                    "AUTH LOGIN", "AUTH PLAIN AGJvYgBwb3N0aGFzdGU="):
        assert c.say(command).startswith(b"-ERR [AUTH]")
    assert c.say("QUIT").startswith(b"+OK")


def test_plain_login_where_it_is_allowed(suite):
    s = suite(main="disable_plaintext_auth = no\n")
    bobs_two(s)
    c = Client(s, login="bob")
    assert c.last.startswith(b"+OK")
    assert c.say("STAT").startswith(b"+OK 2 ")
    assert c.many("RETR 1")[1][2] == b"..dot"
    assert c.say("QUIT").startswith(b"+OK")
    s.wait_log("login user=<bob@example.test>.*tls=none")


def test_pipelined_behind_the_login(suite):
    """Commands in one segment with PASS are served by the session stage."""
    s = suite(main="disable_plaintext_auth = no\n")
    bobs_two(s)
    for port in ("pop3", "pop3s"):
        c = Client(s, port)
        c.send(b"USER bob\r\nPASS posthaste\r\nSTAT\r\nUIDL 1\r\nQUIT\r\n")
        answers = [c.line() for _ in range(5)]
        assert answers[2].startswith(b"+OK 2 ")
        assert all(a.startswith(b"+OK") for a in answers)
        assert c.closed()


def b64(text):
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("dialogue", [
    ["AUTH PLAIN " + b64("\0bob\0posthaste")],
    ["AUTH PLAIN", b64("\0bob@example.test\0posthaste")],
    ["auth plain", b64("bob\0bob\0posthaste")],
    ["AUTH LOGIN", b64("bob"), b64("posthaste")],
    ["AUTH LOGIN " + b64("bob"), b64("posthaste")],
])
def test_auth(suite_of_bob, dialogue):
    c = Client(suite_of_bob, "pop3s")
    for text in dialogue[:-1]:
        assert c.say(text).startswith(b"+ ")
    assert c.say(dialogue[-1]) == b"+OK Logged in"
    assert c.say("STAT").startswith(b"+OK 2 ")
    assert c.say("QUIT").startswith(b"+OK")
    assert c.closed()


@pytest.mark.parametrize("dialogue", [
    ["AUTH PLAIN " + b64("\0bob\0wrong")],
    ["AUTH PLAIN " + b64("alice\0bob\0posthaste")],
    ["AUTH PLAIN " + b64("\0../bob\0posthaste")],
    ["AUTH PLAIN ="],
    ["AUTH PLAIN not*base64"],
    ["AUTH PLAIN AGJvYgBwb3N0aGFzdGU"],
    ["AUTH PLAIN", "*"],
    ["AUTH PLAIN", "%%%%"],
    ["AUTH LOGIN", "*"],
    ["AUTH LOGIN", b64("bob"), "*"],
    ["AUTH LOGIN", b64("bob"), b64("x")],
    ["AUTH ANONYMOUS eA=="],
    ["AUTH NTLM"],
    ["AUTH EXTERNAL ="],
    ["AUTH " + "X" * 60],
])
def test_auth_refused(suite, dialogue):
    s = suite()
    c = Client(s, "pop3s")
    for text in dialogue[:-1]:
        assert c.say(text).startswith(b"+ ")
    assert c.say(dialogue[-1]).startswith(b"-ERR")
    # the connection is still good, and nothing of the attempt is left
    assert c.say("STAT").startswith(b"-ERR")
    assert c.say("USER bob").startswith(b"+OK")
    assert c.say("PASS posthaste") == b"+OK Logged in"


def test_login_names(suite):
    s = suite()
    for name in ("bob", "BOB", "bob@example.test", "Bob@Example.Test"):
        c = Client(s, "pop3s", login=name)
        assert c.last == b"+OK Logged in", name
        assert c.say("QUIT").startswith(b"+OK")
        assert c.closed()
    c = Client(s, "pop3s", login="bob@other.test")
    assert c.last == b"-ERR [AUTH] Authentication failed"


def test_stls_throws_away_what_came_in_clear(suite):
    s = suite()
    c = Client(s)
    c.send(b"STLS\r\nUSER bob\r\nPASS posthaste\r\nQUIT\r\n")
    assert c.line().startswith(b"+OK")
    c.wrap()
    assert c.say("NOOP").startswith(b"-ERR")  # no QUIT, no login
    assert c.say("STAT").startswith(b"-ERR")
    c.say("USER bob")
    assert c.say("PASS posthaste") == b"+OK Logged in"
    s.wait_log("bytes sent behind STLS by .127.0.0.1. are ignored")


def test_stls_twice_and_user_before(suite):
    s = suite(main="disable_plaintext_auth = no\n")
    c = Client(s)
    assert c.say("USER bob").startswith(b"+OK")
    assert c.say("STLS").startswith(b"+OK")
    c.wrap()
    # RFC 2595 section 4: what was said before does not count
    assert c.say("PASS posthaste").startswith(b"-ERR")
    assert c.say("STLS").startswith(b"-ERR")


def test_another_protocol_is_turned_away(suite):
    import ssl
    s = suite()
    context = careless_tls()
    context.set_alpn_protocols(["http/1.1", "h2"])
    with socket.create_connection(("127.0.0.1", s.ports["pop3s"])) as raw:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(raw)
    context.set_alpn_protocols(["pop3"])
    with socket.create_connection(("127.0.0.1", s.ports["pop3s"])) as raw:
        assert context.wrap_socket(raw).selected_alpn_protocol() == "pop3"


def test_uidl_is_stable(suite):
    s = suite()
    bobs_two(s)

    def names():
        c = Client(s, "pop3s", login="bob")
        _, lines = c.many("UIDL")
        c.say("QUIT")
        assert c.closed()
        return dict(x.split() for x in lines)

    first = names()
    assert len(set(first.values())) == 2
    assert all(re.fullmatch(rb"[!-~]{1,70}", v) for v in first.values())
    c = Client(s, "pop3s", login="bob")
    c.many("RETR 1")  # marks it as seen: another file name
    c.say("QUIT")
    assert c.closed()
    s.stop()
    s.start()
    assert names() == first


def test_uidl_of_dovecot_is_kept(suite):
    s = suite()
    put(s, "bob", "1700000002.M2P2.old,S=11,W=13:2,S", b"Subject: a\n\nb\n",
        folder="cur")
    put(s, "bob", "1700000001.M1P1.old:2,S", b"Subject: a\n\nb\n",
        folder="cur")
    put(s, "bob", "1700000009.M3P3.new", b"Subject: a\n\nb\n")
    top = s.maildir("bob")
    (top / "dovecot-uidlist").write_text(
        "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1\n"
        "25006 :1700000002.M2P2.old,S=11,W=13\n"
        "25017 W16 Pimported.id :1700000001.M1P1.old\n")
    c = Client(s, "pop3s", login="bob")
    assert c.many("UIDL")[1] == [
        b"1 %08x%08x" % (25006, 1275660208), b"2 imported.id", b"3 1700000009.M3P3.new"]
    assert c.many("LIST")[1][1] == b"2 16"


def test_errors_have_an_end(suite):
    s = suite(main="pop3_error_limit = 3\n")
    c = Client(s)
    for _ in range(3):
        assert c.say("HELO x") == b"-ERR Unknown command"
    assert c.say("HELO x") == b"-ERR Unknown command"
    assert c.line().startswith(b"-ERR Too many errors")
    assert c.closed()
    s.wait_log("too many errors from .127.0.0.1.*see pop3_error_limit")
    c = Client(s)
    c.send(b"X" * 5000)
    assert c.line().startswith(b"-ERR Line too long")
    c = Client(s, "pop3s", login="bob")
    c.send(b"X" * 5000)
    assert c.line().startswith(b"-ERR Line too long")
    s.wait_log(r"reason=\(line too long\)")


def test_failed_logins_have_an_end(suite):
    s = suite(main="auth_failure_delay_max = 0\n")
    c = Client(s, "pop3s")
    for _ in range(3):
        c.say("USER bob")
        assert c.say("PASS x") == b"-ERR [AUTH] Authentication failed"
    assert c.line().startswith(b"-ERR Too many failed logins")
    assert c.closed()
    s.wait_log(r"warning: unknown\[127.0.0.1\]: SASL USER authentication "
               r"failed: .*sasl_username=bob@example.test")


def test_timeouts(suite):
    s = suite(main="pop3_timeout = 2s\npop3_login_timeout = 5s\n")
    idle = Client(s)
    c = Client(s, "pop3s", login="bob")
    assert c.line() == b"-ERR Disconnected for inactivity"
    assert c.closed()
    assert idle.line().startswith(b"-ERR Timeout")
    assert idle.closed()
    s.wait_log(r"reason=\(timeout: see pop3_timeout\)")


def test_hostile_files_are_not_served(suite):
    """Links and FIFOs in a Maildir, a directory, and unreadable messages."""
    s = suite()
    crlf(s, "bob", 1, ONE)
    secret = s.root / "etc/accounts"
    new = s.maildir("bob") / "new"
    os.symlink(secret, new / "1700000002.link.host")
    os.mkfifo(new / "1700000003.fifo.host")
    (new / "1700000004.directory.host").mkdir()
    c = Client(s, "pop3s", login="bob")
    assert c.last == b"+OK Logged in"
    assert c.many("RETR 1")[1][0] == b"Subject: one"
    for number in (2, 3, 4):
        assert c.say(f"RETR {number}").startswith(b"-ERR")
    assert c.say("NOOP").startswith(b"+OK")


def test_message_removed_or_flagged_by_another_program(suite):
    s = suite()
    bobs_two(s)
    c = Client(s, "pop3s", login="bob")
    cur = s.maildir("bob") / "cur"
    one, two = sorted(cur.iterdir())
    one.rename(cur / (one.name.split(":")[0] + ":2,FS"))
    two.unlink()
    assert c.many("RETR 1")[1][0] == b"Subject: one"
    assert c.say("RETR 2").startswith(b"-ERR")
    c.say("DELE 1")
    c.say("DELE 2")
    assert c.say("QUIT").startswith(b"+OK")
    assert c.closed()
    assert s.messages("bob") == []


MAGIC = b"POSTHASTE-QUEUE\n"


@pytest.mark.parametrize("magic", [MAGIC, bytes(16), MAGIC[:5] + bytes(11)],
                         ids=["whole", "zeros", "part"])
def test_trailer_left_by_a_crash_is_cut(suite, magic):
    """A delivery killed between rename and ftruncate, or a power cut before
    that was flushed, which leaves zeros in its block (doc/DURABILITY.md)."""
    s = suite()
    n = len(ONE)
    trailer = b"envelope of the queue\n" + magic + b"\0" * 48
    path = put(s, "bob", f"1700000001.M1P1_1.host,S={n},W={n}", ONE + trailer)
    other = put(s, "bob", "1700000002.M1P1_2.host,S=5,W=5", ONE)
    c = Client(s, "pop3s", login="bob")
    assert c.say("LIST 1") == b"+OK 1 %d" % n
    assert c.many("RETR 1")[1][-1] == b"last"
    # no footer: the name lies, and nothing is cut
    assert c.many("RETR 2")[1][-1] == b"last"
    c.say("QUIT")
    assert c.closed()
    cur = s.maildir("bob") / "cur"
    assert (cur / (path.name + ":2,S")).read_bytes() == ONE
    assert (cur / (other.name + ":2,S")).read_bytes() == ONE
