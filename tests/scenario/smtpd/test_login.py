# SPDX-License-Identifier: ISC
"""AUTH: only where it may be, one identity, nobody else disturbed."""
import base64
import contextlib
import itertools
import os
import re

import pytest

from peers import Dialogue, Server
from posthaste import PASSWORD, is_not_felt, kill_all, wait_for


def b64(text):
    return base64.b64encode(text.encode()).decode()


GOOD = b64(f"\0alice@example.test\0{PASSWORD}")
WRONG = b64("\0alice@example.test\0wrong")


def submission(s, tls=True):
    d = Dialogue(s.ports["submission"])
    d.script("S: 220\nC: EHLO client.test\nS: 250")
    if tls:
        assert d.ask("STARTTLS").startswith("220")
        d.begin_tls()
        d.hello = d.ask("EHLO client.test")
    return d


def test_offered_only_inside_tls(suite):
    s = suite(main="smtpd_sasl_auth_enable = yes\n")
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        assert "AUTH" not in d.ask("EHLO client.test")
        assert d.ask(f"AUTH PLAIN {GOOD}").startswith("538 5.7.11")
        assert d.ask("STARTTLS").startswith("220")
        d.begin_tls()
        hello = d.ask("EHLO client.test")
        assert "PLAIN" in hello and "LOGIN" in hello
        assert d.ask(f"AUTH PLAIN {GOOD}").startswith("235 2.7.0")


def test_offered_in_the_clear_when_told_so(suite):
    s = suite(main="smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = no\n")
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        assert "AUTH" in d.ask("EHLO client.test")
        assert d.ask(f"AUTH PLAIN {GOOD}").startswith("235 2.7.0")
        # and forgotten with everything else when TLS begins
        assert d.ask("STARTTLS").startswith("220")
        d.begin_tls()
        d.ask("EHLO client.test")
        assert d.ask(f"AUTH PLAIN {GOOD}").startswith("235 2.7.0")


def test_mechanisms_must_be_good_enough(suite):
    """smtpd_sasl_security_options outside of TLS, that for TLS within."""
    s = suite(main="smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = no\n"
                   "auth_mechanisms = plain login\n"
                   "smtpd_sasl_security_options = noanonymous, noplaintext\n"
                   "smtpd_sasl_tls_security_options = noanonymous\n")
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        assert "AUTH" not in d.ask("EHLO client.test")
        assert d.ask(f"AUTH PLAIN {GOOD}").startswith(
            "535 5.7.8 Error: authentication failed: Invalid authentication "
            "mechanism")
        assert d.ask("STARTTLS").startswith("220")
        d.begin_tls()
        assert "AUTH PLAIN LOGIN" in d.ask("EHLO client.test").upper()
        assert d.ask(f"AUTH PLAIN {GOOD}").startswith("235 2.7.0")


def test_plain_and_login(suite):
    s = suite()
    with submission(s) as d:
        assert d.ask("AUTH LOGIN").startswith("334 ")
        assert d.ask(b64("alice@example.test")).startswith("334 ")
        assert d.ask(b64(PASSWORD)).startswith("235 2.7.0")
        assert d.ask("AUTH PLAIN").startswith(
            "503 5.5.1 Error: already authenticated")
    with submission(s) as d:
        assert d.ask("AUTH PLAIN").startswith("334 ")
        assert d.ask(GOOD).startswith("235 2.7.0")
        d.ask("MAIL FROM:<alice@example.test>")
        assert d.ask("RCPT TO:<bob@example.test>").startswith("250")
    s.wait_log(r"client=localhost\[127\.0\.0\.1\], sasl_method=PLAIN, "
               r"sasl_username=alice@example\.test")


def test_failures_and_cancels_then_success(suite):
    s = suite()
    with submission(s) as d:
        assert d.ask("AUTH LOGIN").startswith("334")
        assert d.ask("*").startswith("501 5.7.0 Authentication aborted")
        assert d.ask(f"AUTH PLAIN {WRONG}").startswith(
            "535 5.7.8 Error: authentication failed:")
        assert d.ask("AUTH PLAIN").startswith("334")
        assert d.ask("!!!").startswith("501 5.5.2")
        assert d.ask("AUTH NTLM").startswith("535 5.7.8")
        assert d.ask("AUTH LOGIN").startswith("334")
        assert d.ask(b64("bob@example.test")).startswith("334")
        assert d.ask("*").startswith("501")
        d.ask("MAIL FROM:<alice@example.test>")
        assert d.ask("RCPT TO:<bob@example.test>").startswith("554 5.7.1")
        d.ask("RSET")
        assert d.ask(f"AUTH PLAIN {GOOD}").startswith("235")
        d.ask("MAIL FROM:<alice@example.test>")
        assert d.ask("RCPT TO:<bob@example.test>").startswith("250")
    s.wait_log(r"warning: localhost\[127\.0\.0\.1\]: SASL PLAIN "
               r"authentication failed: ")
    s.wait_log("sasl_username=alice@example.test")
    assert GOOD not in s.log() and WRONG not in s.log()


def test_over_long_answers_end_the_session(suite):
    s = suite()
    with submission(s) as d:
        assert d.ask("AUTH PLAIN").startswith("334")
        d.send("A" * 12289 + "\r\n")
        assert d.reply().startswith("500 5.5.2 Error: line too long")
    s.wait_log("smtpd_sasl_response_limit")


def test_disconnect_inside_the_exchange(suite):
    s = suite()
    submission(s).close()
    before = s.processes("smtpd"), s.processes("auth")
    for cut in range(len(b"AUTH PLAIN\r\n")):
        with submission(s) as d:
            d.send("AUTH PLAIN\r\n"[:cut])
    for cut in range(len(GOOD) + 2):
        with submission(s) as d:
            assert d.ask("AUTH PLAIN") == "334 "
            d.send(f"{GOOD}\r\n"[:cut])
    with submission(s) as d:
        assert d.ask(f"AUTH PLAIN {GOOD}").startswith("235")
    assert all(set(b) <= set(s.processes(name))
               for b, name in zip(before, ("smtpd", "auth")))


def test_garbage_of_one_client_is_not_felt_by_another(suite):
    s = suite()

    def garbage():
        with submission(s) as d:
            d.ask("AUTH PLAIN =")
            d.ask("AUTH LOGIN \x01")
            d.ask("AUTH PLAIN " + "A" * 500)

    def login():
        with submission(s) as d:
            assert d.ask(f"AUTH PLAIN {GOOD}").startswith("235")
    is_not_felt(login, garbage)


def test_a_refusal_tells_nothing(suite):
    """The right password of a closed account sounds like a wrong one."""
    s = suite()
    accounts = s.root / "etc/accounts"
    text = accounts.read_text().splitlines()
    accounts.write_text("".join(
        line + (" nologin\n" if line.startswith("alice@") else "\n")
        for line in text))
    # a changed table is taken up within a second
    replies = {}

    def refused():
        with submission(s) as d:
            replies["closed"] = d.ask(f"AUTH PLAIN {GOOD}")
        return replies["closed"].startswith("535")

    wait_for("the account to be closed", refused)
    s.wait_log("authentication failed: account has nologin")
    nobody = b64(f"\0nobody@example.test\0{PASSWORD}")
    for secret in (WRONG, nobody):
        with submission(s) as d:
            assert d.ask(f"AUTH PLAIN {secret}") == replies["closed"]


def test_site_that_had_dovecot_for_this(suite):
    """smtpd_sasl_type = dovecot: auth answers in its stead, for the accounts
    of the suite; the report says so."""
    s = suite(main="smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\n"
                   "smtpd_sasl_path = private/auth\n"
                   "smtpd_recipient_restrictions = permit_sasl_authenticated, "
                   "reject\n")
    with submission(s) as d:
        assert "PLAIN" in d.hello
        assert d.ask(f"AUTH PLAIN {WRONG}").startswith("535 5.7.8")
        assert d.ask(f"AUTH PLAIN {GOOD}").startswith("235 2.7.0")
        assert d.ask("MAIL FROM:<alice@example.test>").startswith("250")
        assert d.ask("RCPT TO:<bob@example.test>").startswith("250")
        assert d.ask("DATA").startswith("354")
        assert d.ask("Subject: x\r\n\r\nx\r\n.").startswith("250")
    s.wait_messages("bob")
    report = s.posthaste("check", "--report").out
    for name in ("smtpd_sasl_type", "smtpd_sasl_path"):
        assert re.search(rf"(?m)^main.cf:\d+: mapped: {name}: .*auth", report)


def descriptors(s):
    """Of each program that has to do with logins, the most of a process."""
    return {name: max((len(os.listdir(f"/proc/{pid}/fd"))
                       for pid in s.processes(name)), default=0)
            for name in ("smtpd", "auth", "master")}


PATIENT = ("smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = no\n"
           "auth_failure_delay_max = 0\nsmtpd_soft_error_limit = 10000\n"
           "smtpd_hard_error_limit = 10000\n")
FAILURES = 150  # of each kind; half as many descriptors would be seen


def greeted(s):
    d = Dialogue(s.ports["smtp"])
    d.reply()
    d.ask("EHLO client.test")
    return d


def login_works(s):
    with greeted(s) as d:
        wait_for("auth", lambda: d.ask(f"AUTH PLAIN {GOOD}")[:3] == "235")


def leaves_nothing(s, fail):
    """fail() has failed FAILURES times."""
    fail()
    login_works(s)
    before = descriptors(s)
    fail()
    login_works(s)
    wait_for(f"descriptors as before: {before}", lambda: all(
        count < before[name] + FAILURES // 2
        for name, count in descriptors(s).items()), 30)


def test_failures_leave_no_descriptors(suite):
    """Neither wrong passwords, nor aborted ones, nor auth's death amid them."""
    s = suite(main=PATIENT)

    def fail():
        for _ in range(FAILURES):
            with greeted(s) as d:
                assert d.ask(f"AUTH PLAIN {WRONG}").startswith("535")
                assert d.ask("AUTH LOGIN").startswith("334")
                assert d.ask("*").startswith("501")
                assert d.ask("AUTH LOGIN").startswith("334")
        clients = [greeted(s) for _ in range(FAILURES)]
        for d in clients:
            assert d.ask("AUTH LOGIN").startswith("334")
        kill_all(s.processes("auth"))
        for d in clients:
            assert d.ask(b64("bob")).startswith("454")
            d.close()

    leaves_nothing(s, fail)


# what is no answer of auth: the frame's length, its name, what it holds
NO_ANSWERS = [b"\xff" * 4, b"\0\0\0\1\0", b"\0\0\0\2\5h", b"HTTP/1.1 200 OK\r\n\r\n",
              b"\0\0\0\6\5hello", b"\0\0\0\x0b\5hello\1x\0\xff\xff",
              b"\0\0\0\x0e\rauthenticated"]


@pytest.mark.parametrize("answers", [None, NO_ANSWERS],
                         ids=["nobody", "nonsense"])
def test_auth_that_cannot_be_had_leaves_no_descriptors(suite, answers):
    """Each connect fails; or somebody else says what is no answer."""
    s = suite(main=PATIENT)
    login_works(s)
    door = s.root / "spool/private/auth"
    away = door.with_name("away")

    def answer(connection, turn=itertools.count()):
        connection.sendall(answers[next(turn) % len(answers)])
        while connection.recv(4096):
            pass

    def fail():
        door.rename(away)
        kill_all(s.processes("auth"))  # and what smtpd has kept of it
        with contextlib.ExitStack() as stack:
            if answers:
                stack.enter_context(Server(answer, path=door))
            with greeted(s) as d:
                for _ in range(FAILURES):
                    assert d.ask(f"AUTH PLAIN {GOOD}").startswith("454")
            for _ in range(FAILURES):
                with greeted(s) as d:
                    assert d.ask(f"AUTH PLAIN {GOOD}").startswith("454")
        away.rename(door)

    leaves_nothing(s, fail)
