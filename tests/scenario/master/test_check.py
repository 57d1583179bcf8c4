# SPDX-License-Identifier: ISC
"""posthaste check finds what cannot work, with file and line; start and
reload refuse the same."""
import os

import pytest

from posthaste import wait_for

# lines of main.cf, lines of master.cf, what is said
MISTAKES = {
    "no such host": (
        "inet_interfaces = no.such.host.invalid\n", "",
        'main.cf: line {main}: inet_interfaces: host name '
        '"no.such.host.invalid": '),
    "not our address": (
        "inet_interfaces = 127.0.0.1, 192.0.2.1\n", "",
        "main.cf: line {main}: inet_interfaces: 192.0.2.1: "
        "Cannot assign requested address"),
    "not our address in master.cf": (
        "", "192.0.2.1:25025 inet n - n - 9 smtpd\n",
        "master.cf: line {master}: service 192.0.2.1:25025/inet: cannot "
        "listen on 192.0.2.1:25025: Cannot assign requested address"),
    "pipe as root": (
        "", "hook unix - n n - - pipe user=root argv=/bin/true\n",
        "master.cf: line {master}: service hook/unix: pipe: user= must not "
        "be root"),
    "pipe attribute": (
        "", "hook unix - n n - - pipe user=nobody flag=D argv=/bin/true\n",
        'master.cf: line {master}: service hook/unix: pipe: there is no '
        'attribute "flag=D"'),
    "pipe flag": (
        "", "hook unix - n n - - pipe user=nobody flags=DQ argv=/bin/true\n",
        'master.cf: line {master}: service hook/unix: pipe: flags=: there is '
        'no flag "Q"'),
    "protocol": (
        "inet_protocols = ipv5\n", "",
        'main.cf: line {main}: inet_protocols: "ipv5" is none of: all ipv4 '
        'ipv6'),
    "relayhost with a transport": (
        "relayhost = smtp:[mx.example.test]\n", "",
        'main.cf: line {main}: relayhost: "smtp:[mx.example.test]" is no '
        'next hop'),
    "relayhost with a bad port": (
        "relayhost = [mx.example.test]:sntp-submit\n", "",
        'main.cf: line {main}: relayhost: "[mx.example.test]:sntp-submit" '
        'is no next hop'),
    "relayhost with a port of UDP": (
        "relayhost = [mx.example.test]:tftp\n", "",
        'main.cf: line {main}: relayhost: "[mx.example.test]:tftp" is no next '
        'hop'),
    "relayhost with one bracket": (
        "relayhost = a.example.test, [mx.example.test\n", "",
        'main.cf: line {main}: relayhost: "[mx.example.test" is no next hop'),
    "next hop of a transport": (
        "default_transport = smtp:[mx.example.test\n", "",
        'main.cf: line {main}: default_transport: "[mx.example.test" is no '
        'next hop'),
    "mynetworks file": (
        "mynetworks = 127.0.0.0/8 /no/such/file\n", "",
        "main.cf: line {main}: mynetworks: /no/such/file: No such file"),
    "address of a network": (
        "mynetworks = 127.0.0.0/8 300.1.1.1\n", "",
        'main.cf: line {main}: mynetworks: bad address pattern: "300.1.1.1"'),
    "part of an address": (
        "mynetworks = 127.0.0.0/8 10.1\n", "",
        'main.cf: line {main}: mynetworks: bad address pattern: "10.1"'),
    "mask of a network": (
        "mynetworks = 127.0.0.0/33\n", "",
        'main.cf: line {main}: mynetworks: bad mask length in '
        '"127.0.0.0/33"'),
    "mask of an IPv6 network": (
        "mynetworks = ![::1]/129\n", "",
        'main.cf: line {main}: mynetworks: bad mask length in "[::1]/129"'),
    "IPv6 address without its bracket": (
        "mynetworks = [::1\n", "",
        'main.cf: line {main}: mynetworks: bad address pattern: "[::1"'),
    "IPv6 address that is none": (
        "mynetworks = 2001:db8::g\n", "",
        "main.cf: line {main}: mynetworks: unsupported dictionary type: "
        "2001"),
    "proxies": (
        "smtpd_authorized_xclient_hosts = 300.1.1.1\n", "",
        "main.cf: line {main}: smtpd_authorized_xclient_hosts: bad address "
        'pattern: "300.1.1.1"'),
    "clients without limits": (
        "smtpd_client_event_limit_exceptions = $mynetworks 1.2.3.4/40\n", "",
        "main.cf: line {main}: smtpd_client_event_limit_exceptions: bad mask "
        'length in "1.2.3.4/40"'),
    "address of a device": (
        "proxy_interfaces = 300.1.1.1\n", "",
        'main.cf: line {main}: proxy_interfaces: "300.1.1.1" is neither an '
        "address nor a host name"),
    "network of a device": (
        "proxy_interfaces = 192.0.2.0/24\n", "",
        'main.cf: line {main}: proxy_interfaces: "192.0.2.0/24" is neither '
        "an address nor a host name"),
    "name server by its name": (
        "dns_servers = 127.0.0.1,ns1.example.com\n", "",
        'main.cf: line {main}: dns_servers: "ns1.example.com" is not address '
        "or address:port"),
    "name server in brackets without a port": (
        "dns_servers = [::1]\n", "",
        'main.cf: line {main}: dns_servers: "[::1]" is not address '),
    "name server without its port": (
        "dns_servers = [::1]:53,127.0.0.1:\n", "",
        'main.cf: line {main}: dns_servers: "127.0.0.1:" is not address '),
    "address that is none": (
        "inet_interfaces = 300.1.1.1\n", "",
        'main.cf: line {main}: inet_interfaces: host name "300.1.1.1": '),
    "mydestination file": (
        "mydestination = local.test !/no/such/file\n", "",
        "main.cf: line {main}: mydestination: /no/such/file: No such file"),
    "relay_domains file": (
        "relay_domains = /no/such/file\n", "",
        "main.cf: line {main}: relay_domains: /no/such/file: No such file"),
    "many queue managers": (
        "", "qmgr unix n - n 300 2 qmgr\n",
        "master.cf: line {master}: service qmgr/unix: maxproc must be 1"),
    "negative maxproc": (
        "", "more unix - - n - -1 smtp\n",
        'master.cf: line {master}: the column "maxproc" holds "-1"'),
    "wakeup of an inet service": (
        "", "127.0.0.1:25025 inet n - n 60 9 smtpd\n",
        "master.cf: line {master}: service 127.0.0.1:25025/inet: an inet "
        "service is woken by its clients"),
    "certificate": (
        "smtpd_tls_cert_file = /no/such/cert\n", "",
        "main.cf: line {main}: smtpd_tls_cert_file: /no/such/cert: No such"),
    "key": (
        "smtpd_tls_key_file = /no/such/key\n", "",
        "main.cf: line {main}: smtpd_tls_key_file: /no/such/key: No such"),
    "client certificate": (
        "smtp_tls_cert_file = /no/such/cert\n", "",
        "main.cf: line {main}: smtp_tls_cert_file: /no/such/cert: No such"),
    "quota": (
        "account_quota = *:storage=1X\n", "",
        'main.cf: line {main}: account_quota: "*:storage=1X" is not '
        'understood'),
    "use of a special folder": (
        "mail_special_folders = Drafts:Drafts, Sent:Sentt\n", "",
        'main.cf: line {main}: mail_special_folders: "Sent:Sentt" is not a '
        'name, a colon, and a use such as Sent'),
    "prefix of shared folders": (
        "mail_shared_prefix = INBOX\n", "",
        'main.cf: line {main}: mail_shared_prefix: "INBOX" cannot be the name '
        'of a folder'),
    "tree of public folders": (
        "mail_public_folders = Public maildir:/srv/mail\n", "",
        'main.cf: line {main}: mail_public_folders: "Public maildir:/srv/mail" '
        'is not a name of one level'),
    "UIDL format": (
        "pop3_uidl_format = %q\n", "",
        "main.cf: line {main}: pop3_uidl_format: "),
    "location without a kind": (
        "account_mail = /var/mail/%u\n", "",
        'main.cf: line {main}: account_mail: mail location '
        '"/var/mail/user@example.com" is not supported'),
    "location's option": (
        "account_mail = maildir:~/Maildir:LAYUOT=fs\n", "",
        "main.cf: line {main}: account_mail: mail location: option LAYUOT is "
        "not supported"),
    "lists outside of the mailbox": (
        "account_mail = maildir:~/Maildir:CONTROL=~/lists\n", "",
        "main.cf: line {main}: account_mail: mail location: "
        "CONTROL=/home/user/lists is not below /home/user/Maildir"),
    "no such security option": (
        "smtpd_sasl_security_options = noanonymous, noplain\n", "",
        'main.cf: line {main}: smtpd_sasl_security_options: '),
    "name of no setting": (
        "smtpd_recipient_restriction = reject\n", "",
        "main.cf: line {main}: smtpd_recipient_restriction: no setting has "
        'this name; did you mean "smtpd_recipient_restrictions"? '
        '("unknown_parameters = warn" in main.cf lets such names pass)'),
    "of one service, for what is done for all": (
        "", "other unix n - n - 0 cleanup -o canonical_maps=\n",
        "master.cf: line {master}: service other/unix: -o canonical_maps: one "
        "lookup does this for all services: take it out, or set "
        "it in main.cf for all"),
    "rewriting of one service": (
        "", "rewrite unix - - n - - trivial-rewrite -o { relayhost = [a] }\n",
        "master.cf: line {master}: service rewrite/unix: -o relayhost: one "
        "lookup does this for all services: take it out, or set "
        "it in main.cf for all"),
    "name of no setting in a service's option": (
        "", "more unix - - n - 9 smtp -o smtp_tls_securty_level=may\n",
        "master.cf: line {master}: service more/unix: -o option: "
        "smtp_tls_securty_level: no setting has this name; did you mean "
        '"smtp_tls_security_level"?'),
    "name of no setting where no process is needed": (
        "", "tlsmgr unix - - n 1000? 1 tlsmgr -o { tls_ramdon_bytes = 32 }\n",
        "master.cf: line {master}: service tlsmgr/unix: -o option: "
        'tls_ramdon_bytes: no setting has this name; did you mean '
        '"tls_random_bytes"?'),
    "filter that would be missing": (
        "smtpd_milters = inet:127.0.0.1:11332\n", "",
        "main.cf: line {main}: smtpd_milters: mail filters (milters) come "
        "later: until then mail would pass unfiltered "
        '("missing_protection = warn" in main.cf starts without it)'),
    "filter of some clients that would be missing": (
        "smtpd_milter_maps = cidr:/etc/postfix/milters\n", "",
        "main.cf: line {main}: smtpd_milter_maps: mail filters (milters) come "
        "later: until then mail would pass unfiltered"),
    "addresses that would be used": (
        "smtpd_dns_reply_filter = pcre:/etc/postfix/answers\n", "",
        "main.cf: line {main}: smtpd_dns_reply_filter: filtering DNS answers "
        "comes later: until then addresses that this is to leave out would "
        "be used"),
    "clients that would get in": (
        "smtpd_tls_req_ccert = yes\n", "",
        "main.cf: line {main}: smtpd_tls_req_ccert: comes later: until then "
        "clients without a trusted certificate would get in"),
    "filter of a service that would be missing": (
        "", "more unix - - n - 9 smtp -o content_filter=scan:[::1]:10025\n",
        "master.cf: line {master}: service more/unix: -o option: "
        "content_filter: content filters come later: until then mail would "
        "pass unfiltered"),
    "obsolete TLS policy": (
        "smtp_tls_per_site = hash:/etc/postfix/sites\n", "",
        "main.cf: line {main}: smtp_tls_per_site: obsolete, and mandatory TLS "
        "would be lost"),
    "name that is the program's own": (
        "process_name = x\n", "",
        "main.cf: line {main}: process_name: cannot be set"),
}


def last_line(path):
    return len(path.read_text().splitlines())


def told(s, said, err, level="error"):
    """Once, with the place of the last line of the file."""
    said = said.format(main=last_line(s.root / "etc/main.cf"),
                       master=last_line(s.root / "etc/master.cf"))
    return err.count(f"{level}: {said}") == 1


@pytest.mark.parametrize("mistake", MISTAKES)
def test_check_and_start_refuse(suite, mistake):
    main, master, said = MISTAKES[mistake]
    s = suite(start=False, main=main, master=master)
    for action in ("check", "start"):
        done = s.posthaste(action, check=False)
        assert done.returncode != 0
        assert told(s, said, done.err), done.err
    assert s.posthaste("status", check=False).returncode != 0


def test_reload_refuses_the_same(suite):
    s = suite()
    good = {name: (s.root / "etc" / name).read_text()
            for name in ("main.cf", "master.cf")}
    for main, master, said in MISTAKES.values():
        s.write("main.cf", good["main.cf"] + main)
        s.write("master.cf", good["master.cf"] + master)
        done = s.posthaste("reload", check=False)
        assert done.returncode != 0, said
        assert told(s, said, done.err), done.err
        assert "the old configuration stays in force" in done.err
    assert "generation 1" in s.posthaste("status").out
    s.send()
    s.wait_messages("bob")
    for name, text in good.items():
        s.write(name, text)
    s.posthaste("reload")
    wait_for("generation 2",
             lambda: "generation 2" in s.posthaste("status").out)


NO_HOP = "is no next hop: host, host:port, [host] or [host]:port is wanted"
# lines of main.cf, lines of master.cf, what is said
FALLBACKS = {
    "bad port": (
        "smtp_fallback_relay = [a.example.test], [b.example.test]:smpt\n", "",
        f'main.cf: line {{main}}: smtp_fallback_relay: '
        f'"[b.example.test]:smpt" {NO_HOP}'),
    "by its older name": (
        "fallback_relay = [a.example.test\n", "",
        f'main.cf: line {{main}}: fallback_relay: "[a.example.test" {NO_HOP}'),
    "of LMTP": (
        "lmtp_fallback_relay = a:b:c\n", "",
        f'main.cf: line {{main}}: lmtp_fallback_relay: "a:b:c" {NO_HOP}'),
    "of one service": (
        "smtp_fallback_relay = [a.example.test]\n",
        "more unix - - n - 9 smtp -o smtp_fallback_relay=[b.example.test\n",
        'master.cf: line {master}: service more/unix: -o option: '
        f'smtp_fallback_relay: "[b.example.test" {NO_HOP}'),
    "of one service by its older name": (
        "", "more unix - - n - 9 smtp -o { fallback_relay = a:b:c }\n",
        'master.cf: line {master}: service more/unix: -o option: '
        f'fallback_relay: "a:b:c" {NO_HOP}'),
}


@pytest.mark.parametrize("slip", FALLBACKS)
def test_a_slip_in_a_fallback_stops_nothing(suite, slip):
    """Mail goes on by the other servers: check fails, start and reload
    warn."""
    main, master, said = FALLBACKS[slip]
    s = suite(start=False, main=main, master=master)
    done = s.posthaste("check", check=False)
    assert done.returncode != 0
    assert told(s, said, done.err), done.err
    s.started = True
    for action in ("start", "reload"):
        done = s.posthaste(action)
        assert told(s, said, done.err, "warning"), done.err
    s.send()
    s.wait_messages("bob")


def test_a_fallback_that_is_not_used_is_none(suite):
    """fallback_relay counts where smtp_fallback_relay is not set."""
    s = suite(start=False, main="fallback_relay = [a.example.test\n"
              "smtp_fallback_relay = [b.example.test]\n",
              master="more unix - - n - 9 smtp -o smtp_fallback_relay=\n"
              "most unix - - n - 9 smtp -o fallback_relay=a:b:c\n")
    assert "next hop" not in s.posthaste("check").err


WARNINGS = {
    "no accounts": (
        "account_files =\n", "",
        "account_files: not set: nobody can log in to 127.0.0.1:"),
    "no certificate, and no passwords without": (
        "", "127.0.0.1:2993 inet n - n - 9 imapd -o imapd_tls_cert_file=\n",
        "service 127.0.0.1:2993/inet: nobody can log in: there is no "
        "certificate"),
    "missing table": (
        "virtual_alias_maps = hash:{etc}/nothing\n", "",
        "virtual_alias_maps: {etc}/nothing: No such file"),
    "old database": (
        "virtual_alias_maps = cdb:{etc}/old\n", "",
        "virtual_alias_maps: {etc}/old.cdb: older than its source: run "
        "postmap"),
    "old database with its source": (
        "virtual_alias_maps = hash:{etc}/old\n", "",
        "virtual_alias_maps: {etc}/old.cdb: older than its source, which is "
        "read instead"),
    "no protection from relaying": (
        "smtpd_relay_restrictions = permit_mynetworks\n"
        "smtpd_recipient_restrictions = permit_mynetworks, "
        "warn_if_reject reject_unauth_destination\n", "",
        "smtpd_relay_restrictions: neither this nor "
        "smtpd_recipient_restrictions has reject_unauth_destination"),
    "domain of two classes": (
        "mydestination = two.test\nvirtual_alias_domains = Two.test\n", "",
        "virtual_alias_domains: do not list domain two.test in BOTH "
        "mydestination and virtual_alias_domains: the first one counts"),
    "next hop in a table": (
        "transport_maps = hash:{etc}/transport\n", "",
        '{etc}/transport: line 3: transport_maps: "[b.test" is no next hop'),
    "transport in a table": (
        "transport_maps = hash:{etc}/transport\n", "",
        '{etc}/transport: line 4: transport_maps: "smpt" is no service in '
        'master.cf'),
    "user of a pipe": (
        "", "hook unix - n n - - pipe user=nosuchuser argv=/bin/true\n",
        'service hook/unix: pipe: user=: there is no user "nosuchuser"'),
    "group of a pipe": (
        "", "hook unix - n n - - pipe user=nobody:nosuch argv=/bin/true\n",
        'service hook/unix: pipe: user=: there is no group "nosuch"'),
    "command of a pipe": (
        "", "hook unix - n n - - pipe user=nobody argv=/no/such/command x\n",
        "service hook/unix: pipe: /no/such/command: No such file"),
    "wakeup of an agent": (
        "", "more unix - - n 60 9 smtp\n",
        "service more/unix: a wakeup time has no use for smtp"),
    "setting that comes later": (
        "address_verify_negative_cache = no\n", "",
        "address_verify_negative_cache: address verification comes later"),
    "setting of a service that comes later": (
        "", "more unix - - n - 9 smtp -o use_srv_lookup=submission\n",
        "service more/unix: -o option: use_srv_lookup: SRV records come "
        "later"),
    "name of an older release": (
        "qmgr_site_hog_factor = 90\n", "",
        "qmgr_site_hog_factor: no message holds another up"),
    "name of a patch": (
        "virtual_mailbox_limit_maps = hash:/x\n", "",
        "virtual_mailbox_limit_maps: of the VDA patch"),
    "setting of a service that is not there": (
        "slow_destination_concurrency_limit = 2\n", "",
        "slow_destination_concurrency_limit: master.cf has no delivery "
        "service of this name"),
    "name of no setting that is let pass": (
        "unknown_parameters = warn\nsmtpd_tls_wrapermode = yes\n", "",
        'smtpd_tls_wrapermode: no setting has this name; did you mean '
        '"smtpd_tls_wrappermode"?\n'),
    "filter that is let go missing": (
        "missing_protection = warn\nheader_checks = pcre:/x\n", "",
        "header_checks: content inspection comes later: until then mail would "
        "pass uninspected\n"),
    "pickup that nobody wakes": (
        "", "pickup unix n - n - 1 pickup\n",
        "service pickup/unix: without a wakeup time"),
}


@pytest.mark.parametrize("mistake", WARNINGS)
def test_check_warns(suite, mistake):
    main, master, said = WARNINGS[mistake]
    s = suite(start=False, master=master)
    etc = s.root / "etc"
    with open(etc / "main.cf", "a") as f:
        f.write(main.format(etc=etc))
    s.write("old", "a@example.test b@example.test\n")
    s.command("postmap", etc / "old")
    os.utime(etc / "old.cdb", (1, 1))
    s.write("transport", "# ours\na.test smtp:[a.test]:25\n"
                         "b.test smtp:[b.test\nc.test smpt:c.test\n"
                         "d.test :\ne.test error:5.1.1 no, [not here\n")
    done = s.posthaste("check")
    assert done.err.count(said.format(etc=etc)) == 1, done.err
    if master:
        line = last_line(etc / "master.cf")
        assert f"warning: master.cf: line {line}: {said}" in done.err
    assert "not here" not in done.err


def test_names_that_are_meant(suite):
    """Settings of one's own, classes, families, old-style tables, values that
    Postfix has anyway: not a word."""
    s = suite(start=False, main="""mua_client_restrictions = permit_sasl_authenticated, reject
own = strict
smtpd_restriction_classes = $own, careful
strict = reject_non_fqdn_sender
careful = reject_non_fqdn_recipient
smtp_destination_rate_delay = 1s
hook_time_limit = 20s
content_filter =
smtpd_milters =
biff = yes
mime_header_checks = $header_checks
""", master="""more unix - - n - 9 smtp
  -o smtpd_client_restrictions=$mua_client_restrictions -o content_filter=
  -o { smtp_helo_name = $helo.$mydomain } -o helo=more
hook unix - n n - - pipe user=nobody argv=/bin/true $own
""")
    done = s.posthaste("check")
    for name in ("mua_", "own", "strict", "careful", "rate_delay", "hook",
                 "content_filter", "milters", "biff", "header_checks", "helo"):
        assert f": {name}" not in done.err, done.err
    assert "more/unix" not in done.err, done.err


MISMATCH = "reject_sender_login_mismatch"
OWNED = "reject_known_sender_login_mismatch"
# lines of main.cf, options of a service, (list, restriction) told, at an -o
ASKED = {
    "in main.cf": (f"smtpd_sender_restrictions = {MISMATCH}\n", "",
                   ("smtpd_sender_restrictions", MISMATCH), False),
    "in a class": (
        "smtpd_restriction_classes = ours\n"
        "ours = reject_authenticated_sender_login_mismatch\n"
        f"smtpd_recipient_restrictions = warn_if_reject {MISMATCH}, ours\n", "",
        ("smtpd_recipient_restrictions",
         "reject_authenticated_sender_login_mismatch"), False),
    "in an option": (
        f"mua = {OWNED}\n", "-o smtpd_helo_restrictions=$mua",
        ("smtpd_helo_restrictions", OWNED), True),
    "as Postfix": (f"smtpd_sender_restrictions = {MISMATCH}\n"
                   "smtpd_from_login_match = no\n", "", None, False),
    "said": ("", f"-o smtpd_sender_restrictions={MISMATCH} "
             "-o smtpd_from_login_match=envelope", None, False),
    "only warns": (
        f"smtpd_sender_restrictions = warn_if_reject {MISMATCH}\n", "", None,
        False),
    "logged in at all": (
        "smtpd_sender_restrictions = "
        "reject_unauthenticated_sender_login_mismatch\n", "", None, False),
}


@pytest.mark.parametrize("name", ASKED)
def test_who_moves_here_is_told_what_headers_are_refused(suite, name):
    """By check and its report, not by the log of each start."""
    main, options, told, at_option = ASKED[name]
    s = suite(main="smtpd_sasl_auth_enable = yes\n" + main, start=False)
    if options:
        path = s.root / "etc/master.cf"
        path.write_text(path.read_text() + "127.0.0.1:25025 inet n - n - 9 "
                        f"smtpd {options}\n")
    said = s.posthaste("check")
    report = s.posthaste("check", "--report")
    rows = [line for line in (said.out + said.err).splitlines()
            if "From:, Sender:" in line]
    noted = [line for line in report.out.splitlines()
             if "From:, Sender:" in line]
    if told is None:
        assert rows == noted == []
    else:
        (row,), (note,) = rows, noted
        assert f"{told[0]}: {told[1]} refuses (553) mail of clients" in row
        assert ("service 127.0.0.1:25025/inet: -o option: " in row) == at_option
        assert ": note: " in note and f"{told[1]} refuses (553)" in note
        assert "smtpd_from_login_match = no is Postfix's way" in row
        assert told[1] == OWNED or "is not theirs, which Postfix takes" in row
    s.start()
    assert "smtpd_from_login_match" not in s.log()
