# SPDX-License-Identifier: ISC
"""OAUTHBEARER and XOAUTH2, with a program that knows tokens."""
import base64
import imaplib
import json
import shutil
import subprocess
import time

import pytest
from ipc_client import Ipc
from posthaste import AS_ROOT, PASSWORD, ROOT, wait_for

LATER, NEVER, OK = 1, 2, 0

CHECKER = """#!/usr/bin/python3
import os, signal, sys, time
asked = dict(line.rstrip("\\n").split("=", 1) for line in sys.stdin)
with open("{root}/asked", "a") as f:
    print(asked["protocol"], asked["client"], asked["user"] or "-", asked["token"],
          os.getuid(), len({{*os.environ}} - {{"LC_CTYPE"}}), len(sys.argv), file=f)
token = asked["token"].split(".")[0]
if token == "slow":
    time.sleep(60)
elif token == "noise":
    print("user=bob@example.test\\n" * 100000)
elif token == "fails":
    print("user=bob@example.test")
    sys.exit("cannot reach the server")
elif token == "silent":
    pass
elif token == "cut":
    sys.stdout.write("user=bob@example.test")
elif token == "doubled":
    print("user=bob@example.test\\nuser=alice@example.test")
elif token == "kills":
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
elif token == "leaves":
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    print("user=bob@example.test")
elif token == "escapes":
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)
    os.wait()
    print("user=bob@example.test")
elif token == "expired":
    print("user=bob@example.test\\nexpires=1700000000")
elif token == "soon":
    print("user=bob@example.test\\nexpires=%d" % (time.time() + 5))
elif token in ("bob", "alice", "nobody", "support"):
    print("user=%s@example.test\\nexpires=%d" % (token, time.time() + 900))
elif token == "odd":
    print("user=../bob")
else:
    print("error=invalid_token\\nreason=revoked yesterday")
"""
SETTINGS = ("auth_mechanisms = plain login oauthbearer xoauth2\n"
            "auth_token_scope = mail\n"
            "auth_token_configuration = https://id.example.test/oidc\n"
            "auth_token_timeout = 20s\n")
SLOW = SETTINGS + "auth_token_timeout = 5s\n"
SLOWER = SETTINGS + "auth_token_timeout = 12s\n"


@pytest.fixture
def tokens(suite):
    def make(main=SETTINGS):
        s = suite(start=False)
        path = s.write("checker", CHECKER.format(root=s.root))
        path.chmod(0o755)
        (s.root / "asked").touch()
        (s.root / "asked").chmod(0o666)
        s.set(auth_token_checker=path)
        with open(s.root / "etc/main.cf", "a") as f:
            f.write(main)
        return s.start()
    return make


def asked(s):
    return (s.root / "asked").read_text().splitlines()


def bearer(token, user="bob@example.test"):
    a = f"a={user}" if user else ""
    return (f"n,{a},\1host=mx.example.test\1port=143\1"
            f"auth=Bearer {token}\1\1").encode()


def xoauth2(token, user="bob@example.test"):
    return f"user={user}\1auth=Bearer {token}\1\1".encode()


def imap(s):
    return imaplib.IMAP4_SSL("127.0.0.1", s.ports["imaps"],
                             ssl_context=s.tls())


def begin(c, message, mechanism="OAUTHBEARER", service="imap", tls=True,
          client="192.0.2.7"):
    return c.ask("authenticate", service=service, mechanism=mechanism,
                 client=client, server="mx.example.test", tls=tls,
                 has_initial=True, initial=message, binding=b"")


def test_imap_by_hand(tokens):
    s = tokens()
    with imap(s) as c:
        assert {"AUTH=OAUTHBEARER", "AUTH=XOAUTH2"} <= set(c.capabilities)
        c.authenticate("OAUTHBEARER", lambda challenge: bearer("bob"))
        assert c.select("INBOX")[0] == "OK"
    with imap(s) as c:
        c.authenticate("XOAUTH2", lambda challenge: xoauth2("bob", "bob"))
    with imap(s) as c:
        # no name: it is whose the token is
        c.authenticate("OAUTHBEARER", lambda challenge: bearer("alice", ""))
    for user, method in (("bob", "OAUTHBEARER"), ("bob", "XOAUTH2"),
                         ("alice", "OAUTHBEARER")):
        s.wait_log(rf"login user=<{user}@example.test>, client=127.0.0.1, "
                   rf"method={method}, tls=TLS")
    uid = "posthaste-token" if AS_ROOT else None
    if uid:
        import pwd
        for line in asked(s):
            # its own user; the environment is PATH, and the token not in argv
            assert line.split()[4] == str(pwd.getpwnam(uid).pw_uid)
    assert all(line.split()[5:] == ["1", "1"] for line in asked(s)), asked(s)


def test_refusal_is_told_in_json(tokens):
    s = tokens()
    said = []

    def answer(token, reply):
        def words(challenge):
            said.append(challenge)
            return bearer(token) if len(said) == 1 else reply
        return words
    for token, status in (("revoked", "invalid_token"),
                          ("b@d", "invalid_request")):
        del said[:]
        with imap(s) as c:
            with pytest.raises(imaplib.IMAP4.error,
                               match="AUTHENTICATIONFAILED"):
                c.authenticate("OAUTHBEARER", answer(token, b"\1"))
        assert json.loads(said[1]) == {
            "status": status, "scope": "mail",
            "openid-configuration": "https://id.example.test/oidc"}
    s.wait_log("SASL OAUTHBEARER authentication failed: revoked yesterday, "
               "sasl_username=bob@example.test")
    # a name and a password, behind that, on the same connection
    with imap(s) as c:
        del said[:]
        with pytest.raises(imaplib.IMAP4.error):
            c.authenticate("OAUTHBEARER", answer("revoked", b"\1"))
        c.login("bob", PASSWORD)


def test_smtp_and_pop3(tokens):
    s = tokens()
    with s.smtp("smtps") as c:
        c.ehlo()
        assert {"OAUTHBEARER", "XOAUTH2"} <= set(
            c.esmtp_features["auth"].split())
        text = base64.b64encode(xoauth2("bob")).decode()
        assert c.docmd("AUTH", "XOAUTH2 " + text)[0] == 235
    with s.smtp("smtps") as c:
        c.ehlo()
        # not in the command's line, and refused
        code, words = c.docmd("AUTH", "XOAUTH2")
        assert code == 334 and words == b""
        code, words = c.docmd(base64.b64encode(xoauth2("no")).decode())
        assert code == 334 and json.loads(base64.b64decode(words)) == {
            "status": "401", "schemes": "Bearer", "scope": "mail"}
        assert c.docmd("")[0] == 535
        # a long one, in one line
        token = "bob." + "x" * 8000
        text = base64.b64encode(bearer(token)).decode()
        code, words = c.docmd("AUTH", "OAUTHBEARER " + text)
        assert code == 235, words
    p = s.pop3(user=None)
    assert "OAUTHBEARER" in p.capa()["SASL"]
    p._shortcmd("AUTH XOAUTH2 " + base64.b64encode(xoauth2("bob")).decode())
    assert p.stat() == (0, 0)
    p.quit()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
@pytest.mark.parametrize("url", ["imaps", "pop3s", "smtps"])
@pytest.mark.parametrize("options", [[], ["--login-options",
                                         "AUTH=XOAUTH2"]])
def test_curl(tokens, url, options):
    s = tokens()
    s.send(subject="by token")
    s.wait_messages("bob")
    letter = s.root / "letter"
    letter.write_text("Subject: sent\r\n\r\nx\r\n")
    what = {"imaps": ["/INBOX;MAILINDEX=1"], "pop3s": ["/1"],
            "smtps": ["", "--mail-from", "bob@example.test", "--mail-rcpt",
                      "alice@example.test", "--upload-file", letter]}[url]

    def run(token):
        return subprocess.run(
            ["curl", "-sS", "--cacert", s.root / "etc/cert.pem", "--user",
             "bob@example.test", "--oauth2-bearer", token, *options,
             f"{url}://localhost:{s.ports[url]}{what[0]}", *what[1:],
             "-4"], capture_output=True, timeout=120)
    done = run("bob")
    assert done.returncode == 0, done.stderr
    if url == "smtps":
        s.wait_messages("alice")
    else:
        assert b"by token" in done.stdout
    assert run("revoked").returncode == 67  # login denied


@pytest.mark.parametrize("token", ["slow", "noise", "fails", "silent", "cut",
                                   "doubled", "kills"])
def test_a_checker_that_cannot_tell_is_try_again(tokens, token):
    s = tokens(SLOW)
    with imap(s) as c:
        with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
            c.authenticate("OAUTHBEARER", lambda challenge: bearer(token))
        # and it is there again
        c.authenticate("OAUTHBEARER", lambda challenge: bearer("bob"))
    if token == "fails":
        s.wait_log("auth-token.*checker: has failed: cannot reach the server")
    if token == "slow":
        s.wait_log("auth-token.*takes longer than auth_token_timeout")


@pytest.mark.parametrize("token", ["leaves", "escapes"])
def test_what_it_leaves_running_is_ended(tokens, token):
    s = tokens()
    c = Ipc(s, "auth", "auth")
    # a question that takes too long is no answer: it did not wait for them
    assert begin(c, bearer(token))[1]["verdict"] == OK

    def left():
        done = subprocess.run(["pgrep", "-f", str(s.root / "etc/checker")],
                              capture_output=True)
        return done.stdout.split()
    wait_for("its children to end", lambda: not left())


def test_passwords_do_not_wait_for_tokens(tokens):
    s = tokens(SLOWER)
    slow = [Ipc(s, "auth", "auth") for _ in range(4)]
    for i, c in enumerate(slow):
        c.send("authenticate", service="imap", mechanism="OAUTHBEARER",
               client="192.0.2.7", server="mx", tls=True, has_initial=True,
               initial=bearer(f"slow.{i}"), binding=b"")
    wait_for("the questions", lambda: len(asked(s)) >= 1)
    c = Ipc(s, "auth", "auth")
    _, got = begin(c, f"\0bob\0{PASSWORD}".encode(), "PLAIN")
    assert got["verdict"] == OK
    assert not any(c.answered() for c in slow)
    for c in slow:
        name, got = c.receive()
        assert name == "authenticated" and got["verdict"] == LATER


def test_so_many_questions_at_a_time(tokens):
    s = tokens(SLOWER + "auth_token_concurrency = 2\n")
    clients = [Ipc(s, "auth", "auth") for _ in range(3)]
    for i, c in enumerate(clients[:2]):
        c.send("authenticate", service="imap", mechanism="OAUTHBEARER",
               client=f"192.0.2.{i}", server="mx", tls=True, has_initial=True,
               initial=bearer(f"slow.{i}"), binding=b"")
    wait_for("the questions", lambda: len(asked(s)) == 2)
    for _ in range(3):
        got = begin(clients[2], bearer("bob"))[1]
        # which is not the client's failure
        assert got["verdict"] == LATER and got["delay_ms"] == 0
    assert not any(c.answered() for c in clients[:2])
    s.wait_log("2 questions about tokens at a time: see auth_token_concurr")
    # one who goes away makes no room before its question is answered
    clients[0].socket.close()
    assert begin(clients[2], bearer("bob"))[1]["verdict"] == LATER
    wait_for("room", lambda: begin(
        clients[2], bearer("bob"))[1]["verdict"] == OK)
    assert clients[1].receive()[1]["verdict"] == LATER
    s.wait_log(r"unknown\[192.0.2.0\]: SASL authentication failed: no answer "
               "about the token, sasl_username=bob@example.test, and the")


def test_one_address_leaves_room_for_others(tokens):
    s = tokens(SLOWER + "auth_token_concurrency = 8\n")
    clients = [Ipc(s, "auth", "auth") for _ in range(4)]
    for i, c in enumerate(clients):
        c.send("authenticate", service="imap", mechanism="OAUTHBEARER",
               client=f"2001:db8::{i + 1}", server="mx", tls=True,
               has_initial=True, initial=bearer(f"slow.{i}"), binding=b"")
    # two of them, in whatever order they were read
    wait_for("refusals", lambda: sum(c.answered() for c in clients) >= 2)
    refused = [c for c in clients if c.answered()]
    waiting = [c for c in clients if c not in refused]
    assert len(refused) == 2
    for c in refused:
        _, got = c.receive()
        assert got["verdict"] == LATER and got["delay_ms"] == 0
    c = Ipc(s, "auth", "auth")
    assert begin(c, bearer("bob"))[1]["verdict"] == OK
    for c in waiting:
        _, got = c.receive()
        assert got["verdict"] == LATER and got["delay_ms"] > 0
    s.wait_log("2 questions about tokens from 2001:db8:: at a time")


def test_good_ones_are_remembered_for_what_they_were_good_for(tokens):
    s = tokens()
    c = Ipc(s, "auth", "auth")

    def ask(token="bob", user="bob", **options):
        before = len(asked(s))
        name, got = begin(c, bearer(token, user), **options)
        if name == "challenge":
            name, got = c.ask("response", data=b"\1", cancel=False)
        return got["verdict"], got["user"], len(asked(s)) - before
    assert ask() == (OK, "bob@example.test", 1)
    assert ask() == (OK, "bob@example.test", 0)
    # anything else is another question
    assert ask(service="pop3") == (OK, "bob@example.test", 1)
    assert ask(client="192.0.2.8") == (OK, "bob@example.test", 1)
    assert ask(user="")[2] == 1
    assert ask(user="alice") == (NEVER, "alice@example.test", 1)
    assert ask(token="bob.2")[2] == 1
    # two users, in turn
    assert ask("alice", "alice") == (OK, "alice@example.test", 1)
    assert ask()[:2] == (OK, "bob@example.test")
    assert ask("alice", "alice")[:2] == (OK, "alice@example.test")
    # a refusal is not
    assert ask("no")[2] == 1
    assert ask("no")[2] == 1
    # and none beyond its end
    assert ask("soon") == (OK, "bob@example.test", 1)
    time.sleep(5.1)  # its end
    assert ask("soon")[2] == 1
    assert ask("expired")[0] == NEVER


@pytest.mark.parametrize("message", [
    bearer("alice"),  # somebody else's
    bearer("nobody", "nobody@example.test"),  # no account
    bearer("odd"), bearer("expired"),
    b"", b"\1", bearer("bob")[:-1], bearer("bob") + b"\1",
    b"p=x" + bearer("bob")[1:], bearer("b\0b"), bearer("bob\nuser=x"),
    bearer("x" * 8193), bearer("bob", "../x"),
])
def test_refused(tokens, message):
    s = tokens()
    c = Ipc(s, "auth", "auth")
    name, challenge = begin(c, message)
    assert name == "challenge"
    assert json.loads(challenge["data"])["status"] in (
        "invalid_token", "invalid_request")
    name, got = c.ask("response", data=b"\1", cancel=False)
    assert name == "authenticated" and got["verdict"] == NEVER
    assert got["ticket"] == "" and got["delay_ms"] == 500
    # the connection is as good as new
    assert begin(c, bearer("bob"))[1]["verdict"] == OK


def test_going_away_does_not_undo_a_failure(tokens):
    s = tokens()
    for i in range(3):
        c = Ipc(s, "auth", "auth")
        assert begin(c, bearer(f"guess{i}"))[0] == "challenge"
        c.socket.close()
    wait_for("log lines", lambda: s.log().count(
        "SASL authentication failed: revoked yesterday, "
        "sasl_username=bob@example.test, and the client went away") == 3)
    c = Ipc(s, "auth", "auth")
    begin(c, bearer("guess"))
    _, got = c.ask("response", data=b"", cancel=True)
    assert got["verdict"] == NEVER and got["delay_ms"] == 4000


def test_masters(tokens):
    s = tokens()
    path = s.write("masters", "support@example.test:*\n")
    path.chmod(0o600)
    if AS_ROOT:
        shutil.chown(path, "posthaste-auth")
    s.set(account_master_files=path)
    s.posthaste("reload")

    def taken():
        try:
            with imap(s) as c:
                c.authenticate("OAUTHBEARER", lambda _: bearer("support"))
            return True
        except imaplib.IMAP4.error:
            return False
    wait_for("the masters to count", taken)
    s.wait_log("login user=<bob@example.test>, master=<support@example.test>")
    c = Ipc(s, "auth", "auth")
    assert begin(c, bearer("support"), service="smtp")[0] == "challenge"


@pytest.mark.parametrize("main", [
    SETTINGS + "auth_token_checker =\nauth_mechanisms = plain\n",
    SETTINGS + "auth_mechanisms = plain login\n"])
def test_not_offered_without_both_settings(tokens, main):
    s = tokens(main)
    with imap(s) as c:
        assert not {x for x in c.capabilities if "OAUTH" in x}
        with pytest.raises(imaplib.IMAP4.error):
            c.authenticate("OAUTHBEARER", lambda challenge: bearer("bob"))
    assert begin(Ipc(s, "auth", "auth"), bearer("bob"))[1]["verdict"] == NEVER
    assert asked(s) == []


def test_only_over_tls(tokens):
    s = tokens(SETTINGS + "smtpd_tls_auth_only = no\n"
               "smtpd_sasl_auth_enable = yes\n")
    with s.smtp() as c:
        c.ehlo()
        offered = set(c.esmtp_features["auth"].split())
        assert "PLAIN" in offered and "OAUTHBEARER" not in offered
        code, _ = c.docmd("AUTH", "OAUTHBEARER " + base64.b64encode(
            bearer("bob")).decode())
        assert code == 535
    got = begin(Ipc(s, "auth", "auth"), bearer("bob"), tls=False)[1]
    assert got["verdict"] == NEVER and got["text"] == "no such mechanism"
    assert asked(s) == []


def test_no_tokens_in_the_log(tokens):
    s = tokens()
    c = Ipc(s, "auth", "auth")
    for token in ("bob.Secret1", "no.Secret2", "fails.Secret3",
                  "noise.Secret4"):
        name, _ = begin(c, bearer(token))
        if name == "challenge":
            c.ask("response", data=b"\1", cancel=False)
    assert len(asked(s)) == 4
    assert "Secret" not in s.log()


def introspection_server(answers, seen):
    import http.server
    import threading

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers["Authorization"], body.decode()))
            token = dict(p.split("=") for p in body.decode().split("&"))[
                "token"]
            if token not in answers:
                self.send_error(500)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answers[token]).encode())

        def log_message(self, *_):
            pass
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_the_example_introspects(suite):
    good = {"active": True, "username": "bob@example.test", "scope": "a mail",
            "aud": ["mx", "x"], "exp": int(time.time()) + 900}
    seen = []
    server = introspection_server({
        "good": good, "ended": {"active": False},
        "scope": dict(good, scope="email"), "audience": dict(good, aud="y"),
        "whose": dict(good, username="bob\nuser=alice"),
        "nobody": dict(good, username=None)}, seen)
    try:
        s = suite(start=False, main="auth_mechanisms = plain oauthbearer\n")
        path = s.write("introspect", (
            f"url=http://127.0.0.1:{server.server_port}/\nclient_id=mail\n"
            "client_secret=a:b\nscope=mail\naudience=mx\n"))
        path.chmod(0o600)
        if AS_ROOT:
            shutil.chown(path, "posthaste-token")
        program = ROOT / "share/posthaste/introspect-token"
        # the build's folder may be closed to others
        shutil.copy(program, s.root / "etc/introspect-token")
        s.set(auth_token_checker=f"{s.root}/etc/introspect-token {path}")
        s.start()
        c = Ipc(s, "auth", "auth")
        assert begin(c, bearer("good"))[1]["verdict"] == OK
        assert begin(c, bearer("outage"))[1]["verdict"] == LATER
        for token, status in (("ended", "invalid_token"),
                              ("scope", "insufficient_scope"),
                              ("audience", "invalid_token"),
                              ("whose", "invalid_token"),
                              ("nobody", "invalid_token")):
            name, got = begin(c, bearer(token))
            assert name == "challenge", token
            assert json.loads(got["data"])["status"] == status, token
            c.ask("response", data=b"\1", cancel=False)
        assert seen[0] == (
            "Basic " + base64.b64encode(b"mail:a%3Ab").decode(),
            "token=good&token_type_hint=access_token")
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("lines, words", [
    ("auth_mechanisms = oauthbearer",
     "auth_mechanisms: oauthbearer: needs auth_token_checker"),
    ("auth_token_checker = /nonexistent/checker\n",
     "auth_token_checker: /nonexistent/checker: No such file"),
    ("auth_token_checker = checker",
     "auth_token_checker: checker: not an absolute file name"),
    ("auth_token_checker = /etc/passwd", "not executable"),
    ("auth_token_checker = /tmp", "not a regular file"),
    ("auth_token_checker = /bin/cat\ntoken_user = posthaste-nobody",
     "token_user: there is no user"),
])
def test_mistakes_are_named(suite, lines, words):
    if "token_user" in lines and not AS_ROOT:
        pytest.skip("without root there are no users")
    s = suite(start=False, main=lines + "\n")
    done = s.posthaste("check", check=False)
    assert done.returncode != 0 and words in done.err, done.err


def test_checker_that_others_can_write(suite):
    s = suite(start=False)
    path = s.write("checker", "#!/bin/sh\n")
    path.chmod(0o777)
    s.set(auth_token_checker=path, auth_mechanisms="plain xoauth2")
    done = s.posthaste("check", check=False)
    assert done.returncode != 0 and "everybody can write it" in done.err
    path.chmod(0o755)
    s.set(auth_mechanisms="plain")
    done = s.posthaste("check")
    assert "no mechanism uses it" in done.err
