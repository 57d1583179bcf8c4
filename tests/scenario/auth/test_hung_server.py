# SPDX-License-Identifier: ISC
"""A server of accounts that accepts and says nothing holds up the logins of
those who might be its, and nobody else's."""
import base64
import os
import pathlib
import signal
import threading
import time

import pytest

import databases
from ipc_client import Ipc
from posthaste import AS_ROOT, wait_for
from test_table_accounts import (PASSWORD, PROTOCOLS, login, site,
                                 unavailable)


LATER = 1  # a verdict


class Hung:
    """A directory that is not there, for all who look."""
    type = "ldap"

    def __init__(self):
        self.silent = databases.Silent()

    def text(self, **more):
        return databases.settings({
            "server_host": f"ldap://127.0.0.1:{self.silent.port}",
            "version": 3, "search_base": "dc=example", "bind": "yes",
            "bind_dn": "cn=x", "bind_pw": "x", "query_filter": "(mail=%s)",
            "result_attribute": "userPassword", "timeout": "8"}, more)


@pytest.fixture(scope="module")
def hung():
    made = Hung()
    yield made
    made.silent.close()


class Trying(threading.Thread):
    def __init__(self, s, protocol, user):
        super().__init__()
        self.arguments = (s, protocol, user, PASSWORD)
        self.said = None
        self.start()

    def run(self):
        start = time.monotonic()
        try:
            self.said = login(*self.arguments)
        finally:
            self.took = time.monotonic() - start


def mixed(suite, hung, **more):
    """Alice is in a file; who is not may be in the directory."""
    s = site(suite, hung, start=False, **more)
    accounts = s.root / "etc/accounts"
    accounts.write_text(s.account("alice"))
    s.set(account_files=f"{accounts}, ldap:{s.root}/etc/accounts.cf")
    return s.start()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_accounts_of_files_log_in_meanwhile(suite, hung, protocol):
    s = mixed(suite, hung)
    # so that there are connections which those who hang could hold
    assert login(s, protocol, "alice@example.test", PASSWORD) == ""
    trying = [Trying(s, protocol, f"u{i}@example.test") for i in range(20)]
    time.sleep(1)  # by then all are asked for, and hang
    took = []
    while any(t.is_alive() for t in trying) and len(took) < 20:
        start = time.monotonic()
        assert login(s, protocol, "alice@example.test", PASSWORD) == ""
        took.append(time.monotonic() - start)
    assert len(took) > 3, took
    # of eight seconds, and of the machine's own
    assert sorted(took)[len(took) // 2] < 1, took
    assert max(took) < 4, took
    for t in trying:
        t.join()
    assert all(unavailable(protocol, t.said) for t in trying)
    # that it is dead is known to each process that has waited for it: one that
    # was started for the crowd may have to learn it yet
    everyone = s.processes("auth")
    for c in [asking(s, pid, everyone) for pid in everyone]:
        assert c.receive()[1]["verdict"] == LATER
        c.close()
    took = []
    for _ in range(2 * len(everyone) + 1):
        start = time.monotonic()
        assert unavailable(protocol, login(s, protocol, "zoe", PASSWORD))
        took.append(time.monotonic() - start)
    assert max(took) < 3, took
    assert s.processes("auth") == everyone


def sockets(pid):
    return {os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()
            if fd.is_socket()}


def asking(s, pid, everyone):
    """A connection with a question about zoe to this one of auth's."""
    before = sockets(pid)
    others = [other for other in everyone if other != pid]
    for other in others:
        os.kill(other, signal.SIGSTOP)
    try:
        c = Ipc(s, "auth", "auth")
        c.send("authenticate", service="pop3", mechanism="PLAIN",
               client="192.0.2.7", server="mx.example.test", tls=True,
               has_initial=True, initial=f"\0zoe\0{PASSWORD}".encode(),
               binding=b"")
        wait_for("a process to hear it", lambda: sockets(pid) - before)
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)
    return c


def test_a_login_under_way_is_left_alone(suite, hung):
    """It takes several steps; others hang between them."""
    s = mixed(suite, hung)
    with s.smtp("submission", tls=True, timeout=60) as c:
        c.ehlo()
        assert c.docmd("AUTH", "LOGIN")[0] == 334
        trying = [Trying(s, "submission", f"u{i}@example.test")
                  for i in range(4)]
        time.sleep(1)  # by then all are asked for, and hang
        start = time.monotonic()
        assert c.docmd("YWxpY2VAZXhhbXBsZS50ZXN0")[0] == 334
        assert c.docmd(base64.b64encode(PASSWORD.encode()).decode())[0] == 235
        assert time.monotonic() - start < 4
    for t in trying:
        t.join()


def memory(pid):
    """What a process has written or been given, in one piece."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            words = line.split()
            if "w" not in words[1]:
                continue
            start, end = (int(n, 16) for n in words[0].split("-"))
            try:
                mem.seek(start)
                found.append(mem.read(end - start))
            except (OSError, OverflowError, ValueError):
                continue  # of the kernel's
    return b"\0".join(found)


def is_connected(pid, port):
    """To this port, over IPv4?"""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    inodes = {row[9] for row in rows
              if int(row[2].split(":")[1], 16) == port}
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(fd)
        except FileNotFoundError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            return True
    return False


@pytest.mark.unsanitized
@pytest.mark.skipif(not AS_ROOT, reason="others' memory is root's to read")
def test_auth_has_neither_connection_nor_password(suite, hung):
    """Whoever takes auth over is no nearer to the directory."""
    word = b"the word of the directory"
    s = mixed(suite, hung, bind_pw=word.decode())
    c = Ipc(s, "auth-session", "auth")
    c.send("find_account", address="zoe@example.test", local=False)
    trying = Trying(s, "imap", "zoe")

    def asked():
        return [pid for pid in s.processes("lookup-auth-server")
                if is_connected(pid, hung.silent.port)]
    wait_for("its connections", lambda: len(asked()) >= 2)
    # both of these are found where they have to be
    assert all(word in memory(pid) for pid in asked())
    for name in ("auth", "auth-session"):
        assert s.processes(name), name
        for pid in s.processes(name):
            with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
                assert "table_ldap" not in maps.read()
            assert word not in memory(pid), name
            assert not is_connected(pid, hung.silent.port), name
    trying.join()
    assert unavailable("imap", trying.said)
    c.close()
