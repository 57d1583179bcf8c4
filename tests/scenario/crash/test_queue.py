# SPDX-License-Identifier: ISC
"""What is put off, comes back, or is asked to be looked at anew: each message
is delivered or reported on, and reported on once."""
import pytest

import crasher
from peers import FakeServer
from posthaste import AS_ROOT, wait_for

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="all identities are one")
TO = ["x@far.test"]


@pytest.fixture
def far(crashing):
    """far(RCPT reply) -> an instance whose mail goes to .server"""
    servers = []

    def make(reply, **replies):
        server = FakeServer(replies={"RCPT": reply, **replies})
        servers.append(server.__enter__())
        s = crashing(f"relayhost = [127.0.0.1]:{server.port}\n")
        s.server = server
        return s

    yield make
    for server in servers:
        server.__exit__(None, None, None)


def arrived(s, token):
    """How often the server took it; each time whole."""
    return len(crasher.with_token([m[2] for m in s.server.messages], token))


@pytest.mark.parametrize("program, again", [
    ("qmgr", 1), ("smtp", 1)])
def test_put_off_and_tried_again(far, program, again):
    seen = set()

    def once_later(line):
        new = line not in seen
        seen.add(line)
        return "451 4.7.1 later" if new else "250 2.1.5 Ok"

    s = far(once_later)

    def act(token):
        sent = crasher.send(s, [f"{token}@far.test"], crasher.message(token))
        wait_for("an empty queue", lambda: crasher.settled(s))
        assert 1 <= arrived(s, token) <= sent + again, token

    crasher.at_each_point(s, program, act)


@pytest.mark.parametrize("program", ["qmgr", "bounce", "cleanup", "smtp"])
def test_comes_back_once(far, program):
    s = far("550 5.1.1 nobody")

    def act(token):
        sent = crasher.send(s, TO, crasher.message(token))
        wait_for("an empty queue", lambda: crasher.settled(s))
        reports = [t for t in crasher.everywhere(s, ["alice"])
                   if b"Subject: " + token.encode() + b"\r\n" in t]
        assert 1 <= len(reports) <= sent, (token, sent, len(reports))
        for report in reports:
            assert report.count(b"Final-Recipient: ") == 1
            assert report.rstrip().endswith(b"--"), report[-200:]

    crasher.at_each_point(s, program, act)


def requeue(s, n, *arguments):
    killed, _ = crasher.run_command(s, n, "postsuper", *arguments)
    return killed


@pytest.mark.parametrize("arguments", [
    ["-r", "ALL"], ["-h", "ALL"], ["-H", "ALL"], ["-s"]],
    ids=lambda a: a[0])
def test_requeued(far, arguments):
    """postsuper ends at each of its points, with two messages waiting."""
    later = "451 4.7.1 later"
    s = far(lambda line: later)

    def once(n):
        nonlocal later
        later = "451 4.7.1 later"
        tokens = [f"requeue-{n}-{i}" for i in range(2)]
        for token in tokens:
            crasher.send(s, TO, crasher.message(token))
        wait_for("both put off", lambda: len(s.queue("deferred")) == 2)
        if arguments[0] == "-H":
            s.command("postsuper", "-h", "ALL")
        killed = requeue(s, n, *arguments)
        later = "250 2.1.5 Ok"
        s.command("postsuper", "-H", "ALL")
        wait_for("an empty queue", lambda: crasher.settled(s))
        # submitted anew, and still there: once more
        again = arguments[0] == "-r" and killed is not None
        got = [arrived(s, token) for token in tokens]
        assert min(got) == 1 and sum(got) <= 2 + again, (got, killed)
        return killed

    crasher.until_it_ends(once)
