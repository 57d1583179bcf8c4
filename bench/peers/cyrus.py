# SPDX-License-Identifier: ISC
"""Debian's Cyrus IMAP and POP3, in a private root.

Eight processes of each kind kept in store, each used for 250 connections;
accounts in sasldb, asked directly (no saslauthd between); databases as Debian
has them (twoskip), flushed, as are messages; idled for IDLE. The search is
Cyrus' own, without an index of texts (squatter), as none of the others has one.
It logs through /dev/log.
"""
import imaplib
import subprocess

from frame import mail
from frame.root import Housed
from posthaste import free_port

IMAPD = """\
configdirectory: /var/lib/cyrus
partition-default: /var/spool/cyrus/mail
defaultpartition: default
servername: {host}
virtdomains: userid
defaultdomain: {domain}
altnamespace: yes
unixhierarchysep: yes
allowplaintext: yes
sasl_mech_list: PLAIN LOGIN
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: /etc/sasldb2
popminpoll: 0
autocreate_quota: 0
duplicatesuppression: 0
maxlogins_per_user: 0
maxlogins_per_host: 0
syslog_prefix: cyrus
proc_path: /run/cyrus/proc
mboxname_lockpath: /run/cyrus/lock
statuscache: on
"""
TLS = """\
tls_server_cert: /etc/cyrus-cert.pem
tls_server_key: /etc/cyrus-key.pem
"""
SERVICE = ('  {name} cmd="{program} -U 250" listen="127.0.0.1:{port}" '
           "prefork=8 maxchild=-1\n")
CONFIGURATION = """\
START {{
  recover cmd="/usr/sbin/cyrus ctl_cyrusdb -r"
}}
SERVICES {{
{services}}}
EVENTS {{
  checkpoint cmd="/usr/sbin/cyrus ctl_cyrusdb -c" period=30
}}
DAEMON {{
  idled cmd="idled"
}}
"""
PROGRAMS = {"imap": "imapd", "imaps": "imapd -s", "pop3": "pop3d",
            "pop3s": "pop3d -s"}
MAIL = 8


class Server(Housed):
    name = "cyrus"
    about = "processes kept, sasldb asked directly, no search index"
    can = frozenset(("pop3", "pop3s", "imap", "imaps"))
    packages = ("cyrus-imapd", "cyrus-pop3d", "sasl2-bin")
    groups = {"sasl": 45}
    syslog = True

    @property
    def users(self):
        """Its messages are links to the same files as the others'."""
        return {"cyrus": mail.owner()[0]}

    def furnish(self, site):
        home, me = self.home, (mail.owner()[0], MAIL)
        names = [n for n in PROGRAMS if site.tls or not n.endswith("s")]
        self.ports = {name: free_port() for name in names}
        home.write("etc/imapd.conf", IMAPD.format(
            host=site.host, domain=site.domain) + (TLS if site.tls else ""))
        home.write("etc/cyrus.conf", CONFIGURATION.format(services="".join(
            SERVICE.format(name=n, program=PROGRAMS[n], port=self.ports[n])
            for n in names)))
        for name in ("", "/db", "/log", "/msg", "/socket", "/proc", "/quota",
                     "/user"):
            home.mkdir("var/lib/cyrus" + name, owner=me)
        for name in ("var/spool/cyrus", "var/spool/cyrus/mail", "run/cyrus",
                     "run/cyrus/proc", "run/cyrus/lock"):
            home.mkdir(name, owner=me)
        if site.tls:
            for name, path in (("cert", site.certificate), ("key", site.key)):
                home.write(f"etc/cyrus-{name}.pem", path.read_text(), 0o600,
                           me)
        self.make_accounts(site)

    def make_accounts(self, site):
        self.home.run(["sh", "-c", f"""
            n=0; while [ $n -lt {site.users} ]; do
                echo {site.password} | saslpasswd2 -p -c -u {site.host} \
                    -f /etc/sasldb2 user$n || exit 1
                n=$((n + 1))
            done; chown cyrus /etc/sasldb2"""])

    def start(self):
        self.daemon = self.inside(["/usr/lib/cyrus/bin/master", "-D"],
                                  wait=False)
        self.up()

    def stop(self):
        self.terminate(self.daemon)
        super().stop()

    def fill(self, number, template):
        """Its INBOX is made by the first login; then files are put where it
        has them, and it is told to look."""
        user = self.site.mailbox(number)
        with imaplib.IMAP4("127.0.0.1", self.ports["imap"]) as c:
            c.login(user, self.site.password)
            c.select("INBOX")
        name = f"user/user{number}"
        path = self.tool("mbpath", name).stdout.strip()
        subprocess.run(["cp", "-al", f"{template.wire()}/.",
                        self.home.inside(path)], check=True)
        self.tool("reconstruct", "-q", "-G", name)
        with imaplib.IMAP4("127.0.0.1", self.ports["imap"]) as c:
            c.login(user, self.site.password)
            _, have = c.select("INBOX")
        if int(have[0]) != template.count:
            raise RuntimeError(f"cyrus has {have[0]} messages of "
                               f"{template.count}: {self.said()}")

    def tool(self, name, *arguments):
        """One of its administrator's programs, which want to be Cyrus."""
        return self.home.run(
            ["setpriv", "--reuid=cyrus", "--regid=mail", "--clear-groups",
             f"/usr/lib/cyrus/bin/{name}", *arguments])

    def maildir(self, number):
        raise NotImplementedError("Cyrus has no Maildirs")
