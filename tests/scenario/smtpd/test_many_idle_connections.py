# SPDX-License-Identifier: ISC
"""5,000 clients that say nothing cost little memory and no time of others."""
import os
import resource
import socket

import pytest

from peers import Dialogue
from posthaste import DEADLINE, MASTER_CF, quick, wait_for

CONNECTIONS = 5000
MEMORY_EACH = 32 * 1024  # bytes of smtpd, all in all


def resident(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


@pytest.mark.unsanitized
def test_idle_sessions_are_cheap(suite):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # those that tests before have left open in this process come on top
    wanted = CONNECTIONS + 500 + len(os.listdir("/proc/self/fd"))
    if hard < wanted:
        pytest.skip(f"only {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    many = MASTER_CF.replace("n - n - 200 smtpd", "n - n - 6000 smtpd")
    s = suite(master_cf=many, main="smtpd_timeout = 600s\n")
    before = sum(resident(p) for p in s.processes("smtpd"))
    clients = []
    try:
        for _ in range(CONNECTIONS):
            c = socket.create_connection(
                ("127.0.0.1", s.ports["smtp"]), DEADLINE)
            clients.append(c)
            assert c.recv(100).startswith(b"220 ")
        quick("a message among idle sessions", 2,
              lambda: s.send(body="through\r\n"))
        s.wait_messages("bob")

        def small():
            used = sum(resident(p) for p in s.processes("smtpd")) - before
            return used < CONNECTIONS * MEMORY_EACH
        wait_for("little memory for idle sessions", small)
        with Dialogue(s.ports["smtp"]) as d:
            d.reply()
            assert d.ask("EHLO client.test").startswith("250")
        # the first of them has waited longest, and is still served
        clients[0].sendall(b"QUIT\r\n")
        assert clients[0].recv(100).startswith(b"221")
    finally:
        for c in clients:
            c.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
