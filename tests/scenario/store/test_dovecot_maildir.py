# SPDX-License-Identifier: ISC
"""Mailboxes that Dovecot made are served as they are: UIDs, UIDVALIDITY,
flags, keywords, subscriptions, names, POP3 UIDLs; and the other way round.

The recorded trees in tests/corpus/dovecot show the first half everywhere;
RECORD_DOVECOT=1 records them again from a real one."""
import difflib
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

import dovecot_peer
import pytest
from dovecot_peer import OWNER, Dovecot, dump, names, quoted
from posthaste import ROOT

CORPUS = pathlib.Path(__file__).parents[2] / "corpus/dovecot"
PROBE = ROOT.parent / "tests/probe/mailbox_probe"
LAYOUTS = {"plus": "", "fs": ":LAYOUT=fs"}
# lists and index elsewhere, as on sites with the mail on a slow disk
ELSEWHERE = {
    "plus, elsewhere": ":CONTROL={0}/control:INDEX={0}/index",
    "fs, elsewhere": ":LAYOUT=fs:CONTROL={0}/control:INDEX={0}/index",
    "INBOX elsewhere": ":INBOX={0}/inbox",
}
FOLDERS = ["Sent", "Sent/2024", "Sent/2024/Mai", "R&D", "Entwürfe",
           "台北/日本語", "back\\slash", "INBOX/kid", "with space",
           "very [odd] *name%\"", "😀"]
real = pytest.mark.skipif(dovecot_peer.why_not() is not None,
                          reason=str(dovecot_peer.why_not()))
layouts = pytest.mark.parametrize("layout", LAYOUTS)
all_layouts = pytest.mark.parametrize("layout", [*LAYOUTS, *ELSEWHERE])


@pytest.fixture
def folder():
    """Of the mailbox's owner, who may be somebody else."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="maildir."))
    os.chown(path, OWNER, -1)
    yield path
    shutil.rmtree(path)


def ours(location, *action, text=None, separator="/"):
    done = subprocess.run([PROBE, location, separator, *action], input=text,
                          capture_output=True, text=True, user=OWNER)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def our_dump(location, separator="/"):
    lines = []
    for line in ours(location, separator=separator):
        if line.startswith("message"):
            head, flags = line.rsplit("\t", 1)
            line = f"{head}\t{' '.join(sorted(flags.split()))}"
        lines.append(line)
    return sorted(lines)


def assert_same(expected, got):
    difference = list(difflib.unified_diff(expected, got, "theirs", "ours",
                                           lineterm="", n=0))
    assert not difference, "\n".join(difference)


# Dovecot writes 26 keywords of a folder into its files ($Forwarded and 0 to
# 24); those of later ones are in its own index alone, which nobody else reads
LATE = {f"keyword{i}" for i in range(25, 40)}


def without_late_keywords(line):
    if not line.startswith("message"):
        return line
    head, flags = line.rsplit("\t", 1)
    return f"{head}\t{' '.join(f for f in flags.split() if f not in LATE)}"


def theirs_dump(server):
    return [without_late_keywords(line) for line in dump(server)]


def message(i, end="\r\n"):
    return end.join([f"From: a{i}@example.test", f"Subject: number {i}",
                     "", f"text of {i}", "." * i, ""]).encode()


def populate(server, maildir):
    """What years leave in a mailbox."""
    client = server.imap()
    for name in FOLDERS:
        assert client.create(quoted(name))[0] == "OK"
    for name in FOLDERS[1:6] + ["gone"]:
        client._simple_command("SUBSCRIBE", quoted(name))
    for i in range(40):
        date = f'"{1 + i % 28:02}-Jan-2020 10:00:{i % 60:02} +0100"'
        flags = ["\\Seen"] * (i % 2) + ["\\Flagged"] * (i % 3 == 0) + [
            f"keyword{i}", "$Forwarded"]
        client.append("INBOX", f"({' '.join(flags)})", date, message(i))
    for name in FOLDERS[:6]:
        for i in range(3):
            client.append(quoted(name), "(\\Draft $Label1)", None, message(i))
    client.select("INBOX")
    client.uid("STORE", "3,7,39:40", "+FLAGS", "(\\Deleted)")
    client.expunge()
    client.uid("STORE", "5", "+FLAGS", "(\\Answered \\Deleted)")
    client.uid("COPY", "1:4", quoted("Sent/2024"))
    client.logout()
    # delivered by others meanwhile, with bare LFs
    for i in range(2):
        (maildir / "new" / f"160000000{i}.M{i}P1.host").write_bytes(
            message(i, "\n"))
    client = server.imap()
    client.select("INBOX")
    client.logout()


@pytest.fixture
def theirs(folder):
    """theirs(layout) -> Dovecot with a mailbox, and its location"""
    def make(layout):
        maildir = folder / "Maildir"
        options = {**LAYOUTS, **ELSEWHERE}[layout].format(folder)
        location = f"maildir:{maildir}{options}"
        server = Dovecot(folder, location)
        inbox = folder / "inbox" if "INBOX" in options else maildir
        populate(server, inbox)
        return server, location
    return make


@layouts
def test_a_recorded_mailbox_of_dovecot(folder, layout):
    subprocess.run(["tar", "-xzf", CORPUS / f"{layout}.tar.gz", "-C", folder],
                   check=True, user=OWNER)
    location = f"maildir:{folder}/Maildir{LAYOUTS[layout]}"
    expected = (CORPUS / f"{layout}.txt").read_text().splitlines()
    assert_same(expected, our_dump(location))
    # and once more, from the index
    assert_same(expected, our_dump(location))
    # and from a new one
    for part in ("posthaste.index", "posthaste.index-lock"):
        (folder / "Maildir" / part).unlink()
    assert_same(expected, our_dump(location))


@real
@all_layouts
def test_a_mailbox_of_dovecot(theirs, layout, folder):
    server, location = theirs(layout)
    expected = theirs_dump(server)
    if "RECORD_DOVECOT" in os.environ and layout in LAYOUTS:
        CORPUS.mkdir(exist_ok=True)
        (CORPUS / f"{layout}.txt").write_text("\n".join(expected) + "\n")
        with tarfile.open(CORPUS / f"{layout}.tar.gz", "w:gz") as tar:
            tar.add(folder / "Maildir", "Maildir", filter=without_owner)
    assert_same(expected, our_dump(location))
    # nothing of that changed it for Dovecot
    assert_same(expected, theirs_dump(server))


def without_owner(entry):
    """Neither who recorded it, nor Dovecot's own caches."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return None if "/dovecot.index" in entry.name and \
        entry.isfile() else entry


@real
@all_layouts
def test_the_way_back(theirs, layout):
    """Dovecot finds what we changed, and every UID where it was."""
    server, location = theirs(layout)
    before = our_dump(location)
    added = ours(location, "append", "INBOX", "\\Seen \\Flagged",
                 text="Subject: ours\r\n\r\nnew\r\n")
    assert added[0].split("\t")[2] == "43"
    ours(location, "flag", "INBOX", "2", "\\Answered")
    ours(location, "flag", "Entwürfe", "2", "brandnew")
    ours(location, "expunge", "INBOX", "6")
    ours(location, "copy", "INBOX", "1:2", "Sent/2024/Mai")
    ours(location, "move", "INBOX", "8:10", "R&D")
    ours(location, "create", "made/by us é")
    ours(location, "append", "made/by us é", "", text="Subject: x\r\n\r\n")
    ours(location, "rename", "台北", "Taipei")
    ours(location, "delete", "Sent")
    ours(location, "subscribe", "made/by us é")
    ours(location, "unsubscribe", "R&D")
    mine = our_dump(location)
    assert mine != before
    assert_same([without_late_keywords(line) for line in mine],
                theirs_dump(server))


@real
def test_names_that_need_care(folder):
    """A dot in a name, and what looks like a path, is a folder for Dovecot
    too, under the name that its listescape plugin would write."""
    location = f"maildir:{folder}/Maildir"
    for name in ("v1.2", "~home", "a\\2eb"):
        ours(location, "create", name)
        ours(location, "append", name, "", text="Subject: x\r\n\r\ny\r\n")
    server = Dovecot(folder, location)
    client = server.imap()
    listed = names(client, "list")
    assert sorted(listed) == ["INBOX", "\\7ehome", "a\\5c2eb", "v1\\2e2"]
    for name in listed[1:]:
        assert client.select(quoted(name), readonly=True)[0] == "OK"
    client.logout()
    uids = [line for line in dump(server) if line.startswith("message")]
    assert [line.split("\t")[2] for line in uids] == ["1", "1", "1"]
