# SPDX-License-Identifier: ISC
"""postconf on main.cf and master.cf."""
import os
import stat

import pytest


@pytest.fixture
def conf(suite):
    s = suite(start=False)
    s.write("main.cf", "# mine\nmyhostname = mx.example.test\n"
            "mynetworks = 127.0.0.0/8\n   10.0.0.0/8\n# inner\n"
            "relayhost = [a]:25,\n  # why\n  [b]\nrelayhost = [c]\n"
            "my_own = x\nmydomain = ${my_own?{y}:{n}}.test\n")
    s.write("master.cf", "# services\nsmtp inet n - n - - smtpd\n"
            "  -o a=b -o { c = d e }\n\npickup unix n - n 60 1 pickup\n")
    return s


def test_list(conf):
    out = conf.command("postconf", "-n").out
    assert out == (f"config_directory = {conf.root}/etc\n"
                   "my_own = x\nmydomain = ${my_own?{y}:{n}}.test\n"
                   "myhostname = mx.example.test\n"
                   "mynetworks = 127.0.0.0/8 10.0.0.0/8\n"
                   "relayhost = [c]\n")
    every = conf.command("postconf").out.splitlines()
    names = [line.split(" =")[0] for line in every]
    assert names == sorted(names) and len(names) > 200
    assert "myorigin = $myhostname" in every
    assert "alias_maps = $default_database_type:/etc/aliases" in every


def test_named_expanded_and_defaults(conf):
    run = conf.command
    assert run("postconf", "-x", "mydomain", "myorigin").out == \
        "mydomain = y.test\nmyorigin = mx.example.test\n"
    assert run("postconf", "-h", "relayhost").out == "[c]\n"
    assert run("postconf", "-H", "relayhost").out == "relayhost\n"
    assert run("postconf", "-d", "relayhost").out == "relayhost =\n"
    assert run("postconf", "-o", "relayhost=z", "relayhost").out == \
        "relayhost = z\n"
    # a setting of Postfix that nothing here reads
    assert run("postconf", "biff").out == "biff = yes\n"


def test_unknown_names(conf):
    # no failure: scripts ask for settings that not every version has
    done = conf.command("postconf", "mydestinatoin", "relayhost")
    assert "warning: mydestinatoin: unknown parameter" in done.err
    assert done.out == "relayhost = [c]\n"
    conf.set(mydestinatoin="x")
    done = conf.command("postconf", "-n")
    assert "main.cf: unused parameter: mydestinatoin=x\n" in done.err
    assert "mydestinatoin" not in done.out
    done = conf.command("postconf", "-nq")
    assert done.err.count("unused parameter") == 0


def test_edit_keeps_comments_and_rights(conf):
    path = conf.root / "etc/main.cf"
    os.chmod(path, 0o640)
    before = path.stat()
    conf.command("postconf", "-e", "relayhost = [new]", "mynetworks=::1",
                 "added = a = b")
    after = path.stat()
    assert path.read_text() == (
        "# mine\nmyhostname = mx.example.test\nmynetworks = ::1\n# inner\n"
        "relayhost = [new]\n  # why\nrelayhost = [new]\nmy_own = x\n"
        "mydomain = ${my_own?{y}:{n}}.test\nadded = a = b\n")
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert not (conf.root / "etc/main.cf.tmp").exists()


def test_no_word_is_lost_by_a_change(conf):
    """Postfix takes the braces off; then the command has one word more."""
    conf.write("master.cf", "p unix - n n - - pipe {a b} user=x {argv=/c d}\n")
    conf.command("postconf", "-F", "p/unix/chroot=y")
    assert (conf.root / "etc/master.cf").read_text() == (
        "p          unix  -       n       y       -       -       pipe {a b} "
        "user=x\n    {argv=/c d}\n")


def test_nothing_is_glued_to_a_last_line(conf):
    """Postfix writes the new setting on the line that had no end."""
    path = conf.write("main.cf", "myhostname = a.test")
    conf.command("postconf", "relayhost=b")
    assert path.read_text() == "myhostname = a.test\nrelayhost = b\n"


def test_nul_bytes(conf):
    """Postfix reads up to the NUL; here that is no configuration file."""
    path = conf.root / "etc/main.cf"
    path.write_bytes(b"relayhost = \0a\n")
    done = conf.command("postconf", "-n", check=False)
    assert (done.returncode, done.out) == (1, "")
    assert "NUL bytes" in done.err
    assert conf.command("postconf", "a=b", check=False).returncode == 1
    assert path.read_bytes() == b"relayhost = \0a\n"


def test_templates_of_reports(conf):
    raw = conf.command("postconf", "-t").out
    assert raw.count("_template = <<EOF\n") == 4 and "$myhostname" in raw
    sent = conf.command("postconf", "-b").out
    assert "This is the mail system at host mx.example.test." in sent
    assert "$" not in sent and "Subject:" not in sent
    own = conf.write("words", "delay_template = <<X\nSubject: late\n\n"
                     "$myhostname waits\nX\n")
    conf.set(bounce_template_file=own)
    assert "late\n\n$myhostname waits\nEOF" in \
        conf.command("postconf", "-t").out
    sent = conf.command("postconf", "-b").out
    assert "expanded_delay_text = <<EOF\nmx.example.test waits\nEOF" in sent
    # "": the built-in ones; what -t prints can be read back
    conf.write("words", conf.command("postconf", "-t", "").out)
    assert conf.command("postconf", "-t").out == raw
    done = conf.command("postconf", "-b", "/nonexistent", check=False)
    assert done.returncode == 1 and "No such file" in done.err


def test_manual_html_and_sample(conf):
    run = conf.command
    manual = run("postconf", "--manual").out
    assert ".Dt MAIN.CF 5" in manual and ".It Va relayhost" in manual
    assert '<dt id="relayhost">' in run("postconf", "--html").out
    sample = run("postconf", "--sample").out
    assert "\n#relayhost =\n" in sample
    assert all(line[:1] in ("", "#") for line in sample.split("\n"))
    # with the # taken off, the lines are the defaults
    lines = [line[1:] for line in sample.split("\n")
             if line[:1] == "#" and line[1:2] not in (" ", "")]
    found_out = {"myhostname", "mydomain", "mynetworks"}
    # of a service: listed where master.cf has it
    services = ("smtp_dest", "lmtp_dest", "relay_dest", "virtual_dest")
    defaults = run("postconf", "-d").out.split("\n")
    assert len(lines) > 300
    for line in lines:
        name = line.split(" =")[0]
        if (line.split(" =")[1] and name not in found_out and
                not name.startswith(services)):
            assert " ".join(line.split()) in defaults


def test_remove_and_comment(conf):
    path = conf.root / "etc/main.cf"
    conf.command("postconf", "-X", "relayhost", "my_own")
    assert "relayhost" not in path.read_text()
    assert "  # why\n" in path.read_text()
    conf.command("postconf", "-#", "mynetworks")
    assert "#mynetworks = 127.0.0.0/8\n#   10.0.0.0/8\n" in path.read_text()


@pytest.mark.parametrize("bad", ["noequals", "=x", "a b=c", "a=b\nc=d"])
def test_bad_edits_change_nothing(conf, bad):
    path = conf.root / "etc/main.cf"
    before = path.read_text()
    done = conf.command("postconf", "-e", "relayhost=x", bad, check=False)
    assert done.returncode == 1
    assert path.read_text() == before


def test_master_list(conf):
    run = conf.command
    assert run("postconf", "-M").out == (
        "smtp       inet  n       -       n       -       -       smtpd "
        "-o a=b -o {c=d e}\n"
        "pickup     unix  n       -       n       60      1       pickup\n")
    assert run("postconf", "-F", "pickup/unix/wakeup").out == \
        "pickup/unix/wakeup = 60\n"
    assert run("postconf", "-P", "smtp/inet").out == \
        "smtp/inet/a = b\nsmtp/inet/c = d e\n"
    done = run("postconf", "-M", "nothing/inet")
    assert 'warning: unmatched request: "nothing/inet"' in done.err


def test_master_edit(conf):
    path = conf.root / "etc/master.cf"
    conf.command("postconf", "-P", "smtp/inet/a=two")
    conf.command("postconf", "-F", "pickup/unix/wakeup=30")
    conf.command("postconf", "-M", "new/unix=new unix - - n - 0 smtp -v")
    assert path.read_text() == (
        "# services\n"
        "smtp       inet  n       -       n       -       -       smtpd\n"
        "    -o a=two\n    -o {c=d e}\n\n"
        "pickup     unix  n       -       n       30      1       pickup\n"
        "new        unix  -       -       n       -       0       smtp "
        "-v\n")
    conf.command("postconf", "-MX", "smtp/inet")
    assert "smtpd" not in path.read_text()
    done = conf.command("postconf", "-M", "bad/inet=bad inet x", check=False)
    assert done.returncode == 1
    assert "bad" not in path.read_text()


def test_types_of_tables_in_the_order_of_the_alphabet(suite):
    """With proxy:, as in Postfix, and without debug:, as there."""
    types = suite(start=False).command("postconf", "-m").out.split()
    assert types == sorted(types)
    assert "proxy" in types and "texthash" in types
    assert "debug" not in types
