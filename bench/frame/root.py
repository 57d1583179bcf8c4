# SPDX-License-Identifier: ISC
"""A peer in a private root: Debian's packages of it, unpacked into a folder of
their own and seen by its processes alone, never installed on the machine.

fetch() downloads packages, with all they need and this machine lacks, through
apt-get below the build folder (BENCH_PEERS names another place), and unpacks
them. A Root is what the peer's processes take for "/": /usr is the machine's
with the packages' laid over it, read-only; /etc holds the few files of the
machine that any program wants and the packages' own; /var, /tmp and /run are
new and lie in the folder given, so on the disk that is measured. They live in
a namespace of mounts and one of processes: stop() ends all of them, whatever
they have started, and so does the end of the bench. The network is the
machine's, for the load comes through it.

Housed is a Peer that lives so. What may be missing is named: Unavailable says
why.
"""
import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

from . import LOAD, PEERS, mail
from .peer import Peer, Unavailable

import posthaste  # noqa: E402


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"


def first_error(text):
    """Of apt-get, whose last one says no more than that there were others."""
    return next((line.strip() for line in text.splitlines()
                 if line.startswith("E:")), last_line(text))


def download(packages, folder):
    (folder / "partial").mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["apt-get", "install", "--yes", "--download-only", "--reinstall",
         "--no-install-recommends", "-o", "Debug::NoLocking=1",
         "-o", "APT::Sandbox::User=root",
         # a mirror that is not in reach is known to be soon
         "-o", "Acquire::http::Timeout=20", "-o", "Acquire::Retries=1",
         "-o", f"Dir::Cache::archives={folder}/", *packages],
        capture_output=True, text=True,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LANG": "C"})
    if done.returncode != 0:
        raise Unavailable("its packages cannot be fetched: "
                          + first_error(done.stderr or done.stdout))


def merge_usr(tree):
    """Packages may still have /bin, /lib, /sbin: here they are in /usr."""
    for name in ("bin", "sbin", "lib", "lib64"):
        old = tree / name
        if old.is_dir() and not old.is_symlink():
            subprocess.run(["cp", "-a", f"{old}/.", tree / "usr" / name],
                           check=True)
            shutil.rmtree(old)


def fetch(name, packages):
    """The folder into which these packages, and what they need, are unpacked;
    fetched only where that was not done before, by one at a time."""
    place = PEERS / name
    tree, stamp = place / "tree", place / "unpacked"
    wanted = " ".join(packages) + "\n"

    def there():
        return stamp.exists() and stamp.read_text() == wanted
    if there():
        return tree
    if shutil.which("apt-get") is None:
        raise Unavailable("its packages cannot be fetched: no apt-get")
    try:
        place.mkdir(parents=True, exist_ok=True)
        with open(place / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not there():
                unpack(packages, place / "debs", tree)
                stamp.write_text(wanted)
    except (OSError, subprocess.CalledProcessError) as e:
        raise Unavailable(f"its packages cannot be unpacked: {e}") from None
    return tree


def unpack(packages, debs, tree):
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "usr").mkdir(parents=True)
    download(packages, debs)
    for file in sorted(debs.glob("*.deb")):
        subprocess.run(["dpkg", "-x", file, tree], check=True)
    merge_usr(tree)


def version(name, package):
    """Of a package that was fetched."""
    for file in (PEERS / name / "debs").glob(f"{package}_*.deb"):
        return re.sub(r"^\d+%3a", "", file.name.split("_")[1])
    return ""


# What programs want of the machine's /etc: names and links, nothing secret.
OF_THE_MACHINE = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
                  "protocols", "services", "mime.types", "localtime",
                  "timezone", "ssl/openssl.cnf", "perl", "gai.conf")
USERS = {"root": (0, 0), "daemon": (1, 1), "bin": (2, 2), "sys": (3, 3),
         "mail": (8, 8), "nobody": (65534, 65534)}
GROUPS = {"tty": 5, "adm": 4, "shadow": 42, "nogroup": 65534}

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
               "LANG": "C"}

# The first process inside: it makes the mounts, says so, and takes over
# children that lost their parents. Their ends are ignored, so that the kernel
# clears them away: a server with a process for each message leaves thousands.
INSIDE = r"""
set -e
m=$0
cd /
mount -t overlay overlay -o "lowerdir=$1/usr:/usr" "$m/usr"
mount -t tmpfs -o mode=755 devices "$m/dev"
for n in null zero full random urandom tty; do
	: > "$m/dev/$n"
	mount --bind "/dev/$n" "$m/dev/$n"
done
mkdir -m 1777 "$m/dev/shm"
ln -s /proc/self/fd "$m/dev/fd"
mount -t proc proc "$m/proc"
trap '' CHLD
exec chroot "$m" /bin/sh -c 'echo ready; exec sleep infinity'
"""


class Root:
    """One private root, in a folder that must be on the measured disk.

    users: {name: uid} or {name: (uid, gid)} further users, each with the group
    of its name; groups: {name: gid} further groups."""

    def __init__(self, folder, tree, users=(), groups=()):
        self.path = pathlib.Path(folder)
        self.tree = pathlib.Path(tree)
        self.keeper = None
        self.first = None
        for name in ("usr", "etc", "var", "tmp", "run", "dev", "proc", "root",
                     "home", "srv"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        os.chmod(self.path, 0o755)
        os.chmod(self.path / "tmp", 0o1777)
        for name in ("bin", "sbin", "lib", "lib64"):
            if not (self.path / name).is_symlink():
                (self.path / name).symlink_to(f"usr/{name}")
        self.make_etc()
        self.make_users({**USERS, **{
            n: i if isinstance(i, tuple) else (i, i)
            for n, i in dict(users).items()}}, dict(groups))
        self.make_var()
        self.make_mounts()

    def make_etc(self):
        etc = self.path / "etc"
        subprocess.run(["cp", "-a", f"{self.tree}/etc/.", etc],
                       stderr=subprocess.DEVNULL)
        for name in OF_THE_MACHINE:
            there = pathlib.Path("/etc") / name
            if there.exists() and not (etc / name).exists():
                (etc / name).parent.mkdir(exist_ok=True)
                subprocess.run(["cp", "-a", there, etc / name], check=True)
        self.write("etc/hosts", "127.0.0.1 localhost mx.bench.test mx\n")
        self.write("etc/hostname", "mx.bench.test\n")
        self.write("etc/mailname", "mx.bench.test\n")
        self.write("etc/host.conf", "multi on\n")
        self.write("etc/nsswitch.conf", "".join(
            f"{what}: files\n" for what in (
                "passwd", "group", "shadow", "hosts", "services",
                "protocols", "networks")))
        # no question leaves the machine, and none waits for an answer
        self.write("etc/resolv.conf", "nameserver 127.0.0.1\n"
                   "options timeout:1 attempts:1\n")

    def make_users(self, users, groups):
        groups = {**{n: gid for n, (_, gid) in users.items()
                     if n != "nobody"}, **GROUPS, **groups}
        self.write("etc/passwd", "".join(
            f"{n}:x:{uid}:{gid}:{n}:"
            f"{'/root' if n == 'root' else '/var/mail'}:/bin/sh\n"
            for n, (uid, gid) in users.items()))
        self.write("etc/shadow", "".join(
            f"{n}:*:19000:0:99999:7:::\n" for n in users))
        os.chmod(self.path / "etc/shadow", 0o600)
        self.write("etc/group", "".join(
            f"{n}:x:{gid}:\n" for n, gid in groups.items()))

    def make_var(self):
        var = self.path / "var"
        if (self.tree / "var").is_dir():
            subprocess.run(["cp", "-a", f"{self.tree}/var/.", var], check=True)
        for name in ("log", "spool", "lib", "mail", "cache", "tmp"):
            (var / name).mkdir(exist_ok=True)
        if not (var / "run").exists():
            (var / "run").symlink_to("/run")

    def make_mounts(self):
        if os.geteuid() != 0:
            raise Unavailable("a private root needs root's rights")
        self.keeper = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child",
             "--propagation", "private", "sh", "-c", INSIDE, self.path,
             self.tree], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        if self.keeper.stdout.readline() != "ready\n":
            why = last_line(self.keeper.stderr.read())
            self.keeper.wait()
            self.keeper = None
            raise Unavailable(f"no private root can be mounted: {why}")
        pid = self.keeper.pid
        self.first = int(pathlib.Path(
            f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        self.space = os.readlink(f"/proc/{self.first}/ns/pid")

    # files

    def inside(self, path):
        """Where a path of the peer's is for us."""
        return self.path / str(path).lstrip("/")

    def write(self, path, text, mode=0o644, owner=None):
        there = self.inside(path)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(text)
        os.chmod(there, mode)
        if owner is not None:
            os.chown(there, *owner)
        return there

    def mkdir(self, path, mode=0o755, owner=(0, 0)):
        there = self.inside(path)
        there.mkdir(parents=True, exist_ok=True)
        os.chown(there, *owner)
        os.chmod(there, mode)
        return there

    # processes

    def within(self, argv):
        return ["nsenter", "-t", str(self.first), "--mount", "--pid",
                "--root", "--wd", "--", *map(str, argv)]

    def run(self, argv, check=True, **more):
        """A command inside, to its end, that is no part of what is measured;
        its output is in the result."""
        if "input" not in more:
            more["stdin"] = subprocess.DEVNULL
        done = subprocess.run(self.within(argv), capture_output=True,
                              text=True, env=ENVIRONMENT, **more)
        if check and done.returncode != 0:
            raise RuntimeError(
                f"{' '.join(map(str, argv))}: status {done.returncode}: "
                + (done.stderr or done.stdout or "")[-2000:])
        return done

    def pids(self):
        """All processes inside but the first one."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == self.first:
                continue
            try:
                if os.readlink(f"/proc/{entry}/ns/pid") == self.space and \
                        pathlib.Path(f"/proc/{entry}/stat").read_text(
                        ).rpartition(")")[2].split()[0] != "Z":
                    found.append(int(entry))
            except OSError:
                continue
        return found

    def stop(self):
        """Ends all processes inside, and the mounts with them."""
        if self.keeper is None:
            return
        self.keeper.kill()  # its child is the first process of the others
        self.keeper.wait()
        self.keeper.stdout.close()
        self.keeper.stderr.close()
        self.keeper = None
        deadline = time.monotonic() + 20
        while self.pids() and time.monotonic() < deadline:
            time.sleep(0.01)


class Housed(Peer):
    """A peer whose home is a private root, which is site.root.

    packages  Debian's, the first one's version is the peer's
    users     {name: uid} that the packages want, beside "vmail", the owner of
              all mail
    syslog    whether it logs through /dev/log: bench/load/log_sink takes that,
              in the peer's control group, into var/log/syslog

    Mailboxes, where they are Maildirs, are in var/mail/DOMAIN/userN."""

    packages = ()
    users = {}
    groups = {}
    logs = ("var/log/output", "var/log/syslog")
    syslog = False
    logger = None
    daemon = None

    def install(self):
        self.tree = fetch(self.name, self.packages)
        with tempfile.TemporaryDirectory(prefix="bench-root-") as trial:
            Root(trial, self.tree).stop()
        return self.tree

    def version(self):
        return version(self.name, self.packages[0])

    def configure(self, site):
        self.home = Root(site.root, self.tree,
                         {"vmail": mail.owner(), **self.users}, self.groups)
        try:
            self.home.mkdir(f"var/mail/{site.domain}", owner=mail.owner())
            if self.syslog:
                self.take_log()
            if site.tls and not site.certificate.exists():
                posthaste.certificate(site.root)
            self.furnish(site)
        except BaseException:
            self.end()
            raise

    def furnish(self, site):
        """Writes the configuration into self.home and chooses the ports."""
        raise NotImplementedError

    def take_log(self):
        sink = self.launch(
            [LOAD / "log_sink", f"/proc/{self.home.first}/root/dev/log",
             self.home.inside("var/log/syslog")], wait=False,
            stdout=subprocess.PIPE)
        with sink.stdout:
            if sink.stdout.readline() != b"ready\n":
                raise RuntimeError(f"{self.name}: nobody takes its log")
        self.logger = sink

    def inside(self, argv, wait=True):
        """launch() in the root; what it says goes to var/log/output."""
        with open(self.home.inside("var/log/output"), "ab") as out:
            return self.launch(self.home.within(argv), wait, env=ENVIRONMENT,
                               stdout=out, stderr=out)

    def terminate(self, process):
        """Asks a program that inside() started without waiting to end, and
        waits until it has: nsenter's own signals do not reach it."""
        if process is None:
            return
        for pid in self.group.pids():
            try:
                text = pathlib.Path(f"/proc/{pid}/stat").read_text()
                if int(text.rpartition(")")[2].split()[1]) == process.pid:
                    os.kill(pid, signal.SIGTERM)
            except OSError:
                continue
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            pass  # the end of its root ends it

    def up(self, *names):
        """wait_ports(), with what the server said where it fails."""
        try:
            self.wait_ports(*names)
        except RuntimeError as e:
            raise RuntimeError(f"{e}; it said: {self.said()}") from None

    def staying(self):
        return set() if self.logger is None else {self.logger.pid}

    def halt(self):
        """Its daemon, which start() has left in self.daemon; the root stays."""
        self.terminate(self.daemon)

    def stop(self):
        self.home.stop()
        if self.logger is not None:
            self.logger.kill()
            self.logger.wait()
            self.logger = None

    def maildir(self, number):
        return self.site.root / f"var/mail/{self.site.domain}/user{number}"
