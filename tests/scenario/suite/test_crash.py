# SPDX-License-Identifier: ISC
"""kill -9 of any program under load: what got its 250 arrives."""
import os
import random
import signal
import smtplib
import threading
import time

import pytest

from chaos import born
from posthaste import wait_for

PROGRAMS = ("smtpd", "cleanup", "qmgr", "local", "lookup", "logd")


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


def killed(s, program, noise):
    pids = s.processes(program)
    if not pids:
        return False
    try:
        os.kill(noise.choice(pids), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


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


@pytest.mark.parametrize("program", PROGRAMS)
def test_killed_program_comes_back_and_nothing_is_lost(suite, program):
    s = suite(main="minimal_backoff_time = 1s\nmaximal_backoff_time = 2s\n"
                   "queue_run_delay = 1s\n")
    noise = random.Random(program)
    accepted, stop = [], threading.Event()
    threads = [threading.Thread(target=load, args=(s, accepted, stop, i))
               for i in range(4)]
    for t in threads:
        t.start()
    kills, end = 0, time.monotonic() + 4
    while (time.monotonic() < end or
           (kills < 3 or not accepted) and time.monotonic() < end + 60):
        kills += killed(s, program, noise)
        stop.wait(0.3)
    stop.set()
    for t in threads:
        t.join()
    assert kills > 2
    check_ledger(s, accepted)
    s.send(body="after the kills\r\n")


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
