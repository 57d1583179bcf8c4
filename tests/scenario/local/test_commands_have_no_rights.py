# SPDX-License-Identifier: ISC
"""What a recipient's command can do: what its user may, and nothing of local's,
which is root."""
import json

import pytest

from posthaste import AS_ROOT

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="rights differ only for "
                                "root")

PROBE = """\
import ctypes, json, os, socket, sys
sys.stdin.read()
libc = ctypes.CDLL(None, use_errno=True)
done = []

def attempt(name, what):
    try:
        result = what()
    except OSError:
        return
    if not (isinstance(result, int) and result < 0):
        done.append(name)

def connect(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)

def ptrace(pid):
    return libc.ptrace(0x4206, pid, 0, 0)

with open("/proc/self/status") as f:
    status = dict(line.rstrip().split(":", 1) for line in f)
fds = {n: os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
       if os.path.exists(f"/proc/self/fd/{n}") or int(n) < 3}
root, parent = sys.argv[1], os.getppid()
for call in ("setuid", "seteuid", "setgid", "setegid"):
    attempt(call, lambda: getattr(os, call)(0))
attempt("setgroups", lambda: os.setgroups([0]))
attempt("chroot", lambda: os.chroot("/"))
for path in ("/etc/shadow", root + "/etc/key.pem", root + "/etc/accounts"):
    attempt("open " + path, lambda: open(path))
for path in ("spool/incoming", "spool/active", "spool/private",
             "mail/example.test/bob"):
    attempt("list " + path, lambda: os.listdir(root + "/" + path))
for name in ("qmgr", "local", "virtual", "auth-session", "keyd", "bounce",
             "lookup", "cleanup"):
    attempt("connect " + name,
            lambda: connect(f"{root}/spool/private/{name}"))
with open(f"/proc/{parent}/status") as f:
    master = next(int(line.split()[1]) for line in f
                  if line.startswith("PPid:"))
for pid in (parent, master):
    attempt("trace", lambda: ptrace(pid))
    attempt("signal", lambda: os.kill(pid, 0))
    attempt("memory", lambda: open(f"/proc/{pid}/mem", "rb"))
    attempt("descriptors", lambda: os.listdir(f"/proc/{pid}/fd"))
    attempt("limits", lambda: libc.prlimit(pid, 7, None, bytes(16)))
with open(sys.argv[2] + ".new", "w") as f:
    json.dump({"status": status, "fds": fds, "done": done}, f)
os.rename(sys.argv[2] + ".new", sys.argv[2])
"""


@pytest.mark.parametrize("way", ["mailbox_command", "forward"])
def test_command_of_a_recipient(local, outcome, way):
    run = "/usr/bin/python3 {root}/home/probe {root} {root}/home/found"
    s = local(**({"mailbox_command": run} if way == "mailbox_command" else {}))
    (s.home / "probe").write_text(PROBE)
    (s.home / "probe").chmod(0o644)
    if way == "forward":
        s.own(".forward", f'"|{run.format(root=s.root)}"\n', 0o600)
    s.send(to=f"{s.user}@local.test")
    assert outcome(s, f"{s.user}@local.test").status == "sent"
    found = json.loads((s.home / "found").read_text())
    status = {k: v.split() for k, v in found["status"].items()}
    uid = (s.home / "found").stat().st_uid
    assert uid != 0 and status["Uid"] == [str(uid)] * 4
    assert status["Gid"] == [status["Gid"][0]] * 4 != ["0"] * 4
    assert "0" not in status["Groups"]
    for rights in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[rights][0], 16) == 0, rights
    # the message, and where its words go; nothing of the suite's
    assert set(found["fds"]) == {"0", "1", "2"}
    assert found["fds"]["1"] == found["fds"]["2"]
    assert found["fds"]["1"].startswith("pipe:")
    assert found["done"] == []
