# SPDX-License-Identifier: ISC
"""Mailboxes on a disk that is full: what cannot be done is answered NO with a
code, sessions go on, reading does, and what was acknowledged is there, whole,
when there is room again."""
import errno
import os
import re
import subprocess

import pytest
from fetched import MAIN, put
from mail_caches import fetched

from posthaste import AS_ROOT

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="mounting wants root")
PAGE = 4096
ROOM = re.compile(rb"\[(UNAVAILABLE|OVERQUOTA)\] ")


def run(*command):
    done = subprocess.run(command, capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"{command[0]}: {done.stderr.decode()}")


@pytest.fixture(params=["tmpfs", "ext4"])
def small_disk(request, tmp_path):
    """mounts a small file system where an instance's mailboxes go"""
    mounted = []

    def mount(s, megabytes):
        path = s.root / "mail"
        if request.param == "tmpfs":
            run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs",
                str(path))
        else:
            image = tmp_path / "image"
            image.touch()
            os.truncate(image, megabytes << 20)
            run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal",
                "-N", "2000", str(image))
            run("mount", "-o", "loop", str(image), str(path))
        mounted.append(s)
        os.chown(path, s.uid, s.gid)
        return path

    yield mount
    for s in mounted:
        s.stop()
        subprocess.run(["umount", "-l", str(s.root / "mail")], check=False)


class Filler:
    """Takes all the room but some pages, and gives it back."""

    def __init__(self, folder):
        self.path = folder / "filler"

    def fill(self, leave=0):
        with open(self.path, "wb", buffering=0) as f:
            for size in (65536, PAGE, 512):
                try:
                    while f.write(bytes(size)) == size:
                        pass
                except OSError as e:
                    assert e.errno == errno.ENOSPC
            os.fsync(f.fileno())
            if leave:
                f.truncate(max(0, f.tell() - leave * PAGE))

    def free(self):
        self.path.unlink(missing_ok=True)


def text(ident, size=200):
    """A message that shows when part of it is missing."""
    return (f"Subject: x\r\nX-Id: {ident}\r\nX-Size: {size}\r\n\r\n"
            + "y" * size + "\r\n.\r\n").encode()


def whole(c, folder, examine=True):
    """{uid: (id, flags)}; every message must be all there."""
    lines = c.ok(f"{'EXAMINE' if examine else 'SELECT'} {folder}")
    (exists,) = [int(x.split()[1]) for x in lines if x.endswith(b" EXISTS")]
    found = {}
    if exists == 0:
        return found
    for line in c.ok("FETCH 1:* (UID FLAGS BODY.PEEK[])"):
        row = fetched(line)
        if not row or "id" not in row[1]:
            continue
        size = int(re.search(rb"X-Size: (\d+)", line)[1])
        assert line.count(b"y") >= size and b"\r\n.\r\n" in line, line
        found[row[1]["uid"]] = row[1]["id"], row[1]["flags"]
    assert len(found) == exists, (exists, found)
    return found


def ids(found):
    return sorted(ident for ident, _ in found.values())


def tried(c, command, *literals):
    """True if it was done; what was not was refused for want of room."""
    word, rest, lines = c.command(command, *literals)
    assert word in ("OK", "NO"), (command, word, rest)
    assert not any(x.startswith(b"* BYE") for x in lines), (command, lines)
    if word == "NO":
        assert ROOM.match(rest), (command, rest)
    return word == "OK"


def start(suite, small_disk, messages=20):
    s = suite(start=False, main=MAIN)
    disk = small_disk(s, 6)
    s.start()
    put(s, [text(f"first{i}") for i in range(messages)])
    c = s.imap()
    c.ok("CREATE there")
    c.ok("SELECT INBOX")
    return s, c, Filler(disk)


def deliver(s, ident):
    path = s.maildir("bob") / f"tmp/1700009999.M{len(ident)}P1_{ident}.test"
    path.write_bytes(text(ident))
    os.chown(path, s.uid, s.gid)
    path.rename(s.maildir("bob") / "new" / path.name)


def test_refused_read_on_and_got_over(suite, small_disk):
    s, c, filler = start(suite, small_disk)
    put(s, [text("alices")], user="alice")
    assert ids(whole(c, "INBOX", False)) == sorted(
        f"first{i}" for i in range(20))
    deliver(s, "late")
    filler.fill()
    for size in (300, 500000):
        assert not tried(c, "APPEND there {}", text("no", size))
    assert not tried(c, "APPEND INBOX {} {} {}", *3 * [text("no", 9000)])
    tried(c, "COPY 1:5 there")
    tried(c, "MOVE 6:8 there")
    tried(c, "STORE 1:3 +FLAGS (\\Flagged)")
    tried(c, "STORE 1:3 +FLAGS ($Forwarded)")
    tried(c, "CREATE more")
    tried(c, "SUBSCRIBE there")
    tried(c, f'SETMETADATA INBOX (/private/comment "{"z" * 900}")')
    c.ok("NOOP")
    c.ok("STATUS there (MESSAGES UIDNEXT UNSEEN)")
    # reading goes on, and for others
    before = whole(c, "INBOX")
    other = s.imap()
    assert ids(whole(other, "INBOX", False)) == ids(before)
    other.ok("SEARCH BODY yyy")
    other.ok('FETCH 1:* (ENVELOPE BODYSTRUCTURE)')
    other.ok('LIST "" *')
    first = s.imap(user=None)
    if first.command("LOGIN alice posthaste")[0] == "OK":
        tried(first, "SELECT INBOX")
    first.close()
    # what makes room is possible
    other.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE")
    left = ids(whole(c, "INBOX"))
    assert left == ids(before)[2:] or len(left) >= len(before) - 2
    filler.free()
    c.ok("SELECT INBOX")
    c.ok("NOOP")
    found = ids(whole(c, "INBOX")) + ids(whole(c, "there"))
    assert "no" not in found and found.count("late") == 1, found
    assert {f"first{i}" for i in range(20)} - set(found) <= {
        "first0", "first1"}
    for size in (300, 500000):
        c.append("there", text(f"yes{size}", size))
    assert {"yes300", "yes500000"} <= set(ids(whole(c, "there")))
    assert ids(whole(s.imap(user="alice"), "INBOX")) == ["alices"]
    c.close(), other.close()
    no_crash(s)


def no_crash(s):
    for line in s.log().splitlines():
        assert not re.search(r"panic|fatal|signal \d|is damaged", line), line


def no_reserve(s):
    """Takes from the index the blocks behind its end."""
    index = s.maildir("bob") / "posthaste.index"
    os.truncate(index, index.stat().st_size)


@pytest.mark.parametrize("reserve", [True, False])
def test_room_for_some_pages(suite, small_disk, reserve):
    """Each step may be the first that finds no room."""
    s, c, filler = start(suite, small_disk, 5)
    there, flags = {f"first{i}" for i in range(5)}, {}
    for n in range(32):
        if not reserve:
            no_reserve(s)
        filler.fill(leave=n)
        lines = c.ok("SELECT INBOX")
        names = [f"a{n}", f"b{n}", f"c{n}"]
        if tried(c, "APPEND INBOX {}", text(names[0])):
            there.add(names[0])
        if tried(c, "APPEND INBOX (k%d) {} {}" % n,
                 *(text(i, 3000) for i in names[1:])):
            there.update(names[1:])
        lines = c.ok("UID SEARCH ALL")
        last = int(lines[-1].split()[-1])
        word = f"K{n}"
        stored = tried(c, f"UID STORE {last} +FLAGS ({word})")
        tried(c, f"UID COPY {last} there")
        tried(c, f"CREATE f{n}")
        tried(c, f'SETMETADATA INBOX (/private/comment "{"z" * 20 * n}")')
        seen = whole(c, "INBOX")
        assert set(ids(seen)) >= there, n
        filler.free()
        now = whole(c, "INBOX")
        assert set(ids(now)) >= there, n
        assert len(ids(now)) == len(set(ids(now))), ids(now)
        assert set(ids(now)) - there <= set(), "refused, and there after all"
        if stored:
            flags[last] = word.lower()
        for uid, flag in flags.items():
            assert flag in now[uid][1], (uid, flag, now[uid])
    fresh = s.imap()
    assert whole(fresh, "INBOX") == now
    fresh.close()
    no_crash(s)


def test_what_others_deliver_waits_for_room_in_the_index(suite, small_disk):
    """Their names are more than all pages that the index has; for Dovecot's
    list of them there is room."""
    s, c, filler = start(suite, small_disk, 5)
    before = whole(c, "INBOX", False)
    index = s.maildir("bob") / "posthaste.index"
    count = 3 * index.stat().st_blocks * 512 // 200
    for n in range(count):
        path = s.maildir("bob") / f"cur/1700009999.M{n:06}P1_{'x' * 180}:2,"
        path.touch()
        os.chown(path, s.uid, s.gid)
    filler.fill(leave=count * 250 // PAGE)
    no_reserve(s)
    assert whole(c, "INBOX") == before
    s.wait_log("INBOX: changes are not taken up:"
               " no room for the mailbox's index")
    filler.free()
    said = b"".join(c.ok("STATUS INBOX (MESSAGES)"))
    assert b"(MESSAGES %d)" % (5 + count) in said
    found = c.ok("UID SEARCH HEADER X-Id first")[-1].split()[2:]
    assert sorted(map(int, found)) == sorted(before)
    no_crash(s)


def test_first_login_finds_no_room(suite, small_disk):
    """No index can be made: NO, not an end; afterwards it is made."""
    s, c, filler = start(suite, small_disk, 3)
    c.logout()
    put(s, [text("hers")], user="alice")
    for n in range(0, 40, 2):
        filler.fill(leave=n)
        c = s.imap(user=None)
        word, rest, _ = c.command("LOGIN alice posthaste")
        if word == "OK":
            tried(c, "SELECT INBOX")
        else:
            assert rest.startswith(b"[UNAVAILABLE] "), rest
        c.close()
        filler.free()
    c = s.imap(user="alice")
    assert ids(whole(c, "INBOX")) == ["hers"]
    no_crash(s)
