# SPDX-License-Identifier: ISC
"""A renewed certificate is taken up by itself, if it is good."""
import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from posthaste import kill_all, wait_for


def make(s, name):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "30", "-subj", "/CN=mx.example.test", "-keyout",
         s.root / f"etc/{name}.key", "-out", s.root / f"etc/{name}.pem"],
        check=True, capture_output=True)


def shown(s, port="pop3s"):
    """Digest of the certificate a client meets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", s.ports[port])) as raw:
        with context.wrap_socket(raw) as t:
            return hashlib.sha256(t.getpeercert(True)).hexdigest()


def digest(path):
    text = path.read_text()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(
        text[text.index("-----BEGIN CERT"):])).hexdigest()


def test_renewed_certificate(suite):
    s = suite(main="tls_renewal_check_time = 1s\n")
    etc = s.root / "etc"
    old = digest(etc / "cert.pem")
    assert shown(s) == old and shown(s, "smtps") == old
    session = s.pop3()
    # a certificate without its key changes nothing
    make(s, "new")
    shutil.copy(etc / "new.pem", etc / "cert.pem")
    s.wait_log("are not usable: the old ones stay in use")
    assert shown(s) == old
    # with its key it is taken up, and those who are in stay in
    os.replace(etc / "new.key", etc / "key.pem")
    s.wait_log("have changed: taken up")
    new = digest(etc / "new.pem")
    wait_for("the new certificate", lambda: shown(s) == new)
    wait_for("the new certificate", lambda: shown(s, "smtps") == new)
    assert session.noop().startswith(b"+OK")
    session.quit()
    time.sleep(0.1)
    assert shown(s) == new
    assert s.log().count("have changed: taken up") == 1


def test_mended_files_end_the_throttling(suite):
    """What cannot start meanwhile comes back with them, not a minute later."""
    s = suite(main="tls_renewal_check_time = 1s\n"
                   "service_throttle_time = 600s\n")
    cert = s.root / "etc/cert.pem"
    good = cert.read_text()
    assert shown(s, "smtps") == digest(cert)
    cert.write_text("no certificate\n")
    s.wait_log("are not usable: the old ones stay in use")
    assert shown(s, "smtps") == hashlib.sha256(
        ssl.PEM_cert_to_DER_cert(good[good.index("-----BEGIN CERT"):])
    ).hexdigest()  # by the process that is there
    kill_all(s.processes("smtpd"))
    with socket.create_connection(("127.0.0.1", s.ports["smtps"])):
        # the pauses double; this one would outlast the test
        s.wait_log("bad command startup -- throttling for 8 s")
    cert.write_text(good)
    began = time.monotonic()
    s.wait_log("have changed: taken up")
    wait_for("the service", lambda: shown(s, "smtps") == digest(cert))
    assert time.monotonic() - began < 6, "it waited out its pause"


@pytest.mark.parametrize("after", ["start", "reload"])
def test_process_that_starts_before_the_next_look(suite, after):
    """It reads the new certificate, whose key keyd must have."""
    s = suite(main="tls_renewal_check_time = 1h\n")
    etc = s.root / "etc"
    if after == "reload":
        s.posthaste("reload")
    assert shown(s) == shown(s, "smtps") == digest(etc / "cert.pem")
    make(s, "new")
    for name in ("key", "pem"):
        os.replace(etc / f"new.{name}",
                   etc / f"{'key' if name == 'key' else 'cert'}.pem")
    kill_all(s.processes("smtpd"))
    assert shown(s, "smtps") == digest(etc / "cert.pem")
    wait_for("the new certificate",
             lambda: shown(s) == digest(etc / "cert.pem"))
