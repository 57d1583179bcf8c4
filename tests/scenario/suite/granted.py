# SPDX-License-Identifier: ISC
"""Which system calls each filter allows: a second opinion beside
lib/sandbox/promise.c and lib/service/programs.def. What is new there fails
test_confinement.py until it stands here, with a reason if no load needs it."""

# calls with arguments that decide, which are tried one by one
CONDITIONAL = set("fcntl ioctl prctl socket socketpair setsockopt shutdown mmap"
                  " mprotect prlimit64 tgkill open openat clone kill"
                  " open_tree".split())
CONNECT = "connect"
READ = ("access faccessat faccessat2 statfs fstatfs readlink readlinkat"
        " getdents64 flock")
WATCH = " inotify_init1 inotify_add_watch inotify_rm_watch"
WRITE = (" rename renameat renameat2 unlink unlinkat mkdir mkdirat ftruncate"
         " fsync fdatasync utimensat")
PROMISES = {
    "io": "read write readv writev pread64 pwrite64 lseek close fstat"
          " newfstatat stat lstat statx dup3 poll ppoll"
          " epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2 futex"
          " restart_syscall sched_yield nanosleep clock_nanosleep recvmsg"
          " sendmsg recvfrom sendto getsockopt getsockname getpeername munmap"
          " mremap madvise brk rseq set_robust_list clock_gettime"
          " clock_getres gettimeofday time getpid getppid gettid getuid"
          " geteuid getgid getegid getresuid getresgid getgroups getrusage"
          " getrlimit getrandom sysinfo uname sched_getaffinity getcpu"
          " arch_prctl umask rt_sigaction rt_sigprocmask rt_sigreturn"
          " sigaltstack exit exit_group",
    "net-accept": "accept accept4",
    "net-connect": CONNECT,
    "net-bind": "bind",
    "dns": CONNECT,
    "unix": CONNECT,
    "syslog": CONNECT,
    "pair": "",
    "counts": "",
    "hang-up": "",
    "files-read": READ + WATCH + " getcwd sendmmsg select pselect6",
    "queue-read": READ,
    "queue-write": READ + WRITE,
    "owners": READ + WRITE + " setgroups setresgid setresuid",
    "mailbox": READ + WRITE + WATCH + " openat2 fchdir memfd_create"
               " copy_file_range sendfile link linkat"
               " fallocate sync_file_range",
    "mbox": READ + " link linkat unlink unlinkat ftruncate fsync",
    "threads": "",
    "shares": "",
    "program": None,  # all but DENIED
    "modules": None,
}
PROMISES["sessions"] = (
    PROMISES["mailbox"] + " chdir fchown setgroups setresgid setresuid dup2"
    " close_range signalfd4 timerfd_create timerfd_settime wait4 chroot setuid"
    " setgid seccomp landlock_create_ruleset landlock_add_rule"
    " landlock_restrict_self")
# Options of sockets that may be set, as (level, name), by whom; and by that
# promise, which settings give: those of client libraries.
IP, SOCKET, TCP, IPV6 = 0, 1, 6, 41
OPTIONS = {
    "io": {(TCP, 1)},  # TCP_NODELAY
    "net-connect": {(TCP, 12)},  # TCP_QUICKACK
    "sessions": {(SOCKET, 13)},  # SO_LINGER
    "blocking": {
        (SOCKET, 20), (SOCKET, 21), (TCP, 18),  # how long to wait
        (SOCKET, 9), (TCP, 4), (TCP, 5), (TCP, 6),  # SO_KEEPALIVE, and when
        (IP, 1), (IPV6, 26),  # IP_TOS, IPV6_V6ONLY
        (IP, 11), (IPV6, 25)},  # errors of name servers' ports
}
OF_SERVERS = "net-connect dns blocking"  # who speaks to servers of tables
QUEUE = "io net-accept queue-write"
TABLES = "io net-accept files-read unix"
PROGRAMS = {
    "smtpd": "io net-accept counts",
    "smtp": "io net-accept net-connect net-bind",
    "resolver": "io net-accept dns",
    "cleanup": QUEUE,
    "qmgr": "io queue-write net-accept",
    "bounce": QUEUE,
    "pickup": QUEUE,
    "showq": "io net-accept queue-read",
    "lookup": TABLES + " hang-up",
    "lookup-smtp": TABLES + " hang-up",
    "lookup-server": TABLES,
    "lookup-smtp-server": TABLES,
    "lookup-auth-server": TABLES,
    "auth": TABLES,
    "auth-session": TABLES + " hang-up",
    "keyd": "io net-accept counts",
    "pop3d": "io net-accept pair counts",
    "imapd": "io net-accept pair counts",
    "quota": "io net-accept owners",
    "logd": "io",
    # root, which forks the next ones
    "pop3d-session": "io net-accept sessions",
    "imapd-session": "io net-accept sessions",
    # io, and files below their root directory
    "pop3d-session of a user": "io mailbox",
    "imapd-session of a user": "io mailbox threads",
    # the same program, with another root directory
    "pop3d-session with an mbox": "io mailbox",
    "imapd-session with an mbox": "io mailbox threads",
    "pop3d-mbox": "io mbox",
    "imapd-mbox": "io mbox",
    # code of others
    "auth-pam": "modules",
    "auth-token": "program",
}
# two stages in one program: processes of users, beside their parent
SESSIONS = ("pop3d-session", "imapd-session")
KEEPERS = ("pop3d-mbox", "imapd-mbox")
# what parents fork, with a filter of its own above theirs
OF_MAILDIRS = {f"{name} of a user" for name in SESSIONS}
OF_MBOXES = {f"{name} with an mbox" for name in SESSIONS}
FORKED = {*OF_MAILDIRS, *OF_MBOXES, *KEEPERS}
# These have every other call.
DENIED = {
    "another kernel, or none":
        "init_module finit_module delete_module kexec_load kexec_file_load"
        " reboot",
    "the machine and its devices":
        "swapon swapoff acct settimeofday clock_settime clock_adjtime adjtimex"
        " iopl ioperm syslog sethostname setdomainname quotactl quotactl_fd"
        " vhangup",
    "other processes":
        "ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd"
        " kcmp migrate_pages move_pages",
    "mounts, namespaces, files without their directories":
        "mount umount2 pivot_root chroot move_mount open_tree open_tree_attr"
        " fsopen fsconfig fsmount fspick mount_setattr unshare setns"
        " open_by_handle_at fanotify_init",
    "ways into the kernel":
        "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter"
        " io_uring_register modify_ldt",
}
# What root keeps of its capabilities; others have none.
BECOME = "SETGID SETUID"
CAPABILITIES = {
    "quota": BECOME,
    "pop3d-session": BECOME + " CHOWN DAC_OVERRIDE DAC_READ_SEARCH KILL"
                              " SYS_CHROOT SYS_RESOURCE",
    "auth-pam": "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID"
                " SETUID SETPCAP NET_BIND_SERVICE NET_BROADCAST NET_ADMIN"
                " NET_RAW IPC_LOCK IPC_OWNER SYS_CHROOT SYS_NICE SYS_RESOURCE"
                " LEASE AUDIT_WRITE SETFCAP",
}
CAPABILITIES["imapd-session"] = CAPABILITIES["pop3d-session"]
WIDE = [name for name, promises in PROGRAMS.items()
        if promises in ("program", "modules")]
LISTED = [name for name in PROGRAMS if name not in WIDE]

# Allowed though no load was seen to need it, and why it stays
KEPT = {
    "its place is taken elsewhere, or was in other versions of glibc":
        "poll ppoll epoll_wait epoll_pwait select pselect6 accept accept4"
        " dup3 readv writev nanosleep clock_nanosleep stat lstat access"
        " faccessat faccessat2 readlink readlinkat newfstatat fstat statx"
        " rename renameat renameat2 unlink unlinkat mkdir mkdirat link linkat"
        " eventfd2 epoll_create1 epoll_ctl gettimeofday time clock_gettime"
        " clock_getres getcpu sched_getaffinity arch_prctl rseq"
        " set_robust_list getrlimit sysinfo uname getrandom futex utimensat",
    "memory: malloc(3), stacks of tasks, and their end":
        "brk mremap munmap madvise",
    "signals, crashes, and the end": "rt_sigaction rt_sigprocmask rt_sigreturn"
        " sigaltstack restart_syscall exit exit_group write",
    "what one is, which harms nobody": "getpid getppid gettid getuid geteuid"
        " getgid getegid getresuid getresgid getgroups getrusage umask"
        " sched_yield getcwd",
    "open descriptors, which say what they are for":
        "read pread64 pwrite64 lseek close sendfile recvmsg sendmsg recvfrom"
        " sendto sendmmsg getsockopt getsockname getpeername",
    "files where a program has any: rare, or to put errors right":
        "chdir fchdir flock statfs fstatfs getdents64 inotify_init1 inotify_add_watch"
        " inotify_rm_watch openat2 memfd_create copy_file_range"
        " fchown ftruncate fallocate fsync fdatasync sync_file_range",
    "connections": "connect bind",
    "to be the owner of a mailbox for a while":
        "setgroups setresgid setresuid",
    "processes of users, until they have filters of their own":
        "dup2 close_range signalfd4 timerfd_create timerfd_settime wait4 chroot"
        " setuid setgid seccomp landlock_create_ruleset landlock_add_rule"
        " landlock_restrict_self",
}


def calls_of(program):
    """All that its filter allows, but for those whose arguments decide."""
    return {call for promise in PROGRAMS[program].split()
            for call in PROMISES[promise].split()}


def options_of(program, more=""):
    return {option for promise in f"{PROGRAMS[program]} {more}".split()
            for option in OPTIONS.get(promise, ())}


def reason(call):
    return next((why for why, calls in KEPT.items() if call in calls.split()),
                None)
