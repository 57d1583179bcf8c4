# SPDX-License-Identifier: ISC
"""What each program holds, and what whoever has taken it over can do: tried in
the very processes of a suite that is at work (intruder.py)."""
import errno
import os
import pathlib
import platform
import pwd
import re
import signal
import socket
import struct

import granted
import intruder
import posthaste
import pytest
import recorder
from intruder import NUMBERS, Ended, Intruder
from peers import FakeServer
from posthaste import AS_ROOT, ROOT, SOURCE, wait_for

SANITIZED = b"__asan_init" in (ROOT / "libexec/posthaste/smtpd").read_bytes()
pytestmark = [
    pytest.mark.skipif(SANITIZED, reason="no filters in such builds"),
    pytest.mark.skipif(not AS_ROOT, reason="rights differ only for root"),
    pytest.mark.skipif(platform.machine() != "x86_64",
                       reason="intruder.py knows the registers of x86-64")]

ROW = re.compile(r'^PROGRAM\((\S+), (\w+), (\w+), (\w+), "[^"]*", "([^"]*)"',
                 re.M)
# name: (style, user, root directory, promises), as master has it
PROGRAMS = {row[0]: row[1:] for row in ROW.findall(
    (SOURCE / "lib/service/programs.def").read_text())}
# two stages in one program: processes of users, beside their parent
SESSIONS = ("pop3d-session", "imapd-session")
KEEPERS = ("pop3d-mbox", "imapd-mbox")
# what parents fork, with a filter of its own above theirs
FORKED = {f"{name} of a user" for name in SESSIONS} | set(KEEPERS)
# beside that of descriptors and that of the promise, one without clone3
THREADED = {*SESSIONS, "imapd-session of a user"}


def filter_count(name):
    """With those of the parent."""
    if name == "local":
        return 0
    parent = f"{name.partition('-')[0]}-session" if name in FORKED else "local"
    return 2 + (name in THREADED) + filter_count(parent)


CONFINED = granted.LISTED
AT_CWD = -100


def capability_bits():
    """{name: bit}, and what this machine lets anybody have."""
    header = pathlib.Path("/usr/include/linux/capability.h").read_text()
    bits = {name: 1 << int(n) for name, n in re.findall(
        r"^#define CAP_(\w+)\s+(\d+)$", header, re.M)}
    return bits, int(status(os.getpid())["CapBnd"], 16)


def capabilities(name):
    """As a number, what granted.py leaves it."""
    bits, there = capability_bits()
    return sum(bits[c] for c in granted.CAPABILITIES.get(name, "").split()
               ) & there


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f
                    if ":\t" in line)


class AtWork:
    """A suite with a process of each program, and sessions under way."""

    def __init__(self, s):
        self.suite = s
        self.open = [s.pop3(), s.imap(), s.smtp(),
                     s.pop3("alice@example.test"), s.imap("carol")]
        assert self.open[4].command("SELECT INBOX")[0] == "OK"
        self.open[2].ehlo()
        s.send()
        s.wait_messages("bob")
        for name in PROGRAMS:
            self.touch(name)
        self.pids = wait_for("a process of each", self.find)

    def touch(self, name):
        for folder in ("private", "public"):
            path = self.suite.root / "spool" / folder / name
            if path.exists():
                self.open.append(socket.socket(socket.AF_UNIX))
                self.open[-1].connect(str(path))

    def find(self):
        """The pid of each; None: one is missing, or not confined yet."""
        short = {name[:15]: name for name in (*PROGRAMS, *KEEPERS)}
        found = {}
        all_of = {pid: status(pid) for pid in self.suite.processes()}
        for pid, st in all_of.items():
            name = short.get(st["Name"])
            parent = all_of.get(int(st["PPid"]))
            if name in SESSIONS and parent and parent["Name"] == st["Name"]:
                name += " of a user"
            root = os.readlink(f"/proc/{pid}/root")
            if name is None or int(st["Seccomp_filters"]) < filter_count(name):
                continue
            # bob's, whose mailbox is a Maildir
            if name == "imapd-session of a user" and \
                    not root.endswith("/bob"):
                continue
            found.setdefault(name, pid)
        return found if len(found) == len(PROGRAMS) + len(FORKED) else None

    def is_well(self):
        """Nothing of all that is felt by anybody."""
        pop3, imap, smtp = self.open[:3]
        assert pop3.stat()[0] >= 0
        assert imap.command("NOOP")[0] == "OK"
        assert smtp.noop()[0] == 250
        before = len(self.suite.message_files("bob"))
        self.suite.send()
        self.suite.wait_messages("bob", before + 1)


    def close(self):
        for connection in self.open:
            connection.close()


@pytest.fixture
def at_work(suite):
    s = suite(main="disable_plaintext_auth = no\n"
              "imap_hibernate_timeout = 0\n", start=False)
    spool = s.root / "mail/spool"
    spool.mkdir()
    os.chown(spool, s.uid, s.gid)
    accounts = s.root / "etc/accounts"
    text = accounts.read_text()
    for user in ("alice", "carol"):  # an mbox each
        text = text.replace(f"maildir:{s.maildir(user)}",
                            f"mbox:{spool / user}")
    accounts.write_text(text)
    found = AtWork(s.start())
    yield found
    found.close()



# who they are


def own_ids(s, name):
    if name in FORKED:
        return s.uid, s.gid
    user = PROGRAMS[name][1].lower()
    if user == "root":
        return 0, 0
    entry = pwd.getpwnam("posthaste" + ("" if user == "queue" else f"-{user}"))
    return entry.pw_uid, entry.pw_gid


def own_root(s, name):
    if name == "imapd-session of a user":
        return s.maildir("bob")
    if name in KEEPERS:
        return s.root / "mail/spool"
    kind = PROGRAMS[name][2] if name in PROGRAMS else "EMPTY"
    return {"EMPTY": s.root / "spool/empty", "QUEUE": s.root / "spool",
            "REAL": "/"}[kind]


def test_identity_of_each(at_work):
    for name in granted.PROGRAMS:
        pid = at_work.pids[name]
        st = status(pid)
        uid, gid = own_ids(at_work.suite, name)
        assert st["Uid"].split() == [str(uid)] * 4, name
        assert st["Gid"].split() == [str(gid)] * 4, name
        assert st["Groups"].split() == ([str(gid)] if gid else []), name
        for rights in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            held = capabilities(name) if rights in ("CapPrm", "CapEff") else 0
            assert int(st[rights], 16) == held, (name, rights)
        # nor does it get more by what it executes
        assert uid or int(st["CapBnd"], 16) == capabilities(name), name
        assert st["NoNewPrivs"] == "1", name
        assert st["Threads"] == "1", name
        # not dumpable: no core file, and no debugger of the same user
        assert os.stat(f"/proc/{pid}/fd").st_uid == 0, name
        root = own_root(at_work.suite, name)
        assert os.readlink(f"/proc/{pid}/root") == str(root), name
        with open(f"/proc/{pid}/maps") as maps:
            assert not [line for line in maps
                        if "w" in line.split()[1] and "x" in line.split()[1]]


# what they hold, beside /dev/null three times, the socket to master, the log
# pipe, and what epoll, events and sockets need

FILES = {
    "smtpd": r"data/smtpd-limits-.*",  # counters, mapped
    "pop3d": r"data/pop3d-limits-.*",
    "imapd": r"data/imapd-limits-.*",
    "keyd": r"/memfd:tickets \(deleted\)",
    "qmgr": r"spool/pid/qmgr\.(lock|retiring|asked)",
    "pickup": r"spool/pid/pickup\.lock",
    "lookup": r"etc",  # inotify would need a right more: it is looked at
    "auth": r"data/(app_password_use|auth_state)",
    "auth-session": r"data/auth_state",
    "logd": r"log/mail\.log",
    # below its root directory
    "imapd-session of a user":
        r"mail/example\.test/bob(/posthaste[-.](index|tree\.lock)(-lock)?)?",
}
ANONYMOUS = (r"anon_inode:(inotify|"
             r"\[(eventpoll|eventfd|timerfd|signalfd)\])")


def listeners():
    """inode: path or port of whoever waits for connections."""
    found = {}
    with open("/proc/net/unix") as lines:
        for line in list(lines)[1:]:
            words = line.split()
            if int(words[3], 16) & 0x10000 and len(words) > 7:
                found[int(words[6])] = words[7]
    with open("/proc/net/tcp") as lines:
        for line in list(lines)[1:]:
            words = line.split()
            if words[3] == "0A":
                found[int(words[9])] = int(words[1].split(":")[1], 16)
    return found


def own_listeners(s, name):
    if name in ("smtpd", "pop3d", "imapd"):
        name = name[:-1]
        return {s.ports[name]}
    name = "log" if name == "logd" else name
    return {f"public/{name}", f"private/{name}"}


def test_descriptors_of_each(at_work):
    s, others = at_work.suite, listeners()
    for name in CONFINED:
        folder = f"/proc/{at_work.pids[name]}/fd"
        for number in os.listdir(folder):
            what = os.readlink(f"{folder}/{number}")
            known = (name, number, what)
            if int(number) <= 2:
                assert what == "/dev/null", known
            elif what == "/dev/null":  # in a listener's place
                assert name in FORKED, known
            elif what.startswith("socket:"):
                at = others.get(int(what[8:-1]))
                assert at is None or at in own_listeners(s, name), (known, at)
            elif what.startswith("pipe:"):
                flags = open(f"{folder}info/{number}").read()
                writes = re.search(r"flags:\s+0(\d+)", flags)[1][-1] == "1"
                assert writes or name == "logd", known
            else:
                path = what.replace(f"{s.root}/", "")
                assert (re.fullmatch(ANONYMOUS, what) or
                        re.fullmatch(FILES.get(name, "nothing"), path)), known


# what they can call


DEADLY = set("""execve execveat ptrace process_vm_readv process_vm_writev
    init_module finit_module delete_module kexec_load bpf mount umount2
    pivot_root setns unshare userfaultfd perf_event_open keyctl add_key
    request_key""".split())

def test_promises_are_the_ones_that_were_granted():
    assert {name: row[3] for name, row in PROGRAMS.items()
            if row[3] != "all"} == {
        name: promises for name, promises in granted.PROGRAMS.items()
        if name not in FORKED}
    # whose commands may be anything
    assert [name for name, row in PROGRAMS.items() if row[3] == "all"] == [
        "local"]
    assert not [call for program in granted.LISTED
                for call in granted.calls_of(program)
                if granted.reason(call) is None]


def test_calls_by_number(at_work):
    """Every number there is or may be, of each kind of system call."""
    names = {number: name for name, number in NUMBERS.items()}
    for program in CONFINED:
        filters = intruder.filters_of(at_work.pids[program])
        assert len(filters) == filter_count(program), program
        allowed = set()
        for number in range(1024):
            for instruction in (0, 0x40000000):  # that of x32
                foreign = intruder.verdict(filters, number | instruction)
                if instruction:
                    assert foreign in intruder.KILLS, (program, number)
            assert intruder.verdict(filters, number, arch=intruder.I386) \
                in intruder.KILLS, (program, number)
            name = names.get(number)
            said = intruder.verdict(filters, number)
            if name in DEADLY:
                assert said in intruder.KILLS, (program, name)
            elif said == intruder.ALLOW:
                assert name is not None, (program, number)
                allowed.add(name)
            else:
                assert said == intruder.ERRNO, (program, name, number)
        assert allowed - granted.CONDITIONAL == granted.calls_of(program), \
            program


# what comes of it

ON = struct.pack("i", 1)
ROOM = bytes(256)


def path(text):
    return str(text).encode() + b"\0"


def unix_address(name):
    return struct.pack("H", socket.AF_UNIX) + name


def signal_info():
    return struct.pack("iii", 0, 0, -1) + bytes(116)  # SI_QUEUE


def unistd_32():
    return next(header for folder in ("x86_64-linux-gnu/asm", "asm")
                if (header := pathlib.Path("/usr/include", folder,
                                           "unistd_32.h")).exists())


def inet_address(port):
    return (struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) +
            socket.inet_aton("127.0.0.1") + bytes(8))


def landlock_knows_ports():
    return intruder.libc.syscall(NUMBERS["landlock_create_ruleset"],
                                 None, 0, 1) >= 4


class NoListener(Exception):
    """What cannot be tried on one: processes of users have none."""


def bound(name):
    """Inodes of datagram sockets of this name, in any instance."""
    with open("/proc/net/unix") as lines:
        return {int(words[6]) for words in map(str.split, lines)
                if words[7:] == [name] and words[4] == "0002"}


class Try:
    """Attempts of one process; each gives what the kernel says."""

    def __init__(self, inside, at_work, name):
        self.inside = inside
        self.root = at_work.suite.root
        self.port = inet_address(at_work.suite.ports["imap"])
        self.other = int(status(inside.pid)["PPid"])
        waiting = listeners().keys() if name != "logd" else \
            bound("public/log")
        self.listener = self.log = None
        for number in sorted(map(int, os.listdir(f"/proc/{inside.pid}/fd"))):
            what = os.readlink(f"/proc/{inside.pid}/fd/{number}")
            if what.startswith("socket:") and int(what[8:-1]) in waiting:
                self.listener = number
            elif what.startswith("pipe:") and self.log is None:
                self.log = number
        assert self.log and (self.listener or name in FORKED), name

    def __getattr__(self, call):
        number = NUMBERS[call]
        return lambda *arguments: self.inside.call(number, *arguments)

    def socket_of(self, family, kind, protocol=0):
        fd = self.socket(family, kind, protocol)
        if fd >= 0:
            self.close(fd)
        return fd

    def from_socket(self, kind, attempt):
        """What it says of a new one, by its number."""
        fd = self.socket(INET, kind, 0)
        if fd < 0:
            return fd
        result = attempt(fd)
        self.close(fd)
        return result

    def connect_to(self, name):
        fd = self.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
        if fd < 0:
            return fd
        address = unix_address(name)
        result = self.connect(fd, address, len(address))
        self.close(fd)
        return result

    def own_listener(self):
        """Its number; logd's socket takes datagrams."""
        if self.listener is None:
            raise NoListener
        return self.listener

    def log_flags(self, change):
        old = self.fcntl(self.log, 3, 0)  # F_GETFL
        return self.fcntl(self.log, 4, change(old))  # F_SETFL

    def memory_file(self):
        fd = self.memfd_create(path("probe"), 0)
        if fd >= 0:
            self.close(fd)
        return fd


O_WRITE_NEW, O_TMP, READ = 0o101, 0o20200002, 0
INET, INET6, UNIX, STREAM, DGRAM, RAW = (
    socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.SOCK_STREAM,
    socket.SOCK_DGRAM, socket.SOCK_RAW)

KERNEL = "/dev/mem" if os.path.exists("/dev/mem") else "/proc/kmsg"

FILE_ATTEMPTS = {
    "open passwd": lambda t: t.open(path("/etc/passwd"), READ),
    "openat passwd": lambda t: t.openat(AT_CWD, path("/etc/passwd"), READ),
    "openat2 passwd": lambda t: t.openat2(
        AT_CWD, path("/etc/passwd"), bytes(24), 24),
    "open upwards": lambda t: t.openat(
        AT_CWD, path("../" * 9 + "etc/passwd"), READ),
    "open shadow": lambda t: t.openat(AT_CWD, path("/etc/shadow"), READ),
    "open settings": lambda t: t.openat(
        AT_CWD, path(t.root / "etc/main.cf"), READ),
    "open accounts": lambda t: t.openat(
        AT_CWD, path(t.root / "etc/accounts"), READ),
    "open key": lambda t: t.openat(
        AT_CWD, path(t.root / "etc/key.pem"), READ),
    "open mail": lambda t: t.openat(
        AT_CWD, path(t.root / "mail/example.test/bob"), READ),
    "open queue": lambda t: t.openat(
        AT_CWD, path(t.root / "spool/incoming"), READ),
    "open own program": lambda t: t.openat(AT_CWD, path("/proc/self/exe"),
                                           READ),
    "open own memory": lambda t: t.openat(AT_CWD, path("/proc/self/mem"), 2),
    "open parent's memory": lambda t: t.openat(
        AT_CWD, path(f"/proc/{t.other}/mem"), READ),
    "open terminal": lambda t: t.openat(AT_CWD, path("/dev/tty"), 2),
    "open memory of kernel": lambda t: t.openat(AT_CWD, path(KERNEL), READ),
    "open root": lambda t: t.openat(AT_CWD, path("/"), READ),
    "open by handle": lambda t: t.open_by_handle_at(
        AT_CWD, struct.pack("II", 8, 1) + ROOM, READ),
    "handle of file": lambda t: t.name_to_handle_at(
        AT_CWD, path("/"), struct.pack("II", 128, 0) + ROOM, bytes(8), 0),
    "create in /tmp": lambda t: t.openat(
        AT_CWD, path("/tmp/posthaste-probe"), O_WRITE_NEW, 0o600),
    "creat": lambda t: t.creat(path("/tmp/posthaste-probe"), 0o600),
    "file without name in /tmp": lambda t: t.openat(AT_CWD, path("/tmp"),
                                                    O_TMP, 0o600),
    "create here": lambda t: t.openat(AT_CWD, path("probe"), O_WRITE_NEW,
                                      0o600),
    "directory in /tmp": lambda t: t.mkdir(path("/tmp/posthaste-probe-d"),
                                           0o700),
    "symlink": lambda t: t.symlink(path("/etc/passwd"), path("probe-link")),
    "link of settings": lambda t: t.link(path(t.root / "etc/main.cf"),
                                         path("probe-hard")),
    "device": lambda t: t.mknod(path("probe-device"), 0o20600, 259),
    "fifo": lambda t: t.mknod(path("probe-fifo"), 0o10600, 0),
    "chmod passwd": lambda t: t.chmod(path("/etc/passwd"), 0o644),
    "truncate": lambda t: t.truncate(path(t.root / "etc/main.cf"), 0),
    "chroot": lambda t: t.chroot(path("/")),
    "watch files": lambda t: t.inotify_init1(0),
    "watch all files": lambda t: t.fanotify_init(0, 0),
    "file system": lambda t: t.fsopen(path("tmpfs"), 0),
    "tree": lambda t: t.open_tree(AT_CWD, path("/"), 1),
    "quota": lambda t: t.quotactl(0x800001 << 8, 0, 0, ROOM),
    "attribute": lambda t: t.setxattr(path("/"), path("user.a"), ON, 1, 0),
}

SOCKET_ATTEMPTS = {
    "TCP": lambda t: t.socket_of(INET, STREAM),
    "UDP": lambda t: t.socket_of(INET, DGRAM),
    "TCP6": lambda t: t.socket_of(INET6, STREAM),
    "raw": lambda t: t.socket_of(INET, RAW, 1),
    "ping": lambda t: t.socket_of(INET, DGRAM, 1),
    "multipath": lambda t: t.socket_of(INET, STREAM, 262),
    "SCTP": lambda t: t.socket_of(INET, STREAM, 132),
    "unix": lambda t: t.socket_of(UNIX, STREAM),
    "unix packets": lambda t: t.socket_of(UNIX, socket.SOCK_SEQPACKET),
    **{f"family {n}": lambda t, n=n: max(t.socket_of(n, RAW),
                                         t.socket_of(n, DGRAM))
       for n in range(3, 47) if n != INET6},
    "pair": lambda t: t.socketpair(UNIX, STREAM, 0, bytes(8)),
    "pipe": lambda t: t.pipe2(bytes(8), 0),
    "TCP connection": lambda t: t.from_socket(
        STREAM, lambda fd: t.connect(fd, t.port, 16)),
    "TCP by its first bytes": lambda t: t.from_socket(
        STREAM, lambda fd: t.sendto(fd, b"x", 1, 0x20000000, t.port, 16)),
    "TCP server": lambda t: t.from_socket(STREAM, lambda fd: t.listen(fd, 1)),
    "UDP server": lambda t: t.from_socket(
        DGRAM, lambda fd: t.bind(fd, inet_address(0), 16)),
    # port 9 is discard: nobody there hears it
    "UDP to a port": lambda t: t.from_socket(
        DGRAM, lambda fd: t.sendto(fd, b"x", 1, 0, inet_address(9), 16)),
    "UDP connection": lambda t: t.from_socket(
        DGRAM, lambda fd: t.connect(fd, inet_address(9), 16)),
    "UDP6": lambda t: t.socket_of(INET6, DGRAM),
    "broadcast": lambda t: t.from_socket(
        DGRAM, lambda fd: t.setsockopt(fd, 1, 6, ON, 4)),
    "listen": lambda t: t.listen(t.own_listener(), 1),
    "bind": lambda t: t.bind(t.own_listener(), unix_address(b"\0probe"), 8),
    **{f"connect {where}": lambda t, where=where: t.connect_to(
        path(t.root / "spool" / where))
       for where in ("private/qmgr", "private/auth-session", "private/keyd",
                     "private/smtp", "public/cleanup", "public/qmgr",
                     "public/pickup", "public/master", "public/log")},
}

OTHERS_ATTEMPTS = {
    "fork": lambda t: t.fork(),
    "vfork": lambda t: t.vfork(),
    "clone": lambda t: t.clone(17, 0, 0, 0, 0),
    "thread": lambda t: t.clone(0x50f00, 0, 0, 0, 0),
    "clone3": lambda t: t.clone3(struct.pack("QQQQQ", 0, 0, 0, 0, 17)
                                 + bytes(48), 88),
    "kill parent": lambda t: t.kill(t.other, 0),
    "kill all": lambda t: t.kill(-1, 0),
    "kill group": lambda t: t.kill(0, 0),
    "tkill": lambda t: t.tkill(t.other, 0),
    "tgkill": lambda t: t.tgkill(t.other, t.other, 0),
    "queue signal": lambda t: t.rt_sigqueueinfo(t.other, 18, signal_info()),
    "queue to thread": lambda t: t.rt_tgsigqueueinfo(t.other, t.other, 18,
                                                     signal_info()),
    "pidfd": lambda t: t.pidfd_open(t.other, 0),
    "pidfd signal": lambda t: t.pidfd_send_signal(0, 0, 0, 0),
    "pidfd descriptor": lambda t: t.pidfd_getfd(0, 0, 0),
    "owner of pipe": lambda t: t.fcntl(t.log, 8, t.other),
    "limit parent": lambda t: t.prlimit64(t.other, 0, 0, ROOM),
    "slow parent": lambda t: t.setpriority(0, t.other, 19),
    "schedule parent": lambda t: t.sched_setscheduler(t.other, 0, bytes(4)),
    "processor of parent": lambda t: t.sched_setaffinity(t.other, 8,
                                                         b"\xff" * 8),
    "disk of parent": lambda t: t.ioprio_set(1, t.other, 0),
    "compare": lambda t: t.kcmp(t.other, t.inside.pid, 0, 0, 0),
    "advise": lambda t: t.process_madvise(0, bytes(16), 1, 4, 0),
    "pages of parent": lambda t: t.migrate_pages(t.other, 8, b"\1" * 8,
                                                 b"\1" * 8),
    "session": lambda t: t.setsid(),
    "shared memory": lambda t: t.shmget(0, 4096, 0o600),
    "message queue": lambda t: t.msgget(0, 0o600),
    "semaphore": lambda t: t.semget(0, 1, 0o600),
    "POSIX queue": lambda t: t.mq_open(path("probe"), O_WRITE_NEW, 0o600, 0),
    "memory file": lambda t: t.memory_file(),
    "secret memory": lambda t: t.memfd_secret(0),
    "splice": lambda t: t.splice(t.log, 0, t.log, 0, 0, 0),
    "gift": lambda t: t.vmsplice(t.log, bytes(16), 0, 0),
    "log waits": lambda t: t.log_flags(lambda old: old & ~0o4000),
    "log of packets": lambda t: t.log_flags(lambda old: old | 0o40000),
    "log signals": lambda t: t.log_flags(lambda old: old | 0o20000),
    "small log": lambda t: t.fcntl(t.log, 1031, 4096),
    "lease": lambda t: t.fcntl(t.log, 1024, 0),
    "copy of log": lambda t: t.fcntl(t.log, 0, 100),
    "copy of listener": lambda t: t.dup3(t.own_listener(), 100, 0),
    "dup": lambda t: t.dup(t.own_listener()),
    "end listener": lambda t: t.shutdown(t.own_listener(), 2),
    "end listener for reading": lambda t: t.shutdown(t.own_listener(), 0),
    "disconnect listener": lambda t: t.connect(t.own_listener(), bytes(16),
                                               16),
    "option of listener": lambda t: t.setsockopt(t.own_listener(), 1, 8, ON,
                                                 4),
    "listener waits": lambda t: t.fcntl(t.own_listener(), 4, 2),
    "flag by ioctl": lambda t: t.ioctl(t.own_listener(), 0x5421, bytes(4)),
    "type into terminal": lambda t: t.ioctl(0, 0x5412, b"x"),
    "take terminal": lambda t: t.ioctl(0, 0x540e, 0),
}

RIGHTS_ATTEMPTS = {
    "setuid": lambda t: t.setuid(0),
    "setgid": lambda t: t.setgid(0),
    "setreuid": lambda t: t.setreuid(-1, 0),
    "setresuid": lambda t: t.setresuid(-1, 0, -1),
    "setgroups": lambda t: t.setgroups(1, bytes(4)),
    "setfsuid": lambda t: t.setfsuid(0),
    "capset": lambda t: t.capset(struct.pack("II", 0x20080522, 0),
                                 b"\xff" * 24),
    "dumpable": lambda t: t.prctl(4, 1, 0, 0, 0),
    "tracer": lambda t: t.prctl(0x59616d61, -1, 0, 0, 0),
    "new privileges": lambda t: t.prctl(38, 0, 0, 0, 0),
    "no filter": lambda t: t.prctl(22, 0, 0, 0, 0),
    "keep capabilities": lambda t: t.prctl(8, 1, 0, 0, 0),
    "ambient": lambda t: t.prctl(47, 2, 1, 0, 0),
    "map of memory": lambda t: t.prctl(35, 1, 0, 0, 0),
    "personality": lambda t: t.personality(0x0400000),
    "another filter": lambda t: t.seccomp(3, 0, bytes(6)),
    "land": lambda t: t.landlock_create_ruleset(0, 0, 1),
    "code": lambda t: t.mmap(0, 4096, 7, 0x22, -1, 0),
    "stack with code": lambda t: t.mprotect(t.inside.base - 4096, 4096, 7),
    "protection key": lambda t: t.pkey_mprotect(t.inside.base, 4096, 5, -1),
    "ring": lambda t: t.io_uring_setup(4, bytes(128)),
    "asynchronous": lambda t: t.io_setup(1, bytes(8)),
    "kernel's log": lambda t: t.syslog(10, 0, 0),
    "name of machine": lambda t: t.sethostname(b"probe", 5),
    "clock": lambda t: t.adjtimex(bytes(208)),
    "settime": lambda t: t.settimeofday(0, bytes(8)),
    "ports": lambda t: t.ioperm(0x80, 1, 1),
    "segments": lambda t: t.modify_ldt(1, bytes(16), 16),
    "swap": lambda t: t.swapoff(path("/nothing")),
    "accounting": lambda t: t.acct(0),
    "kernel file": lambda t: t.kexec_file_load(-1, -1, 0, 0, 0),
    "timer": lambda t: t.timer_create(0, 0, bytes(8)),
    "hang up": lambda t: t.vhangup(),
}
ATTEMPTS = {**FILE_ATTEMPTS, **SOCKET_ATTEMPTS, **OTHERS_ATTEMPTS,
            **RIGHTS_ATTEMPTS}


# What each has left of all that; nobody else anything. doc/PRIVILEGES.md says
# why.
TCP = {"TCP", "TCP6"}
# to any address: no filter sees where a datagram goes
UDP = {"UDP", "UDP6", "UDP to a port", "UDP connection"}
QUEUE = {"open root"}  # which is the queue
MAILBOX = QUEUE | {"watch files", "memory file"}
TABLES = {"open passwd", "openat passwd", "open upwards", "open root",
          "open settings", "open own program", "watch files", "unix", "code",
          "stack with code"}
# root's files, and the steps by which its children become others: but no
# program, no connection, no memory of others, no device, no mount
PARENT = {
    "another filter", "chroot", "create here", "create in /tmp",
    "directory in /tmp", "file without name in /tmp", "kill parent", "land",
    "link of settings", "memory file", "open accounts", "open key",
    "open mail", "open own memory", "open own program", "open passwd",
    "open queue", "open root", "open settings", "open shadow", "open upwards",
    "openat passwd", "openat2 passwd", "pair", "setgid", "setgroups",
    "setresuid", "setuid", "watch files"}
LEFT = {
    "smtpd": set(),
    "smtp": TCP | {"TCP connection"},
    # connections to ports of name servers alone, where Landlock knows ports
    "resolver": TCP | UDP | (set() if landlock_knows_ports() else
                             {"TCP connection"}),
    "pop3d": {"pair"},
    "imapd": {"pair"},
    "keyd": set(),
    "cleanup": QUEUE,
    "qmgr": QUEUE,
    "bounce": QUEUE,
    "pickup": QUEUE,
    "showq": QUEUE,
    "lookup": TABLES,
    "lookup-server": TABLES,
    "lookup-smtp": TABLES,
    "lookup-smtp-server": TABLES,
    "lookup-auth-server": TABLES,
    "auth": TABLES | {"open accounts"},
    "auth-session": TABLES | {"open accounts"},
    # root without root's rights: what is root's own, and to become an owner
    "quota": {"create here", "create in /tmp", "directory in /tmp",
              "file without name in /tmp", "open key", "open own memory",
              "open own program", "open passwd", "openat passwd", "open root",
              "open settings", "open shadow", "open upwards", "setgroups",
              "setresuid"},
    "logd": set(),  # one file, open; syslog: a UNIX socket
    "pop3d-session of a user": MAILBOX,
    # where the mailbox is, for its lock file
    "pop3d-mbox": QUEUE | {"create here"},
    "imapd-mbox": QUEUE | {"create here"},
    "pop3d-session": PARENT,
    "imapd-session": PARENT,
    # its root is the Maildir, which has a tmp
    "imapd-session of a user": MAILBOX | {
        "create here", "create in /tmp", "directory in /tmp",
        "file without name in /tmp"},
}
TRACES = ("/tmp/posthaste-probe", "/tmp/posthaste-probe-d")
LEAVE_TRACES = {"quota", *SESSIONS}


def remove_traces(s):
    for trace in map(pathlib.Path, (*TRACES, s.root / "spool/probe-hard")):
        if trace.is_dir():
            trace.rmdir()
        else:
            trace.unlink(missing_ok=True)


# an attempt that fails so was none: nothing had refused it
MISTAKES = {errno.EBADF, errno.EFAULT, errno.EINVAL, errno.ESRCH}


def attempted(tries, mistakes):
    """What could be done, and what says nothing."""
    left, wrong = set(), {}
    for what, attempt in ATTEMPTS.items():
        try:
            result = attempt(tries)
        except NoListener:
            continue
        if result >= 0:
            left.add(what)
        elif -result in mistakes:
            wrong[what] = errno.errorcode[-result]
    return left, wrong


def test_what_a_captured_program_can_do(at_work):
    remove_traces(at_work.suite)
    for name in CONFINED:
        # names of files lead nowhere below another root directory
        no_file = {errno.ENOENT} if own_root(
            at_work.suite, name) == "/" else set()
        with Intruder(at_work.pids[name]) as inside:
            left, wrong = attempted(Try(inside, at_work, name),
                                    MISTAKES | no_file)
        assert left == LEFT[name], \
            f"{name}: " + " | ".join(sorted(left ^ LEFT[name]))
        assert not wrong, name
        assert any(map(os.path.exists, TRACES)) == (name in LEAVE_TRACES), \
            name
        remove_traces(at_work.suite)
    at_work.is_well()


def test_what_ends_a_captured_program(at_work):
    """And such an end anywhere fails the scenario in which it happens."""
    s = at_work.suite
    s.may_crash = True
    assert not posthaste.crashed(s.log())
    # those that have children, and connections of theirs, at last
    for name in sorted(CONFINED, key=lambda n: (n not in FORKED, n in SESSIONS)):
        with Intruder(at_work.pids[name]) as inside, \
                pytest.raises(Ended, match=str(signal.SIGSYS.value)):
            inside.call(NUMBERS["execve"], path("/bin/true"), 0, 0)
    ends = r"killed by signal 31\b"
    wait_for("word of all ends",
             lambda: len(re.findall(ends, s.log())) >= len(CONFINED) - 1)
    # logd cannot tell of its own; each line alone is a failure
    assert all(map(posthaste.crashed, re.findall(f".*{ends}", s.log())))


def test_what_is_denied_to_code_of_others(at_work):
    """Beside it nothing is: a module may need what nobody has thought of."""
    denied = {call for calls in granted.DENIED.values()
              for call in calls.split()}
    i386 = intruder.numbers(unistd_32())
    namespaces = (0x20000, *(1 << n for n in range(25, 31)))
    for name in granted.WIDE:
        pid = at_work.pids[name]
        filters = intruder.filters_of(pid)
        assert len(filters) == 2, name

        def verdict(call, *arguments):
            return intruder.verdict(filters, NUMBERS[call], arguments)

        for arch, numbers in ((intruder.X86_64, NUMBERS),
                              (intruder.I386, i386)):
            said = {call for call, number in numbers.items()
                    if intruder.verdict(filters, number, arch=arch)
                    != intruder.ALLOW}
            assert said == (denied | {"clone3"} | set(
                "umount stime clock_settime64 clock_adjtime64 vm86"
                " vm86old".split())) & numbers.keys(), name
        for flag in namespaces:
            assert verdict("clone", flag | 17) == intruder.ERRNO, (name, flag)
        assert verdict("clone", 0x1200011) == intruder.ALLOW, name  # fork
        assert verdict("clone", 0x3d0f00) == intruder.ALLOW, name  # thread
        for control in (0x5412, 0x541C):
            assert verdict("ioctl", 0, control) == intruder.ERRNO, name
        assert verdict("ioctl", 0, 0x5401) == intruder.ALLOW, name
        with Intruder(pid) as inside:
            for call in denied:
                assert inside.call(NUMBERS[call], 0, 0, 0, 0, 0) == \
                    -errno.EPERM, (name, call)
            assert inside.call(NUMBERS["clone3"], 0, 0) == -errno.ENOSYS
            # tried for each thread and program, so not for the kernel's log
            for call, logged in (("mount", True), ("clone3", False)):
                assert [inside.is_logged(i) for i, f in enumerate(filters)
                        if intruder.verdict([f], NUMBERS[call])
                        == intruder.ERRNO] == [logged], (name, call)
            # which is the filter's word, not a lack of rights
            assert inside.call(NUMBERS["sched_yield"]) == 0
    at_work.is_well()


def test_what_makes_threads_is_no_attempt(at_work):
    """The C library tries clone3 each time: the kernel's log has none of it."""
    for name in sorted(THREADED):
        with Intruder(at_work.pids[name]) as inside:
            assert inside.call(NUMBERS["clone3"], 0, 0) == -errno.ENOSYS, name
            for call, logged in (("clone3", False), ("acct", True)):
                by = {inside.is_logged(i)
                      for i, f in enumerate(inside.filters)
                      if intruder.verdict([f], NUMBERS[call])
                      == intruder.ERRNO}
                assert by == {logged}, (name, call)


def test_other_kinds_of_calls(at_work):
    """x32 and i386, by those who hear strangers."""
    at_work.suite.may_crash = True
    with Intruder(at_work.pids["smtpd"]) as inside, pytest.raises(Ended):
        inside.call(0x40000000 | NUMBERS["getpid"])
    with Intruder(at_work.pids["pop3d"]) as inside, pytest.raises(Ended):
        inside.call_i386(20)  # getpid


def test_locks_of_a_captured_program_hold_up_nobody(at_work):
    """It may lock its counters; who begins as root does not wait for that."""
    s = at_work.suite
    write_lock = struct.pack("=hhiqqii", 1, 0, 0, 0, 0, 0, 0)  # all bytes
    with Intruder(at_work.pids["smtpd"]) as inside:
        folder = f"/proc/{inside.pid}/fd"
        limits, = [int(fd) for fd in os.listdir(folder)
                   if "smtpd-limits" in os.readlink(f"{folder}/{fd}")]
        assert inside.call(NUMBERS["fcntl"], limits, 37, write_lock) == 0
    s.posthaste("reload")
    s.wait_log(r"smtpd-limits.*: a process keeps its lock; this process counts its "
               "clients alone")
    s.send()
    s.wait_messages("bob", 2)


# what they try by themselves

MAIN = """\
disable_plaintext_auth = no
smtp_tls_security_level = may
relay_domains = relay.test
transport_maps = inline:{{{{relay.test=smtp:[127.0.0.1]:{port}}}}}
"""


def work(s):
    """A little of everything that mail goes through."""
    with s.smtp(tls=True) as session:
        for to in ("bob@example.test", "x@relay.test", "none@relay.test"):
            s.send_on(session, "alice@example.test", [to], "Subject: a\r\n\r\n")
    s.send(port="submission", tls=True, login="alice", body=200000 * "x\n")
    s.command("sendmail", "-f", "alice@example.test", "bob@example.test",
              stdin="Subject: b\n\nc\n")
    s.wait_messages("bob", 3)
    s.wait_messages("alice")  # none@relay.test came back
    s.command("postqueue", "-p")
    pop3 = s.pop3()
    pop3.retr(1)
    pop3.dele(1)
    pop3.quit()
    imap = s.imap(tls="starttls")
    for command in ("SELECT INBOX", "FETCH 1:* (FLAGS BODY[])", "CREATE a",
                    "COPY 1 a", "STORE 1 +FLAGS (\\Deleted)", "EXPUNGE",
                    "SEARCH TEXT x", "LIST \"\" *"):
        assert imap.command(command)[0] == "OK", command
    imap.logout()
    s.wait_empty()


def test_nothing_is_tried_in_vain(suite, tmp_path):
    """By honest programs: what the filter refuses, or what would end them."""
    server = FakeServer(replies={"RCPT": lambda line: "550 5.1.1 no" if "none@"
                                 in line else "250 2.1.5 Ok"})
    s = suite(start=False, main=MAIN.format(port=server.port))
    s.started = True
    s.start_recorded(tmp_path)
    work(s)
    s.stop()
    wait_for("the end of the record", lambda: recorder.is_whole(tmp_path))
    calls, refused = recorder.merged(tmp_path)
    assert not any(refused.values()), refused
    for name in ("smtpd", "smtp", "cleanup", "qmgr", "bounce", "lookup", "auth",
                 "keyd", "pop3d", "imapd", "logd", "pickup", *SESSIONS,
                 "imapd-session of a user", "pop3d-session of a user"):
        assert calls[name], name
        known = {call.split("(")[0] for call in calls[name]} - {"seccomp"}
        assert known <= granted.calls_of(name) | granted.CONDITIONAL, name
