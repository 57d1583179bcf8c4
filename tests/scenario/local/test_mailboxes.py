# SPDX-License-Identifier: ISC
"""Where local puts a user's mail."""
import fcntl
import grp
import os
import pwd
import re
import shutil
import stat

import pytest

from posthaste import AS_ROOT, owner_ids, threads, wait_for


def spool_text(s):
    return s.spool_file.read_text() if s.spool_file.exists() else ""


def test_mbox_in_the_spool_directory(local, outcome):
    s = local()
    s.send(to=f"{s.user}@local.test", body="one\r\nFrom two\r\nthree\r\n")
    o = outcome(s, f"{s.user}@local.test")
    assert (o.relay, o.dsn, o.status, o.text) == (
        "local", "2.0.0", "sent", "delivered to mailbox")
    text = spool_text(s)
    assert text.startswith("From alice@example.test  ")
    assert (f"\nReturn-Path: <alice@example.test>\n"
            f"X-Original-To: {s.user}@local.test\n"
            f"Delivered-To: {s.user}@local.test\n") in text
    assert text.endswith("\none\n>From two\nthree\n\n")
    assert "\r" not in text
    st = s.spool_file.stat()
    assert st.st_uid == owner_ids()[0]
    assert stat.S_IMODE(st.st_mode) == 0o600
    assert not (s.var_mail / f"{s.user}.lock").exists()


def test_mbox_flags_are_not_the_senders(local, outcome):
    """Fields by which an mbox keeps flags and UIDs are marked."""
    s = local()
    s.send(to=f"{s.user}@local.test",
           subject="x\r\nStatus: RO\r\nX-Status: D\r\n"
                   "X-IMAPbase: 4294967295 9",
           body="Status: stays\r\n")
    assert outcome(s, f"{s.user}@local.test").status == "sent"
    text = spool_text(s)
    assert "\nX-Sender-Status: RO\nX-Sender-X-Status: D\n" in text
    assert "\nX-Sender-X-IMAPbase: 4294967295 9\n" in text
    assert "\nStatus: stays\n" in text


def test_case_and_extension_do_not_matter(local, outcome):
    s = local()
    address = f"{s.user.upper()}+list@local.test"
    s.send(to=address)
    assert outcome(s, address.replace("+", r"\+")).status == "sent"
    assert f"Delivered-To: {address}\n" in spool_text(s)


@pytest.mark.skipif(not AS_ROOT, reason="needs root's rights")
@pytest.mark.parametrize("mode", [0o2775, 0o755])
def test_spool_directory_that_users_cannot_write(local, outcome, mode):
    """The spool of the mail group, and one where root makes the files."""
    s = local(start=False)
    os.chown(s.var_mail, 0, grp.getgrnam("mail").gr_gid)
    os.chmod(s.var_mail, mode)
    s.start()
    for _ in range(2):
        q = s.send(to=f"{s.user}@local.test")
        assert outcome(s, f"{s.user}@local.test", q).status == "sent"
    st = s.spool_file.stat()
    assert st.st_uid == owner_ids()[0]
    assert stat.S_IMODE(st.st_mode) == 0o600
    assert spool_text(s).count("\nSubject: test\n") == 2
    assert not (s.var_mail / f"{s.user}.lock").exists()


def user_with_a_home():
    """Somebody whose home directory exists; nothing is written there."""
    return next((p for p in pwd.getpwall() if os.path.isdir(p.pw_dir) and
                 (p.pw_uid == os.geteuid() or
                  os.geteuid() == 0 != p.pw_uid)), None)


@pytest.mark.skipif(user_with_a_home() is None, reason="no user has a home")
def test_home_mailbox_maildir_has_unix_line_ends(local, outcome):
    s = local(start=False)
    user = user_with_a_home()
    box = s.root / "box"
    box.mkdir()
    os.chown(box, user.pw_uid, user.pw_gid)
    s.set(home_mailbox=os.path.relpath(box / "Maildir",
                                       os.path.realpath(user.pw_dir)) + "/")
    s.start()
    s.send(to=f"{user.pw_name}@local.test")
    assert outcome(s, f"{user.pw_name}@local.test").text == \
        "delivered to maildir"
    new, = (box / "Maildir/new").iterdir()
    assert b"\r" not in new.read_bytes()
    assert new.stat().st_uid == user.pw_uid
    assert f",S={new.stat().st_size}," in new.name
    assert not list((box / "Maildir/tmp").iterdir())


def test_unknown_user(local, outcome):
    s = local()
    s.send(to="nobodyatall@local.test")
    o = outcome(s, "nobodyatall@local.test")
    assert (o.dsn, o.status) == ("5.1.1", "bounced")
    assert o.text == 'unknown user: "nobodyatall"'


def test_luser_relay_takes_unknown_users(local):
    s = local(luser_relay="bob+$local@example.test")
    s.send(to="joe@local.test")
    text, = s.wait_messages("bob")
    assert b"Delivered-To: bob+joe@example.test\r\n" in text
    assert b"X-Original-To: joe@local.test\r\n" in text


def test_fallback_transport_takes_unknown_users(local, outcome):
    s = local(fallback_transport="error:5.1.6 gone away")
    s.send(to="joe@local.test")
    s.wait_log(r"relay=error, .*dsn=5.1.6, status=bounced \(gone away\)")
    s.send(to=f"{s.user}@local.test")
    assert outcome(s, f"{s.user}@local.test").status == "sent"


def test_mailbox_command_without_shell(local, outcome):
    s = local(mailbox_command="/bin/sh {root}/home/deliver")
    s.own("deliver", f"""
cat > {s.home}/got
env > {s.home}/env
ls -l /proc/self/fd > {s.home}/fds
""")
    s.send(to=f"{s.user}+ext@local.test", body="hello\r\n")
    o = outcome(s, rf"{s.user}\+ext@local.test")
    assert o.text == f"delivered to command: /bin/sh {s.home}/deliver"
    got = (s.home / "got").read_text()
    assert got.startswith("From alice@example.test  ")
    assert got.endswith("\nhello\n") and "\r" not in got
    env = (s.home / "env").read_text().splitlines()
    for line in (f"USER={s.user}", f"LOGNAME={s.user}", "EXTENSION=ext",
                 f"LOCAL={s.user}+ext", "DOMAIN=local.test",
                 f"RECIPIENT={s.user}+ext@local.test",
                 "SENDER=alice@example.test"):
        assert line in env
    # nothing of the daemon's own environment
    assert {line.split("=")[0] for line in env} <= {
        "USER", "LOGNAME", "EXTENSION", "LOCAL", "DOMAIN", "RECIPIENT",
        "ORIGINAL_RECIPIENT", "SENDER", "HOME", "SHELL", "PATH", "TZ",
        "MAIL_CONFIG", "LANG", "PWD", "_", "OLDPWD", "SHLVL"}


def test_tables_choose_command_and_transport(local, outcome):
    s = local(mailbox_command_maps="inline:{{ {user}=/bin/true }}")
    s.send(to=f"{s.user}@local.test")
    o = outcome(s, f"{s.user}@local.test")
    assert o.text == "delivered to command: /bin/true"
    s.set(mailbox_transport_maps="inline:{ %s=discard:thrown }" % s.user)
    s.posthaste("reload")
    wait_for("the new settings", lambda: s.send(
        to=f"{s.user}@local.test") and re.search(
            r"relay=discard, .*status=sent \(thrown\)", s.log()))


def test_home_directory_that_is_missing(local, outcome):
    s = local(require_home_directory="yes", start=False)
    user = next(p for p in pwd.getpwall() if p.pw_uid not in (0, s.uid) and
                not os.path.exists(p.pw_dir))
    s.start()
    s.send(to=f"{user.pw_name}@local.test")
    o = outcome(s, f"{user.pw_name}@local.test")
    assert o.status == "deferred" and "home directory" in o.text


@pytest.mark.skipif(not os.path.exists("/usr/bin/procmail"),
                    reason="procmail is not installed")
def test_procmail(local, outcome):
    s = local(mailbox_command="/usr/bin/procmail -m {root}/home/rc")
    s.own("rc", f"""SHELL=/bin/sh
DEFAULT={s.home}/default
:0:
* ^Subject: special
{s.home}/special
""")
    s.send(to=f"{s.user}@local.test", subject="special", body="a\r\n")
    wait_for("the special mailbox", (s.home / "special").exists)
    s.send(to=f"{s.user}@local.test", subject="other", body="b\r\n")
    wait_for("the default mailbox", (s.home / "default").exists)
    s.wait_empty()
    assert "Subject: special" in (s.home / "special").read_text()
    assert (s.home / "special").read_text().startswith("From alice@")


def test_command_exit_codes(local, outcome):
    s = local(aliases="""later: "|exit 75"
unknown: "|exit 67"
odd: "|exit 3"
words: "|echo 5.7.9 go away; exit 75"
signal: "|kill -9 $$"
good: "|/bin/cat"
""")
    cases = {"later": ("4.3.0", "deferred", "temporary failure"),
             "unknown": ("5.1.1", "bounced", "user unknown"),
             "odd": ("5.3.0", "bounced", "Command died with status 3: .*"),
             "words": ("5.7.9", "bounced", "go away"),
             "signal": ("4.3.0", "deferred",
                        "Command died with signal 9: .*"),
             "good": ("2.0.0", "sent", "delivered to command: /bin/cat")}
    for name in cases:
        s.send(to=f"{name}@local.test", sender="")
    for name, (dsn, status, text) in cases.items():
        o = outcome(s, f"{name}@local.test")
        assert (o.dsn, o.status) == (dsn, status), name
        assert re.fullmatch(text, o.text), o.text


def test_command_is_killed_when_time_is_over(local, outcome):
    s = local(aliases='slow: "|sleep 600 & echo $! >{root}/home/pid; wait"\n',
              command_time_limit="5s", start=False)
    os.chmod(s.home, 0o777)
    s.start()
    s.send(to="slow@local.test")
    o = outcome(s, "slow@local.test")
    assert o.status == "deferred"
    assert o.text.startswith("Command time limit exceeded")
    pid = int((s.home / "pid").read_text())
    wait_for("the end of the group", lambda: threads(pid) <= {"Z", "X"})


def test_locked_mailbox_waits(local, outcome):
    s = local()
    (s.var_mail / f"{s.user}.lock").write_text("")
    s.send(to=f"{s.user}@local.test")
    o = outcome(s, f"{s.user}@local.test")
    assert (o.dsn, o.status) == ("4.2.0", "deferred")
    assert "unable to lock for exclusive access" in o.text
    assert spool_text(s) == ""


@pytest.mark.parametrize("setting, kind, waits", [
    ("fcntl, dotlock", "fcntl", True), ("fcntl, dotlock", "flock", False),
    ("flock", "flock", True), ("flock", "fcntl", False),
    ("dotlock", "fcntl", False)])
def test_mailbox_that_a_mail_reader_has_locked(local, outcome, setting, kind,
                                               waits):
    """The locks that mailbox_delivery_lock names, and no others."""
    s = local(mailbox_delivery_lock=setting)
    s.send(to=f"{s.user}@local.test", subject="first")
    outcome(s, f"{s.user}@local.test")
    before = s.spool_file.read_bytes()
    with open(s.spool_file, "r+b") as reader:
        (fcntl.lockf if kind == "fcntl" else fcntl.flock)(
            reader, fcntl.LOCK_EX)
        q = s.send(to=f"{s.user}@local.test", subject="second")
        o = outcome(s, f"{s.user}@local.test", q)
        if waits:
            assert (o.dsn, o.status) == ("4.2.0", "deferred")
            assert "unable to lock for exclusive access" in o.text
            assert s.spool_file.read_bytes() == before
        else:
            assert o.status == "sent"


def test_delivery_goes_on_when_the_lock_is_given_back(local, outcome):
    s = local(deliver_lock_attempts="30", deliver_lock_delay="1s")
    s.send(to=f"{s.user}@local.test", subject="first")
    outcome(s, f"{s.user}@local.test")
    with open(s.spool_file, "r+b") as reader:
        fcntl.lockf(reader, fcntl.LOCK_EX)
        q = s.send(to=f"{s.user}@local.test", subject="second")
        # it holds the dot-lock while it waits for the other
        wait_for("local to wait",
                 (s.var_mail / f"{s.user}.lock").exists)
        fcntl.lockf(reader, fcntl.LOCK_UN)
    assert outcome(s, f"{s.user}@local.test", q).status == "sent"
    assert spool_text(s).count("\nSubject: ") == 2


def test_old_lock_file_of_a_dead_program_is_taken(local, outcome):
    s = local(stale_lock_time="5s", deliver_lock_attempts="10")
    lock = s.var_mail / f"{s.user}.lock"
    lock.write_text("")
    os.chown(lock, *owner_ids())
    os.utime(lock, (1, 1))
    s.send(to=f"{s.user}@local.test")
    assert outcome(s, f"{s.user}@local.test").status == "sent"
    assert not lock.exists()


def test_mailbox_limit(local, outcome):
    s = local(mailbox_size_limit="20000", message_size_limit="19000")
    s.send(to=f"{s.user}@local.test", body="x\r\n" * 4000)
    assert outcome(s, f"{s.user}@local.test").status == "sent"
    before = s.spool_file.read_bytes()
    q = s.send(to=f"{s.user}@local.test", body="y\r\n" * 6000)
    o = outcome(s, f"{s.user}@local.test", q)
    assert (o.dsn, o.status) == ("5.2.2", "bounced")
    assert s.spool_file.read_bytes() == before


@pytest.mark.skipif(not AS_ROOT, reason="needs root's rights")
def test_commands_may_use_set_gid_programs(local, outcome):
    """A command that submits mail needs postdrop's group."""
    s = local(aliases='group: "|{root}/home/group -gn >{root}/home/got"\n')
    if os.statvfs(s.root).f_flag & os.ST_NOSUID:
        pytest.skip("no set-gid programs on this file system")
    s.home.chmod(0o777)
    shutil.copy("/usr/bin/id", s.home / "group")
    shutil.chown(s.home / "group", "root", "posthaste-drop")
    os.chmod(s.home / "group", 0o2755)
    s.send(to="group@local.test")
    assert outcome(s, "group@local.test").status == "sent"
    assert (s.home / "got").read_text() == "posthaste-drop\n"


def test_luser_relay_obeys_no_stranger(local):
    """A recipient is one address, not a list with commands in it."""
    s = local(luser_relay="bob+$local@example.test")
    marks = [s.root / name for name in ("one", "two")]
    s.root.chmod(0o777)
    with s.smtp() as session:
        session.ehlo()
        for to in (f'"x,|touch {marks[0]},y"@local.test',
                   f'"x,:include:{s.root}/etc/aliases,y"@local.test'):
            session.docmd("MAIL FROM:<alice@example.test>")
            session.docmd(f"RCPT TO:<{to}>")
            session.data("Subject: test\r\n\r\n")
    s.set(luser_relay="$local")
    s.posthaste("reload")
    with s.smtp() as session:
        session.ehlo()
        session.docmd("MAIL FROM:<alice@example.test>")
        session.docmd(f'RCPT TO:<"|touch {marks[1]}"@local.test>')
        session.data("Subject: test\r\n\r\n")
    s.wait_empty()
    assert not any(mark.exists() for mark in marks)
