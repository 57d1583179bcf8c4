# SPDX-License-Identifier: ISC
"""socketmap:, tcp: and memcache: tables, with scripted servers and with a real
memcached."""
import socket
import time

import pytest

import databases
from lookup_client import AGAIN, FOUND, NONE, Lookup
from posthaste import wait_for
from wire_servers import ENTRIES, Socketmap, Tcp, netstring


def query(s, spec, *keys):
    """Exit status, output and errors of postmap with these keys."""
    done = s.command("postmap", "-q", "-", spec,
                     stdin="".join(k + "\n" for k in keys), check=False)
    return done.returncode, done.out, done.err


@pytest.mark.parametrize("kind", [Socketmap, Tcp])
def test_what_is_found(suite, wire, kind):
    s = suite(start=False)
    server = wire(kind)
    keys = [*ENTRIES, "nobody@example.test", "SALES@example.test"]
    code, out, err = query(s, server.spec(), *keys)
    assert (code, err) == (0, "")
    assert out.splitlines() == [f"{k}\t{v}" for k, v in ENTRIES.items()] + [
        "SALES@example.test\tbob@example.test"]
    assert server.asked == [*ENTRIES, "nobody@example.test",
                            "sales@example.test"]
    assert server.connections == 1


@pytest.mark.parametrize("kind, answer, why", [
    (Socketmap, netstring(b"TEMP not now"), "not now"),
    (Socketmap, netstring(b"TIMEOUT too slow"), "too slow"),
    (Socketmap, netstring(b"PERM never"), "never"),
    (Socketmap, netstring(b"MAYBE x"), "malformed"),
    (Socketmap, netstring(b""), "malformed"),
    (Socketmap, b"x:y,", "malformed"),
    (Socketmap, b":,", "malformed"),
    (Socketmap, b"3:abc;", "malformed"),
    (Socketmap, b"4294967299:OK x,", "malformed"),
    (Socketmap, b"99999999999:OK x,", "malformed"),
    (Socketmap, b"100001:OK " + b"x" * 99998 + b",", "malformed"),
    (Socketmap, None, "lost connection|Connection reset|error|closed"),
    (Tcp, b"400 not%20now\n", "not now"),
    (Tcp, b"999 what\n", "malformed"),
    (Tcp, b"200 %zz\n", "malformed"),
    (Tcp, b"200 x%4\n", "malformed"),
    (Tcp, b"200 " + b"x" * 5000 + b"\n", "malformed"),
    (Tcp, b"\n", "malformed"),
    (Tcp, None, "lost connection|Connection reset|error|closed"),
], ids=range(19))
def test_failures_are_not_taken_for_not_found(suite, wire, kind, answer, why):
    import re
    s = suite(start=False)
    server = wire(kind, lambda key: answer)
    code, out, err = query(s, server.spec(), "sales@example.test")
    assert (code, out) == (1, "")
    assert "query error" in err and re.search(why, err), err


def test_longest_socketmap_answer(suite, wire):
    s = suite(start=False)
    value = b"x" * (100000 - 3)
    server = wire(Socketmap, lambda key: netstring(b"OK " + value))
    assert query(s, server.spec(), "k") == (0, f"k\t{value.decode()}\n", "")
    # and the question: "aliases " and the key
    code, out, _ = query(s, server.spec(), "k" * 4000)
    assert code == 0 and len(out) > len(value)


@pytest.mark.parametrize("kind", [Socketmap, Tcp])
def test_mail_through_death_and_return(suite, wire, kind):
    s = suite(start=False)
    server = wire(kind)
    s.set(virtual_alias_maps=f"texthash:{s.root}/etc/virtual, {server.spec()}")
    s.start()
    s.send(to="sales@example.test")
    s.wait_messages("bob")
    # idle connections that the server closes are made anew without a word
    lookup = Lookup(s)
    for _ in range(3):
        assert lookup.query(server.spec(), "sales@example.test")[0] == FOUND
        for peer in server.peers:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
    assert lookup.query(server.spec(), "sales@example.test")[0] == FOUND
    assert "lookup error" not in s.log()
    server.close()
    assert lookup.query(server.spec(), "sales@example.test")[0] == AGAIN
    start = time.monotonic()
    for _ in range(100):
        assert lookup.query(server.spec(), "x@example.test")[0] == AGAIN
    assert time.monotonic() - start < 30
    server.open()
    wait_for("the server again", lambda: lookup.query(
        server.spec(), "sales@example.test")[0] == FOUND)


def test_permanent_error_is_broken(suite, wire):
    s = suite(start=False)
    server = wire(Socketmap, lambda key: netstring(b"PERM wrong map"))
    s.set(virtual_alias_maps=server.spec())
    done = s.posthaste("check", check=False)
    assert done.returncode != 0 and "wrong map" in done.err


@pytest.mark.parametrize("spec", [
    "socketmap:inet:127.0.0.1:9:name", "tcp:127.0.0.1:9",
    "memcache:/nowhere/at.all"])
@pytest.mark.parametrize("setting", ["alias_maps", "virtual_mailbox_maps",
                                     "virtual_uid_maps"])
def test_not_where_tables_give_rights(suite, spec, setting):
    s = suite(start=False)
    s.set(**{setting: spec})
    done = s.posthaste("check", check=False)
    assert done.returncode != 0
    assert "not allowed for security sensitive data" in done.err


@pytest.mark.parametrize("spec", [
    "socketmap:inet:127.0.0.1:9", "socketmap:unix:", "socketmap:/x:name",
    "tcp:127.0.0.1", "tcp:", "memcache:"])
def test_bad_names_are_told(suite, spec):
    s = suite(start=False)
    done = s.command("postmap", "-q", "x", spec, check=False)
    assert done.returncode == 1
    assert "wanted" in done.err or "expecting" in done.err, done.err


@pytest.fixture(scope="module")
def memcached():
    server = databases.Memcached()
    yield server
    server.close()


def test_memcache(suite, memcached):
    s = suite(start=False)
    memcached.tell("flush_all\r\n")
    for k, v in (("sales@example.test", "bob@example.test"),
                 ("p:team", "alice")):
        assert memcached.tell(
            f"set {k} 0 0 {len(v)}\r\n{v}\r\n") == "STORED\r\n"
    path = s.write("m.cf", f"memcache = inet:127.0.0.1:{memcached.port}\n")
    spec = f"memcache:{path}"
    code, out, err = query(s, spec, "Sales@example.test", "nobody",
                           "sales@example.test x", "a" * 251,
                           "x\r\nflush_all", "team")
    assert (code, out, err) == (0, "Sales@example.test\tbob@example.test\n", "")
    s.write("m.cf", f"memcache = inet:127.0.0.1:{memcached.port}\n"
            "key_format = p:%u\ndomain = example.test\n")
    code, out, err = query(s, spec, "team@example.test", "team",
                           "team@other.test")
    assert (code, out, err) == (0, "team@example.test\talice\n", "")
    s.write("m.cf", f"memcache = inet:127.0.0.1:{memcached.port}\n"
            "data_size_limit = 4\n")
    assert "query error" in query(s, spec, "sales@example.test")[2]
    s.write("m.cf", "memcached = inet:127.0.0.1:1\n")
    assert 'is "memcache" meant?' in query(s, spec, "x")[2]


def test_memcache_with_backup(suite, memcached):
    s = suite(start=False)
    memcached.tell("flush_all\r\n")
    back = s.write("back", "sales@example.test bob@example.test\n")
    path = s.write("m.cf", f"memcache = inet:127.0.0.1:{memcached.port}\n"
                   f"backup = texthash:{back}\nkey_format = b:%s\n")
    s.set(canonical_maps=f"memcache:{path}")
    s.start()
    lookup = Lookup(s)
    spec = f"memcache:{path}"
    assert lookup.query(spec, "sales@example.test")[2] == "bob@example.test"
    wait_for("its copy", lambda: "VALUE b:sales@example.test" in
             memcached.tell("get b:sales@example.test\r\n"))
    # from now on it comes from there
    memcached.tell("set b:sales@example.test 0 0 5\r\nother\r\n")
    assert lookup.query(spec, "sales@example.test")[2] == "other"
    assert lookup.query(spec, "nobody@example.test")[0] == NONE
    memcached.kill()
    try:
        # the backup goes on alone
        assert lookup.query(spec, "sales@example.test")[2] == "bob@example.test"
    finally:
        memcached.start()
