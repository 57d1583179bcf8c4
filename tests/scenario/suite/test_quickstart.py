# SPDX-License-Identifier: ISC
"""The first command a stranger types, in a fresh copy of the sources."""
import os
import poplib
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import tempfile

import pytest

from posthaste import SOURCE, wait_for

COMMANDS = ("posthaste sendmail mailq newaliases postqueue postsuper postcat "
            "postconf postmap postalias postdrop postlog posttrace").split()
FILES = ("main.cf", "master.cf", "virtual", "mailboxes", "accounts",
         "cert.pem", "key.pem")
PORTS = (2525, 2587, 2465, 2110, 2995, 2143, 2993)


@pytest.fixture
def copy():
    """The tracked files, where other users can reach them."""
    top = tempfile.mkdtemp(prefix="ph-quick-", dir="/tmp")
    os.chmod(top, 0o755)
    files = subprocess.run(["git", "ls-files", "-z"], cwd=SOURCE, check=True,
                           capture_output=True).stdout
    subprocess.run(["cpio", "-0", "-pdm", "--quiet", top], cwd=SOURCE,
                   input=files, check=False, stderr=subprocess.DEVNULL) \
        if shutil.which("cpio") else subprocess.run(
            f"tar -cf - --null -T - | tar -xf - -C {top}", shell=True,
            cwd=SOURCE, input=files, check=True)
    yield top
    subprocess.run(["./quickstart", "stop"], cwd=top, capture_output=True)
    shutil.rmtree(top, ignore_errors=True)


def run(top, *arguments, timeout=1800):
    done = subprocess.run(["./quickstart", *arguments], cwd=top, timeout=timeout,
                          capture_output=True, text=True, errors="replace",
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def people_log_in(copy):
    """With the full address and the name alone, in TLS from the first byte."""
    context = ssl.create_default_context(cafile=f"{copy}/demo/etc/cert.pem")
    for name in ("alice@example.test", "bob@example.test",
                 "carol@example.test", "bob"):
        pop3 = poplib.POP3_SSL("localhost", 2995, context=context)
        pop3.user(name)
        assert pop3.pass_("posthaste").startswith(b"+OK")
        pop3.quit()
        with smtplib.SMTP_SSL("localhost", 2465, context=context) as smtp:
            smtp.login(name, "posthaste")


def what_the_demo_takes(copy):
    with smtplib.SMTP("127.0.0.1", 2525) as smtp:
        smtp.ehlo()
        assert smtp.esmtp_features["size"] == "52428800"
        smtp.mail("<someone@elsewhere.test>")
        for recipient in ("<postmaster>", "<postmaster@example.test>",
                          "<stranger@elsewhere.test>"):  # mynetworks
            assert smtp.rcpt(recipient)[0] == 250
        smtp.rset()
        assert smtp.rcpt("<joe@example.test>")[0] in (503, 550)
        for recipient in ("postmaster", "postmaster@example.test"):
            smtp.mail("<someone@elsewhere.test>")
            smtp.rcpt(f"<{recipient}>")
            assert smtp.data(f"Subject: for {recipient}\r\n\r\nx\r\n")[0] == 250
    new = f"{copy}/demo/mail/example.test/alice/new"
    wait_for("alice's mail", lambda: os.path.isdir(new) and
             len(os.listdir(new)) == 2)
    limits = command(copy, "postconf", "-h", "mailbox_size_limit",
                     "virtual_mailbox_limit").split()
    assert limits == ["0", "0"]


def command(copy, name, *arguments):
    return subprocess.run([f"{copy}/demo/bin/{name}", *arguments], check=True,
                          capture_output=True, text=True).stdout


def everything_is_there(copy):
    for name in COMMANDS:
        assert os.access(f"{copy}/demo/bin/{name}", os.X_OK), name
    assert set(FILES) <= set(os.listdir(f"{copy}/demo/etc"))
    for name in ("spool/incoming", "mail/example.test", "log/mail.log"):
        assert os.path.exists(f"{copy}/demo/{name}")
    assert "/demo\n" in open(f"{copy}/.gitignore").readlines()


def staged_installation(copy):
    """make install DESTDIR= puts everything below that, nothing elsewhere."""
    stage = f"{copy}/stage"
    subprocess.run(["make", "-s", "install", f"DESTDIR={stage}"], check=True,
                   cwd=f"{copy}/build-demo", capture_output=True)
    demo = os.path.realpath(f"{copy}/demo")
    assert os.listdir(stage) == [demo.split("/")[1]]
    for name in [f"bin/{c}" for c in COMMANDS] + [f"etc/{f}" for f in (
            "main.cf", "master.cf", "aliases", "init.d/posthaste")] + [
            "libexec/posthaste/master", "share/man/man8/master.8",
            "share/systemd/posthaste.service"]:
        assert os.path.exists(stage + demo + "/" + name), name


def test_quickstart_sends_and_reads_a_message(copy):
    if any(listening(p) for p in PORTS):
        pytest.skip("another demonstration runs on this machine")
    code, out = run(copy)
    assert code == 0, out
    assert re.search(r"C: STARTTLS", out)
    assert re.search(r"S: 250 2.0.0 Ok: queued as \w+", out)
    assert re.search(r"S: \+OK", out)
    assert "this went through the whole suite" in out
    assert "10. stop it: ./quickstart stop" in out
    assert all(listening(p) for p in PORTS)
    assert run(copy, "status")[0] == 0
    new = os.listdir(f"{copy}/demo/mail/example.test/bob/new")
    cur = os.listdir(f"{copy}/demo/mail/example.test/bob/cur")
    assert len(new + cur) == 1
    queue = subprocess.run([f"{copy}/demo/bin/postqueue", "-p"],
                           capture_output=True, text=True, check=True)
    assert "Mail queue is empty" in queue.stdout
    people_log_in(copy)
    what_the_demo_takes(copy)
    everything_is_there(copy)
    staged_installation(copy)
    code, out = run(copy)  # again: safe
    assert code == 0, out
    code, out = run(copy, "stop")
    assert code == 0, out
    assert not any(listening(p) for p in PORTS)
    assert run(copy, "status")[0] != 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root has other users")
def test_clone_that_other_users_cannot_enter_gets_a_linked_demo(copy):
    """As in /root: the demo lies in /srv. Ends where packages are looked for."""
    os.chmod(copy, 0o700)
    tools = tempfile.mkdtemp(prefix="ph-tools-", dir="/tmp")
    demo = f"{copy}/demo"
    for name in os.listdir("/usr/bin"):
        if name != "dpkg-query":
            os.symlink(f"/usr/bin/{name}", f"{tools}/{name}")
    try:
        done = subprocess.run(
            ["./quickstart"], cwd=copy, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, env=dict(os.environ, PATH=tools))
        assert done.returncode == 1
        assert "this script is for Debian 12" in done.stderr
        assert os.readlink(demo).startswith("/srv/posthaste-demo")
        assert os.readlink(demo) in done.stdout
        assert os.stat(demo).st_mode & 0o777 == 0o755
        assert os.path.isdir(f"{demo}/etc")
    finally:
        shutil.rmtree(tools)
        if os.path.islink(demo):
            shutil.rmtree(os.readlink(demo), ignore_errors=True)


def without_a_package(folder):
    """A PATH in which dpkg-query knows all but one, and apt-get only notes."""
    for name, text in (
            ("dpkg-query", 'case "$*" in *libev-dev*) exit 1;; esac\n'
             "echo install ok installed"),
            ("apt-get", f'echo "$*" >>{folder}/asked; exit 1')):
        path = f"{folder}/{name}"
        with open(path, "w") as script:
            script.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)
    os.chmod(folder, 0o777)
    return dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root and another user")
@pytest.mark.parametrize("root", [True, False])
def test_missing_packages(copy, root):
    """Root installs them; others are told their names."""
    tools = tempfile.mkdtemp(prefix="ph-tools-", dir="/tmp")
    env = without_a_package(tools)
    user = {} if root else {"user": 65534, "group": 65534, "extra_groups": []}
    os.chmod(copy, 0o777)
    try:
        done = subprocess.run(["./quickstart"], cwd=copy, env=env, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL,
                              **user)
        asked = f"{tools}/asked"
        assert done.returncode == 1
        assert not os.path.exists(f"{copy}/build-demo")
        if root:
            assert "Installing: libev-dev" in done.stdout
            assert "install -y libev-dev" in open(asked).read()
        else:
            assert done.stderr == ("quickstart: please install as root: "
                                   "apt-get install libev-dev \n")
            assert not os.path.exists(asked)
    finally:
        shutil.rmtree(tools)
