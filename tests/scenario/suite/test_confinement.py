# SPDX-License-Identifier: ISC
"""What each program holds, and what whoever has taken it over can do: tried in
the very processes of a suite that is at work (intruder.py)."""
import contextlib
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
from attempts import ATTEMPTS, NoListener, Try, listeners, path, status
from chaos_hosts import Redis, bulk
from chaos_site import HAS_REDIS
from granted import FORKED, KEEPERS, SESSIONS
from intruder import NUMBERS, Ended, Intruder
from posthaste import AS_ROOT, ROOT, SOURCE, wait_for
from test_captured_programs import services_of
from wire_servers import Tcp

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
# beside that of descriptors and that of the promise, one without clone3
THREADED = {*SESSIONS, "imapd-session of a user",
            "imapd-session with an mbox"}


def filter_count(name):
    """With those of the parent."""
    if name == "local":
        return 0
    parent = f"{name.partition('-')[0]}-session" if name in FORKED else "local"
    return 2 + (name in THREADED) + filter_count(parent)


CONFINED = granted.LISTED


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


class AtWork:
    """A suite with a process of each program, and sessions under way."""

    def __init__(self, s):
        self.suite = s
        s.send()
        s.wait_messages("bob")  # whose Maildir is there
        self.open = [s.pop3(), s.imap(), s.smtp(),
                     s.pop3("alice@example.test"), s.imap("carol")]
        assert self.open[4].command("SELECT INBOX")[0] == "OK"
        self.open[2].ehlo()
        for name in PROGRAMS:
            self.touch(name)
        # sockets of somebody else, which are no files
        self.abstract = f"\0posthaste-probe-{os.getpid()}".encode()
        self.datagrams = self.abstract + b"-datagrams"
        for kind, name in ((socket.SOCK_STREAM, self.abstract),
                           (socket.SOCK_DGRAM, self.datagrams)):
            self.open.append(socket.socket(socket.AF_UNIX, kind))
            self.open[-1].bind(name)
            if kind == socket.SOCK_STREAM:
                self.open[-1].listen()
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
            root = os.readlink(f"/proc/{pid}/root")
            if name in SESSIONS and parent and parent["Name"] == st["Name"]:
                name += " of a user" if root.endswith("/bob") else \
                    " with an mbox"
            if name and int(st["Seccomp_filters"]) >= filter_count(name):
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


def give_mboxes(s, *users):
    """A file each instead of a Maildir."""
    spool = s.root / "mail/spool"
    spool.mkdir()
    os.chown(spool, s.uid, s.gid)
    accounts = s.root / "etc/accounts"
    text = accounts.read_text()
    for user in users:
        text = text.replace(f"maildir:{s.maildir(user)}",
                            f"mbox:{spool / user}")
    accounts.write_text(text)


@pytest.fixture
def set_up(suite):
    """set_up(main, name=text...) -> AtWork, with files of root's"""
    with contextlib.ExitStack() as ends:
        def make(main="", **files):
            s = suite(main="disable_plaintext_auth = no\n"
                      f"imap_hibernate_timeout = 0\n{main}", start=False)
            give_mboxes(s, "alice", "carol")
            for name, text in files.items():
                s.write(name, text).chmod(0o600)
            return ends.enter_context(contextlib.closing(AtWork(s.start())))
        yield make


@pytest.fixture
def at_work(set_up):
    return set_up()


# Settings by which programs get more than the table says: of a server each
# kind of table, one of names that clients ask for, mail that is shared, a log
# that is syslog's.
WIDER = """\
maillog_file =
mail_shared_prefix = shared
tls_server_sni_maps = texthash:$config_directory/names
transport_maps = {tcp}
smtp_generic_maps = {tcp}
"""


@pytest.fixture
def widely_at_work(set_up):
    with contextlib.ExitStack() as ends:
        tcp = Tcp(lambda key: b"500 not%20here\n")
        redis = Redis(lambda key: bulk(None))
        for server in (tcp, redis):
            ends.callback(server.close)
        main = WIDER.format(tcp=tcp.spec())
        if HAS_REDIS:
            main += ("account_files = $config_directory/accounts, "
                     "redis:$config_directory/people\n")
        yield set_up(main, names="", people="query = GET %s\n"
                     f"hosts = 127.0.0.1:{redis.port}\n")


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
    if name in granted.OF_MAILDIRS:
        return s.maildir("bob")
    if name == "imapd-session with an mbox":  # carol's, what is kept of it
        return next((s.root / "data").rglob("*.imap"))
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
    # inotify would need a right more: it is looked at
    "lookup": r"etc",
    "local": r"etc|mail/example\.test/bob/new",  # and the last mailbox
    "auth": r"data/(app_password_use|auth_state)",
    "auth-session": r"data/auth_state",
    "logd": r"log/mail\.log",
    # below its root directory
    "imapd-session of a user":
        r"mail/example\.test/bob(/posthaste[-.](index|tree\.lock)(-lock)?)?",
    "pop3d-session of a user":
        r"mail/example\.test/bob(/posthaste-pop3\.lock)?",
    # a journal, and what is kept beside it of the mbox
    "pop3d-session with an mbox": r"data/mbox/[-\w]+",
    "imapd-session with an mbox":
        r"data/mbox/[-\w]+(\.imap(/\.posthaste(/INBOX|"
        r"/posthaste[-.](index|tree\.lock)(-lock)?)?)?)?",
}
ANONYMOUS = (r"anon_inode:(inotify|"
             r"\[(eventpoll|eventfd|timerfd|signalfd)\])")


def own_listeners(s, name):
    if name in ("smtpd", "pop3d", "imapd"):
        name = name[:-1]
        return {s.ports[name]}
    names = ["log"] if name == "logd" else services_of([name])
    return {f"{folder}/{name}" for name in names
            for folder in ("public", "private")}


def test_descriptors_of_each(at_work):
    s, others, unknown = at_work.suite, listeners(), []
    for name in at_work.pids:
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
                if not (re.fullmatch(ANONYMOUS, what) or
                        re.fullmatch(FILES.get(name, "nothing"), path)):
                    unknown.append(known)
    assert not unknown, "\n".join(map(str, unknown))


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


def options_left(pid):
    """Of those of sockets, on a descriptor that nobody shares."""
    filters = intruder.filters_of(pid)
    return {(level, name) for level in OPTION_LEVELS for name in range(96)
            if intruder.verdict(filters, NUMBERS["setsockopt"],
                                (1000, level, name)) == intruder.ALLOW}


# and UDP, TLS in the kernel, which have options as well
OPTION_LEVELS = (granted.IP, granted.SOCKET, granted.TCP, granted.IPV6, 17, 282)


def test_options_of_sockets(at_work):
    assert {name: options_left(at_work.pids[name]) for name in CONFINED} == \
        {name: granted.options_of(name) for name in CONFINED}


# what comes of it


def unistd_32():
    return next(header for folder in ("x86_64-linux-gnu/asm", "asm")
                if (header := pathlib.Path("/usr/include", folder,
                                           "unistd_32.h")).exists())


LANDLOCK = intruder.libc.syscall(NUMBERS["landlock_create_ruleset"],
                                 None, 0, 1)
# of who makes UNIX sockets, where Landlock knows no scopes (Linux 6.12)
ABSTRACT = set() if LANDLOCK >= 6 else {"connect abstract"}


# What each has left of all that; nobody else anything. doc/PRIVILEGES.md says
# why.
TCP = {"TCP", "TCP6"}
# to any address: no filter sees where a datagram goes
UDP = {"UDP", "UDP6", "UDP to a port", "UDP connection"}
ANY_PORT = {"TCP connection"}
QUEUE = {"open root"}  # which is the queue
MAILBOX = QUEUE | {"watch files", "memory file"}
MAILDIR = MAILBOX | {"create here", "create in /tmp", "directory in /tmp",
                     "file without name in /tmp"}
TABLES = {"see passwd", "open passwd", "openat passwd", "open upwards",
          "open root", "open settings", "open own program", "watch files",
          "unix", "code", "stack with code"} | ABSTRACT
# root's files, and the steps by which its children become others: but no
# program, no connection, no memory of others, no device, no mount
PARENT = {
    "another filter", "chroot", "create here", "create in /tmp",
    "directory in /tmp", "file without name in /tmp", "kill parent", "land",
    "link of settings", "log to itself", "log to itself waits",
    "memory file", "open accounts", "open key",
    "open mail", "open own memory", "open own program", "open passwd",
    "open queue", "open root", "open settings", "open shadow", "open upwards",
    "openat passwd", "openat2 passwd", "pair", "see passwd", "setgid", "setgroups",
    "setresuid", "setuid", "watch files"}
LEFT = {
    "smtpd": set(),
    "smtp": TCP | ANY_PORT | {"TCP bind"},
    # connections to ports of name servers alone, where Landlock knows ports
    "resolver": TCP | UDP | (set() if LANDLOCK >= 4 else ANY_PORT),
    # by the pair what is shared gets numbers that no filter knows, and none of
    # the calls that others would feel
    "pop3d": {"pair", "log to itself"},
    "imapd": {"pair", "log to itself"},
    "keyd": set(),
    "cleanup": QUEUE,
    "qmgr": QUEUE,
    "bounce": QUEUE,
    "pickup": QUEUE,
    "showq": QUEUE,
    # it looks at the folder of its tables
    "lookup": TABLES | {"open upwards from a folder"},
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
              "open settings", "open shadow", "open upwards", "see passwd",
              "setgroups", "setresuid"},
    # and one file, which is open
    "logd": {"see passwd"} | ({"send abstract"} if ABSTRACT else set()),
    # its root is the Maildir, which has a tmp
    "pop3d-session of a user": MAILDIR,
    "imapd-session of a user": MAILDIR,
    "pop3d-session with an mbox": MAILBOX,
    "imapd-session with an mbox": MAILBOX | {"create here"},
    # where the mailbox is, for its lock file
    "pop3d-mbox": QUEUE | {"create here"},
    "imapd-mbox": QUEUE | {"create here"},
    "pop3d-session": PARENT,
    "imapd-session": PARENT,
}
# Beside that, with WIDER.
SERVERS = TCP | UDP | ANY_PORT
MORE = {
    "lookup-server": SERVERS,
    "lookup-smtp-server": SERVERS,
    "lookup-auth-server": (SERVERS | {"open upwards from a folder"}
                           if HAS_REDIS else set()),
    "keyd": {"open root", "open upwards from a folder", "watch files", "code",
             "stack with code"},
    "imapd-session": {"tree of a folder", "open upwards from a folder"},
    "logd": {"unix", "unix datagrams"} | ABSTRACT,
}
TRACES = ("/tmp/posthaste-probe", "/tmp/posthaste-probe-d")
LEAVE_TRACES = {"quota", *SESSIONS}


def remove_traces(s):
    tmp = s.maildir("bob") / "tmp"
    for trace in map(pathlib.Path, (
            *TRACES, *(tmp / pathlib.Path(trace).name for trace in TRACES),
            s.root / "spool/probe-hard")):
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


def try_all(at_work, expected):
    """Of each, that it can do this and nothing else."""
    remove_traces(at_work.suite)
    differs = {}
    for name in CONFINED:
        # names of files lead nowhere below another root directory
        no_file = {errno.ENOENT} if own_root(
            at_work.suite, name) == "/" else set()
        with Intruder(at_work.pids[name]) as inside:
            left, wrong = attempted(Try(inside, at_work, name),
                                    MISTAKES | no_file)
        leaves = any(map(os.path.exists, TRACES))
        if left != expected[name] or wrong or leaves != (name in LEAVE_TRACES):
            differs[name] = {"can": left - expected[name],
                             "cannot": expected[name] - left,
                             "leaves traces": leaves, **wrong}
        remove_traces(at_work.suite)
    assert not differs, "\n".join(map(str, differs.items()))
    at_work.is_well()


def test_what_a_captured_program_can_do(at_work):
    try_all(at_work, LEFT)


def test_what_settings_add_to_that(widely_at_work):
    try_all(widely_at_work, {name: left | MORE.get(name, set())
                             for name, left in LEFT.items()})
    for name in ("keyd", "lookup", "lookup-server"):
        more = granted.OF_SERVERS if name == "lookup-server" else ""
        assert options_left(widely_at_work.pids[name]) == \
            granted.options_of(name, more), name


def test_what_ends_a_captured_program(at_work):
    """And such an end anywhere fails the scenario in which it happens."""
    s = at_work.suite
    s.may_crash = True
    assert not posthaste.crashed(s.log())
    # those that have children, and connections of theirs, at last
    for name in sorted(CONFINED, key=lambda n: (
            n not in KEEPERS, n not in FORKED, n in SESSIONS)):
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


def test_modes_of_directories_keep_what_is_shared_from_itself(at_work):
    """Who could name its own listener had the log under another number."""
    spool = at_work.suite.root / "spool"
    for name, what in (("logd", "log to itself by its name"),
                       ("lookup", "log to itself by its listener")):
        with Intruder(at_work.pids[name]) as inside:
            tries = Try(inside, at_work, name)
            folder = spool / pathlib.Path(tries.address).parent
            mode = folder.stat().st_mode & 0o777
            assert mode == {"public": 0o710, "private": 0o700}[folder.name]
            assert ATTEMPTS[what](tries) == -errno.EACCES, name
            folder.chmod(0o711)
            result = ATTEMPTS[what](tries)
            folder.chmod(mode)
            assert result > 0, (name, result)
