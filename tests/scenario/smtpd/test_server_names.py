# SPDX-License-Identifier: ISC
"""Names that clients ask for by SNI, on every listener: none does harm, and
none that is unknown keeps a client out (CVE-2019-15846, CVE-2017-15130)."""
import subprocess

import pytest

NAMES = ["mx.example.test", "other.test", "a\\", "\\", "\\x00", "x" * 250,
         "..", "-", "%s%n", "../../etc/passwd", "*.example.test", "[::1]",
         "a b", "$(id)", "m\u00fcnchen.test", "a." * 100 + "test", "'\"",
         "127.0.0.1"]


@pytest.mark.parametrize("port, start", [
    ("smtp", ["-starttls", "smtp"]), ("smtps", []),
    ("pop3", ["-starttls", "pop3"]), ("pop3s", []),
    ("imap", ["-starttls", "imap"]), ("imaps", [])])
def test_any_name(suite, port, start):
    s = suite()
    programs = {name: s.processes(name) for name in
                ("smtpd", "pop3d", "imapd")}
    for name in NAMES:
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{s.ports[port]}",
             *start, "-servername", name, "-quiet", "-no_ign_eof"],
            input=b"QUIT\r\n", capture_output=True, timeout=120)
        # the handshake came to its end, with our certificate
        assert b"CN = mx.example.test" in done.stderr, (name, done.stderr)
        assert b"alert" not in done.stderr, (name, done.stderr)
    s.send()
    s.wait_messages("bob")
    s.pop3().quit()
    for name, pids in programs.items():
        # the same processes serve on
        assert set(pids) <= set(s.processes(name))
