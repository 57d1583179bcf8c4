# SPDX-License-Identifier: ISC
"""Options behind a mailbox's path, in sessions whose root directory it is."""
import os
import re

from pop3_client import Client

LIST = "3 V1234 N41 G0123456789abcdef0123456789abcdef\n40 :1.a\n"


def place(s, options):
    """bob's account has these options; his mailbox is empty."""
    accounts = s.root / "etc/accounts"
    text = accounts.read_text()
    line = re.search(r"^bob.*$", text, re.M)[0]
    accounts.write_text(text.replace(line, line + options))


def put(s, path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for one in [path, *path.parents]:
        os.chown(one, s.uid, s.gid)
        if one == s.maildir("bob"):
            break


def test_inbox_and_lists_have_places_of_their_own(suite):
    """As Dovecot has them; an index that is to be outside is kept inside."""
    s = suite(start=False)
    box = s.maildir("bob")
    place(s, f":LAYOUT=fs:INBOX={box}/in:CONTROL={box}/lists"
             f":INDEX=/nowhere/at/all")
    put(s, box / "in/cur/1.a:2,S", "Subject: x\n\ny\n")
    for part in ("new", "tmp"):
        put(s, box / "in" / part / ".keep", "")
    put(s, box / "lists/INBOX/dovecot-uidlist", LIST)
    s.start()
    c = s.imap(tls="implicit")
    lines = b"\n".join(c.ok("SELECT INBOX"))
    assert b"* 1 EXISTS" in lines and b"[UIDVALIDITY 1234]" in lines
    assert b"UID 40 " in b"\n".join(c.ok("FETCH 1 (UID FLAGS)"))
    c.ok("CREATE a/b")
    c.close()
    assert (box / "a/b/cur").is_dir()
    assert (box / "lists/a/b/dovecot-uidlist").exists()
    assert (box / "posthaste.index").exists()
    pop = Client(s, "pop3s", login="bob")
    assert pop.say("UIDL 1") == b"+OK 1 00000028000004d2"


def test_lists_outside_of_the_mailbox_are_refused(suite):
    """Without them every UID would be another."""
    s = suite(start=False)
    place(s, ":CONTROL=/var/lib/lists")
    s.start()
    pattern = (r"user=<bob@example.test>: mail location: CONTROL=/var/lib/lists"
               r" is not below .*, which a session cannot leave")
    try:
        s.imap(tls="implicit").close()
    except (AssertionError, EOFError, ConnectionError):
        pass
    s.wait_log(pattern)
