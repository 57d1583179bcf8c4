# SPDX-License-Identifier: ISC
"""pop3_uidl_format: unique ids in the form a site gives them, that stay."""
import hashlib
import os
import re

import pytest

from pop3_client import Client, put

PLAIN = "disable_plaintext_auth = no\n"
DOVECOT = PLAIN + "pop3_uidl_format = %08Xu%08Xv\n"
ONE = b"Subject: one\r\n\r\ntext\r\n"
# 40 has an id from before Dovecot, 42 a GUID
LIST = ("3 V1234 N44 G0123456789abcdef0123456789abcdef\n"
        "40 Pimported :1.a\n41 :2.b,S=21\n42 Gthe-guid W21 :3.c\n")


def migrated(s):
    """bob's mail as Dovecot has left it, and one that has come since."""
    for name in ("1.a:2,S", "2.b,S=21:2,", "3.c:2,F"):
        put(s, "bob", name, ONE, folder="cur")
    put(s, "bob", "4.d,S=20,W=20", ONE)
    path = s.maildir("bob") / "dovecot-uidlist"
    path.write_text(LIST)
    os.chown(path, s.uid, s.gid)


def uidls(s, user="bob"):
    c = Client(s, "pop3s", login=user)
    assert c.last == b"+OK Logged in"
    first, lines = c.many("UIDL")
    assert first.startswith(b"+OK")
    c.say("QUIT")
    c.close()
    ids = [line.split(b" ")[1].decode() for line in lines]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[!-~]{1,70}", i) for i in ids)
    return ids


def without_index(s):
    s.stop()
    for path in s.maildir("bob").glob("posthaste.index*"):
        path.unlink()
    s.posthaste("start")
    s.started = True


@pytest.mark.parametrize("form,made", [
    ("%08Xu%08Xv", "{0:08x}{1:08x}"),
    ("UID%u-%v", "UID{0}-{1}"),
    ("%v.%u", "{1}.{0}"),
    ("%u", "{0}"),
])
def test_ids_of_a_migrated_mailbox(suite, form, made):
    """As the other server has told them; imported ones as they are; the same
    before and after IMAP, and without the index."""
    s = suite(main=PLAIN + f"pop3_uidl_format = {form}\n")
    migrated(s)
    wanted = ["imported"] + [made.format(uid, 1234) for uid in (41, 42, 44)]
    assert uidls(s) == wanted
    c = s.imap()
    assert b"UIDVALIDITY 1234" in b"\n".join(c.ok("SELECT INBOX"))
    assert c.ok("UID SEARCH ALL") == [b"* SEARCH 40 41 42 44"]
    c.ok("STORE 1:* +FLAGS (\\Flagged $Work)")
    c.append("INBOX", b"Subject: five\r\n\r\nx\r\n")
    c.ok("EXPUNGE")
    c.ok("LOGOUT")
    wanted.append(made.format(45, 1234))
    assert uidls(s) == wanted
    without_index(s)
    assert uidls(s) == wanted


def test_imap_first(suite):
    """It has given the UIDs, and what it writes for Dovecot is no other id."""
    s = suite(main=DOVECOT)
    migrated(s)
    c = s.imap()
    c.ok("SELECT INBOX")
    c.ok("LOGOUT")
    wanted = ["imported", "00000029000004d2", "0000002a000004d2",
              "0000002c000004d2"]
    assert uidls(s) == wanted
    lines = (s.maildir("bob") / "dovecot-uidlist").read_text()
    assert lines.startswith(LIST)
    assert "44 P0000002c000004d2 :4.d" in lines


def test_default_is_as_ever(suite):
    s = suite(main=PLAIN)
    migrated(s)
    wanted = ["imported", "00000029000004d2", "0000002a000004d2", "4.d"]
    assert uidls(s) == wanted
    assert not list(s.maildir("bob").glob("posthaste.index*"))
    c = s.imap()
    c.ok("SELECT INBOX")
    c.ok("LOGOUT")
    assert uidls(s) == wanted


def test_ids_are_the_uids_of_imap(suite):
    """No list of Dovecot's: UIDs are in names, given before they are told."""
    s = suite(main=DOVECOT)
    put(s, "bob", "1.a", ONE)
    put(s, "bob", "2.b:2,S", ONE, folder="cur")
    first = uidls(s)
    names = sorted(p.name for p in (s.maildir("bob") / "cur").iterdir())
    assert [re.search(",U=([0-9]+)", n)[1] for n in names] == ["2", "1"]
    c = s.imap()
    lines = b"\n".join(c.ok("SELECT INBOX"))
    validity = int(re.search(rb"UIDVALIDITY (\d+)", lines)[1])
    assert first == [f"{uid:08x}{validity:08x}" for uid in (1, 2)]
    c.ok("STORE 1 +FLAGS \\Deleted")
    c.ok("EXPUNGE")
    c.ok("LOGOUT")
    put(s, "bob", "3.c", ONE)
    third = f"00000003{validity:08x}"
    assert uidls(s) == [first[1], third]
    # the session that has the mailbox does not see more; the next one does
    c = Client(s, "pop3s", login="bob")
    put(s, "bob", "4.d", ONE)
    assert c.many("UIDL")[1] == [b"1 " + first[1].encode(),
                                 b"2 " + third.encode()]
    assert c.say("DELE 2").startswith(b"+OK")
    assert c.say("QUIT").startswith(b"+OK")
    without_index(s)
    # what was the highest UID does not come again
    ids = uidls(s)
    assert ids[0] == first[1] and len(ids) == 2
    assert int(ids[1][:8], 16) > 3
    assert uidls(s) == ids


def test_file_names_and_guids(suite):
    s = suite(main=PLAIN + "pop3_uidl_format = %g\n")
    migrated(s)
    wanted = ["imported", "2.b,S=21", "the-guid", "4.d,S=20,W=20"]
    assert uidls(s) == wanted
    c = s.imap()
    c.ok("SELECT INBOX")
    c.ok("LOGOUT")
    assert uidls(s) == wanted


def test_sums_of_file_names(suite):
    s = suite(main=PLAIN + "pop3_uidl_format = %Mf\n")
    put(s, "bob", "1.a,S=20", ONE)
    put(s, "bob", "2." + "b" * 100, ONE)
    wanted = [hashlib.md5(name.encode()).hexdigest()
              for name in ("1.a,S=20", "2." + "b" * 100)]
    assert uidls(s) == wanted


def test_ids_do_not_collide(suite):
    """An imported id is the one that another message would get; some would be
    too long, or could not be sent."""
    s = suite(main=PLAIN + "pop3_uidl_format = %f\n")
    names = ["1.a", "2.b", "3." + "c" * 100, "4.\u00e9 d"]
    for name in names:
        put(s, "bob", name + ":2,", ONE, folder="cur")
    path = s.maildir("bob") / "dovecot-uidlist"
    path.write_text("3 V1 N9 G0123456789abcdef0123456789abcdef\n"
                    "7 P1.a :2.b\n")
    os.chown(path, s.uid, s.gid)
    digests = [hashlib.sha256(n.encode()).hexdigest() for n in names]
    wanted = ["1.a", digests[0], digests[2], digests[3]]
    assert uidls(s) == wanted
    assert uidls(s) == wanted


def test_a_wrong_format_is_refused_by_name(suite):
    s = suite(main=PLAIN + "pop3_uidl_format = %m\n", start=False)
    done = s.posthaste("start", check=False)
    assert done.returncode != 0
    assert re.search(r"main\.cf: line \d+: pop3_uidl_format: %m, .*not "
                     "supported", done.err)
