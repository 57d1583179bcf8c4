# SPDX-License-Identifier: ISC
"""Delivery into each kind of place: whole, and once more at most."""
import os
import pwd

import pytest

import crasher
from posthaste import AS_ROOT, wait_for

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="all identities are one")

# all that are ended amid a delivery; smtpd before it (test_accept.py)
PARTS = ("local", "cleanup", "qmgr", "smtpd")

SCRIPT = """#!/bin/sh
cat >{home}/coming.$$ && mv {home}/coming.$$ {home}/got.$$
"""
MASTER = "filter unix - n n - - pipe\n  user={user} argv={home}/script\n"


def prepare(s, main=""):
    """One user of this machine, whose files are in the test's folder."""
    s.user = pwd.getpwuid(s.uid).pw_name
    s.home, s.var_mail = s.root / "home", s.root / "var-mail"
    s.home.mkdir()
    os.chown(s.home, s.uid, s.gid)
    s.var_mail.mkdir()
    os.chmod(s.var_mail, 0o1777)
    script = s.home / "script"
    script.write_text(SCRIPT.format(home=s.home))
    script.chmod(0o755)
    s.write("aliases", f"list: {s.user}, bob@example.test, {s.home}/file, "
                       f"\"|{script}\"\n")
    s.set(alias_maps=f"texthash:{s.root}/etc/aliases", myorigin="local.test",
          local_recipient_maps="", mail_spool_directory=s.var_mail,
          forward_path=f"{s.home}/.forward", default_privs=s.user,
          transport_maps="inline:{{filter.test=filter:}}",
          relay_domains="filter.test",
          deliver_lock_attempts="2", deliver_lock_delay="1s")
    with open(s.root / "etc/main.cf", "a") as f:
        f.write(main.replace("{root}", str(s.root)))
    with open(s.root / "etc/master.cf", "a") as f:
        f.write(MASTER.format(user=s.user, home=s.home))


def mbox(path):
    """Its messages, as a reader of "From " lines has them."""
    text = b"\n" + path.read_bytes() if path.exists() else b""
    return text.split(b"\nFrom ")[1:]


def maildir(path):
    return [crasher.shown(p) for part in ("new", "cur")
            for p in path.glob(f"{part}/*")]


PLACES = {
    "virtual": ("virtual_maildir_form = lf\n", "bob@example.test",
                lambda s: maildir(s.maildir("bob"))),
    "virtual-mbox": ("virtual_mailbox_maps = "
                     "inline:{bob@example.test=bob.mbox}\n",
                     "bob@example.test",
                     lambda s: mbox(s.root / "mail/bob.mbox")),
    "mbox": ("", "{user}@local.test", lambda s: mbox(s.var_mail / s.user)),
    "maildir": ("mail_spool_directory = {root}/var-mail/\n",
                "{user}@local.test", lambda s: maildir(s.var_mail / s.user)),
    "pipe": ("", "x@filter.test", lambda s: [
        p.read_bytes() for p in s.home.glob("got.*")]),
}

# the tables of doc/DURABILITY.md, line by line: what comes next is not done
APPEND = [r"^before write /\S+/[^./][^/ ]*$", r"^amid write /\S+/[^./][^/ ]*$",
          r"^before ftruncate /\S+\.lock\.", r"^before fsync /\S+/[^./][^/ ]*$",
          r"^before unlinkat [^./]\S*\.lock$", r"^before sendmsg socket:"]
# where the journal keeps no order there is a flush in tmp/, and then of new/
COPY = [r"^amid write /\S+/tmp/", r"^before (fsync /\S+/tmp/|rename)",
        r"^before rename", r"^before fsync /\S+/new\b",
        r"^before sendmsg socket:"]
STEPS = {"virtual": COPY, "virtual-mbox": APPEND, "mbox": APPEND,
         "maildir": COPY, "pipe": [r"^before sendmsg socket:"]}


@pytest.mark.parametrize("lines", [1, 6000], ids=["small", "large"])
@pytest.mark.parametrize("place", PLACES)
def test_delivered(crashing, place, lines):
    main, to, read = PLACES[place]
    s = crashing(prepare=lambda s: prepare(s, main))
    to = to.format(user=s.user)

    def act(token):
        crasher.send(s, [to], crasher.message(token, lines))
        wait_for("an empty queue", lambda: crasher.settled(s))
        found = crasher.with_token(read(s), token)
        assert 1 <= len(found) <= 2, (token, len(found))

    crasher.at_each_point(s, "local", act, PARTS,
                          steps=STEPS[place] if lines == 1 else ())
    for text in read(s):
        crasher.check_some_whole(text)


def test_many_mailboxes_at_once(crashing):
    """Written, renamed, flushed, told: each of these for all of them."""
    users = [f"user{n}" for n in range(10)]
    s = crashing("virtual_maildir_form = lf\n", users=users)

    def act(token):
        crasher.send(s, [f"{u}@example.test" for u in users],
                     crasher.message(token))
        wait_for("an empty queue", lambda: crasher.settled(s))
        for user in users:
            found = crasher.with_token(maildir(s.maildir(user)), token)
            assert 1 <= len(found) <= 2, (token, user, len(found))

    crasher.at_each_point(s, "local", act, PARTS, steps=[
        r"^amid write /\S+/tmp/", r"^before rename",
        r"^before (syncfs|fsync) /\S+/new\b", r"^before sendmsg socket:"])
    for user in users:
        for text in maildir(s.maildir(user)):
            crasher.check_some_whole(text)


@pytest.mark.parametrize("program", ["local", "cleanup", "qmgr"])
def test_an_alias_that_stands_for_all_kinds(crashing, program):
    s = crashing(prepare=prepare)

    def act(token):
        crasher.send(s, ["list@local.test"], crasher.message(token))
        wait_for("an empty queue", lambda: crasher.settled(s))
        for place, read in (
                ("mbox", lambda: mbox(s.var_mail / s.user)),
                ("file", lambda: mbox(s.home / "file")),
                ("bob", lambda: maildir(s.maildir("bob"))),
                ("pipe", PLACES["pipe"][2])):
            found = crasher.with_token(read(s) if place == "pipe" else read(),
                                       token)
            assert 1 <= len(found) <= 3, (token, place, len(found))

    crasher.at_each_point(s, program, act, PARTS)
