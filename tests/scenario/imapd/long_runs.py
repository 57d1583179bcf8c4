# SPDX-License-Identifier: ISC
"""What tests share that change an account at random, for as long as one likes,
and kill those who serve it."""
import os
import pathlib
import signal
import time

from posthaste import Instance, wait_for

MAIN = """
disable_plaintext_auth = no
mail_max_userip_connections = 100
"""


def children(s):
    """Processes that serve users: those whose parent is one of them."""
    pids = set(s.processes("imapd-session"))
    found = []
    for pid in pids:
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        if int(stat[stat.rindex(")") + 2:].split()[1]) in pids:
            found.append(pid)
    return found


def kill_children(s):
    """Also those that a login under way begins meanwhile."""
    def none_left():
        pids = children(s)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not pids

    wait_for("killed ones to be gone", none_left)


def write_nonsense(path, chance, most):
    """At random places of a file."""
    size = path.stat().st_size
    with open(path, "r+b") as f:
        for _ in range(chance.randint(1, most)):
            f.seek(chance.randrange(max(size, 1)))
            f.write(chance.randbytes(chance.randint(1, 64)))


def by_hand(run, seconds, seed):
    """run(s, seed, seconds=n) of new instances, until time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        s = Instance(main=MAIN).start()
        failed = True
        try:
            n = run(s, seed, seconds=min(60, end - time.monotonic()))
            failed = False
        finally:
            if failed:
                print(s.log_tail(30))
                os.environ["POSTHASTE_KEEP"] = "1"
                print(f"kept: {s.root}")
            s.close(failed)
        print(f"seed {seed}: {n} rounds", flush=True)
        seed += 1
