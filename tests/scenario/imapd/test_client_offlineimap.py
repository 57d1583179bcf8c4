# SPDX-License-Identifier: ISC
"""OfflineIMAP keeps a Maildir and the account the same, both ways."""
import os
import re
import shutil
import subprocess

import pytest
from imap_people import WIRE, folders, look, message

CONF = """\
[general]
accounts = a
metadata = {home}/state

[Account a]
localrepository = l
remoterepository = r

[Repository l]
type = Maildir
localfolders = {home}/near
sep = /

[Repository r]
type = IMAP
remotehost = localhost
remoteport = {port}
remoteuser = bob
remotepass = posthaste
ssl = yes
sslcacertfile = {root}/etc/cert.pem
ssl_version = tls1_2
tls_level = tls_compat
starttls = no
usecompression = {compress}
"""


@pytest.mark.parametrize("compress", ["no", "yes"])
def test_both_ways(suite, tmp_path, compress):
    if not shutil.which("offlineimap"):
        pytest.skip("offlineimap is not installed")
    s = suite(main="imap_login_timeout = 20s\n")
    rc = tmp_path / "rc"
    rc.write_text(CONF.format(home=tmp_path, port=s.ports["imaps"],
                              root=s.root, compress=compress))

    def sync():
        # a greeting that comes before its library has begun to wait for one is
        # lost on it, and it says nothing for ever
        for _ in range(3):
            done = subprocess.run(
                ["offlineimap", "-c", str(rc), "-o", "-u", "basic"],
                capture_output=True, text=True, timeout=300,
                env=dict(os.environ, HOME=str(tmp_path)))
            if "Timeout, good bye" not in done.stdout + done.stderr:
                break
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ERROR" not in done.stdout + done.stderr, done.stdout

    def files(name="INBOX"):
        found = {}
        for part in ("new", "cur"):
            for p in (tmp_path / "near" / name / part).iterdir():
                subject = re.search(rb"Subject: ([^\r\n]*)", p.read_bytes())
                found[subject[1].decode()] = p
        return found

    def mark(subject, flags):
        p = files()[subject]
        base = p.name.partition(":2,")[0]
        p.rename(p.parent.parent / "cur" / f"{base}:2,{flags}")

    c = s.imap(tls="implicit")
    c.ok(f'CREATE "{WIRE}"')
    for n in range(1, 5):
        c.append("INBOX", message(f"number {n}"))
    c.append(f'"{WIRE}"', message("there"))
    sync()
    assert set(files()) == {f"number {n}" for n in range(1, 5)}
    assert set(files(WIRE)) == {"there"}

    mark("number 1", "FS")
    files()["number 2"].unlink()
    (tmp_path / "near/INBOX/new/1.here.x").write_bytes(
        message("from here").replace(b"\r\n", b"\n"))
    for part in ("cur", "new", "tmp"):
        (tmp_path / "near/made" / part).mkdir(parents=True)
    c.ok("SELECT INBOX")
    c.ok("STORE 3 +FLAGS (\\Answered)")
    c.ok("STORE 4 +FLAGS (\\Deleted)")
    c.ok("EXPUNGE")
    sync()
    assert look(s) == {"number 1": {"\\seen", "\\flagged"},
                       "number 3": {"\\answered"}, "from here": set()}
    assert "R" in files()["number 3"].name.partition(":2,")[2]
    assert set(files()) == set(look(s))
    assert "made" in folders(s)
    before = look(s)
    sync()
    assert look(s) == before
