# SPDX-License-Identifier: ISC
"""tls_server_sni_maps: the certificate of the name that a client asks for, in
SMTP, POP3 and IMAP, with the keys in keyd."""
import os
import socket
import ssl
import subprocess
import threading
import time

import pytest

from peers import Dialogue
from posthaste import AS_ROOT, CHANGE_COUNTS, careless_tls, wait_for


def make(folder, name, kind="rsa:2048"):
    """name.key and name.crt; kind "ec" for an ECDSA one."""
    how = (["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
           if kind == "ec" else ["-newkey", kind])
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj",
         f"/CN={name}", *how, "-keyout", folder / f"{name}.key", "-out",
         folder / f"{name}.crt"], check=True, capture_output=True)
    os.chmod(folder / f"{name}.key", 0o600)
    return f"{folder}/{name}.key,{folder}/{name}.crt"


def shown(connection, name, **options):
    """The common name of the certificate that this name is shown."""
    context = careless_tls()
    for option, value in options.items():
        if option == "ciphers":
            context.set_ciphers(value)
        else:
            setattr(context, option, value)
    with context.wrap_socket(connection, server_hostname=name) as t:
        der = t.getpeercert(True)
    text = subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-noout", "-subject"],
        input=der, capture_output=True, check=True).stdout.decode()
    return text.split("=")[-1].strip()


def folder(s):
    return s.root / "etc"


def smtp(s, name, **options):
    with Dialogue(s.ports["smtp"]) as c:
        c.reply()
        c.ask("EHLO client.test")
        assert c.ask("STARTTLS").startswith("220")
        return shown(c.socket, name, **options)


def direct(s, port, name, **options):
    return shown(socket.create_connection(("127.0.0.1", s.ports[port])), name,
                 **options)


def site(suite, kind, text=None):
    s = suite(start=False)
    one = make(folder(s), "one.test", "ec")
    many = make(folder(s), "any.many.test")
    s.write("names", text or f"one.test {one}\n.many.test {many}\n")
    if kind == "hash":
        s.command("postmap", "-F", f"hash:{folder(s)}/names")
    os.chmod(folder(s) / "names", 0o600)
    s.set(tls_server_sni_maps=f"{kind}:{folder(s)}/names")
    s.start()
    return s


@pytest.mark.parametrize("kind", ["texthash", "hash"])
def test_certificate_of_the_name(suite, kind):
    s = site(suite, kind)
    for ask in (lambda n, **o: smtp(s, n, **o),
                lambda n, **o: direct(s, "smtps", n, **o),
                lambda n, **o: direct(s, "pop3s", n, **o),
                lambda n, **o: direct(s, "imaps", n, **o)):
        assert ask("one.test") == "one.test"
        assert ask("ONE.test") == "one.test"
        assert ask("a.b.many.test") == "any.many.test"
        assert ask("many.test") == "mx.example.test"
        assert ask("other.test") == "mx.example.test"
        assert ask(None) == "mx.example.test"
        assert ask("a.many.test", maximum_version=ssl.TLSVersion.TLSv1_2) \
            == "any.many.test"
    assert "refused" not in s.log()


def test_a_changed_table_is_used_within_a_second(suite):
    s = site(suite, "texthash")
    assert smtp(s, "new.test") == "mx.example.test"
    new = make(folder(s), "new.test")
    before = s.processes("keyd")
    (folder(s) / "names").write_text(f"new.test {new}\n")
    wait_for("the new certificate", lambda: smtp(s, "new.test") == "new.test",
             deadline=3)
    assert smtp(s, "one.test") == "mx.example.test"
    if AS_ROOT:  # only root can read the keys: another process did
        assert s.processes("keyd") != before


CHANGES = 20 if os.environ.get("POSTHASTE_FULL") else 5


class Handshakes:
    """Without a pause; what fails is in "failed"."""

    def __init__(self, s):
        self.s, self.done, self.failed = s, 0, []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.shake, args=(port,))
                        for port in ("imaps", "pop3s", "smtps")]

    def shake(self, port):
        context = careless_tls()
        while not self.over.is_set():
            try:
                with context.wrap_socket(
                        socket.create_connection(
                            ("127.0.0.1", self.s.ports[port])),
                        server_hostname="one.test"):
                    self.done += 1
            except OSError as e:
                self.failed.append((port, e))

    def more(self, n):
        least = self.done + n
        wait_for("handshakes", lambda: self.failed or self.done >= least)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()


def test_no_handshake_fails_while_the_table_changes(suite):
    """Each time with another key: the old process has the old one alone."""
    s = site(suite, "texthash")
    made = [(folder(s) / f"{i}").mkdir() or make(
        folder(s) / f"{i}", "one.test", "ec") for i in range(2)]
    with Handshakes(s) as shakes:
        shakes.more(9)
        for i in range(CHANGES):
            restarts = s.log().count("-- restarting")
            fresh = folder(s) / "fresh"
            fresh.write_text(f"one.test {made[i % 2]}\n")
            fresh.chmod(0o600)
            fresh.rename(folder(s) / "names")
            if AS_ROOT:
                wait_for("a new keyd", lambda: shakes.failed or s.log().count(
                    "-- restarting") > restarts)
            shakes.more(9)
    assert not shakes.failed
    assert "keyd refuses" not in s.log() and "no answer" not in s.log()


@pytest.mark.skipif(not AS_ROOT, reason="keyd reads all it needs")
def test_the_first_handshake_has_the_new_certificate(suite):
    s = site(suite, "texthash")
    new = make(folder(s), "new.test")
    assert smtp(s, "one.test") == "one.test"
    (folder(s) / "names").write_text(f"one.test {new}\n")
    time.sleep(CHANGE_COUNTS)
    assert smtp(s, "one.test") == "new.test"


def test_a_bad_entry_costs_its_own_name_alone(suite):
    s = suite(start=False)
    good = make(folder(s), "good.test")
    make(folder(s), "half.test")
    # built without -F: names of files, not what they hold
    s.write("names", f"good.test {good}\n")
    s.write("plain", f"plain.test {good}\n")
    s.command("postmap", f"cdb:{folder(s)}/plain")
    (folder(s) / "plain").unlink()
    s.write("half", f"half.test {folder(s)}/half.test.crt\n")
    s.set(tls_server_sni_maps=f"texthash:{folder(s)}/names, cdb:{folder(s)}/plain, "
                              f"texthash:{folder(s)}/half")
    s.start()
    for name in ("plain.test", "half.test"):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            smtp(s, name)
    s.wait_log(r"tls_server_sni_maps: plain.test: no base64 of files: is the "
               r"table made with postmap -F\?")
    s.wait_log(r"tls_server_sni_maps: half.test: no private key")
    assert smtp(s, "good.test") == "good.test"
    assert smtp(s, "x" * 60 + ".test") == "mx.example.test"


def test_keys_are_not_asked_of_a_server(suite):
    s = suite(start=False)
    s.set(tls_server_sni_maps="socketmap:inet:127.0.0.1:9:names")
    done = s.posthaste("check", check=False)
    assert done.returncode != 0
    assert "tls_server_sni_maps: private keys are not asked of a server" \
        in done.err


def sockets(pid):
    links = (f"/proc/{pid}/fd/{n}" for n in os.listdir(f"/proc/{pid}/fd"))
    return sum(os.readlink(link).startswith("socket:") for link in links)


@pytest.mark.skipif(not AS_ROOT, reason="keyd is no child of the test's")
def test_handshakes_that_fail_keep_nothing_in_keyd(suite):
    s = site(suite, "texthash")
    assert direct(s, "smtps", "one.test") == "one.test"
    before = sum(map(sockets, s.processes("keyd")))
    # all there before the first begins: each is a task of its own
    for c in [socket.create_connection(("127.0.0.1", s.ports["smtps"]))
              for _ in range(20)]:
        # it has a certificate for the name, and none for the cipher
        with pytest.raises(ssl.SSLError):
            shown(c, "one.test", ciphers="ECDHE-RSA-AES128-SHA",
                  maximum_version=ssl.TLSVersion.TLSv1_2)
    assert sum(map(sockets, s.processes("keyd"))) < before + 8
    assert direct(s, "smtps", "one.test") == "one.test"
