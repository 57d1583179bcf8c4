# SPDX-License-Identifier: ISC
"""Names in a server's certificate that look like the right one, and are not
(CVE-2009-4565): each certificate is trusted, its name is what counts."""
import contextlib
import re
import ssl
import subprocess

from peers import FakeServer

HOST = "mx.example.test"
# common name, alternative names, and whether the server is the right one; an
# @ stands for a NUL
CERTIFICATES = [
    (HOST, "", True),
    ("other.test", f"DNS:{HOST}", True),
    ("other.test", "DNS:*.example.test", True),
    ("other.test", f"DNS:a.test,DNS:{HOST.upper()}", True),
    (f"{HOST}@.evil.test", "", False),
    ("evil.test", f"DNS:{HOST}@.evil.test", False),
    ("evil.test", f"DNS:evil.test@{HOST}", False),
    ("evil.test", f"DNS:@{HOST}", False),
    (f"{HOST}@", "", False),
    ("evil.test", f"DNS:{HOST}@", False),
    # the common name counts for nothing beside a name of a host
    (HOST, "DNS:evil.test", False),
    ("evil.test", f"email:{HOST}", False),
    ("evil.test", f"URI:{HOST}", False),
    ("evil.test", "IP:127.0.0.1", False),
    ("evil.test", "DNS:*", False),
    ("evil.test", "DNS:*.test", False),
    ("evil.test", "DNS:*.*.test", False),
    ("evil.test", "DNS:*example.test", False),
    ("evil.test", "DNS:mx.*.test", False),
    ("evil.test", "DNS:.example.test", False),
    ("evil.test", "DNS:example.test", False),
    ("evil.test", f"DNS:x{HOST}", False),
    ("evil.test", f"DNS:{HOST}x", False),
    (f" {HOST}", "", False),
    ("*", "", False),
]


def certificate(folder, name, common, alternative):
    """Self-signed, so that no signature is over what is changed here."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-subj", f"/O={name}/CN={common}", "-keyout", key, "-out", cert,
         *(["-addext", f"subjectAltName={alternative}"]
           if alternative else [])], check=True, capture_output=True)
    der = ssl.PEM_cert_to_DER_cert(cert.read_text())
    for text in (common, alternative.partition(":")[2]):
        if "@" in text:
            assert text.encode() in der
            der = der.replace(text.encode(), text.replace("@", "\0").encode())
    cert.write_text(ssl.DER_cert_to_PEM_cert(der))
    return cert, key


def test_only_the_right_name_is_right(suite, dns, tmp_path):
    names = dns({(HOST, "A"): ["127.0.0.1"]})
    with contextlib.ExitStack() as stack:
        routes, authorities, servers = [], "", []
        for i, (common, alternative, _) in enumerate(CERTIFICATES):
            cert, key = certificate(tmp_path, f"c{i}", common, alternative)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            authorities += cert.read_text()
            servers.append(stack.enter_context(
                FakeServer(("STARTTLS",), tls=context)))
            routes.append(f"{{d{i}.test=smtp:[{HOST}]:{servers[i].port}}}")
        (tmp_path / "all.pem").write_text(authorities)
        s = suite(dns=names, main="smtp_tls_security_level = verify\n"
                  f"smtp_tls_CAfile = {tmp_path}/all.pem\n"
                  f"transport_maps = inline:{{{', '.join(routes)}}}\n")
        for i in range(len(CERTIFICATES)):
            s.send(to=f"x@d{i}.test")
        wrong = []
        for i, row in enumerate(CERTIFICATES):
            said = s.wait_log(rf"to=<x@d{i}\.test>, .*status=\w+ .*")[0]
            if row[2] != ("status=sent" in said) or \
                    row[2] != bool(servers[i].messages):
                wrong.append((row, re.sub(".*status", "", said)))
        assert not wrong, wrong
