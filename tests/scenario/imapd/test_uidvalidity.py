# SPDX-License-Identifier: ISC
"""UIDVALIDITY stays what it is (R42): through a lost index, postmailbox
rebuild, renames, deletion of the highest UID. Where it cannot, the log says of
which folder, what it was, and why."""
import re
import subprocess
import time

from long_runs import kill_children as kill
from posthaste import ROOT, wait_for

OPEN = "disable_plaintext_auth = no\n"
TEXT = b"Subject: x\r\n\r\ny\r\n"


def select(s, folder):
    """(UIDVALIDITY, UIDNEXT)"""
    c = s.imap()
    text = b"\n".join(c.ok(f"SELECT {folder}"))
    c.close()
    return tuple(int(re.search(rb"\[%s (\d+)\]" % x, text)[1])
                 for x in (b"UIDVALIDITY", b"UIDNEXT"))


def fill(s):
    c = s.imap()
    c.ok("CREATE other")
    for folder in ("INBOX", "other"):
        for _ in range(3):
            c.append(folder, TEXT)
    c.ok("SELECT INBOX")
    c.ok("STORE 3 +FLAGS (\\Deleted)")
    c.ok("EXPUNGE")
    c.close()


def test_it_stays(suite):
    s = suite(main=OPEN)
    fill(s)
    before = {f: select(s, f) for f in ("INBOX", "other")}
    kill(s)
    done = subprocess.run(
        [ROOT / "sbin/postmailbox", "rebuild", f"maildir:{s.maildir('bob')}"],
        capture_output=True, text=True, timeout=300, check=True)
    assert "0 UIDs lost" in done.stdout
    for folder, (validity, uidnext) in before.items():
        assert select(s, folder)[0] == validity
        assert select(s, folder)[1] >= uidnext
    kill(s)
    for p in s.maildir("bob").glob("posthaste.index*"):
        p.unlink()
    c = s.imap()
    c.ok("RENAME other another")
    c.close()
    assert select(s, "INBOX")[0] == before["INBOX"][0]
    assert select(s, "another")[0] == before["other"][0]
    for name in ("INBOX", "other"):
        s.wait_log(f"{name}: UIDVALIDITY .*: the folder had none")
    # each was given once, and nothing after that
    lines = re.findall(r"(\S+): UIDVALIDITY (\d+): the folder had none",
                       s.log())
    assert lines.count(("INBOX", str(before["INBOX"][0]))) == 1
    assert lines.count(("other", str(before["other"][0]))) == 1
    assert not re.search(r"UIDVALIDITY \d+, before", s.log())


def test_a_change_is_told(suite):
    s = suite(main=OPEN)
    fill(s)
    validity, uidnext = select(s, "INBOX")
    kill(s)
    (s.maildir("bob") / "posthaste-folder").write_text("nonsense\n")
    # the index knows it
    assert select(s, "INBOX") == (validity, uidnext)
    s.wait_log("posthaste-folder is damaged; it is set aside, and it is made"
               " anew from the index")
    kill(s)
    (s.maildir("bob") / "posthaste-folder").write_text("nonsense\n")
    for p in s.maildir("bob").glob("posthaste.index*"):
        p.unlink()
    # the time is all that is left to make one of
    wait_for("a later second", lambda: time.time() >= validity + 1)
    now, _ = select(s, "INBOX")
    assert now != validity
    s.wait_log(rf"INBOX: UIDVALIDITY {now}: posthaste-folder was damaged")
    kill(s)
    # Dovecot begins anew, with a message that was delivered to it
    (s.maildir("bob") / "dovecot-uidlist").write_text(
        f"3 V{now + 5} N9000\n")
    (s.maildir("bob") / "cur/1.by-hand:2,").write_bytes(TEXT)
    assert select(s, "INBOX")[0] == now + 5
    s.wait_log(rf"INBOX: UIDVALIDITY {now + 5}, before {now}:"
               " dovecot-uidlist has another one now")
