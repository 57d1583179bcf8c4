# SPDX-License-Identifier: ISC
"""fetchmail takes mail away, or leaves it, by IMAP."""
import os
import shutil
import subprocess

import pytest
from imap_people import look, message


@pytest.mark.parametrize("tls", ["ssl", "sslproto TLS1.2+"])
def test_keeps_and_takes(suite, tmp_path, tls):
    if not shutil.which("fetchmail"):
        pytest.skip("fetchmail is not installed")
    s = suite()
    c = s.imap(tls="implicit")
    for n in (1, 2):
        c.append("INBOX", message(f"number {n}", "Two\r\n.dots\r\n"))
    c.append("INBOX", message("seen already"), "(\\Seen)")
    out = tmp_path / "out"
    port = s.ports["imaps" if tls == "ssl" else "imap"]
    rc = tmp_path / "fetchmailrc"
    rc.write_text(
        f"poll localhost with proto IMAP port {port} user bob password "
        f"posthaste {tls} sslcertfile {s.root}/etc/cert.pem mda "
        f"\"cat >>{out}\"\n")
    rc.chmod(0o600)

    def fetch(*options):
        done = subprocess.run(
            ["fetchmail", "-f", str(rc), "--nosyslog", "--pidfile",
             str(tmp_path / "pid"), *options],
            capture_output=True, timeout=300, env=dict(
                os.environ, FETCHMAILHOME=str(tmp_path), HOME=str(tmp_path)))
        assert done.returncode in (0, 1), (done.stdout, done.stderr)
        data = out.read_bytes() if out.exists() else b""
        out.unlink(missing_ok=True)
        return data

    got = fetch("--keep")
    assert b"number 1" in got and b"number 2" in got
    assert b"seen already" not in got and b"\n.dots" in got
    assert fetch("--keep") == b""
    assert all("\\seen" in f for f in look(s).values())
    c.append("INBOX", message("number 3"))
    got = fetch("--nokeep")
    assert b"number 3" in got and b"number 1" not in got
    assert set(look(s)) == {"number 1", "number 2", "seen already"}
    assert b"seen already" in fetch("--all", "--nokeep")
    assert look(s) == {}
