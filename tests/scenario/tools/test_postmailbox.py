# SPDX-License-Identifier: ISC
"""postmailbox(1): what it sees, that it only looks, and the index anew."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from posthaste import AS_ROOT, ROOT

OWNER = 65534 if AS_ROOT else os.geteuid()
UIDLIST = "3 V1234 N8 G0123456789abcdef0123456789abcdef\n"


@pytest.fixture
def maildir():
    """With a folder that Dovecot knew, and one that nobody did."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="maildir."))
    path = base / "Maildir"
    for folder in (".", ".Sent", ".v1\\2e2"):
        for part in ("cur", "new", "tmp"):
            (path / folder / part).mkdir(parents=True)
    (path / "cur/1.a,S=2:2,S").write_text("x\n")
    (path / "cur/2.b,S=2,U=9:2,").write_text("x\n")
    (path / "new/3.c").write_text("x\n")
    (path / "dovecot-uidlist").write_text(UIDLIST + "7 :1.a,S=2\n")
    (path / "subscriptions").write_text("V\t2\n\nSent\n")
    for place, _, files in os.walk(base):
        for name in [".", *files]:
            os.chown(os.path.join(place, name), OWNER, -1)
    yield path
    shutil.rmtree(base)


def run(*arguments):
    done = subprocess.run([ROOT / "sbin/postmailbox", *arguments],
                          capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def tree(path):
    return sorted((str(p), p.stat().st_mtime_ns, p.stat().st_size)
                  for p in path.rglob("*"))


def test_what_it_sees_and_that_it_only_looks(maildir):
    before = tree(maildir)
    status, text = run("check", f"maildir:{maildir}")
    assert status == 0
    assert tree(maildir) == before
    inbox = text.split("INBOX\n")[1]
    assert "3 messages (1 new), 6 bytes\n" in inbox
    assert "UIDVALIDITY 1234 of dovecot-uidlist; UIDs: 1 of dovecot-uidlist," \
        " 1 of file names, 1 to be given" in inbox
    assert "Sent\n  0 messages (0 new), 0 bytes, subscribed\n" in text
    assert "\nv1.2\n" in text
    assert text.endswith("3 folders, 3 messages, 6 bytes; 0 problems\n")


def spoil_size(path):
    (path / "cur/4.d,S=100:2,").write_text("torn")


def spoil_uid(path):
    (path / "cur/4.d,U=7:2,").write_text("x\n")


def spoil_list(path):
    (path / "dovecot-uidlist").write_text("what is this\n")


def spoil_base(path):
    (path / "new/1.a,S=2").write_text("x\n")


def spoil_kind(path):
    (path / "cur/4.d:2,").symlink_to("/etc/passwd")


def spoil_state(path):
    (path / "posthaste-folder").write_text("posthaste-folder 1\nuidv")


def spoil_name(path):
    (path / ".INBOX").mkdir()


@pytest.mark.parametrize("spoil, problem", [
    (spoil_size, "cur/4.d,S=100:2, is torn: 4 bytes of 100"),
    (spoil_uid, "UID 7 is two messages'"),
    (spoil_list, "dovecot-uidlist is of no known form"),
    (spoil_base, "two files have the base name 1.a,S=2"),
    (spoil_kind, "cur/4.d:2, is not a regular file"),
    (spoil_state, "posthaste-folder is damaged"),
    (spoil_name, "the directory .INBOX is no folder that can be told"),
])
def test_each_problem_is_named(maildir, spoil, problem):
    spoil(maildir)
    status, text = run("check", f"maildir:{maildir}")
    assert status == 1
    assert f"  problem: {problem}\n" in text
    assert text.endswith("1 problems\n")


def test_control_characters_are_not_printed(maildir):
    (maildir / "cur/4.\033[31m,S=9:2,").write_text("x")
    assert "\033" not in run("check", f"maildir:{maildir}")[1]


def uids(maildir):
    status, text = run("check", f"maildir:{maildir}")
    assert status == 0, text
    return [line for line in text.splitlines() if "UIDVALIDITY" in line]


def test_rebuild_loses_no_uid(maildir):
    expected = "3 folders, 3 messages; 0 UIDs lost, 0 folders failed\n"
    status, text = run("rebuild", f"maildir:{maildir}")
    assert status == 0 and text.startswith(expected)
    assert "INBOX: UIDVALIDITY 1234: that of dovecot-uidlist\n" in text
    files = sorted(p.name for p in (maildir / "cur").iterdir())
    before = uids(maildir)
    assert "UIDVALIDITY 1234" in before[0]
    assert (maildir / "posthaste.index").stat().st_uid == OWNER
    for damage in (lambda p: p.unlink(), lambda p: p.write_bytes(b"x" * 9000)):
        damage(maildir / "posthaste.index")
        status, text = run("rebuild", f"maildir:{maildir}")
        assert status == 0 and expected in text, text
        assert "UIDVALIDITY" not in text
        assert uids(maildir) == before
        assert sorted(p.name for p in (maildir / "cur").iterdir()) == files


def test_an_account_by_its_name(suite):
    s = suite(start=False)
    status, text = run("-c", str(s.root / "etc"), "check", "nobody-here")
    assert status == 67
    assert "there is no such account" in text


def test_what_is_no_mailbox():
    assert run("check", "maildir:/nowhere")[0] == 66
    assert run("check", "maildir:/nowhere:LAYOUT=index")[0] != 0
    assert run("look", "maildir:/nowhere")[0] == 64


FROM = "From alice@example.test  Sat Nov 21 13:25:01 2026\n"


def mbox_message(*fields, text="x"):
    return FROM + "".join(f + "\n" for f in fields) + f"\n{text}\n\n"


@pytest.fixture
def mbox():
    """A spool file that another program numbered, and two folders."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="mbox."))
    (base / "mail/Work").mkdir(parents=True)
    (base / "spool").write_text(
        mbox_message("X-IMAPbase: 1234 0000000009 Junk", "X-UID: 7",
                     "Subject: one") + mbox_message("Subject: two"))
    (base / "mail/Sent").write_text(mbox_message("Subject: sent"))
    (base / "mail/Work/2024").write_text("")
    for place, _, files in os.walk(base):
        for name in [".", *files]:
            os.chown(os.path.join(place, name), OWNER, -1)
    yield base
    shutil.rmtree(base)


def where(base):
    return f"mbox:{base}/mail:INBOX={base}/spool"


def test_mbox_files(mbox):
    before = tree(mbox)
    status, text = run("check", where(mbox))
    assert status == 0, text
    assert tree(mbox) == before
    # fields that IMAP does not show are not counted
    assert "INBOX\n  2 messages, 38 bytes\n  UIDVALIDITY 1234, UIDs up to 9 " \
        "given; UIDs: 1 of X-UID, 1 to be given\n" in text
    assert "Sent\n  1 messages, 20 bytes\n  no UIDVALIDITY yet; UIDs: 0 of " \
        "X-UID, 1 to be given\n" in text
    assert "Work/2024\n  0 messages, 0 bytes\n" in text
    assert "index: none yet\n" in text
    assert text.endswith("3 folders, 3 messages, 58 bytes; 0 problems\n")
    status, text = run("check", f"mbox:{mbox}/spool")
    assert status == 0 and text.endswith("1 folders, 2 messages, 38 bytes; "
                                         "0 problems\n")


def spoil_number(base):
    with open(base / "spool", "a") as f:
        f.write(mbox_message("X-UID: 7"))


def spoil_last(base):
    with open(base / "spool", "a") as f:
        f.write(mbox_message("X-UID: 12"))


def spoil_start(base):
    (base / "mail/Sent").write_text("Subject: no line before\n\nx\n")


def spoil_file(base):
    (base / "spool").unlink()
    (base / "spool").mkdir()


def spoil_validity(base):
    ours = base / "mail/.posthaste/INBOX"
    ours.mkdir(parents=True)
    (ours / "posthaste-folder").write_text(
        "posthaste-folder 1\nuidvalidity 99\nbound 8\nid " + "0a" * 16 + "\n")


@pytest.mark.parametrize("spoil, problem", [
    (spoil_number, "UID 7 is two messages'"),
    (spoil_last, "UID 12 is above the last one of X-IMAPbase"),
    (spoil_start, "problem: "),
    (spoil_file, "it is not a regular file"),
    (spoil_validity, "UIDVALIDITY is 99 by posthaste-folder, 1234 by the"),
])
def test_each_problem_of_an_mbox_is_named(mbox, spoil, problem):
    spoil(mbox)
    status, text = run("check", where(mbox))
    assert status == 1
    assert problem in text
    assert "; 1 problems" in text
