# SPDX-License-Identifier: ISC
"""The first command a stranger types, in a fresh copy of the sources."""
import os
import re
import socket
import subprocess
import tempfile
import shutil

import pytest

from posthaste import SOURCE

PORTS = (2525, 2587, 2465, 2110, 2995)


@pytest.fixture
def copy():
    """The tracked files, where other users can reach them."""
    top = tempfile.mkdtemp(prefix="ph-quick-", dir="/tmp")
    os.chmod(top, 0o755)
    files = subprocess.run(["git", "ls-files", "-z"], cwd=SOURCE, check=True,
                           capture_output=True).stdout
    subprocess.run(["cpio", "-0", "-pdm", "--quiet", top], cwd=SOURCE,
                   input=files, check=False, stderr=subprocess.DEVNULL) \
        if shutil.which("cpio") else subprocess.run(
            f"tar -cf - --null -T - | tar -xf - -C {top}", shell=True,
            cwd=SOURCE, input=files, check=True)
    yield top
    subprocess.run(["./quickstart", "stop"], cwd=top, capture_output=True)
    shutil.rmtree(top, ignore_errors=True)


def run(top, *arguments, timeout=400):
    done = subprocess.run(["./quickstart", *arguments], cwd=top, timeout=timeout,
                          capture_output=True, text=True, errors="replace",
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def test_quickstart_sends_and_reads_a_message(copy):
    if any(listening(p) for p in PORTS):
        pytest.skip("another demonstration runs on this machine")
    code, out = run(copy)
    assert code == 0, out
    assert re.search(r"C: STARTTLS", out)
    assert re.search(r"S: 250 2.0.0 Ok: queued as \w+", out)
    assert re.search(r"S: \+OK", out)
    assert "this went through the whole suite" in out
    assert all(listening(p) for p in PORTS)
    assert run(copy, "status")[0] == 0
    new = os.listdir(f"{copy}/demo/mail/example.test/bob/new")
    cur = os.listdir(f"{copy}/demo/mail/example.test/bob/cur")
    assert len(new + cur) == 1
    queue = subprocess.run([f"{copy}/demo/bin/postqueue", "-p"],
                           capture_output=True, text=True, check=True)
    assert "Mail queue is empty" in queue.stdout
    code, out = run(copy)  # again: safe
    assert code == 0, out
    code, out = run(copy, "stop")
    assert code == 0, out
    assert not any(listening(p) for p in PORTS)
    assert run(copy, "status")[0] != 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root has other users")
def test_clone_that_other_users_cannot_enter_gets_a_linked_demo(copy):
    """As in /root: the demo lies in /srv. Ends where packages are looked for."""
    os.chmod(copy, 0o700)
    tools = tempfile.mkdtemp(prefix="ph-tools-", dir="/tmp")
    demo = f"{copy}/demo"
    for name in os.listdir("/usr/bin"):
        if name != "dpkg-query":
            os.symlink(f"/usr/bin/{name}", f"{tools}/{name}")
    try:
        done = subprocess.run(
            ["./quickstart"], cwd=copy, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, env=dict(os.environ, PATH=tools))
        assert done.returncode == 1
        assert "this script is for Debian 12" in done.stderr
        assert os.readlink(demo).startswith("/srv/posthaste-demo")
        assert os.readlink(demo) in done.stdout
        assert os.stat(demo).st_mode & 0o777 == 0o755
        assert os.path.isdir(f"{demo}/etc")
    finally:
        shutil.rmtree(tools)
        if os.path.islink(demo):
            shutil.rmtree(os.readlink(demo), ignore_errors=True)
