# SPDX-License-Identifier: ISC
"""App passwords: made, used, listed and revoked."""
import fcntl
import imaplib
import os
import poplib
import re
import smtplib
import stat
import subprocess

import pytest
from posthaste import AS_ROOT, PASSWORD

FORM = re.compile(r"^[a-z2-9]{5}(-[a-z2-9]{5}){3}\n$")


def add(s, *arguments, **options):
    return s.command("postaccount", "app-password", "add", *arguments,
                     **options)


@pytest.fixture
def suite(suite):
    """What a refusal costs in time is for others to test."""
    return lambda main="", **options: suite(
        main="auth_failure_delay_max = 0\n" + main, **options)


def secret(s, *arguments):
    out = add(s, *arguments).out
    assert FORM.match(out), out
    return out.strip()


def imap_login(s, user, password):
    with imaplib.IMAP4_SSL("127.0.0.1", s.ports["imaps"],
                           ssl_context=s.tls()) as c:
        c.login(user, password)


def refused(s, login, *arguments):
    with pytest.raises((imaplib.IMAP4.error, poplib.error_proto,
                        smtplib.SMTPAuthenticationError)):
        login(s, *arguments)


def pop3_login(s, user, password):
    s.pop3(user, password).quit()


def smtp_login(s, user, password):
    with s.smtp("smtps") as c:
        c.login(user, password)


LOGINS = {"imap": imap_login, "pop3": pop3_login, "smtp": smtp_login}


def test_good_for_its_protocols_and_its_account_alone(suite):
    s = suite()
    word = secret(s, "-p", "imap,smtp", "bob", "My phone")
    imap_login(s, "bob", word)
    imap_login(s, "bob@example.test", word.upper().replace("-", " "))
    smtp_login(s, "bob", word)
    refused(s, pop3_login, "bob", word)
    refused(s, imap_login, "alice", word)
    # beside it the account's own goes on
    for login in LOGINS.values():
        login(s, "bob", PASSWORD)
    s.wait_log(r"imapd\[\d+\]: login user=<bob@example.test>, "
               r"app_password=<My phone>, client=127.0.0.1, method=LOGIN")
    s.wait_log(r"imapd\[\d+\]: logout user=<bob@example.test>, "
               r"app_password=<My phone>, client")
    s.wait_log(r"smtpd\[\d+\]: \S+: SASL PLAIN login, "
               r"sasl_username=bob@example.test, app_password=<My phone>")
    s.wait_log(r'failed: app password "My phone" is not for this protocol, '
               r"sasl_username=bob@example.test")
    assert word not in s.log()


def test_many_of_one_account_and_revoked_at_once(suite):
    s = suite()
    words = {label: secret(s, "bob", label) for label in
             ("phone", "laptop", "printer")}
    assert len(set(words.values())) == 3
    for word in words.values():
        pop3_login(s, "bob", word)
    s.command("postaccount", "app-password", "revoke", "bob", "laptop")
    refused(s, pop3_login, "bob", words["laptop"])
    pop3_login(s, "bob", words["phone"])
    out = s.command("postaccount", "app-password", "revoke", "-a", "bob").out
    assert out == "2 revoked\n"
    for word in words.values():
        refused(s, pop3_login, "bob", word)
    pop3_login(s, "bob", PASSWORD)
    # and back, with other secrets
    word = secret(s, "bob", "laptop")
    assert word != words["laptop"]
    refused(s, pop3_login, "bob", words["laptop"])
    pop3_login(s, "bob", word)


def test_listed_with_last_use(suite):
    s = suite()
    phone, old = secret(s, "-p", "imap", "bob", "phone"), secret(
        s, "-e", "30", "bob", "spare")
    secret(s, "alice", "tablet")
    imap_login(s, "bob", phone)
    out = s.command("postaccount", "app-password", "list").out
    lines = {line.split("  ")[0].strip() + "/" + line.split("  ")[-1]: line
             for line in out.splitlines()}
    assert len(lines) >= 3 and phone not in out and old not in out
    rows = {line[32:52].strip(): line for line in out.splitlines()[1:]}
    assert set(rows) == {"phone", "spare", "tablet"}
    assert re.search(r"imap +\d{4}-\d\d-\d\d \d\d:\d\d +never +"
                     r"\d{4}-\d\d-\d\d \d\d:\d\d  imap 127\.0\.0\.1$",
                     rows["phone"]), rows["phone"]
    assert rows["spare"].rstrip().endswith("never")
    assert "imap,pop3,smtp" in rows["spare"]
    only = s.command("postaccount", "app-password", "list", "alice").out
    assert "tablet" in only and "phone" not in only
    # kept over a restart
    s.stop()
    s.start()
    assert "imap 127.0.0.1" in s.command(
        "postaccount", "app-password", "list", "bob").out


def test_expired(suite):
    s = suite()
    word = secret(s, "-e", "1", "bob", "visit")
    pop3_login(s, "bob", word)
    path = s.root / "etc/app_passwords"
    path.write_text(re.sub(r":\d+:visit$", ":1700000000:visit",
                           path.read_text(), flags=re.M))
    refused(s, pop3_login, "bob", word)
    s.wait_log('app password "visit" is expired')
    assert re.search(r"visit.*!", s.command(
        "postaccount", "app-password", "list", "bob").out)


@pytest.mark.parametrize("protocols, kept", [
    ("imap", ["pop3", "smtp"]), ("imap, pop3, smtp", []), ("", list(LOGINS))])
def test_own_password_can_be_shut_out(suite, protocols, kept):
    s = suite(main=f"account_app_password_only = {protocols}\n"
              "auth_mechanisms = plain login cram-md5 scram-sha-256\n")
    word = secret(s, "-p", "imap,pop3,smtp", "bob", "phone")
    for name, login in LOGINS.items():
        login(s, "alice", PASSWORD)  # who has none
        login(s, "bob", word)
        if name in kept:
            login(s, "bob", PASSWORD)
        else:
            refused(s, login, "bob", PASSWORD)
    if not kept:
        # nor by a mechanism that says itself whether it was right
        with s.smtp("smtps") as c:
            c.ehlo()
            c.user, c.password = "bob", PASSWORD
            with pytest.raises(smtplib.SMTPAuthenticationError):
                c.auth("CRAM-MD5", c.auth_cram_md5)
        s.wait_log("has app passwords, its own is not accepted here")


def test_own_password_stays_shut_out_while_the_file_is_gone(suite):
    s = suite(main="account_app_password_only = imap, pop3\n")
    word = secret(s, "bob", "phone")
    pop3_login(s, "bob", word)
    path = s.root / "etc/app_passwords"
    aside = s.root / "etc/aside"
    path.rename(aside)
    for given in (PASSWORD, word):
        with pytest.raises(poplib.error_proto, match="SYS/TEMP"):
            pop3_login(s, "bob", given)
    smtp_login(s, "bob", PASSWORD)  # which is good there in any case
    aside.rename(path)
    pop3_login(s, "bob", word)
    # and by a slip in the line
    path.write_text(path.read_text().replace(":phone", ""))
    refused(s, pop3_login, "bob", PASSWORD)
    pop3_login(s, "alice", PASSWORD)


def test_file_is_not_there_when_the_suite_starts(suite):
    """Nor is that none: it is taken up when it appears."""
    s = suite(main="account_app_password_only = imap, pop3\n")
    for user in ("bob", "alice"):
        with pytest.raises(poplib.error_proto, match="SYS/TEMP"):
            pop3_login(s, user, PASSWORD)
    smtp_login(s, "bob", PASSWORD)
    s.wait_log("cannot read app passwords from .*app_passwords: No such file")
    word = secret(s, "bob", "phone")
    pop3_login(s, "bob", word)
    refused(s, pop3_login, "bob", PASSWORD)
    pop3_login(s, "alice", PASSWORD)


def test_file_that_is_named_is_not_there(suite):
    s = suite(main="account_app_password_file = $config_directory/words\n")
    with pytest.raises(poplib.error_proto, match="SYS/TEMP"):
        pop3_login(s, "bob", "abcde-fghij-kmnpq-rstuv")
    refused(s, pop3_login, "bob", "wrong")
    pop3_login(s, "bob", PASSWORD)
    pop3_login(s, "bob", secret(s, "bob", "phone"))
    refused(s, pop3_login, "bob", "abcde-fghij-kmnpq-rstuv")


def test_file_is_replaced_and_keeps_its_owner_and_mode(suite):
    s = suite()
    path = s.root / "etc/app_passwords"
    secret(s, "bob", "one")
    first = path.stat()
    if AS_ROOT:
        assert stat.S_IMODE(first.st_mode) == 0o640 and first.st_uid == 0
    else:
        assert stat.S_IMODE(first.st_mode) == 0o600
    os.chmod(path, 0o600)
    if AS_ROOT:
        import shutil
        shutil.chown(path, "posthaste-auth", "posthaste-auth")
    before = path.stat()
    word = secret(s, "bob", "two")
    after = path.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode, before.st_uid, before.st_gid)
    pop3_login(s, "bob", word)
    assert [p.name for p in (s.root / "etc").glob("app_passwords.*")] == [
        "app_passwords.lock"]
    assert stat.S_IMODE((s.root / "etc/app_passwords.lock").stat().st_mode
                        ) == 0o600
    assert word.replace("-", "") not in path.read_text()


def test_two_at_once_lose_nothing(suite):
    s = suite(start=False)
    env = dict(os.environ, MAIL_CONFIG=str(s.root / "etc"))
    from posthaste import ROOT
    running = [subprocess.Popen(
        [ROOT / "sbin/postaccount", "app-password", "add", "bob", f"n{i}"],
        env=env, stdout=subprocess.PIPE) for i in range(20)]
    assert [p.wait() for p in running] == [0] * 20
    for p in running:
        p.stdout.close()
    text = (s.root / "etc/app_passwords").read_text()
    assert len(re.findall(r":n\d+$", text, re.M)) == 20


def test_who_can_only_read_the_directory_stops_nobody(suite):
    s = suite(start=False)
    fd = os.open(s.root / "etc", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        assert FORM.match(add(s, "bob", "phone").out)
    finally:
        os.close(fd)


def test_no_lock_is_waited_for_for_ever(suite):
    s = suite(start=False)
    secret(s, "bob", "phone")
    path = s.root / "etc/app_passwords.lock"
    with open(path) as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        done = add(s, "bob", "tablet", check=False)
    assert done.returncode == 75 and "locked by another" in done.err
    secret(s, "bob", "tablet")
    # nor is one trusted that others can open, or that is elsewhere
    path.chmod(0o644)
    assert add(s, "bob", "x", check=False).returncode == 77
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert add(s, "bob", "x", check=False).returncode == 77


@pytest.mark.parametrize("arguments, word", [
    (["nobody", "x"], "there is no such account"),
    (["-p", "imap,ftp", "bob", "x"], "ftp: no such protocol"),
    (["-e", "soon", "bob", "x"], "neither a number of days nor a day"),
    (["-e", "2001-01-01", "bob", "x"], "nor a day to come"),
    (["bob", "a:b"], "a label has"),
    (["bob", "a<b"], "a label has"),
    (["bob", ""], "a label has"),
    (["bob"], "usage"),
])
def test_mistakes(suite, arguments, word):
    s = suite(start=False)
    done = add(s, *arguments, check=False)
    assert done.returncode != 0 and word in done.err
    assert not (s.root / "etc/app_passwords").exists()


def test_no_two_of_one_label_and_nothing_lost_by_a_bad_line(suite):
    s = suite(start=False)
    secret(s, "bob", "phone")
    done = add(s, "BOB@example.test", "phone", check=False)
    assert done.returncode != 0 and "already" in done.err
    secret(s, "alice", "phone")
    done = s.command("postaccount", "app-password", "revoke", "bob", "x",
                     check=False)
    assert done.returncode != 0 and "no such app password" in done.err
    path = s.root / "etc/app_passwords"
    text = path.read_text() + "what is this\n"
    path.write_text(text)
    done = add(s, "bob", "other", check=False)
    assert done.returncode != 0 and "line 4 has too few fields" in done.err
    assert path.read_text() == text


def test_unreadable_file_is_try_again_and_only_for_app_passwords(suite):
    s = suite()
    word = secret(s, "bob", "phone")
    path = s.root / "etc/app_passwords"
    os.unlink(path)
    os.symlink(path, path)
    pop3_login(s, "bob", PASSWORD)
    with pytest.raises(poplib.error_proto, match="SYS/TEMP"):
        pop3_login(s, "bob", word)
    os.unlink(path)
    refused(s, pop3_login, "bob", word)
