# SPDX-License-Identifier: ISC
"""postdrop has rights that its caller lacks: what a hostile caller can try
with what it reads; test_setgid_programs.py has the rest."""
import os
import pwd
import random
import resource
import signal
import stat
import subprocess
import time

import pytest

import drops
import posthaste

NOBODY = "nobody"


@pytest.fixture
def down(suite):
    instance = suite(start=False)
    drops.prepare(instance)
    return instance


def drop(instance, record, **options):
    return drops.run(instance, "postdrop", "-r", stdin=record, user=NOBODY,
                     **options)


def test_the_file_is_the_users_and_only_pickup_reaches_it(down):
    assert drop(down, drops.record()).returncode == 0
    found, = drops.files(down)
    status = found.stat()
    assert stat.S_IMODE(status.st_mode) == 0o644
    if not posthaste.AS_ROOT:
        return
    assert status.st_uid == pwd.getpwnam(NOBODY).pw_uid
    for command in (["ls", str(drops.maildrop(down))],
                    ["cat", str(found)],
                    ["sh", "-c", f"echo x > {drops.maildrop(down)}/x"]):
        assert subprocess.run(command, user=NOBODY, group="nogroup",
                              extra_groups=[],
                              capture_output=True).returncode != 0


@pytest.mark.parametrize("bad", ["\n", "\r", "\r\n", "\0", "\x01", "\x7f"])
@pytest.mark.parametrize("name", ["sender", "recipient", "full_name",
                                  "envid", "orcpt"])
def test_line_breaks_in_an_envelope(down, name, bad):
    fields = [["sender", "alice"], ["full_name", "A"], ["envid", "e"],
              ["recipient", "bob"], ["orcpt", "rfc822;b"]]
    for row in fields:
        if row[0] == name:
            row[1] += bad + "x"
    assert drop(down, drops.record(fields)).returncode == 65
    assert drops.files(down) == []


@pytest.mark.parametrize("fields", [
    [("recipient", "bob")],
    [("sender", "a")],
    [("sender", "a"), ("sender", "b"), ("recipient", "bob")],
    [("sender", "a"), ("recipient", "bob"), ("uid", "0")],
    [("sender", "a"), ("notes", "1024"), ("recipient", "bob")],
    [("sender", "a"), ("recipient", "")],
    [("sender", "a"), ("recipient", "b" * 1025)],
    [("sender", "a" * 65535), ("recipient", "b")],
    [("sender", "a"), ("recipient", "b"), ("content", ""), ("recipient", "c")],
])
def test_malformed_envelope(down, fields):
    assert drop(down, drops.record(fields)).returncode == 65
    assert drops.files(down) == []


def test_random_input(down):
    noise = random.Random(7)
    good = drops.record()
    for _ in range(60):
        bad = bytearray(good)
        for _ in range(noise.randrange(1, 4)):
            bad[noise.randrange(len(bad))] = noise.randrange(256)
        done = drop(down, bytes(bad))
        assert done.returncode in (0, 65, 69), done.stderr
        for path in drops.files(down):
            drops.parse(path.read_bytes())
            assert done.returncode == 0
            path.unlink()


@pytest.mark.parametrize("cut", [0, 5, 20, 60, -1, -15, -20])
def test_input_that_ends_early(down, cut):
    assert drop(down, drops.record()[:cut]).returncode == 65
    assert drops.files(down) == []


def test_chunk_that_promises_too_much(down):
    whole = drops.record(content=[b"x" * 70000])
    assert drop(down, whole).returncode == 65
    assert drops.files(down) == []


def test_nothing_is_read_from_the_working_directory(down, tmp_path):
    os.chmod(tmp_path, 0o777)
    for name in ("DB_CONFIG", "main.cf", "openssl.cnf", "libc.so.6"):
        (tmp_path / name).write_text("queue_directory = /nowhere\n")
    done = subprocess.run(
        ["strace", "-f", "-e", "trace=%file", "-o", tmp_path / "trace",
         down.root / "sbin/postdrop"], input=drops.record(),
        capture_output=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    trace = (tmp_path / "trace").read_text()
    for name in ("DB_CONFIG", "openssl.cnf"):
        assert name not in trace
    # it leaves the place before it opens a file of ours
    assert trace.index('chdir("/")') < trace.index("main.cf")


def limited(what, value):
    def apply():
        if what == "closed":
            for fd in value:
                os.close(fd)
        elif what == "umask":
            os.umask(value)
        elif what == "alarm":
            signal.setitimer(signal.ITIMER_REAL, value)
        elif what == "blocked":
            signal.pthread_sigmask(signal.SIG_SETMASK, range(1, 32))
        else:
            resource.setrlimit(what, (value, value))
    return apply


@pytest.mark.parametrize("what, value, code", [
    ("umask", 0o777, 0),
    ("umask", 0, 0),
    ("closed", (1, 2), 0),
    # set-gid: the C library puts /dev/full there, else we /dev/null
    ("closed", (0,), 75 if posthaste.AS_ROOT else 65),
    ("closed", (0, 1, 2), 75 if posthaste.AS_ROOT else 65),
    ("blocked", 0, 0),
    (resource.RLIMIT_FSIZE, 50, 69),
    (resource.RLIMIT_FSIZE, 0, 69),
    (resource.RLIMIT_CORE, resource.RLIM_INFINITY, 0),
    (resource.RLIMIT_NOFILE, 3, None),
    (resource.RLIMIT_NOFILE, 6, None),
    (resource.RLIMIT_STACK, 65536, None),
    (resource.RLIMIT_AS, 30 << 20, None),
])
def test_inherited_state(down, what, value, code):
    done = subprocess.run(
        [str(down.root / "sbin/postdrop")], input=drops.record(),
        capture_output=True, timeout=120, env={},
        preexec_fn=limited(what, value))
    if code is not None:
        assert done.returncode == code, done.stderr
    # a whole file and success, or neither
    found = drops.files(down)
    assert len(found) == (done.returncode == 0)
    for path in found:
        drops.parse(path.read_bytes())
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_timer_of_the_caller_does_not_strike(down):
    code, seconds = None, 0.3
    # a loaded machine may not have begun the program when the timer strikes;
    # one that let it run would be struck each time
    while code != 0 and seconds < 20:
        p = subprocess.Popen([str(down.root / "sbin/postdrop")],
                             stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                             preexec_fn=limited("alarm", seconds))
        time.sleep(seconds + 0.2)
        try:
            p.stdin.write(drops.record())
            p.stdin.close()
        except BrokenPipeError:
            pass
        code = p.wait(60)
        p.stderr.close()
        assert code in (0, -signal.SIGALRM)
        assert len(drops.files(down)) == (code == 0)
        seconds *= 4
    assert code == 0


@pytest.mark.parametrize("number", [
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM,
    signal.SIGALRM, signal.SIGUSR1, signal.SIGPIPE, signal.SIGWINCH,
    signal.SIGCONT, signal.SIGCHLD])
def test_signals(down, number):
    noise = random.Random(number)
    record = drops.record(content=[b"x" * 5000] * 20)
    for _ in range(5):
        p = subprocess.Popen([str(down.root / "sbin/postdrop")],
                             stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        at = 0
        try:
            while at < len(record):
                n = noise.randrange(1, 30000)
                p.stdin.write(record[at:at + n])
                p.stdin.flush()
                at += n
                if noise.random() < 0.5:
                    p.send_signal(number)
            p.stdin.close()
        except BrokenPipeError:
            pass
        code = p.wait(60)
        p.stderr.close()
        # before the handler is there a signal may still kill: no file then
        assert code in (0, 75, -number), code
        found = drops.files(down)
        assert len(found) == (code == 0)
        for path in found:
            drops.parse(path.read_bytes())
            path.unlink()
