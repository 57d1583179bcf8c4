# SPDX-License-Identifier: ISC
"""A reload changes everything or nothing, and disturbs nobody."""
import socket

import pytest

from posthaste import free_port, wait_for
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
    out = s.posthaste("status").out
    assert "generation 2" in out
    assert "retiring" not in out.split("qmgr/unix")[0]


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


@pytest.mark.parametrize("main, master, said", [
    ("myhostname = bad host\n", "", 'myhostname: "bad host" is not a host name'),
    ("mydomain =\n", "", 'mydomain: "" is not a host name'),
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
                        ("127.0.0.1", s.ports["smtp"]), timeout=10) as c:
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
