# SPDX-License-Identifier: ISC
"""What make install leaves for init: a systemd unit and a SysV script."""
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from posthaste import AS_ROOT, DEADLINE, ROOT, wait_for
from programs import own_programs, replace


def init(s, action):
    return subprocess.run(
        [ROOT / "etc/init.d/posthaste", action], timeout=120, cwd="/",
        env=dict(os.environ, MAIL_CONFIG=str(s.root / "etc")),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)


def test_sysv_script(suite):
    s = suite(start=False)
    assert init(s, "status").returncode == 3
    assert init(s, "reload").returncode == 7
    assert init(s, "try-restart").returncode == 0
    assert not s.processes()
    assert init(s, "stop").returncode == 0  # nothing to do
    done = init(s, "start")
    s.started = True
    assert done.returncode == 0, done.stdout
    assert init(s, "start").returncode == 0  # again
    s.send()
    s.wait_messages("bob")
    assert "is running" in init(s, "status").stdout
    master = s.processes("master")
    assert init(s, "reload").returncode == 0
    assert s.processes("master") == master
    assert init(s, "restart").returncode == 0
    assert s.processes("master") != master
    s.send()
    s.wait_messages("bob", 2)
    master = s.processes("master")
    text = s.main_cf
    s.set(smtpd_data_restrictions="reject_everything")
    done = init(s, "restart")  # would not come back: it is not stopped
    assert done.returncode == 6
    assert "unknown restriction" in done.stdout
    assert s.processes("master") == master
    s.write("main.cf", text)
    assert init(s, "stop").returncode == 0
    assert not s.processes()
    done = init(s, "fly")
    assert done.returncode == 2 and "usage:" in done.stdout


def test_sysv_script_stops_what_runs_and_does_not_serve(suite):
    s = suite(start=False)
    folder = own_programs(s)
    s.start()
    replace(folder, "lookup", "#!/bin/sh\nexit 1\n")
    for pid in s.processes("lookup"):
        os.kill(pid, signal.SIGKILL)
    wait_for("trouble", lambda: init(s, "status").returncode == 1)
    assert init(s, "stop").returncode == 0
    assert not s.processes()


class Systemd:
    """Does with a unit what systemd does; its own root is the instance's."""

    def __init__(self, s, unit, folder):
        self.commands = dict(re.findall(r"(?m)^(Exec\w+)=(.*)", unit))
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(folder / "notify"))
        self.notify.settimeout(DEADLINE)
        self.env = dict(os.environ, MAIL_CONFIG=str(s.root / "etc"),
                        NOTIFY_SOCKET=str(folder / "notify"))

    def run(self, command):
        return subprocess.run(self.commands[command].split(), env=self.env,
                              check=True, timeout=120, cwd="/")

    def main(self):
        return subprocess.Popen(self.commands["ExecStart"].split(),
                                env=self.env, cwd="/")

    def told(self):
        return self.notify.recv(1000).decode().split("\n")[0]


def unit_text():
    (unit,) = ROOT.glob("**/posthaste.service")
    return unit, unit.read_text()


def test_systemd_unit_starts_reloads_and_stops(suite, tmp_path):
    s = suite(start=False)
    systemd = Systemd(s, unit_text()[1], tmp_path)
    if AS_ROOT:
        systemd.run("ExecStartPre")
    master = systemd.main()
    try:
        assert systemd.told() == "READY=1"
        s.send()  # ready is when it serves
        s.wait_messages("bob")
        systemd.run("ExecReload")
        assert systemd.told() == "RELOADING=1"
        assert systemd.told() == "READY=1"
        s.send()
        s.wait_messages("bob", 2)
        systemd.run("ExecStop")
        assert systemd.told() == "STOPPING=1"
        assert master.wait(DEADLINE) == 0
    finally:
        master.kill()
        master.wait()


@pytest.mark.skipif(not shutil.which("systemd-analyze"),
                    reason="no systemd-analyze")
def test_systemd_accepts_the_unit():
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit_text()[0]],
        capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_systemd_unit():
    _, text = unit_text()
    assert "\nType=notify\n" in text
    for command in re.findall(r"(?m)^Exec\w+=(\S+)", text):
        assert os.access(command, os.X_OK), command
    assert not re.search("@[a-z]+@", text)


def test_every_program_and_command_has_its_manual():
    for folder, section in (("sbin", "[18]"), ("libexec/posthaste", "8")):
        for program in (ROOT / folder).iterdir():
            name = program.name.split("-")[0]  # pop3d-session: pop3d(8)
            if name.endswith(".so"):  # table_pgsql.so: pgsql_table(5)
                kind = name.removeprefix("table_").removesuffix(".so")
                assert (ROOT / f"share/man/man5/{kind}_table.5").exists()
                continue
            assert list(ROOT.glob(f"share/man/man*/{name}.{section}")), program
