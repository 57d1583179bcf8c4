# SPDX-License-Identifier: ISC
"""Debian's Exim (the light daemon), in a private root.

As a good administrator has it on a busy host: the spool split into folders,
kept in the form of the wire (spool_wireformat), no log of each message of its
own beside the main log (message_logs), no identd, no name of the client looked
up, no limit on messages of a connection after which it would only queue. It
delivers at once, a process each message, as it does by default, into Maildirs
by its own transport. Exim flushes spool files and what it delivers (it has no
setting but a dangerous one against that, which is left alone).
"""
from frame.root import Housed
from posthaste import free_port

CONFIGURATION = """\
primary_hostname = {host}
qualify_domain = {domain}
domainlist local_domains = {domain}
domainlist relay_to_domains = {relay_domain}
hostlist relay_from_hosts = 127.0.0.1
daemon_smtp_ports = {ports}
local_interfaces = 127.0.0.1
acl_smtp_rcpt = acl_rcpt
host_lookup =
rfc1413_query_timeout = 0s
never_users = root
log_file_path = /var/log/exim4/%slog
spool_directory = /var/spool/exim4
split_spool_directory = true
spool_wireformat = true
message_logs = false
smtp_accept_max = {connections}
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 0
smtp_connect_backlog = 1024
queue_run_max = 20
remote_max_parallel = 20
check_spool_space = 0
check_spool_inodes = 0
message_size_limit = {size_limit}
keep_environment =
{tls}

begin acl

acl_rcpt:
  accept domains = +local_domains
         endpass
         verify = recipient
  accept hosts = +relay_from_hosts
  deny message = relay not permitted

begin routers

elsewhere:
  driver = manualroute
  domains = +relay_to_domains
  transport = smtp
  route_data = 127.0.0.1
  self = send
  no_more

mailboxes:
  driver = accept
  domains = +local_domains
  local_parts = {mailboxes}
  transport = maildir
  no_more

begin transports

smtp:
  driver = smtp
  port = {sink}
  allow_localhost
  hosts_avoid_tls = *

maildir:
  driver = appendfile
  user = vmail
  group = vmail
  directory = /var/mail/$domain_data/$local_part_data
  maildir_format
  create_directory
  delivery_date_add
  envelope_to_add
  return_path_add

begin retry

* * F,2h,15m; G,16h,1h,1.5; F,4d,6h
"""
TLS = """\
tls_advertise_hosts = *
tls_certificate = /etc/exim4/cert.pem
tls_privatekey = /etc/exim4/key.pem
tls_on_connect_ports = {smtps}
"""
# A queue runner delivers one message after the other, and leaves what another
# has in hand: ten, where others deliver some at a time by themselves.
FLUSH = "for n in 1 2 3 4 5 6 7 8 9 10; do exim4 -qff & done; wait"
USER = 5001


class Server(Housed):
    name = "exim"
    about = ("deliveries at once, spool split and in wire form, no log per "
             "message")
    can = frozenset(("smtp", "starttls", "smtps", "relay", "sendmail",
                     "backlog"))
    cannot = {"large backlog": "a process for each message and each try: "
              "200,000 take more than half an hour"}
    logs = (*Housed.logs, "var/log/exim4/mainlog", "var/log/exim4/paniclog")
    # it refuses the 4,097th, "too many connections", whatever smtp_accept_max
    most = 4000, "it takes no more than 4,096 at a time, compiled in"
    session_room = 400_000  # a process, most of it shared
    packages = ("exim4-daemon-light",)
    users = {"Debian-exim": USER}

    def furnish(self, site):
        home, owner = self.home, (USER, USER)
        self.ports = {"smtp": free_port()}
        tls = "tls_advertise_hosts =\n"
        if site.tls:
            self.ports["smtps"] = free_port()
            tls = TLS.format(**self.ports)
            for name, path in (("cert", site.certificate), ("key", site.key)):
                home.write(f"etc/exim4/{name}.pem", path.read_text(), 0o600,
                           owner)
        home.write("etc/exim4/mailboxes", "".join(
            f"user{n}: user{n}\n" for n in range(site.users)))
        home.write("etc/exim4/exim4.conf", CONFIGURATION.format(
            host=site.host, domain=site.domain, relay_domain=site.relay_domain,
            sink=site.sink, size_limit=site.size_limit, tls=tls,
            mailboxes=self.mailboxes(site),
            ports=" : ".join(str(p) for p in self.ports.values()),
            connections=site.sessions * 2 + 20))
        home.mkdir("var/spool/exim4", 0o750, owner)
        home.mkdir("var/log/exim4", 0o750, owner)

    def mailboxes(self, site):
        """A small file is read through, a large one made a database."""
        if site.users <= 10:
            return "lsearch;/etc/exim4/mailboxes"
        self.home.run(["exim_dbmbuild", "/etc/exim4/mailboxes",
                       "/etc/exim4/mailboxes.db"])
        return "dbm;/etc/exim4/mailboxes.db"

    def start(self):
        self.daemon = self.inside(["exim4", "-bdf", "-q30m"], wait=False)
        self.up()

    def stop(self):
        self.terminate(self.daemon)
        super().stop()

    def queued(self):
        return int(self.home.run(["exim4", "-bpc"]).stdout)

    def command(self, name, *arguments):
        argv = {"sendmail": ["/usr/sbin/exim4", *arguments],
                "mailq": ["/usr/sbin/exim4", "-bp"],
                "flush": ["sh", "-c", FLUSH]}[name]
        return self.home.within(argv), {"PATH": "/usr/sbin:/usr/bin"}
