# SPDX-License-Identifier: ISC
"""What tests with real clients share: messages, a look at what is there by a
client of our own, over TLS, and where imapflow is."""
import fcntl
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from mail_caches import fetched

IMAPFLOW = pathlib.Path(__file__).resolve().parent / "imapflow"
# beside the install tree: the build folder
KEPT = pathlib.Path(os.environ.get("POSTHASTE_ROOT", "build/root")).resolve()

# A name that is not ASCII, and on the wire (RFC 3501 section 5.1.3).
FOLDER = "Entwürfe/日本"
WIRE = "Entw&APw-rfe/&ZeVnLA-"


def message(subject, body="Hello\r\n", ident=None):
    ident = ident or subject.replace(" ", "-")
    return (f"From: Alice <alice@example.test>\r\nTo: bob@example.test\r\n"
            f"Subject: {subject}\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\n"
            f"Message-ID: <{ident}@example.test>\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{body}").encode()


def look(s, folder="INBOX"):
    """{subject: flags} of a folder, without \\Recent; a list for doubles."""
    c = s.imap(tls="implicit")
    try:
        lines = c.ok(f'EXAMINE "{folder}"')
        if b"* 0 EXISTS" in lines:
            return {}
        found = {}
        for line in c.ok("FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS "
                         "(Subject)])"):
            if row := fetched(line):
                subject = re.search(rb"Subject: ([^\r]*)", line)[1].decode()
                assert subject not in found, f"twice: {subject}"
                found[subject] = set(row[1]["flags"])
        return found
    finally:
        c.close()


def folders(s):
    """Names of all folders, as on the wire."""
    c = s.imap(tls="implicit")
    try:
        return {re.search(rb' "?([^" ]+)"?$', line)[1].decode()
                for line in c.ok('LIST "" *') if line.startswith(b"* LIST")}
    finally:
        c.close()


def imapflow():
    """Where that package is, in the versions of package-lock.json."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("npm is not installed")
    folder = KEPT.parent / "imapflow"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(IMAPFLOW / name, folder)
        if not (folder / "node_modules/imapflow/package.json").exists():
            try:
                subprocess.run(
                    ["npm", "ci", "--ignore-scripts", "--no-audit",
                     "--no-fund"], cwd=folder, capture_output=True, text=True,
                    timeout=300, check=True)
            except subprocess.SubprocessError as e:
                pytest.skip(f"imapflow cannot be had: {e} {e.stderr}"[:400])
    return folder
