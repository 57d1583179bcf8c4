# SPDX-License-Identifier: ISC
"""mbsync (isync) keeps a Maildir and the account the same, both ways."""
import re
import shutil
import subprocess

import pytest
from imap_people import WIRE, folders, look, message

CONF = """\
IMAPAccount far
Host localhost
Port {port}
User bob
Pass posthaste
SSLType IMAPS
CertificateFile {root}/etc/cert.pem
PipelineDepth {depth}

IMAPStore far
Account far

MaildirStore near
Path {near}/
Inbox {near}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
CopyArrivalDate yes
SyncState *
"""


class Near:
    def __init__(self, s, folder, depth):
        self.root = folder / "near"
        self.root.mkdir()
        self.rc = folder / "mbsyncrc"
        self.rc.write_text(CONF.format(
            port=s.ports["imaps"], root=s.root, near=self.root, depth=depth))

    def sync(self):
        done = subprocess.run(
            ["mbsync", "-c", str(self.rc), "-a"], capture_output=True,
            text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr

    def files(self, name="INBOX"):
        """{subject: path}"""
        found = {}
        for part in ("new", "cur"):
            for p in (self.root / name / part).iterdir():
                subject = re.search(rb"Subject: ([^\r\n]*)", p.read_bytes())
                found[subject[1].decode()] = p
        return found

    def mark(self, subject, flags):
        p = self.files()[subject]
        base = p.name.partition(":2,")[0]
        p.rename(p.parent.parent / "cur" / f"{base}:2,{flags}")

    def put(self, name, subject):
        (self.root / name / "new" / subject.replace(" ", "-")).write_bytes(
            message(subject).replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("depth", [1, 50])
def test_both_ways(suite, tmp_path, depth):
    if not shutil.which("mbsync"):
        pytest.skip("isync is not installed")
    s = suite()
    near = Near(s, tmp_path, depth)
    c = s.imap(tls="implicit")
    c.ok(f'CREATE "{WIRE}"')
    for n in range(1, 6):
        c.append("INBOX", message(f"number {n}"), "(\\Flagged)"
                 if n == 1 else "")
    c.append(f'"{WIRE}"', message("there"))
    near.sync()
    assert set(near.files()) == {f"number {n}" for n in range(1, 6)}
    assert "F" in near.files()["number 1"].name.partition(":2,")[2]
    assert set(near.files(WIRE)) == {"there"}

    # changes on both sides at once
    near.mark("number 1", "S")
    near.mark("number 2", "T")
    near.put("INBOX", "from here")
    for part in ("cur", "new", "tmp"):
        (near.root / "&ANw-ben" / part).mkdir(parents=True)
    near.put("&ANw-ben", "in a new folder")
    c.ok("SELECT INBOX")
    c.ok("STORE 3 +FLAGS (\\Answered)")
    c.ok("STORE 4 +FLAGS (\\Deleted)")
    c.ok("UID EXPUNGE 4")
    c.append("INBOX", message("from there"))
    near.sync()
    assert look(s) == {
        "number 1": {"\\seen"}, "number 3": {"\\answered"},
        "number 5": set(), "from here": set(), "from there": set()}
    assert set(near.files()) == set(look(s))
    assert "R" in near.files()["number 3"].name.partition(":2,")[2]
    assert "&ANw-ben" in folders(s)
    assert set(look(s, "&ANw-ben")) == {"in a new folder"}

    # nothing more to do
    before = look(s)
    near.sync()
    assert look(s) == before

    # after the server forgot all that it can make anew
    c.close()
    for p in s.maildir("bob").glob("posthaste.index*"):
        p.unlink()
    s.stop()
    s.start()
    near.sync()
    assert look(s) == before
    assert set(near.files()) == set(before)
