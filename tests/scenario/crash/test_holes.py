# SPDX-License-Identifier: ISC
"""After a power cut a file that was not flushed may be as long as it was to be,
with holes: nobody was told of it, and nobody shall see it."""
import os
import shutil

import pytest

import crasher
from peers import FakeServer
from posthaste import AS_ROOT, wait_for

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="all identities are one")
TO = "x@far.test"
LINES = 2000  # some 90 KB


@pytest.fixture
def far(suite):
    """A server that takes nothing for now, and an instance."""
    with FakeServer() as server:
        server.now = False
        server.replies["RCPT"] = lambda line: "250 2.1.5 Ok" if server.now \
            else "451 4.7.1 later"
        s = suite(main=crasher.QUICK +
                  f"relayhost = [127.0.0.1]:{server.port}\n")
        s.server = server
        yield s


def find(s, name):
    (path,) = (s.root / "spool/deferred").rglob(name)
    return path


def punch(path):
    """Some blocks in its middle were never written."""
    text = path.read_bytes()
    with open(path, "wb") as f:
        f.write(text[:8192])
        f.seek(16384)
        f.write(text[16384:])
    with open(path, "rb") as f:
        if os.lseek(f.fileno(), 0, os.SEEK_HOLE) == len(text):
            pytest.skip("a file system without holes")


def arrived(s, token):
    found = crasher.with_token([m[2] for m in s.server.messages], token)
    assert all(b"\0" not in text for text in found)
    return len(found)


def test_in_the_queue(far):
    name = far.send([TO], subject="torn", body="a line\n" * 9000)
    wait_for("put off", lambda: name in far.queue("deferred"))
    far.stop()
    path = find(far, name)
    punch(path)
    far.server.now = True
    far.start()
    far.wait_log(f'saving corrupt file "{name}"')
    assert far.queue("corrupt") == [name]
    far.wait_empty()
    assert far.server.messages == []


@pytest.mark.parametrize("torn", ["maildrop", "hold"])
def test_from_a_user(far, torn):
    """What cleanup began to store, and pickup still has whole, comes once."""
    far.stop()
    far.command("sendmail", TO, stdin=crasher.message("dropped", LINES).replace(
        "\r\n", "\n"))
    (name,) = far.queue("maildrop")
    dropped, kept = far.root / "spool/maildrop" / name, far.root / "kept"
    if torn == "maildrop":
        punch(dropped)
        far.server.now = True
        far.start()
        far.wait_log(f"{name}: .*moved to corrupt")
        assert arrived(far, "dropped") == 0
        return
    shutil.copy2(dropped, kept)
    os.chown(kept, dropped.stat().st_uid, dropped.stat().st_gid)
    far.start()
    wait_for("put off", lambda: name in far.queue("deferred"))
    far.stop()
    path = find(far, name)
    punch(path)
    path.rename(far.root / "spool/hold" / name)  # where qmgr leaves it
    kept.rename(dropped)
    far.server.now = True
    far.start()
    wait_for("the message", lambda: arrived(far, "dropped"))
    far.wait_empty()
    assert arrived(far, "dropped") == 1
