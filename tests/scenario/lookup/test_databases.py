# SPDX-License-Identifier: ISC
"""Tables in real databases: what they find, what strangers can do with keys,
and mail while a server dies, is silent and comes back."""
import base64
import pathlib
import re
import sqlite3
import subprocess
import time

import pytest

import databases
from lookup_client import AGAIN, BROKEN, FOUND, NONE, Lookup
from posthaste import certificate, wait_for

ENTRIES = [
    ("sales@example.test", "bob@example.test"),
    ("team@example.test", "alice@example.test"),
    ("team@example.test", "bob@example.test"),
    ("o'brien@example.test", "carol@example.test"),
    ("back\\slash@example.test", "carol@example.test"),
    ("par(en*)@example.test", "carol@example.test"),
    ("jürgen@example.test", "carol@example.test"),
]
# what a stranger may send as a recipient or a client name
HOSTILE = ["x' OR '1'='1", "x\" OR \"\"=\"", "'; DROP TABLE aliases; --",
           "\\' OR 1=1 -- ", "*", "*)(objectclass=*", "a)(|(mail=*)", "%s",
           "%", "_ales@example.test", "sales@example.test' --", "\\",
           "'", "''", "sales@example.test\r\nGET secret", "x GET secret",
           "sales@example.test ", "$1", "\u2019 OR 1=1", "\x01\x02", "a" * 3000,
           ",dc=example,dc=test", "\\2a", "{}", "null", "NULL"]


def sql_literal(text):
    return "'" + text.replace("'", "''") + "'"


def inserts(escape=lambda t: t):
    return "\n".join(
        f"insert into aliases values ({sql_literal(escape(k))}, "
        f"{sql_literal(v)});" for k, v in ENTRIES)


class Kind:
    """One type of table, with a file of settings for each test."""
    missing = None  # a query that the server refuses
    server = None

    def text(self, **more):
        raise NotImplementedError

    def forget(self):
        """The server closes all connections, as after a long silence."""
        raise NotImplementedError


class Sqlite(Kind):
    type = "sqlite"
    query = "SELECT result FROM aliases WHERE name='%s' ORDER BY result"
    missing = "SELECT nothing FROM aliases WHERE name='%s'"

    def __init__(self, folder):
        self.path = folder / "mail.db"
        db = sqlite3.connect(self.path)
        db.executescript("create table aliases (name text, result text);" +
                         inserts())
        db.close()

    def text(self, query=None, **more):
        return databases.settings(
            dict(dbpath=self.path, query=query or self.query), more)


class Pgsql(Kind):
    type = "pgsql"
    query = Sqlite.query
    missing = Sqlite.missing

    def __init__(self):
        self.server = databases.Postgres()
        self.server.sql("create table aliases (name text, result text);" +
                        "grant select on aliases to mail;" + inserts())

    def text(self, query=None, **more):
        return self.server.settings(query=query or self.query, **more)

    def forget(self):
        theirs = "from pg_stat_activity where usename='mail'"
        self.server.sql("select pg_terminate_backend(pid) " + theirs)
        wait_for("their end", lambda: self.server.sql(
            "select count(*) " + theirs) == "0\n")


class Mysql(Kind):
    type = "mysql"
    query = Sqlite.query
    missing = Sqlite.missing

    def __init__(self):
        self.server = databases.MariaDB()
        self.server.begin(
            "create or replace table aliases (name varchar(255) "
            "character set utf8mb4, result text);\n" +
            inserts(lambda t: t.replace("\\", "\\\\")) +
            "\ncreate or replace definer=mail@'%' procedure find("
            "wanted text)\nsql security invoker\nselect result from aliases where name=wanted order by result;\n")

    def text(self, query=None, **more):
        return self.server.settings(query=query or self.query, **more)

    def forget(self):
        self.server.kill()
        self.server.start()


class Ldap(Kind):
    type = "ldap"
    query = "(displayName=%s)"
    missing = "(&(displayName=%s)"

    def __init__(self):
        base = databases.Slapd.BASE
        lines = [f"dn: {base}", "objectClass: dcObject",
                 "objectClass: organization", "o: Example", "dc: example", ""]
        people = {}
        for name, result in ENTRIES:
            people.setdefault(name, []).append(result)
        for i, (name, results) in enumerate(people.items()):
            coded = base64.b64encode(name.encode()).decode()
            lines += [f"dn: uid=u{i},{base}", "objectClass: inetOrgPerson",
                      "objectClass: extensibleObject", f"cn: u{i}",
                      f"sn: u{i}", f"uid: u{i}", f"displayName:: {coded}",
                      f"employeeNumber: e{i}", f"carLicense: c{i}",
                      "userPassword: its own"]
            lines += [f"description: {r}" for r in results] + [""]
        lines += [f"dn: cn=group,{base}", "objectClass: groupOfNames",
                  "objectClass: extensibleObject", "cn: group",
                  "displayName: group@example.test", "description: itself@group.test",
                  f"member: uid=u0,{base}", f"member: uid=u1,{base}", ""]
        lines += [f"dn: cn=loop,{base}", "objectClass: groupOfNames",
                  "objectClass: extensibleObject", "cn: loop",
                  "displayName: loop@example.test", f"member: cn=loop,{base}", ""]
        lines += [f"dn: cn=left,{base}", "objectClass: groupOfNames",
                  "objectClass: extensibleObject", "cn: left",
                  "displayName: left@example.test",
                  f"member: uid=gone,{base}", f"member: uid=u0,{base}", ""]
        lines += [f"dn: ou=elsewhere,{base}", "objectClass: referral",
                  "objectClass: extensibleObject", "ou: elsewhere",
                  "ref: ldap://127.0.0.1:1/ou=elsewhere,dc=other", ""]
        lines += [f"dn: cn=url,{base}", "objectClass: extensibleObject",
                  "objectClass: labeledURIObject",
                  "objectClass: organizationalRole", "cn: url",
                  "displayName: url@example.test",
                  f"labeledURI: ldap:///{base}?description?sub?(uid=u0)", ""]
        certs = databases.pathlib.Path(databases.tempfile.mkdtemp())
        certificate(certs)
        self.server = databases.Slapd("\n".join(lines), tls=certs)
        databases.shutil.rmtree(certs)

    def text(self, query=None, **more):
        return self.server.settings(query_filter=query or self.query,
                                    result_attribute=more.pop(
                                        "result_attribute", "description"),
                                    **more)

    def forget(self):
        self.server.kill()
        self.server.start()


class Redis(Kind):
    type = "redis"
    query = "LRANGE alias:%s 0 -1"
    missing = "NOSUCHCOMMAND %s"

    def __init__(self):
        self.server = databases.Redis()
        self.fill()

    def fill(self):
        self.server.tell("FLUSHALL")
        for name, result in ENTRIES:
            self.server.tell("RPUSH", f"alias:{name}", result)
        self.server.tell("SET", "secret", "shown")
        # for one that is started again: it has them when it answers
        self.server.tell("SAVE")

    def text(self, query=None, **more):
        return self.server.settings(query=query or self.query, **more)

    def forget(self):
        self.server.tell("CLIENT", "KILL", "TYPE", "normal")


MADE = {}


@pytest.fixture(scope="module", params=["sqlite", "pgsql", "mysql", "ldap",
                                        "redis"])
def kind(request):
    """Each server is started once for all tests of this file."""
    make = {"pgsql": Pgsql, "mysql": Mysql, "ldap": Ldap, "redis": Redis}
    if request.param == "sqlite":
        folder = databases.pathlib.Path(
            databases.tempfile.mkdtemp(prefix="db-", dir="/tmp"))
        folder.chmod(0o755)  # the table user reads it
        made = Sqlite(folder)
    else:
        made = make[request.param]()
    yield made
    if made.server is not None:
        made.server.close()
    else:
        databases.shutil.rmtree(folder)


@pytest.fixture
def needs_server(kind):
    if kind.server is None:
        pytest.skip("a file has no server")
    return kind


def table(s, kind, name="table.cf", **more):
    """A file with the table's settings, root's alone; its type:name."""
    path = s.write(name, kind.text(**more))
    path.chmod(0o600)
    return f"{kind.type}:{path}"


def ask(s, spec, key):
    """postmap -q: what it finds, None, or why it failed."""
    done = s.command("postmap", "-q", key, spec, check=False)
    if done.returncode == 0:
        return done.out.rstrip("\n")
    assert done.returncode == 1
    return done.err or None


def rcpt(s, address):
    with s.smtp() as session:
        session.ehlo()
        session.mail("alice@example.test")
        return session.rcpt(address)


def test_what_is_found(suite, kind):
    s = suite(start=False)
    spec = table(s, kind)
    assert ask(s, spec, "sales@example.test") == "bob@example.test"
    assert ask(s, spec, "SALES@Example.TEST") == "bob@example.test"
    assert ask(s, spec, "nobody@example.test") is None
    found = ask(s, spec, "team@example.test").split(",")
    assert sorted(found) == ["alice@example.test", "bob@example.test"]
    for key in ("o'brien@example.test", "back\\slash@example.test",
                "par(en*)@example.test", "jürgen@example.test"):
        assert ask(s, spec, key) == "carol@example.test", key


def test_hostile_keys(suite, kind):
    s = suite(start=False)
    spec = table(s, kind)
    s.set(virtual_alias_maps=f"texthash:{s.root}/etc/virtual, {spec}",
          parent_domain_matches_subdomains="")
    s.start()
    lookup = Lookup(s)
    for key in HOSTILE:
        key = key[:1000]
        # to these a blank at the end is no difference
        if key.endswith(" ") and kind.type in ("mysql", "ldap"):
            continue
        assert lookup.query(spec, key)[0] == NONE, key
    for key in (b"sales\xff@example.test", b"\xc3'", b"\xbf\x27 OR 1=1",
                b"\xf0\x28\x8c\x28", b"x\xed\xa0\x80"):
        done = s.command("postmap", "-q", "-", spec, stdin=key + b"\n",
                         check=False)
        # not found, and nothing else: a warning at most says what it is
        assert (done.returncode, done.out) == (1, ""), key
        assert "error" not in done.err and "fatal" not in done.err, done.err
    # and nothing was done to what is there
    assert lookup.query(spec, "sales@example.test")[2] == "bob@example.test"
    assert "lookup error" not in s.log()


def test_formats(suite, kind):
    s = suite(start=False)
    spec = table(s, kind, result_format="%u/%d/%S/%U/%D/%1/%2/%%")
    assert ask(s, spec, "sales@example.test") == (
        "bob/example.test/sales@example.test/sales/example.test/"
        "test/example/%")
    spec = table(s, kind, result_format="[%3]")
    assert ask(s, spec, "sales@example.test") is None
    spec = table(s, kind, domain="other.test, example.test")
    assert ask(s, spec, "sales@example.test") == "bob@example.test"
    spec = table(s, kind, domain="other.test")
    assert ask(s, spec, "sales@example.test") is None
    split = kind.query.replace("%s", "%u@%2.%1")
    spec = table(s, kind, query=split)
    assert ask(s, spec, "sales@example.test") == "bob@example.test"
    assert ask(s, spec, "sales") is None
    assert ask(s, spec, "@example.test") is None
    spec = table(s, kind, expansion_limit="1")
    assert ask(s, spec, "sales@example.test") == "bob@example.test"
    assert "expansion limit exceeded" in ask(s, spec, "team@example.test")


def test_wrong_settings_are_named(suite, kind):
    s = suite(start=False)
    spec = table(s, kind, resultformat="%s", timeout="1h")
    done = s.command("postmap", "-q", "sales@example.test", spec)
    assert done.out == "bob@example.test\n"
    assert re.search(r'table\.cf, line \d+: unknown name "resultformat", is '
                     r'"result_format" meant\?', done.err)
    assert re.search(r"table\.cf, line \d+: timeout: 1h is more than 600, "
                     "which is taken", done.err)
    spec = table(s, kind, expansion_limit="many")
    assert "expansion_limit: wanted is a number" in ask(s, spec, "a@b.test")
    spec = table(s, kind, result_format="%x")
    assert 'result_format: "%x" is none of' in ask(s, spec, "a@b.test")


def test_wrong_query_is_broken(suite, kind):
    """Refused by check; start says it, and mail of that table waits."""
    s = suite(start=False)
    spec = table(s, kind, query=kind.missing)
    s.set(virtual_alias_maps=spec)
    assert "query error: " in ask(s, spec, "sales@example.test")
    done = s.posthaste("check", check=False)
    assert done.returncode != 0
    assert re.search(rf"error: main\.cf: line \d+: virtual_alias_maps: {spec}:",
                     done.err), done.err
    s.start()
    s.wait_log(rf"warning: main\.cf: line \d+: virtual_alias_maps: refused by "
               rf"its server, mail waits: {spec}:")
    assert rcpt(s, "sales@example.test")[0] == 451
    table(s, kind)
    wait_for("the right query", lambda: Lookup(s).query(
        spec, "sales@example.test")[0] == FOUND)
    (s.root / "etc/table.cf").write_text(kind.text(query=kind.missing))
    wait_for("the wrong query", lambda: Lookup(s).query(
        spec, "sales@example.test")[0] == BROKEN)
    assert rcpt(s, "sales@example.test")[0] == 451


def test_running_table_keeps_what_works(suite, kind):
    """A file edited to be wrong is said to be, and not taken up."""
    s = suite(start=False)
    spec = table(s, kind)
    # one that is root's alone is read by a process that is begun for it
    (s.root / "etc/table.cf").chmod(0o644)
    s.set(virtual_alias_maps=spec)
    s.start()
    lookup = Lookup(s)
    assert lookup.query(spec, "sales@example.test")[0] == FOUND
    path = s.root / "etc/table.cf"
    path.write_text(kind.text(expansion_limit="many"))

    def refused():
        assert lookup.query(spec, "sales@example.test")[0] == FOUND
        return "table.cf: not taken up, the former settings stay" in s.log()

    wait_for("the wrong number", refused)
    s.wait_log("expansion_limit: wanted is a number")
    assert lookup.query(spec, "sales@example.test")[0] == FOUND
    path.write_text(kind.text(reslt_format="<%s>", result_format="<%s>"))
    wait_for("the new settings", lambda: lookup.query(
        spec, "sales@example.test")[2] == "<bob@example.test>")
    s.wait_log(r'unknown name "reslt_format"')
    # nor does a start fail for it, but for what cannot be read
    s.posthaste("reload")
    s.posthaste("stop")
    s.start()
    # by a process that has it in use
    assert Lookup(s).query(spec, "sales@example.test")[0] == FOUND
    path.write_text(kind.text(expansion_limit="many"))
    assert s.posthaste("reload", check=False).returncode != 0
    assert Lookup(s).query(spec, "sales@example.test")[0] == FOUND


def test_check_names_what_is_wrong(suite, kind):
    s = suite(start=False)
    spec = table(s, kind, resultformat="%s")
    s.set(virtual_alias_maps=spec)
    done = s.posthaste("check", check=False)
    assert done.returncode != 0
    assert 'unknown name "resultformat", is "result_format" meant?' in done.err
    s.set(unknown_parameters="warn")
    assert 'unknown name "resultformat"' in s.posthaste("check").err
    s.set(unknown_parameters="refuse")
    # a table that is not there may come
    s.set(virtual_alias_maps=f"{kind.type}:{s.root}/etc/none.cf")
    done = s.posthaste("check")
    assert "warning: " in done.err and "No such file" in done.err
    table(s, kind)
    s.set(virtual_alias_maps=spec)
    done = s.posthaste("check")
    assert "error:" not in done.err, done.err
    assert "cannot be had" not in done.err, done.err


def test_check_says_dead_server_differently(suite, needs_server):
    kind = needs_server
    s = suite(start=False)
    hosts = "server_host" if kind.type == "ldap" else "hosts"
    spec = table(s, kind, **{hosts: "127.0.0.1:1"})
    s.set(virtual_alias_maps=spec)
    done = s.posthaste("check")
    assert re.search(r"warning: main\.cf: line \d+: virtual_alias_maps: cannot "
                     r"be had now, mail waits: ", done.err), done.err


def test_mail(suite, kind):
    s = suite(start=False)
    spec = table(s, kind)
    s.set(virtual_alias_maps=spec)
    s.start()
    assert rcpt(s, "nobody@example.test")[0] == 550
    s.send(to="team@example.test")
    s.wait_messages("alice")
    s.wait_messages("bob")
    # a changed file counts within a second
    path = s.root / "etc/table.cf"
    path.write_text(kind.text(result_format="carol@example.test"))
    wait_for("the new settings", lambda: Lookup(s).query(
        spec, "sales@example.test")[2] == "carol@example.test")
    s.send(to="sales@example.test")
    s.wait_messages("carol")


def test_delivery_asks_for_mailboxes(suite, kind):
    """Mailbox, user and group are local's to find, and it opens no table."""
    s = suite(start=False)
    spec = table(s, kind, result_format="example.test/%u/")
    s.set(virtual_mailbox_maps=spec, virtual_alias_maps="")
    for name, number in (("uids", s.uid), ("gids", s.gid)):
        s.set(**{f"virtual_{name[:-1]}_maps": table(
            s, kind, f"{name}.cf", result_format=str(number))})
    s.start()
    s.send(to="sales@example.test")
    s.wait_messages("bob")
    assert rcpt(s, "nobody@example.test")[0] == 550
    for pid in s.processes("local"):
        maps = databases.pathlib.Path(f"/proc/{pid}/maps").read_text()
        assert "table_" not in maps


def test_death_and_return_amid_mail(suite, needs_server):
    kind = needs_server
    s = suite(start=False)
    spec = table(s, kind, result_format="example.test/%u/")
    s.set(virtual_mailbox_maps=spec, virtual_alias_maps="",
          defer_transports="virtual", queue_run_delay="1s",
          minimal_backoff_time="1s", maximal_backoff_time="1s")
    s.start()
    s.send(to="sales@example.test")
    s.wait_log("status=deferred")
    kind.server.kill()
    try:
        # what is in the queue is tried, and waits
        s.set(defer_transports="")
        s.posthaste("reload")
        s.wait_log(r"status=deferred .*[Ll]ookup")
        code, text = rcpt(s, "sales@example.test")
        assert (code, text[:5]) == (451, b"4.3.0"), text
        # nobody is held up by it for long
        start = time.monotonic()
        for _ in range(20):
            assert rcpt(s, "sales@example.test")[0] == 451
        assert time.monotonic() - start < 40
    finally:
        kind.server.start()
    wait_for("an answer", lambda: rcpt(s, "sales@example.test")[0] == 250)
    s.wait_messages("bob")
    s.wait_empty()
    assert len(s.messages("bob")) == 1


def test_closed_connections_are_made_anew_silently(suite, needs_server):
    kind = needs_server
    s = suite(start=False)
    spec = table(s, kind)
    s.set(virtual_alias_maps=spec)
    s.start()
    lookup = Lookup(s)
    for _ in range(3):
        assert lookup.query(spec, "sales@example.test")[0] == FOUND
        kind.forget()
    assert lookup.query(spec, "sales@example.test")[0] == FOUND
    assert "lookup error" not in s.log()


def test_silent_server(suite, needs_server):
    """A question to it ends, and the next ones do not wait for it."""
    kind = needs_server
    s = suite(start=False)
    spec = table(s, kind, timeout="2")
    s.set(virtual_alias_maps=spec)
    s.start()
    lookup = Lookup(s)
    wait_for("an answer", lambda: lookup.query(
        spec, "sales@example.test")[0] == FOUND)
    kind.server.freeze()
    try:
        start = time.monotonic()
        assert lookup.query(spec, "sales@example.test")[0] == AGAIN
        assert 1 < time.monotonic() - start < 60
        start = time.monotonic()
        for _ in range(50):
            assert lookup.query(spec, "sales@example.test")[0] == AGAIN
        # two seconds for each would be a hundred
        assert time.monotonic() - start < 50
    finally:
        kind.server.thaw()


def test_server_that_accepts_and_never_speaks(suite, needs_server):
    kind = needs_server
    silent = databases.Silent()
    s = suite(start=False)
    hosts = "server_host" if kind.type == "ldap" else "hosts"
    place = f"127.0.0.1:{silent.port}"
    more = {"bind": "yes"} if kind.type == "ldap" else {}
    spec = table(s, kind, timeout="2", **{hosts: place}, **more)
    start = time.monotonic()
    assert "query error" in ask(s, spec, "sales@example.test")
    assert 1 < time.monotonic() - start < 60
    silent.close()


def test_server_that_dribbles(suite, needs_server):
    """Each of its bytes comes in time, and the answer does not."""
    kind = needs_server
    slow = databases.Dribbling(kind.server, 0.5)
    s = suite(start=False)
    hosts = "server_host" if kind.type == "ldap" else "hosts"
    spec = table(s, kind, timeout="2", **{
        hosts: f"127.0.0.1:{slow.port}"})
    start = time.monotonic()
    assert "query error" in ask(s, spec, "sales@example.test")
    assert 1 < time.monotonic() - start < 6
    slow.pause = 0
    slow.close()


def test_next_server(suite, needs_server):
    """Of several servers one is enough."""
    kind = needs_server
    s = suite(start=False)
    hosts = "server_host" if kind.type == "ldap" else "hosts"
    good = re.search(rf"^{hosts} = (.*)$", kind.text(), re.M)[1]
    bad = re.sub(r":\d+$", ":1", good)
    spec = table(s, kind, **{hosts: f"{bad}, {good} {bad}"})
    for _ in range(4):
        assert ask(s, spec, "sales@example.test") == "bob@example.test"


@pytest.mark.parametrize("dead", [databases.Silent, databases.Swallowing])
def test_next_server_within_one_question(suite, needs_server, dead):
    """One that swallows all leaves time for the other."""
    kind = needs_server
    more = {"timeout": "6"}
    hosts = "hosts"
    if kind.type == "ldap":
        hosts = "server_host"
        more |= {"bind": "yes", "bind_dn": databases.Slapd.ADMIN,
                 "bind_pw": databases.Slapd.PASSWORD}
    bad = dead()
    s = suite(start=False)
    good = re.search(rf"^{hosts} = (.*)$", kind.text(), re.M)[1]
    spec = table(s, kind, **{hosts: f"127.0.0.1:{bad.port} {good}"}, **more)
    waited = []
    # which is asked first is chance
    while len(waited) < 40 and max(waited, default=0) < 1:
        start = time.monotonic()
        assert ask(s, spec, "sales@example.test") == "bob@example.test"
        waited.append(time.monotonic() - start)
    assert 1 < max(waited), "the dead one was never asked"
    bad.close()


def test_wrong_password(suite, needs_server):
    """A person must mend it: it is not taken for a server that is down."""
    kind = needs_server
    more = {"password": "wrong"}
    if kind.type == "ldap":
        more = {"bind": "yes", "bind_dn": databases.Slapd.ADMIN,
                "bind_pw": "wrong"}
    s = suite(start=False)
    spec = table(s, kind, **more)
    s.set(virtual_alias_maps=spec)
    done = s.posthaste("check", check=False)
    assert done.returncode != 0 and f"error: main.cf: line" in done.err
    # and when the password changes under a running suite
    table(s, kind)
    s.start()
    assert Lookup(s).query(spec, "sales@example.test")[0] == FOUND
    (s.root / "etc/table.cf").write_text(kind.text(**more))

    def refused():
        result, _, why = Lookup(s).query(spec, "sales@example.test")
        assert "wrong" not in why.lower().replace("wrongpass", "")
        return result == BROKEN

    wait_for("the new settings", refused)
    assert rcpt(s, "sales@example.test")[0] == 451


def test_unix_socket(suite, needs_server):
    kind = needs_server
    s = suite(start=False)
    if kind.type == "pgsql":
        place = {"hosts": f"unix:{kind.server.folder}/.s.PGSQL."
                          f"{kind.server.port}"}
    elif kind.type == "ldap":
        place = {"server_host": "ldapi://" + str(
            kind.server.socket).replace("/", "%2F")}
    else:
        place = {"hosts": f"unix:{kind.server.socket}"}
    spec = table(s, kind, **place)
    s.set(virtual_alias_maps=spec)
    s.start()
    assert Lookup(s).query(spec, "sales@example.test")[0] == FOUND


def test_settings_in_main_cf(suite, kind):
    """type:NAME with NAME_setting in main.cf, as before there were files."""
    s = suite(start=False)
    for line in kind.text().splitlines():
        name, value = line.split(" = ", 1)
        s.set(**{f"people_{name}": value.replace("$", "$$")})
    spec = f"{kind.type}:people"
    s.set(virtual_alias_maps=spec)
    assert ask(s, spec, "sales@example.test") == "bob@example.test"
    assert s.posthaste("check").err.count("people_") == 0
    s.start()
    assert Lookup(s).query(spec, "sales@example.test")[0] == FOUND
    s.set(people_resultformat="%s")
    assert f'{spec} has no setting "resultformat"' in s.posthaste("check").err


def test_names_in_main_cf_that_begin_alike(suite, kind):
    """ldap:transport has nothing to do with transport_maps."""
    s = suite(start=False)
    for prefix in ("transport", "transport_x"):
        for line in kind.text().splitlines():
            name, value = line.split(" = ", 1)
            s.set(**{f"{prefix}_{name}": value.replace("$", "$$")})
    s.set(transport_maps=f"{kind.type}:transport",
          virtual_alias_maps=f"{kind.type}:transport_x",
          transport_retry_time="60s")
    done = s.posthaste("check")
    assert "has no setting" not in done.err, done.err
    s.set(transport_x_nonsense="1", transport_nonsense="1")
    lines = [line for line in s.posthaste("check").err.splitlines()
             if "has no setting" in line]
    assert [re.sub(r".*: (\w+:)", r"\1", line) for line in lines] == [
        f'{kind.type}:transport has no setting "nonsense"',
        f'{kind.type}:transport_x has no setting "nonsense"'], lines


# what only one type has; each shares the server of the tests above

def only(kind, *types):
    if kind.type not in types:
        pytest.skip(f"of {' and '.join(types)}")


def test_query_in_parts(suite, kind):
    only(kind, "sqlite", "pgsql", "mysql")
    s = suite(start=False)
    spec = table(s, kind, table="aliases", select_field="result",
                 where_field="name",
                 additional_conditions="AND result LIKE 'bob%%'")
    path = s.root / "etc/table.cf"
    path.write_text(re.sub("(?m)^query = .*\n", "", path.read_text()))
    assert ask(s, spec, "team@example.test") == "bob@example.test"
    assert ask(s, spec, "o'brien@example.test") is None
    path.write_text(re.sub("(?m)^table = .*\n", "", path.read_text()))
    assert "query is missing" in ask(s, spec, "team@example.test")


def test_pgsql_function_and_uri(suite, kind):
    only(kind, "pgsql")
    s = suite(start=False)
    kind.server.sql("create or replace function find(text) returns setof text "
                    "language sql as 'select result from aliases where "
                    "name=$1 order by 1'")
    spec = table(s, kind, select_function="find")
    path = s.root / "etc/table.cf"
    path.write_text(re.sub("(?m)^query = .*\n", "", path.read_text()))
    assert ask(s, spec, "team@example.test") == (
        "alice@example.test,bob@example.test")
    spec = table(s, kind, hosts=f"postgresql://127.0.0.1:{kind.server.port}/"
                 "mail?connect_timeout=5", dbname=None)
    assert ask(s, spec, "sales@example.test") == "bob@example.test"
    # a query that takes too long ends
    spec = table(s, kind, timeout="1",
                 query="SELECT pg_sleep(20), '%s'")
    start = time.monotonic()
    assert "no answer" in ask(s, spec, "sales@example.test")
    assert time.monotonic() - start < 18


def test_mysql_procedures_and_option_file(suite, kind):
    only(kind, "mysql")
    s = suite(start=False)
    spec = table(s, kind, query="CALL find('%s')")
    assert ask(s, spec, "team@example.test") == (
        "alice@example.test,bob@example.test")
    assert ask(s, spec, "nobody@example.test") is None
    spec = table(s, kind, query="SET @a = '%s'")
    assert "no result set" in ask(s, spec, "sales@example.test")
    spec = table(s, kind, query="SET @a = '%s'", require_result_set="no")
    assert ask(s, spec, "sales@example.test") is None
    options = s.write("my.cnf", f"[mail]\nuser={kind.server.USER}\n"
                      f"password=\"{kind.server.PASSWORD}\"\n")
    options.chmod(0o644)
    # TLS that is asked for cannot be left out by who sits between
    for tls in ({"tls_CAfile": "/etc/ssl/certs/ca-certificates.crt"},
                {"tls_ciphers": "AES256-SHA"}, {"tls_verify_cert": "yes"}):
        assert "SSL" in ask(s, table(s, kind, **tls), "sales@example.test")
    spec = table(s, kind, tls_verify_cert="no")
    assert ask(s, spec, "sales@example.test") == "bob@example.test"
    spec = table(s, kind, user=None, password=None, option_file=options,
                 option_group="mail")
    assert ask(s, spec, "sales@example.test") == "bob@example.test"


def test_ldap_groups(suite, kind):
    only(kind, "ldap")
    s = suite(start=False)

    def found(key="group@example.test", **more):
        answer = ask(s, table(s, kind, **more), key)
        return sorted(answer.split(",")) if answer else answer

    both = ["alice@example.test", "bob@example.test"]
    assert found() == ["itself@group.test"]
    # member holds DNs, which are followed
    assert found(special_result_attribute="member") == sorted(
        [*both, "bob@example.test", "itself@group.test"])
    # of a group with members, leaf attributes do not count
    assert found(special_result_attribute="member", result_attribute="mail",
                 leaf_result_attribute="description") == sorted(
                     [*both, "bob@example.test"])
    # and a terminal one silences the members
    assert found(special_result_attribute="member",
                 result_attribute="mail",
                 terminal_result_attribute="description") == [
                     "itself@group.test"]
    assert found("url@example.test", special_result_attribute="labeledURI") == [
        "bob@example.test"]
    # a member that is gone is no reason for the others not to get it
    assert found("left@example.test", special_result_attribute="member") == [
        "bob@example.test"]
    for limit in ("20", "1000", "50000"):
        assert "recursion limit" in ask(
            s, table(s, kind, special_result_attribute="member",
                     recursion_limit=limit), "loop@example.test")
    assert "xpansion limit" in ask(
        s, table(s, kind, special_result_attribute="member",
                 expansion_limit="2"), "group@example.test")


def test_ldap_search(suite, kind):
    only(kind, "ldap")
    s = suite(start=False)
    base = databases.Slapd.BASE

    def found(key="sales@example.test", **more):
        return ask(s, table(s, kind, **more), key)

    assert found(scope="one") == "bob@example.test"
    assert found(scope="base") is None
    assert found(search_base="dc=%2,dc=%1") == "bob@example.test"
    assert found(search_base=f"ou=%u,{base}") is None
    # not there, or not here: to say "not found" would bounce mail
    assert f'search base "ou=none,{base}" not found' in found(
        search_base=f"ou=none,{base}")
    assert "not found" in found(search_base=f"ou=100%%,{base}")
    assert "referral" in found(search_base=f"ou=elsewhere,{base}")
    assert found("a,b=c@example.test", search_base=f"cn=%u,{base}") is None
    assert "search_base" not in (found(search_base="no base") or "")
    many = found(query="(|(displayName=%s)(uid=*))", size_limit="1")
    assert "ize limit" in many, many
    assert found(bind="yes", bind_dn=databases.Slapd.ADMIN,
                 bind_pw=databases.Slapd.PASSWORD) == "bob@example.test"
    assert found(result_filter="<%s>") == "<bob@example.test>"
    host = f"127.0.0.1:{kind.server.port}"
    assert found(server_host=host) == "bob@example.test"
    assert found(server_host="127.0.0.1",
                 server_port=kind.server.port) == "bob@example.test"


def test_ldap_tls(suite, kind):
    only(kind, "ldap")
    s = suite(start=False)
    good = dict(start_tls="yes", tls_require_cert="yes",
                tls_ca_cert_file=s.root / "etc/cert.pem")
    (s.root / "etc/cert.pem").chmod(0o644)
    spec = table(s, kind, **good)
    s.set(virtual_alias_maps=spec)
    s.start()
    # within its confinement, too
    assert Lookup(s).query(spec, "sales@example.test")[0] == FOUND
    good["tls_ca_cert_file"] = "/etc/ssl/certs/ca-certificates.crt"
    spec = table(s, kind, "other.cf", **good)
    assert "STARTTLS" in ask(s, spec, "sales@example.test")


def sure(s, kind, tmp_path, **more):
    """Found with the right authority; without it the message names table and
    server."""
    good, stranger = s.root / "etc/cert.pem", s.root / "etc/stranger.pem"
    good.chmod(0o644)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
         "/CN=localhost", "-keyout", tmp_path / "key", "-out", stranger],
        check=True, capture_output=True)
    stranger.chmod(0o644)
    spec = table(s, kind, tls_require_cert="yes", tls_ca_cert_file=good,
                 **more)
    s.set(virtual_alias_maps=spec)
    s.start()
    assert Lookup(s).query(spec, "sales@example.test")[0] == FOUND
    other = table(s, kind, "other.cf", tls_require_cert="yes",
                  tls_ca_cert_file=stranger, **more)
    said = ask(s, other, "sales@example.test")
    assert said and other in said and "127.0.0.1" in said, said
    assert "certificate" in said.lower(), said
    spec = table(s, kind, "third.cf", tls_require_cert="no",
                 tls_ca_cert_file=stranger, **more)
    assert ask(s, spec, "sales@example.test") == "bob@example.test"


def test_ldap_start_tls_with_a_stranger(suite, kind, tmp_path):
    only(kind, "ldap")
    sure(suite(start=False), kind, tmp_path, start_tls="yes")


def test_ldaps(suite, kind, tmp_path):
    only(kind, "ldap")
    sure(suite(start=False), kind, tmp_path,
         server_host=f"ldaps://127.0.0.1:{kind.server.tls_port}")


@pytest.mark.parametrize("mechanism", ["DIGEST-MD5", "SCRAM-SHA-256",
                                       "CRAM-MD5"])
def test_ldap_sasl(suite, kind, mechanism):
    """Who has proven to be u0 may search for what others do not see."""
    only(kind, "ldap")
    s = suite(start=False)
    more = dict(query="(employeeNumber=%s)", bind="sasl", bind_dn="u0",
                sasl_mechs=mechanism, server_host="ldap://localhost:"
                f"{kind.server.port}")
    spec = table(s, kind, bind_pw="its own", **more)
    assert ask(s, spec, "e0") == "bob@example.test"
    s.set(virtual_alias_maps=spec)
    s.start()
    assert Lookup(s).query(spec, "e0")[0] == FOUND
    wrong = table(s, kind, "wrong.cf", bind_pw="not its own", **more)
    said = ask(s, wrong, "e0")
    assert said and wrong in said and "nvalid credentials" in said, said
    assert "not its own" not in said
    assert ask(s, table(s, kind, "nobody.cf", query="(employeeNumber=%s)"),
               "e0") is None
    # a mechanism that nobody has is a mistake, not a server that is down
    none = table(s, kind, "none.cf", bind_pw="its own",
                 **dict(more, sasl_mechs="NONE"))
    assert none in ask(s, none, "e0")


def test_ldap_external(suite, kind):
    """Over a UNIX socket the server knows the peer without a password."""
    only(kind, "ldap")
    s = suite(start=False)
    place = "ldapi://" + str(kind.server.socket).replace("/", "%2F")
    spec = table(s, kind, query="(carLicense=%s)", bind="sasl",
                 sasl_mechs="EXTERNAL", server_host=place)
    assert ask(s, spec, "c0") == "bob@example.test"
    s.set(virtual_alias_maps=spec)
    s.start()
    assert Lookup(s).query(spec, "c0")[0] == FOUND
    assert ask(s, table(s, kind, "nobody.cf", query="(carLicense=%s)",
                        server_host=place), "c0") is None


def test_redis_commands(suite, kind):
    only(kind, "redis")
    s = suite(start=False)

    def found(key, query, **more):
        return ask(s, table(s, kind, query=query, **more), key)

    for words in (("SET", "word", "a b"), ("HSET", "people", "bob smith", "x"),
                  ("SET", "count", "17"), ("SADD", "set", "one")):
        kind.server.tell(*words)
    assert found("word", "GET %s") == "a b"
    assert found("bob smith", "HGET people %s") == "x"
    assert found("set", "SMEMBERS %s") == "one"
    assert found("set", "SCARD %s") == "1"
    assert found("nothing", "GET %s") is None
    assert found("word", "GET %s", database="3") is None
    assert "WRONGTYPE" in found("set", "GET %s")
    # a key cannot be a second word
    assert found("word\tEX", "GET %s") is None
    path = s.root / "etc/table.cf"
    path.write_text(re.sub("(?m)^query = .*$", "query =", path.read_text()))
    assert "the query is no command" in ask(s, f"redis:{path}", "x")


ROWS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
              "WHERE i < 1000000) SELECT 'u' || i || '@e.test' FROM n "
              "WHERE '%s' <> ''",
    "pgsql": "SELECT 'u' || generate_series(1, 1000000) || '@e.test' "
             "WHERE '%s' <> ''",
    "mysql": "SELECT CONCAT('u', seq, '@e.test') FROM seq_1_to_1000000 "
             "WHERE '%s' <> ''",
}


def peak(s):
    """kB of memory that its largest asker of servers has had."""
    return max(int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(
        f"/proc/{pid}/status").read_text())[1])
        for pid in s.processes("lookup-server"))


@pytest.mark.unsanitized
def test_a_million_rows(suite, kind):
    """What is too much is an error, soon, in the memory of one row."""
    if kind.type not in ROWS:
        pytest.skip("no SQL")
    s = suite(start=False)
    s.write("small.cf", kind.text()).chmod(0o644)
    small = f"{kind.type}:{s.root}/etc/small.cf"
    few = table(s, kind, "few.cf", query=ROWS[kind.type],
                expansion_limit="1000")
    any_number = table(s, kind, "any.cf", query=ROWS[kind.type])
    s.set(virtual_alias_maps=f"{few}, {any_number}", relay_domains=small,
          recipient_bcc_maps=any_number)
    for name in ("few.cf", "any.cf"):
        (s.root / "etc" / name).chmod(0o644)
    s.start()
    lookup = Lookup(s)
    assert lookup.query(small, "sales@example.test")[0] == FOUND
    before = peak(s)
    began = time.monotonic()
    for spec, why in ((few, "expansion limit exceeded"),
                      (any_number, "value is too long")):
        for _ in range(2):  # a connection that was given up is made anew
            result, _, value = lookup.query(spec, "a@example.test")
            assert result == BROKEN and why in value, value
    assert lookup.query(small, "sales@example.test")[2] == "bob@example.test"
    assert time.monotonic() - began < 20
    assert peak(s) - before < 20000
    # nobody is dropped from a list: mail waits
    assert rcpt(s, "a@example.test")[0] == 451
