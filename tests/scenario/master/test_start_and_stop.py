# SPDX-License-Identifier: ISC
"""Each action of posthaste returns when its work is done."""
import os
import signal
import socket
import subprocess

import pytest

from posthaste import DEADLINE, ROOT, free_port, wait_for
from programs import alive, own_programs, wait_gone


def refused(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_start_returns_when_it_serves(suite):
    s = suite()
    with s.smtp() as session:
        session.noop()
    assert s.posthaste("status").returncode == 0


def test_start_lets_go_of_the_caller_s_descriptors(suite):
    s = suite(start=False)
    ours, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    done = subprocess.run(
        [ROOT / "sbin/posthaste", "-c", s.root / "etc", "start"],
        pass_fds=[theirs], capture_output=True, timeout=DEADLINE)
    s.started = True
    assert done.returncode == 0, done.stderr
    os.close(theirs)
    assert os.read(ours, 1) == b""  # nobody holds the other end
    os.close(ours)


def test_stop_leaves_nothing(suite):
    s = suite()
    s.send()
    s.wait_messages("bob")
    pids = s.processes()
    sessions = [s.smtp() for _ in range(5)]
    s.stop()
    for pid in pids:
        assert not alive(pid), pid
    assert refused(s.ports["smtp"])
    assert refused(s.ports["pop3"])
    assert s.posthaste("stop", check=False).returncode != 0
    for session in sessions:
        session.close()
    s.start()
    s.send()
    s.wait_messages("bob", 2)


def test_abort_is_quick_with_busy_sessions(suite):
    s = suite()
    sessions = [s.smtp() for _ in range(5)]
    pids = s.processes()
    s.posthaste("abort", timeout=60)
    s.started = False
    assert not any(alive(pid) for pid in pids)
    assert len(sessions) == 5


def test_second_start_is_refused(suite):
    s = suite()
    done = s.posthaste("start", check=False)
    assert done.returncode != 0
    assert "already running" in done.err
    s.send()
    s.wait_messages("bob")


def test_status_tells_the_truth(suite):
    s = suite(start=False)
    assert s.posthaste("status", check=False).returncode != 0
    s.start()
    out = s.posthaste("status").out
    for word in ("qmgr/unix", "lookup/unix", "log/unix-dgram", "idle"):
        assert word in out
    with s.smtp():
        sessions = [line.split()[5] for line in
                    s.posthaste("status").out.splitlines()
                    if f":{s.ports['smtp']}/inet" in line]
        assert sum(map(int, sessions)) == 1
    s.stop()
    assert s.posthaste("status", check=False).returncode != 0


def test_suite_starts_again_after_master_was_killed(suite):
    s = suite()
    s.send()
    s.wait_messages("bob")
    old = s.processes()
    master = int((s.root / "spool/pid/master.pid").read_text())
    os.kill(master, signal.SIGKILL)
    wait_for("end of the old listener", lambda: refused(s.ports["smtp"]))
    s.posthaste("start")
    s.send()
    s.wait_messages("bob", 2)
    for pid in old:
        wait_gone(pid)


WRONG = [
    ("main", "no_such_setting = 1\n", r"main.cf: line \d+: no_such_setting"),
    ("main", "message_size_limit = many\n", "message_size_limit"),
    ("main", "this is no setting\n", "main.cf: line"),
    ("master", "smtp2 inet n\n", r"master.cf: line \d+"),
    ("master", "odd unix - - n - - no-such-program\n", "no-such-program"),
    ("master", "7 inet n - n - 1 smtpd -o nothing_like_it=1\n",
     "nothing_like_it"),
    ("master", "no-such-port inet n - n - 1 smtpd\n", "no-such-port"),
]


@pytest.mark.parametrize("where, line, told", WRONG)
def test_wrong_configuration_is_refused_by_all(suite, where, line, told):
    import re
    s = suite()
    with open(s.root / f"etc/{where}.cf", "a") as f:
        f.write(line)
    for action in ("check", "reload"):
        done = s.posthaste(action, check=False)
        assert done.returncode != 0, action
        assert re.search(told, done.err), done.err
    s.send()  # the old generation goes on
    s.wait_messages("bob")
    s.stop()
    done = s.posthaste("start", check=False)
    assert done.returncode != 0
    assert re.search(told, done.err), done.err
    assert not s.processes()


def test_check_says_all_mistakes_at_once(suite):
    s = suite(start=False, main="wrong_one = 1\nwrong_two = 2\n",
              master="odd unix - - n - - no-such-program\n")
    err = s.posthaste("check", check=False).err
    for word in ("wrong_one", "wrong_two", "no-such-program"):
        assert word in err


def test_port_in_use_is_told(suite):
    s = suite(start=False)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", s.ports["smtp"]))
        other.listen()
        done = s.posthaste("start", check=False)
        assert done.returncode != 0
        assert "Address already in use" in done.err
        assert f"127.0.0.1:{s.ports['smtp']}" in done.err
    assert not s.processes()


def test_missing_program_is_told(suite):
    s = suite(start=False)
    (own_programs(s) / "cleanup").unlink()
    done = s.posthaste("check", check=False)
    assert done.returncode != 0
    assert "cleanup" in done.err


POSTFIX = """\
127.0.0.1:{smtp} inet n - y - - smtpd
pickup    unix  n - y 60  1 pickup
cleanup   unix  n - y -   0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - y 1000? 1 tlsmgr
rewrite   unix  - - y -   - trivial-rewrite
bounce    unix  - - y -   0 bounce
defer     unix  - - y -   0 bounce
trace     unix  - - y -   0 bounce
verify    unix  - - y -   1 verify
flush     unix  n - y 1000? 0 flush
proxymap  unix  - - n -   - proxymap
proxywrite unix - - n -   1 proxymap
smtp      unix  - - y -   - smtp
relay     unix  - - y -   - smtp
        -o syslog_name=${{multi_instance_name?{{$multi_instance_name}}:{{postfix}}}}/$service_name
showq     unix  n - y -   - showq
error     unix  - - y -   - error
retry     unix  - - y -   - error
discard   unix  - - y -   - discard
local     unix  - n n -   - local
virtual   unix  - n n -   - virtual
lmtp      unix  - - y -   - lmtp
anvil     unix  - - y -   1 anvil
scache    unix  - - y -   1 scache
postlog   unix-dgram n - n - 1 postlogd
maildrop  unix  - n n -   - pipe flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${{recipient}}
"""


def test_master_cf_of_postfix_serves_as_it_is(suite):
    s = suite(master_cf=POSTFIX)
    s.send()
    s.wait_messages("bob")
    told = s.posthaste("check").err
    assert "trivial-rewrite needs no process" in told


def test_ports_by_name_interface_and_protocol(suite):
    s = suite(start=False)
    port = free_port()
    s.set(inet_interfaces="loopback-only", inet_protocols="all")
    with open(s.root / "etc/master.cf", "a") as f:
        f.write(f"{port} inet n - n - 10 smtpd\n")
    s.start()
    with socket.create_connection(("127.0.0.1", port)) as c:
        assert c.recv(3) == b"220"
    if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
        with socket.create_connection(("::1", port)) as c:
            assert c.recv(3) == b"220"


def test_start_says_why_the_log_cannot_be_written(suite):
    s = suite(start=False)
    s.set(maillog_file=s.root / "nowhere/mail.log")
    done = s.posthaste("start", check=False)
    assert done.returncode != 0
    assert "nowhere/mail.log: No such file or directory" in done.err
    assert not s.processes()


def test_log_goes_to_standard_output_in_the_foreground(suite, tmp_path):
    s = suite(start=False)
    s.set(maillog_file="/dev/stdout")
    with open(tmp_path / "out", "wb") as out:
        master = subprocess.Popen(
            [ROOT / "sbin/posthaste", "-c", s.root / "etc", "start-fg"],
            stdout=out)
    wait_for("a log line",
             lambda: "daemon started" in (tmp_path / "out").read_text())
    s.send()
    s.wait_messages("bob")
    wait_for("the delivery",
             lambda: "status=sent" in (tmp_path / "out").read_text())
    s.posthaste("stop")
    assert master.wait(DEADLINE) == 0
