# SPDX-License-Identifier: ISC
"""What would help an intruder, to be tried in the name of a process
(intruder.py). Each attempt gives what the kernel says."""
import errno
import os
import socket
import struct

import granted
from intruder import NUMBERS

AT_CWD = -100


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f
                    if ":\t" in line)


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


ON = struct.pack("i", 1)
ROOM = bytes(256)


def path(text):
    return str(text).encode() + b"\0"


def unix_address(name):
    return struct.pack("H", socket.AF_UNIX) + name


def signal_info():
    return struct.pack("iii", 0, 0, -1) + bytes(116)  # SI_QUEUE


def inet_address(port):
    return (struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) +
            socket.inet_aton("127.0.0.1") + bytes(8))


def rights(fd):
    """The part of a message that passes a descriptor."""
    return struct.pack("Qiiii", 20, socket.SOL_SOCKET, socket.SCM_RIGHTS, fd, 0)


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
        self.abstract = unix_address(at_work.abstract)
        self.datagrams = unix_address(at_work.datagrams)
        self.port = inet_address(at_work.suite.ports["imap"])
        self.other = int(status(inside.pid)["PPid"])
        waiting = listeners() if name != "logd" else \
            dict.fromkeys(bound("public/log"), "public/log")
        self.listener = self.log = self.address = None
        for number in sorted(map(int, os.listdir(f"/proc/{inside.pid}/fd"))):
            what = os.readlink(f"/proc/{inside.pid}/fd/{number}")
            if what.startswith("socket:") and int(what[8:-1]) in waiting:
                self.listener = number
                self.address = waiting[int(what[8:-1])]
            elif what.startswith("pipe:") and self.log is None:
                self.log = number
        assert self.log and (self.listener or name in granted.FORKED), name

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

    def from_unix(self, call, address):
        """What it says of a local stream socket, and the address."""
        fd = self.socket(UNIX, STREAM, 0)
        if fd < 0:
            return fd
        result = getattr(self, call)(fd, address, len(address))
        self.close(fd)
        return result

    def connect_to(self, name):
        return self.from_unix("connect", unix_address(name))

    def from_folders(self, name):
        """Openat, by each descriptor of a directory that it has."""
        folder, result = f"/proc/{self.inside.pid}/fd", -errno.EPERM
        for number in os.listdir(folder):
            if os.path.isdir(f"{folder}/{number}") and result < 0:
                result = self.openat(int(number), path(name), READ)
        return result

    def message(self, control=b"", to=b""):
        """One byte, and all that struct msghdr leads to, as it will lie in
        its memory; the control part is at CONTROL."""
        at = self.inside.base
        head = struct.pack("QIIQQQQQ", at + 160 if to else 0, len(to), 0,
                           at + 64, 1, at + CONTROL if control else 0,
                           len(control), 0)
        return (head.ljust(64, b"\0") +
                struct.pack("QQ", at + 80, 1) + b"x".ljust(16, b"\0") +
                control.ljust(64, b"\0") + to)

    def send_abstract(self):
        """A datagram to somebody else's, from whatever socket it has for
        such: its listener, a new one, or one of a pair."""
        sockets = [self.listener] if self.address == "public/log" else []
        sockets.append(self.socket(UNIX, DGRAM, 0))
        if self.socketpair(UNIX, DGRAM, 0, bytes(8)) >= 0:
            sockets += struct.unpack("ii", self.inside.read(
                self.inside.base, 8))
        result = -errno.EPERM
        for fd in sockets:
            if fd >= 0 and result < 0:
                result = self.sendmsg(fd, self.message(to=self.datagrams),
                                      socket.MSG_NOSIGNAL |
                                      socket.MSG_DONTWAIT)
            if fd >= 0 and fd != self.listener:
                self.close(fd)
        return result

    def named_datagrams(self):
        """A local socket for datagrams that can be written to; an error."""
        fd = self.socket(UNIX, DGRAM, 0)
        if fd < 0:
            return fd
        # some name, by bind(2) or as who asks who sends
        if self.bind(fd, unix_address(b""), 2) < 0:
            self.setsockopt(fd, socket.SOL_SOCKET, 16, ON, 4)
            self.connect(fd, unix_address(b"\0nobody"), 9)
            self.setsockopt(fd, socket.SOL_SOCKET, 16, bytes(4), 4)
        return fd

    def way_to_itself(self):
        """(out, in): sockets by which it can write to itself; None."""
        if self.socketpair(UNIX, STREAM, 0, bytes(8)) >= 0:
            return struct.unpack("ii", self.inside.read(self.inside.base, 8))
        into = self.named_datagrams()
        if into < 0:
            return None
        size = 16  # of its name, in front of which its room is
        self.getsockname(into, bytes(size), struct.pack("i", size))
        name = self.inside.read(self.inside.base, size)
        size = struct.unpack("i", self.inside.read(self.inside.base + size,
                                                   4))[0]
        out = self.socket(UNIX, DGRAM, 0)
        if size > 2 and self.connect(out, name[:size], size) >= 0:
            return out, into
        self.close(out)
        self.close(into)
        return None

    def log_to_itself(self, attempt=lambda fd: 0):
        """What it says of the log under another number, which no filter
        knows: it has been passed."""
        way = self.way_to_itself()
        if way is None:
            return -errno.EPERM
        out, into = way
        result = self.sendmsg(out, self.message(rights(self.log)), 0)
        if result >= 0:
            self.recvmsg(into, self.message(bytes(24)), socket.MSG_DONTWAIT)
            fd, = struct.unpack("i", self.inside.read(
                self.inside.base + CONTROL + 16, 4))
            result = attempt(fd)
            self.close(fd)
        self.close(out)
        self.close(into)
        return result

    def own_addresses(self):
        """Of its listener, as this process may have to say it."""
        if not isinstance(self.address, str):
            raise NoListener  # or one of TCP, which passes no descriptors
        return [unix_address(path(name)) for name in (
            self.root / "spool" / self.address, self.address)]

    def log_by_datagram(self, address):
        """To its own listener, from that."""
        result = self.sendmsg(self.listener, self.message(
            rights(self.log), address), socket.MSG_NOSIGNAL)
        if result >= 0:
            result = self.recvmsg(self.listener, self.message(bytes(24)),
                                  socket.MSG_DONTWAIT)
        return result

    def log_by_connection(self, address):
        """From one to its own listener to what it accepts there."""
        out = self.socket(UNIX, STREAM, 0)
        if out < 0:
            return out
        result = self.connect(out, address, len(address))
        if result >= 0:
            into = self.accept4(self.listener, 0, 0, socket.SOCK_NONBLOCK)
            result = self.sendmsg(out, self.message(rights(self.log)),
                                  socket.MSG_NOSIGNAL)
            if result >= 0:
                result = self.recvmsg(into, self.message(bytes(24)),
                                      socket.MSG_DONTWAIT)
            self.close(into)
        self.close(out)
        return result

    def by_own_address(self, way):
        """What it says of the name from the root directory, or else where it
        is."""
        first, then = map(way, self.own_addresses())
        return then if then >= 0 else first

    def waits(self, fd):
        """Writers of that pipe wait when it is full; and no more."""
        old = self.fcntl(fd, 3, 0)  # F_GETFL
        result = self.fcntl(fd, 4, old & ~0o4000)  # F_SETFL
        if result >= 0:
            self.fcntl(fd, 4, old)
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
CONTROL = 96  # in Try.message()
# of a directory that is open, as a mount that hangs nowhere
CUT_OFF = 0x1000 | 0x8000 | 1 | 0x80000
FAST_OPEN = 0x20000000
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
    "open upwards from a folder": lambda t: t.from_folders(
        "../" * 9 + "etc/passwd"),
    "see passwd": lambda t: t.stat(path("/etc/passwd"), ROOM),
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
    "tree of a folder": lambda t: t.open_tree(AT_CWD, path(""), CUT_OFF),
    "socket file": lambda t: t.from_unix("bind", unix_address(
        path("/tmp/posthaste-probe"))),
    "quota": lambda t: t.quotactl(0x800001 << 8, 0, 0, ROOM),
    "attribute": lambda t: t.setxattr(path("/"), path("user.a"), ON, 1, 0),
}

SOCKET_ATTEMPTS = {
    "TCP": lambda t: t.socket_of(INET, STREAM),
    "UDP": lambda t: t.socket_of(INET, DGRAM),
    "TCP6": lambda t: t.socket_of(INET6, STREAM),
    "raw": lambda t: t.socket_of(INET, RAW, 1),
    "ping": lambda t: t.socket_of(INET, DGRAM, 1),
    "raw6": lambda t: t.socket_of(INET6, RAW, 58),
    "light UDP": lambda t: t.socket_of(INET, DGRAM, 136),
    "multipath": lambda t: t.socket_of(INET, STREAM, 262),
    "SCTP": lambda t: t.socket_of(INET, STREAM, 132),
    "unix": lambda t: t.socket_of(UNIX, STREAM),
    "unix datagrams": lambda t: t.socket_of(UNIX, DGRAM),
    "unix packets": lambda t: t.socket_of(UNIX, socket.SOCK_SEQPACKET),
    **{f"family {n}": lambda t, n=n: max(t.socket_of(n, RAW),
                                         t.socket_of(n, DGRAM))
       for n in range(3, 47) if n != INET6},
    "pair": lambda t: t.socketpair(UNIX, STREAM, 0, bytes(8)),
    "pair of datagrams": lambda t: t.socketpair(UNIX, DGRAM, 0, bytes(8)),
    "pipe": lambda t: t.pipe2(bytes(8), 0),
    "TCP connection": lambda t: t.from_socket(
        STREAM, lambda fd: t.connect(fd, t.port, 16)),
    "TCP by its first bytes": lambda t: t.from_socket(
        STREAM, lambda fd: t.sendto(fd, b"x", 1, FAST_OPEN, t.port, 16)),
    "TCP by its first message": lambda t: t.from_socket(
        STREAM, lambda fd: t.sendmsg(fd, t.message(to=t.port), FAST_OPEN)),
    "TCP bind": lambda t: t.from_socket(
        STREAM, lambda fd: t.bind(fd, inet_address(0), 16)),
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
    # anybody's, by a name that is no file
    "connect abstract": lambda t: t.from_unix("connect", t.abstract),
    "send abstract": lambda t: t.send_abstract(),
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
    "log to itself": lambda t: t.log_to_itself(),
    "log to itself waits": lambda t: t.log_to_itself(t.waits),
    "log to itself by its name": lambda t: t.by_own_address(
        t.log_by_datagram),
    "log to itself by its listener": lambda t: t.by_own_address(
        t.log_by_connection),
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
