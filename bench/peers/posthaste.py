# SPDX-License-Identifier: ISC
"""Posthaste as it is installed in POSTHASTE_ROOT, with its defaults but for
what the site wants: a process limit that fits the sessions (it counts sessions, where one
process has many), no limit of connections of one client, messages of 50 MB. All that is accepted is on disk before the answer."""
import os
import pathlib
import shutil
import subprocess

import posthaste
from frame.peer import Peer, Unavailable, with_options

MAIN_CF = """\
compatibility_level = 3.9
config_directory = {root}/etc
queue_directory = {root}/spool
data_directory = {root}/data
daemon_directory = {programs}/libexec/posthaste
command_directory = {programs}/sbin
maillog_file = {root}/log/mail.log
mail_owner = posthaste
setgid_group = posthaste-drop
myhostname = {host}
mydomain = {domain}
mydestination = local.test, localhost
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = hash:{root}/etc/mailboxes
virtual_alias_maps =
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
transport_maps = inline:{{{relay_domain}=smtp:[127.0.0.1]:{sink}}}
relay_domains = {relay_domain}
message_size_limit = {size_limit}
smtpd_recipient_limit = 20000
default_process_limit = {processes}
smtpd_client_connection_count_limit = 0
smtpd_tls_cert_file = {root}/etc/cert.pem
smtpd_tls_key_file = {root}/etc/key.pem
smtpd_tls_security_level = may
account_files = {root}/etc/accounts
account_domain = {domain}
disable_plaintext_auth = no
mail_max_userip_connections = 1000
imapd_client_connection_count_limit = 0
pop3d_client_connection_count_limit = 0
"""

MASTER_CF = """\
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{smtps} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
127.0.0.1:{pop3} inet n - n - - pop3d
127.0.0.1:{pop3s} inet n - n - - pop3d
  -o pop3d_tls_wrappermode=yes
127.0.0.1:{imap} inet n - n - - imapd
127.0.0.1:{imaps} inet n - n - - imapd
  -o imapd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
showq unix n - n - - showq
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
local unix - n n - - local
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
"""


class Server(Peer):
    name = "posthaste"
    about = "defaults, process limit as sessions need"
    can = frozenset({"smtp", "starttls", "smtps", "relay", "sendmail",
                     "backlog", "large backlog", "pop3", "pop3s", "imap", "imaps", "table"})
    logs = ("log/mail.log",)
    PORTS = ("smtp", "smtps", "pop3", "pop3s", "imap", "imaps")

    def install(self):
        program = posthaste.ROOT / "sbin/posthaste"
        if not program.exists():
            raise Unavailable(f"not installed in {posthaste.ROOT}")
        return program

    def version(self):
        done = subprocess.run(
            [posthaste.ROOT / "sbin/postconf", "-d", "-h", "mail_version"],
            capture_output=True, text=True)
        return f"Posthaste {done.stdout.strip()}"

    def write(self, name, text):
        path = self.site.root / "etc" / name
        path.write_text(text)
        return path

    def configure(self, site):
        for name in ("etc", "data", "log", "mail", "spool"):
            (site.root / name).mkdir(exist_ok=True)
        shutil.chown(site.root / "data", "posthaste", "posthaste")
        shutil.chown(site.root / "log", "posthaste-log", "posthaste-log")
        self.uid, self.gid = posthaste.owner_ids()
        os.chown(site.root / "mail", self.uid, self.gid)
        posthaste.certificate(site.root / "etc")
        self.ports = {name: posthaste.free_port() for name in self.PORTS}
        self.write("mailboxes", "".join(
            f"{site.mailbox(n)} {site.domain}/user{n}/\n"
            for n in range(site.users)))
        accounts = self.write("accounts", "".join(
            self.account(n) for n in range(site.users)))
        shutil.chown(accounts, "posthaste-auth")
        accounts.chmod(0o600)
        values = dict(
            vars(site), host=site.host, programs=posthaste.ROOT, uid=self.uid,
            gid=self.gid, processes=max(200, 2 * site.sessions))
        self.write("main.cf", with_options(
            MAIN_CF.format(**values), site.options.get("posthaste", {})))
        self.write("master.cf", MASTER_CF.format(**self.ports))
        self.run("postmap", f"hash:{site.root}/etc/mailboxes")

    def account(self, n):
        home = self.maildir(n)
        return (f"{self.site.mailbox(n)}:{{PLAIN}}{self.site.password}"
                f":{self.uid}:{self.gid}::{home}"
                f"::userdb_mail=maildir:{home}\n")

    def run(self, name, *words):
        argv, environment = self.command(name, *words)
        subprocess.run(argv, env=environment, check=True,
                       capture_output=True, stdin=subprocess.DEVNULL)

    def start(self):
        self.launch([posthaste.ROOT / "sbin/posthaste", "-c",
                     self.site.root / "etc", "start"])
        self.wait_ports()

    def stop(self):
        self.run("posthaste", "-c", self.site.root / "etc", "stop")

    def maildir(self, number):
        return self.site.root / "mail" / self.site.domain / f"user{number}"

    def queued(self):
        return sum(len(files) for queue in ("incoming", "deferred")
                   for _, _, files in os.walk(
                       pathlib.Path(self.site.root, "spool", queue)))

    def command(self, name, *arguments):
        words = {"flush": ["postqueue", "-f"], "mailq": ["postqueue", "-p"]}
        argv = [*words.get(name, [name]), *map(str, arguments)]
        argv[0] = str(posthaste.ROOT / "sbin" / argv[0])
        return argv, dict(os.environ,
                          MAIL_CONFIG=str(self.site.root / "etc"))
