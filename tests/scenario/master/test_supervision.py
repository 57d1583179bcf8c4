# SPDX-License-Identifier: ISC
"""master starts programs when they are needed, and again when they end."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

from posthaste import AS_ROOT, DEADLINE, kill_all, wait_for
from programs import (SPEAKS_TO_MASTER, alive, one, own_programs, replace,
                      restore, status_of, wait_gone)

ALWAYS = ("logd", "lookup", "qmgr")


@pytest.mark.parametrize("program", ALWAYS + ("smtpd", "cleanup", "local",
                                              "pickup"))
def test_killed_program_is_started_again(suite, program):
    s = suite()
    s.send(body="first\n")
    s.wait_messages("bob", 1)
    pid = one(s, program)
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)
    s.send(body="second\n")
    s.wait_messages("bob", 2)
    if program != "pickup":  # it waits for somebody's message
        assert one(s, program) != pid
    s.wait_log(rf"process {program} .* pid {pid} killed by signal 9")


def stopped(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


def test_killed_program_leaves_nobody_waiting(suite):
    """The page says that another one is idle, but nothing has woken that."""
    s = suite()
    path = str(s.root / "spool/public/showq")
    with socket.socket(socket.AF_UNIX) as a, socket.socket(socket.AF_UNIX) as b:
        a.connect(path)
        wait_for("a process", lambda: len(s.processes("showq")) == 1)
        b.connect(path)
        wait_for("another", lambda: len(s.processes("showq")) == 2)
    killed, other = s.processes("showq")
    for pid in (killed, other):
        os.kill(pid, signal.SIGSTOP)
        wait_for("its stop", lambda: stopped(pid))
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            os.kill(killed, signal.SIGKILL)
            wait_for("one for this client",
                     lambda: set(s.processes("showq")) - {killed, other})
    finally:
        os.kill(other, signal.SIGCONT)


def test_what_is_killed_again_and_again_is_not_throttled(suite):
    """Somebody else's doing says nothing about the program."""
    s = suite()
    for i in range(6):
        s.send(body=f"{i}\n")
        s.wait_messages("bob", i + 1)
        for program in ("smtpd", "cleanup", "qmgr", "local"):
            kill_all(s.processes(program))
    s.send(body="last\n")
    s.wait_messages("bob", 7)
    wait_for("all to be missed",
             lambda: s.log().count("killed by signal 9") >= 6)
    assert "throttling" not in s.log()


def test_programs_run_without_being_asked(suite):
    s = suite()
    for program in ALWAYS:
        assert s.processes(program), program


def test_processes_bear_their_program_s_name_below_master(suite):
    s = suite()
    master = int((s.root / "spool/pid/master.pid").read_text())
    for pid in s.processes():
        status = status_of(pid)
        name = status["Name"].strip()
        command = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")[0]
        assert os.path.basename(command.decode())[:15] == name
        if pid != master:
            assert int(status["PPid"]) == master


def test_idle_program_ends_and_comes_back(suite):
    s = suite(main="max_idle = 1s\n")
    s.send()
    s.wait_messages("bob")
    with s.smtp():  # it does not end meanwhile
        pid = one(s, "smtpd")
    wait_gone(pid)
    assert "exit status" not in s.log()
    s.send()
    s.wait_messages("bob", 2)


def test_program_that_fails_by_itself_is_throttled_and_others_serve(suite):
    s = suite(start=False)
    folder = own_programs(s)
    replace(folder, "showq", "#!/bin/sh\nexit 1\n")
    s.start()
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(s.root / "spool/public/showq"))
    s.wait_log(r"showq \(service showq/unix\): bad command startup -- "
               r"throttling for 1 s")
    s.send()
    s.wait_messages("bob")
    s.wait_log(r"showq .* throttling for 2 s")
    assert len(re.findall("showq .* exit status 1", s.log())) <= 4
    client.close()
    restore(folder, "showq")
    assert "queue is empty" in s.command("mailq").out


def test_end_of_an_older_process_shortens_no_pause(suite):
    """It had started before: that says nothing about those that fail."""
    s = suite(start=False)
    folder = own_programs(s)
    s.start()
    s.send()
    s.wait_messages("bob")
    older = one(s, "cleanup")
    replace(folder, "cleanup", "#!/bin/sh\nexit 1\n")
    s.posthaste("reload", check=False)  # it fails, and this one goes on
    os.kill(older, signal.SIGSTOP)  # and leaves who comes to others
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(s.root / "spool/public/cleanup"))
    s.wait_log(r"cleanup .* throttling for 2 s")
    os.kill(older, signal.SIGKILL)
    s.wait_log(rf"process cleanup .* pid {older} killed by signal 9")
    s.wait_log(r"cleanup .* throttling for 4 s")
    client.close()
    assert len(re.findall("cleanup .* throttling for 1 s", s.log())) == 1


def test_start_fails_when_a_program_that_must_run_does_not(suite):
    s = suite(start=False)
    replace(own_programs(s), "qmgr", "#!/bin/sh\nexit 1\n")
    done = s.posthaste("start", check=False)
    assert done.returncode != 0
    assert "qmgr did not start" in done.err
    assert not s.processes()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", s.ports["smtp"])) != 0


def test_session_limit_makes_clients_wait(suite):
    s = suite(master="{extra} inet n - n - 2 smtpd\n", start=False)
    s.ports["extra"] = s.ports["submission"]
    text = (s.root / "etc/master.cf").read_text()
    text = re.sub(r"(?m)^(127\.0\.0\.1:%d inet n - n -) 200"
                  % s.ports["smtp"], r"\1 2", text)
    text = "\n".join(line for line in text.splitlines()
                     if "{extra}" not in line)
    s.write("master.cf", text + "\n")
    s.start()
    first, second = s.smtp(), s.smtp()
    with socket.create_connection(("127.0.0.1", s.ports["smtp"]),
                                  timeout=1) as third:
        with pytest.raises(TimeoutError):
            third.recv(1)
        s.wait_log("has reached its limit of 2 sessions")
        first.quit()
        third.settimeout(DEADLINE)
        assert third.recv(3) == b"220"
    second.quit()


def test_master_survives_its_children_and_odd_signals(suite):
    s = suite()
    master = int((s.root / "spool/pid/master.pid").read_text())
    for sig in (signal.SIGPIPE, signal.SIGCHLD):
        os.kill(master, sig)
    kill_all(pid for pid in s.processes() if pid != master)
    s.send()
    s.wait_messages("bob")
    assert alive(master)


@pytest.mark.skipif(not AS_ROOT, reason="rights differ only for root")
@pytest.mark.parametrize("program, user, root", [
    ("smtpd", "posthaste-net", "empty"), ("cleanup", "posthaste", ""),
    ("qmgr", "posthaste", ""), ("lookup", "posthaste-table", None),
    ("logd", "posthaste-log", None)])
def test_program_holds_few_rights(suite, program, user, root):
    import pwd
    s = suite()
    s.send()
    s.wait_messages("bob")
    pid = one(s, program)
    status = status_of(pid)
    entry = pwd.getpwnam(user)
    assert status["Uid"].split() == [str(entry.pw_uid)] * 4
    assert status["Gid"].split() == [str(entry.pw_gid)] * 4
    assert status["Groups"].split() == [str(entry.pw_gid)]
    with open(f"/proc/{pid}/exe", "rb") as program:
        sanitized = b"__asan_init" in program.read()
    assert status["Seccomp"] == ("0" if sanitized else "2")
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == 0
    if root is not None:
        assert (os.readlink(f"/proc/{pid}/root")
                == str(s.root / "spool" / root).rstrip("/"))


FAKE = SPEAKS_TO_MASTER + """
master.sendall(connect(b"{asks}", 1))
answer, fds = b"", []
while b"connected" not in answer:
    more, passed, _, _ = socket.recv_fds(master, 4096, 4)
    answer, fds = answer + more, fds + passed
open("{out}", "wb").write(answer + b" fds=%d" % len(fds))
master.sendall(b"{junk}")
time.sleep(60)
"""


@pytest.mark.parametrize("asks, answer", [
    ("qmgr", b"not_connected"), ("nowhere", b"not_connected"),
    ("lookup", b"fds=1")])
def test_program_is_connected_only_where_it_may(suite, asks, answer):
    """bounce may talk to lookup and cleanup, and to nobody else."""
    s = suite(start=False)
    out = s.root / "answer"
    replace(own_programs(s), "bounce",
            FAKE.format(asks=asks, out=out, junk=""))
    s.start()
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(s.root / "spool/private/bounce"))
    wait_for("an answer", lambda: out.exists() and out.read_bytes())
    assert answer in out.read_bytes()
    assert (b"fds=1" in out.read_bytes()) == (asks == "lookup")
    client.close()


def test_program_that_breaks_the_protocol_is_ended(suite):
    s = suite(start=False)
    out = s.root / "answer"
    replace(own_programs(s), "bounce",
            FAKE.format(asks="lookup", out=out, junk="\\xff" * 8))
    s.start()
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(s.root / "spool/private/bounce"))
    s.wait_log(r"bounce\[\d+\]: protocol error")
    s.wait_log(r"process bounce .* killed by signal 9")
    # the client still waits: the next one comes, but not at once for ever
    s.wait_log(r"bounce \(service bounce/unix\): bad command startup -- "
               "throttling for 1 s")
    client.close()


LATER = SPEAKS_TO_MASTER + """
client, _ = socket.socket(fileno=7).accept()
client.sendall(b"here")
client.recv(10)
master.sendall(connect(b"cleanup", 1))
time.sleep(60)
"""


def test_what_a_program_may_is_not_what_its_line_names_now(suite):
    """Old processes of a line that has another program are what they were."""
    line = "other unix - - - - - {}"
    s = suite(start=False, master=line.format("showq"))
    replace(own_programs(s), "showq", LATER)
    s.start()
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(DEADLINE)
    client.connect(str(s.root / "spool/private/other"))
    assert client.recv(10) == b"here"
    master_cf = s.root / "etc/master.cf"
    master_cf.write_text(master_cf.read_text().replace(
        line.format("showq"), line.format("bounce")))
    pid_file = s.root / "spool/pid/master.pid"
    os.kill(int(pid_file.read_text()), signal.SIGHUP)
    s.wait_log("reload -- ")
    client.sendall(b"ask")
    s.wait_log(r"showq\[\d+\] may not be connected to service cleanup")
    client.close()


# and takes the client, so that it is not started again
ASKS_MANY = SPEAKS_TO_MASTER + """
client, _ = socket.socket(fileno=7).accept()
for number in range(1, {questions} + 1):
    master.sendall(connect(b"lookup", number))
def unread():
    return struct.unpack("i", fcntl.ioctl(master, 0x5411, bytes(4)))[0]
while unread():
    time.sleep(0.01)
"""

DEAF = ASKS_MANY + """
client.sendall(b"asked")
time.sleep(60)
"""

LATE = ASKS_MANY + """
fds, numbers = [], []
while len(numbers) < {questions}:
    data, more, _, _ = socket.recv_fds(master, 65536, 4)
    fds += more
    numbers += [struct.unpack(">Q", n)[0] for n in
                re.findall(rb"(?s)\\x06number\\x01\\0\\0\\0\\x08(.{{8}})",
                           data)]
assert numbers == list(range(1, {questions} + 1)), numbers
client.sendall(b"%d connections" % len(fds))
time.sleep(60)
"""


def start_bounce(s, program):
    """Instead of ours, for the client that is returned."""
    replace(own_programs(s), "bounce", program)
    s.start()
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(DEADLINE)
    client.connect(str(s.root / "spool/private/bounce"))
    return client


def test_program_that_takes_no_answers_is_ended_and_others_go_on(suite):
    """An answer left out would give each question the next one's."""
    s = suite(start=False)
    with start_bounce(s, DEAF.format(questions=5000)) as client:
        assert client.recv(100) == b""  # ended before all was asked
        s.wait_log(r"bounce\[\d+\] does not take what it is told "
                   r"\(connected: timeout\): it is ended")
        s.wait_log(r"process bounce .* killed by signal 9")
        assert s.log().count("does not take") == 1
        s.send()
        s.wait_messages("bob")


def test_answers_wait_for_a_program_that_asked_for_no_more_than_it_may(suite):
    s = suite(start=False)
    with start_bounce(s, LATE.format(questions=64)) as client:
        assert client.recv(100) == b"64 connections"
    assert "does not take" not in s.log()


def test_systemd_is_told(suite, tmp_path):
    s = suite(start=False)
    path = str(tmp_path / "notify")
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(path)
    notify.settimeout(DEADLINE)
    s.posthaste("check")
    program = re.search(r"daemon_directory = (\S+)", s.main_cf).group(1)
    master = subprocess.Popen(
        [program + "/master", "-d", "-c", s.root / "etc"],
        env=dict(os.environ, NOTIFY_SOCKET=path))
    assert b"READY=1" in notify.recv(1000)
    master.send_signal(signal.SIGHUP)
    assert b"RELOADING=1" in notify.recv(1000)
    assert b"READY=1" in notify.recv(1000)
    master.terminate()
    assert b"STOPPING=1" in notify.recv(1000)
    assert master.wait(DEADLINE) == 0


def sessions(s):
    """Of each smtpd of the first port."""
    return {int(line.split()[2]): int(line.split()[5])
            for line in s.posthaste("status").out.splitlines()
            if line.startswith(f"127.0.0.1:{s.ports['smtp']}/inet")
            and "starting" not in line}


def open_some(s, count):
    some = [socket.create_connection(("127.0.0.1", s.ports["smtp"]), DEADLINE)
            for _ in range(count)]
    for c in some:
        assert c.recv(3) == b"220"
    return some


def leave(s, crowd):
    for c in crowd:
        c.close()
    wait_for("the crowd's end", lambda: sum(sessions(s).values()) == 0)


def two_processes(s):
    crowd = []
    wait_for("a second process",
             lambda: crowd.extend(open_some(s, 8)) or len(sessions(s)) > 1)
    leave(s, crowd)


def waits(pid):
    """How often it has gone to sleep."""
    return int(status_of(pid)["voluntary_ctxt_switches"])


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2,
                    reason="one processor: one process")
def test_processes_share_the_sessions(suite):
    s = suite()
    two_processes(s)
    least = []
    # one that gets no processor for a while has the fewest
    while not least or least[-1] < 25 and len(least) < 12:
        crowd = open_some(s, 100)
        assert sum(sessions(s).values()) == 100
        least.append(min(sessions(s).values()))
        leave(s, crowd)
    assert least[-1] >= 25, least


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2,
                    reason="one processor: one process")
def test_no_process_waits_for_others_in_vain(suite):
    """It leaves the next client to one with fewer sessions, for 2 ms; but not
    when its own have ended meanwhile."""
    s = suite()
    two_processes(s)
    busy, other = sessions(s)
    os.kill(other, signal.SIGSTOP)
    held, took = open_some(s, 3), []

    def is_answered_at_once():
        before, start = waits(busy), time.monotonic()
        client = socket.create_connection(("127.0.0.1", s.ports["smtp"]),
                                          DEADLINE)
        while waits(busy) == before:
            pass
        held.pop(0).close()
        assert client.recv(3) == b"220"
        took.append(time.monotonic() - start)
        held.append(client)
        return took[-1] < 0.001

    try:
        wait_for("an answer at once", is_answered_at_once)
    finally:
        os.kill(other, signal.SIGCONT)
    assert min(took) < 0.001
