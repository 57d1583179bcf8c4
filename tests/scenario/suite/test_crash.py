# SPDX-License-Identifier: ISC
"""kill -9 of master under load: what got its 250 arrives. (Of all others:
test_chaos.py, and at each of their calls: tests/scenario/crash/.)"""
import os
import signal
import smtplib
import threading

from chaos_actions import born
from posthaste import wait_for


def load(s, accepted, stop, worker):
    """Sends until told to stop; notes what was answered with 250."""
    number = 0
    while not stop.is_set():
        try:
            with s.smtp(timeout=20) as session:
                for _ in range(5):
                    number += 1
                    token = f"token-{worker}-{number}-end"
                    session.sendmail(
                        "alice@example.test", ["bob@example.test"],
                        f"Subject: {token}\r\n\r\n{token}\r\n")
                    accepted.append(token)
        except (smtplib.SMTPException, OSError):
            stop.wait(0.05)


def check_ledger(s, accepted):
    def lost():
        everything = b"".join(s.messages("bob"))
        return [t for t in accepted if t.encode() not in everything]

    assert accepted
    try:
        wait_for("every message that was accepted", lambda: not lost())
    except AssertionError:
        raise AssertionError(f"{len(lost())} of {len(accepted)} lost: "
                             f"{lost()[:5]}\n{s.log_tail()}") from None


def test_master_killed_then_started_again(suite):
    s = suite()
    accepted, stop = [], threading.Event()
    worker = threading.Thread(target=load, args=(s, accepted, stop, 0))
    worker.start()
    wait_for("some mail", lambda: len(accepted) > 20)
    (master,) = s.processes("master")
    everybody = {pid: born(pid) for pid in s.processes()}
    os.kill(master, signal.SIGKILL)
    stop.wait(0.5)
    stop.set()
    worker.join()
    wait_for("all programs to follow their master", lambda: not any(
        when and born(pid) == when for pid, when in everybody.items()))
    s.start()
    check_ledger(s, accepted)
