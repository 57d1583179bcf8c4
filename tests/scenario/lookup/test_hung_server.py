# SPDX-License-Identifier: ISC
"""A server that accepts and says nothing holds up the questions to it, and
nothing else."""
import threading
import time

import pytest

import databases
from lookup_client import AGAIN, FOUND, NONE, Lookup
from posthaste import wait_for
from wire_servers import Socketmap, netstring


@pytest.fixture(scope="module")
def silent():
    made = databases.Silent()
    yield made
    made.close()


def site(suite, silent, timeout=8, **more):
    """A directory that is asked for the domain hung.test alone."""
    s = suite(start=False)
    path = s.write("hung.cf", databases.settings({
        "server_host": f"ldap://127.0.0.1:{silent.port}", "version": 3,
        "search_base": "dc=example", "bind": "yes", "bind_dn": "cn=x",
        "bind_pw": "x", "query_filter": "(mail=%s)", "timeout": timeout,
        "domain": "hung.test"}, more))
    path.chmod(0o600)
    spec = f"ldap:{path}"
    s.write("virtual", "sales@example.test bob@example.test\n")
    s.set(virtual_alias_maps=f"texthash:{s.root}/etc/virtual, {spec}",
          virtual_alias_domains="hung.test")
    return s.start(), spec


class Asking(threading.Thread):
    def __init__(self, s, spec, key="a@hung.test"):
        super().__init__()
        self.lookup = Lookup(s)
        self.question = (spec, key)
        self.answer = None
        self.took = None
        self.start()

    def run(self):
        start = time.monotonic()
        self.answer = self.lookup.query(*self.question)
        self.took = time.monotonic() - start


def quickest(what, times=20):
    """Of some tries, for the machine's sake; all of them within a second."""
    took = []
    for _ in range(times):
        start = time.monotonic()
        what()
        took.append(time.monotonic() - start)
    assert max(took) < 1, took
    return sorted(took)[len(took) // 2]


def test_files_answer_meanwhile(suite, silent):
    s, spec = site(suite, silent)
    files = f"texthash:{s.root}/etc/virtual"
    lookups = [Lookup(s) for _ in range(12)]
    for lookup in lookups:
        assert lookup.query(files, "sales@example.test")[0] == FOUND
    hung = [Asking(s, spec, f"u{i}@hung.test") for i in range(30)]
    time.sleep(1)  # by then all are asked for, and hang
    # on connections that were there before, and on new ones
    lookups += [Lookup(s) for _ in range(4)]
    for lookup in lookups:
        def ask():
            assert lookup.query(files, "sales@example.test")[0] == FOUND
        assert quickest(ask) < 0.05
    # another domain's question to the same table needs no server, and waits
    # for a turn at most
    with s.smtp() as c:
        c.ehlo()
        c.mail("alice@example.test")

        def rcpt():
            assert c.rcpt("sales@example.test")[0] == 250
        start = time.monotonic()
        rcpt()
        assert time.monotonic() - start < 12
    for h in hung:
        h.join()
        assert h.answer[0] == AGAIN
    # they do not pay one after the other
    assert max(h.took for h in hung) < 20, [h.took for h in hung]
    # and from now on nobody does
    start = time.monotonic()
    for i in range(50):
        assert lookups[0].query(spec, f"v{i}@hung.test")[0] == AGAIN
    assert time.monotonic() - start < 2


def test_mail_for_others_goes_on(suite, silent):
    """Where the silent table is asked for its own recipients alone."""
    s, spec = site(suite, silent)
    s.set(virtual_alias_maps=f"texthash:{s.root}/etc/virtual",
          virtual_mailbox_domains="example.test, hung.test",
          virtual_alias_domains="",
          transport_maps=spec.replace("hung.cf", "transport.cf"))
    path = s.write("transport.cf",
                   (s.root / "etc/hung.cf").read_text())
    path.chmod(0o600)
    s.posthaste("reload")
    # what asks is stuck; who asks nothing of it is not
    stuck = [Asking(s, f"ldap:{path}", f"{i}@hung.test") for i in range(8)]
    time.sleep(0.5)  # by then all are asked for, and hang
    files = Lookup(s)
    assert quickest(lambda: files.query(
        f"texthash:{s.root}/etc/virtual", "x@example.test")) < 0.05
    for t in stuck:
        t.join()
    # the server is known to be down: the other domain is served at once
    s.send(to="bob@example.test")
    s.wait_messages("bob")


def test_it_comes_back(suite):
    """Whoever tries finds it, and then everybody does."""
    server = databases.Redis()
    try:
        s = suite(start=False)
        path = s.write("table.cf", server.settings(
            query="GET %s", timeout="1", retry_interval="2"))
        spec = f"redis:{path}"
        server.tell("SET", "sales@example.test", "bob@example.test")
        s.set(virtual_alias_maps=spec)
        s.start()
        lookup = Lookup(s)
        assert lookup.query(spec, "sales@example.test")[0] == FOUND
        assert lookup.query(spec, "none@example.test")[0] == NONE
        server.freeze()
        start = time.monotonic()
        assert lookup.query(spec, "sales@example.test")[0] == AGAIN
        assert time.monotonic() - start < 10
        server.thaw()
        wait_for("an answer", lambda: lookup.query(
            spec, "sales@example.test")[0] == FOUND)
    finally:
        server.close()


def test_many_at_once(suite):
    """More questions at a time than one table has processes."""
    server = databases.Redis()
    try:
        s = suite(start=False)
        path = s.write("table.cf", server.settings(query="GET %s"))
        spec = f"redis:{path}"
        for i in range(40):
            server.tell("SET", f"u{i}@example.test", f"v{i}@example.test")
        s.set(virtual_alias_maps=f"unionmap:{{{spec}}}, {spec}")
        s.start()
        for table in (spec, f"unionmap:{{{spec}}}"):
            asking = [Asking(s, table, f"u{i}@example.test")
                      for i in range(40)]
            for i, a in enumerate(asking):
                a.join()
                assert a.answer[0] == FOUND, a.answer
                assert a.answer[2] == f"v{i}@example.test", a.answer
        # of each process of lookup
        assert len(s.processes("lookup-server")) <= 12 * len(
            s.processes("lookup")), s.processes("lookup-server")
        assert "lookup error" not in s.log()
    finally:
        server.close()


@pytest.mark.parametrize("slow", ["TEMP", "TIMEOUT", "silence"])
def test_some_slow_keys_stop_no_table(suite, slow):
    """A server that takes long for some keys, and fails with them, is there
    for the others all the while."""
    def answer(key):
        if not key.startswith("slow"):
            return netstring(b"OK v-" + key.encode())
        if slow == "silence":  # past the ten seconds of the table
            time.sleep(12)
            return netstring(b"OK late")
        time.sleep(2)  # less than the table waits
        return netstring(slow.encode() + b" the name server is silent")

    server = Socketmap(answer)
    try:
        s = suite(start=False)
        s.set(virtual_alias_maps=server.spec())
        s.start()
        lookup = Lookup(s)

        def others(number):
            for i in range(number):
                key = f"quick{i}@example.test"
                assert lookup.query(server.spec(), key) == (
                    FOUND, 0, f"v-{key}")
                time.sleep(0.01)  # a steady trickle
        others(3)
        asking = [Asking(s, server.spec(), f"slow{i}@example.test")
                  for i in range(3)]
        while any(a.is_alive() for a in asking):
            others(10)
        for a in asking:
            a.join()
            assert a.answer[0] == AGAIN, a.answer
        # and whichever process had the slow ones
        others(50)
        assert "lookup error" in s.log()
    finally:
        server.close()
