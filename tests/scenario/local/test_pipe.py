# SPDX-License-Identifier: ISC
"""Commands as delivery services."""
import os

import pytest

from posthaste import AS_ROOT

SCRIPT = """#!/bin/sh
exec 9<&-
{{ for a in "$@"; do echo "<$a>"; done; }} > {home}/arguments
cat > {home}/message
ls /proc/$$/fd > {home}/fds
env > {home}/env
id -un > {home}/user
{end}
"""


@pytest.fixture
def pipe(suite, outcome):
    def make(words, end="exit 0", to="joe@pipe.test", body="one\r\n.two\r\n"
             "From three\r\n", limit=None, nexthop="NextHop", **options):
        s = suite(start=False)
        s.home = s.root / "home"
        s.home.mkdir()
        os.chown(s.home, s.uid, s.gid)
        import pwd
        s.user = pwd.getpwuid(s.uid).pw_name
        script = s.home / "script"
        script.write_text(SCRIPT.format(home=s.home, end=end))
        script.chmod(0o755)
        s.write("transport", f"pipe.test filter:{nexthop}\n")
        s.set(transport_maps=f"texthash:{s.root}/etc/transport",
              relay_domains="pipe.test", **(limit or {}))
        with open(s.root / "etc/master.cf", "a") as f:
            f.write("filter unix - n n - - pipe\n  " + words.format(
                user=s.user, script=script) + "\n")
        s.start()
        q = s.send(to=to, body=body, **options)
        s.outcome = outcome(s, r"[^>]*@(?i:pipe\.test)", q)
        s.got = (s.home / "message").read_bytes() \
            if (s.home / "message").exists() else None
        return s

    return make


def arguments(s):
    return (s.home / "arguments").read_text().splitlines()


def test_names_become_arguments(pipe):
    s = pipe("user={user} argv={script} -f ${{sender}} -- ${{recipient}} "
             "$user,${{extension}},${{mailbox}} ${{domain}} ${{nexthop}} "
             "${{size}}x ${{original_recipient}} {{ two words }} "
             "${{myhostname}}",
             to="Joe+Ext@pipe.test")
    size = len(s.got.replace(b"\n", b"\r\n"))
    assert arguments(s) == [
        "<-f>", "<alice@example.test>", "<-->", "<Joe+Ext@pipe.test>",
        "<Joe,Ext,Joe+Ext>", "<pipe.test>", "<NextHop>", f"<{size}x>",
        "<Joe+Ext@pipe.test>", "<two words>", "<mx.example.test>"]
    assert s.outcome.status == "sent" and s.outcome.relay == "filter"
    assert s.outcome.text == "delivered via filter service"
    assert b"\r" not in s.got
    assert s.got.endswith(b"\n\none\n.two\nFrom three\n")


@pytest.mark.parametrize(("options", "stands"), [
    ("", "<MAILER-DAEMON>"), ("null_sender=", "<>"),
    ("null_sender=nobody", "<nobody>")])
def test_an_empty_argument_shifts_none(pipe, options, stands):
    s = pipe(f"user={{user}} {options} argv={{script}} ${{{{sender}}}} "
             "${{recipient}} ${{extension}} end", sender="")
    assert arguments(s) == [stands, "<joe@pipe.test>", "<>", "<end>"]


def test_only_three_descriptors_and_a_clean_environment(pipe):
    s = pipe("user={user} argv={script}")
    # the shell that lists them holds the directory itself in ls, not in $$
    fds = {int(n) for n in (s.home / "fds").read_text().split()}
    assert fds & set(range(3, 10)) == set()
    assert {0, 1, 2} <= fds
    names = {line.split("=")[0] for line in
             (s.home / "env").read_text().splitlines()}
    assert names <= {"PATH", "TZ", "MAIL_CONFIG", "LANG", "PWD", "SHLVL",
                     "_", "OLDPWD"}
    assert (s.home / "user").read_text().strip() == s.user


def test_flags(pipe):
    s = pipe("flags=BDFORhuq.> user={user} null_sender= argv={script} "
             "${{recipient}} x${{sender}}", to='"Jo e"@Pipe.Test', sender="")
    assert arguments(s) == ['<"jo e"@pipe.test>', "<x>"]
    lines = s.got.split(b"\n")
    assert lines[0].startswith(b"From MAILER-DAEMON  ")
    assert lines[1] == b"Return-Path: <>"
    assert lines[2].startswith(b'X-Original-To: "Jo e"@')
    assert lines[3].startswith(b'Delivered-To: "Jo e"@')
    assert s.got.endswith(b"\none\n..two\n>From three\n\n")


def test_eol_crlf(pipe):
    s = pipe("user={user} eol=\\r\\n argv={script}")
    assert s.got.endswith(b"\r\n\r\none\r\n.two\r\nFrom three\r\n")
    assert s.got.count(b"\n") == s.got.count(b"\r\n")


def test_size_limit(pipe):
    s = pipe("user={user} size=100 argv={script}", sender="",
             body="x\r\n" * 100)
    assert (s.outcome.dsn, s.outcome.status) == ("5.2.3", "bounced")
    assert s.got is None


@pytest.mark.parametrize("end, dsn, status, text", [
    ("exit 75", "4.3.0", "deferred", "temporary failure"),
    ("echo not here; exit 67", "5.1.1", "bounced",
     "user unknown. Command output: not here"),
    ("echo 4.2.2 full; exit 1", "4.2.2", "deferred", "full"),
    ("echo hello", "2.0.0", "sent", "delivered via filter service (hello)"),
])
def test_exit_status(pipe, end, dsn, status, text):
    s = pipe("user={user} argv={script}", end=end, sender="")
    assert (s.outcome.dsn, s.outcome.status, s.outcome.text) == (
        dsn, status, text)


def test_time_limit(pipe):
    s = pipe("user={user} argv={script}", end="sleep 600", sender="",
             limit={"filter_time_limit": "1s"})
    assert s.outcome.status == "deferred"
    assert s.outcome.text.startswith("Command time limit exceeded")


def test_missing_command_is_tried_again(pipe):
    s = pipe("user={user} argv=/nonexistent/command", sender="")
    assert s.outcome.status == "deferred"


def test_command_need_not_read_its_input(pipe):
    s = pipe("user={user} argv=/bin/true ${{recipient}}",
             body="x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 20000)
    assert s.outcome.status == "sent"


@pytest.mark.skipif(not AS_ROOT, reason="needs root's rights")
@pytest.mark.parametrize("user", ["root", "posthaste"])
def test_users_with_too_many_rights_are_refused(suite, user):
    s = suite(start=False, master=f"filter unix - n n - - pipe user={user} "
                                  "argv=/usr/bin/touch /nowhere\n")
    done = s.posthaste("start", check=False)
    assert done.returncode != 0
    assert "service filter/unix: pipe: user= must not be" in done.err


@pytest.mark.parametrize("options", [
    {"sender": "-oQ.@example.test"}, {"to": "-oQ.@pipe.test"},
    {"nexthop": "-oQ."}])
def test_no_address_becomes_an_option(pipe, options):
    s = pipe("user={user} argv={script} ${{sender}} ${{recipient}} "
             "${{nexthop}}", **options)
    assert s.outcome.status == "bounced"
    assert s.outcome.text == 'the address begins with "-"'
    assert s.got is None
