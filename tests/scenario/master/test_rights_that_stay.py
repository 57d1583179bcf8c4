# SPDX-License-Identifier: ISC
"""The kernel refuses to take rights away: nothing is done with those that are
left (CVE-2010-0301, CVE-2011-0017)."""
import contextlib
import pwd
import re
import shutil
import signal
import socket
import subprocess

import pytest

from posthaste import AS_ROOT, kill_all, owner_ids, wait_for

pytestmark = pytest.mark.skipif(
    not AS_ROOT or shutil.which("strace") is None,
    reason="needs root's rights, and strace")
CALLS = ["setgroups", "setresgid", "setresuid"]


@contextlib.contextmanager
def refusing(pid, call):
    """In this process and those it starts from now on."""
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(pid), "-e",
         f"trace={call}", "-e", f"inject={call}:error=EPERM"],
        stderr=subprocess.DEVNULL)
    try:
        wait_for("strace", lambda: re.search(
            r"TracerPid:\t[1-9]", open(f"/proc/{pid}/status").read()))
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()


@pytest.mark.parametrize("call", CALLS)
def test_no_program_serves_with_too_many(suite, call):
    s = suite()
    s.send()
    s.wait_messages("bob")
    master = int((s.root / "spool/pid/master.pid").read_text())
    with refusing(master, call):
        for program in ("smtpd", "cleanup", "lookup"):
            kill_all(s.processes(program))
        with socket.create_connection(("127.0.0.1", s.ports["smtp"])) as c:
            s.wait_log(r"smtpd\[\d+\]: fatal: cannot become user \d+, group "
                       r"\d+: Operation not permitted")
            c.setblocking(False)
            with contextlib.suppress(OSError):
                assert c.recv(100) == b""
    assert len(s.messages("bob")) == 1


@pytest.mark.parametrize("to", ["mailbox", "command"])
@pytest.mark.parametrize("call", CALLS)
def test_no_mail_is_delivered_with_too_many(suite, call, to):
    s = suite(start=False)
    uid, gid = owner_ids()
    user = pwd.getpwuid(uid).pw_name
    spool = s.root / "var-mail"
    spool.mkdir()
    spool.chmod(0o1777)
    s.root.chmod(0o777)
    s.write("aliases", f'command: "|id -u >{s.root}/tripwire"\n')
    s.set(alias_maps=f"hash:{s.root}/etc/aliases", local_recipient_maps="",
          mail_spool_directory=spool)
    s.start()
    s.send()  # the others have their rights, and nothing but those
    s.wait_messages("bob")
    master = int((s.root / "spool/pid/master.pid").read_text())
    with refusing(master, call):
        kill_all(s.processes("local"))
        s.send(to=f"{user if to == 'mailbox' else to}@local.test", sender="")
        s.wait_log(r"@local\.test>, .*status=deferred"
                   r"|local\[\d+\]: fatal: .*not permitted", 30)
        assert not (s.root / "tripwire").exists()
        assert not (spool / user).exists()
