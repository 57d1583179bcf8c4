# SPDX-License-Identifier: ISC
"""What the suite makes is for its owners alone, whatever umask who started it
had (CVE-2009-3897): every file and directory, after mail went all ways."""
import stat
import subprocess

import pytest

from posthaste import AS_ROOT, ROOT

# what others may do there, and why
OPEN_TO_ALL = {
    "spool": 0o5, "spool/pid": 0o5,
    "spool/pid/master.pid": 0o4,
    "spool/empty": 0o5,  # a root directory for programs; nothing is in it
    "spool/public": 0o1,  # people's commands reach sockets in it by name
}


@pytest.mark.skipif(not AS_ROOT, reason="all belongs to one user")
@pytest.mark.parametrize("umask", [0o000, 0o077, 0o022])
def test_no_more_than_needed(suite, umask):
    s = suite(start=False)
    before = set(s.root.rglob("*"))
    subprocess.run(
        ["sh", "-c", f"umask {umask:04o}; exec \"$@\"", "sh",
         str(ROOT / "sbin/posthaste"), "-c", str(s.root / "etc"), "start"],
        check=True, capture_output=True)
    s.started = True
    s.send()
    s.wait_messages("bob")
    s.command("sendmail", "-f", "alice@example.test", "carol@example.test",
              stdin="Subject: x\n\nx\n")
    s.wait_messages("carol")
    s.send(to="x@nowhere.test")
    s.wait_log("to=<x@nowhere.test>, .*status=deferred")
    s.pop3().quit()
    seen = {}
    for path in set(s.root.rglob("*")) - before | {
            p for p in s.root.rglob("*") if "spool" in p.parts}:
        try:
            st = path.lstat()
        except FileNotFoundError:
            continue
        name = str(path.relative_to(s.root))
        if name.startswith("etc/") or stat.S_ISLNK(st.st_mode):
            continue
        seen[name] = st
        others = st.st_mode & 0o7
        if stat.S_ISSOCK(st.st_mode):
            # a socket's door is its directory
            others = 0 if "/public/" in name or "/private/" in name else others
        allowed = OPEN_TO_ALL.get(name, 0)
        assert others & ~allowed == 0, (name, oct(st.st_mode))
        assert not (stat.S_ISREG(st.st_mode) and st.st_mode & 0o111), name
    # nobody but the queue's owner in the queues, the drop group in maildrop
    for name in ("incoming", "deferred", "hold", "corrupt", "report",
                 "private"):
        assert stat.S_IMODE(seen[f"spool/{name}"].st_mode) & 0o077 == 0, name
    assert stat.S_IMODE(seen["spool/maildrop"].st_mode) & 0o007 == 0
    mail = [n for n in seen if n.startswith("mail/") and "/new/" in n or
            n.startswith("mail/") and "/cur/" in n]
    assert mail
    for name in mail:
        assert stat.S_IMODE(seen[name].st_mode) == 0o600, name
        assert seen[name].st_uid == s.uid
