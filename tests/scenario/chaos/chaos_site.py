# SPDX-License-Identifier: ISC
"""The instance that bad things happen to: every kind of recipient, on a disk
of its own that can fill and stand still (as root), with hosts that answer as
the day finds them.

RECIPIENTS is the table that loads send to and the ledger judges by.
"""
import contextlib
import errno
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import time

from chaos_hosts import Answers, Destination, Names, Redis, bulk
from posthaste import (AS_ROOT, MASTER_CF, PASSWORD, ROOT, Instance,
                       owner_ids, pam_service)
from wire_servers import Socketmap, Tcp, netstring

SENDER = "alice@example.test"
STRANGER = "somebody@known.test"  # whose domain a name server must confirm
USERS = ("alice", "bob", "carol", "dave", "erin")
# who sends as well: by a token, and out of a table of a server
TOKEN, REMOTE = "a-good-token", "remote@example.test"
HAS_REDIS = bool(list(ROOT.glob("**/table_redis.so")))
MEGABYTES = 400
PAUL = "mail/example.test/paul.mbox"  # whose mailbox is a file
SCRIPTED = ("command", "team", "pipe")  # folders that a script fills

# recipient of the envelope: where a copy must be found
RECIPIENTS = {
    "bob@example.test": ("bob",),
    "dave@example.test": ("dave",),
    "erin@example.test": ("erin",),
    "paul@example.test": ("paul",),
    "list@example.test": ("bob", "carol"),
    "mixed@example.test": ("bob", "sink"),
    "sold@example.test": ("carol",),
    "x@relay.test": ("sink",),
    "y@defer.test": ("sink",),
    "z@named.test": ("sink",),
    "w@lmtp.test": ("lmtp",),
    "v@pipe.test": ("pipe",),
    "never@reject.test": ("report",),
    "user@local.test": ("mbox",),
    "user+fwd@local.test": ("bob",),
    "folder@local.test": ("folder",),
    "file@local.test": ("file",),
    "command@local.test": ("command",),
    "team@local.test": ("carol", "team"),
    "people@local.test": ("bob", "sink"),
    "sales@example.test": ("bob",),
}
MAIN = """\
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
disable_plaintext_auth = no
mail_max_userip_connections = 100
tls_renewal_check_time = 1s
imap_hibernate_timeout = 1s
account_files = {accounts}
auth_mechanisms = plain login xoauth2
auth_token_checker = {root}/etc/checker
smtp_connect_timeout = 3s
smtp_helo_timeout = 3s
smtp_mail_timeout = 3s
smtp_rcpt_timeout = 3s
smtp_data_done_timeout = 4s
smtpd_sender_restrictions = reject_unknown_sender_domain
smtpd_recipient_limit = 100
queue_minfree = 0
alias_maps = hash:{root}/etc/aliases
virtual_alias_maps = texthash:{root}/etc/virtual, {socketmap}, {tcp}
myorigin = local.test
local_recipient_maps =
mail_spool_directory = {root}/spool-mail
forward_path = {root}/home/.forward+${{extension}}
default_privs = {nobody}
relay_domains = pipe.test, lmtp.test
smtp_generic_maps = {tcp}
transport_maps = inline:{{
 {{relay.test = smtp:[127.0.0.1]:{sink}}}
 {{defer.test = smtp:[127.0.0.1]:{sink}}}
 {{reject.test = smtp:[127.0.0.1]:{sink}}}
 {{named.test = smtp:named.test:{named}}}
 {{lmtp.test = lmtp:[127.0.0.1]:{lmtp}}}
 {{pipe.test = filter:}} }}
"""
MASTER = """\
filter unix - n n - - pipe
  user={nobody} argv={root}/files/script {root}/files/pipe
"""
VIRTUAL = """\
postmaster alice@example.test
list@example.test bob@example.test, carol@example.test
mixed@example.test bob@example.test, x@relay.test
"""
ALIASES = """\
user: {user}
folder: {root}/files/folder/
file: {root}/files/file
command: "|{root}/files/script {root}/files/command"
team: carol@example.test, "|{root}/files/script {root}/files/team"
people: :include:{root}/etc/people
owner-people: alice@example.test
"""
PEOPLE = "bob@example.test\nx@relay.test\n"
# keeps a message whole or refuses it for a while
SCRIPT = """#!/bin/sh
[ -e "$1/moody" ] && [ $(($$ % 3)) = 0 ] && exit 75
file=$(mktemp "$1/tmp.XXXXXXXX") || exit 75
cat >"$file" && mv "$file" "$1/got.${file##*.}" && exit 0
rm -f "$file"
exit 75
"""

# knows one token, and whose it is
CHECKER = f"""#!/bin/sh
while read -r line; do
	[ "$line" = token={TOKEN} ] && known=yes
done
[ "$known" ] && echo user={SENDER} || echo error=invalid_token
"""


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


class Disk:
    """An ext4 in a file, mounted; its log and configuration are elsewhere,
    so that the tests can tell what happened, and change settings."""

    def __init__(self):
        with contextlib.ExitStack() as undo:
            fd, image = tempfile.mkstemp(prefix="ph-disk-")
            undo.callback(os.unlink, image)
            os.truncate(fd, MEGABYTES << 20)
            os.close(fd)
            run("mkfs.ext4", "-q", "-F", "-m", "0", "-N", "40000", image)
            self.path = pathlib.Path(
                tempfile.mkdtemp(prefix="ph-", dir="/tmp"))
            undo.callback(shutil.rmtree, self.path, ignore_errors=True)
            self.mount(undo, self.path, "-o", "loop", image)
            for name in ("etc", "log"):
                (self.path / name).mkdir()
                self.mount(undo, self.path / name, "-t", "tmpfs", "-o",
                           "mode=755", "tmpfs")
            self.close = undo.pop_all().close
        self.filler = self.path / "filler"

    @staticmethod
    def mount(undo, where, *what):
        run("mount", *what, where)
        undo.callback(subprocess.run, ["umount", "-l", where], check=False)

    def fill(self, blocks_left):
        """Others write meanwhile, so what is free is asked for in parts."""
        with open(self.filler, "ab") as f:
            while True:
                st = os.statvfs(self.path)
                free = st.f_bavail - blocks_left
                if free <= 0:
                    return
                at, part = os.fstat(f.fileno()).st_size, (free + 1) // 2
                try:
                    os.posix_fallocate(f.fileno(), at, part * st.f_frsize)
                except OSError as e:
                    if e.errno != errno.ENOSPC:
                        raise
                    if part == 1:
                        return

    def free(self):
        self.filler.unlink(missing_ok=True)

    def stall(self, pauses, meanwhile):
        """Nothing can be written for so many milliseconds, several times;
        meanwhile(), again and again. A process of its own does it: it ends
        well if this one does not."""
        with subprocess.Popen(
                ["sh", "-c", 'for ms in "$@"; do fsfreeze -f "$0" || exit; '
                 'sleep "0.$ms"; fsfreeze -u "$0"; sleep 0.02; done',
                 self.path, *(f"{ms:03}" for ms in pauses)]) as stalling:
            while stalling.poll() is None:
                meanwhile()
                time.sleep(0.02)
        assert stalling.returncode == 0, "fsfreeze"


class NoDisk(AssertionError):
    """What happens to a disk is asked for, and there is none."""


def disk_if_any(wanted):
    """None: nobody but root can have one, or there is none, and the run does
    without."""
    if not AS_ROOT:
        return None
    try:
        return Disk()
    except (OSError, subprocess.CalledProcessError) as e:
        why = f"no disk of its own: {e} {getattr(e, 'stderr', '')}"
    if wanted:
        raise NoDisk(
            f"{why}\nTo fill one, and let it stand still, takes mkfs.ext4, "
            "fsfreeze, loop devices and the right to mount; groups of "
            'chaos_actions.py but "disk" and "everything" run without.')
    print(why)
    return None


def write_files(s, user):
    """Tables, scripts and folders of the recipients above."""
    s.write("virtual", VIRTUAL)
    s.write("people", PEOPLE)
    s.write("aliases", ALIASES.format(root=s.root, user=user))
    home, folders = s.root / "home", s.root / "home/folders"
    for path in (home, folders):
        path.mkdir()
        os.chown(path, s.uid, s.gid)
    forward = home / ".forward+fwd"
    forward.write_text("bob@example.test\n")
    os.chown(forward, s.uid, s.gid)
    for name in ("spool-mail", "files", *(f"files/{p}" for p in SCRIPTED)):
        (s.root / name).mkdir()
        os.chmod(s.root / name, 0o1777)
    script = s.root / "files/script"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    inbox = s.root / "spool-mail" / user
    inbox.touch(0o600)
    os.chown(inbox, s.uid, s.gid)
    with open(s.root / "etc/accounts", "a") as f:
        for name, place in (("mia", f"mbox:{folders}:INBOX={inbox}"),
                            ("paul", f"mbox:{s.root / PAUL}")):
            f.write(s.account(name).replace(
                f"maildir:{s.maildir(name)}", place))
    with open(s.root / "etc/mailboxes", "a") as f:
        f.write(f"paul@example.test {PAUL.removeprefix('mail/')}\n")


def write_accounts(s, redis):
    """A program that knows tokens, and how to reach a table of accounts."""
    s.write("checker", CHECKER).chmod(0o755)
    s.write("accounts.cf", f"hosts = 127.0.0.1:{redis.server.port}\n"
            "query = GET %s\n").chmod(0o600)


class Site:
    def __init__(self, noise, wants_disk):
        self.disk = disk_if_any(wants_disk)
        self.sink = Destination(noise)
        self.named = Destination(noise, host="127.0.0.2")
        self.lmtp = Destination(noise, lmtp=True)
        self.names = Names({
            ("known.test", "A"): ["127.0.0.2"],
            ("named.test", "MX"): [(10, "mx.named.test")],
            ("mx.named.test", "A"): ["127.0.0.2"]})
        self.socketmap = Answers(Socketmap, lambda key: netstring(
            b"OK bob@example.test" if key == "sales@example.test"
            else b"NOTFOUND "))
        self.tcp = Answers(Tcp, lambda key: b"200 carol%40example.test\n"
                           if key == "sold@example.test"
                           else b"500 not%20here\n")
        self.redis = Answers(Redis, lambda key: bulk(
            f"uid={self.suite.uid},gid={self.suite.gid},home=/nonexistent,"
            f"password={{PLAIN}}{PASSWORD}" if key == REMOTE else None))
        self.hosts = (self.sink, self.named, self.lmtp)
        self.tables = (self.socketmap, self.tcp, self.redis)
        user = pwd.getpwuid(owner_ids()[0]).pw_name
        nobody = "nobody" if AS_ROOT else user
        root = self.disk.path if self.disk else pathlib.Path(
            tempfile.mkdtemp(prefix="ph-", dir="/tmp"))
        (root / "etc").mkdir(exist_ok=True)  # what is written before the rest
        fill = {"root": root, "accounts": self.accounts(root),
                "nobody": nobody, "sink": self.sink.server.port,
                "named": self.named.server.port,
                "lmtp": self.lmtp.server.port,
                "socketmap": self.socketmap.server.spec(),
                "tcp": self.tcp.server.spec()}
        self.suite = Instance(
            main=MAIN.format(**fill), users=USERS, dns=self.names,
            master_cf=MASTER_CF + MASTER.format(**fill), root=fill["root"])
        self.good_main = (self.suite.root / "etc/main.cf").read_text()
        self.mbox = self.suite.root / "spool-mail" / user
        write_files(self.suite, user)
        write_accounts(self.suite, self.redis)

    def moody(self):
        """{name: what changes its mind}"""
        return {name: getattr(self, name) for name in (
            "sink", "named", "lmtp", "names", "socketmap", "tcp", "redis")}

    def accounts(self, root):
        """Where accounts are: a file, the system, a server."""
        places, self.logins = [f"{root}/etc/accounts"], [SENDER]
        self.pam = None
        if AS_ROOT:
            self.system_user = pwd.getpwuid(owner_ids()[0]).pw_name
            self.pam = pam_service(root / "etc/pam-check", self.system_user)
            places.append(f"pam:{self.pam.name}")
            self.logins.append(self.system_user)
        if HAS_REDIS:
            places.append(f"redis:{root}/etc/accounts.cf")
            self.logins.append(REMOTE)
        return ", ".join(places)

    def close(self, failed):
        try:
            self.suite.close(failed)
        finally:
            for moody in self.moody().values():
                if moody.mood != "dead":
                    moody.close()
            if self.pam:
                self.pam.unlink(missing_ok=True)
            if self.disk and not os.environ.get("POSTHASTE_KEEP"):
                self.disk.close()
