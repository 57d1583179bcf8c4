# SPDX-License-Identifier: ISC
"""SQL servers over TLS: with the right certificate, a stranger's, and none."""
import subprocess

import pytest

import databases
from lookup_client import FOUND, Lookup
from posthaste import certificate
from test_databases import ask

VALUE = {"pgsql": "SELECT CASE WHEN ssl THEN 'tls' ELSE 'none' END FROM "
                  "pg_stat_ssl WHERE pid = pg_backend_pid() AND '%s' <> ''",
         "mysql": "SELECT IF(VARIABLE_VALUE = '', 'none', 'tls') FROM "
                  "information_schema.SESSION_STATUS WHERE VARIABLE_NAME = "
                  "'Ssl_cipher' AND '%s' <> ''"}


@pytest.fixture(scope="module", params=["pgsql", "mysql"])
def served(request, tmp_path_factory):
    """Type, server, its certificate and another one."""
    folder = tmp_path_factory.mktemp("certificates")
    certificate(folder)
    stranger = folder / "stranger.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
         "/CN=localhost", "-keyout", folder / "other", "-out", stranger],
        check=True, capture_output=True)
    if request.param == "pgsql":
        server = databases.Postgres(tls=folder)
    else:
        server = databases.MariaDB(tls=folder)
        server.begin("")
    yield request.param, server, folder / "cert.pem", stranger
    server.close()


def spec_of(s, served, name, authority, **more):
    kind, server, *_ = served
    ours = s.write(f"{name}.pem", authority.read_text())
    ours.chmod(0o644)
    proof = {"pgsql": {"tls_mode": "verify-full"},
             "mysql": {"tls_verify_cert": "yes"}}[kind]
    path = s.write(f"{name}.cf", server.settings(
        query=VALUE[kind], **{"tls_CAfile": ours, **proof, **more}))
    path.chmod(0o600)
    return f"{kind}:{path}"


def test_right_certificate(suite, served):
    s = suite(start=False)
    spec = spec_of(s, served, "good", served[2])
    assert ask(s, spec, "x@example.test") == "tls"
    s.set(virtual_alias_maps=spec)
    s.start()
    # within its confinement, too
    assert Lookup(s).query(spec, "x@example.test") == (FOUND, 0, "tls")


def test_certificate_of_a_stranger(suite, served):
    """The message names table and server, and says what is wrong."""
    s = suite(start=False)
    spec = spec_of(s, served, "bad", served[3])
    said = ask(s, spec, "x@example.test")
    assert said and spec in said and "127.0.0.1" in said, said
    assert "certificate" in said.lower(), said
    s.set(virtual_alias_maps=spec)
    done = s.posthaste("check", check=False)
    assert "virtual_alias_maps" in done.err and "ertificate" in done.err


def test_in_the_connection_s_uri(suite, served):
    kind, server, cert, _ = served
    if kind != "pgsql":
        pytest.skip("only pgsql has one")
    s = suite(start=False)
    good = spec_of(s, served, "good", cert, tls_mode=None, tls_CAfile=None,
                   dbname=None, hosts=f"postgresql://127.0.0.1:{server.port}/"
                   f"mail?sslmode=verify-ca&sslrootcert={s.root}/etc/good.pem")
    assert ask(s, good, "x@example.test") == "tls"
    # a password in it is not told with its failure
    bad = spec_of(s, served, "bad", cert, tls_mode=None, tls_CAfile=None,
                  dbname=None, user=None, password=None,
                  hosts=f"postgresql://mail:unsaid@127.0.0.1:{server.port}/mail")
    said = ask(s, bad, "x@example.test")
    assert "127.0.0.1" in said and "unsaid" not in said, said


def test_without_proof(suite, served):
    """Encrypted, with whoever it is."""
    if served[0] != "pgsql":
        pytest.skip("the others are asked for proof or for nothing")
    s = suite(start=False)
    spec = spec_of(s, served, "any", served[3], tls_mode="require",
                   tls_CAfile=None)
    assert ask(s, spec, "x@example.test") == "tls"
