# SPDX-License-Identifier: ISC
"""Programs that people use, against a running suite."""
import os
import shutil
import subprocess

import pytest

from terminal import mutt_reads

BODY = "Gr\u00fc\u00dfe from a real client\r\n.\r\n..two dots\r\nFrom here\r\n"


def run(command, stdin=None, env=None, cwd=None, timeout=120):
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([str(c) for c in command], input=stdin, cwd=cwd,
                          capture_output=True, timeout=timeout,
                          env=dict(os.environ, **(env or {})))
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout.decode("utf-8", "replace")


def text(subject):
    return (f"From: alice@example.test\r\nTo: bob@example.test\r\n"
            f"Subject: {subject}\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: 8bit\r\n\r\n{BODY}").encode()


def arrived(s, more=b""):
    (message,) = s.wait_messages("bob")
    assert message.removesuffix(more).endswith(BODY.encode()), message
    return message


def test_curl_sends_and_reads(suite, tmp_path):
    s = suite()
    (tmp_path / "m").write_bytes(text("curl"))
    ca = s.root / "etc/cert.pem"
    run(["curl", "-sS", "--ssl-reqd", "--cacert", ca, "--user",
         "alice@example.test:posthaste", "--mail-from", "alice@example.test",
         "--mail-rcpt", "bob@example.test", "--upload-file", tmp_path / "m",
         f"smtp://localhost:{s.ports['submission']}/client.test"])
    message = arrived(s)
    got = subprocess.run(
        ["curl", "-sS", "--ssl-reqd", "--cacert", ca, "--user",
         "bob@example.test:posthaste",
         f"pop3://localhost:{s.ports['pop3']}/1"],
        capture_output=True, check=True, timeout=120).stdout
    assert got == message
    listing = run(["curl", "-sS", "--cacert", ca, "--user",
                   "bob:posthaste", f"pop3s://localhost:{s.ports['pop3s']}/"])
    assert listing.split() == ["1", str(len(message))]


def test_swaks_speaks_tls_and_auth(suite):
    s = suite()
    out = run(["swaks", "--server", f"127.0.0.1:{s.ports['submission']}",
               "--from", "alice@example.test", "--to", "bob@example.test",
               "--tls", "--auth", "LOGIN", "--auth-user", "alice",
               "--auth-password", "posthaste", "--data", "-"],
              stdin=text("swaks"))
    assert "queued as" in out
    arrived(s, more=b"\r\n")  # swaks ends with an empty line


def test_msmtp_submits(suite, tmp_path):
    s = suite()
    rc = tmp_path / "msmtprc"
    rc.write_text(f"""account default
host localhost
port {s.ports['smtps']}
tls on
tls_starttls off
tls_trust_file {s.root}/etc/cert.pem
auth plain
user alice@example.test
password posthaste
from alice@example.test
""")
    rc.chmod(0o600)
    run(["msmtp", "-C", rc, "bob@example.test"],
        stdin=text("msmtp").replace(b"\r\n", b"\n"))
    arrived(s)


def test_fetchmail_takes_mail_to_another_instance(suite, tmp_path):
    s = suite()
    s.send(to="bob@example.test", body="for fetchmail\r\n")
    s.wait_messages("bob")
    out = tmp_path / "out"
    rc = tmp_path / "fetchmailrc"
    rc.write_text(
        f"poll 127.0.0.1 with proto POP3 port {s.ports['pop3s']} uidl "
        f"user \"bob@example.test\" password \"posthaste\" ssl "
        f"no sslcertck mda \"cat >>{out}\"\n")
    rc.chmod(0o600)
    done = subprocess.run(
        ["fetchmail", "-f", str(rc), "--nosyslog", "-v", "--pidfile",
         str(tmp_path / "pid"), "-i", str(tmp_path / "ids")],
        capture_output=True, timeout=120,
        env=dict(os.environ, FETCHMAILHOME=str(tmp_path), HOME=str(tmp_path)))
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert b"for fetchmail" in out.read_bytes()
    assert s.messages("bob") == []


def test_mutt_reads_over_pop(suite, tmp_path):
    s = suite()
    s.send(to="bob@example.test", subject="seen by mutt", body="words\r\n")
    s.wait_messages("bob")
    assert b"seen by mutt" in mutt_reads(s, tmp_path)


def test_sendmail_t_takes_recipients_from_the_header(suite):
    s = suite()
    s.command("sendmail", "-t", "-i", "-f", "alice@example.test",
              stdin="From: alice@example.test\nTo: bob@example.test\n"
                    "Bcc: carol@example.test\nSubject: t\n\nbody\n.\nmore\n")
    (bob,) = s.wait_messages("bob")
    (carol,) = s.wait_messages("carol")
    assert bob.endswith(b"body\r\n.\r\nmore\r\n")
    assert b"carol" not in bob.lower()
    assert b"Bcc" not in carol
