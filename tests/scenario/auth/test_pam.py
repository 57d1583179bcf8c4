# SPDX-License-Identifier: ISC
"""System users by PAM, through a service file of the test's own."""
import pathlib
import pwd
import shutil
import subprocess
import time

import pytest
from ipc_client import Declined, Ipc
from posthaste import AS_ROOT, CHANGE_COUNTS, SOURCE

OK, LATER, NEVER = range(3)
USER = "posthaste-mail"  # a system user that is always there in tests

pytestmark = pytest.mark.skipif(
    not AS_ROOT, reason="a PAM service is a file in /etc/pam.d")


@pytest.fixture
def service(pam, tmp_path):
    """Asked by a client at 192.0.2.7 only; each time is a line in "asked"."""
    return pam(USER, f"echo asked >>{tmp_path}/asked && "
               '[ "$PAM_RHOST" = 192.0.2.7 ]')


def attempt(c, user, password):
    _, fields = c.ask(
        "authenticate", service="pop3", mechanism="PLAIN", client="192.0.2.7",
        server="mx.example.test", tls=True, has_initial=True,
        initial=f"\0{user}\0{password}".encode(), binding=b"")
    return fields


def test_system_users(suite, service):
    s = suite(main=f"account_files = $config_directory/accounts, pam:{service}\n"
              "account_mail = maildir:/home-of/%n/Maildir\n")
    c = Ipc(s, "auth", "auth")
    for name in (USER, f"{USER}@example.test", USER.upper()):
        got = attempt(c, name, "posthaste")
        assert got["verdict"] == OK and got["user"] == USER
    _, account = Ipc(s, "auth-session", "auth").ask(
        "redeem", service="pop3", ticket=got["ticket"])
    assert account["uid"] == pwd.getpwnam(USER).pw_uid
    assert account["mail"] == f"maildir:/home-of/{USER}/Maildir"
    assert attempt(c, USER, "wrong")["verdict"] == NEVER
    assert attempt(c, f"{USER}@other.test", "posthaste")["verdict"] == NEVER
    # root never reads mail, whatever PAM would say
    assert attempt(c, "root", "posthaste")["verdict"] == NEVER
    # accounts of the file are not asked of PAM
    assert attempt(c, "bob", "posthaste")["user"] == "bob@example.test"
    s.wait_log(r"auth\[\d+\]: PAM refuses")
    # auth itself is not root
    (auth,) = s.processes("auth")
    uids = pathlib.Path(f"/proc/{auth}/status").read_text().split("Uid:")[1]
    assert "0" not in uids.split("\n")[0].split()


def test_a_system_user_reads_and_sends(suite, service, tmp_path):
    """The whole way: mail for a system user, read by POP3 and answered
    through submission with the system's password."""
    (tmp_path / "check").write_text(
        f'#!/bin/sh\nread -r p; [ "$PAM_USER" = {USER} ] && '
        '[ "$p" = posthaste ]\n')
    for path in (tmp_path, *tmp_path.parents):
        if path == pathlib.Path("/tmp"):
            break
        path.chmod(path.stat().st_mode | 0o011)
    s = suite(start=False, main=f"account_files = pam:{service}\n"
              "local_recipient_maps = unix:passwd.byname\n"
              f"virtual_alias_maps = inline:{{{USER}@local.test="
              "bob@example.test}\n")
    mailbox = s.maildir("bob")
    s.set(account_mail=f"maildir:{mailbox}")
    s.start()
    s.send(to=f"{USER}@local.test", body="for the user\n")
    s.wait_messages("bob")
    with s.smtp("smtps", login=None) as session:
        session.login(USER, "posthaste")
        session.sendmail(f"{USER}@local.test", ["carol@example.test"],
                         "Subject: answer\r\n\r\nx\r\n")
    s.wait_messages("carol")
    p = s.pop3(USER)
    assert any(b"for the user" in line for line in p.retr(1)[1])
    p.quit()
    s.wait_log(rf"login user=<{USER}>")
    s.wait_log(rf"sasl_username={USER}")


def test_pam_is_asked_once_about_a_login_while_accounts_change(
        suite, service, tmp_path):
    s = suite(start=False, main="auth_failure_delay_max = 0\n")
    folder = s.root / "etc/secret"
    folder.mkdir(mode=0o711)
    accounts = folder / "accounts"

    def write(name):
        accounts.write_text(f"{name}@example.test password={{PLAIN}}x\n")
        accounts.chmod(0o600)
    write("zoe")
    s.set(account_files=f"texthash:{accounts}, pam:{service}")
    s.start()
    assert attempt(Ipc(s, "auth", "auth"), USER, "wrong")["verdict"] == NEVER
    write("yves")
    time.sleep(CHANGE_COUNTS)
    (tmp_path / "asked").unlink()
    with pytest.raises(Declined):
        attempt(Ipc(s, "auth", "auth"), USER, "wrong")
    assert attempt(Ipc(s, "auth", "auth"), USER, "wrong")["verdict"] == NEVER
    assert (tmp_path / "asked").read_text().splitlines() == ["asked"]


def write_service(name, lines):
    path = pathlib.Path("/etc/pam.d") / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")
def test_modules_of_many_kinds_work(suite, service, tmp_path):
    """With what auth-pam's filter and capabilities leave: Debian's own, some
    with programs of theirs, and one that does what those of servers do."""
    probe, did = tmp_path / "probe.so", tmp_path / "did"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", probe,
                    SOURCE / "tests/probe/pam_module.c", "-lpam"], check=True)
    people, tally = tmp_path / "people", tmp_path / "tally"
    people.write_text(f"{USER}\n")
    faillock = f"pam_faillock.so deny=100 dir={tally} audit"
    path = write_service(service, [
        f"auth required {faillock} preauth",
        # who knows no password of it, but must be able to look
        "auth [success=ignore auth_err=ignore default=die] pam_unix.so nodelay",
        "auth required pam_listfile.so item=user sense=allow onerr=fail "
        f"file={people}",
        f"auth required {probe} {did}",
        "auth [success=2 default=ignore] pam_exec.so quiet expose_authtok "
        f"{tmp_path}/check",
        f"auth [default=die] {faillock} authfail",
        "auth requisite pam_deny.so",
        "auth required pam_permit.so",
        "account required pam_unix.so",
        "account required pam_exec.so quiet "
        f"/usr/sbin/unix_chkpwd {USER} chkexpiry",
        "account required pam_succeed_if.so quiet uid > 0"])
    s = suite(main=f"account_files = $config_directory/accounts, pam:{service}\n"
              "account_mail = maildir:/home-of/%n/Maildir\n"
              "auth_failure_delay_max = 0\n")
    c = Ipc(s, "auth", "auth")
    got = attempt(c, USER, "posthaste")["verdict"]
    assert got == OK, did.read_text() if did.exists() else s.log()
    assert attempt(c, USER, "wrong")["verdict"] == NEVER
    assert (tally / USER).stat().st_size > 0
    # each login asks, also one that has been right before
    before = (tmp_path / "asked").read_text().count("asked")
    assert attempt(c, USER, "posthaste")["verdict"] == OK
    assert (tmp_path / "asked").read_text().count("asked") == before + 1
    # and who may not look is told to come again
    path.write_text(path.read_text().replace(str(did), str(tmp_path / "no/x")))
    assert attempt(c, USER, "posthaste")["verdict"] == LATER
