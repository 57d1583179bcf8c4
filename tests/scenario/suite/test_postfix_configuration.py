# SPDX-License-Identifier: ISC
"""The main.cf and master.cf that Debian's Postfix has after its installation
are taken as they are."""
import re

MAIN_CF = """\
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no
append_dot_mydomain = no
readme_directory = no
compatibility_level = 3.6
smtpd_tls_cert_file={root}/etc/cert.pem
smtpd_tls_key_file={root}/etc/key.pem
smtpd_tls_security_level=may
smtp_tls_CApath=/etc/ssl/certs
smtp_tls_security_level=may
smtp_tls_session_cache_database = btree:${{data_directory}}/smtp_scache
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated
\tdefer_unauth_destination
myhostname = deb.example.com
alias_maps = hash:{root}/etc/aliases
alias_database = hash:{root}/etc/aliases
myorigin = {root}/etc/mailname
mydestination = $myhostname, deb, localhost.localdomain, , localhost
relayhost =
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = all
inet_protocols = all
"""

MASTER_CF = """\
127.0.0.1:{smtp}      inet  n       -       y       -       -       smtpd
#smtp      inet  n       -       y       -       1       postscreen
127.0.0.1:{submission} inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_auth_only=yes
  -o smtpd_reject_unlisted_recipient=no
  -o smtpd_client_restrictions=$mua_client_restrictions
  -o smtpd_helo_restrictions=$mua_helo_restrictions
  -o smtpd_sender_restrictions=$mua_sender_restrictions
  -o smtpd_recipient_restrictions=
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o milter_macro_daemon_name=ORIGINATING
pickup    unix  n       -       y       60      1       pickup
cleanup   unix  n       -       y       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       y       1000?   1       tlsmgr
rewrite   unix  -       -       y       -       -       trivial-rewrite
bounce    unix  -       -       y       -       0       bounce
defer     unix  -       -       y       -       0       bounce
trace     unix  -       -       y       -       0       bounce
verify    unix  -       -       y       -       1       verify
flush     unix  n       -       y       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
proxywrite unix -       -       n       -       1       proxymap
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp
        -o syslog_name=postfix/$service_name
showq     unix  n       -       y       -       -       showq
error     unix  -       -       y       -       -       error
retry     unix  -       -       y       -       -       error
discard   unix  -       -       y       -       -       discard
local     unix  -       n       n       -       -       local
  -o syslog_name=postfix/$service_name
virtual   unix  -       n       n       -       -       virtual
lmtp      unix  -       -       y       -       -       lmtp
anvil     unix  -       -       y       -       1       anvil
scache    unix  -       -       y       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=nobody argv=/usr/bin/maildrop -d ${{recipient}}
uucp      unix  -       n       n       -       -       pipe
  flags=Fqhu user=nobody argv=uux -r -n -z -a$sender - $nexthop!rmail ($recipient)
mailman   unix  -       n       n       -       -       pipe
  flags=FRX user=nobody argv=/usr/lib/mailman/bin/postfix-to-mailman.py ${{nexthop}} ${{user}}
"""

OURS = ("queue_directory", "data_directory", "daemon_directory",
        "command_directory", "maillog_file", "mail_owner", "setgid_group")


def test_debians_files(suite):
    s = suite(start=False, master_cf=MASTER_CF)
    s.write("main.cf", MAIN_CF.format(root=s.root) + "".join(
        line + "\n" for line in s.main_cf.splitlines()
        if line.split(" ")[0] in OURS))
    s.write("mailname", "deb.example.com\n")
    box = s.root / "mail/box"
    s.write("aliases", f"# as installed\npostmaster:    root\nroot: {box}\n")
    s.root.joinpath("mail").chmod(0o777)
    done = s.posthaste("check")
    # what is of no use here is named, with its place
    assert re.search(r"warning: main.cf: line 2: biff: ", done.err)
    assert re.search(r"warning: master.cf: line \d+: service anvil/unix: ",
                     done.err)
    assert "error" not in done.err
    s.start()
    s.send(to="postmaster@deb.example.com", sender="x@deb.example.com")
    s.wait_log(r" postfix/local/local\[\d+\]: \w+: to=<postmaster@deb\."
               rf"example\.com>, .*status=sent \(delivered to file: {box}\)")
    assert "Delivered-To: postmaster@deb.example.com\n" in box.read_text()
