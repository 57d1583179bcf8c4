# SPDX-License-Identifier: ISC
"""A real Postfix's commands, to compare with: those installed, or those that
were unpacked below POSTFIX_ROOT, or, where that is not set, into the folder
"postfix" beside POSTHASTE_ROOT. As a program, "postfix_peer.py FOLDER" unpacks
Debian's packages there; nothing is installed."""
import contextlib
import functools
import grp
import os
import pathlib
import pwd
import subprocess
import sys
import time

PACKAGES = ["postfix", "postfix-pcre", "postfix-cdb", "postfix-lmdb"]
MODULES = """\
cdb postfix-cdb.so dict_cdb_open mkmap_cdb_open
lmdb postfix-lmdb.so dict_lmdb_open mkmap_lmdb_open
pcre postfix-pcre.so dict_pcre_open
"""


def _root():
    named = os.environ.get("POSTFIX_ROOT")
    beside = pathlib.Path(os.environ.get("POSTHASTE_ROOT", "/nowhere"))
    for place in [named] if named else [beside.parent / "postfix", "/"]:
        if (pathlib.Path(place) / "usr/lib/postfix").is_dir():
            return pathlib.Path(place)
    return None


ROOT = _root()
LIBRARIES = ROOT / "usr/lib/postfix" if ROOT else None


def why_not(*modules):
    """A reason to skip, or None; modules: of postfix-pcre and its like."""
    if ROOT is None or not (ROOT / "usr/sbin/postmap").exists():
        return "no Postfix: see tests/scenario/postfix_peer.py"
    for m in modules:
        if not (LIBRARIES / f"postfix-{m}.so").exists():
            return f"no postfix-{m}: see tests/scenario/postfix_peer.py"
    return None


@functools.cache
def _identities():
    """Its commands want an owner, a group and a nobody that differ."""
    users, groups, gids = [], [], set()
    for u in pwd.getpwall():
        if u.pw_uid != 0 and u.pw_gid not in gids and len(users) < 2:
            users.append(u.pw_name)
            gids.add(u.pw_gid)
    for g in grp.getgrall():
        if g.gr_gid != 0 and g.gr_gid not in gids:
            groups.append(g.gr_name)
    return users[0], groups[0], users[1]


class Postfix:
    """Its commands, with a configuration of the test's in "folder"/etc."""

    def __init__(self, folder, main="", master=""):
        owner, group, nobody = _identities()
        self.etc = pathlib.Path(folder) / "etc"
        self.etc.mkdir(parents=True, exist_ok=True)
        for name in ("queue", "data"):
            (self.etc.parent / name).mkdir(exist_ok=True)
        # where the machine's account of that name is missing it refuses
        self.needed = (f"mail_owner = {owner}\nsetgid_group = {group}\n"
                       f"default_privs = {nobody}\n"
                       f"shlib_directory = {LIBRARIES}\n"
                       f"meta_directory = {self.etc}\n"
                       f"queue_directory = {self.etc.parent}/queue\n"
                       f"data_directory = {self.etc.parent}/data\n"
                       "compatibility_level = 3.6\n"
                       "myhostname = host.example.test\n")
        (self.etc / "main.cf").write_text(self.needed + main)
        (self.etc / "master.cf").write_text(master)
        (self.etc / "dynamicmaps.cf").write_text(MODULES)

    def run(self, program, *arguments, stdin=None, cwd=None, config=None):
        """Exit status, output and complaints, all as bytes but the first."""
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
               "MAIL_CONFIG": str(config or self.etc),
               "LD_LIBRARY_PATH": str(LIBRARIES)}
        done = subprocess.run(
            [ROOT / "usr/sbin" / program, *map(os.fsencode, map(
                lambda a: a if isinstance(a, bytes) else str(a), arguments))],
            input=stdin or b"", cwd=cwd or self.etc.parent, env=env,
            capture_output=True, timeout=300)
        return done.returncode, done.stdout, done.stderr


SERVICES = """\
127.0.0.1:{smtp} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
"""
INSIDE = """\
for name in resolv.conf hosts
do
	mount --bind "$0/$name" /etc/$name || exit 1
done
exec "$@"
"""
QUEUES = ("active bounce corrupt defer deferred flush hold incoming private "
          "maildrop public pid saved trace")


class PostfixServer(Postfix):
    """A whole Postfix, for root alone: start it, ask it, stop it. What it
    logs is in log(). Its programs know the hosts and the name server (an
    address, port 53) that are given, where some are, and no others."""

    def __init__(self, folder, smtp, main="", master="", nameserver=None):
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        super().__init__(folder, main=(
            f"daemon_directory = {LIBRARIES}/sbin\n"
            f"command_directory = {ROOT}/usr/sbin\n"
            f"sendmail_path = {ROOT}/usr/sbin/sendmail\n"
            f"import_environment = MAIL_CONFIG LD_LIBRARY_PATH={LIBRARIES}\n"
            f"maillog_file_prefixes = {folder}\n"
            f"maillog_file = {folder}/mail.log\n" + main),
            master=SERVICES.format(smtp=smtp) +
            "postlog unix-dgram n - n - 1 postlogd\n" + master)
        self.folder = folder
        self.nameserver = nameserver
        owner, group, _ = _identities()
        owner, group = pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid
        for name in QUEUES.split():
            (folder / "queue" / name).mkdir()
            if name != "pid":
                os.chown(folder / "queue" / name, owner, -1)
        for name in ("maildrop", "public"):
            os.chown(folder / "queue" / name, owner, group)
        os.chmod(folder / "queue/maildrop", 0o1730)
        os.chown(folder / "data", owner, -1)
        self.master = None

    def start(self):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
               "MAIL_CONFIG": str(self.etc), "LD_LIBRARY_PATH": str(LIBRARIES)}
        command = [LIBRARIES / "sbin/master", "-d", "-c", self.etc]
        if self.nameserver:
            (self.folder / "resolv.conf").write_text(
                f"nameserver {self.nameserver}\n")
            (self.folder / "hosts").write_text("127.0.0.1 localhost\n")
            command = ["unshare", "-m", "sh", "-c", INSIDE, self.folder,
                       *command]
        self.master = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL,
            start_new_session=True)
        return self

    def stop(self):
        """master ends its programs with itself."""
        if self.master is not None:
            self.master.terminate()
            self.master.wait(30)

    def log(self):
        path = self.folder / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""


@contextlib.contextmanager
def beside(folder, port, main, master="", nameserver=None):
    """One that listens, with these settings, or None where there is none."""
    if why_not() or os.geteuid() != 0:
        yield None
        return
    folder = pathlib.Path(folder)
    folder.mkdir()
    peer = PostfixServer(folder, port, "inet_interfaces = loopback-only\n"
                         "alias_maps =\nalias_database =\n" + main,
                         master, nameserver).start()
    try:
        deadline = time.monotonic() + 60
        while "daemon started" not in peer.log():
            assert time.monotonic() < deadline, "Postfix does not start"
            time.sleep(0.05)
        yield peer
    finally:
        peer.stop()


def unpack(folder):
    """Fetches and unpacks; what cannot be had is left out."""
    folder = pathlib.Path(folder).absolute()
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    for p in PACKAGES:
        subprocess.run(["apt-get", "-qq", "download", p], cwd=packages)
    for deb in packages.glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb, folder], check=True)
    return (folder / "usr/lib/postfix").is_dir()


if __name__ == "__main__":
    sys.exit(not unpack(sys.argv[1]))
