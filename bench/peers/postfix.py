# SPDX-License-Identifier: ISC
"""Debian's Postfix, from a folder of its own, as a careful administrator runs
it: its defaults (durable: it flushes each queue file), but for a limit of
processes that fits the sessions, processes that stay (max_use), no delay of
its own (in_flow_delay), no look-up of clients' names, more deliveries at a
time, and an active queue with room for a backlog. Proportional memory and
processor time are those of all its processes."""
import grp
import os
import pathlib
import pwd
import signal
import subprocess

import posthaste
from frame import root
from frame.peer import Peer, Unavailable, with_options

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {root}/spool
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
meta_directory = {tree}/etc/postfix
data_directory = {root}/data
mail_owner = posthaste
setgid_group = posthaste-drop
default_privs = nobody
maillog_file = {root}/mail.log
maillog_file_prefixes = {root}
myhostname = {host}
mydomain = {domain}
mydestination = local.test
local_recipient_maps =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = hash:{root}/etc/mailboxes
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
transport_maps = inline:{{{relay_domain}=smtp:[127.0.0.1]:{sink}}}
relay_domains = {relay_domain}
relay_recipient_maps =
message_size_limit = {size_limit}
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtpd_recipient_limit = 20000
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_peername_lookup = no
in_flow_delay = 0
max_use = 100000
default_process_limit = {processes}
qmgr_message_active_limit = 50000
qmgr_message_recipient_limit = 50000
virtual_destination_concurrency_limit = 20
default_destination_concurrency_limit = 50
initial_destination_concurrency = 20
smtp_tls_security_level = none
smtpd_tls_security_level = may
smtpd_tls_cert_file = {root}/etc/cert.pem
smtpd_tls_key_file = {root}/etc/key.pem
smtpd_tls_session_cache_database =
"""

MASTER_CF = """\
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{smtps} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
          "incoming", "private", "saved", "trace")


def processes(site):
    """One for each session, and as many for deliveries."""
    return max(200, 2 * site.sessions)


class Server(Peer):
    name = "postfix"
    about = ("more processes that stay, no in_flow_delay, no names of "
             "clients, 20 to 50 deliveries at a time")
    can = frozenset({"smtp", "starttls", "smtps", "relay", "sendmail",
                     "backlog", "large backlog", "table"})
    logs = ("mail.log",)
    session_room = 1_900_000  # 1.7 MB of its own, page tables, the kernel's

    def install(self):
        self.tree = root.fetch("postfix", ["postfix"])
        program = self.tree / "usr/lib/postfix/sbin/master"
        if not program.exists():
            raise Unavailable(f"no {program}")
        done = subprocess.run(self.housed(["true"]), capture_output=True,
                              text=True)
        if done.returncode != 0:
            raise Unavailable("no private /usr can be mounted: "
                              + root.last_line(done.stderr))
        return program

    def version(self):
        return f"Postfix {root.version('postfix', 'postfix')}"

    def folders(self, site):
        owner = pwd.getpwnam("posthaste")
        drop = grp.getgrnam("posthaste-drop").gr_gid
        for path in ("etc", "spool", "data", "mail", "spool/pid"):
            (site.root / path).mkdir()
        os.chown(site.root / "data", owner.pw_uid, owner.pw_gid)
        os.chown(site.root / "mail", self.uid, self.gid)
        for queue, mode, group in (
                *((q, 0o700, owner.pw_gid) for q in QUEUES),
                ("maildrop", 0o1730, drop), ("public", 0o2710, drop)):
            path = site.root / "spool" / queue
            path.mkdir()
            os.chown(path, owner.pw_uid, group)
            path.chmod(mode)

    def configure(self, site):
        self.uid, self.gid = posthaste.owner_ids()
        self.folders(site)
        posthaste.certificate(site.root / "etc")
        self.ports = {n: posthaste.free_port() for n in ("smtp", "smtps")}
        values = dict(vars(site), host=site.host, tree=self.tree,
                      uid=self.uid, gid=self.gid,
                      processes=processes(site), **self.ports)
        etc = site.root / "etc"
        (etc / "main.cf").write_text(with_options(
            MAIN_CF.format(**values), site.options.get("postfix", {})))
        (etc / "master.cf").write_text(MASTER_CF.format(**values))
        (etc / "mailboxes").write_text("".join(
            f"{site.mailbox(n)} {site.domain}/user{n}/\n"
            for n in range(site.users)))
        subprocess.run(self.housed(["/usr/sbin/postmap", "-c", etc,
                                    f"hash:{etc}/mailboxes"]), check=True)

    def housed(self, argv):
        """Its parts look for each other below /usr: there they are, for the
        processes that are started so."""
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                f"mount -t overlay overlay -o lowerdir={self.tree}/usr:/usr "
                '/usr && exec "$@"', "sh", *map(str, argv)]

    def start(self):
        self.launch(self.housed(["/usr/lib/postfix/sbin/master", "-w", "-c",
                                 self.site.root / "etc"]))
        self.wait_ports()

    def master(self):
        return int((self.site.root / "spool/pid/master.pid").read_text())

    def stop(self):
        os.kill(self.master(), signal.SIGTERM)

    def maildir(self, number):
        return self.site.root / "mail" / self.site.domain / f"user{number}"

    def queued(self):
        return sum(len(files) for queue in ("incoming", "active", "deferred")
                   for _, _, files in os.walk(
                       pathlib.Path(self.site.root, "spool", queue)))

    def command(self, name, *arguments):
        words = {"flush": ["postqueue", "-f"], "mailq": ["postqueue", "-p"]}
        program, *rest = words.get(name, [name])
        return (["nsenter", "-t", str(self.master()), "--mount", "--",
                 f"/usr/sbin/{program}", *rest, *map(str, arguments)],
                dict(os.environ, MAIL_CONFIG=str(self.site.root / "etc")))
