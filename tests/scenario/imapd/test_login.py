# SPDX-License-Identifier: ISC
"""From the greeting to the login: RFC 9051 sections 6.1 and 6.2."""
import base64
import hmac
import os
import re
import socket
import time

import pytest

from imap_client import CONTEXT
from peers import broken_off_anywhere
from posthaste import wait_for
from scram import Scram, b64

OPEN = "disable_plaintext_auth = no\nauth_failure_delay_max = 0\n"


def plain(user="bob", password="posthaste"):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def words(line):
    m = re.search(rb"\[CAPABILITY ([^\]]*)\]", line)
    return m[1].decode().split() if m else []


def test_greeting_and_login(suite):
    s = suite(main=OPEN)
    c = s.imap(user=None)
    assert c.greeting.startswith(b"* OK [CAPABILITY IMAP4rev1 ")
    assert {"IMAP4rev1", "SASL-IR", "STARTTLS", "AUTH=PLAIN"} <= set(
        words(c.greeting))
    assert "LOGINDISABLED" not in words(c.greeting)
    assert sorted(words(c.greeting)) == sorted(c.capabilities())
    c.ok("NOOP")
    c.ok("LOGIN bob posthaste")
    assert words(c.text)[0] == "IMAP4rev1"
    assert not any(x.startswith("AUTH=") or x in ("STARTTLS", "LOGINDISABLED")
                   for x in words(c.text))
    c.ok("NOOP")
    c.logout()
    s.wait_log(r"imapd\[\d+\]: login user=<bob@example.test>, "
               r"client=127.0.0.1, method=LOGIN, tls=none, session=\w+")
    s.wait_log(r"imapd\[\d+\]: logout user=<bob@example.test>")


def test_no_passwords_in_clear(suite):
    """On loopback too, whatever the client tries."""
    s = suite()
    c = s.imap(user=None)
    assert "LOGINDISABLED" in words(c.greeting)
    assert not any(x.startswith("AUTH=") for x in words(c.greeting))
    assert b"[PRIVACYREQUIRED]" in c.no("LOGIN bob posthaste")
    assert b"[PRIVACYREQUIRED]" in c.no(f"AUTHENTICATE PLAIN {plain()}")
    assert b"[PRIVACYREQUIRED]" in c.no("AUTHENTICATE PLAIN")
    c.starttls()
    assert "AUTH=PLAIN" in c.capabilities()
    assert not {"LOGINDISABLED", "STARTTLS"} & set(c.capabilities())
    c.login("bob")
    c.logout()
    assert "SASL" not in s.log()
    for tls in ("starttls", "implicit"):
        c = s.imap(tls=tls)
        c.ok("NOOP")
        c.logout()
    wait_for("three logins in the log", lambda: len(re.findall(
        r"login user=<bob@example.test>.*tls=TLSv1.3", s.log())) == 3)


def test_authenticate(suite):
    s = suite(main=OPEN + "imap_login_limit = 20\n")
    c = s.imap(user=None)
    c.ok(f"AUTHENTICATE PLAIN {plain()}")
    c.logout()
    c = s.imap(user=None)
    c.talk(f"""
        C: a authenticate plain
        S: + ...
        C: {plain()}
        S: a OK [CAPABILITY ...
        C: b LOGOUT
        S: * BYE ...
        S: b OK ...
    """)
    c = s.imap(user=None)
    c.talk(f"""
        C: a1 AUTHENTICATE PLAIN
        S: + ...
        C: *
        S: a1 BAD ...
        C: a2 AUTHENTICATE PLAIN =
        S: a2 NO [AUTHENTICATIONFAILED] ...
        C: a3 AUTHENTICATE PLAIN not!base64
        S: a3 BAD ...
        C: a4 AUTHENTICATE NONE
        S: a4 NO [CANNOT] ...
        C: a5 AUTHENTICATE
        S: a5 BAD ...
        C: a6 AUTHENTICATE PLAIN {plain(password='wrong')}
        S: a6 NO [AUTHENTICATIONFAILED] Authentication failed
        C: a7 LOGIN nobody-like-that posthaste
        S: a7 NO [AUTHENTICATIONFAILED] Authentication failed
        C: a8 AUTHENTICATE LOGIN
        S: + VXNlcm5hbWU6
        C: Ym9i
        S: + UGFzc3dvcmQ6
        C: *
        S: a8 BAD ...
        C: a9 AUTHENTICATE LOGIN
        S: + VXNlcm5hbWU6
        C: Ym9i
        S: + UGFzc3dvcmQ6
        C: cG9zdGhhc3Rl
        S: a9 OK ...
    """)
    c.logout()


def test_every_mechanism_that_is_offered(suite):
    """Where the accounts hold clear passwords, SCRAM is among them."""
    s = suite(main=OPEN)
    offered = [x[5:] for x in s.imap(user=None).capabilities()
               if x.startswith("AUTH=")]
    assert {"PLAIN", "LOGIN"} <= set(offered)
    for name in offered:
        c = s.imap(user=None)
        tag = c.start(f"AUTHENTICATE {name}")
        assert c.line().startswith(b"+ ") or name.startswith("SCRAM")
        c.send(b"*\r\n")
        assert c.finish(tag)[0] == "BAD"


EVERY = OPEN + ("auth_mechanisms = plain login cram-md5 scram-sha-1 "
                "scram-sha-256\nimap_login_limit = 20\n")


def challenge(c):
    line = c.line()
    assert line.startswith(b"+ "), line
    return base64.b64decode(line[2:], validate=True).decode()


def logged_in(c, tag):
    """The session works, and behind it nothing of the login is left."""
    word, text, lines = c.finish(tag)
    assert (word, lines) == ("OK", []), (word, text, lines)
    assert words(text)[0] == "IMAP4rev1"
    c.ok("SELECT INBOX")
    c.logout()


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_scram(suite, digest, initial):
    """RFC 5802, RFC 7677: the server proves that it knows the password too."""
    s = suite(main=EVERY)
    name = {"sha1": "SCRAM-SHA-1", "sha256": "SCRAM-SHA-256"}[digest]

    def run(c, client, spoil=lambda text: text):
        command = f"AUTHENTICATE {name}"
        if initial:
            tag = c.start(f"{command} {b64(client.first)}")
        else:
            tag = c.start(command)
            assert challenge(c) == ""
            c.send(b64(client.first) + "\r\n")
        c.send(b64(spoil(client.final(challenge(c)))) + "\r\n")
        return tag

    c = s.imap(user=None)
    assert f"AUTH={name}" in c.capabilities()
    for wrong in (
            dict(client=Scram(digest, password="wrong")),
            # the nonce of another exchange
            dict(client=Scram(digest),
                 spoil=lambda x: re.sub(",r=.", ",r=!", x))):
        word, text, _ = c.finish(run(c, **wrong))
        assert (word, text[:24]) == ("NO", b"[AUTHENTICATIONFAILED] A"), wrong
    client = Scram(digest)
    tag = run(c, client)
    assert challenge(c) == client.proof
    c.send("\r\n")
    logged_in(c, tag)
    s.wait_log(rf"login user=<bob@example.test>.*method={name},")


def test_cram_md5(suite):
    """RFC 2195 section 2."""
    s = suite(main=EVERY)
    c = s.imap(user=None)
    seen = set()
    for password in (b"wrong", b"posthaste"):
        tag = c.start("AUTHENTICATE CRAM-MD5")
        text = challenge(c)
        assert re.fullmatch(r"<[^<>@]+@[^<>@]+>", text)
        seen.add(text)
        answer = hmac.new(password, text.encode(), "md5").hexdigest()
        c.send(b64(f"bob {answer}") + "\r\n")
        if password == b"wrong":
            word, text, _ = c.finish(tag)
            assert word == "NO" and text.startswith(b"[AUTHENTICATIONFAILED]")
    assert len(seen) == 2  # a challenge is never used again
    logged_in(c, tag)
    s.wait_log(r"login user=<bob@example.test>.*method=CRAM-MD5,")


def test_mechanism_login_with_an_initial_response(suite):
    """RFC 4959: the first response is the name then."""
    s = suite(main=OPEN)
    c = s.imap(user=None)
    for password in ("wrong", "posthaste"):
        tag = c.start(f"AUTHENTICATE LOGIN {b64('bob')}")
        assert challenge(c) == "Password:"
        c.send(b64(password) + "\r\n")
        if password == "wrong":
            word, text, _ = c.finish(tag)
            assert word == "NO" and text.startswith(b"[AUTHENTICATIONFAILED]")
    logged_in(c, tag)


def test_a_password_as_literal(suite):
    s = suite(main=OPEN)
    c = s.imap(user=None)
    c.ok("LOGIN {} {}", b"bob", b"posthaste")
    c.logout()
    c = s.imap(user=None)
    c.send(b"a LOGIN {3+}\r\nbob {9+}\r\nposthaste\r\n")
    assert c.line().startswith(b"a OK")
    c.logout()


@pytest.mark.parametrize("tls", [None, "implicit"])
def test_commands_behind_the_login_reach_the_session(suite, tls):
    s = suite(main=OPEN)
    c = s.imap(user=None, tls=tls)
    c.send(b"a LOGIN bob posthaste\r\nb NOOP\r\nc CAPABILITY\r\nd LOGOUT\r\n")
    text = b"\n".join(c.closed())
    assert re.fullmatch(rb"a OK .*\nb OK .*\n\* CAPABILITY .*\nc OK .*\n"
                        rb"\* BYE .*\nd OK .*", text), text


def test_cut_anywhere(suite):
    """A login in two packets, cut at each byte."""
    s = suite(main=OPEN)
    script = b"a LOGIN {3}\r\nbob posthaste\r\nb NOOP\r\nc LOGOUT\r\n"
    for cut in range(0, len(script), 2):
        c = s.imap(user=None)
        c.send(script[:cut])
        time.sleep(0.005)  # read before the rest comes
        c.send(script[cut:])
        lines = c.closed()
        assert [x[:4] for x in lines] == [b"+ OK", b"a OK", b"b OK", b"* BY",
                                          b"c OK"], (cut, lines)


def test_what_came_in_clear_is_gone_with_tls(suite):
    s = suite()
    c = s.imap(user=None)
    c.send(b"a STARTTLS\r\nb LOGIN bob posthaste\r\nc NOOP\r\n")
    assert c.line().startswith(b"a OK")
    c.socket = CONTEXT.wrap_socket(c.socket)
    c.ok("NOOP")
    assert b"TLS" in c.bad("STARTTLS")
    s.wait_log("bytes sent behind STARTTLS by .127.0.0.1. are ignored")
    assert "login user" not in s.log()
    c.logout()


def test_limits(suite):
    s = suite(main=OPEN + "imap_error_limit = 3\nimap_login_timeout = 4s\n")
    c = s.imap(user=None)
    for i in range(4):
        c.send(f"a{i} SELECT INBOX\r\n")
    lines = c.closed()
    assert [x.split()[1] for x in lines] == [b"BAD"] * 4 + [b"BYE"]
    s.wait_log("too many errors from .127.0.0.1.*see imap_error_limit")
    c = s.imap(user=None)
    for i in range(3):
        assert b"[AUTHENTICATIONFAILED]" in c.no("LOGIN bob wrong")
    assert c.closed() == [b"* BYE Too many failed logins, good bye"]
    s.wait_log("too many failed logins from .*see imap_login_limit")
    began = time.monotonic()
    c = s.imap(user=None)
    c.send(b"a LOG")
    (bye,) = c.closed()
    assert bye.startswith(b"* BYE ")
    assert 1.5 < time.monotonic() - began < 30
    s.wait_log(r"no login, reason=\(timeout: see imap_login_timeout\)")


def test_connections_of_one_client(suite):
    s = suite(main=OPEN + "imapd_client_connection_count_limit = 3\n"
              "mail_max_userip_connections = 2\n")
    held = [s.imap(user=None) for _ in range(3)]
    c = s.imap(user=None)
    assert c.greeting.startswith(b"* BYE [LIMIT] ")
    assert c.closed() == []
    s.wait_log("Connection concurrency limit exceeded: .127.0.0.1.*"
               "see imapd_client_connection_count_limit")
    # a plain connection leaves the login stage with its login
    held[0].login("bob")
    held[1].login("bob")
    held.append(wait_for("a place", lambda: place(s)))
    assert b"[LIMIT]" in held[2].no("LOGIN bob posthaste")
    s.wait_log("too many sessions of user=<bob@example.test>.*"
               "see mail_max_userip_connections")
    for c in held[:2]:
        c.ok("NOOP")


def place(s):
    c = s.imap(user=None)
    return c if c.greeting.startswith(b"* OK") else None


def test_id(suite):
    s = suite(main=OPEN)
    c = s.imap(user=None)
    c.talk(r"""
        C: a ID ("name" "mutt" "version" "2.2" "os" NIL)
        S: * ID ("name" "Posthaste")
        S: a OK ...
        C: b ID NIL
        S: * ID ...
        S: b OK ...
        C: c ID ("name")
        S: c BAD ...
        C: d ID
        S: d BAD ...
    """)
    c.ok("ID ({} {})", b"x", b"a\r\nb<c>")
    s.wait_log(r"ID client=\[127.0.0.1\], session=\w+, "
               r"name=<mutt>, version=<2.2>$")
    s.wait_log(r"x=<a\?\?b\?c\?>$")


def test_garbage(suite):
    s = suite(main=OPEN)
    for data in (b"\r\n" * 5, b"GET / HTTP/1.1\r\n\r\n", b"\0" * 3000,
                 b"a LOGIN {99999999999}\r\n", b"a LOGIN {5+}\r\nb\0\0\0c x\r\n",
                 b"(" * 5000 + b"\r\n", b"x" * 100000 + b"\r\n",
                 b"\x16\x03\x01\x02\x00\x01", b"a ID (" * 1000 + b"\r\n"):
        c = s.imap(user=None)
        try:
            c.send(data)
            c.socket.shutdown(socket.SHUT_WR)
            c.closed()
        except OSError:
            pass
    s.imap().logout()


def test_disconnect_at_every_byte(suite):
    s = suite(main=OPEN + "mail_max_userip_connections = 100\n")
    s.imap().logout()
    before = s.processes("imapd"), s.processes("imapd-session")
    for script in (
            [b"a AUTHENTICATE LOGIN\r\n", b"Ym9i\r\n", b"d3Jvbmc=\r\n",
             b"b NOOP\r\n"],
            [b"a LOGIN {3}\r\n", b"bob posthaste\r\n", b"b SELECT INBOX\r\n",
             b"c IDLE\r\n", b"DONE\r\n", b"d APPEND INBOX {3}\r\n",
             b"x\r\n"],
            [b"a STARTTLS\r\n", b"\x16\x03\x01\x02\x00\x01"]):
        broken_off_anywhere(s.ports["imap"], script)
    c = s.imap()
    assert c.ok("STATUS INBOX (MESSAGES)") == [b"* STATUS INBOX (MESSAGES 0)"]
    c.logout()
    assert set(before[0]) <= set(s.processes("imapd"))
    assert before[1][0] in s.processes("imapd-session")


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(x.split(":\t", 1) for x in f.read().splitlines()
                    if ":\t" in x)


def test_rights(suite):
    s = suite(main=OPEN)
    c = s.imap()
    parent, child = s.processes("imapd-session")
    of = status(child)
    assert set(of["Uid"].split()) == {str(s.uid)}
    assert of["CapEff"].strip("0") == "" and of["NoNewPrivs"] == "1"
    if os.geteuid() == 0:
        assert os.readlink(f"/proc/{child}/root") == str(s.maildir("bob"))
        assert set(of["Gid"].split()) == {str(s.gid)}
    # the next login finds the same process
    d = s.imap()
    assert s.processes("imapd-session") == [parent, child]
    e = s.imap("alice")
    assert len(s.processes("imapd-session")) == 3
    for each in (c, d, e):
        each.logout()


def test_a_killed_process_takes_nobody_else_along(suite):
    s = suite(main=OPEN)
    bob, alice = s.imap(), s.imap("alice")
    child = s.processes("imapd-session")[1]
    os.kill(child, 9)
    bob.closed()
    s.wait_log(r"process imapd-session pid \d+ of user=<bob@example.test> "
               "killed by signal 9")
    alice.ok("NOOP")
    s.imap().logout()


def test_the_suite_stops(suite):
    s = suite(main=OPEN)
    c, d, e = s.imap(), s.imap("alice", tls="implicit"), s.imap(user=None)
    s.stop()
    for each in (c, d, e):
        assert each.closed()[-1].startswith(b"* BYE ")


def test_reload_keeps_sessions(suite):
    s = suite(main=OPEN)
    c, d = s.imap(), s.imap("alice", tls="implicit")
    s.posthaste("reload")
    e = s.imap("carol")
    for each in (c, d, e):
        each.ok("NOOP")
        each.logout()


@pytest.mark.parametrize("tls", [None, "implicit"])
def test_no_session_for_an_account(suite, tls):
    """The password is right, and yet there is no mailbox to be had."""
    s = suite(main=OPEN, start=False)
    with open(s.root / "etc/accounts", "a") as f:
        f.write("dave@example.test:{PLAIN}posthaste:::::"
                f"userdb_mail=maildir:{s.root}/mail/dave\n")
    s.start()
    c = s.imap(user=None, tls=tls)
    assert c.no("LOGIN dave posthaste").startswith(b"[UNAVAILABLE] ")
    assert c.closed() == [b"* BYE Try again later"]
    s.wait_log("no session for client=127.0.0.1, session=")
    s.imap().logout()
