# SPDX-License-Identifier: ISC
"""check, start and reload refuse what would leave nobody able to log in or
to speak TLS."""
import os
import shutil
import subprocess

import pytest
from posthaste import AS_ROOT, MASTER_CF, careless_tls


def refused(s, *words):
    for action in ("check", "start"):
        done = s.posthaste(action, check=False)
        assert done.returncode != 0, done.err
        for word in words:
            assert word in done.err, done.err


def make_certificate(s, name, kind):
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj",
         "/CN=mx.example.test", "-keyout", s.root / f"etc/{name}.key", "-out",
         s.root / f"etc/{name}.pem", *kind],
        check=True, capture_output=True)
    os.chmod(s.root / f"etc/{name}.key", 0o600)


@pytest.mark.parametrize("setting, words", [
    ("account_files = /nonexistent/accounts",
     ["account_files: /nonexistent/accounts: No such file"]),
    ("account_files = accounts", ["neither an absolute file name nor pam"]),
    ("account_master_files = /nonexistent/masters",
     ["account_master_files: /nonexistent/masters: No such file"]),
    ("account_master_files = pam", ["only files can name masters"]),
    ("account_app_password_only = imap ftp",
     ["account_app_password_only: ftp: no such protocol"]),
    ("account_app_password_file = app_passwords",
     ["account_app_password_file: app_passwords: neither an absolute"]),
    ("auth_master_user_separator = +",
     ["auth_master_user_separator: +: is none of"]),
    ("auth_mechanisms = plain ntlm", ["auth_mechanisms: ntlm: not a"]),
    ("smtpd_tls_cert_file = /nonexistent/cert.pem",
     ["smtpd_tls_cert_file: /nonexistent/cert.pem: No such file"]),
    ("smtpd_tls_protocols = >=TLSv1.7", ["unknown TLS protocol"]),
    ("smtpd_tls_mandatory_protocols = SSLv3",
     ["smtpd_tls_mandatory_protocols: no TLS protocol is left"]),
    ("smtp_tls_fingerprint_digest = sha257",
     ["smtp_tls_fingerprint_digest: OpenSSL has no such digest"]),
    ("smtp_tls_CAfile = /nonexistent/ca.pem", ["/nonexistent/ca.pem"]),
    ("pop3d_tls_cert_file = /nonexistent/pop.pem",
     ["pop3d_tls_cert_file: /nonexistent/pop.pem"]),
    ("smtpd_tls_cert_file =\nsmtpd_tls_security_level = encrypt",
     ["smtpd_tls_security_level: needs a certificate"]),
    ("smtpd_tls_cert_file =\nsmtpd_tls_wrappermode = YES",
     ["smtpd_tls_wrappermode: needs a certificate"]),
    ("smtpd_tls_cert_file = ${stress?{}:{$config_directory/cert.pem}}\n"
     "smtpd_tls_security_level = encrypt",
     ["smtpd_tls_cert_file: under stress: smtpd_tls_security_level needs a "
      "certificate"]),
])
def test_wrong_settings_are_refused(suite, setting, words):
    s = suite(start=False, main=setting + "\n")
    line = len((s.root / "etc/main.cf").read_text().splitlines())
    refused(s, f"main.cf: line {line}: " if "\n" not in setting else "",
            *words)


def test_wrapper_without_certificate_names_its_service(suite):
    s = suite(start=False, main="smtpd_tls_cert_file =\n"
              "smtpd_tls_security_level =\n")
    refused(s, "master.cf", "smtpd_tls_wrappermode: needs a certificate",
            "pop3d_tls_wrappermode: needs a certificate")


def with_option(suite, option, **how):
    return suite(start=False, master_cf=MASTER_CF.replace(
        "200 smtpd", f"200 smtpd\n  -o {option}", 1), **how)


def test_a_service_without_certificate_names_what_took_it(suite):
    s = with_option(suite, "smtpd_tls_cert_file=",
                    main="smtpd_tls_security_level = encrypt\n")
    refused(s, "-o option: smtpd_tls_cert_file: smtpd_tls_security_level needs "
            "a certificate")


def test_a_pair_of_stress_and_an_option(suite):
    """Each with its own is good."""
    s = with_option(suite, "smtpd_tls_key_file=$config_directory/same.key", main=(
        "smtpd_tls_cert_file = $config_directory/${stress?{busy}:{cert}}.pem\n"
        "smtpd_tls_key_file = $config_directory/${stress?{busy.key}:{key.pem}}"
        "\n"))
    make_certificate(s, "busy", ["-newkey", "rsa:2048"])
    shutil.copy(s.root / "etc/key.pem", s.root / "etc/same.key")
    refused(s, "-o option: smtpd_tls_cert_file: under stress: ")


def test_key_of_another_certificate(suite):
    s = suite(start=False)
    make_certificate(s, "other", ["-newkey", "rsa:2048"])
    s.set(smtpd_tls_key_file=s.root / "etc/other.key")
    refused(s, "smtpd_tls_cert_file: ", "refused")


def test_ed25519_cannot_be_kept_in_keyd(suite):
    s = suite(start=False)
    make_certificate(s, "ed", ["-newkey", "ed25519"])
    s.set(smtpd_tls_cert_file=s.root / "etc/ed.pem",
          smtpd_tls_key_file=s.root / "etc/ed.key")
    refused(s, "use a certificate with an RSA or ECDSA key")


def test_users_are_no_masters(suite):
    s = suite(start=False)
    s.set(account_master_files=s.root / "etc/accounts")
    refused(s, "account_master_files: ", "all of its accounts would be mast")


@pytest.mark.skipif(not AS_ROOT, reason="without root auth is the caller")
def test_accounts_that_auth_cannot_read(suite):
    s = suite(start=False)
    os.chown(s.root / "etc/accounts", 0, 0)
    refused(s, "account_files: ", "the user of auth_user cannot "
            "read it")


def test_two_kinds_of_certificate(suite):
    """RSA and ECDSA side by side; the client chooses."""
    import socket
    import ssl
    s = suite(start=False)
    make_certificate(s, "ec", ["-newkey", "ec", "-pkeyopt",
                               "ec_paramgen_curve:prime256v1"])
    s.set(smtpd_tls_eccert_file=s.root / "etc/ec.pem",
          smtpd_tls_eckey_file=s.root / "etc/ec.key")
    s.start()
    for cipher in ("ECDHE-RSA-AES256-GCM-SHA384",
                   "ECDHE-ECDSA-AES256-GCM-SHA384"):
        context = careless_tls()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(cipher)
        with socket.create_connection(("127.0.0.1", s.ports["pop3s"])) as raw:
            with context.wrap_socket(raw) as t:
                assert t.cipher()[0] == cipher
                assert t.recv(100).startswith(b"+OK")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_protocols_are_refused(suite):
    import socket
    import ssl
    s = suite()
    context = careless_tls()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", s.ports["pop3s"])) as raw:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(raw)
