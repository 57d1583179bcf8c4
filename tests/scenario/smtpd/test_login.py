# SPDX-License-Identifier: ISC
"""AUTH: only where it may be, one identity, nobody else disturbed."""
import base64
import os
import re
import threading

from peers import Dialogue
from posthaste import PASSWORD, kill_all, wait_for


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
    for cut in range(45):
        with submission(s) as d:
            d.send((f"AUTH PLAIN\r\n{GOOD}\r\n")[:cut])
    with submission(s) as d:
        assert d.ask(f"AUTH PLAIN {GOOD}").startswith("235")


def test_garbage_of_one_client_is_not_felt_by_another(suite):
    s = suite()
    stop = threading.Event()

    def garbage():
        while not stop.is_set():
            with submission(s) as d:
                d.ask("AUTH PLAIN =")
                d.ask("AUTH LOGIN \x01")
                d.ask("AUTH PLAIN " + "A" * 500)
    other = threading.Thread(target=garbage)
    other.start()
    try:
        for _ in range(10):
            with submission(s) as d:
                assert d.ask(f"AUTH PLAIN {GOOD}").startswith("235")
    finally:
        stop.set()
        other.join()


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
            for name in ("smtpd", "auth")}


def test_failures_leave_no_descriptors(suite):
    """Neither wrong passwords, nor aborted ones, nor auth's death."""
    s = suite(main="smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = no\n"
              "auth_failure_delay_max = 0\nsmtpd_soft_error_limit = 1000\n"
              "smtpd_hard_error_limit = 1000\n")

    def fail(count):
        for _ in range(count):
            with Dialogue(s.ports["smtp"]) as d:
                d.reply()
                d.ask("EHLO client.test")
                assert d.ask(f"AUTH PLAIN {WRONG}").startswith("535")
                assert d.ask("AUTH LOGIN").startswith("334")
                assert d.ask("*").startswith("501")
                assert d.ask("AUTH LOGIN").startswith("334")
        for _ in range(3):
            with Dialogue(s.ports["smtp"]) as d:
                d.reply()
                d.ask("EHLO client.test")
                kill_all(s.processes("auth"))
                assert d.ask(f"AUTH PLAIN {WRONG}")[:3] in ("454", "535")
        with Dialogue(s.ports["smtp"]) as d:
            d.reply()
            d.ask("EHLO client.test")
            wait_for("auth", lambda: d.ask(f"AUTH PLAIN {GOOD}")[:3] == "235")

    fail(10)
    before = descriptors(s)
    fail(100)
    for name, count in descriptors(s).items():
        assert count < before[name] + 20, (name, before[name], count)
