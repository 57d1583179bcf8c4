# SPDX-License-Identifier: ISC
"""Programs that people use, on a mailbox that is one file."""
import os
import poplib
import subprocess

import pytest

from mbox_files import FROM, box, mbox_suite, message, put, subjects
from terminal import mutt_reads, on_terminal
from test_real_clients import run

TRICKY = (FROM + b"From: alice@example.test\nTo: bob@example.test\n"
          b"Subject: tricky\nMessage-ID: <tricky@x>\n\n"
          b">From here\n>>From there\n.\n..two dots\n"
          b"From now on it is text\n\n\n\n")
AS_SENT = (TRICKY[len(FROM):-1].replace(b"\n>From", b"\nFrom")
           .replace(b"\n>>From", b"\n>From"))


def fetchmail(s, tmp_path, *options):
    out = tmp_path / "out"
    rc = tmp_path / "fetchmailrc"
    rc.write_text(
        f"poll 127.0.0.1 with proto POP3 port {s.ports['pop3s']} uidl "
        f"user \"bob@example.test\" password \"posthaste\" ssl "
        f"no sslcertck mda \"cat >>{out}\"\n")
    rc.chmod(0o600)
    done = subprocess.run(
        ["fetchmail", "-f", str(rc), "--nosyslog", "--pidfile",
         str(tmp_path / "pid"), "-i", str(tmp_path / "ids"), *options],
        capture_output=True, timeout=300,
        env=dict(os.environ, FETCHMAILHOME=str(tmp_path), HOME=str(tmp_path)))
    assert done.returncode in (0, 1), (done.stdout, done.stderr)
    return out.read_bytes() if out.exists() else b""


def test_curl(suite):
    s = mbox_suite(suite, content=message(1) + TRICKY)
    ca = s.root / "etc/cert.pem"
    got = subprocess.run(
        ["curl", "-sS", "--ssl-reqd", "--cacert", ca, "--user",
         "bob@example.test:posthaste",
         f"pop3://localhost:{s.ports['pop3']}/2"],
        capture_output=True, check=True, timeout=300).stdout
    assert got == AS_SENT.replace(b"\n", b"\r\n")
    listing = run(["curl", "-sS", "--cacert", ca, "--user", "bob:posthaste",
                   f"pop3s://localhost:{s.ports['pop3s']}/"])
    assert listing.split()[2:] == ["2", str(len(got))]
    run(["curl", "-sS", "--cacert", ca, "--user", "bob:posthaste", "-X",
         "DELE 1", "--list-only", f"pop3s://localhost:{s.ports['pop3s']}/1"])
    assert box(s).read_bytes() == TRICKY


def test_fetchmail_keeps_and_takes(suite, tmp_path):
    """By ids: what was fetched is not fetched again, new mail is."""
    s = mbox_suite(suite, content=message(1) + TRICKY)
    first = fetchmail(s, tmp_path, "--keep")
    assert b"Subject: number 1" in first
    assert b"\nFrom here\n>From there\n.\n..two dots\nFrom now" in first
    # another program marks one, another one is delivered
    put(s, message(1).replace(b"Message-ID", b"Status: RO\nMessage-ID") +
        TRICKY + message(2))
    second = fetchmail(s, tmp_path, "--keep")
    assert second.startswith(first)
    more = second[len(first):]
    assert b"Subject: number 2" in more
    assert b"number 1" not in more and b"tricky" not in more
    assert len(subjects(s)) == 3
    fetchmail(s, tmp_path, "--all", "--nokeep")
    assert box(s).read_bytes() == b""


def test_mutt(suite, tmp_path):
    s = mbox_suite(suite, content=TRICKY)
    assert b"Subject: tricky" in mutt_reads(s, tmp_path)
    assert box(s).read_bytes() == TRICKY


def test_mutt_writes_while_a_session_reads(suite, tmp_path):
    """mutt opens the file itself, deletes a message and goes."""
    s = mbox_suite(suite, content=message(1) + message(2) + message(3))
    c = s.pop3("bob@example.test")
    rc = tmp_path / "muttrc"
    (tmp_path / "Mail").mkdir()
    rc.write_text("set quit=yes\nset delete=yes\nset move=no\n"
                  "set mbox_type=mbox\nset wait_key=no\n"
                  "push '<first-entry><delete-message><quit>'\n")
    on_terminal(["mutt", "-n", "-F", str(rc), "-f", str(box(s))],
                tmp_path, {"TERM": "xterm", "HOME": str(tmp_path)})
    assert subjects(s) == [b"number 2", b"number 3"]
    with pytest.raises(poplib.error_proto, match="gone"):
        c.retr(1)
    assert b"Subject: number 3" in c.retr(3)[1]
    c.dele(2)
    c.quit()
    assert subjects(s) == [b"number 3"]
