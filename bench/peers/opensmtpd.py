# SPDX-License-Identifier: ISC
"""Debian's OpenSMTPD, in a private root.

Its defaults but for limits, which are raised so that none is met, and delays
between connections to a smarthost, which are none; mailboxes are Maildirs,
written by its own mail.maildir as one user. The queue is in files, not
compressed, not encrypted. It logs through /dev/log.

Our clients begin no more than four connections at a time: its listener's queue
is five long, compiled in ("ss -ltn" shows it, smtpd.conf(5) knows no setting).
Of a hundred clients that come at once most would wait a second, or a minute,
until the kernel asks once more, and that is all that would be measured.

When its connections to a smarthost have ended and more mail came meanwhile, it
waits ten seconds before it opens others (its log: none "mta connected" from one
second to the tenth after it, with thousands queued). Settings change nothing of
that: session-keepalive 0, session-mail-max, reconn-delay-route 0 and 2,000 for
each max-conn-per-... were tried. So what it relays of a burst of two seconds has
these ten in it.

Not as durable as the others: this version flushes what it delivers, but not its
queue (traced), so what it has accepted may be lost with the power; there is no
setting for that.

No TLS: this version's way to ask the process that has the private key does not
work with Debian 12's OpenSSL 3 (its bugs 1171 and 1239, mended since). With
"pki" and "listen on ... tls pki" as smtpd.conf(5) has it each handshake fails,
with RSA and with elliptic keys; its log says

    TLS 1.2   error:0A0C0103:SSL routines::internal error
    TLS 1.3   error:0A080006:SSL routines::EVP lib
    TLS 1.2, RSA key exchange   error:0A000093:SSL routines::decryption failed

so there is nothing to measure.
"""
import os
import shutil

from frame.root import Housed
from posthaste import free_port

CONFIGURATION = """\
table mailboxes file:/etc/smtpd.mailboxes
smtp max-message-size {size_limit}
smtp limit max-mails 1000000
smtp limit max-rcpt 100000
mta limit max-conn-per-host 50
mta limit max-conn-per-route 50
mta limit max-conn-per-connector 50
mta limit conn-delay-route 0
mta limit conn-delay-relay 0
mta limit task-hiwat 5000
mta limit task-lowat 3000
mta limit task-release 1000
listen on 127.0.0.1 port {smtp}
action "maildir" maildir "/var/mail/{domain}/%{{dest.user}}" user vmail virtual <mailboxes>
action "elsewhere" relay host "smtp://127.0.0.1:{sink}"
match from any for domain "{domain}" action "maildir"
match from any for domain "{relay_domain}" action "elsewhere"
"""
NO_TLS = "no TLS: this version does not work with OpenSSL 3 (its bug 1171)"
# what a package makes setgid when it is installed
COMMANDS = "srv/bin"
USER, QUEUE = 5001, 5002


class Server(Housed):
    name = "opensmtpd"
    about = "defaults, limits raised; does not flush its queue"
    can = frozenset(("smtp", "relay", "sendmail", "backlog"))
    cannot = {"starttls": NO_TLS, "smtps": NO_TLS,
              "large backlog": "not tried: of some 300 messages a second that "
              "it relays a flush of 200,000 would take eleven minutes"}
    opening = 4  # its listener's queue is five long
    packages = ("opensmtpd",)
    users = {"opensmtpd": USER, "opensmtpq": QUEUE}
    syslog = True

    def furnish(self, site):
        home = self.home
        self.ports = {"smtp": free_port()}
        home.write("etc/smtpd.mailboxes", "".join(
            f"{site.mailbox(n)} vmail\n" for n in range(site.users)))
        home.write("etc/smtpd.conf", CONFIGURATION.format(
            **self.ports, size_limit=site.size_limit, domain=site.domain,
            relay_domain=site.relay_domain, sink=site.sink))
        home.mkdir("var/spool/smtpd", 0o711)
        home.mkdir(COMMANDS)
        for name in ("smtpctl", "sendmail"):
            there = home.inside(f"{COMMANDS}/{name}")
            shutil.copyfile(self.tree / "usr/sbin/smtpctl", there)
            os.chown(there, 0, QUEUE)
            os.chmod(there, 0o2755)

    def start(self):
        self.daemon = self.inside(["smtpd", "-F"], wait=False)
        self.up()

    def stop(self):
        self.terminate(self.daemon)
        super().stop()

    def queued(self):
        return len(self.home.run([f"/{COMMANDS}/smtpctl", "show",
                                  "queue"]).stdout.splitlines())

    def command(self, name, *arguments):
        argv = {"sendmail": [f"/{COMMANDS}/sendmail", *arguments],
                "mailq": [f"/{COMMANDS}/smtpctl", "show", "queue"],
                "flush": [f"/{COMMANDS}/smtpctl", "schedule", "all"]}[name]
        return self.home.within(argv), {"PATH": "/usr/sbin:/usr/bin"}
