# SPDX-License-Identifier: ISC
"""Several instances under one command."""
import os
import pathlib
import pwd
import re
import shutil
import signal
import smtplib
import subprocess

import pytest

from posthaste import AS_ROOT, DEADLINE, MASTER_CF, ROOT, free_port, wait_for


class Several:
    """A primary instance that is the built-in one of its own commands."""

    def __init__(self, primary):
        self.primary, self.root = primary, primary.root
        shutil.copytree(ROOT / "sbin", self.root / "sbin", symlinks=True)
        primary.set(command_directory=self.root / "sbin")

    def run(self, program, *arguments, stdin="", user=None, **env):
        """Exit status, output, complaints."""
        who = {} if user is None else {
            "user": user, "group": "nogroup", "extra_groups": []}
        done = subprocess.run(
            [self.root / "sbin" / program, *map(str, arguments)],
            env={"PATH": "/usr/bin:/bin", **env}, input=stdin, cwd="/",
            capture_output=True, text=True, timeout=120, **who)
        return done.returncode, done.stdout, done.stderr

    def does(self, *arguments, **options):
        code, out, err = self.run(*arguments, **options)
        assert code == 0, (arguments, code, out, err, self.primary.log_tail())
        return out

    def places(self, name, config=None):
        """Arguments of -e create: all in one folder."""
        place = self.root / name
        return [f"config_directory={config or place / 'etc'}",
                f"queue_directory={place / 'spool'}",
                f"data_directory={place / 'data'}"]

    def create(self, name, *options):
        self.does("postmulti", "-e", "create", "-I", f"posthaste-{name}",
                  *options, *self.places(name))
        return self.root / name / "etc"

    def setting(self, directory, name):
        return self.does("postconf", "-c", directory, "-hx", name).strip()

    def listed(self, *options):
        """name, group, enabled, folder of each."""
        return [tuple(line.split()[:3]) +
                (str(pathlib.Path(line.split()[3]).relative_to(self.root)),)
                for line in
                self.does("postmulti", "-l", *options).splitlines()]

    def runs(self, directory):
        return self.run("posthaste", "-c", directory, "status")[0] == 0


@pytest.fixture
def several(suite):
    made = Several(suite(start=False))
    made.does("postmulti", "-e", "init")
    yield made
    # also those that are in no list, or have no settings any more
    for lock in made.root.glob("**/spool/pid/master.pid"):
        pid = int(lock.read_text() or 0)
        command = pathlib.Path(f"/proc/{pid}/cmdline")
        if pid and command.exists() and str(made.root) in command.read_text():
            os.kill(pid, signal.SIGTERM)
            wait_for("the end of a master", lambda c=command: not c.exists()
                     or not c.read_text())


def sender(several, name="out"):
    """An instance that gives all its mail to the primary one; its port."""
    etc, port = several.create(name), free_port()
    several.does(
        "postconf", "-c", etc, "-e", "master_service_disable =",
        "authorized_submit_users = static:all", f"maillog_file = {etc}/log",
        "inet_protocols = ipv4", "inet_interfaces = loopback-only",
        "mydestination =", "alias_maps =", "alias_database =",
        "myhostname = out.example.test", "myorigin = example.test",
        f"relayhost = [127.0.0.1]:{several.primary.ports['smtp']}")
    (etc / "log").touch()
    if AS_ROOT:
        shutil.chown(etc / "log", "posthaste-log")
    master = MASTER_CF[MASTER_CF.index("pickup"):]
    (etc / "master.cf").write_text(
        f"127.0.0.1:{port} inet n - n - 200 smtpd\n" + master)
    return etc, port


def test_two_instances_side_by_side(several):
    """Started, asked, reloaded and stopped through the primary one."""
    primary = several.primary
    out, port = sender(several)
    several.does("postmulti", "-e", "enable", "-i", "posthaste-out")
    several.does("posthaste", "start")
    assert several.runs(primary.root / "etc") and several.runs(out)
    text = several.does("posthaste", "status")
    assert text.count("is running: PID") == 2

    with smtplib.SMTP("127.0.0.1", port, timeout=DEADLINE) as s:
        assert b"out.example.test" in s.ehlo()[1]
        s.sendmail("alice@example.test", ["bob@example.test"],
                   "Subject: by way of the second\r\n\r\nHello\r\n")
    mail, = primary.wait_messages("bob")
    assert b"by out.example.test" in mail and b"by mx.example.test" in mail
    log = out / "log"
    wait_for("the second's log of the delivery", lambda: re.search(
        r" posthaste-out/smtp\[\d+\]: .* status=sent", log.read_text()))
    assert "posthaste-out/" not in primary.log()

    code, _, err = several.run("posthaste", "start")
    assert code == 1 and err.count("is already running") == 2
    several.does("posthaste", "reload")
    for text in (primary.log(), log.read_text()):
        assert "reload -- version" in text or "generation 2" in text, text

    err = several.run("posthaste", "stop")[2]
    assert err.count("stopping the Posthaste mail system") == 2
    assert not several.runs(primary.root / "etc") and not several.runs(out)
    assert several.run("posthaste", "status")[0] == 3


def test_an_instance_that_is_not_enabled(several):
    """It is checked at start, and nothing else is done to it."""
    out, _ = sender(several)
    several.does("posthaste", "start")
    assert several.runs(several.root / "etc") and not several.runs(out)
    # the suite runs as it should
    assert several.run("posthaste", "status")[0] == 0
    assert several.run("postmulti", "-i", "posthaste-out", "-p",
                       "status")[0] == 3
    # started by itself it is left alone
    several.does("posthaste", "-c", out, "start")
    several.does("posthaste", "stop")
    assert several.runs(out) and not several.runs(several.root / "etc")
    several.does("posthaste", "stop", MAIL_CONFIG=str(out))
    with open(out / "main.cf", "a") as f:
        f.write("no_such_setting = 1\n")
    code, _, err = several.run("posthaste", "start")
    assert code != 0 and "no_such_setting" in err
    assert several.runs(several.root / "etc")


def test_order_and_choice(several):
    several.create("a", "-G", "one")
    several.create("b", "-G", "one", "-i", "posthaste-a")
    several.create("c", "-a")
    several.create("d", "-G", "two", "-g", "one")
    names = [row[0] for row in several.listed()]
    assert names == ["-", "posthaste-c", "posthaste-d", "posthaste-b",
                     "posthaste-a"]
    assert [row[0] for row in several.listed("-R")] == names[::-1]
    assert several.listed("-g", "one") == [
        ("posthaste-b", "one", "n", "b/etc"),
        ("posthaste-a", "one", "n", "a/etc")]
    assert several.listed("-i", "-") == [("-", "-", "y", "etc")]
    assert several.listed("-i", several.root / "c/etc")[0][0] == "posthaste-c"
    assert several.listed("-i", "nobody") == []


def test_commands_know_their_instance(several):
    several.create("a", "-G", "one")
    names = ["MAIL_CONFIG", "config_directory", "queue_directory",
             "data_directory", "command_directory", "multi_instance_name",
             "multi_instance_group", "multi_instance_enable"]
    out = several.does("postmulti", "-x", "sh", "-c", "echo \"" + "|".join(
        f"${n}" for n in names) + '|$(postconf -h queue_directory)"')
    first, second = out.splitlines()
    r = several.root
    assert first == (f"{r}/etc|{r}/etc|{r}/spool|{r}/data|{r}/sbin|||yes|"
                     f"{r}/spool")
    assert second == (f"{r}/a/etc|{r}/a/etc|{r}/a/spool|{r}/a/data|{r}/sbin|"
                      f"posthaste-a|one|no|{r}/a/spool")
    code, out, _ = several.run("postmulti", "-Rx", "sh", "-c",
                               'echo $MAIL_CONFIG; test "$data_directory" = '
                               f"{r}/data")
    assert code == 1 and out == f"{r}/a/etc\n{r}/etc\n"


@pytest.mark.parametrize("what", ["queue_directory", "data_directory"])
@pytest.mark.parametrize("how", ["same", "link", "inside", "around",
                                 "the other's", "its own"])
def test_nothing_is_shared(several, what, how):
    several.create("a")
    taken = several.root / "a" / what.split("_")[0].replace("queue", "spool")
    other = several.root / "a" / ("data" if what[0] == "q" else "spool")
    link = several.root / "link"
    link.symlink_to(taken)
    path = {"same": taken, "link": link, "inside": taken / "incoming",
            "around": several.root / "a", "the other's": other,
            "its own": several.root / "new/etc"}[how]
    arguments = [a for a in several.places("new")
                 if not a.startswith(what)] + [f"{what}={path}"]
    before = (several.root / "etc/main.cf").read_bytes()
    code, _, err = several.run("postmulti", "-e", "create", "-I",
                               "posthaste-new", *arguments)
    assert code == 1, err
    if how == "link":
        path = taken
    # the owner of the data could put something else in its place
    assert f"{what}={path} conflicts with instance" in err or (
        how == "inside" and f"others than its owner can change {taken}" in err
    ) or (AS_ROOT and how in ("inside", "the other's") and
          f"{what} {path} belongs to another user" in err)
    assert (several.root / "etc/main.cf").read_bytes() == before
    assert not (several.root / "new").exists()


def test_a_foreign_place_is_not_taken(several):
    """set-permissions would give it to the queue's owner."""
    mine = several.root / "mine"
    mine.mkdir()
    (mine / "file").write_text("precious")
    for what in ("queue_directory", "data_directory"):
        if what == "data_directory" and not AS_ROOT:
            continue
        arguments = [a for a in several.places("new")
                     if not a.startswith(what)] + [f"{what}={mine}"]
        code, _, err = several.run("postmulti", "-e", "create", "-I",
                                   "posthaste-new", *arguments)
        assert code == 1 and str(mine) in err and "file" in err, err
    # nor is anything made where others could put something in its place
    mine.chmod(0o777)
    code, _, err = several.run(
        "postmulti", "-e", "create", "-I", "posthaste-new",
        *several.places("new", config=mine / "etc"))
    assert code == 1 and f"others than its owner can change {mine}" in err
    assert mine.stat().st_uid == os.getuid()
    assert not (several.root / "new").exists()


def test_what_is_refused(several):
    etc = several.create("a")
    for arguments, text in [
            (["-e", "create", "-I", "other"], "must start with 'posthaste-'"),
            (["-e", "create", "-I", "posthaste-b", "x=y"],
             "Parameter 'x' not valid with action create"),
            (["-e", "create", "-I", "posthaste-b", "queue_directory=a"],
             "is not an absolute path"),
            (["-e", "create", "-I", "posthaste-a", *several.places("b")],
             "multi_instance_name=posthaste-a conflicts"),
            (["-e", "create", "-I", "posthaste-$x", *several.places("b")],
             "letters, digits and"),
            (["-e", "create", "-G", "a b", *several.places("b")], "group"),
            (["-e", "import", f"config_directory={several.root}/none"],
             "none/main.cf"),
            (["-e", "create", f"config_directory={etc}"], "already in use"),
            (["-e", "enable"], "Select an instance via '-i name'"),
            (["-e", "enable", "-i", "nobody"], "No instance named nobody"),
            (["-e", "destroy", "-i", "-"], "Cannot remove the primary"),
            (["-e", "assign", "-i", "posthaste-a"], "new instance name or"),
            (["-e", "turn", "-i", "posthaste-a"], "edit action 'turn'"),
            (["-l", "-p", "status"], "exactly one of"),
            (["-l", "-a", "-g", "x"], "no more than one of"),
            (["-R", "-p", "status"], "preclude the use of '-R'")]:
        code, _, err = several.run("postmulti", *arguments)
        assert code == 1 and text in err, (arguments, code, err)
    several.does("postmulti", "-e", "enable", "-i", "posthaste-a")
    code, _, err = several.run("postmulti", "-e", "destroy", "-i",
                               "posthaste-a")
    assert code == 1 and "Cannot remove enabled instances" in err
    # a secondary instance is not mistaken for a primary one
    code, _, err = several.run("postmulti", "-l", MAIL_CONFIG=str(etc))
    assert code == 1 and "Non-default configuration directory" in err


def test_a_new_instance_is_safe_and_owned(several):
    etc = several.create("a")
    assert several.setting(etc, "master_service_disable") == "inet"
    assert several.setting(etc, "authorized_submit_users") == ""
    assert several.setting(etc, "syslog_name") == "posthaste-a"
    assert several.setting(etc, "mail_owner") == several.setting(
        several.root / "etc", "mail_owner")
    several.does("posthaste", "-c", etc, "check")
    for path in (etc, etc / "main.cf", etc / "master.cf"):
        assert path.stat().st_uid == os.getuid()
        assert path.stat().st_mode & 0o022 == 0
    data, queue = several.root / "a/data", several.root / "a/spool"
    assert data.stat().st_mode & 0o777 == 0o700
    assert queue.stat().st_uid == os.getuid()
    if AS_ROOT:
        owner = pwd.getpwnam("posthaste").pw_uid
        assert data.stat().st_uid == owner
        assert (queue / "incoming").stat().st_uid == owner


def test_destroyed(several):
    etc = several.create("a")
    several.does("posthaste", "-c", etc, "start")
    code, _, err = several.run("postmulti", "-e", "destroy", "-i",
                               "posthaste-a")
    assert code == 1 and "is not stopped" in err
    several.does("posthaste", "-c", etc, "stop")
    message = several.root / "a/spool/deferred/4/0123456789ABCDEF"
    message.parent.mkdir()
    message.write_text("mail")
    code, _, err = several.run("postmulti", "-e", "destroy", "-i",
                               "posthaste-a")
    assert code == 1 and "there is mail in" in err
    assert message.read_text() == "mail" and len(several.listed()) == 2
    message.unlink()
    (etc / "mine").write_text("kept")
    _, _, err = several.run("postmulti", "-e", "destroy", "-i", "posthaste-a")
    assert f"{etc}: please verify contents" in err, err
    assert os.listdir(etc) == ["mine"]
    assert os.listdir(several.root / "a") == ["etc"]
    assert several.listed() == [("-", "-", "y", "etc")]
    several.create("a")
    several.does("postmulti", "-e", "destroy", "-i", "posthaste-a")


@pytest.mark.skipif(not AS_ROOT, reason="needs two users")
def test_destruction_follows_no_links(several):
    """Of whoever has taken over the queue's owner."""
    several.create("a")
    precious = several.root / "precious"
    (precious / "below").mkdir(parents=True)
    (precious / "file").write_text("kept")
    spool, data = several.root / "a/spool", several.root / "a/data"
    shutil.rmtree(spool / "public")
    (spool / "public").symlink_to(precious)
    (data / "imap-shares").symlink_to(precious)
    several.run("postmulti", "-e", "destroy", "-i", "posthaste-a")
    assert (precious / "file").exists() and (precious / "below").exists()


def test_deported_and_imported(several):
    etc = several.create("a", "-G", "one")
    several.does("postmulti", "-e", "deport", "-i", "posthaste-a")
    assert len(several.listed()) == 1
    primary = several.root / "etc"
    assert several.setting(primary, "alternate_config_directories") == str(etc)
    several.does("postmulti", "-e", "import", "-I", "posthaste-z",
                 f"config_directory={etc}")
    assert several.setting(primary, "alternate_config_directories") == ""
    assert several.listed()[1] == ("posthaste-z", "one", "n", "a/etc")
    several.does("postmulti", "-e", "assign", "-i", "posthaste-z", "-I", "-",
                 "-G", "two")
    assert several.listed()[1] == ("-", "two", "n", "a/etc")
    # one that was removed by hand
    shutil.rmtree(etc)
    code, _, err = several.run("postmulti", "-l")
    assert code == 1 and f"{etc}/main.cf" in err
    several.does("postmulti", "-e", "deport", "-i", etc)
    assert several.listed() == [("-", "-", "y", "etc")]


@pytest.mark.skipif(not AS_ROOT, reason="needs two users")
def test_people_use_the_second_instance(several):
    """Set-gid commands go where the primary one's main.cf lets them."""
    out, _ = sender(several)
    several.does("posthaste", "-c", out, "start")
    several.does("posthaste", "-c", several.root / "etc", "start")
    several.does("sendmail", "-C", out, "-i", "bob@example.test",
                 stdin="Subject: of nobody\n\nHello\n", user="nobody")
    mail, = several.primary.wait_messages("bob")
    assert b"by out.example.test" in mail
    assert "empty" in several.does("postqueue", "-c", out, "-p",
                                   user="nobody")
    assert "empty" in several.does("mailq", user="nobody",
                                   MAIL_CONFIG=str(out))
    strange = several.root / "strange"
    shutil.copytree(out, strange)
    for command in (["sendmail", "-C", strange, "bob@example.test"],
                    ["postqueue", "-c", strange, "-p"],
                    ["postdrop", "-c", strange]):
        code, text, err = several.run(*command, stdin="x\n\nx\n",
                                      user="nobody")
        assert code != 0, (command, text, err)
        assert "unauthorized configuration directory" in err, (command, err)
    # as an alternate one it is as good
    several.does("posthaste", "-c", out, "stop")
    several.does("postmulti", "-e", "deport", "-i", "posthaste-out")
    several.does("posthaste", "-c", out, "start")
    assert "empty" in several.does("postqueue", "-c", out, "-p",
                                   user="nobody")
    several.does("posthaste", "-c", out, "stop")


def spoilt(several, etc, name, line):
    """main.cf of that instance with another line, or none, in its place."""
    main = etc / "main.cf"
    text = re.sub(rf"(?m)^{name} = .*\n", line and line + "\n",
                  main.read_text())
    main.write_text(text)


@pytest.mark.parametrize("action", ["destroy", "deport"])
@pytest.mark.parametrize("name", ["queue_directory", "data_directory"])
@pytest.mark.parametrize("how", ["unset", "empty", "unreadable", "relative",
                                 "the primary's", "by a link", "a third's"])
def test_only_its_own_is_removed(several, action, name, how):
    """A place that is not known to be its own may be another's in use."""
    part = "spool" if name[0] == "q" else "data"
    etc, third = several.create("a"), several.create("b")
    mark = several.root / part / "app_password_use"
    mark.touch()
    link = several.root / "link"
    link.symlink_to(several.root / part)
    line = {"unset": "", "empty": f"{name} =",
            "unreadable": f"{name} = ${{x", "relative": f"{name} = a/{part}",
            "the primary's": f"{name} = {several.root}/{part}",
            "by a link": f"{name} = {link}",
            "a third's": f"{name} = {several.root}/b/{part}"}[how]
    spoilt(several, etc, name, line)
    several.does("posthaste", "-c", third, "start")

    def there():
        """Files but those that a running instance may make and remove."""
        return {str(p) for p in several.root.rglob("*")
                if p.parent.parent != several.root / "b/spool"}

    before = there()
    main = (several.root / "etc/main.cf").read_bytes()
    code, _, err = several.run("postmulti", "-e", action, "-i", str(etc))
    assert code == 1, err
    assert {"unset": f"{name} is not set", "empty": "must not be empty",
            "unreadable": "main.cf: line", "relative": "not an absolute path",
            }.get(how, "conflicts with instance") in err, err
    assert name in err
    assert (several.root / "etc/main.cf").read_bytes() == main
    assert there() == before
    assert several.runs(third)


@pytest.mark.skipif(not AS_ROOT, reason="needs two users")
@pytest.mark.parametrize("what", ["config_directory", "queue_directory",
                                  "data_directory"])
@pytest.mark.parametrize("how", ["owned", "group", "all", "sticky", "link",
                                 "file"])
def test_a_place_that_others_change(several, what, how):
    """What is there already was made by whoever may write it."""
    place, link = several.root / "theirs", several.root / "link"
    place.mkdir()
    path, said = place, "others than its owner can change it"
    if how == "owned":
        shutil.chown(place, "nobody")
        said = "belongs to another user"
    elif how == "link":
        below = several.root / "home"
        below.mkdir()
        path = below / "link"
        path.symlink_to(place)
        shutil.chown(below, "nobody")
        said = f"others than its owner can change {below}"
    elif how == "file":
        path = several.root / "file"
        path.touch()
        said = "directory"
    else:
        place.chmod({"group": 0o775, "all": 0o777, "sticky": 0o1777}[how])
    for good in (False, True):
        if good:
            path = several.root / "new" / what[:4]
            link.symlink_to(several.root)
            path = link / "new" / what[:4]
        code, _, err = several.run(
            "postmulti", "-e", "create", "-I", "posthaste-new",
            *[a for a in several.places("new") if not a.startswith(what)],
            f"{what}={path}")
        if not good:
            assert code == 1 and said in err and str(path) in err, err
            assert not (several.root / "new").exists()
            assert list(place.iterdir()) == []
    assert code == 0, err
    # links on the way are not kept: they may point elsewhere one day
    etc = pathlib.Path(several.does("postmulti", "-l").split()[-1])
    assert "link" not in str(etc)
    for name in ("queue_directory", "data_directory"):
        assert "link" not in several.setting(etc, name)


@pytest.mark.skipif(not AS_ROOT, reason="needs two users")
def test_imported_places_that_others_change(several):
    etc = several.create("a")
    several.does("postmulti", "-e", "deport", "-i", "posthaste-a")
    again = ["-e", "import", f"config_directory={etc}"]
    for place in (etc, several.root / "a/spool", several.root / "a/data"):
        mode, owner = place.stat().st_mode & 0o7777, place.stat().st_uid
        place.chmod(0o777)
        code, _, err = several.run("postmulti", *again)
        assert code == 1 and f"{place}: others than" in err, err
        place.chmod(mode)
        shutil.chown(place, "nobody")
        code, _, err = several.run("postmulti", *again)
        assert code == 1 and f"{place} belongs to another user" in err, err
        os.chown(place, owner, -1)
    several.does("postmulti", *again)


@pytest.mark.parametrize("how", ["gone", "a spoilt place", "a spoilt switch"])
def test_one_bad_instance_holds_up_no_other(several, how):
    """It is told of, left out, and is the failure of the whole."""
    bad, good = several.create("a"), several.create("b")
    for name in "ab":
        several.does("postmulti", "-e", "enable", "-i", f"posthaste-{name}")
    several.does("posthaste", "start")
    saved = (bad / "main.cf").read_text()
    if how == "gone":
        (bad / "main.cf").rename(bad / "main.was")
    elif how == "a spoilt place":
        spoilt(several, bad, "data_directory", "data_directory =")
    else:
        spoilt(several, bad, "multi_instance_enable",
               "multi_instance_enable = perhaps")
    told = f"instance {bad}: "

    code, out, err = several.run("postmulti", "-l")
    assert code == 1 and told in err and len(out.splitlines()) == 2, (out, err)
    code, out, err = several.run("postmulti", "-x", "sh", "-c",
                                 "echo $MAIL_CONFIG")
    assert code == 1 and told in err
    assert out == f"{several.root}/etc\n{good}\n"
    # who means others hears nothing of it
    code, out, err = several.run("postmulti", "-l", "-i", "posthaste-b")
    assert (code, err) == (0, "") and "posthaste-b" in out
    # who means it, or may do so, does
    for choice in (["-i", str(bad)], ["-i", "posthaste-a"]):
        code, out, err = several.run("postmulti", "-l", *choice)
        assert code == 1 and told in err and out == ""
    code, _, err = several.run("posthaste", "reload")
    assert code == 1 and told in err
    assert err.count("refreshing the Posthaste mail system") == 2
    code, _, err = several.run("posthaste", "stop")
    assert code == 1 and told in err
    assert err.count("stopping the Posthaste mail system") == 2
    assert not several.runs(several.root / "etc") and not several.runs(good)
    (bad / "main.cf").write_text(saved)
    assert several.runs(bad)
    several.does("posthaste", "-c", bad, "stop")


@pytest.mark.parametrize("line", [
    "multi_instance_enable = perhaps", "multi_instance_wrapper = ${x",
    "multi_instance_wrapper = /nonexistent/wrapper", "data_directory ="])
@pytest.mark.parametrize("action", ["stop", "abort"])
def test_bad_settings_of_the_primary_keep_it_from_no_end(several, line,
                                                         action):
    etc = several.root / "etc"
    several.does("posthaste", "start")
    name = line.split(" =")[0]
    spoilt(several, etc, name, line)
    assert line in (etc / "main.cf").read_text()
    code, _, err = several.run("posthaste", "reload")
    assert code != 0 and several.runs(etc), err
    _, _, err = several.run("posthaste", action)
    assert not several.runs(etc), err
    assert name in err, err
