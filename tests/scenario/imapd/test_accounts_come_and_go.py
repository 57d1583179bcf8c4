# SPDX-License-Identifier: ISC
"""An account is removed and made again, under its old name elsewhere or by
somebody else in its old place, with everything that could be kept kept: each
sees its own mail, and no identifier comes twice."""
import os
import re
import shutil
import time

from posthaste import PASSWORD, wait_for

MAIN = "disable_plaintext_auth = no\n"


def accounts(s, homes):
    """These and no others, each name with its Maildir."""
    path = s.root / "etc/accounts"
    text = "".join(
        f"{name}@example.test:{{PLAIN}}{PASSWORD}:{s.uid}:{s.gid}::{home}"
        f"::userdb_mail=maildir:{home}\n" for name, home in homes.items())
    new = path.with_suffix(".new")
    new.write_text(text)
    shutil.copymode(path, new)
    shutil.chown(new, path.stat().st_uid, path.stat().st_gid)
    os.rename(new, path)


def login(s, name):
    """A session of this account as it is now, or None."""
    c = s.imap(user=None)
    word, _, _ = c.command(f"LOGIN {name} {PASSWORD}")
    if word == "OK":
        return c
    c.close()
    return None


def look(c):
    """(canaries, UIDVALIDITY, MAILBOXID)"""
    lines = b"\n".join(c.ok("SELECT INBOX"))
    ids = (re.search(rb"\[UIDVALIDITY (\d+)\]", lines)[1],
           re.search(rb"\[MAILBOXID \((\S+)\)\]", lines)[1])
    found = set()
    if b"* 0 EXISTS" not in lines:
        rows = c.ok("FETCH 1:* (ENVELOPE BODY.PEEK[HEADER.FIELDS (Subject)])")
        found = {m.decode() for x in rows
                 for m in re.findall(rb"Subject: (\S+)", x)}
    return found, *ids


def test_each_sees_its_own(suite):
    s = suite(main=MAIN)
    seen_ids = set()
    base = s.maildir("bob").parent
    for turn in range(4):
        # bob's and carol's places change hands, or are new
        homes = {"bob": base / f"place{turn % 3}",
                 "carol": base / f"place{(turn + 1) % 3}"}
        accounts(s, homes)
        for name, home in homes.items():
            c = wait_for(f"{name} in {home}", lambda: login(s, name))
            canary = f"turn{turn}-{name}"
            found, *ids = look(c)
            assert found == set(), (turn, name, found)
            # two accounts may have begun in the same second
            mine = {(name, ids[0]), ids[1]}
            assert not seen_ids & mine, (turn, name)
            seen_ids |= mine
            c.append("INBOX", f"Subject: {canary}\r\n\r\nx\r\n".encode())
            c.ok("NOOP")
            assert look(c)[0] == {canary}
            # a second session, of what is remembered
            d = login(s, name)
            assert look(d)[0] == {canary}
            d.close()
            c.close()
        # removed, while its process is still there
        accounts(s, {})
        wait_for("bob to be nobody", lambda: login(s, "bob") is None)
        for home in homes.values():
            shutil.rmtree(home)
        # UIDVALIDITY is the time where nothing says more
        last = int(time.time())
        wait_for("the next second", lambda: int(time.time()) > last)
