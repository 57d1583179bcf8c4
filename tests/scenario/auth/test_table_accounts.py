# SPDX-License-Identifier: ISC
"""Accounts in SQL and LDAP: logins over every protocol, what an entry says,
and a server that is dead, silent, or wrong."""
import base64
import contextlib
import imaplib
import pathlib
import poplib
import shutil
import smtplib
import socket
import sqlite3
import subprocess
import tempfile
import time

import pytest

import databases
from posthaste import AS_ROOT, CHANGE_COUNTS, PASSWORD, owner_ids, wait_for

PROTOCOLS = ["imap", "pop3", "submission"]
DELAYS = "auth_failure_delay_max = 0\n"
QUERY = ("SELECT 'uid=' || uid, 'gid=' || gid, 'home=' || home, "
         "'quota_rule=*:bytes=' || quota, 'nologin=' || disabled, "
         "'password=' || password FROM users WHERE name = '%s'")


def crypted(password):
    return subprocess.run(["openssl", "passwd", "-6", password], check=True,
                          capture_output=True, text=True).stdout.strip()


class Pgsql:
    """Every field of an account is a column."""
    type = "pgsql"

    def __init__(self):
        uid, gid = owner_ids()
        self.server = databases.Postgres()
        self.server.sql(
            "create table users (name text, password text, uid int, gid int,"
            " home text, quota bigint, disabled boolean);"
            "grant select on users to mail;" + "".join(
                f"insert into users values ('{name}@example.test', "
                f"$${password}$$, {uid}, {gid}, '/nonexistent', {quota}, "
                f"{disabled});" for name, password, quota, disabled in [
                    ("bob", "{CRYPT}" + crypted(PASSWORD), "null", "null"),
                    # what its owner has chosen is no field of the entry
                    ("carol", "{PLAIN}x,uid=0,gid=0,nologin=1", "5000",
                     "false"),
                    ("dave", "{PLAIN}" + PASSWORD, "null", "true")]))

    def text(self, **more):
        return self.server.settings(**{"query": QUERY, **more})

    def change(self, password):
        self.server.sql("update users set password = $${PLAIN}"
                        f"{password}$$ where name = 'bob@example.test'")


class Ldap:
    """The password is an attribute; all else is of main.cf."""
    type = "ldap"

    def __init__(self):
        base = databases.Slapd.BASE
        lines = [f"dn: {base}", "objectClass: dcObject",
                 "objectClass: organization", "o: Example", "dc: example", ""]
        for name, password in (("bob", "{CRYPT}" + crypted(PASSWORD)),
                               ("carol", "{PLAIN}x,uid=0,gid=0,nologin=1")):
            coded = base64.b64encode(password.encode()).decode()
            lines += [f"dn: uid={name},{base}", "objectClass: inetOrgPerson",
                      f"cn: {name}", f"sn: {name}", f"uid: {name}",
                      f"mail: {name}@example.test",
                      f"userPassword:: {coded}", ""]
        self.server = databases.Slapd("\n".join(lines))

    def text(self, **more):
        return self.server.settings(**{
            "bind": "yes", "bind_dn": databases.Slapd.ADMIN,
            "bind_pw": databases.Slapd.PASSWORD, "query_filter": "(mail=%s)",
            "result_attribute": "userPassword",
            "result_format": "password=%s", **more})


@pytest.fixture(scope="module", params=[Pgsql, Ldap])
def kind(request):
    made = request.param()
    yield made
    made.server.close()


def site(suite, kind, start=True, main="", **more):
    uid, gid = owner_ids()
    s = suite(start=False)
    first = [line for line in s.main_cf.splitlines(True)
             if not line.startswith("account_files")]
    s.write("main.cf", "".join(first) + DELAYS + main)
    path = s.write("accounts.cf", kind.text(**more))
    path.chmod(0o600)
    s.set(account_files=f"{kind.type}:{path}", account_uid=uid,
          account_gid=gid, account_home="/nonexistent",
          account_mail=f"maildir:{s.root}/mail/%d/%n")
    return s.start() if start else s


def login(s, protocol, user, password):
    """"" or what the server says to it."""
    try:
        if protocol == "imap":
            c = imaplib.IMAP4_SSL("127.0.0.1", s.ports["imaps"],
                                  ssl_context=s.tls(), timeout=60)
            try:
                c.login(f'"{user}"', password)
                c.select("INBOX")
            finally:
                c.shutdown()
        elif protocol == "pop3":
            p = s.pop3(user, password)
            p.stat()
            p.quit()
        else:
            with s.smtp("submission", tls=True, timeout=60) as c:
                c.login(user, password)
    except imaplib.IMAP4.error as e:
        return str(e)
    except poplib.error_proto as e:
        return str(e)
    except smtplib.SMTPAuthenticationError as e:
        return f"{e.smtp_code} {e.smtp_error}"
    return ""


def starttls(s, plain):
    def say(line):
        plain.sendall(line)
        return plain.recv(4096)
    plain.recv(4096)
    say(b"EHLO here\r\n")
    assert say(b"STARTTLS\r\n").startswith(b"220")
    c = s.tls().wrap_socket(plain)
    c.sendall(b"EHLO here\r\n")
    c.recv(4096)
    return c


def refused(protocol, said):
    return {"imap": "AUTHENTICATIONFAILED", "pop3": "[AUTH]",
            "submission": "535"}[protocol] in said


def unavailable(protocol, said):
    return {"imap": "UNAVAILABLE", "pop3": "[SYS/TEMP]",
            "submission": "454"}[protocol] in said


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_login(suite, kind, protocol):
    s = site(suite, kind)
    assert login(s, protocol, "bob@example.test", PASSWORD) == ""
    assert login(s, protocol, "BOB", PASSWORD) == ""
    for user, password in (("bob@example.test", PASSWORD + "x"),
                           ("bob", ""), ("nobody@example.test", PASSWORD),
                           ("*", PASSWORD), ("bob' --", PASSWORD),
                           ("bob*", PASSWORD), ("' or ''='", PASSWORD)):
        said = login(s, protocol, user, password)
        # clients do not send an empty one alike
        assert refused(protocol, said) or (said and not password), (user, said)
    assert "lookup error" not in s.log()
    # its own password is right, and gives nothing else
    carol = "x,uid=0,gid=0,nologin=1"
    assert login(s, protocol, "carol", carol) == ""
    assert refused(protocol, login(s, protocol, "carol", "x"))


def test_mail_is_where_the_entry_says(suite, kind):
    s = site(suite, kind)
    s.send(subject="to be read")
    s.wait_messages("bob")
    p = s.pop3("bob", PASSWORD)
    assert len(p.list()[1]) == 1
    p.quit()
    if kind.type == "pgsql":
        # a quota of its own
        with imaplib.IMAP4_SSL("127.0.0.1", s.ports["imaps"],
                               ssl_context=s.tls()) as c:
            c.login("carol", "x,uid=0,gid=0,nologin=1")
            assert b"STORAGE 0 5" in c.getquotaroot("INBOX")[1][1][0]
        assert refused("imap", login(s, "imap", "dave", PASSWORD))
        s.wait_log("account has nologin")


def test_change_counts_within_a_second(suite, kind):
    if kind.type != "pgsql":
        pytest.skip("shown with SQL")
    s = site(suite, kind)
    try:
        assert login(s, "imap", "bob", PASSWORD) == ""
        kind.change("another")
        time.sleep(CHANGE_COUNTS)
        assert refused("imap", login(s, "imap", "bob", PASSWORD))
        assert login(s, "imap", "bob", "another") == ""
    finally:
        kind.change(PASSWORD)


def test_few_questions_for_a_login(suite, kind):
    """One by auth, one by auth-session."""
    if kind.type != "pgsql":
        pytest.skip("shown with SQL")
    kind.server.sql("create table if not exists asked (name text);"
                    "grant insert on asked to mail;"
                    "create or replace function ask(text) returns setof text "
                    "language sql as $$insert into asked values ($1); select "
                    "password from users where name = $1$$")
    s = site(suite, kind, query="SELECT * FROM ask('%s')")
    assert login(s, "imap", "bob@example.test", PASSWORD) == ""
    asked = kind.server.sql("select name, count(*) from asked where name "
                            "not like 'posthaste-check%' group by 1")
    assert asked.split() == ["bob@example.test|2"], asked


@pytest.mark.parametrize("how", ["dead", "silent", "broken"])
def test_what_cannot_be_had_is_no_wrong_password(suite, kind, how):
    more = {"timeout": "2"}
    if how == "broken":
        more |= {"query": "SELECT nothing FROM users WHERE name = '%s'"} \
            if kind.type == "pgsql" else {"search_base": "ou=none"}
    s = site(suite, kind, **more)
    # who is in a file before it does not need it
    accounts = s.root / "etc/accounts"
    s.set(account_files=f"{accounts}, {kind.type}:{s.root}/etc/accounts.cf")
    accounts.write_text(s.account("alice"))
    s.posthaste("reload")
    try:
        if how == "dead":
            kind.server.kill()
        elif how == "silent":
            assert login(s, "imap", "bob", PASSWORD) == ""
            time.sleep(CHANGE_COUNTS)
            kind.server.freeze()
        for protocol in PROTOCOLS:
            for user, password in (("bob", PASSWORD), ("bob", "wrong"),
                                   ("nobody", "wrong")):
                said = login(s, protocol, user, password)
                assert unavailable(protocol, said), (user, said)
        s.wait_log(rf"{kind.type}:.*accounts.cf lookup error: ")
        start = time.monotonic()
        assert login(s, "imap", "alice@example.test", PASSWORD) == ""
        assert time.monotonic() - start < 2
    finally:
        if how == "dead":
            kind.server.start()
        elif how == "silent":
            kind.server.thaw()
    if how == "dead":
        wait_for("a login", lambda: login(
            s, "imap", "bob", PASSWORD) == "")


def test_dead_server_does_not_make_another_of_somebody(suite, kind):
    """Who is in a file behind it as well is who the server says, by either
    name: with "domain" a bare one is not asked of it at all."""
    s = site(suite, kind, start=False, domain="example.test")
    accounts = s.root / "etc/accounts"
    accounts.write_text("".join(
        f"{name}:{{PLAIN}}the other {name}\n"
        for name in ("bob", "bob@example.test", "zoe", "zoe@example.test")))
    s.set(account_files=f"{kind.type}:{s.root}/etc/accounts.cf, {accounts}")
    s.start()
    names = ("bob", "bob@example.test")
    for name in names:
        assert login(s, "imap", name, PASSWORD) == ""
        assert login(s, "imap", name, f"the other {name}") != ""
    for name in ("zoe", "zoe@example.test"):
        assert login(s, "imap", name, "the other zoe@example.test") == ""
    time.sleep(CHANGE_COUNTS)
    kind.server.kill()
    try:
        for name in names:
            for password in (PASSWORD, "the other bob",
                             "the other bob@example.test"):
                said = login(s, "imap", name, password)
                assert unavailable("imap", said), (name, password, said)
    finally:
        kind.server.start()


def test_file_that_only_root_reads_changes(suite, kind):
    """Its server's program ends, and the next one reads it."""
    s = site(suite, kind)
    assert login(s, "imap", "bob", PASSWORD) == ""
    path = s.root / "etc/accounts.cf"
    path.write_text(kind.text(**{
        "ldap": {"result_format": "{PLAIN}new"},
        "pgsql": {"query": "SELECT '{PLAIN}new'"}}[kind.type]))
    wait_for("the new settings", lambda: login(s, "imap", "bob", "new") == "")


def test_logins_without_end_do_not_keep_old_settings(suite, kind):
    s = site(suite, kind)
    assert login(s, "imap", "bob", PASSWORD) == ""
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(
            ("127.0.0.1", s.ports["submission"]), timeout=60))
            for _ in range(3)]
        idle = [stack.enter_context(starttls(s, c)) for c in idle]
        for c in idle:
            c.sendall(b"AUTH LOGIN\r\n")
            assert c.recv(100).startswith(b"334")
        (s.root / "etc/accounts.cf").write_text(kind.text(**{
            "ldap": {"result_format": "{PLAIN}new"},
            "pgsql": {"query": "SELECT '{PLAIN}new'"}}[kind.type]))
        wait_for("the new settings", lambda: login(
            s, "imap", "bob", "new") == "")
        # and those go on, by them
        for c in idle:
            c.sendall(b"Ym9i\r\n")
            assert c.recv(100).startswith(b"334")
            c.sendall(b"bmV3\r\n")
            assert c.recv(100).startswith(b"235")


def test_check(suite, kind):
    s = site(suite, kind, start=False)
    assert "account_files" not in s.posthaste("check").err
    s.write("accounts.cf", kind.text(resultformat="%s"))
    done = s.posthaste("check", check=False)
    assert done.returncode != 0
    assert 'account_files: ' in done.err
    assert 'unknown name "resultformat"' in done.err
    hosts = "server_host" if kind.type == "ldap" else "hosts"
    s.write("accounts.cf", kind.text(**{hosts: "127.0.0.1:1"}))
    done = s.posthaste("check")
    assert "account_files: cannot be had now" in done.err
    # what can be had by anybody who listens there says who somebody is
    s.set(account_files="socketmap:inet:127.0.0.1:1:x")
    done = s.posthaste("check", check=False)
    assert done.returncode != 0
    assert "not allowed for security sensitive data" in done.err


def test_commands_find_the_account(suite, kind):
    s = site(suite, kind)
    done = s.command("postaccount", "-c", s.root / "etc", "app-password",
                     "add", "BOB", "phone", check=False)
    assert "no such account" not in done.err, done.err
    done = s.command("postaccount", "-c", s.root / "etc", "app-password",
                     "add", "zoe", "phone", check=False)
    assert "no such account" in done.err, done.err


def test_sqlite_that_only_its_program_reads(suite):
    """Whose file it is decides: the server user's, not the table user's."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="db-", dir="/tmp"))
    folder.chmod(0o755)
    path = folder / "users.db"
    db = sqlite3.connect(path)
    db.execute("create table users (name text, password text)")
    db.execute("insert into users values ('bob@example.test', "
               f"'{{PLAIN}}{PASSWORD}')")
    db.commit()
    db.close()
    path.chmod(0o600)
    if AS_ROOT:
        shutil.chown(path, "posthaste-server")
    try:
        class Sqlite:
            type = "sqlite"

            @staticmethod
            def text(**more):
                return databases.settings(
                    {"dbpath": path, "query": "SELECT password FROM users "
                     "WHERE name = '%s'"}, more)
        s = site(suite, Sqlite, start=False)
        assert "account_files" not in s.posthaste("check").err
        s.start()
        for protocol in PROTOCOLS:
            assert login(s, protocol, "bob", PASSWORD) == ""
    finally:
        shutil.rmtree(folder)


def test_any_other_table(suite):
    """Even one in a file; several of them, in braces, are one word."""
    class Union:
        type = "unionmap"
    s = suite(start=False, main=DELAYS)
    uid, gid = owner_ids()
    home = s.maildir("bob")
    s.write("quotas", "bob@example.test quota_rule=*:storage=3k\n")
    s.write("passwords", "bob@example.test "
            f"userdb_home={home},mail=maildir:~,password={{PLAIN}}{PASSWORD}\n")
    for name in ("quotas", "passwords"):
        (s.root / "etc" / name).chmod(0o644)
    s.set(account_files=f"unionmap:{{texthash:{s.root}/etc/quotas, "
          f"texthash:{s.root}/etc/passwords}}", account_uid=uid,
          account_gid=gid)
    s.start()
    assert login(s, "pop3", "bob", PASSWORD) == ""
    with imaplib.IMAP4_SSL("127.0.0.1", s.ports["imaps"],
                           ssl_context=s.tls()) as c:
        c.login("bob", PASSWORD)
        assert b"STORAGE 0 3" in c.getquotaroot("INBOX")[1][1][0]


def exchange(s, mechanism, user, password):
    with s.smtp("submission", tls=True, timeout=60) as c:
        c.ehlo()
        c.user, c.password = user, password
        try:
            if mechanism == "CRAM-MD5":
                c.auth(mechanism, c.auth_cram_md5)
            else:
                c.auth(mechanism, lambda challenge=None: "n,,n=" + user +
                       ",r=fyko+d2lbbFgONRv9qkxdawL")
        except smtplib.SMTPAuthenticationError as e:
            return f"{e.smtp_code} {e.smtp_error}"
    return ""


@pytest.mark.parametrize("mechanism", ["CRAM-MD5", "SCRAM-SHA-256"])
def test_dead_server_is_no_wrong_password_whatever_the_mechanism(
        suite, kind, mechanism):
    s = site(suite, kind, main="auth_mechanisms = cram-md5 scram-sha-256\n")
    carol = "x,uid=0,gid=0,nologin=1"
    if mechanism == "CRAM-MD5":
        assert exchange(s, mechanism, "carol", carol) == ""
        assert "535" in exchange(s, mechanism, "carol", "wrong")
    assert "535" in exchange(s, mechanism, "nobody", PASSWORD)
    time.sleep(CHANGE_COUNTS)
    kind.server.kill()
    try:
        for user in ("bob", "carol", "nobody"):
            said = exchange(s, mechanism, user, carol)
            assert unavailable("submission", said), (user, said)
    finally:
        kind.server.start()
