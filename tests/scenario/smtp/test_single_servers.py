# SPDX-License-Identifier: ISC
"""What the client is told of single servers: extensions that it is to ignore,
replies that mean something else, AUTH=<>, whom it trusts."""
import base64
import pathlib
import ssl
import subprocess
import tempfile

import pytest

from peers import FakeServer

EXTENSIONS = ("PIPELINING", "8BITMIME", "SIZE 0", "DSN", "AUTH PLAIN")


def main(sink, more=""):
    return (f"relayhost = [127.0.0.1]:{sink.port}\n"
            "smtp_tls_security_level = none\n" + more)


def mail_command(sink):
    sink.wait()
    return next(c for c in sink.commands if c.startswith("MAIL"))


@pytest.mark.parametrize("table, says_size", [
    ("inline:{{127.0.0.1 = SIZE dsn}}", False),
    # by the address alone; and in the place of the list for all
    ("inline:{{localhost = size}}", True),
    ("inline:{{127.0.0.1 = dsn}}", True),
    ("cidr:{{127.0.0.0/8 size}}", False),
])
def test_extensions_of_one_server(suite, table, says_size):
    with FakeServer(EXTENSIONS) as sink:
        s = suite(main=main(
            sink, f"smtp_discard_ehlo_keyword_address_maps = {table}\n" +
            ("smtp_discard_ehlo_keywords = size\n" if "= dsn" in table
             else "")))
        s.send(to="x@remote.test")
        assert (" SIZE=" in mail_command(sink)) == says_size


def test_a_table_of_servers_that_does_not_answer(suite):
    with FakeServer(EXTENSIONS) as sink:
        s = suite(main=main(
            sink, "smtp_discard_ehlo_keyword_address_maps = "
                  "texthash:/nowhere/at/all\n"))
        s.send(to="x@remote.test")
        s.wait_log(r"dsn=4\.3\.0, status=deferred \(smtp_discard_ehlo_keyword"
                   r"_address_maps lookup error\)")
        assert not any(c.startswith("MAIL") for c in sink.commands)


def test_replies_that_mean_something_else(suite):
    """A refusal that is none for good, in one line of several."""
    replies = {"RCPT": "550-5.7.1 busy\r\n550 5.7.1 come back"}
    with FakeServer(replies=replies) as sink:
        s = suite(main=main(sink), start=False)
        table = s.write("replies", "/^550([ -])5\\.7\\.1 (.*)/ "
                                   "450${1}4.7.1 said $2\n")
        s.set(smtp_reply_filter=f"regexp:{table}")
        s.start()
        s.send(to="x@remote.test")
        s.wait_log(r"dsn=4\.7\.1, status=deferred \(host .* said: "
                   r"450 4\.7\.1 said busy 4\.7\.1 said come back")


def test_what_the_filter_makes_is_read_with_distrust(suite):
    with FakeServer(replies={"RCPT": "250 fine"}) as sink:
        s = suite(main=main(sink), start=False)
        table = s.write("replies", "/fine/ nonsense\n")
        s.set(smtp_reply_filter=f"regexp:{table}")
        s.start()
        s.send(to="x@remote.test")
        s.wait_log(r"status=deferred \(protocol error: host .* sent "
                   r'"nonsense" while sending RCPT TO\)')


@pytest.mark.parametrize("extensions, value, said", [
    (EXTENSIONS, "yes", True), (EXTENSIONS, "no", False),
    (("SIZE 0",), "yes", False)])
def test_sender_nobody_vouches_for(suite, extensions, value, said):
    with FakeServer(extensions) as sink:
        s = suite(main=main(sink, f"smtp_send_dummy_mail_auth = {value}\n"))
        s.send(to="x@remote.test")
        assert mail_command(sink).endswith(" AUTH=<>") == said


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True,
                   capture_output=True)


@pytest.fixture(scope="module")
def chain():
    """root, an authority below it, and a server's certificate of that."""
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "ca.ext").write_text("basicConstraints=critical,CA:true\n")
    (folder / "mx.ext").write_text("subjectAltName=DNS:mx.trust.test\n")
    openssl(folder, "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days",
            "9", "-subj", "/CN=root", "-keyout", "root.key", "-out",
            "root.pem")
    for name, by, ext in (("middle", "root", "ca"), ("mx", "middle", "mx")):
        openssl(folder, "req", "-nodes", "-newkey", "rsa:2048", "-subj",
                f"/CN={name}", "-keyout", f"{name}.key", "-out",
                f"{name}.req")
        openssl(folder, "x509", "-req", "-in", f"{name}.req", "-CA",
                f"{by}.pem", "-CAkey", f"{by}.key", "-CAcreateserial",
                "-days", "9", "-extfile", f"{ext}.ext", "-out",
                f"{name}.pem")
    key = subprocess.run(
        ["openssl", "x509", "-in", "middle.pem", "-pubkey", "-noout"],
        cwd=folder, check=True, capture_output=True).stdout
    (folder / "bare.pem").write_bytes(key)
    (folder / "shown.pem").write_text((folder / "mx.pem").read_text() +
                                      (folder / "middle.pem").read_text())

    return folder


def server(chain, extensions=("STARTTLS",), **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain / "shown.pem", chain / "mx.key")
    return FakeServer(extensions, tls=context, **options)


SECURE = ("smtp_tls_security_level = secure\n"
          "smtp_tls_secure_cert_match = mx.trust.test\n"
          "smtp_tls_loglevel = 1\n")


@pytest.mark.parametrize("anchors, authority, trusted", [
    (["root.pem"], None, True), (["middle.pem"], None, True),
    (["mx.pem"], None, True), (["other.pem", "middle.pem"], None, True),
    # who is named beside it counts no more
    (["other.pem"], "root.pem", False), ([], "root.pem", True)])
def test_trust_anchors(suite, chain, anchors, authority, trusted):
    openssl(chain, "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days",
            "9", "-subj", "/CN=other", "-keyout", "other.key", "-out",
            "other.pem")
    more = SECURE + "smtp_tls_trust_anchor_file = " + ", ".join(
        str(chain / a) for a in anchors) + "\n"
    if authority:
        more += f"smtp_tls_CAfile = {chain / authority}\n"
    with server(chain) as sink:
        s = suite(main=main(sink, more))
        s.send(to="x@remote.test")
        if trusted:
            sink.wait()
            s.wait_log("Verified TLS connection established")
        else:
            s.wait_log("status=deferred .Server certificate not verified")


def test_a_bare_key_is_no_anchor(suite, chain):
    s = suite(start=False)
    s.set(smtp_tls_trust_anchor_file=chain / "bare.pem")
    done = s.posthaste("check", check=False)
    assert done.returncode != 0
    assert "smtp_tls_trust_anchor_file: " in done.err
    assert "a public key alone is no trust anchor here" in done.err


@pytest.mark.parametrize("level, logs_in", [(SECURE, True), (
    "smtp_tls_security_level = encrypt\n", False)])
def test_passwords_for_proven_servers_alone(suite, chain, level, logs_in):
    with server(chain, ("STARTTLS", "AUTH PLAIN"),
                replies={"AUTH": "235 2.7.0 in"}) as sink:
        s = suite(main=main(
            sink, level + f"smtp_tls_trust_anchor_file = {chain}/root.pem\n"
            "smtp_sasl_auth_enable = yes\n"
            "smtp_sasl_password_maps = static:me:secret\n"
            "smtp_sasl_tls_security_options = noplaintext\n"
            "smtp_sasl_tls_verified_security_options = noanonymous\n"))
        s.send(to="x@remote.test")
        if logs_in:
            sink.wait()
            said = next(c for c in sink.commands if c.startswith("AUTH"))
            assert base64.b64decode(said.split()[2]) == b"\0me\0secret"
        else:
            s.wait_log("cannot authenticate to server .*no mechanism")
            assert not any(c.startswith("AUTH") for c in sink.commands)
