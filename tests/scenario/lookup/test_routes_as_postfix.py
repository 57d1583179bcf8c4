# SPDX-License-Identifier: ISC
"""Which way mail goes, beside the running Postfix: transport_maps."""
import pytest

from peers import Server
from side_by_side import Mail, assert_same, both, needs_postfix

pytestmark = needs_postfix

MAIL = [Mail("s@b.test", ["full@x.test", "u+e@sub.x.test",
                          "x@local.test", "none@x.test"])]
ANSWERS = {"*": "discard:star", "full@x.test": "discard:full",
           "none@x.test": "discard:"}


def socketmap(connection):
    f = connection.makefile("rb")
    while length := b"".join(iter(lambda: f.read(1), b":")):
        key = f.read(int(length) + 1)[:-1].decode().split(" ", 1)[1]
        answer = f"OK {ANSWERS[key]}" if key in ANSWERS else "NOTFOUND "
        connection.sendall(f"{len(answer)}:{answer},".encode())


def tcp(connection):
    for line in connection.makefile("r"):
        key = line.split(" ", 1)[1].strip()
        connection.sendall(f"200 {ANSWERS[key]}\n".encode()
                           if key in ANSWERS else b"500 no\n")


@pytest.mark.parametrize("kind", ["regexp", "socketmap", "tcp"])
def test_every_type_is_asked_for_the_star(suite, kind):
    table = "regexp:@@tables@@/transport"
    server = None
    if kind != "regexp":
        server = Server(socketmap if kind == "socketmap" else tcp)
        place = f"127.0.0.1:{server.port}"
        table = f"tcp:{place}" if kind == "tcp" else \
            f"socketmap:inet:{place}:name"
    try:
        ours, theirs = both(
            suite, MAIL, "default_transport = discard:default\n"
            f"transport_maps = {table}\n",
            {"transport": "/^full@/ discard:full\n/^none@/ discard:\n"
             "/^.$/ discard:star\n"})
    finally:
        if server:
            server.close()
    assert_same(ours, theirs)
    assert "discard:star" not in str(ours.deliveries)
    assert sum(d[6] == "star" for d in ours.deliveries) >= 2
