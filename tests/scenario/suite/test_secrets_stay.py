# SPDX-License-Identifier: ISC
"""Whatever strangers send: no answer to them, and no line of the log, has a
byte of what others said to the same processes (CVE-2016-9963)."""
import base64
import contextlib
import re
import socket

from posthaste import SOURCE

SEEDS = ("smtpd_session", "esmtp", "smtp_path", "smtp_content", "xtext",
         "pop3_command", "imap_read", "imap_set", "base64", "bearer",
         "attributes", "proxy_header", "folder_name", "search_key")
PASSWORD = "canary-password-of-carol"
RELAY = "canary-password-of-relay"
MAIL = "canary-in-a-message"
MAIN = ("disable_plaintext_auth = no\nauth_failure_delay_max = 0\n"
        "smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = no\n"
        "smtpd_forbid_unauth_pipelining = no\nsmtpd_error_sleep_time = 0\n"
        f"smtp_sasl_password_maps = static:me:{RELAY}\n"
        "smtp_sasl_auth_enable = yes\nimap_error_limit = 1000\n")


def inputs():
    """Seeds of the parsers, and beginnings of what was said before."""
    for stem in SEEDS:
        for path in sorted((SOURCE / "tests/fuzz/corpus" / stem).iterdir()):
            yield path.read_bytes()[:20000]
    for verb in (b"AUTH PLAIN ", b"a AUTHENTICATE PLAIN ", b"AUTH LOGIN\r\n",
                 b"a LOGIN carol ", b"PASS ", b"MAIL FROM:<", b"\0" * 300,
                 b"a LOGIN {100+}\r\n", b"a LOGIN carol {999999}\r\n"):
        yield verb
        yield verb + b"A" * 700 + b"\r\n"
        yield verb + b"\xff\0" * 50 + b"\r\n"


def say(port, data):
    """What is heard by one who sends this and goes."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port), 20) as c, \
            contextlib.suppress(OSError):
        c.sendall(data + b"\r\n")
        c.shutdown(socket.SHUT_WR)
        while more := c.recv(65536):
            heard += more
    return heard


def forms(secret):
    data = secret.encode()
    # at whichever place of three it stands
    return [data] + [base64.b64encode(b"\0" * n + data)[4 * bool(n):-4]
                     for n in range(3)]


def test_nothing_of_others_is_heard(suite):
    s = suite(start=False, main=MAIN)
    accounts = s.root / "etc/accounts"
    accounts.write_text(accounts.read_text().replace(
        "carol@example.test:{PLAIN}posthaste",
        f"carol@example.test:{{PLAIN}}{PASSWORD}"))
    s.start()
    key = re.findall(r"^\S{60,}$", (s.root / "etc/key.pem").read_text(), re.M)
    secrets = [f for t in (PASSWORD, RELAY, MAIL) for f in forms(t)]
    secrets += [line.encode() for line in key]
    for port in ("smtp", "submission", "pop3", "imap"):
        say(s.ports[port], b"")
    with s.smtp() as session:
        session.ehlo()
        session.login("carol@example.test", PASSWORD)
        s.send_on(session, "carol@example.test", ["bob@example.test"],
                  f"Subject: {MAIL}\r\n\r\n{MAIL}\r\n")
        s.wait_messages("bob")
        imap = s.imap(user=None)
        imap.ok(f"LOGIN carol {PASSWORD}")
        pop = s.pop3("carol@example.test", PASSWORD, tls=None)
        seen = 0
        for data in inputs():
            for port in ("smtp", "submission", "pop3", "imap"):
                heard = say(s.ports[port], data)
                seen += len(heard)
                found = [t for t in secrets if t in heard and t not in data]
                assert not found, (port, data[:60], found)
        assert seen > 10000
        pop.quit()
        imap.logout()
    log = s.log().encode()
    assert not [t for t in secrets if t in log]
