# SPDX-License-Identifier: ISC
"""The load programs do what they say that they did."""
import contextlib
import os
import pathlib
import select
import socket
import subprocess
import threading

import posthaste
import pytest

LOAD = posthaste.ROOT.parent / "bench/load"
pytestmark = pytest.mark.skipif(not (LOAD / "smtp_load").exists(),
                                reason="no load programs: make bench")


def run(program, *arguments, status=0):
    done = subprocess.run([LOAD / program, *map(str, arguments)], text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == status, done.stderr
    return ({k: float(v) for k, v in map(str.split, done.stdout.splitlines())}
            if status == 0 else done.stderr)


class Program:
    def __init__(self, name, *arguments):
        self.process = subprocess.Popen(
            [LOAD / name, *map(str, arguments)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def line(self):
        return self.process.stdout.readline().strip()

    def count(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.line())

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0
        self.process.stdout.close()


@pytest.fixture
def sink():
    program = Program("smtp_sink")
    program.port = int(program.line())
    yield program
    program.close()


class Server:
    """Takes one connection after the other on a port of its own, each by
    serve(), in a thread."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                self.serve(self.listener.accept()[0])


class Fake(Server):
    """An SMTP server: answer() gives what it says to a command; it keeps
    commands and content."""

    def __init__(self, answer):
        self.answer, self.said, self.content = answer, [], []
        super().__init__()

    def serve(self, s):
        with s:
            self.talk(s.makefile("rb"), s.sendall)

    def talk(self, io, write):
        write(b"220 fake\r\n")
        for line in io:
            self.said.append(line.decode().strip())
            write(self.answer(self.said[-1]).encode() + b"\r\n")
            if line.upper().startswith(b"DATA"):
                got = b""
                while not got.endswith(b"\r\n.\r\n"):
                    got += io.readline()
                self.content.append(got[:-3])
                write(b"250 taken\r\n")


def polite(command):
    return "354 go" if command == "DATA" else "250 ok"


def test_what_is_counted_was_taken(sink):
    said = run("smtp_load", "-s", 7, "-m", 60, "-k", 3, sink.port)
    assert said["messages"] == 60 == sink.count()
    assert said["p50"] <= said["p90"] <= said["max"]
    assert said["refused"] == 0


@pytest.mark.parametrize("count, told", [
    (9, []), (10, ["p90"]), (99, ["p90"]), (100, ["p90", "p99"])])
def test_no_percentile_is_of_too_few(sink, count, told):
    said = run("smtp_load", "-s", 3, "-m", count, sink.port)
    assert [p for p in ("p90", "p99") if p in said] == told
    assert said["p50"] <= said["max"]


def test_a_message_has_its_size_and_its_recipients():
    fake = Fake(polite)
    run("smtp_load", "-l", 5000, "-R", 3, "-t", "u%d@x.test", fake.port)
    run("smtp_load", "-l", 90000, "-m", 3, "-f", 7, "-u", 2, fake.port)
    assert [len(c) for c in fake.content] == [5000, 90000, 90000, 90000]
    to = [s for s in fake.said if s.startswith("RCPT")]
    assert to[:3] == [f"RCPT TO:<u{n}@x.test>" for n in range(3)]
    assert to[3:] == [f"RCPT TO:<user{n}@bench.test>" for n in (7, 8, 7)]
    assert all(line.endswith(b"\r") for line in
               fake.content[0].split(b"\n")[:-1])


def test_a_refusal_for_now_is_tried_again_and_told():
    answers = iter(["451 later"])
    fake = Fake(lambda c: next(answers, "250 ok")
                if c.startswith("MAIL") else polite(c))
    said = run("smtp_load", fake.port)
    assert (said["messages"], said["refused"]) == (1, 1)


def test_a_refusal_for_good_ends_it():
    fake = Fake(lambda c: "550 never" if c.startswith("RCPT") else polite(c))
    assert "550 never" in run("smtp_load", fake.port, status=1)


def test_a_rate_is_kept(sink):
    assert run("smtp_load", "-s", 3, "-m", 11, "-r", 20,
               sink.port)["seconds"] >= 0.49


def test_sessions_are_held_and_their_end_is_seen(sink):
    held = Program("smtp_load", "-i", "-s", 30, sink.port)
    said = {}
    while said.get("ready") != "1":
        name, said[name] = held.line().split()
    assert said["held"] == "30" and held.count() == 30
    sink.process.kill()
    posthaste.wait_for("the end of all sessions", lambda: held.count() == 0)
    held.close()
    sink.close = lambda: sink.process.wait()


class Slow(Server):
    """Greets each connection after a while in which nobody else should have
    come; how many came is in "beside"."""

    def __init__(self, pause):
        self.pause, self.beside, self.held = pause, 0, []
        super().__init__()

    def serve(self, s):
        self.held.append(s)
        self.beside += bool(select.select([self.listener], [], [],
                                          self.pause)[0])
        s.sendall(b"220 slow\r\n")
        s.recv(100)
        s.sendall(b"250 slow\r\n")


def all_held(*arguments):
    """What a client says that holds its sessions."""
    held, said = Program("smtp_load", "-i", *arguments), {}
    while said.get("ready") != "1":
        name, said[name] = held.line().split()
    held.close()
    return {k: float(v) for k, v in said.items()}


def test_no_more_connections_are_begun_than_a_server_has_room_for():
    server = Slow(0.1)
    assert all_held("-s", 5, "-o", 1, server.port)["held"] == 5
    assert server.beside == 0
    crowd = Slow(1)
    assert all_held("-s", 5, crowd.port)["held"] == 5
    assert crowd.beside >= 1


def test_no_session_is_begun_when_the_time_is_up():
    said = all_held("-s", 50, "-o", 1, "-d", 0.2, Slow(0.05).port)
    assert 1 <= said["held"] < 10 and not said["refused"]
    assert said["held"] + said["untried"] == 50


@pytest.fixture
def nothing():
    """null_server, started as asked for."""
    started = []

    def start(*arguments):
        program = Program("null_server", *arguments)
        program.port = int(program.line())
        started.append(program)
        return program
    yield start
    for program in started:
        program.close()


@pytest.mark.parametrize("mode, answers", [
    ("login", 12 * 2), ("visit", 12 * 5), ("retr", 4 * 2 + 12),
    ("pipe", 4 * 2 + 12), ("uidl", 4 * 2 + 12), ("dele", 4 * 2 + 12)])
def test_a_pop3_client_has_had_the_answers_that_it_counts(nothing, mode,
                                                          answers):
    """All but those to QUIT, after which the server counts no more."""
    server = nothing("-m", 5000, "pop3")
    said = run("pop3_load", server.port, mode, "user%d", 4, 12)
    assert said["count"] == 12 and said["seconds"] > 0
    assert server.count() == answers


def test_the_time_ends_what_the_number_does_not(nothing):
    server = nothing("-m", 10, "pop3")
    said = run("pop3_load", "-d", 0.3, server.port, "uidl", "user%d", 2,
               1_000_000_000)
    assert 0.3 <= said["seconds"] < 20
    # each of the two was logged in, and the last answers are all counted
    assert 0 < said["count"] == server.count() - 2 * 2


def test_an_imap_client_stays_in_step(nothing):
    """Behind answers of megabytes, and tagged lines in many reads."""
    server = nothing("-m", 1000, "imap")
    whole = "FETCH 1:* (BODY.PEEK[])"
    said = run("imap_load", server.port, "time", "user%d", 1, 1, whole, "NOOP",
               whole)
    assert said["bytes0"] == said["bytes2"] > 1000 * 4096
    assert said["bytes1"] < 100
    for mode, *more in (("login",), ("append",), ("repeat", "STORE %d x")):
        assert run("imap_load", server.port, mode, "user%d", 3, 31,
                   *more)["count"] == 31


def test_sessions_in_idle_are_held(nothing):
    server = nothing("imap")
    client = Program("imap_load", server.port, "idle", "user%d", 20, 1)
    assert client.line() == "ready" and client.count() == 20
    assert server.count() == 20 * 3  # LOGIN, SELECT, IDLE
    client.process.stdin.close()
    assert client.process.wait(20) == 0
    client.process.stdout.close()


def test_a_mailbox_s_refusal_ends_it():
    fake = Fake(polite)
    assert "refused: 220 fake" in run("pop3_load", fake.port, "login", "u", 1,
                                      1, status=1)


@pytest.mark.parametrize("mode, reused", [("full", 0), ("resumed", 40)])
def test_handshakes_are_full_or_resumed(nothing, tmp_path, mode, reused):
    posthaste.certificate(tmp_path)
    chain = tmp_path / "chain.pem"
    chain.write_text((tmp_path / "key.pem").read_text() +
                     (tmp_path / "cert.pem").read_text())
    server = nothing("-x", chain, "imap")
    said = run("tls_load", server.port, mode, "mx.bench.test", 4, 40)
    assert (said["count"], said["reused"]) == (40, reused)


@pytest.mark.parametrize("mode, numbers", [("taken", range(50)),
                                           ("refused", range(50, 100))])
def test_recipients_are_named(mode, numbers):
    answers = {"QUIT": "221 bye",
               "RCPT": "250 ok" if mode == "taken" else "550 no"}
    fake = Fake(lambda command: answers.get(command[:4], "250 ok"))
    said = run("rcpt_load", fake.port, mode, "u%d@x.test", 1, 150, 50)
    named = [s for s in fake.said if s.startswith("RCPT")]
    assert said["count"] == len(named) == 150
    assert set(named) <= {f"RCPT TO:<u{n}@x.test>" for n in numbers}
    assert fake.said.count("RSET") == 2
    other = {"taken": "refused", "refused": "taken"}[mode]
    assert f"refused: {answers['RCPT']}" in run(
        "rcpt_load", fake.port, other, "u%d@x.test", 1, 1, 50, status=1)


def test_commands_are_injected(tmp_path):
    script = tmp_path / "take"
    script.write_text(f"#!/bin/sh\ncat >> {tmp_path}/taken\n")
    script.chmod(0o755)
    said = run("inject", "-m", 5, "-l", 700, script)
    assert said["messages"] == 5
    assert (tmp_path / "taken").stat().st_size == 5 * 700
    assert "wait status" in run("inject", "/bin/false", status=1)


def test_the_disk_alone_writes_files(tmp_path):
    said = run("disk_limit", tmp_path, 2, 4096, 0.2)
    files = list(tmp_path.iterdir())
    assert len(files) == said["messages"] > 0
    assert {f.stat().st_size for f in files} == {4096}


COUNTED = """
import ctypes, os, sys
LIBC = ctypes.CDLL(None)
for flags in 2, 2, 4, 7, 7:  # the write is begun, or waited for
    LIBC.sync_file_range(1, ctypes.c_long(0), ctypes.c_long(0), flags)
for _ in range(5):
    os.fsync(1)
if os.fork():
    os._exit(0)
os.setsid()
os.fdatasync(1)
for _ in range(1000):
    os.getppid()
print('done', flush=True)
sys.stdin.read()
"""


def group():
    """A new control group of cgroup2; it must be removed."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            path = pathlib.Path(place) / f"count-test-{os.getpid()}"
            path.mkdir(exist_ok=True)
            return path
    return None


@pytest.mark.skipif(not posthaste.AS_ROOT, reason="counting wants root")
def test_what_the_dead_and_the_orphans_did_is_counted(tmp_path):
    """A process that flushes, waits for writes and dies, and its child that goes on."""
    path = group()
    if path is None:
        pytest.skip("cgroup2 is not mounted")
    counter = Program("count", path)
    assert counter.line() == "ready 1"
    out = tmp_path / "out"
    with open(out, "w") as f:
        process = subprocess.Popen(
            ["python3", "-c", COUNTED], stdin=subprocess.PIPE, stdout=f,
            preexec_fn=lambda: (path / "cgroup.procs").write_text(
                str(os.getpid())))
        assert process.wait(60) == 0
    posthaste.wait_for("the child", lambda: out.read_text() == "done\n")
    counter.process.stdin.write("\n")
    counter.process.stdin.flush()
    said = dict(line.split() for line in iter(counter.line, ""))
    assert (said["flushes"], said["waits"]) == ("6", "3")
    assert int(said["syscalls"]) > 1100 and int(said["switches"]) > 1
    process.stdin.close()
    posthaste.wait_for(
        "its end", lambda: not (path / "cgroup.procs").read_text())
    counter.close()
    path.rmdir()
