# SPDX-License-Identifier: ISC
"""Whatever the messages hold, four clients that share no code (Ruby's
net/imap, libetpan, c-client, imapflow) and the grammar of this suite can read
all that FETCH tells of them, and understand the same: R47."""
import glob
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from fetched import MAIN, fetch, put
from hostile_messages import KEYWORDS, messages
from imap_people import imapflow
from posthaste import SOURCE

HERE = pathlib.Path(__file__).resolve().parent / "parsers"
HEADER = "BODY[HEADER]"
WHAT = ("(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE "
        "PREVIEW EMAILID THREADID BODY.PEEK[HEADER] "
        "BODY.PEEK[HEADER.FIELDS (From To Cc Subject Date Message-ID "
        "References Content-Type)])")


def compiled(name, *libraries):
    """A reader in C, beside the install tree."""
    def command(s, tmp_path):
        program = tmp_path / name
        done = subprocess.run(
            ["cc", "-w", "-O1", "-o", program, HERE / f"{name}.c", *libraries,
             "-lcrypto"], capture_output=True, text=True)
        if done.returncode != 0 and "No such file" in done.stderr:
            pytest.skip(f"{libraries[0]} is not installed")
        assert done.returncode == 0, done.stderr
        return [program, s.ports["imap"]]
    return command


def net_imap(s, tmp_path):
    if not shutil.which("ruby"):
        pytest.skip("ruby is not installed")
    return ["ruby", HERE / "net_imap.rb", s.ports["imap"]]


def web_mailer(s, tmp_path):
    return ["node", HERE / "imapflow.js", s.ports["imap"], imapflow()]


READERS = {
    "imapflow": web_mailer,
    "net_imap": net_imap,
    "libetpan": compiled("libetpan_reader", "-letpan"),
    "c_client": compiled("c_client_reader", "-lc-client"),
}


def read(command):
    """What a reader says of each message."""
    done = subprocess.run([str(x) for x in command], capture_output=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(x) for x in done.stdout.splitlines()]
    assert done.stderr == b"", done.stderr[-2000:]
    return rows


def count(body):
    """Parts of a body, those of messages in it counted too."""
    inner = body.get("parts", []) + ([body["body"]] if "body" in body else [])
    return 1 + sum(count(x) for x in inner)


def text(value):
    return None if value is None else value.hex()


def people(value):
    return value and [[text(a[0]), text(a[2]), text(a[3])] for a in value]


def expected(s):
    """The same by the suite's own grammar, in the order of numbers."""
    c = s.imap()
    c.ok("EXAMINE INBOX")
    rows = []
    for number, items in sorted(fetch(c, WHAT).items()):
        assert count(items["BODY"]) == count(items["BODYSTRUCTURE"]), number
        envelope = items["ENVELOPE"]
        rows.append({
            "uid": items["UID"], "size": items["RFC822.SIZE"],
            "flags": sorted(f.lower() for f in items["FLAGS"]),
            "subject": text(envelope[1]), "message_id": text(envelope[9]),
            "from": people(envelope[2]), "to": people(envelope[5]),
            "parts": count(items["BODYSTRUCTURE"]),
            "header": hashlib.sha256(items[HEADER]).hexdigest()})
    c.logout()
    return rows


def plain(value):
    """Without the difference between CR, LF, tab and space."""
    if isinstance(value, str):
        return bytes.fromhex(value).translate(
            bytes.maketrans(b"\r\n\t", b"   "))
    return value


def compare(rows, wanted, texts=str):
    assert len(rows) == len(wanted)
    for number, (row, want) in enumerate(zip(rows, wanted), 1):
        if isinstance(row.get("flags"), str):
            row["flags"] = sorted(row["flags"].lower().split())
        for key in row.keys() & want.keys():
            same = texts if key in ("subject", "message_id") else str
            assert same(row[key]) == same(want[key]), (number, key)
        assert len(row.keys() & want.keys()) >= 4, row


def corpus():
    """The odd ones of the tree; with POSTHASTE_CORPUS, those there too."""
    found = sorted((SOURCE / "tests/corpus/odd").rglob("*.raw"))
    assert len(found) > 50
    for folder in glob.glob(os.environ.get("POSTHASTE_CORPUS", "")):
        found += sorted(p for p in pathlib.Path(folder).rglob("*")
                        if p.is_file())
    return [p.read_bytes() for p in found]


def instance(suite, mail):
    s = suite(main=MAIN)
    put(s, mail)
    c = s.imap()
    c.ok("SELECT INBOX")
    for n, keyword in enumerate(KEYWORDS, 1):
        c.ok(f"STORE {n}:{n + 2} +FLAGS ({keyword})")
    c.ok(r"STORE 3:6 +FLAGS (\Seen \Deleted \Flagged \Answered \Draft)")
    c.logout()
    return s


@pytest.mark.parametrize("reader", READERS)
def test_everybody_can_read_it(suite, reader, tmp_path):
    mail = messages() + corpus()
    s = instance(suite, mail)
    command = READERS[reader](s, tmp_path)
    wanted = expected(s)
    assert len(wanted) == len(mail)
    if reader == "imapflow":  # takes this keyword for what it says
        for row in wanted:
            row["flags"] = [f for f in row["flags"] if f != "nil"]
    # c-client shows no line end in a text
    compare(read(command), wanted, plain if reader == "c_client" else str)
