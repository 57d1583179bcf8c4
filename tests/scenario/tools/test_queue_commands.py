# SPDX-License-Identifier: ISC
"""mailq, postqueue, postsuper and postcat on mail that waits."""
import errno
import fcntl
import json
import os
import re
import shutil
import subprocess
import time

import pytest

from posthaste import ROOT, wait_for

WAITS = "relayhost = [127.0.0.1]:9\nminimal_backoff_time = 1000s\n"


@pytest.fixture
def waiting(suite):
    """An instance with two deferred messages; their ids."""
    s = suite(main=WAITS)
    ids = [s.send(to=["x@relay.test", "y@relay.test"]),
           s.send(to="z@other.test")]
    wait_for("two deferred messages", lambda: len(s.queue("deferred")) == 2)
    return s, ids


def test_mailq_lists_like_postfix(waiting):
    s, ids = waiting
    out = s.command("postqueue", "-p").out
    lines = out.splitlines()
    assert re.fullmatch("----Queue ID----- +--Size-- ---Arrival Time---- "
                        "--Sender/Recipient------", lines[0])
    # what stands below a heading ends where the heading ends
    assert re.match(r"\S+ +\d+", lines[1]).end() == \
        re.match(r".*--Size--", lines[0]).end()
    assert lines[1].index("alice@") == lines[0].index("--Sender")
    for i in ids:
        assert re.search(rf"^{i} +\d+ \w{{3}} \w{{3}} [ \d]\d \d\d:\d\d:\d\d "
                         r"alice@example\.test$", out, re.M), out
    assert re.search(r"^ +\(connect to 127\.0\.0\.1\[127\.0\.0\.1\]:9: "
                     r"Connection refused\)$", out, re.M), out
    assert out.count("Connection refused") == 2
    assert out.endswith("Kbytes in 2 Requests.\n")
    assert s.command("mailq").out == out


def test_json_has_reason_and_next_attempt(waiting):
    s, ids = waiting
    rows = [json.loads(line)
            for line in s.command("postqueue", "-j").out.splitlines()]
    assert sorted(r["queue_id"] for r in rows) == sorted(ids)
    row = next(r for r in rows if r["queue_id"] == ids[0])
    assert row["queue_name"] == "deferred"
    assert row["sender"] == "alice@example.test"
    assert row["next_attempt"] > row["arrival_time"]
    assert sorted(r["address"] for r in row["recipients"]) == \
        ["x@relay.test", "y@relay.test"]
    assert "Connection refused" in row["recipients"][0]["delay_reason"]


def test_empty_queue_is_said_so(suite):
    s = suite()
    assert s.command("postqueue", "-p").out == "Mail queue is empty\n"
    assert s.command("postqueue", "-j").out == ""


def test_wrong_usage_is_64_or_69(suite):
    s = suite(start=False)
    assert s.command("postqueue", check=False).returncode == 64
    assert s.command("postqueue", "-i", "../x", check=False).returncode == 64
    done = s.command("postqueue", "-f", check=False)
    assert done.returncode == 69 and "mail system is down" in done.err
    done = s.command("postqueue", "-s", "two words", check=False)
    assert done.returncode == 64
    assert "Cannot flush mail queue - invalid destination: \"two words\"" \
        in done.err


def test_postcat_shows_envelope_header_and_body(waiting):
    s, ids = waiting
    out = s.command("postcat", "-q", ids[0]).out
    assert "sender: alice@example.test" in out
    assert "recipient: x@relay.test" in out
    assert "Subject: test\n" in out
    assert "\nHello\n" in out
    body = s.command("postcat", "-b", "-q", ids[0]).out
    assert body == "\nHello\n"
    header = s.command("postcat", "-h", "-q", ids[0]).out
    assert "Subject: test\n" in header and "Hello" not in header
    done = s.command("postcat", "-q", "4bNOSUCHz1", check=False)
    assert done.returncode == 1
    assert done.err == ("postcat: warning: open queue file 4bNOSUCHz1: "
                        "No such file or directory\n")
    both = s.command("postcat", "-e", "-q", ids[0]).out
    assert "sender: alice@example.test" in both and "Hello" not in both


def test_hold_release_delete(waiting):
    s, ids = waiting
    done = s.command("postsuper", "-h", ids[0])
    assert "Placed on hold: 1 message" in done.err
    assert s.queue("hold") == [ids[0]]
    assert f"{ids[0]}!" in s.command("postqueue", "-p").out
    done = s.command("postsuper", "-H", "ALL")
    assert "Released from hold: 1 message" in done.err
    assert s.queue("hold") == []
    done = s.command("postsuper", "-d", "-",
                     stdin=f"----Queue ID----- --Size\n{ids[1]}  443 Sat\n"
                           "   z@other.test\n\n-- 1 Kbytes in 1 Request.\n")
    assert "warning" not in done.err
    assert "Deleted: 1 message" in done.err
    assert ids[1] not in s.queue()
    # what was released may be on its way there
    wait_for("an empty queue", lambda: s.command(
        "postsuper", "-d", "ALL", "deferred") and not s.queue(
            "incoming", "deferred"))
    done = s.command("postsuper", "-d", ids[1])
    assert done.returncode == 0
    assert (f"warning: {ids[1]}: no such message in maildrop incoming "
            "deferred hold corrupt report") in done.err
    assert "Deleted: 0 messages" in done.err


def with_error(s, call, error, *arguments):
    """postsuper, to whom the kernel answers this call so."""
    return subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e",
         f"inject={call}:error={error}", str(ROOT / "sbin/postsuper"),
         *arguments], capture_output=True, text=True,
        env=os.environ | {"MAIL_CONFIG": str(s.root / "etc")})


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("call, error", [
    ("syncfs", "EIO"), ("fsync", "EIO"), ("utimensat", "EROFS")])
def test_deleted_and_not_flushed(waiting, call, error):
    """It may come back: that is said, and is a failure."""
    s, ids = waiting
    done = with_error(s, call, error, "-d", ids[0])
    assert done.returncode == 74, done
    assert ("warning: what was deleted may come back, if the power goes now: "
            f"flush of the queue: {os.strerror(getattr(errno, error))}"
            ) in done.stderr
    assert "Deleted: 1 message" in done.stderr
    assert s.command("postsuper", "-d", ids[1]).returncode == 0


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("calls, option, said", [
    ("unlink,unlinkat", "-d", "remove deferred/ID"),
    ("rename,renameat,renameat2", "-h", "move deferred/ID"),
    ("getdents64", "-d", "scan deferred"),
])
@pytest.mark.parametrize("many", ["one", "all"])
def test_what_the_disk_refuses_is_its_exit_status(waiting, calls, option,
                                                  said, many):
    s, ids = waiting
    if calls == "getdents64" and many == "one":
        pytest.skip("looks at no folder")
    done = with_error(s, calls, "EROFS", option,
                      ids[0] if many == "one" else "ALL", "deferred")
    assert done.returncode == 74, done
    assert (f"{said.replace('ID', ids[0])}: Read-only file system"
            in done.stderr)
    assert set(ids) <= set(s.queue("deferred"))


def abandoned(s, id):
    """A file in incoming whose writer died."""
    folder = s.root / "spool/incoming"
    path = folder / id
    path.write_bytes(b"no message yet")
    os.chown(path, folder.stat().st_uid, folder.stat().st_gid)
    os.utime(path, (time.time() - 3600,) * 2)
    return path


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("calls, error", [
    ("unlink,unlinkat", "EROFS"), ("flock", "ENOLCK")])
def test_what_cannot_be_purged_is_its_exit_status(waiting, calls, error):
    s, ids = waiting
    s.stop()
    path = abandoned(s, ids[0][:-1] + ("b" if ids[0][-1] != "b" else "c"))
    done = with_error(s, calls, error, "-p")
    assert done.returncode == 74, done
    assert (f"warning: remove the unfinished incoming/{path.name}: "
            f"{os.strerror(getattr(errno, error))}") in done.stderr
    assert path.exists()
    with open(path, "rb") as held:  # somebody writes: no failure
        fcntl.flock(held, fcntl.LOCK_EX)
        assert s.command("postsuper", "-p").returncode == 0
    assert path.exists()
    assert s.command("postsuper", "-p").returncode == 0
    assert not path.exists()


def test_what_is_being_delivered_is_its_exit_status(waiting):
    s, ids = waiting
    path, = (s.root / "spool/deferred").rglob(ids[0])
    with open(path, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = s.command("postsuper", "-h", ids[0], check=False)
    assert done.returncode == 75, done
    assert "left as it is; try again" in done.err
    assert s.command("postsuper", "-h", ids[0]).returncode == 0


def test_requeued_without_cleanup_is_its_exit_status(waiting):
    s, ids = waiting
    s.stop()
    done = s.command("postsuper", "-r", ids[0], check=False)
    assert done.returncode == 75, done
    assert "cannot requeue: cleanup does not run" in done.err
    assert ids[0] in s.queue()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
@pytest.mark.parametrize("action, said", [
    ("status", "public/master: Permission denied: this is for root"),
    ("reload", "pid/master.pid: Permission denied: this is for root"),
    ("check", "spool belongs to another user: this is for root"),
])
def test_posthaste_is_for_who_owns_the_instance(suite, action, said):
    s = suite()
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
         "--", str(ROOT / "sbin/posthaste"), action], capture_output=True,
        text=True, env={"MAIL_CONFIG": str(s.root / "etc")})
    assert done.returncode not in (0, 3)
    assert said in done.stderr
    assert "cannot make" not in done.stderr


def test_requeue_applies_changed_aliases(waiting):
    s, ids = waiting
    s.write("virtual", "x@relay.test bob@example.test\n"
                       "y@relay.test carol@example.test\n")

    def requeued():
        s.command("postsuper", "-r", "ALL", "deferred")
        return s.messages("bob") and s.messages("carol")

    wait_for("delivery to the new aliases", requeued)
    assert ids[0] not in s.queue()


def test_requeued_rest_of_an_alias_reaches_nobody_twice(suite):
    s = suite(start=False, main="relayhost = [127.0.0.1]:9\n"
              "minimal_backoff_time = 1000s\n")
    s.write("virtual", "both@example.test bob@example.test, x@relay.test\n")
    s.start()
    s.send(to="both@example.test")
    for _ in range(3):
        waiting = wait_for("the rest", lambda: s.queue("deferred"))
        s.command("postsuper", "-r", "ALL")
        wait_for("a new id", lambda: s.queue("deferred") and
                 s.queue("deferred") != waiting)
    assert len(s.messages("bob")) == 1


def test_requeued_after_an_alias_of_local_is_no_loop(suite):
    """It has the field Delivered-To of the address it first came to."""
    s = suite(start=False, main="relayhost = [127.0.0.1]:9\n"
              "minimal_backoff_time = 1000s\n")
    s.write("aliases", "team: x@relay.test\n")
    s.set(alias_maps=f"hash:{s.root}/etc/aliases")
    s.start()
    s.send(to="team@local.test")
    for _ in range(2):
        waiting = wait_for("the forwarded one", lambda: s.queue("deferred"))
        s.wait_log(f"{waiting[0]}: to=<x@relay.test>, orig_to="
                   "<team@local.test>.*status=deferred")
        s.command("postsuper", "-r", "ALL")
        wait_for("a new id", lambda: s.queue("deferred") and
                 s.queue("deferred") != waiting)
    assert "loop" not in s.log() and not s.messages("alice")


def test_flush_tries_again(suite):
    from peers import FakeServer
    server = FakeServer(replies={"RCPT": ["451 4.3.0 not now"]})
    with server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n"
                       "minimal_backoff_time = 1000s\n")
        s.send(to="x@relay.test")
        wait_for("a deferred message", lambda: s.queue("deferred"))
        s.command("postqueue", "-f")
        server.wait()
        s.wait_empty()


@pytest.mark.parametrize("command", [
    ("mailq",), ("postqueue", "-p"), ("postsuper", "-s"),
    ("postcat", "-q", "4bNOSUCHz1")])
def test_each_mistake_of_main_cf_has_a_line(suite, command):
    s = suite(start=False, main="message_size_limit = 10MB\n"
              "hash_queue_depth = deep\n")
    done = s.command(*command, check=False)
    assert done.returncode == 78
    lines = done.err.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith('message_size_limit: "10MB" is not a number: '
                             'write 10485760')
    assert ": fatal: " in lines[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_postsuper_is_for_who_owns_the_queue(suite):
    s = suite()
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--clear-groups", "--",
         str(ROOT / "sbin/postsuper"), "-d", "ALL"], capture_output=True,
        text=True, env={"MAIL_CONFIG": str(s.root / "etc")})
    assert done.returncode == 77
    assert "reserved for the superuser" in done.stderr
