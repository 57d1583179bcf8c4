# SPDX-License-Identifier: ISC
"""STARTTLS of the client: wished for, required, proven."""
import hashlib
import pathlib
import ssl
import subprocess
import tempfile

import pytest

from peers import FakeServer, Server
from posthaste import certificate


@pytest.fixture
def tls():
    """A server's side of TLS with the test certificate."""
    folder = pathlib.Path(tempfile.mkdtemp())
    certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    context.authority = folder / "cert.pem"
    return context


def main(sink, level, more=""):
    return (f"relayhost = [127.0.0.1]:{sink.port}\n"
            f"smtp_tls_security_level = {level}\nsmtp_tls_loglevel = 1\n"
            + more)


@pytest.mark.parametrize("level, more", [
    ("may", ""),
    ("dane", "smtp_dns_support_level = dnssec\nmissing_protection = warn\n"),
])
def test_tls_is_used_where_it_is_offered(suite, tls, level, more):
    with FakeServer(("PIPELINING", "STARTTLS"), tls=tls) as sink:
        s = suite(main=main(sink, level, more))
        s.send(to="x@remote.test")
        sink.wait()
        s.wait_log(r"Untrusted TLS connection established to 127.0.0.1"
                   r"\[127.0.0.1\]:\d+: TLSv1.3 with cipher TLS_")
        verbs = [c.split()[0] for c in sink.commands]
        # what was learnt in clear is forgotten
        assert verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]


def test_plain_where_it_is_not(suite):
    with FakeServer() as sink:
        s = suite(main=main(sink, "may"))
        s.send(to="x@remote.test")
        sink.wait()


def test_required_tls_is_not_given_up(suite):
    with FakeServer() as sink:
        s = suite(main=main(sink, "encrypt"))
        s.send(to="x@remote.test")
        s.wait_log(r"dsn=4.7.4, status=deferred \(TLS is required, but was "
                   r"not offered by host 127.0.0.1\[127.0.0.1\]\)")
        assert not any(c.startswith("MAIL") for c in sink.commands)


def test_declined_starttls(suite, tls):
    replies = {"STARTTLS": "454 4.7.0 not now"}
    with FakeServer(("STARTTLS",), tls=tls, replies=replies) as sink:
        sink.tls = None
        s = suite(main=main(sink, "may"))
        s.send(to="x@remote.test")
        sink.wait()


def test_broken_handshake_falls_back_only_if_allowed(suite):
    def broken():
        def handle(connection):
            f = connection.makefile("rb")
            connection.sendall(b"220 fake ESMTP\r\n")
            while line := f.readline():
                verb = line.split()[0].upper()
                handle.heard.append(verb)
                if verb == b"EHLO":
                    connection.sendall(b"250-fake\r\n250 STARTTLS\r\n")
                elif verb == b"STARTTLS":
                    connection.sendall(b"220 go\r\n")
                    connection.recv(100)
                    connection.sendall(b"this is no handshake\r\n")
                    return
                elif verb == b"DATA":
                    connection.sendall(b"354 go\r\n")
                    while f.readline() != b".\r\n":
                        pass
                    connection.sendall(b"250 done\r\n")
                else:
                    connection.sendall(b"250 ok\r\n")
        handle.heard = []
        return handle

    for level, want in (("may", "status=sent"),
                        ("encrypt", r"dsn=4.7.5, status=deferred \(Cannot "
                         "start TLS: handshake failure")):
        handle = broken()
        with Server(handle) as server:
            s = suite(main=main(server, level))
            s.send(to="x@remote.test")
            s.wait_log(want)
            assert (b"MAIL" in handle.heard) == (level == "may")


@pytest.mark.parametrize("glued", [b"250 fake\r\n", b"2", b"250-fake\r\n"
                                   b"250 AUTH PLAIN\r\n"])
def test_nothing_in_clear_counts_inside_tls(suite, glued):
    """The answers an attacker glued to the 220 are not taken."""
    heard = []

    def handle(connection):
        f = connection.makefile("rb")
        connection.sendall(b"220 fake ESMTP\r\n")
        f.readline()
        connection.sendall(b"250-fake\r\n250 STARTTLS\r\n")
        f.readline()
        connection.sendall(b"220 go\r\n" + glued)
        heard.append(f.read())

    with Server(handle) as server:
        s = suite(main=main(server, "encrypt"))
        s.send(to="x@remote.test")
        s.wait_log(r"status=deferred \(host 127.0.0.1\[127.0.0.1\] sent data "
                   "ahead of the TLS handshake")
        assert heard in ([b""], [])


def test_unproven_certificate_is_refused_at_verify(suite, tls):
    with FakeServer(("STARTTLS",), tls=tls) as sink:
        s = suite(main=main(sink, "verify"))
        s.send(to="x@remote.test")
        s.wait_log("dsn=4.7.5, status=deferred .Server certificate not "
                   "verified")
        assert not sink.messages


@pytest.mark.parametrize("host, level, sent", [
    ("mx.example.test", "verify", True),
    ("other.example.test", "verify", False),
    ("localhost", "secure", True),
    # what lies below the next hop will do as well
    ("example.test", "secure", True),
    ("ample.test", "secure", False),
])
def test_certificate_must_have_the_name(suite, dns, tls, host, level, sent):
    names = dns({(name, "A"): ["127.0.0.1"] for name in
                 ("mx.example.test", "other.example.test", "example.test",
                  "ample.test")})
    with FakeServer(("STARTTLS",), tls=tls) as sink:
        s = suite(dns=names, main=main(
            sink, level, f"relayhost = [{host}]:{sink.port}\n"
            f"smtp_tls_CAfile = {tls.authority}\n"))
        s.send(to="x@remote.test")
        if sent:
            sink.wait()
            s.wait_log("Verified TLS connection established")
        else:
            s.wait_log("dsn=4.7.5, status=deferred")
            assert not sink.messages


def test_policy_by_destination(suite, tls):
    with FakeServer() as plain:
        s = suite(main=main(plain, "may",
                            "smtp_tls_policy_maps = inline:{"
                            "{[127.0.0.1]:%d=encrypt}}\n" % plain.port))
        s.send(to="x@remote.test")
        s.wait_log("dsn=4.7.4, status=deferred .TLS is required")


def test_wrapper_mode(suite, tls):
    def handle(connection):
        sink.session(tls.wrap_socket(connection, server_side=True))

    with FakeServer() as sink, Server(handle) as wrapped:
        s = suite(main=main(wrapped, "encrypt",
                            "smtp_tls_wrappermode = yes\n"))
        s.send(to="x@remote.test")
        sink.wait()


AUTH = ("smtp_sasl_auth_enable = yes\n"
        "smtp_sasl_security_options = noanonymous\n"
        "smtp_sasl_password_maps = inline:{{[127.0.0.1]:%d=joe:se:cret}}\n")


@pytest.mark.parametrize("mechanisms, said", [
    ("PLAIN LOGIN", ["AUTH PLAIN AGpvZQBzZTpjcmV0"]),
    ("LOGIN CRAM-MD5", ["AUTH LOGIN", "am9l", "c2U6Y3JldA=="]),
])
def test_password_of_the_next_hop(suite, mechanisms, said):
    heard = []

    def handle(connection):
        f = connection.makefile("rb")
        connection.sendall(b"220 fake ESMTP\r\n")
        f.readline()
        connection.sendall(f"250-fake\r\n250 AUTH {mechanisms}\r\n".encode())
        for i in range(len(said)):
            heard.append(f.readline().decode().strip())
            connection.sendall(b"334 VXNlcm5hbWU6\r\n" if i + 1 < len(said)
                               else b"235 2.7.0 in\r\n")
        heard.append(f.readline().decode().split()[0])

    with Server(handle) as server:
        s = suite(main=main(server, "none", AUTH % server.port))
        s.send(to="x@remote.test")
        s.wait_log("status=deferred")
        assert heard == said + ["MAIL"]
        assert "cret" not in s.log() and "c2U6" not in s.log()


def test_no_password_in_clear_by_default(suite):
    with FakeServer(("AUTH PLAIN",)) as sink:
        s = suite(main=main(sink, "none", (AUTH % sink.port).replace(
            "noanonymous", "noplaintext, noanonymous")))
        s.send(to="x@remote.test")
        s.wait_log("status=deferred .SASL authentication failed; cannot "
                   "authenticate to server")
        assert not any("AUTH" in c for c in sink.commands)


def test_server_that_asks_for_no_password_gets_none(suite):
    with FakeServer() as sink:
        s = suite(main=main(sink, "none", AUTH % sink.port))
        s.send(to="x@remote.test")
        sink.wait()


def test_refused_password_defers(suite):
    with FakeServer(("AUTH PLAIN",), replies={
            "AUTH": "535 5.7.8 wrong"}) as sink:
        s = suite(main=main(sink, "none", AUTH % sink.port))
        s.send(to="x@remote.test")
        s.wait_log("status=deferred .SASL authentication failed; server "
                   r"127.0.0.1\[127.0.0.1\] said: 5")


def test_client_certificate_whose_key_keyd_holds(suite, tls):
    tls.load_verify_locations(tls.authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    with FakeServer(("STARTTLS",), tls=tls) as sink:
        s = suite(start=False)
        s.set(relayhost=f"[127.0.0.1]:{sink.port}",
              smtp_tls_security_level="encrypt",
              smtp_tls_cert_file=f"{s.root}/etc/cert.pem",
              smtp_tls_key_file=f"{s.root}/etc/key.pem")
        s.start()
        s.send(to="x@remote.test")
        sink.wait()


@pytest.mark.parametrize("policy, sent", [
    ("verify match=mx.example.test", True),
    ("verify match=no.test:.example.test", True),
    ("secure match=no.test match=hostname:localhost", True),
    ("verify match=no.test:.mx.example.test", False),
    ("secure match=nexthop", False),
])
def test_policy_names_what_may_be_in_the_certificate(suite, dns, tls, policy,
                                                     sent):
    names = dns({("relay.other.test", "A"): ["127.0.0.1"]})
    with FakeServer(("STARTTLS",), tls=tls) as sink:
        s = suite(dns=names, main=main(
            sink, "may", f"relayhost = [relay.other.test]:{sink.port}\n"
            f"smtp_tls_CAfile = {tls.authority}\n"
            f"smtp_tls_policy_maps = inline:{{ {{ [relay.other.test]:"
            f"{sink.port} = {policy} }} }}\n"))
        s.send(to="x@remote.test")
        if sent:
            sink.wait()
            s.wait_log("Verified TLS connection established")
        else:
            s.wait_log("dsn=4.7.5, status=deferred .Server certificate not "
                       "verified")
            assert not sink.messages


def digests(tls):
    """Fingerprints of the certificate and of its public key."""
    pem = tls.authority.read_text()
    der = ssl.PEM_cert_to_DER_cert(pem)
    key = subprocess.run(
        ["openssl", "x509", "-in", tls.authority, "-pubkey", "-noout"],
        capture_output=True, check=True).stdout
    key = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"],
                         input=key, capture_output=True, check=True).stdout

    def pairs(data):
        text = hashlib.sha256(data).hexdigest()
        return ":".join(text[i:i + 2] for i in range(0, 64, 2))
    return pairs(der), pairs(key)


@pytest.mark.parametrize("which", [0, 1])
def test_certificate_known_by_its_fingerprint(suite, tls, which):
    known = digests(tls)[which]
    with FakeServer(("STARTTLS",), tls=tls) as sink:
        s = suite(main=main(sink, "fingerprint",
                            "smtp_tls_fingerprint_cert_match = "
                            f"{'00:' * 31}00, {known}\n"))
        s.send(to="x@remote.test")
        sink.wait()
        s.wait_log("Verified TLS connection established")


def test_certificate_of_another_fingerprint_is_refused(suite, tls):
    right = digests(tls)[0]
    wrong = right[:-1] + ("1" if right[-1] == "0" else "0")
    with FakeServer(("STARTTLS",), tls=tls) as sink:
        s = suite(main=main(sink, "may",
                            "smtp_tls_policy_maps = inline:{ { [127.0.0.1]:"
                            f"{sink.port} = fingerprint match={wrong} }} }}\n"))
        s.send(to="x@remote.test")
        s.wait_log("fingerprint=" + right.upper())
        s.wait_log("dsn=4.7.5, status=deferred .Server certificate not "
                   "verified")
        assert not sink.messages


class Remembering(FakeServer):
    """Notes of each TLS connection whether its session was resumed."""

    def __init__(self, tls, **options):
        self.resumed = []
        server = self

        class Wrap:
            def wrap_socket(self, connection, server_side):
                wrapped = tls.wrap_socket(connection, server_side=True)
                server.resumed.append(wrapped.session_reused)
                return wrapped
        super().__init__(("STARTTLS", "PIPELINING"), tls=Wrap(), **options)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("more, again", [
    ("", True), ("smtp_tls_session_cache_timeout = 0\n", False)])
def test_sessions_are_resumed(suite, tls, version, more, again):
    tls.maximum_version = version
    with Remembering(tls) as sink:
        s = suite(main=main(sink, "encrypt", more +
                            "smtp_connection_cache_on_demand = no\n"
                            "default_process_limit = 1\n"))
        for n in range(3):
            s.send(to="x@remote.test")
            sink.wait(n + 1)
            s.wait_empty()
        assert sink.resumed == [False, again, again]
        if again:
            s.wait_log("session resumed")
        assert ("session resumed" in s.log()) == again


def test_a_resumed_session_proves_no_other_name(suite, dns, tls):
    """One server under two names, of which the certificate has one."""
    names = dns({("mx.example.test", "A"): ["127.0.0.1"],
                 ("other.example.test", "A"): ["127.0.0.1"]})
    with Remembering(tls) as sink:
        s = suite(dns=names, main=main(
            sink, "verify", "smtp_connection_cache_on_demand = no\n"
            f"relayhost =\nsmtp_tcp_port = {sink.port}\n"
            f"smtp_tls_CAfile = {tls.authority}\n"
            "transport_maps = inline:{good.test=smtp:[mx.example.test], "
            "bad.test=smtp:[other.example.test]}\n"))
        s.send(to="x@good.test")
        sink.wait()
        s.send(to="x@bad.test")
        s.wait_log("to=<x@bad.test>.*dsn=4.7.5, status=deferred")
        assert len(sink.messages) == 1


def test_a_resumed_session_proves_no_other_next_hop(suite, dns, tls):
    """One server for two domains, of which the certificate has one."""
    names = dns({("example.test", "MX"): [(10, "mx.shared.test")],
                 ("other.test", "MX"): [(10, "mx.shared.test")],
                 ("mx.shared.test", "A"): ["127.0.0.1"]})
    with Remembering(tls) as sink:
        s = suite(dns=names, main=main(
            sink, "secure", "smtp_connection_cache_on_demand = no\n"
            "smtp_tls_secure_cert_match = dot-nexthop\n"
            "default_process_limit = 1\n"
            f"relayhost =\nsmtp_tcp_port = {sink.port}\n"
            f"smtp_tls_CAfile = {tls.authority}\n"
            "transport_maps = inline:{good.test=smtp:example.test, "
            "bad.test=smtp:other.test}\n"))
        for n in range(2):
            s.send(to="x@good.test")
            sink.wait(n + 1)
            s.wait_empty()
        assert sink.resumed == [False, True]
        s.send(to="x@bad.test")
        s.wait_log("to=<x@bad.test>.*dsn=4.7.5, status=deferred")
        assert len(sink.messages) == 2


LMTP = ("relay_domains = store.test\n"
        "relay_transport = lmtp:inet:localhost:{port}\n")


@pytest.mark.parametrize("settings, sent", [
    # the client's own settings count for each
    ("lmtp_tls_security_level = verify\nlmtp_tls_CAfile = {ca}\n", True),
    ("lmtp_tls_security_level = verify\nsmtp_tls_CAfile = {ca}\n", False),
    # the older names ask for a proven certificate, too
    ("lmtp_enforce_tls = yes\nlmtp_tls_CAfile = {ca}\n", True),
    ("lmtp_enforce_tls = yes\n", False),
    ("lmtp_enforce_tls = yes\nlmtp_tls_enforce_peername = no\n", True),
])
def test_lmtp_settings(suite, tls, settings, sent):
    with FakeServer(("STARTTLS",), tls=tls, lmtp=True) as store:
        s = suite(main=LMTP.format(port=store.port) +
                  settings.format(ca=tls.authority))
        s.send(to="x@store.test")
        if sent:
            store.wait()
            assert store.commands[1] == "STARTTLS"
        else:
            s.wait_log("dsn=4.7.5, status=deferred .Server certificate not "
                       "verified")
            assert not store.messages


@pytest.mark.parametrize("more, sent", [
    ("", False), ("smtp_tls_enforce_peername = no\n", True)])
def test_older_name_of_a_level(suite, tls, more, sent):
    """smtp_enforce_tls wants a certificate that is proven."""
    with FakeServer(("STARTTLS",), tls=tls) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n"
                       f"smtp_enforce_tls = yes\n{more}")
        s.send(to="x@remote.test")
        if sent:
            sink.wait()
        else:
            s.wait_log("dsn=4.7.5, status=deferred")
            assert not sink.messages
