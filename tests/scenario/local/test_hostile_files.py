# SPDX-License-Identifier: ISC
"""What a user may have put in the place of a mailbox or .forward file."""
import os
import threading
import time

import pytest

from posthaste import AS_ROOT, wait_for


@pytest.fixture
def victim(tmp_path):
    path = tmp_path / "victim"
    path.write_text("precious\n")
    path.chmod(0o666)
    os.chmod(tmp_path, 0o755)
    return path


def deliver(s, outcome):
    s.send(to=f"{s.user}@local.test", sender="")
    return outcome(s, f"{s.user}@local.test")


def test_mailbox_is_a_symbolic_link(local, outcome, victim):
    s = local()
    s.spool_file.symlink_to(victim)
    assert deliver(s, outcome).status == "bounced"
    assert victim.read_text() == "precious\n"


def test_mailbox_is_a_hard_link(local, outcome, victim):
    s = local()
    other = s.var_mail / "other"
    other.write_text("precious\n")
    os.link(other, s.spool_file)
    if AS_ROOT:
        os.chown(other, s.uid, s.gid)
    assert deliver(s, outcome).status == "bounced"
    assert other.read_text() == "precious\n"


def test_mailbox_is_a_fifo(local, outcome):
    s = local()
    os.mkfifo(s.spool_file)
    os.chown(s.spool_file, s.uid, s.gid)
    assert deliver(s, outcome).status in ("bounced", "deferred")
    # and the agent is not stuck in it
    s.send(to="nobodyatall@local.test")
    assert outcome(s, "nobodyatall@local.test").status == "bounced"


def test_mailbox_is_a_directory(local, outcome):
    s = local()
    s.spool_file.mkdir()
    assert deliver(s, outcome).status == "bounced"


@pytest.mark.skipif(not AS_ROOT, reason="needs files of two users")
def test_mailbox_of_somebody_else(local, outcome):
    s = local()
    s.spool_file.write_text("theirs\n")
    s.spool_file.chmod(0o666)
    o = deliver(s, outcome)
    assert o.status == "deferred"
    assert "not owned by recipient" in o.text
    assert s.spool_file.read_text() == "theirs\n"


def test_alias_to_a_link_in_a_users_directory(local, outcome, victim):
    s = local(aliases="file: {root}/home/box\n")
    os.chmod(s.home, 0o777)
    (s.home / "box").symlink_to(victim)
    s.send(to="file@local.test", sender="")
    assert outcome(s, "file@local.test").status == "bounced"
    assert victim.read_text() == "precious\n"


@pytest.mark.parametrize("kind", ["link", "fifo", "directory", "writable",
                                  "foreign"])
def test_forward_file_that_is_not_to_be_trusted(local, outcome, kind):
    s = local()
    path = s.home / ".forward"
    text = "bob@example.test\n"
    if kind == "link":
        s.own("real", text)
        path.symlink_to(s.home / "real")
    elif kind == "fifo":
        os.mkfifo(path)
        os.chown(path, s.uid, s.gid)
    elif kind == "directory":
        path.mkdir()
    elif kind == "writable":
        s.own(".forward", text, 0o666)
    elif kind == "foreign":
        if not AS_ROOT:
            pytest.skip("needs files of two users")
        s.own(".forward", text)
        os.chown(path, 65533, 65533)
    o = deliver(s, outcome)
    assert (o.status, o.text) == ("sent", "delivered to mailbox")
    s.wait_log(r"warning: file \S+/home/\.forward (is|has|cannot)")
    s.wait_empty()
    assert not s.messages("bob")


@pytest.mark.skipif(not AS_ROOT, reason="needs files of two users")
def test_commands_of_users_are_not_roots(local, outcome):
    s = local(aliases='team: "|id -un >{root}/home/alias-user"\n')
    os.chmod(s.home, 0o777)
    s.send(to="team@local.test")
    assert outcome(s, "team@local.test").status == "sent"
    assert (s.home / "alias-user").read_text() == "nobody\n"
    s.own(".forward", f'"|id -un >{s.home}/forward-user"\n')
    assert deliver(s, outcome).status == "sent"
    assert (s.home / "forward-user").read_text() == f"{s.user}\n"


@pytest.mark.skipif(not AS_ROOT, reason="needs files of two users")
@pytest.mark.parametrize("kind", ["hash", "texthash", "regexp"])
def test_aliases_have_the_rights_of_who_owns_them_now(local, outcome, kind):
    """As the file is read, not as it was when the program began."""
    key = "/^team$/ " if kind == "regexp" else "team: "
    s = local(aliases=key + '"|id -un >{root}/home/alias-user"\n',
              alias_maps=kind + ":{root}/etc/aliases")
    aliases, ran = s.root / "etc/aliases", s.home / "alias-user"
    os.chmod(s.home, 0o777)

    def runs_as(name):
        def once():
            ran.unlink(missing_ok=True)
            id = s.send(to="team@local.test")
            assert outcome(s, "team@local.test", id).status == "sent"
            return ran.read_text() == f"{name}\n"
        wait_for(f"a command of {name}", once, 30)

    runs_as("nobody")
    other = s.write("new", aliases.read_text())
    os.chown(other, s.uid, s.gid)
    other.rename(aliases)
    runs_as(s.user)
    os.chown(aliases, 0, 0)
    runs_as("nobody")


def test_virtual_path_cannot_leave_its_base(suite, outcome):
    s = suite(start=False)
    (s.root / "outside").mkdir()
    os.chmod(s.root / "outside", 0o777)
    base = s.root / "mail/example.test"
    base.mkdir()
    os.chown(base, s.uid, s.gid)
    (base / "link").symlink_to(s.root / "outside")
    s.write("mailboxes", "a@example.test ../outside/\n"
            "b@example.test example.test/../../outside/\n"
            "c@example.test example.test/link/\n"
            "d@example.test example.test/./d/\n"
            "e@example.test example.test/e/\n")
    s.start()
    for user in "abcde":
        s.send(to=f"{user}@example.test", sender="")
    for user in "abcd":
        assert outcome(s, f"{user}@example.test").status == "deferred"
    assert outcome(s, "e@example.test").status == "sent"
    assert not list((s.root / "outside").iterdir())


def test_virtual_owner_below_the_minimum(suite, outcome):
    s = suite(start=False)
    s.set(virtual_minimum_uid="100000", virtual_uid_maps="static:50")
    s.start()
    s.send()
    o = outcome(s, "bob@example.test")
    assert (o.dsn, o.status) == ("4.3.5", "deferred")
    s.wait_log("warning: recipient bob@example.test: .*virtual_minimum_uid")


@pytest.mark.skipif(not AS_ROOT, reason="needs files of two users")
def test_virtual_maildir_of_somebody_else(suite, outcome):
    """root must not move mail where only root could."""
    s = suite(start=False)
    box = s.maildir("bob")
    for part in ("new", "tmp", "cur"):
        (box / part).mkdir(parents=True)
    os.chmod(box, 0o755)
    s.start()
    s.send()
    o = outcome(s, "bob@example.test")
    assert (o.dsn, o.status) == ("4.2.0", "deferred")
    assert not s.messages("bob")


@pytest.mark.parametrize("age", [0, 100000])
@pytest.mark.parametrize("kind", ["link", "hard link", "nowhere", "fifo",
                                  "directory"])
def test_what_is_in_the_place_of_a_lock(local, outcome, victim, kind, age):
    """CVE-2010-2023: nothing is written through it, and nothing hangs."""
    s = local()
    lock = s.var_mail / f"{s.user}.lock"
    tripwire = s.root / "tripwire"
    if kind == "link":
        lock.symlink_to(victim)
    elif kind == "hard link":
        os.link(victim, lock)
    elif kind == "nowhere":
        lock.symlink_to(tripwire)
    elif kind == "fifo":
        os.mkfifo(lock)
    else:
        lock.mkdir()
    now = time.time()
    os.utime(lock, (now - age, now - age),
             follow_symlinks=kind == "hard link")
    assert deliver(s, outcome).status in ("sent", "deferred")
    assert victim.read_text() == "precious\n" and victim.stat().st_mtime > 0
    assert not tripwire.exists()
    # and the agent is not stuck in it
    s.send(to="nobodyatall@local.test")
    assert outcome(s, "nobodyatall@local.test").status == "bounced"


@pytest.mark.skipif(not AS_ROOT, reason="needs files of two users")
def test_mailbox_that_changes_all_the_time(local, outcome, victim):
    """CVE-2008-2936, CVE-2021-27216: what was looked at is what is written."""
    s = local(virtual_destination_concurrency_limit="5")
    victim.chmod(0o600)
    ends, turns = threading.Event(), []
    makes = [lambda new: (new.touch(), os.chown(new, s.uid, s.gid)),
             lambda new: new.symlink_to(victim),
             lambda new: os.link(victim, new),
             lambda new: os.mkfifo(new)]

    def change():
        while not ends.is_set():
            for n, make in enumerate(makes):
                new = s.var_mail / f"new{n}"
                make(new)
                new.rename(s.spool_file)  # of a hard link to itself: nothing
                new.unlink(missing_ok=True)
            turns.append(1)
    thread = threading.Thread(target=change)
    thread.start()
    try:
        ids = [s.send(to=f"{s.user}@local.test", sender="")
               for _ in range(60)]
        said = {outcome(s, f"{s.user}@local.test", id).status for id in ids}
    finally:
        ends.set()
        thread.join()
    assert len(turns) > 60 and said <= {"sent", "bounced", "deferred"}
    assert victim.read_text() == "precious\n"
    status = victim.stat()
    assert (status.st_uid, status.st_mode & 0o777) == (0, 0o600)
    assert [p.name for p in victim.parent.iterdir()] == ["victim"]
