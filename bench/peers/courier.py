# SPDX-License-Identifier: ISC
"""Debian's Courier: its IMAP and POP3 servers, in a private root.

Accounts are in its userdb, made a database; as many connections as the site
wants, at once and from one address; IDLE by notice of the kernel
(IMAP_ENHANCEDIDLE). Mailboxes are Maildirs. It logs through /dev/log. A process
a connection, that is how it works. It has no MOVE and takes literals only when
it was asked.

Not as durable as the others: it flushes nothing of an APPEND (counted), and
changes of flags (renames) are left to the file system; there is no setting for
that.
"""
import contextlib
import os
import signal
import subprocess

from frame import mail
from frame.root import Housed
from posthaste import free_port

USER = 5001
BOTH = """\
ADDRESS=127.0.0.1
PORT={port}
MAXDAEMONS={connections}
MAXPERIP={connections}
"""
IMAP = """\
IMAP_ENHANCEDIDLE=1
IMAPDSTARTTLS=NO
IMAP_ULIMITD=1000000
"""
SECURE = """\
SSLADDRESS=127.0.0.1
SSLPORT={port}
TLS_CERTFILE=/etc/courier/both.pem
TLS_CACHEFILE=/var/lib/courier/{cache}
MAXDAEMONS={connections}
MAXPERIP={connections}
"""


class Server(Housed):
    name = "courier"
    about = "userdb, limits raised, IDLE by notice; does not flush"
    can = frozenset(("pop3", "pop3s", "imap", "imaps"))
    packages = ("courier-imap", "courier-pop", "courier-authlib-userdb")
    users = {"courier": USER}
    syslog = True
    lacks = frozenset(("MOVE",))
    personal = "INBOX."  # what names of folders begin with
    PROGRAMS = {"imap": "imapd", "pop3": "pop3d",
                "imaps": "imapd-ssl", "pop3s": "pop3d-ssl"}

    def furnish(self, site):
        names = [n for n in self.PROGRAMS if site.tls or not n.endswith("s")]
        self.ports = {name: free_port() for name in names}
        for path in ("run/courier", "var/lib/courier"):
            self.home.mkdir(path, owner=(USER, USER))
        self.home.mkdir("run/courier/authdaemon", 0o750, (USER, USER))
        self.more("authdaemonrc", 'authmodulelist="authuserdb"\n')
        connections = 2 * site.sessions + 20
        for name in names:
            text = SECURE if name.endswith("s") else BOTH
            self.more(self.PROGRAMS[name], text.format(
                port=self.ports[name], connections=connections,
                cache=f"{name}-cache") + (IMAP if name == "imap" else ""))
        if site.tls:
            self.home.write("etc/courier/both.pem", site.key.read_text()
                            + site.certificate.read_text(), 0o600,
                            (USER, USER))
        self.make_accounts(site)
        self.home.run(["makedat.courier", "-src=/etc/courier/imapaccess",
                       "-file=/etc/courier/imapaccess.dat",
                       "-tmp=/etc/courier/imapaccess.tmp", "-cidr"])

    def more(self, name, text):
        """At the end of a file of the package's: the last word counts."""
        path = self.home.inside(f"etc/courier/{name}")
        path.write_text(path.read_text() + "\n" + text)

    def make_accounts(self, site):
        password = subprocess.run(
            ["openssl", "passwd", "-1", site.password], check=True,
            capture_output=True, text=True).stdout.strip()
        base, (uid, gid) = f"/var/mail/{site.domain}", mail.owner()
        self.home.write("etc/courier/userdb", "".join(
            f"{site.mailbox(n)}\tuid={uid}|gid={gid}"
            f"|home={base}|mail={base}/user{n}|systempw={password}\n"
            for n in range(site.users)), 0o600)
        self.home.run(["makeuserdb"])
        for n in range(site.users):
            for part in ("", "/cur", "/new", "/tmp"):
                self.home.mkdir(f"{base}/user{n}{part}", 0o700,
                                (uid, gid))

    def start(self):
        self.inside(["authdaemond", "start"])
        for name in self.ports:
            self.inside([self.PROGRAMS[name], "start"])
        self.up()

    def halt(self):
        for name in self.ports:
            self.home.run([self.PROGRAMS[name], "stop"], check=False)
        self.home.run(["authdaemond", "stop"], check=False)
        for pid in set(self.group.pids()) - self.staying():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)  # gamin's, which none of them ends

    def stop(self):
        self.halt()
        super().stop()
