# SPDX-License-Identifier: ISC
"""What smtp needs to know from servers: the password for the next hop from
SQL, its policy of TLS and the way there from a directory. While the server is
dead mail waits, and never leaves without what it had to have."""
import base64

import pytest

import databases
from peers import FakeServer
from posthaste import wait_for

BASE = databases.Slapd.BASE


@pytest.fixture(scope="module")
def postgres():
    made = databases.Postgres()
    made.sql("create table relays (hop text, login text);"
             "grant select on relays to mail")
    yield made
    made.close()


def relay(suite, **more):
    s = suite(start=False)
    s.set(smtp_connection_cache_on_demand="no", queue_run_delay="1s",
          minimal_backoff_time="1s",
          maximal_backoff_time="1s", **more)
    return s


class Asking(FakeServer):
    """Wants a password before anything else."""

    def __init__(self):
        self.heard = []

        def auth(line):
            self.heard.append(line.split()[-1])
            return "235 2.7.0 in"
        super().__init__(extensions=("AUTH PLAIN",), replies={"AUTH": auth})


def test_passwords_in_sql(suite, postgres):
    with Asking() as sink:
        hop = f"[127.0.0.1]:{sink.port}"
        postgres.sql("delete from relays; insert into relays values "
                     f"('{hop}', 'joe:se:cret')")
        s = relay(suite, relayhost=hop, smtp_sasl_auth_enable="yes",
                  smtp_sasl_security_options="noanonymous")
        path = s.write("relays.cf", postgres.settings(
            query="SELECT login FROM relays WHERE hop = '%s'", timeout="2"))
        path.chmod(0o600)
        s.set(smtp_sasl_password_maps=f"pgsql:{path}")
        s.start()
        s.send(to="x@remote.test")
        sink.wait()
        assert base64.b64decode(sink.heard[0]) == b"\0joe\0se:cret"
        # the password of the table is where the table is asked, alone
        for name in ("smtp", "lookup-smtp", "lookup"):
            for pid in s.processes(name):
                with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
                    assert "table_pgsql" not in maps.read()
        postgres.kill()
        try:
            s.send(to="y@remote.test")
            s.wait_log("status=deferred")
            assert len(sink.messages) == 1
        finally:
            postgres.start()
        wait_for("the second", lambda: len(sink.messages) == 2)
        assert len(sink.heard) == 2
        s.wait_empty()


def test_way_and_policy_in_a_directory(suite):
    with FakeServer() as sink:
        entries = "\n".join([
            f"dn: {BASE}", "objectClass: dcObject",
            "objectClass: organization", "o: Example", "dc: example", "",
            f"dn: cn=way,{BASE}", "objectClass: inetOrgPerson", "cn: way",
            "sn: x", "displayName: remote.test",
            f"description: smtp:[127.0.0.1]:{sink.port}", "",
            f"dn: cn=policy,{BASE}", "objectClass: inetOrgPerson",
            "cn: policy", "sn: x",
            f"displayName: [127.0.0.1]:{sink.port}", "description: encrypt",
            ""])
        directory = databases.Slapd(entries)
        try:
            s = relay(suite)
            path = s.write("remote.cf", directory.settings(
                query_filter="(displayName=%s)", timeout="2",
                result_attribute="description"))
            path.chmod(0o600)
            s.set(transport_maps=f"ldap:{path}")
            s.start()
            s.send(to="x@remote.test")
            sink.wait()
            # the directory wants TLS, which that server has not
            s.set(smtp_tls_policy_maps=f"ldap:{path}")
            s.posthaste("reload")
            s.send(to="y@remote.test")
            s.wait_log("status=deferred .*TLS is required")
            assert len(sink.messages) == 1
            # nor does it go without, because nobody can be asked
            directory.kill()
            s.wait_log("lookup error")
            assert len(sink.messages) == 1
            assert len(s.queue()) == 1
            s.set(smtp_tls_policy_maps="")
            directory.start()
            s.posthaste("reload")
            wait_for("it", lambda: len(sink.messages) == 2)
            s.wait_empty()
        finally:
            directory.close()
