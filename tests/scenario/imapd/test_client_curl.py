# SPDX-License-Identifier: ISC
"""curl: uploads, listings, fetches and commands, by IMAPS and STARTTLS."""
import shutil
import subprocess

import pytest
from imap_people import WIRE, look, message


@pytest.fixture
def curl(suite):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    s = suite()

    def run(path, *options, stdin=None, scheme="imaps", check=True):
        done = subprocess.run(
            ["curl", "-sS", "--cacert", s.root / "etc/cert.pem", "--ssl-reqd",
             "--user", "bob:posthaste", *options,
             f"{scheme}://localhost:{s.ports[scheme]}/{path}"],
            input=stdin, capture_output=True, timeout=300)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout if check else done.returncode

    run.suite = s
    return run


def test_upload_and_fetch(curl, tmp_path):
    for n in (1, 2):
        (tmp_path / "m").write_bytes(message(f"number {n}"))
        curl("INBOX", "-T", tmp_path / "m")
    assert curl("INBOX;UID=2") == message("number 2")
    assert curl("INBOX;UID=1;SECTION=TEXT") == b"Hello\r\n"
    assert b"SEARCH 2" in curl("INBOX?SUBJECT%20%22number%202%22")
    assert b"EXISTS" not in curl("", "-X", "NOOP", scheme="imap")


def test_commands(curl, tmp_path):
    curl("", "-X", f'CREATE "{WIRE}"')
    assert WIRE.encode() in curl("", scheme="imap")
    (tmp_path / "m").write_bytes(message("here"))
    curl("INBOX", "-T", tmp_path / "m")
    assert b"\\Flagged" in curl("INBOX", "-X", "STORE 1 +FLAGS (\\Flagged)")
    curl("INBOX", "-X", f'MOVE 1 "{WIRE}"')
    assert look(curl.suite) == {}
    assert set(look(curl.suite, WIRE)) == {"here"}
    # CURLE_QUOTE_ERROR, or CURLE_REMOTE_FILE_NOT_FOUND
    assert curl("", "-X", "DELETE Missing", check=False) == 21
