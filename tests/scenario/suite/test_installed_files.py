# SPDX-License-Identifier: ISC
"""What make install leaves for init: a systemd unit and a SysV script."""
import os
import re
import subprocess

from posthaste import ROOT


def init(s, action):
    return subprocess.run(
        [ROOT / "etc/init.d/posthaste", action], timeout=60, cwd="/",
        env=dict(os.environ, MAIL_CONFIG=str(s.root / "etc")),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)


def test_sysv_script(suite):
    s = suite(start=False)
    assert init(s, "status").returncode != 0
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
    assert init(s, "stop").returncode == 0
    assert not s.processes()
    done = init(s, "fly")
    assert done.returncode == 2 and "usage:" in done.stdout


def test_systemd_unit():
    (unit,) = ROOT.glob("**/posthaste.service")
    text = unit.read_text()
    assert "\nType=notify\n" in text
    for command in re.findall(r"(?m)^Exec\w+=(\S+)", text):
        assert os.access(command, os.X_OK), command
    assert not re.search("@[a-z]+@", text)


def test_every_program_and_command_has_its_manual():
    for folder, section in (("sbin", "[18]"), ("libexec/posthaste", "8")):
        for program in (ROOT / folder).iterdir():
            name = program.name.split("-")[0]  # pop3d-session: pop3d(8)
            assert list(ROOT.glob(f"share/man/man*/{name}.{section}")), program
