# SPDX-License-Identifier: ISC
"""Broken configurations as people write them: posthaste check names file and
line, and says what to do."""
import os
import subprocess
import time

import pytest

# bytes at the end of main.cf, what is said; {n} is the first line of these
SLIPS = {
    "comment behind a number": (
        "message_size_limit = 1000000 # one MB\n",
        'main.cf: line {n}: message_size_limit: #comment after other text is '
        'not allowed, it is part of the value: give it a line of its own: '
        '"# one MB"'),
    "comment behind a host, where nothing else is wrong": (
        "mydestination = local.test, localhost # ours\n",
        'main.cf: line {n}: mydestination: #comment after other text'),
    "blank before a setting": (
        "biff = no\n  mynetworks = 127.0.0.0/8\n",
        'main.cf: line {n}: biff: another setting stands in its value (a line '
        'that begins with a blank continues the one before it): "mynetworks ='
        ' 127.0.0.0/8"'),
    "tab before a setting, behind a comment": (
        "relayhost = [a.example]\n# ours:\n\tmynetworks=127.0.0.0/8\n",
        'main.cf: line {n}: relayhost: another setting stands in its value'),
    "quotes": (
        'mydestination = "local.test, localhost"\n',
        'main.cf: line {n}: mydestination: the quotes are part of the value: '
        'leave them out'),
    "semicolons": (
        "mynetworks = 127.0.0.0/8; 10.0.0.0/8\n",
        'main.cf: line {n}: mynetworks: blanks or commas separate words, ";" '
        'does not: "127.0.0.0/8;"'),
    "no-break space in a value": (
        "smtpd_banner = $myhostname\u00a0ESMTP\n",
        "main.cf: line {n}: smtpd_banner: there is a no-break space (U+00A0) "
        "in its value"),
    "no-break space in a name": (
        "relayhost\u00a0= a.example\n",
        "no setting has this name, which holds a no-break space (U+00A0); did "
        'you mean "relayhost"?'),
    "quotation marks of a web page": (
        "smtpd_banner = \u201c$myhostname ESMTP\u201d\n",
        "smtpd_banner: there is a quotation mark (U+201C) in its value"),
    "unit of a size": (
        "message_size_limit = 50M\n",
        'main.cf: line {n}: message_size_limit: "50M" is not a number: write '
        "52428800"),
    "dollar sign": (
        "smtpd_banner = $myhostname costs $5\n",
        'main.cf: line {n}: smtpd_banner: no setting has the name "5": a '
        'dollar sign is written "$$"'),
    "name behind a dollar sign": (
        "smtpd_banner = $myhostnam ESMTP\n",
        'main.cf: line {n}: smtpd_banner: no setting has the name '
        '"myhostnam"; did you mean "myhostname"?'),
    "no equals sign": (
        "relayhost [mail.example.net]\n",
        "main.cf: line {n}: missing '=' after attribute name: "
        '"relayhost [mail.example.net]"'),
    "earlier entry": (
        "relayhost = [a.example]\nrelayhost = [b.example]\n",
        "main.cf: line {n1}: overriding earlier entry: relayhost=[a.example]"),
    "IPv6 without brackets": (
        "relayhost = 2001:db8::25\n",
        'main.cf: line {n}: relayhost: "2001:db8::25" is no next hop: host, '
        "host:port, [host] or [host]:port is wanted, IPv6 addresses in "
        "brackets"),
    "bits of a network": (
        "mynetworks = 127.0.0.0/8 10.1.2.3/8\n",
        'main.cf: line {n}: mynetworks: non-null host address bits in '
        '"10.1.2.3/8", perhaps you should use "10.0.0.0/8" instead'),
    "open for strangers": (
        "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = "
        "permit_mynetworks, permit_sasl_authenticated\n",
        "main.cf: line {n1}: smtpd_recipient_restrictions: neither this nor "
        "smtpd_relay_restrictions has reject_unauth_destination: it is used "
        "as well"),
    "open behind permit": (
        "smtpd_relay_restrictions = permit_mynetworks, permit, "
        "reject_unauth_destination\n",
        "main.cf: line {n}: smtpd_relay_restrictions: neither this nor "
        "smtpd_recipient_restrictions has reject_unauth_destination: it is "
        "used as well"),
    "behind permit": (
        "smtpd_sender_restrictions = permit, reject_non_fqdn_sender\n",
        'main.cf: line {n}: smtpd_sender_restrictions: '
        '"reject_non_fqdn_sender" stands behind "permit", which ends the '
        'list: it is never asked'),
    "own clients behind the refusal of other sites": (
        "smtpd_relay_restrictions = reject_unauth_destination, "
        "permit_mynetworks\n",
        'main.cf: line {n}: smtpd_relay_restrictions: "permit_mynetworks" '
        'stands behind "reject_unauth_destination": whom it is to let '
        "through cannot send to other sites"),
    "everybody is ours": (
        "mynetworks = 127.0.0.0/8 0.0.0.0/0\n",
        "main.cf: line {n}: mynetworks: holds every IPv4 address: whoever "
        "can connect may send to other sites (an open relay)"),
    "everybody is ours, in capitals": (
        "smtpd_relay_restrictions = PERMIT_MYNETWORKS, "
        "reject_unauth_destination\nmynetworks = 0.0.0.0/0\n",
        "main.cf: line {n1}: mynetworks: holds every IPv4 address"),
    "everybody is ours, by a class": (
        "smtpd_restriction_classes = ours\nours = permit_mynetworks\n"
        "smtpd_relay_restrictions = ours, reject_unauth_destination\n"
        "mynetworks = 0.0.0.0/0\n",
        "main.cf: line {n3}: mynetworks: holds every IPv4 address"),
    "some of ours behind the refusal of other sites": (
        "smtpd_relay_restrictions = permit_mynetworks, "
        "reject_unauth_destination, permit_sasl_authenticated\n",
        'main.cf: line {n}: smtpd_relay_restrictions: '
        '"permit_sasl_authenticated" stands behind '
        '"reject_unauth_destination"'),
    "everybody in halves": (
        "mynetworks = [8000::]/1 [::]/1\n",
        "main.cf: line {n}: mynetworks: holds every IPv6 address"),
    "misspelled restriction": (
        "smtpd_recipient_restrictions = reject_unauth_destinaton\n",
        'main.cf: line {n}: smtpd_recipient_restrictions: unknown '
        'restriction: "reject_unauth_destinaton"; did you mean '
        '"reject_unauth_destination"?'),
    "misspelled class": (
        "smtpd_restriction_classes = greylist\ngreylist = permit\n"
        "smtpd_sender_restrictions = greylst\n",
        'smtpd_sender_restrictions: unknown restriction: "greylst"; did you '
        'mean "greylist"?'),
    "semicolon between restrictions": (
        "smtpd_sender_restrictions = permit_mynetworks;reject\n",
        'unknown restriction: "permit_mynetworks;reject": blanks or commas '
        "separate restrictions"),
    "capital letters": (
        "SMTPD_Banner = x\n",
        'main.cf: line {n}: SMTPD_Banner: no setting has this name; did you '
        'mean "smtpd_banner"?'),
    "value before the name": (
        "no = biff\n",
        'main.cf: line {n}: no: no setting has this name: did you mean "biff '
        '= no"?'),
    "passwords for nobody": (
        "smtp_sasl_password_maps = inline:{a.example=me:secret}\n",
        "main.cf: line {n}: smtp_sasl_password_maps: not used: "
        "smtp_sasl_auth_enable is no"),
    "login without passwords": (
        "smtp_sasl_auth_enable = yes\n",
        "main.cf: line {n}: smtp_sasl_auth_enable: there are no passwords: "
        "smtp_sasl_password_maps is empty"),
    "TLS at once": (
        "relayhost = [a.example]:465\n",
        'main.cf: line {n}: relayhost: "[a.example]:465" wants TLS before all '
        "else: smtp_tls_wrappermode = yes, or port 587"),
    "DANE": (
        "smtp_tls_security_level = dane\nsmtp_dns_support_level = dnssec\n",
        "error: main.cf: line {n}: smtp_tls_security_level: DANE comes later: "
        'until then TLS would be as with "may", and a forged server be taken '
        'for the right one ("missing_protection = warn" in main.cf starts '
        "without it"),
    "DNSSEC": (
        "smtp_dns_support_level = dnssec\n",
        "warning: main.cf: line {n}: smtp_dns_support_level: answers are not "
        "validated by DNSSEC so far"),
    "no postmap": (
        "virtual_alias_maps = cdb:{etc}/virtual\n",
        'main.cf: line {n}: virtual_alias_maps: {etc}/virtual.cdb: No such '
        'file or directory: "postmap cdb:{etc}/virtual" makes it'),
    "mailboxes smaller than messages": (
        "mailbox_size_limit = 1000\n",
        "main.cf: line {n}: mailbox_size_limit: mailbox_size_limit (1000) is "
        "smaller than message_size_limit (50000000): what is in between is "
        "accepted, and comes back as too large: raise mailbox_size_limit"),
    "virtual mailboxes smaller than messages": (
        "virtual_mailbox_limit = 49999999\n",
        "main.cf: line {n}: virtual_mailbox_limit: virtual_mailbox_limit "
        "(49999999) is smaller than message_size_limit (50000000)"),
    "messages without a limit": (
        "mailbox_size_limit = 0\nmessage_size_limit = 0\n",
        "main.cf: line {n1}: message_size_limit: virtual_mailbox_limit "
        "(51200000) is smaller than message_size_limit (0, no limit)"),
    "host name without domain": (
        "myhostname = mail\n",
        'main.cf: line {n}: myhostname: "mail" is not a fully qualified name'),
    "table type": (
        "virtual_alias_maps = hahs:{etc}/virtual\n",
        "main.cf: line {n}: virtual_alias_maps: unsupported dictionary type: "
        'hahs; did you mean "hash"?'),
    "content of a file": (
        "smtpd_tls_cert_file = <{etc}/cert.pem\n",
        'main.cf: line {n}: smtpd_tls_cert_file: the "<" before the file\'s '
        "name is Dovecot's, and part of the value here: leave it out"),
    "no settings of a server": (
        "virtual_alias_maps = proxy:mysql:{etc}/nothing.cf\n",
        "main.cf: line {n}: virtual_alias_maps: {etc}/nothing.cf: No such "
        "file or directory: mail that needs this table waits"),
    "no table": (
        "virtual_alias_maps = hash:{etc}/nothing\n",
        "main.cf: line {n}: virtual_alias_maps: {etc}/nothing: No such file "
        "or directory: mail that needs this table waits"),
}


def check(s, text, encoding="utf-8"):
    path = s.root / "etc/main.cf"
    n = len(path.read_text().splitlines()) + 1
    values = {"etc": s.root / "etc", "n": n, "n1": n + 1, "n3": n + 3}
    for name, value in values.items():
        text = text.replace("{%s}" % name, str(value))
    with open(path, "ab") as f:
        f.write(text.encode(encoding))
    done = s.posthaste("check", check=False)
    return done.out + done.err, values


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_in_main_cf_is_named(suite, name):
    s = suite(start=False)
    text, said = SLIPS[name]
    out, values = check(s, text)
    assert said.format(**values) in out, out


def test_networks_of_other_people(suite):
    s = suite(start=False)
    path = s.root / "etc/main.cf"
    path.write_text(path.read_text().replace("\nmynetworks =", "\n#"))
    out, values = check(s, "mynetworks_style = class\n")
    assert (f'main.cf: line {values["n"]}: mynetworks_style: "class" lets '
            "every host of a class A, B or C network send") in out, out
    out, _ = check(s, "mynetworks = 127.0.0.0/8\n")
    assert '"class"' not in out


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True,
                   capture_output=True)


def test_certificates_that_ended_and_keys_for_everybody(suite):
    s = suite(start=False)
    etc = s.root / "etc"
    openssl(etc, "x509", "-in", "cert.pem", "-signkey", "key.pem", "-days",
            "-1", "-out", "old.pem")
    assert "private key: chmod" not in s.posthaste("check").err
    (etc / "key.pem").chmod(0o644)
    out, values = check(s, "smtpd_tls_cert_file = {etc}/old.pem\n"
                           "smtpd_tls_key_file = {etc}/key.pem\n")
    n = values["n"]
    assert (f"main.cf: line {n}: smtpd_tls_cert_file: the certificate has "
            "ended 1 days ago") in out, out
    assert (f"main.cf: line {n + 1}: smtpd_tls_key_file: {etc}/key.pem: every "
            "user of this machine can read the private key: chmod o-r") in out


def test_keys_and_certificates_in_files_of_their_own(suite):
    """As smtpd_tls_chain_files may have them: a key, then its chain."""
    s = suite(start=False)
    etc = s.root / "etc"
    openssl(etc, "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
            "/CN=mx.example.test", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", "ec.key", "-out", "ec.pem")
    s.set(smtpd_tls_chain_files=f"{etc}/key.pem, {etc}/cert.pem, "
          f"{etc}/ec.key, {etc}/ec.pem")
    s.start()
    for algorithms, wanted in (("RSA-PSS+SHA256", "cert.pem"),
                               ("ECDSA+SHA256", "ec.pem")):
        shown = subprocess.run(
            ["openssl", "s_client", "-connect",
             f"127.0.0.1:{s.ports['smtp']}", "-starttls", "smtp", "-sigalgs",
             algorithms, "-CAfile", etc / wanted, "-verify_return_error"],
            input=b"QUIT\r\n", capture_output=True, timeout=60)
        assert b"Verify return code: 0" in shown.stdout, shown
    assert "no private key" not in s.log()


def test_what_looks_like_a_slip_and_is_none(suite):
    s = suite(start=False)
    before = s.posthaste("check").err
    out, _ = check(
        s, "mailbox_command = \"/bin/true\" -a '$EXTENSION'\n"
        "smtpd_banner = $myhostname ESMTP; a#b\n"
        "import_environment = TZ MAIL_CONFIG LANG=C\n"
        "mynetworks = 10.0.0.0/8 !192.0.2.0/24 0.0.0.0/1 !198.51.100.0/24 "
        "[2001:db8::]/32\nsmtpd_recipient_restrictions = permit_mynetworks, "
        "permit_sasl_authenticated, reject_unauth_destination, reject\n"
        "smtp_sasl_password_maps = inline:{a.example=me:secret}\n"
        "smtp_sasl_auth_enable = yes\nsmtp_tls_wrappermode = YES\n"
        "relayhost = [a.example]:465\nsmtp_tls_security_level = encrypt\n"
        "smtp_helo_name = ${stress?{myhostname = x}:{$myhostname}}\n")
    assert [line for line in out.splitlines(True)
            if "overriding earlier" not in line] == before.splitlines(True)


def test_what_sites_set_that_we_do_without_for_now(suite):
    """Lists of who may exist, kept by others' programs; names that master.cf
    of Postfix proposes; DANE, where its loss is accepted."""
    s = suite(start=False)
    out, values = check(
        s, "virtual_mailbox_maps = socketmap:unix:/nowhere:mailbox\n"
        "virtual_transport = lmtp:unix:private/lmtp\n"
        "mua_sender_restrictions = permit_sasl_authenticated, reject\n"
        "smtp_tls_security_level = dane\nmissing_protection = warn\n")
    assert "error" not in out
    n = values["n"]
    assert (f"main.cf: line {n + 2}: mua_sender_restrictions: no service's -o "
            "uses this list") in out
    assert f"main.cf: line {n + 3}: smtp_tls_security_level: DANE" in out
    out, _ = check(s, "virtual_transport = virtual\n")
    assert ("virtual_mailbox_maps: socketmap:unix:/nowhere:mailbox map is not "
            "allowed for security sensitive data") in out


def test_lines_of_windows_are_lines(suite):
    s = suite(start=False)
    out, _ = check(s, "relay_domains = a.example,\r\n  b.example\r\n"
                      "\r\nsmtpd_helo_required = yes\r\n")
    assert out.count("warning") == 0, out
    shown = s.command("postconf", "-h", "relay_domains",
                      "smtpd_helo_required").out
    assert shown == "a.example, b.example\nyes\n"


@pytest.mark.parametrize("words", [["check"], ["check", "--report"]])
def test_a_byte_order_mark_is_named(suite, words):
    s = suite(start=False)
    path = s.root / "etc/main.cf"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    done = s.posthaste(*words, check=False)
    assert done.returncode != 0
    assert "main.cf: begins with a byte order mark" in done.out + done.err


@pytest.mark.parametrize("line,said", [
    ("127.0.0.1:25 inet n - n - - smtpd\n-o smtpd_banner=x\n",
     'no service type "smtpd_banner=x": inet, unix, fifo, pass or unix-dgram '
     "is wanted (options of the line above begin with a blank)"),
    ("127.0.0.1:25 inet n - n - - smtpd -o smtpd_banner = x\n",
     "-o smtpd_banner: name=value is wanted, without blanks or as "
     "{ name = value }"),
    ("127.0.0.1:25 inet n - n - - smtpd\n -o smtpd_client_restrictions="
     "permit_mynetworks, reject\n",
     '"reject" belongs to no option: a value has no blanks, or stands in '
     "braces: -o { name = value }"),
    ("127.0.0.1:25 inet n - n - - smtpd -x\n",
     '"-x": there is no such option'),
    ("127.0.0.1:25 inet n - n - smtpd\n",
     'the column "maxproc" holds "smtpd"; a number or - is wanted'),
    ("127.0.0.1:25 inet n - n - - smptd\n",
     'there is no program "smptd"'),
    ("submision inet n - n - - smtpd\n",
     'service submision/inet: "submision" is neither a port number nor a '
     "name in /etc/services"),
])
def test_a_slip_in_master_cf_is_named(suite, line, said):
    s = suite(start=False, master=line)
    done = s.posthaste("check", check=False)
    assert done.returncode != 0
    assert "master.cf: line " in done.err and said in done.err, done.err


@pytest.mark.parametrize("reader,names", [
    ("lookup", ["mydestination", "relay_domains", "virtual_alias_domains",
                "virtual_mailbox_domains", "relay_transport"]),
    ("cleanup", ["queue_minfree"]), ("resolver", ["dns_servers"])])
def test_options_that_another_program_acts_on_are_named(suite, reader, names):
    s = suite(start=False, master="127.0.0.1:9 inet n - n - - smtpd\n" +
              "".join(f"  -o {name}=1\n" for name in names))
    done = s.posthaste("check", check=False)
    assert done.returncode == 0, done.err
    for name in names:
        assert done.err.count(
            f"service 127.0.0.1:9/inet: -o {name}: not used: {reader} reads "
            "it, in main.cf, for all services") == 1, done.err


def test_one_spoilt_name_is_one_complaint(suite):
    s = suite(start=False)
    out, values = check(s, "myhostname =\n")
    errors = [line for line in out.splitlines() if "error:" in line]
    assert errors == [
        f'master: error: main.cf: line {values["n"]}: myhostname: "" must '
        "not be empty"]


ACCESS = """\
a.example REJCT go away
b.example reject_unauth_destinaton
c.example 5500 no
d.example FILTER smtp:[x.example]
e.example reject_unauth_destination, permit
f.example 550 5.7.1 no
g.example 17
h.example slow
i.example check_client_access static:OK
j.example dunno
"""


def test_values_of_access_tables_are_judged(suite):
    s = suite(start=False)
    s.write("access", ACCESS)
    out, _ = check(s, "smtpd_restriction_classes = slow\nslow = sleep 1\n"
                      "smtpd_sender_restrictions = check_sender_access "
                      "hash:{etc}/access\nsmtpd_client_restrictions = "
                      "hash:{etc}/access\n")
    said = [line.split("access: ")[1] for line in out.splitlines()
            if "access: line" in line]
    no_action = ('"%s" is no action, reply code or restriction (access(5)): '
                 "who meets it is answered 451")
    assert said == [
        "line 1: " + no_action % "REJCT",
        "line 2: " + no_action % "reject_unauth_destinaton",
        "line 3: " + no_action % "5500",
        'line 4: "FILTER" is not supported yet: who meets it is answered 451',
    ], out


def test_many_bad_values_are_told_of_shortly(suite):
    """And judged in no time: a reload waits for it."""
    s = suite(start=False)
    s.write("access", "".join(f"a{i}.example REJCT\n" for i in range(80000)))
    s.write("few", "".join(f"a{i}.example REJCT\n" for i in range(20)))
    began = time.monotonic()
    out, _ = check(s, "smtpd_sender_restrictions = check_sender_access "
                      "texthash:{etc}/access, check_sender_access "
                      "texthash:{etc}/few\nsmtpd_client_restrictions = "
                      "texthash:{etc}/access, proxy:texthash:{etc}/access\n")
    assert time.monotonic() - began < 30
    assert out.count("access: line ") == 20 and "access: line 20: " in out
    assert out.count("access: and 79980 more of this kind") == 1
    assert out.count("few: line ") == 20 and "few: and" not in out


def test_lines_of_tables_are_judged_once(suite):
    """Of texts that count because there is no database, or it is older."""
    s = suite(start=False)
    s.write("table", " lead x\na.example OK\na.example OK\nonlykey\n")
    s.write("aliases", "root alice\npostmaster: root\n")
    master = "".join(
        f"127.0.0.1:{port} inet n - n - - smtpd -o smtpd_banner=x\n"
        for port in (s.ports["smtp"] + 300, s.ports["smtp"] + 301))
    with open(s.root / "etc/master.cf", "a") as f:
        f.write(master)
    out, _ = check(s, "smtpd_sender_restrictions = check_sender_access "
                      "hash:{etc}/table\ntransport_maps = texthash:"
                      "{etc}/transport\nsmtpd_client_restrictions = "
                      "check_client_access hash:{etc}/table\n"
                      "alias_maps = hash:{etc}/aliases\n")
    for said in ('table: logical line must not start with whitespace: '
                 '" lead x"',
                 'table, line 3: duplicate entry: "a.example"',
                 "table, line 4: expected format: key whitespace value",
                 "aliases, line 1: need name:value pair"):
        assert out.count(said) == 1, (said, out)
    # postmap has said it already
    s.command("postmap", f"hash:{s.root}/etc/table")
    os.utime(s.root / "etc/table", (1, 1))
    assert "expected format" not in s.posthaste("check").err
