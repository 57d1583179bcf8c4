# SPDX-License-Identifier: ISC
"""Debian's Dovecot, in a private root, tuned.

Processes of login that serve many connections (service_count = 0), processes
of IMAP and POP3 kept in store and used again, no scan of a folder after its own
renames (maildir_very_dirty_syncs), no statistics. Mailboxes are Maildirs, as
Posthaste's; mail_fsync is its default, "optimized": APPEND is on disk when it is
answered, changes of flags (renames) are left to the file system. With
site.options["dovecot"] = "hibernate" idle connections are set aside after a
second (imap_hibernate_timeout). It logs to a file.
"""
from frame.root import Housed
from posthaste import free_port

CONFIGURATION = """\
log_path = /var/log/dovecot.log
protocols = imap pop3
listen = 127.0.0.1
ssl = {ssl}
disable_plaintext_auth = no
auth_mechanisms = plain
mail_location = maildir:/var/mail/{domain}/%n
mail_uid = vmail
mail_gid = vmail
default_client_limit = 30000
mail_max_userip_connections = 20000
maildir_very_dirty_syncs = yes
stats_writer_socket_path =
passdb {{
  driver = passwd-file
  args = username_format=%u /etc/dovecot/users
}}
userdb {{
  driver = static
  args = uid=vmail gid=vmail home=/var/mail/{domain}/%n
}}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  service_count = 0
  process_min_avail = 2
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
  }}
}}
service imap {{
  process_limit = 12000
  {staying}
}}
service pop3 {{
  process_limit = 12000
  service_count = 256
  process_min_avail = 4
}}
"""
STAYING = """service_count = 256
  process_min_avail = 10"""
HIBERNATE = """\
imap_hibernate_timeout = 1s
service imap {
  unix_listener imap-master {
    user = dovecot
  }
}
service imap-hibernate {
  unix_listener imap-hibernate {
    mode = 0666
  }
}
"""
TLS = """\
ssl_cert = </etc/dovecot/cert.pem
ssl_key = </etc/dovecot/key.pem
"""
# As Debian's unit bounds it.
BOUND = ("-all,+chown,+dac_override,+kill,+setgid,+setuid,+net_bind_service,"
         "+sys_chroot")


class Server(Housed):
    name = "dovecot"
    about = "tuned: login and mail processes stay, no statistics"
    can = frozenset(("pop3", "pop3s", "imap", "imaps"))
    packages = ("dovecot-core", "dovecot-imapd", "dovecot-pop3d")
    logs = (*Housed.logs, "var/log/dovecot.log")
    users = {"dovecot": 5001, "dovenull": 5002}

    def furnish(self, site):
        home = self.home
        self.ports = {"imap": free_port(), "pop3": free_port()}
        secure = {"imaps": 0, "pop3s": 0}
        if site.tls:
            secure = {name: free_port() for name in secure}
            self.ports.update(secure)
            for name, path in (("cert", site.certificate), ("key", site.key)):
                home.write(f"etc/dovecot/{name}.pem", path.read_text(), 0o600)
        hibernate = site.options.get("dovecot") == "hibernate"
        home.write("etc/dovecot/dovecot.conf", CONFIGURATION.format(
            domain=site.domain, ssl="yes" if site.tls else "no",
            staying="" if hibernate else STAYING,
            **{**secure, **self.ports})
            + (TLS if site.tls else "") + (HIBERNATE if hibernate else ""))
        home.write("etc/dovecot/users", "".join(
            f"{site.mailbox(n)}:{{PLAIN}}{site.password}::::::\n"
            for n in range(site.users)), 0o640, (0, 5001))
        home.mkdir("var/lib/dovecot")

    def start(self):
        self.daemon = self.inside(
            ["setpriv", f"--bounding-set={BOUND}", "dovecot", "-F", "-c",
             "/etc/dovecot/dovecot.conf"], wait=False)
        self.up()

    def stop(self):
        self.terminate(self.daemon)
        super().stop()
