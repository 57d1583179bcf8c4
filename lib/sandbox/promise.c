/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: a list of what is allowed; all else fails with EPERM. What only
 * an intruder would call ends the process.
 */
#include "lib/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/compat_sanitizer.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/base/span.h"
#include "lib/log/log.h"
#include "lib/sandbox/internal.h"

#define CALL(name) SCMP_SYS(name)
enum { END_OF_CALLS = -100000 };

/*
 * Some are here though no program of ours was ever seen to make them: what the
 * C library may do in their place, on other machines or in other versions
 * (tests/scenario/suite/test_confinement.py says which, and why).
 */
static const int io_calls[] = {
	CALL(read),
	CALL(write),
	CALL(readv),
	CALL(writev),
	CALL(pread64),
	CALL(pwrite64),
	CALL(lseek),
	CALL(close),
	CALL(fstat),
	CALL(newfstatat),
	CALL(stat),
	CALL(lstat),
	CALL(statx),
	CALL(dup3),
	/* waiting */
	CALL(poll),
	CALL(ppoll),
	CALL(epoll_create1),
	CALL(epoll_ctl),
	CALL(epoll_wait),
	CALL(epoll_pwait),
	CALL(eventfd2),
	CALL(futex),
	CALL(restart_syscall),
	CALL(sched_yield),
	CALL(nanosleep),
	CALL(clock_nanosleep),
	/* open sockets, descriptors that others pass */
	CALL(recvmsg),
	CALL(sendmsg),
	CALL(recvfrom),
	CALL(sendto),
	CALL(getsockopt),
	CALL(getsockname),
	CALL(getpeername),
	/* memory */
	CALL(munmap),
	CALL(mremap),
	CALL(madvise),
	CALL(brk),
	CALL(rseq),
	CALL(set_robust_list),
	/* about oneself */
	CALL(clock_gettime),
	CALL(clock_getres),
	CALL(gettimeofday),
	CALL(time),
	CALL(getpid),
	CALL(getppid),
	CALL(gettid),
	CALL(getuid),
	CALL(geteuid),
	CALL(getgid),
	CALL(getegid),
	CALL(getresuid),
	CALL(getresgid),
	CALL(getgroups),
	CALL(getrusage),
	CALL(getrlimit),
	CALL(getrandom),
	CALL(sysinfo),
	CALL(uname),
	CALL(sched_getaffinity),
	CALL(getcpu),
	CALL(arch_prctl),
	CALL(umask),
	/* signals, and the end */
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigreturn),
	CALL(sigaltstack),
	CALL(exit),
	CALL(exit_group),
	END_OF_CALLS,
};

static const int accept_calls[] = {
	CALL(accept),
	CALL(accept4),
	END_OF_CALLS,
};

static const int connect_calls[] = {
	CALL(connect),
	END_OF_CALLS,
};

static const int bind_calls[] = {
	CALL(bind),
	END_OF_CALLS,
};

static const int no_calls[] = { END_OF_CALLS };

static const int read_calls[] = {
	CALL(access),
	CALL(faccessat),
	CALL(faccessat2),
	CALL(statfs),
	CALL(fstatfs),
	CALL(readlink),
	CALL(readlinkat),
	CALL(getdents64),
	CALL(flock),
	END_OF_CALLS,
};

/* Tables and mailboxes that others change. */
static const int watch_calls[] = {
	CALL(inotify_init1),
	CALL(inotify_add_watch),
	CALL(inotify_rm_watch),
	END_OF_CALLS,
};

/* What libraries of tables like. */
static const int library_calls[] = {
	CALL(getcwd),
	CALL(sendmmsg), /* getaddrinfo(3) */
	CALL(select),
	CALL(pselect6),
	END_OF_CALLS,
};

static const int write_calls[] = {
	CALL(open),
	CALL(openat),
	CALL(rename),
	CALL(renameat),
	CALL(renameat2),
	CALL(unlink),
	CALL(unlinkat),
	CALL(mkdir),
	CALL(mkdirat),
	CALL(ftruncate),
	CALL(fsync),
	CALL(fdatasync),
	CALL(utimensat),
	END_OF_CALLS,
};

/* postdrop's: now the file is whole */
static const int drop_calls[] = { CALL(fchmod), END_OF_CALLS };

/* identity_become(), from root and back. */
static const int owner_calls[] = {
	CALL(setgroups),
	CALL(setresgid),
	CALL(setresuid),
	END_OF_CALLS,
};

/* Beside those of queue-write. */
static const int mailbox_calls[] = {
	CALL(openat2),
	CALL(fchdir),
	CALL(memfd_create),
	CALL(copy_file_range),
	CALL(sendfile),
	CALL(link),
	CALL(linkat),
	CALL(fallocate),
	CALL(sync_file_range),
	END_OF_CALLS,
};

/* The lock file beside an mbox, and what one that was left tells of. */
static const int mbox_calls[] = {
	CALL(open),
	CALL(openat),
	CALL(link),
	CALL(linkat),
	CALL(unlink),
	CALL(unlinkat),
	CALL(ftruncate), /* what a dead delivery has left, on disk too */
	CALL(fsync),
	END_OF_CALLS,
};

/*
 * To fork processes of users, which enter their directories, become the user
 * and apply a filter of their own.
 */
static const int session_calls[] = {
	CALL(chdir),
	CALL(fchown),
	CALL(dup2),
	CALL(close_range),
	CALL(signalfd4),
	CALL(timerfd_create),
	CALL(timerfd_settime),
	CALL(wait4),
	CALL(chroot),
	CALL(setuid), /* become.c: the proof that there is no way back */
	CALL(setgid),
	CALL(seccomp),
	CALL(landlock_create_ruleset),
	CALL(landlock_add_rule),
	CALL(landlock_restrict_self),
	END_OF_CALLS,
};

/* No honest program of ours comes near these. */
static const int deadly_calls[] = {
	CALL(execve),
	CALL(execveat),
	CALL(ptrace),
	CALL(process_vm_readv),
	CALL(process_vm_writev),
	CALL(init_module),
	CALL(finit_module),
	CALL(delete_module),
	CALL(kexec_load),
	CALL(bpf),
	CALL(mount),
	CALL(umount2),
	CALL(pivot_root),
	CALL(setns),
	CALL(unshare),
	CALL(userfaultfd),
	CALL(perf_event_open),
	CALL(keyctl),
	CALL(add_key),
	CALL(request_key),
	END_OF_CALLS,
};

static const struct promise {
	const char *name;
	const int *calls;
	unsigned int extra;
} promises[] = {
	{ "io", io_calls, EXTRA_NONE },
	{ "net-accept", accept_calls, EXTRA_NONE },
	{ "net-connect", connect_calls, EXTRA_INET | EXTRA_ANYWHERE },
	{ "net-bind", bind_calls, EXTRA_BIND },
	{ "dns", connect_calls, EXTRA_INET | EXTRA_DATAGRAMS | EXTRA_PORTS },
	{ "unix", connect_calls, EXTRA_UNIX },
	{ "syslog", connect_calls, EXTRA_UNIX | EXTRA_SYSLOG },
	{ "pair", no_calls, EXTRA_PAIR },
	{ "blocking", no_calls, EXTRA_BLOCK | EXTRA_CLIENTS },
	{ "hang-up", no_calls, EXTRA_HANG_UP },
	{ "counts", no_calls, EXTRA_COUNTS },
	{ "files-read", read_calls, EXTRA_OPEN_READ | EXTRA_CODE | EXTRA_LOCK },
	{ "files-read", watch_calls, EXTRA_NONE },
	{ "files-read", library_calls, EXTRA_NONE },
	{ "queue-read", read_calls,
	    EXTRA_OPEN_READ | EXTRA_BELOW | EXTRA_LOCK | EXTRA_HANG_UP },
	{ "queue-write", read_calls,
	    EXTRA_BELOW | EXTRA_WRITE | EXTRA_LOCK | EXTRA_HANG_UP },
	{ "queue-write", write_calls, EXTRA_NONE },
	{ "drop", drop_calls, EXTRA_NONE },
	{ "owners", read_calls, EXTRA_NONE },
	{ "owners", write_calls, EXTRA_NONE },
	{ "owners", owner_calls, EXTRA_NONE },
	{ "mailbox", read_calls,
	    EXTRA_BELOW | EXTRA_WRITE | EXTRA_LOCK | EXTRA_HANG_UP },
	{ "mailbox", write_calls, EXTRA_NONE },
	{ "mailbox", watch_calls, EXTRA_NONE },
	{ "mailbox", mailbox_calls, EXTRA_NONE },
	{ "mbox", read_calls,
	    EXTRA_BELOW | EXTRA_WRITE | EXTRA_LOCK | EXTRA_HANG_UP },
	{ "mbox", mbox_calls, EXTRA_NONE },
	{ "threads", no_calls, EXTRA_THREADS },
	{ "sessions", read_calls, EXTRA_LOCK | EXTRA_BLOCK | EXTRA_PAIR },
	{ "sessions", write_calls, EXTRA_THREADS | EXTRA_CHILDREN },
	{ "sessions", watch_calls, EXTRA_NONE },
	{ "sessions", mailbox_calls, EXTRA_NONE },
	{ "sessions", owner_calls, EXTRA_NONE },
	{ "sessions", session_calls, EXTRA_NONE },
	{ "shares", no_calls, EXTRA_TREES },
};

/* Numbers below zero: this machine has no such call. */
static void
add(scmp_filter_ctx filter, uint32_t action, int call)
{
	int r;

	if (call < 0)
		return;
	r = seccomp_rule_add(filter, action, call, 0);
	if (r < 0)
		fatal("system call filter: call %d: %s", call, strerror(-r));
}

static void
add_all(scmp_filter_ctx filter, uint32_t action, const int *calls)
{
	for (; *calls != END_OF_CALLS; calls++)
		add(filter, action, *calls);
}

static unsigned int
add_promise(scmp_filter_ctx filter, struct span word)
{
	unsigned int extra = 0;
	bool known = false;

	for (size_t i = 0; i < sizeof(promises) / sizeof(promises[0]); i++) {
		if (!span_is(word, promises[i].name))
			continue;
		known = true;
		extra |= promises[i].extra;
		add_all(filter, SCMP_ACT_ALLOW, promises[i].calls);
	}
	ensure(known && "a promise of sandbox.h");
	return extra;
}

/* By these a program could pass what is shared to itself (conditions.c). */
static void
ensure_no_way_to_itself(unsigned int extra)
{
	unsigned int connects = EXTRA_INET | EXTRA_UNIX;

	ensure(!((extra & EXTRA_BIND) && (extra & EXTRA_UNIX)) &&
	    "no net-bind beside unix or syslog");
	ensure(!((extra & EXTRA_PAIR) && (extra & connects)) &&
	    "no pair beside net-connect, dns, unix or syslog");
}

/*
 * Signals go to "self" alone; 0: to nobody (abort(3) ends a process all the
 * same).
 */
static scmp_filter_ctx
build(const char *words, pid_t self, unsigned int *extras)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	struct span rest = span_of(words), word;
	unsigned int extra = 0;

	if (filter == NULL)
		fatal("no system call filter");
	/* Logged by the kernel where it is set to log such. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	while (span_cut(&rest, " ", true, &word))
		extra |= add_promise(filter, word);
	ensure_no_way_to_itself(extra);
	sandbox_add_conditions(filter, extra, self);
	add_all(filter, SCMP_ACT_KILL_PROCESS, deadly_calls);
	*extras = extra;
	return filter;
}

static void
load(scmp_filter_ctx filter)
{
	int r = seccomp_load(filter);

	if (r < 0)
		fatal("the kernel refuses the system call filter: %s",
		    strerror(-r));
	seccomp_release(filter);
}

static void
no_new_privs(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fatal("no_new_privs: %m");
}

/* What goes before the filter. */
static void
prelude(unsigned int extra)
{
	no_new_privs();
	sandbox_land(extra);
	if (extra & EXTRA_THREADS)
		sandbox_hide_clone3();
}

static void
confine(const char *words, const int *shared, size_t count)
{
	unsigned int extra;
	scmp_filter_ctx filter = build(words, getpid(), &extra);

	prelude(extra);
	if (count > 0)
		load(sandbox_protect(shared, count));
	load(filter);
}

enum { PROTECTION, PROMISE, FILTERS };

struct sandbox_filter {
	struct sock_fprog programs[FILTERS];
	unsigned int extra;
};

/* As a program, which children only have to be given. */
static void
compile(scmp_filter_ctx filter, struct sock_fprog *program)
{
	struct buf code = BUF_INIT(1 << 20);
	int fd = memfd_create("filter", MFD_CLOEXEC), r;

	r = fd < 0 ? -errno : seccomp_export_bpf(filter, fd);
	seccomp_release(filter);
	if (r < 0 || lseek(fd, 0, SEEK_SET) != 0 ||
	    fd_read_whole(fd, &code) != 0 || code.n == 0)
		fatal("the system call filter cannot be prepared");
	fd_close(&fd);
	program->filter = mem_new(code.n);
	memcpy(program->filter, code.p, code.n);
	program->len = (unsigned short)(code.n / sizeof(*program->filter));
	buf_fini(&code);
}

struct sandbox_filter *
sandbox_prepare(const char *words, const int *shared, size_t count)
{
	struct sandbox_filter *f = mem_new(sizeof(*f));

	if (SANITIZED)
		return f;
	compile(sandbox_protect(shared, count), &f->programs[PROTECTION]);
	compile(build(words, 0, &f->extra), &f->programs[PROMISE]);
	return f;
}

static void
apply(const struct sock_fprog *program)
{
	if (program->len > 0 &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_LOG, program) < 0)
		fatal("the kernel refuses the system call filter: %m");
}

void
sandbox_apply(const struct sandbox_filter *f)
{
	prelude(f->extra);
	for (size_t i = 0; i < FILTERS; i++)
		apply(&f->programs[i]);
}

/*
 * "modules" and "program": nothing is said of descriptors that are shared,
 * since the programs that are started have others under those numbers. Without
 * root helpers of modules need their set-id bits, which no_new_privs would take
 * from them, and a filter cannot be had without.
 */
static bool
foreign(const char *words)
{
	bool modules = strcmp(words, "modules") == 0;

	if (!modules && strcmp(words, "program") != 0)
		return false;
	if (modules && geteuid() != 0)
		return true;
	if (!SANITIZED) {
		load(sandbox_denials());
		sandbox_deny_unlogged();
	} else {
		no_new_privs();
	}
	return true;
}

void
sandbox_promise(const char *words)
{
	sandbox_promise_beside(words, NULL, 0);
}

void
sandbox_promise_beside(const char *words, const int *shared, size_t count)
{
	if (strcmp(words, "all") == 0)
		return;
	sandbox_keep_capabilities(words);
	if (foreign(words))
		return;
	if (!SANITIZED)
		confine(words, shared, count);
	else
		no_new_privs();
}
