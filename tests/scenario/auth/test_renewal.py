# SPDX-License-Identifier: ISC
"""A renewed certificate is taken up by itself, if it is good."""
import contextlib
import hashlib
import os
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import time

import pytest

from posthaste import MASTER_CF, careless_tls, kill_all, wait_for

CERTIFICATE_OF_STRESS = """\
smtpd_tls_cert_file = $config_directory/${stress?{busy.pem}:{cert.pem}}
smtpd_tls_key_file = $config_directory/${stress?{busy.key}:{key.pem}}
"""
EC = "ec -pkeyopt ec_paramgen_curve:P-256"
SERVICE_STRESSED = "".join(f"\n  -o {{ {line} }}" for line in
                           CERTIFICATE_OF_STRESS.splitlines())


def make(s, name, kind="rsa:2048"):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", *kind.split(), "-nodes",
         "-days", "30", "-subj", "/CN=mx.example.test", "-keyout",
         s.root / f"etc/{name}.key", "-out", s.root / f"etc/{name}.pem"],
        check=True, capture_output=True)


def shown(s, port="pop3s", context=None):
    """Digest of the certificate a client meets."""
    context = context or careless_tls()
    with socket.create_connection(("127.0.0.1", s.ports[port])) as raw:
        with context.wrap_socket(raw) as t:
            return hashlib.sha256(t.getpeercert(True)).hexdigest()


def digest(path):
    text = path.read_text()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(
        text[text.index("-----BEGIN CERT"):])).hexdigest()


def test_renewed_certificate(suite):
    s = suite(main="tls_renewal_check_time = 1s\n")
    etc = s.root / "etc"
    old = digest(etc / "cert.pem")
    assert shown(s) == old and shown(s, "smtps") == old
    session = s.pop3()
    # a certificate without its key changes nothing
    make(s, "new")
    shutil.copy(etc / "new.pem", etc / "cert.pem")
    s.wait_log("are not usable: the old ones stay in use")
    assert shown(s) == old
    # with its key it is taken up, and those who are in stay in
    os.replace(etc / "new.key", etc / "key.pem")
    s.wait_log("have changed: taken up")
    new = digest(etc / "new.pem")
    wait_for("the new certificate", lambda: shown(s) == new)
    wait_for("the new certificate", lambda: shown(s, "smtps") == new)
    assert session.noop().startswith(b"+OK")
    session.quit()
    time.sleep(0.1)  # it is not taken up once more
    assert shown(s) == new
    assert s.log().count("have changed: taken up") == 1


@pytest.mark.parametrize("how", ["noticed", "reload"])
def test_who_came_before_may_begin_tls_afterwards(suite, how):
    s = suite(main="tls_renewal_check_time = 1s\n")
    etc = s.root / "etc"
    old = digest(etc / "cert.pem")
    with smtplib.SMTP("127.0.0.1", s.ports["smtp"]) as before:
        before.ehlo()
        make(s, "new")
        os.replace(etc / "new.key", etc / "key.pem")
        shutil.copy(etc / "new.pem", etc / "cert.pem")
        new = digest(etc / "new.pem")
        if how == "reload":
            s.posthaste("reload")
        wait_for("the new certificate", lambda: shown(s) == new)
        wait_for("the new certificate", lambda: shown(s, "smtps") == new)
        before.starttls(context=careless_tls())
        seen = before.sock.getpeercert(True)
        assert hashlib.sha256(seen).hexdigest() == old
        assert before.noop()[0] == 250


def of_kind(kind):
    """For clients that take one kind of certificate alone."""
    context = careless_tls(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"ECDHE-{kind}-AES256-GCM-SHA384")
    return context


def test_a_second_renewal_takes_nothing_from_the_first(suite):
    """Each key that was replaced signs for a while from then on."""
    s = suite(start=False, main="tls_renewal_check_time = 1s\n")
    etc = s.root / "etc"
    pairs = {"RSA": ("rsa:2048", "cert.pem", "key.pem"),
             "ECDSA": (EC, "ec.pem", "ec.key")}
    make(s, "ec", EC)
    s.set(smtpd_tls_eccert_file=f"{etc}/ec.pem",
          smtpd_tls_eckey_file=f"{etc}/ec.key")
    s.start()
    before = {}
    for kind in pairs:
        before[kind] = smtplib.SMTP("127.0.0.1", s.ports["smtp"])
        before[kind].ehlo()
    old = {kind: digest(etc / pairs[kind][1]) for kind in pairs}
    for kind, (form, certificate, key) in pairs.items():
        make(s, "new", form)
        os.replace(etc / "new.key", etc / key)
        os.replace(etc / "new.pem", etc / certificate)
        new = digest(etc / certificate)
        wait_for("the new certificate", lambda new=new, kind=kind:
                 shown(s, "smtps", of_kind(kind)) == new)
    for kind, c in before.items():
        c.starttls(context=of_kind(kind))
        seen = c.sock.getpeercert(True)
        assert hashlib.sha256(seen).hexdigest() == old[kind]
        c.quit()


@contextlib.contextmanager
def under_stress(s):
    """The certificate that the second of two sessions is shown."""
    with smtplib.SMTP("127.0.0.1", s.ports["smtp"]):
        with smtplib.SMTP("127.0.0.1", s.ports["smtp"]) as c:
            c.starttls(context=careless_tls())
            yield hashlib.sha256(c.sock.getpeercert(True)).hexdigest()


@pytest.mark.parametrize("of_service", [False, True])
def test_a_certificate_for_sessions_under_stress_alone(suite, of_service):
    """Tried, kept and named as others are."""
    option = SERVICE_STRESSED if of_service else ""
    s = suite(start=False, main="" if of_service else CERTIFICATE_OF_STRESS,
              master_cf=MASTER_CF.replace(
                  "{smtp} inet n - n - 200 smtpd",
                  "{smtp} inet n - n - 2 smtpd" +
                  option.replace("{", "{{").replace("}", "}}")))
    etc = s.root / "etc"
    make(s, "busy")
    check = s.posthaste("check", check=False)
    assert check.returncode == 0, check.err
    s.set(tls_renewal_check_time="1s")
    s.start()
    assert shown(s, "smtps") == digest(etc / "cert.pem")
    busy = digest(etc / "busy.pem")
    with under_stress(s) as seen:
        assert seen == busy
    os.truncate(etc / "busy.pem", 100)
    where = "-o option" if of_service else r"main.cf: line \d+"
    told = rf"{where}: smtpd_tls_cert_file: under stress: {etc}/busy.pem: "
    s.wait_log("are not usable: the old ones stay in use")
    s.wait_log("warning: .*" + told)
    check = s.posthaste("check", check=False)
    assert check.returncode != 0 and len(re.findall(told, check.err)) == 1, \
        check.err
    kill_all(s.processes("keyd") + s.processes("smtpd"))
    with under_stress(s) as seen:
        assert seen == busy


def truncated(etc):
    """Amid a copy."""
    os.truncate(etc / "cert.pem", 100)
    return "cert.pem"


def mismatched(etc):
    """A certificate whose key has not come yet."""
    shutil.copy(etc / "new.pem", etc / "cert.pem")
    return "cert.pem"


def removed(etc):
    (etc / "key.pem").unlink()
    return "key.pem"


# smtpd has TLS twice then: the files are read once more
STRESSED = "smtpd_tls_loglevel = ${stress?{1}:{0}}\n"


@pytest.mark.parametrize("damage, main", [
    (truncated, ""), (mismatched, ""), (removed, ""), (truncated, STRESSED)])
def test_what_starts_while_the_files_are_wrong_has_the_old_ones(
        suite, damage, main):
    """The last good pair stays in service until there is a new one."""
    s = suite(main="tls_renewal_check_time = 1s\n" + main)
    etc = s.root / "etc"
    old = digest(etc / "cert.pem")
    make(s, "new")
    name = damage(etc)
    s.wait_log("are not usable: the old ones stay in use")
    kill_all(s.processes("keyd") + s.processes("smtpd") + s.processes("pop3d"))
    assert shown(s) == shown(s, "smtps") == old
    told = s.wait_log(rf"warning: main.cf: line \d+: .*{etc}/{name}: .*")[0]
    assert s.log().count(told) == 1
    # so it is after a reload, which says it again
    check = s.posthaste("check", check=False)
    assert check.returncode != 0 and f"{etc}/{name}" in check.err
    done = s.posthaste("reload")
    assert "the old ones stay in use" in done.out + done.err
    wait_for("the line of the reload", lambda: s.log().count(told) == 2)
    kill_all(s.processes("keyd") + s.processes("smtpd") + s.processes("pop3d"))
    assert shown(s) == shown(s, "smtps") == old
    for new, where in (("new.key", "key.pem"), ("new.pem", "cert.pem")):
        os.replace(etc / new, etc / where)
    s.wait_log("have changed: taken up")
    new = digest(etc / "cert.pem")
    wait_for("the new certificate",
             lambda: shown(s) == shown(s, "smtps") == new)


@contextlib.contextmanager
def no_memory_files(pid):
    """The process cannot make any: strace(1) answers for the kernel."""
    with subprocess.Popen(
            ["strace", "-p", str(pid), "-e", "trace=memfd_create", "-e",
             "inject=memfd_create:error=ENOMEM"], stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True) as tracer:
        try:
            said = tracer.stderr.readline()
            assert "attached" in said, said
            yield
        finally:
            tracer.terminate()
            tracer.communicate(timeout=60)


@pytest.mark.skipif(os.geteuid() != 0, reason="strace needs to be root")
@pytest.mark.parametrize("program", ["smtpd", "keyd"])
def test_nothing_starts_without_what_is_handed_over(suite, program):
    """
    It would read the disk, where there is half of another pair. What has no
    keys is made for the first who needs it, and is there for all others.
    """
    s = suite(main="tls_renewal_check_time = 1h\n")
    etc = s.root / "etc"
    old = digest(etc / "cert.pem")
    if program == "keyd":
        assert shown(s, "smtps") == old
    make(s, "new")
    with no_memory_files(s.processes("master")[0]):
        mismatched(etc)
        kill_all(s.processes(program))
        with socket.create_connection(("127.0.0.1", s.ports["smtps"])) as raw:
            with careless_tls().wrap_socket(
                    raw, do_handshake_on_connect=False) as t:
                t.settimeout(0.1)
                with contextlib.suppress(OSError):
                    t.do_handshake()
                s.wait_log(rf"master\[\d+\]: error: cannot start \S*/{program}:"
                           " memory for its certificates: Cannot allocate")
        assert not s.processes(program)
    wait_for("the old pair", lambda: shown(s, "smtps") == old)


def test_nothing_starts_with_wrong_files_and_nothing_old(suite):
    s = suite(start=False)
    truncated(s.root / "etc")
    done = s.posthaste("start", check=False)
    assert done.returncode != 0 and "etc/cert.pem" in done.err + s.log()


def test_certificate_of_one_service(suite):
    """One that a line of master.cf names is tried and kept as well."""
    s = suite(start=False, main="tls_renewal_check_time = 1s\n")
    etc = s.root / "etc"
    for name in ("own", "new"):
        make(s, name)
    text = (etc / "master.cf").read_text()
    (etc / "master.cf").write_text(text.replace(
        "syslog_name=posthaste/smtps",
        f"syslog_name=posthaste/smtps\n  -o smtpd_tls_cert_file={etc}/own.pem"
        f"\n  -o smtpd_tls_key_file={etc}/own.key"))
    s.start()
    old, new = digest(etc / "own.pem"), digest(etc / "new.pem")
    assert shown(s, "smtps") == old != shown(s)
    os.replace(etc / "new.pem", etc / "own.pem")
    s.wait_log("are not usable: the old ones stay in use")
    assert f"{etc}/own.pem" in s.log()
    kill_all(s.processes("keyd") + s.processes("smtpd"))
    assert shown(s, "smtps") == old
    os.replace(etc / "new.key", etc / "own.key")
    wait_for("the new certificate", lambda: shown(s, "smtps") == new)


@pytest.mark.parametrize("kind, main, options", [
    (EC, "", {"smtpd_tls_eccert_file": "own.pem",
              "smtpd_tls_eckey_file": "own.key"}),
    ("rsa:2048", "smtpd_tls_cert_file = $mine\nsmtpd_tls_key_file = $my_key\n"
     "mine = {etc}/cert.pem\nmy_key = {etc}/key.pem\n",
     {"mine": "own.pem", "my_key": "own.key"}),
    # the certificate is main.cf's, its key is in another file as well
    ("rsa:2048", "", {"smtpd_tls_key_file": "own.key"}),
], ids=["second pair", "by another name", "key alone"])
def test_files_that_main_cf_names_in_part(suite, kind, main, options):
    """Whatever an -o changes of a pair makes another, which is watched."""
    s = suite(start=False, main="tls_renewal_check_time = 1s\n")
    etc = s.root / "etc"
    for name in ("own", "new"):
        make(s, name, kind)
    if len(options) == 1:
        shutil.copy(etc / "key.pem", etc / "own.key")
        shutil.copy(etc / "cert.pem", etc / "own.pem")
    s.write("main.cf", (etc / "main.cf").read_text() + main.format(etc=etc))
    text = (etc / "master.cf").read_text()
    s.write("master.cf", text.replace(
        "syslog_name=posthaste/smtps", "syslog_name=posthaste/smtps" + "".join(
            f"\n  -o {k}={etc}/{v}" for k, v in options.items())))
    s.start()
    old, new = digest(etc / "own.pem"), digest(etc / "new.pem")
    assert shown(s, "smtps") == old
    shutil.copy(etc / "new.key", etc / "own.key")
    s.wait_log("are not usable: the old ones stay in use")
    s.wait_log(r"warning: .*master.cf: .*-o option: smtpd_tls_\w+: ")
    kill_all(s.processes("keyd") + s.processes("smtpd"))
    assert shown(s, "smtps") == old
    if len(options) == 1:
        shutil.copy(etc / "new.key", etc / "key.pem")
        os.replace(etc / "new.pem", etc / "cert.pem")
    else:
        os.replace(etc / "new.pem", etc / "own.pem")
    s.wait_log("have changed: taken up")
    wait_for("the new certificate", lambda: shown(s, "smtps") == new)


@pytest.mark.parametrize("renewed", [False, True])
def test_keyd_has_the_keys_of_the_settings_in_force(suite, renewed):
    """Files that were edited and not taken up say nothing to a new keyd."""
    s = suite(start=False, main="tls_renewal_check_time = 1s\n")
    etc = s.root / "etc"
    for name in ("own", "new"):
        make(s, name)
    main, text = ((etc / f).read_text() for f in ("main.cf", "master.cf"))
    s.write("master.cf", text.replace(
        "syslog_name=posthaste/smtps",
        f"syslog_name=posthaste/smtps\n  -o smtpd_tls_cert_file={etc}/own.pem"
        f"\n  -o smtpd_tls_key_file={etc}/own.key"))
    s.start()
    old = digest(etc / "cert.pem")
    s.write("master.cf", text)
    s.write("main.cf", re.sub(r"(?m)^smtpd_tls_(cert|key|chain).*\n", "", main))
    if renewed:
        for name in ("key", "pem"):
            os.replace(etc / f"new.{name}", etc / f"own.{name}")
        s.wait_log("have changed: taken up")
    kill_all(s.processes("keyd"))
    assert shown(s) == old
    wait_for("its own certificate",
             lambda: shown(s, "smtps") == digest(etc / "own.pem"))
    assert "refused for" not in s.log()


def test_certificate_of_a_client_with_options_is_tried(suite):
    s = suite(start=False)
    etc = s.root / "etc"
    make(s, "own")
    text = re.sub(r"(?m)^(smtp +unix .* smtp)$", r"\1\n  -o smtp_tls_cert_file="
                  rf"{etc}/own.pem\n  -o smtp_tls_key_file={etc}/own.key",
                  (etc / "master.cf").read_text())
    s.write("master.cf", text)
    s.posthaste("check")
    s.write("master.cf", text.replace("/own.key", "/key.pem"))
    done = s.posthaste("check", check=False)
    assert done.returncode != 0
    assert "-o option: smtp_tls_cert_file: " in done.err


def test_reload_changes_how_often_is_looked(suite):
    s = suite(main="tls_renewal_check_time = 1h\n")
    s.set(tls_renewal_check_time="1s")
    s.posthaste("reload")
    make(s, "new")
    for name, where in (("new.key", "key.pem"), ("new.pem", "cert.pem")):
        os.replace(s.root / "etc" / name, s.root / "etc" / where)
    s.wait_log("have changed: taken up")


@pytest.mark.parametrize("after", ["start", "reload"])
def test_process_that_starts_before_the_next_look(suite, after):
    """It gets the new certificate, whose key keyd must have."""
    s = suite(main="tls_renewal_check_time = 1h\n")
    etc = s.root / "etc"
    if after == "reload":
        s.posthaste("reload")
    assert shown(s) == shown(s, "smtps") == digest(etc / "cert.pem")
    make(s, "new")
    for name in ("key", "pem"):
        os.replace(etc / f"new.{name}",
                   etc / f"{'key' if name == 'key' else 'cert'}.pem")
    kill_all(s.processes("smtpd"))
    assert shown(s, "smtps") == digest(etc / "cert.pem")
    wait_for("the new certificate",
             lambda: shown(s) == digest(etc / "cert.pem"))
