# SPDX-License-Identifier: ISC
"""What has rights that its caller lacks: whatever a hostile caller tries on
its command line, in its environment, by signals and limits. A set-gid program
that stands in no row here fails the first test."""
import contextlib
import os
import resource
import signal
import socket
import stat
import subprocess

import pytest

import drops
from posthaste import AS_ROOT, DEADLINE, ROOT, wait_for

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="needs set-gid")

# how it is used honestly: (arguments, standard input)
HONEST = {"postdrop": ([], drops.record()), "postqueue": (["-p"], b"")}
EXITS = (0, 1, 64, 65, 69, 71, 73, 74, 75, 77, 78)  # sysexits.h; 1: fatal()


def extra_rights(folder):
    return {p.name for p in folder.rglob("*") if p.is_file() and
            not p.is_symlink() and p.stat().st_mode & 0o6000}


@pytest.fixture
def down(suite):
    """An instance that is not started; its commands are its own copies."""
    s = suite(start=False)
    drops.prepare(s)
    s.command("posthaste", "set-permissions")
    return s


@contextlib.contextmanager
def showq(s):
    """Somebody who takes connections there and says nothing."""
    path = s.root / "spool/public/showq"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen(100)
        listener.settimeout(DEADLINE)
        try:
            yield listener
        finally:
            path.unlink()


def run(s, name, arguments, **options):
    return drops.run(s, name, *arguments, stdin=HONEST[name][1],
                     user="nobody", **options)


def sound(s, name, done):
    """It ended by itself, said so, and left a whole file or none."""
    assert done.returncode in EXITS or (
        b"error while loading shared libraries" in done.stderr), done
    assert b"panic" not in done.stderr
    found = drops.files(s)
    assert len(found) == (name == "postdrop" and done.returncode == 0)
    for path in found:
        drops.parse(path.read_bytes())
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        path.unlink()


def test_each_has_a_row(down):
    assert extra_rights(down.root / "sbin") == set(HONEST)
    # nor has any other program of the installed tree such rights
    assert extra_rights(ROOT) <= set(HONEST)
    for name in HONEST:
        assert stat.S_IMODE((down.root / "sbin" / name).stat().st_mode) == \
            0o2755


@pytest.mark.parametrize("name", HONEST)
def test_command_lines(down, name):
    """CVE-2017-1000369, CVE-2020-28010; CVE-2001-0653, CVE-2001-0715: of what
    is for finding mistakes nothing does more than talk."""
    for arguments in (
            ["-c"] + ["/" + "x" * 100000],
            ["-c", "/nowhere"] * 2000,
            ["-" + "r" * 100000], ["-" + "v" * 100000],
            ["%s%n%s%n" * 1000],
            ["-\xff\xfe"],
            ["--"] * 5000,
            [""] * 5000,
            ["-C", "/etc"], ["-c", ""], ["-c"],
            ["-d", "9"], ["-d", "4294967295.-99"], ["-d-2147483649"],
            ["-v-1"] * 300,
            ["-i", "A" * 100000], ["-i", "%n"], ["-i", "../../etc/passwd"],
            ["-s", "x" * 100000], ["-s", "[" * 5000], ["-s", ""],
            ["-p"] * 5000, ["-fp"], ["-j", "%n%n"]):
        sound(down, name, run(down, name, arguments))


@pytest.mark.parametrize("name", HONEST)
def test_no_arguments_at_all(down, name):
    """execve(2) with an empty argv, where the kernel still allows it."""
    code = ("import ctypes; libc = ctypes.CDLL(None);"
            "a = (ctypes.c_char_p * 1)(None);"
            f"libc.execve(b'{down.root}/sbin/{name}', a, a)")
    sound(down, name, subprocess.run(
        ["python3", "-c", code], input=HONEST[name][1], capture_output=True,
        timeout=120, user="nobody", group="nogroup", extra_groups=[]))


@pytest.mark.parametrize("name", HONEST)
def test_environment(down, name):
    env = {"OPENSSL_CONF": "/tmp/hostile", "LD_PRELOAD": "/tmp/hostile.so",
           "LD_LIBRARY_PATH": "/tmp/hostile", "TZ": "/etc/shadow",
           "TZDIR": "/etc", "LOCPATH": "/tmp/hostile", "POSIXLY_CORRECT": "1",
           "MALLOC_CHECK_": "3", "X" * 1000: "%n" * 30000, "IFS": "/",
           "PATH": "/tmp/hostile", "HOME": "/tmp/hostile"}
    arguments, _ = HONEST[name]
    plain = run(down, name, arguments)
    sound(down, name, plain)
    odd = run(down, name, arguments, env=env)
    assert (odd.returncode, odd.stdout, odd.stderr) == (
        plain.returncode, plain.stdout, plain.stderr)
    sound(down, name, odd)
    # refused, not followed
    chosen = run(down, name, arguments, env={
        **env, "MAIL_CONFIG": "/tmp/hostile"})
    assert chosen.returncode == 77, chosen
    sound(down, name, chosen)


def limited(what, value):
    def apply():
        if what == "closed":
            for fd in value:
                os.close(fd)
        elif what == "blocked":
            signal.pthread_sigmask(signal.SIG_SETMASK, range(1, 32))
        else:
            resource.setrlimit(what, (value, value))
    return apply


@pytest.mark.parametrize("name", HONEST)
def test_inherited_state(down, name):
    for what, value in (
            ("closed", (0,)), ("closed", (1, 2)), ("closed", (0, 1, 2)),
            ("blocked", 0), (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NOFILE, 3), (resource.RLIMIT_NOFILE, 6),
            (resource.RLIMIT_CORE, resource.RLIM_INFINITY)):
        sound(down, name, run(down, name, HONEST[name][0], env={},
                              preexec_fn=limited(what, value)))


@contextlib.contextmanager
def waiting(s, name):
    """A process of it in the midst of its work: postdrop hears the rest of
    its input, postqueue an answer, when the caller lets it."""
    with showq(s) as listener:
        p = subprocess.Popen(
            [s.root / "sbin" / name, *HONEST[name][0]], user="nobody",
            group="nogroup", extra_groups=[], cwd="/",
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        try:
            if name == "postqueue":
                with listener.accept()[0]:
                    yield p
            else:
                wait_for("confinement", lambda: "Seccomp:\t2" in open(
                    f"/proc/{p.pid}/status").read())
                yield p
        finally:
            p.stdin.close()
            p.stderr.close()
            p.wait(DEADLINE)


@pytest.mark.unsanitized
@pytest.mark.parametrize("name", HONEST)
def test_debug_and_traces_are_not_for_users(down, name):
    """A set-gid program cannot be traced or dumped by its caller."""
    trace = ("import ctypes, sys; libc = ctypes.CDLL(None, use_errno=True);"
             "sys.exit(libc.ptrace(0x4206, int(sys.argv[1]), 0, 0) == 0)")
    with waiting(down, name) as p:
        for command in (["cat", f"/proc/{p.pid}/environ"],
                        ["cat", f"/proc/{p.pid}/mem"],
                        ["ls", f"/proc/{p.pid}/fd"]):
            assert subprocess.run(command, user="nobody", group="nogroup",
                                  extra_groups=[], capture_output=True,
                                  timeout=60).returncode != 0, command
        assert subprocess.run(
            ["python3", "-c", trace, str(p.pid)], user="nobody",
            group="nogroup", extra_groups=[], timeout=60).returncode == 0


@pytest.mark.parametrize("name", HONEST)
def test_signals(down, name):
    """CVE-2006-0058"""
    numbers = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM,
               signal.SIGALRM, signal.SIGUSR1, signal.SIGPIPE,
               signal.SIGWINCH, signal.SIGCONT, signal.SIGCHLD]
    for first in numbers:
        with waiting(down, name) as p:
            with contextlib.suppress(ProcessLookupError):
                for number in (first, signal.SIGWINCH, first, signal.SIGINT,
                               signal.SIGTERM):
                    # the caller is its own sender: the kernel lets it
                    os.kill(p.pid, number)
            said = p.stderr.read()
            code = p.wait(DEADLINE)
        assert code in (75, -first, -signal.SIGINT, -signal.SIGTERM), code
        assert b"panic" not in said
        assert drops.files(down) == []


@pytest.mark.parametrize("name", HONEST)
def test_no_file_is_written_that_the_environment_names(down, name, tmp_path):
    """What C libraries write for whoever asks in the environment."""
    tmp_path.chmod(0o777)
    env = {key: str(tmp_path / key) for key in (
        "LD_DEBUG_OUTPUT", "LD_PROFILE_OUTPUT", "MALLOC_TRACE", "GMON_OUT_PREFIX",
        "LLVM_PROFILE_FILE", "SSLKEYLOGFILE")}
    env |= {"LD_DEBUG": "all", "LD_PROFILE": "libc.so.6"}
    sound(down, name, run(down, name, HONEST[name][0], env=env))
    assert not list(tmp_path.iterdir())
