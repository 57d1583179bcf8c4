# SPDX-License-Identifier: ISC
"""What is put off, comes back, or is asked to be looked at anew: each message
is delivered or reported on, and reported on once."""
import os
import pwd

import pytest

import crasher
from peers import FakeServer
from posthaste import AS_ROOT, wait_for

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="all identities are one")
TO = ["x@far.test"]
LATER, TAKEN = "451 4.7.1 later", "250 2.1.5 Ok"
# who has a part in what goes out, in what cannot go yet here, in a report, and
# in what postsuper gives to cleanup; smtpd, before all that, test_accept.py ends
OUT = ("qmgr", "smtp", "cleanup")
HERE = ("local", "qmgr", "cleanup")
BACK = ("qmgr", "bounce", "cleanup", "smtp", "local")
ANEW = ("cleanup", "qmgr", "smtp")
# lines of doc/DURABILITY.md, so that it is put off at all
PUT_OFF = {"qmgr": [r"^before openat defer/", r"^before utimensat",
                    r"^before renameat2 incoming/", r"^before unlink defer/"]}
# keeps a message at the second attempt: of each there is a folder at the first
SCRIPT = """#!/bin/sh
cat >{home}/coming.$$ || exit 75
token=$(sed -n 's/^Subject: //p' {home}/coming.$$ | tr -d '\r')
mkdir "{home}/later.$token" 2>/dev/null && exit 75
mv {home}/coming.$$ {home}/got.$$
"""


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


@pytest.mark.parametrize("program", OUT)
def test_put_off_and_tried_again(far, program):
    reply = LATER
    s = far(lambda line: reply)

    def act(token):
        nonlocal reply
        reply = LATER  # on each connection: smtp may try a second one at once
        sent = crasher.send(s, TO, crasher.message(token))
        wait_for("put off", lambda: s.queue("deferred"))
        reply = TAKEN
        wait_for("an empty queue", lambda: crasher.settled(s))
        assert 1 <= arrived(s, token) <= sent + 1, token

    crasher.at_each_point(s, program, act, (*OUT, "smtpd"),
                          steps=PUT_OFF.get(program, ()))


def with_script(s):
    """A transport and an alias that end in the script."""
    user, s.home = pwd.getpwuid(s.uid).pw_name, s.root / "home"
    s.home.mkdir()
    os.chown(s.home, s.uid, s.gid)
    script = s.home / "script"
    script.write_text(SCRIPT.format(home=s.home))
    script.chmod(0o755)
    s.write("aliases", f"command: \"|{script}\"\n")
    s.set(alias_maps=f"texthash:{s.root}/etc/aliases", default_privs=user,
          transport_maps="inline:{{filter.test=filter:}}",
          relay_domains="filter.test", local_recipient_maps="")
    with open(s.root / "etc/master.cf", "a") as f:
        f.write("filter unix - n n - - pipe\n"
                f"  user={user} argv={script}\n")


@pytest.mark.parametrize("program, to", [
    ("local", "command@local.test"),
    *((program, "x@filter.test") for program in HERE)])
def test_put_off_here_and_tried_again(crashing, program, to):
    """The same, where it is local that cannot deliver yet."""
    s = crashing(prepare=with_script)

    def act(token):
        sent = crasher.send(s, [to], crasher.message(token))
        wait_for("an empty queue", lambda: crasher.settled(s))
        kept = crasher.with_token(
            [p.read_bytes() for p in s.home.glob("got.*")], token)
        assert 1 <= len(kept) <= sent + 1, (token, sent, len(kept))

    crasher.at_each_point(s, program, act, (*HERE, "smtpd"),
                          steps=PUT_OFF.get(program, ()))


@pytest.mark.parametrize("program", BACK)
def test_comes_back_once(far, program):
    s = far("550 5.1.1 nobody")

    def act(token):
        sent = crasher.send(s, TO, crasher.message(token))
        wait_for("an empty queue", lambda: crasher.settled(s))
        reports = [t for t in crasher.everywhere(s, ["alice"])
                   if b"Subject: " + token.encode() + b"\r\n" in t]
        # local was through, and had not said so
        again = program == "local"
        assert 1 <= len(reports) <= sent + again, (token, sent, len(reports))
        for report in reports:
            assert report.count(b"Final-Recipient: ") == 1
            assert report.rstrip().endswith(b"--"), report[-200:]

    crasher.at_each_point(s, program, act, (*BACK, "smtpd"))


@pytest.mark.parametrize("program", ANEW)
def test_submitted_anew(far, program):
    """Those end to whom postsuper -r, which does not, gives what waits."""
    reply = LATER
    s = far(lambda line: reply)

    def put_off(token):
        nonlocal reply
        reply = LATER
        crasher.send(s, TO, crasher.message(token))
        wait_for("put off", lambda: len(s.queue("deferred")) == 1)

    def act(token):
        nonlocal reply
        reply = TAKEN
        s.command("postsuper", "-r", "ALL", check=False)
        wait_for("an empty queue", lambda: crasher.settled(s))
        # both are there, or what was taken was not told: once more
        assert 1 <= arrived(s, token) <= 2, token

    crasher.at_each_point(s, program, act, ANEW, before=put_off)


def requeue(s, n, *arguments):
    killed, _ = crasher.run_command(s, n, "postsuper", *arguments)
    return killed


@pytest.mark.parametrize("arguments", [
    ["-r", "ALL"], ["-h", "ALL"], ["-H", "ALL"], ["-s"]],
    ids=lambda a: a[0])
def test_requeued(far, arguments):
    """postsuper ends at each of its points, with two messages waiting."""
    reply = LATER
    s = far(lambda line: reply)

    def once(n):
        nonlocal reply
        reply = LATER
        tokens = [f"requeue-{n}-{i}" for i in range(2)]
        for token in tokens:
            crasher.send(s, TO, crasher.message(token))
        wait_for("both put off", lambda: len(s.queue("deferred")) == 2)
        if arguments[0] == "-H":
            s.command("postsuper", "-h", "ALL")
        killed = requeue(s, n, *arguments)
        reply = TAKEN
        s.command("postsuper", "-H", "ALL")
        wait_for("an empty queue", lambda: crasher.settled(s))
        # submitted anew, and still there: once more
        again = arguments[0] == "-r" and killed is not None
        got = [arrived(s, token) for token in tokens]
        assert min(got) == 1 and sum(got) <= 2 + again, (got, killed)
        return killed

    crasher.until_it_ends(once)
