# SPDX-License-Identifier: ISC
"""A reload changes everything or nothing, and disturbs nobody."""
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

from parked import all_parked
from posthaste import AS_ROOT, DEADLINE, PASSWORD, ROOT, free_port, wait_for
from programs import own_programs, replace, restore, wait_gone


def test_new_settings_reach_new_sessions_and_old_ones_go_on(suite):
    s = suite()
    old = s.smtp()
    old.helo()
    old_pid = s.processes("smtpd")
    s.set(smtpd_banner="new.example.test ESMTP")
    s.posthaste("reload")
    with socket.create_connection(("127.0.0.1", s.ports["smtp"])) as c:
        assert b"new.example.test" in c.recv(200)
    s.send_on(old, "alice@example.test", ["bob@example.test"],
              "Subject: old session\r\n\r\nx\r\n")
    old.quit()
    s.wait_messages("bob")
    for pid in old_pid:
        wait_gone(pid)
    assert "generation 2" in s.posthaste("status").out
    wait_for("no old one in the list", lambda: "retiring" not in
             s.posthaste("status").out.split("qmgr/unix")[0])


def listeners(port):
    """Inodes of the sockets that listen on it."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    return {int(row[9]) for row in rows
            if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}


def watched(pid):
    """Inodes of what a process's epoll reports."""
    found = set()
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):  # closed by now
            found |= {int(ino, 16) for ino in re.findall(
                r"^tfd:.* ino:(\w+)", info.read_text(), re.M)}
    return found


def test_who_retires_is_not_woken_by_new_clients(suite):
    """The listener is open in others as well: closing it is not enough."""
    s = suite()
    old = s.smtp()
    old.helo()
    pid, = s.processes("smtpd")
    assert listeners(s.ports["smtp"]) & watched(pid)
    s.posthaste("reload")
    wait_for("an end of that",
             lambda: not listeners(s.ports["smtp"]) & watched(pid))
    assert listeners(s.ports["smtp"])
    # it goes on with what it has
    s.send_on(old, "alice@example.test", ["bob@example.test"],
              "Subject: old session\r\n\r\nx\r\n")
    old.quit()
    s.wait_messages("bob")
    wait_gone(pid)


def test_mail_flows_through_many_reloads(suite):
    s = suite()
    for i in range(10):
        s.send(body=f"{i}\n")
        s.posthaste("reload")
    s.wait_messages("bob", 10)
    s.wait_empty()
    assert len(s.messages("bob")) == 10
    assert "panic" not in s.log()


def test_listener_comes_and_goes(suite):
    s = suite()
    port = free_port()
    text = (s.root / "etc/master.cf").read_text()
    s.write("master.cf", text + f"127.0.0.1:{port} inet n - n - 9 smtpd\n")
    s.posthaste("reload")
    with socket.create_connection(("127.0.0.1", port)) as c:
        assert c.recv(3) == b"220"
    s.write("master.cf", text)
    s.posthaste("reload")

    def closed():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0
    wait_for("the listener to be closed", closed)
    s.send()
    s.wait_messages("bob")


def without(s, *names):
    """Takes these listeners out of master.cf, with their options."""
    text = (s.root / "etc/master.cf").read_text()
    for name in names:
        text = re.sub(rf"^127\.0\.0\.1:{s.ports[name]} .*\n(\s.*\n)*", "",
                      text, flags=re.M)
    s.write("master.cf", text)


def test_sessions_outlive_their_service(suite):
    """They ask master for connections when their line is gone as well."""
    s = suite(main="imap_hibernate_timeout = 1s\n")
    master = (s.root / "spool/pid/master.pid").read_text()
    smtp, late, last = (s.smtp(), s.imap(None, "implicit"),
                        s.imap(None, "starttls"))
    smtp.ehlo()
    idle = {port: s.imap(user, tls) for port, user, tls in
            (("imaps", "alice", "implicit"), ("imap", "carol", "starttls"))}
    for c in idle.values():
        c.ok("SELECT INBOX")
    all_parked(s)
    without(s, "smtp", "imaps")
    s.posthaste("reload")
    s.send_on(smtp, "alice@example.test", ["bob@example.test"],
              "Subject: old session\r\n\r\nx\r\n")
    late.login("bob", PASSWORD)
    late.ok("SELECT INBOX")
    idle["imaps"].ok("NOOP")
    # now no line has imapd, and the processes of users are in no plan
    without(s, "imap")
    s.posthaste("reload")
    idle["imap"].ok("NOOP")
    last.send(f"a LOGIN bob {PASSWORD}\r\n".encode())
    assert last.line().startswith((b"a NO", b"* BYE"))
    assert (s.root / "spool/pid/master.pid").read_text() == master
    assert "generation 3" in s.posthaste("status").out


def test_port_in_use_leaves_the_old_generation(suite):
    s = suite()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with open(s.root / "etc/master.cf", "a") as f:
            f.write(f"127.0.0.1:{port} inet n - n - 9 smtpd\n")
        done = s.posthaste("reload", check=False)
    assert done.returncode != 0
    assert "Address already in use" in done.err
    assert "generation 1" in s.posthaste("status").out
    s.send()
    s.wait_messages("bob")


def banner(port, host="127.0.0.1"):
    with socket.create_connection((host, port), DEADLINE) as c:
        return c.recv(3)


def steal(port, option, user=None):
    """0 when somebody could have the port of ours."""
    return subprocess.run(
        [sys.executable, "-c", "import socket; s = socket.socket();"
         f"s.setsockopt(socket.SOL_SOCKET, socket.{option}, 1);"
         f"s.bind(('127.0.0.1', {port})); s.listen()"],
        user=user, stderr=subprocess.DEVNULL, cwd="/").returncode


def listens(port, host):
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


class Caller(threading.Thread):
    """Connects again and again; keeps what went wrong. The kernel resets
    a connection that is made in the very moment in which its listener is
    closed; never may there be none that listens."""

    def __init__(self, port):
        super().__init__()
        self.port = port
        self.calls = self.resets = 0
        self.failures = []
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            self.calls += 1
            try:
                got = banner(self.port)
            except ConnectionResetError:
                self.resets += 1
                continue
            except OSError as e:
                got = repr(e)
            if got != b"220":
                self.failures.append(got)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def test_wildcard_and_specific_addresses_replace_each_other(suite):
    """inet_interfaces goes to all and back; somebody listens all the time."""
    port = free_port()
    s = suite(master=f"{port} inet n - n - 50 smtpd\n")
    with Caller(port) as caller:
        for _ in range(3):
            s.set(inet_interfaces="all")
            s.posthaste("reload")
            assert banner(port, "127.0.0.2") == b"220"
            s.set(inet_interfaces="loopback-only")
            s.posthaste("reload")
            wait_for("the wildcard's end",
                     lambda: not listens(port, "127.0.0.2"))
        # the same address under another name is another service
        text = (s.root / "etc/master.cf").read_text()
        s.write("master.cf", text.replace(f"\n{port} inet",
                                          f"\n127.0.0.1:{port} inet"))
        s.posthaste("reload")
        s.write("master.cf", text)
        s.posthaste("reload")
        assert banner(port) == b"220"
    assert caller.calls > 10
    assert caller.resets <= 8  # one for each reload
    assert not caller.failures, caller.failures[:3]


def test_wildcard_that_cannot_be_had_leaves_the_old_listener(suite):
    port = free_port()
    s = suite(master=f"{port} inet n - n - 50 smtpd\n")
    with Caller(port) as caller:
        with socket.create_server(("127.0.0.2", port)):
            s.set(inet_interfaces="all")
            done = s.posthaste("reload", check=False)
            assert done.returncode != 0
            assert (f"cannot listen on 0.0.0.0:{port}: Address already in use"
                    in done.err)
            assert "the old configuration stays in force" in done.err
            assert "generation 1" in s.posthaste("status").out
        s.posthaste("reload")
        assert banner(port, "127.0.0.2") == b"220"
        # nobody else shares a place with us, even if he wants to
        assert steal(port, "SO_REUSEADDR") != 0
        if AS_ROOT:
            assert steal(port, "SO_REUSEPORT", user="nobody") != 0
    assert not caller.failures, caller.failures[:3]


@pytest.mark.parametrize("main, master, said", [
    ("myhostname = bad host\n", "", 'myhostname: "bad host" is not a host name'),
    ("mydomain =\n", "", 'mydomain: "" must not be empty'),
    ("", "hook unix - n n - - pipe argv=/bin/true\n",
     "service hook/unix: pipe: user= is missing"),
    ("", "hook unix - n n - - pipe user=nobody\n",
     "service hook/unix: pipe: argv= is missing"),
])
def test_what_cannot_work_is_refused_by_check(suite, main, master, said):
    s = suite(start=False, main=main, master=master)
    done = s.posthaste("check", check=False)
    assert done.returncode == 1
    assert said in done.err


def test_check_warns_of_a_transport_without_service(suite):
    s = suite(main="virtual_transport = lmpt:unix:private/x\n")
    done = s.posthaste("check")
    assert ('virtual_transport: there is no service "lmpt" in master.cf'
            in done.err)
    assert done.err.count("there is no service") == 1
    s.send(to="bob@example.test")
    s.wait_log(r"to=<bob@example\.test>.* status=deferred")


def test_start_and_reload_show_warnings_once(suite):
    said = 'virtual_transport: there is no service "lmpt" in master.cf'
    s = suite(start=False, main="virtual_transport = lmpt:x\n")
    done = s.posthaste("start")
    s.started = True
    assert done.err.count(said) == 1
    s.wait_log(r"warning: main\.cf: line \d+: " + said)
    assert s.log().count(said) == 1
    done = s.posthaste("reload")
    assert done.err.count(said) == 1
    wait_for("the second line", lambda: s.log().count(said) == 2)
    s.set(smtpd_data_restrictions="reject_everything")
    done = s.posthaste("reload", check=False)
    assert done.returncode == 1
    assert done.err.count(said) == 1
    assert done.err.count("unknown restriction") == 1


@pytest.mark.parametrize("action", ["check", "start", "reload"])
def test_a_mistake_is_told_once(suite, action):
    s = suite(start=action == "reload")
    s.set(hash_queue_depth="deep")
    done = s.posthaste(action, check=False)
    assert done.returncode != 0
    assert done.err.count('hash_queue_depth: "deep" is not a number') == 1


def test_queue_directory_cannot_move_by_reload(suite):
    s = suite()
    (s.root / "other").mkdir()
    s.set(queue_directory=s.root / "other")
    # the command itself looks for master in the new place
    assert s.posthaste("reload", check=False).returncode != 0
    s.set(queue_directory=s.root / "spool")
    s.posthaste("reload")


def test_what_needs_a_restart_is_named(suite):
    """All of it at once, and the running suite is as it was."""
    s = suite()
    main = (s.root / "etc/main.cf").read_text()
    users = "".join(f"{kind}_user = $old_owner-{kind}\n" for kind in
                    ("net", "table", "auth", "token", "key", "log"))
    old = s.command("postconf", "-h", "mail_owner").out.strip()
    s.write("main.cf", main + f"old_owner = {old}\n{users}"
                              "mail_owner = nobody\nsetgid_group = mail\n")
    done = s.command(ROOT / "libexec/posthaste/master", "-c", s.root / "etc",
                     "-C", check=False)
    assert "error" not in done.err, done.err
    os.kill(int((s.root / "spool/pid/master.pid").read_text()),
            signal.SIGHUP)
    at = len(main.splitlines())
    s.wait_log(f"main.cf: line {at + 8}: mail_owner cannot be changed by a "
               "reload: stop and start")
    s.wait_log(f"main.cf: line {at + 9}: setgid_group cannot be changed by a "
               "reload: stop and start")
    assert "generation 1" in s.posthaste("status", check=False).out
    if AS_ROOT:  # and nothing was given to the new owner
        done = s.posthaste("reload", check=False)
        assert "mail_owner cannot be changed by a reload" in done.err
        assert (s.root / "spool/incoming").owner() == old
    s.write("main.cf", main)
    s.send()
    s.wait_messages("bob")


def test_only_one_queue_manager_works(suite):
    s = suite()
    for _ in range(3):
        s.posthaste("reload")
    wait_for("one qmgr", lambda: len(s.processes("qmgr")) == 1)
    s.send()
    s.wait_messages("bob")
    assert len(s.messages("bob")) == 1


def test_program_that_does_not_start_anew_leaves_the_old_one(suite):
    s = suite(start=False)
    folder = own_programs(s)
    s.start()
    s.send()
    s.wait_messages("bob")
    old = s.processes("smtpd")
    replace(folder, "smtpd", "#!/bin/sh\nexit 1\n")
    done = s.posthaste("reload", check=False)
    assert done.returncode != 0
    assert "smtpd does not start with the new settings" in done.err
    for _ in range(5):  # the old one serves
        with s.smtp() as session:
            session.noop()
    assert set(old) <= set(s.processes("smtpd"))
    restore(folder, "smtpd")
    s.posthaste("reload")
    for pid in old:
        wait_gone(pid)
    s.send()
    s.wait_messages("bob", 2)


def test_no_connection_is_refused_during_reloads(suite):
    s = suite()
    import threading
    stop = threading.Event()
    refused = []

    def connect():
        while not stop.is_set():
            try:
                with socket.create_connection(
                        ("127.0.0.1", s.ports["smtp"]), timeout=DEADLINE) as c:
                    if c.recv(3) != b"220":
                        refused.append("no greeting")
            except OSError as e:
                refused.append(str(e))

    thread = threading.Thread(target=connect)
    thread.start()
    try:
        for _ in range(5):
            s.posthaste("reload")
    finally:
        stop.set()
        thread.join()
    assert not refused
