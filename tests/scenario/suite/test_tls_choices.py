# SPDX-License-Identifier: ISC
"""What a site may choose of TLS, beyond levels and certificates."""
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import tempfile

import pytest

from peers import FakeServer
from posthaste import kill_all, wait_for


def openssl(*arguments, folder=None, stdin=b""):
    return subprocess.run(["openssl", *map(str, arguments)], cwd=folder,
                          input=stdin, capture_output=True, timeout=60)


def client(s, *options):
    done = openssl("s_client", "-connect", f"127.0.0.1:{s.ports['smtp']}",
                   "-starttls", "smtp", *options, stdin=b"QUIT\r\n")
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.fixture(scope="module")
def authority():
    """root signs middle, middle signs leaf (*.example.test), all EC."""
    folder = pathlib.Path(tempfile.mkdtemp())
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

    def make(name, subject, issuer, extension):
        signer = ("-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key") \
            if issuer else ()
        done = openssl("req", "-x509", *key, *signer, "-days", 30, "-subj",
                       f"/CN={subject}", "-addext", extension, "-keyout",
                       f"{name}.key", "-out", f"{name}.pem", folder=folder)
        assert done.returncode == 0, done.stderr

    make("root", "Root", None, "keyUsage=keyCertSign")
    make("others", "Others", None, "keyUsage=keyCertSign")
    make("middle", "Middle", "root", "basicConstraints=critical,CA:TRUE")
    make("leaf", "leaf", "middle", "subjectAltName=DNS:*.example.test,"
         "DNS:localhost")
    (folder / "chain.pem").write_text(
        (folder / "leaf.pem").read_text() + (folder / "middle.pem").read_text())
    (folder / "hashed").mkdir()
    name = openssl("x509", "-hash", "-noout", "-in", folder / "root.pem")
    (folder / "hashed" / (name.stdout.decode().strip() + ".0")).write_text(
        (folder / "root.pem").read_text())
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    folder.chmod(0o755)
    return folder


@pytest.fixture
def server(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "chain.pem", authority / "leaf.key")
    context.asked = []
    context.sni_callback = lambda s, name, c: context.asked.append(name)
    return context


@pytest.mark.parametrize("settings, good, bad", [
    ("smtpd_tls_eecdh_grade = strong\ntls_ffdhe_auto_groups =\n",
     "P-256", "P-384"),
    ("smtpd_tls_eecdh_grade = ultra\ntls_ffdhe_auto_groups =\n",
     "P-384", "X25519"),
    ("tls_eecdh_auto_curves = nonsense secp521r1\ntls_ffdhe_auto_groups =\n",
     "P-521", "P-256"),
    ("smtpd_tls_eecdh_grade = none\n", "ffdhe2048", "X25519"),
])
def test_groups_of_the_server(suite, settings, good, bad):
    s = suite(main=settings)
    status, out = client(s, "-groups", good)
    assert status == 0 and "250" in out, out
    status, out = client(s, "-groups", bad)
    assert status != 0 and "alert handshake failure" in out, out


def test_single_options(suite):
    s = suite(main="smtpd_tls_protocols = TLSv1.2\n")
    assert "TLS session ticket:" in client(s, "-tls1_2")[1]
    s.set(tls_ssl_options="NO_COMPRESSION, no_ticket")
    s.posthaste("reload")
    assert "TLS session ticket:" not in client(s, "-tls1_2")[1]


@pytest.mark.parametrize("options, said", [
    ("NO_TICKET NO_TICKETS", 'there is no TLS option "NO_TICKETS"'),
    ("0x4000, 0x80000000000",
     "there is no TLS option of the bits 0x80000000000"),
    ("0X4000 0xnothing 0x123456789012345678901234567890",
     'there is no TLS option "0xnothing"; there is no TLS option "0x123'),
])
@pytest.mark.parametrize("of_service", [False, True])
def test_what_is_no_option_is_left_out(suite, options, said, of_service):
    """Warned of, and the others hold: 0x4000 is NO_TICKET."""
    text = "smtpd_tls_protocols = TLSv1.2\n"
    s = suite(main=text, start=False)
    if of_service:
        path = s.root / "etc/master.cf"
        old = path.read_text()
        new = re.sub(r"^(\S+ +inet .* smtpd)$",
                     r"\1\n  -o { tls_ssl_options = %s }" % options, old,
                     count=1, flags=re.M)
        assert new != old
        path.write_text(new)
    else:
        s.set(tls_ssl_options=options)
    done = s.posthaste("check")
    assert re.search(rf"(main.cf: ?(line )?\d+|-o option).*{said}",
                     done.err + done.out), done.err + done.out
    s.start()
    out = client(s, "-tls1_2")[1]
    assert "Cipher is ECDHE" in out and "TLS session ticket:" not in out
    s.wait_log(rf"smtpd\[\d+\]: warning: tls_ssl_options: {said}")


@pytest.mark.parametrize("line, said", [
    ("tls_ffdhe_auto_groups = ffdhe2047", "OpenSSL has none of the groups"),
    ("smtpd_tls_eecdh_grade = good", "smtpd_tls_eecdh_grade"),
])
def test_what_openssl_does_not_have_is_refused(suite, line, said):
    s = suite(main=line + "\n", start=False)
    done = s.posthaste("check", check=False)
    assert done.returncode != 0
    assert re.search(rf"main.cf: ?(line )?\d+.*{said}", done.err + done.out), \
        done.err + done.out


def with_option(s, program, option):
    """Of the program's first service; the line where that stands."""
    lines = (s.root / "etc/master.cf").read_text().split("\n")
    at = next(i for i, line in enumerate(lines)
              if re.match(rf"\S+ +(inet|unix) .* {program}$", line))
    lines.insert(at + 1, f"  -o {option}")
    s.write("master.cf", "\n".join(lines))
    return at + 1


@pytest.mark.parametrize("program, setting", [
    ("pop3d", "pop3d_tls_ciphers"), ("imapd", "imapd_tls_ciphers"),
    ("pop3d", "tls_high_cipherlist"), ("smtpd", "tls_medium_cipherlist")])
@pytest.mark.parametrize("of_service", [False, True])
def test_list_of_ciphers_that_leaves_none(suite, program, setting, of_service):
    """Named once, by where it stands; a reload changes nothing."""
    s = suite()
    if of_service:
        line = with_option(s, program, f"{setting}=HIHG:MEDUIM")
        where = rf"master.cf: line {line}: service \S+: -o option"
    else:
        s.set(**{setting: "HIHG:MEDUIM"})
        where = r"main.cf: line \d+"
    for command in "check", "reload":
        done = s.posthaste(command, check=False)
        said = done.out + done.err
        assert done.returncode != 0
        assert re.search(rf'{where}: {setting}: no cipher is left of '
                         r'"HIHG:MEDUIM"', said), said
        assert said.count("no cipher is left") == 1, said


def mail(suite, sink, dns, host, more):
    names = dns({(host, "A"): ["127.0.0.1"]})
    s = suite(dns=names, main=f"relayhost = [{host}]:{sink.port}\n"
              "smtp_tls_loglevel = 1\n" + more)
    s.send(to="x@remote.test")
    return s


@pytest.mark.parametrize("depth, sent", [(9, True), (1, True), (0, False)])
def test_length_of_chains(suite, dns, server, authority, depth, sent):
    with FakeServer(("STARTTLS",), tls=server) as sink:
        s = mail(suite, sink, dns, "mx.example.test",
                 "smtp_tls_security_level = secure\n"
                 f"smtp_tls_CAfile = {authority}/root.pem\n"
                 f"smtp_tls_scert_verifydepth = {depth}\n")
        if sent:
            sink.wait()
        else:
            s.wait_log("status=deferred .*(not verified|too long)")


@pytest.mark.parametrize("many", ["no", "yes"])
def test_wildcards(suite, dns, server, authority, many):
    with FakeServer(("STARTTLS",), tls=server) as sink:
        s = mail(suite, sink, dns, "a.mx.example.test",
                 "smtp_tls_security_level = secure\n"
                 f"smtp_tls_CAfile = {authority}/root.pem\n"
                 f"tls_wildcard_matches_multiple_labels = {many}\n")
        if many == "yes":
            sink.wait()
        else:
            s.wait_log("dsn=4.7.5, status=deferred")


@pytest.mark.parametrize("name, asked", [
    ("", "mx.example.test"), ("other.test", "other.test"),
    ("nexthop", "mx.example.test")])
def test_name_that_is_asked_for(suite, dns, server, name, asked):
    with FakeServer(("STARTTLS",), tls=server) as sink:
        mail(suite, sink, dns, "mx.example.test",
             "smtp_tls_security_level = encrypt\n"
             f"smtp_tls_servername = {name}\n")
        sink.wait()
    assert set(server.asked) == {asked}


def test_offers_of_tls_are_noted(suite):
    with FakeServer(("STARTTLS",)) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n"
                  "smtp_tls_security_level = none\n"
                  "smtp_tls_note_starttls_offer = yes\n")
        s.send(to="x@remote.test")
        sink.wait()
        s.wait_log(r"smtp\[\d+\]: Host offered STARTTLS: \[127.0.0.1\]")


def test_second_certificate_of_the_client(suite, server, authority):
    server.load_verify_locations(authority / "root.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    with FakeServer(("STARTTLS",), tls=server) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n"
                  "smtp_tls_security_level = encrypt\n"
                  f"smtp_tls_eccert_file = {authority}/chain.pem\n"
                  f"smtp_tls_eckey_file = {authority}/leaf.key\n")
        s.send(to="x@remote.test")
        sink.wait()


@pytest.mark.parametrize("more, word", [
    ("smtpd_tls_CApath = {}/hashed\n", "Trusted"),
    ("smtpd_tls_CAfile = {}/root.pem\n", "Trusted"),
    ("smtpd_tls_CAfile = {}/root.pem\nsmtpd_tls_ccert_verifydepth = 0\n",
     "Untrusted"),
    ("", "Untrusted")])
def test_certificates_of_clients(suite, authority, more, word):
    s = suite(main="smtpd_tls_ask_ccert = yes\nsmtpd_tls_loglevel = 1\n"
              + more.format(authority))
    client(s, "-cert", authority / "leaf.pem", "-key", authority / "leaf.key",
           "-cert_chain", authority / "middle.pem")
    s.wait_log(rf"smtpd\[\d+\]: {word} TLS connection established from")


@pytest.mark.parametrize("setting", ["CApath", "CAfile"])
def test_without_authorities_of_clients(suite, authority, setting):
    """Encrypted all the same, and nobody is trusted."""
    s = suite(main="smtpd_tls_ask_ccert = yes\nsmtpd_tls_loglevel = 1\n"
              f"smtpd_tls_{setting} = {authority}/nowhere\n", start=False)
    done = s.posthaste("check")
    assert re.search(rf"smtpd_tls_{setting}: \S+/nowhere: \w+",
                     done.err + done.out), done.err + done.out
    s.start()
    status, out = client(s, "-cert", authority / "leaf.pem", "-key",
                         authority / "leaf.key", "-cert_chain",
                         authority / "middle.pem")
    assert status == 0 and "250" in out, out
    s.wait_log(r"smtpd\[\d+\]: warning: \S+/nowhere: .*; no authority is")
    s.wait_log(r"smtpd\[\d+\]: Untrusted TLS connection established from")


@pytest.mark.parametrize("too_large", [False, True])
def test_authorities_of_clients_that_come_later(suite, authority, too_large):
    """Taken up without a reload; until then they are nobody's."""
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    path = folder / "authorities.pem"
    if too_large:
        path.touch()
        os.truncate(path, (4 << 20) + 1)
    s = suite(main="tls_renewal_check_time = 1s\nsmtpd_tls_loglevel = 1\n"
              f"smtpd_tls_ask_ccert = yes\nsmtpd_tls_CAfile = {path}\n")
    proof = ("-cert", authority / "leaf.pem", "-key", authority / "leaf.key",
             "-cert_chain", authority / "middle.pem")
    client(s, *proof)
    s.wait_log(r"smtpd\[\d+\]: Untrusted TLS connection established from")
    shutil.copy(authority / "root.pem", folder / "whole")
    os.replace(folder / "whole", path)
    s.wait_log("have changed: taken up")
    client(s, *proof)
    s.wait_log(r"smtpd\[\d+\]: Trusted TLS connection established from")
    assert s.log().count("have changed: taken up") == 1
    shutil.rmtree(folder)


def test_one_source_of_client_authorities_does(suite, authority):
    s = suite(main="smtpd_tls_ask_ccert = yes\nsmtpd_tls_loglevel = 1\n"
              f"smtpd_tls_CAfile = {authority}/nowhere\n"
              f"smtpd_tls_CApath = {authority}/hashed\n")
    client(s, "-cert", authority / "leaf.pem", "-key", authority / "leaf.key",
           "-cert_chain", authority / "middle.pem")
    s.wait_log(r"smtpd\[\d+\]: Trusted TLS connection established from")


@pytest.mark.parametrize("level, file, good", [
    ("encrypt", None, True), ("secure", "root.pem", True),
    ("secure", None, False)])
def test_missing_directory_of_server_authorities(suite, dns, server, authority,
                                                 level, file, good):
    with FakeServer(("STARTTLS",), tls=server) as sink:
        s = suite(dns=dns({("mx.example.test", "A"): ["127.0.0.1"]}),
                  main=f"relayhost = [mx.example.test]:{sink.port}\n"
                  f"smtp_tls_security_level = {level}\n"
                  f"smtp_tls_CApath = {authority}/nowhere\n"
                  + (f"smtp_tls_CAfile = {authority}/{file}\n" if file
                     else ""), start=False)
        done = s.posthaste("check", check=False)
        assert (done.returncode == 0) is good, done.err
        assert re.search(r"smtp_tls_CApath: \S+/nowhere: \w+",
                         done.err + done.out), done.err + done.out
        if good:
            s.start()
            s.send(to="x@remote.test")
            sink.wait()


def garbage(path):
    path.write_text("-----BEGIN CERTIFICATE-----\nnothing\n")


def removed(path):
    path.unlink()


def break_authorities(s, path, damage, where, program):
    """Noticed, and then told by a reload; neither takes anything away. What
    runs after each is new."""
    said = rf"{where}: {path}: \w+"
    damage(path)
    s.wait_log("are not usable: the old ones stay in use")
    s.wait_log(rf"warning: {said}")
    kill_all(s.processes(program))
    yield
    done = s.posthaste("reload")
    assert re.search(said, done.out + done.err), done.out + done.err
    kill_all(s.processes(program))
    yield


@pytest.mark.parametrize("setting", [
    "smtp_tls_CAfile", "smtp_tls_trust_anchor_file",
    "lmtp_tls_CAfile", "lmtp_tls_trust_anchor_file"])
@pytest.mark.parametrize("damage", [garbage, removed])
def test_last_good_authorities_of_servers(suite, dns, server, authority,
                                          damage, setting):
    """In use until there are others, by programs of any age."""
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    path = folder / "authorities.pem"
    shutil.copy(authority / "root.pem", path)
    client = setting[:4]
    with FakeServer(("STARTTLS",), tls=server, lmtp=client == "lmtp") as sink:
        s = mail(suite, sink, dns, "mx.example.test",
                 f"{client}_tls_security_level = secure\n"
                 "tls_renewal_check_time = 1s\n"
                 f"default_transport = {client}\n"
                 f"{setting} = {path}\n")
        sink.wait()
        for n, _ in enumerate(break_authorities(
                s, path, damage, rf"main.cf: line \d+: {setting}",
                "smtp"), 2):
            s.send(to="x@remote.test")
            sink.wait(n)
        shutil.copy(authority / "others.pem", path)
        s.wait_log("have changed: taken up")
        kill_all(s.processes("smtp"))  # an old one may have a last message
        s.send(to="x@remote.test")
        s.wait_log("dsn=4.7.5, status=deferred")
    shutil.rmtree(folder)


@pytest.mark.parametrize("of_service", [False, True])
@pytest.mark.parametrize("damage", [garbage, removed])
def test_last_good_authorities_of_clients(suite, authority, damage,
                                          of_service):
    """Also where an -o alone asks for certificates."""
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    path = folder / "authorities.pem"
    shutil.copy(authority / "root.pem", path)
    s = suite(main="tls_renewal_check_time = 1s\nsmtpd_tls_loglevel = 1\n"
              f"smtpd_tls_CAfile = {path}\n", start=False)
    where = r"main.cf: line \d+: smtpd_tls_CAfile"
    if of_service:
        with_option(s, "smtpd", "smtpd_tls_ask_ccert=yes")
        where = r"master.cf: .*: -o option: smtpd_tls_ask_ccert"
    else:
        s.set(smtpd_tls_ask_ccert="yes")
    s.start()

    def trusted(n):
        client(s, "-cert", authority / "leaf.pem", "-key",
               authority / "leaf.key", "-cert_chain",
               authority / "middle.pem")
        wait_for(f"trust in client {n}", lambda: s.log().count(
            "]: Trusted TLS connection established from") == n)

    trusted(1)
    for n, _ in enumerate(break_authorities(s, path, damage, where, "smtpd"),
                          2):
        trusted(n)
    shutil.copy(authority / "others.pem", path)
    s.wait_log("have changed: taken up")
    client(s, "-cert", authority / "leaf.pem", "-key", authority / "leaf.key",
           "-cert_chain", authority / "middle.pem")
    s.wait_log("]: Untrusted TLS connection established from")
    shutil.rmtree(folder)


def test_imap_has_a_key_of_its_own(suite, authority):
    s = suite(main=f"imapd_tls_cert_file = {authority}/chain.pem\n"
              f"imapd_tls_key_file = {authority}/leaf.key\n")
    done = openssl("s_client", "-connect", f"127.0.0.1:{s.ports['imaps']}",
                   "-ign_eof", stdin=b"a LOGOUT\r\n")
    assert b"subject=CN = leaf" in done.stdout, done.stdout + done.stderr
    assert b"* BYE" in done.stdout, done.stdout
