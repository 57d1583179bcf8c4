/* SPDX-License-Identifier: ISC */
/*
 * SECURITY. What counts here is the open file behind a descriptor: log pipe,
 * listeners and queue files are shared with processes that have not been
 * taken over, and fcntl(2), shutdown(2), setsockopt(2) or connect(2) on ours
 * would change theirs.
 *
 * - Non-blocking stays non-blocking (but for client libraries of databases,
 *   and where sessions are forked). No O_APPEND, O_DIRECT, no signals to other
 *   processes (F_SETOWN: the kernel sends those), no F_SETPIPE_SZ.
 * - shutdown only for writing, which means nothing to a listener.
 * - listen not at all; setsockopt only what sockets of our own need and no
 *   other process minds: add_options().
 * - No TCP Fast Open: it connects without connect(2), of which Landlock would
 *   have a say (sandbox_land).
 * - connect(AF_UNSPEC) ends a listener, whatever its number. So what is shared
 *   may not be named in such calls, nor be given another number: by dup,
 *   fcntl, or by being passed to ourselves, for which no program that connects
 *   has a socket pair, or datagrams that could be sent to itself: sockets of
 *   AF_UNIX are streams, which without listen(2) lead to others, and where
 *   there are datagrams there is no bind(2) (promise.c ensures these), nor
 *   for anybody the option that stands for it.
 * - A listener has a name, though, and what is allowed anyway would do:
 *   sendmsg(2) from logd's, which takes datagrams, to itself; connect(2) to
 *   its own and accept(2), for who has "unix" and "net-accept". No filter
 *   sees a name: the modes of the queue's directories keep both from theirs.
 *   "private" is its owner's alone (0700), "public" its group's as well
 *   (0710), and who has such promises is neither.
 */
#include "lib/sandbox/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "lib/log/log.h"

#define CALL(name) SCMP_SYS(name)
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void
check(int r, int call)
{
	if (r < 0)
		fatal("system call filter: call %d: %s", call, strerror(-r));
}

/* Numbers below zero: this machine has no such call. */
static void
add_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp what)
{
	if (call >= 0)
		check(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1,
			  &what),
		    call);
}

static void
add_if_both(scmp_filter_ctx filter, int call, struct scmp_arg_cmp a,
    struct scmp_arg_cmp b)
{
	const struct scmp_arg_cmp both[] = { a, b };

	check(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 2, both),
	    call);
}

/* Memory with code in it can only be mapped where modules are loaded. */
static void
add_memory(scmp_filter_ctx filter, bool code)
{
	static const int calls[] = { CALL(mmap), CALL(mmap2), CALL(mprotect) };

	for (size_t i = 0; i < COUNT(calls); i++) {
		if (!code)
			add_if(filter, calls[i],
			    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		else if (calls[i] >= 0)
			check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i],
				  0),
			    calls[i]);
	}
}

static void
add_commands(scmp_filter_ctx filter, const int *commands, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_if(filter, CALL(fcntl),
		    SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
}

static void
add_fcntl(scmp_filter_ctx filter, unsigned int extras)
{
	enum { KEPT = O_NONBLOCK | O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME };
	static const int always[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD,
		F_SETFD, F_GETFL };
	static const int counts[] = { F_OFD_SETLK };
	static const int locks[] = { F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK,
		F_OFD_SETLK, F_OFD_SETLKW };

	add_commands(filter, always, COUNT(always));
	if (extras & EXTRA_BLOCK)
		add_if_both(filter, CALL(fcntl), SCMP_A1(SCMP_CMP_EQ, F_SETFL),
		    SCMP_A2(SCMP_CMP_MASKED_EQ, KEPT & ~O_NONBLOCK, 0));
	else
		add_if_both(filter, CALL(fcntl), SCMP_A1(SCMP_CMP_EQ, F_SETFL),
		    SCMP_A2(SCMP_CMP_MASKED_EQ, KEPT, O_NONBLOCK));
	if (extras & EXTRA_LOCK)
		add_commands(filter, locks, COUNT(locks));
	else if (extras & EXTRA_COUNTS)
		add_commands(filter, counts, COUNT(counts));
}

/* By socket(2) or socketpair(2). */
static void
add_kind(scmp_filter_ctx filter, int call, int family, int kind, int protocol)
{
	enum { FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC };
	const struct scmp_arg_cmp what[] = {
		SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family),
		SCMP_A1(SCMP_CMP_MASKED_EQ, ~(scmp_datum_t)FLAGS,
		    (scmp_datum_t)kind),
		SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)protocol),
	};

	check(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, COUNT(what),
		  what),
	    call);
}

/* TCP and UDP, or their like: no other protocol of the kernel's. */
static void
add_socket(scmp_filter_ctx filter, int family, bool datagrams)
{
	static const int kinds[][2] = { { SOCK_STREAM, 0 },
		{ SOCK_STREAM, IPPROTO_TCP }, { SOCK_DGRAM, 0 },
		{ SOCK_DGRAM, IPPROTO_UDP } };

	for (size_t i = 0; i < COUNT(kinds); i++)
		if (datagrams || kinds[i][0] != SOCK_DGRAM)
			add_kind(filter, CALL(socket), family, kinds[i][0],
			    kinds[i][1]);
}

/*
 * What a program's own sockets need, and what client libraries of databases and
 * the C library's name service set (EXTRA_CLIENTS). Not, whoever asks:
 * SO_LINGER, by which the last who closes a socket, maybe a process of root,
 * would wait for a client that takes nothing (but for add_children);
 * SO_PASSCRED, which gives a local socket a name to send to; and what would let
 * a connection begin without connect(2), hear what others are sent, or go by a
 * way of its choice.
 */
static void
add_options(scmp_filter_ctx filter, unsigned int extras)
{
	static const struct {
		int level;
		int name;
		unsigned int extras; /* one of them; 0: for all */
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 0 },
		{ IPPROTO_TCP, TCP_QUICKACK, EXTRA_ANYWHERE },
		/* so that closing what a child handed over waits for nobody */
		{ SOL_SOCKET, SO_LINGER, EXTRA_CHILDREN },
		/* timeouts */
		{ SOL_SOCKET, SO_RCVTIMEO, EXTRA_CLIENTS },
		{ SOL_SOCKET, SO_SNDTIMEO, EXTRA_CLIENTS },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, EXTRA_CLIENTS },
		/* is the server still there? */
		{ SOL_SOCKET, SO_KEEPALIVE, EXTRA_CLIENTS },
		{ IPPROTO_TCP, TCP_KEEPIDLE, EXTRA_CLIENTS },
		{ IPPROTO_TCP, TCP_KEEPINTVL, EXTRA_CLIENTS },
		{ IPPROTO_TCP, TCP_KEEPCNT, EXTRA_CLIENTS },
		/* MariaDB's */
		{ IPPROTO_IP, IP_TOS, EXTRA_CLIENTS },
		/* NIS's, whose library gives up without */
		{ IPPROTO_IPV6, IPV6_V6ONLY, EXTRA_CLIENTS },
		/* name servers that are not there */
		{ IPPROTO_IP, IP_RECVERR, EXTRA_CLIENTS },
		{ IPPROTO_IPV6, IPV6_RECVERR, EXTRA_CLIENTS },
	};

	for (size_t i = 0; i < COUNT(options); i++)
		if (options[i].extras == 0 || (extras & options[i].extras))
			add_if_both(filter, CALL(setsockopt),
			    SCMP_A1(SCMP_CMP_EQ,
				(scmp_datum_t)options[i].level),
			    SCMP_A2(SCMP_CMP_EQ,
				(scmp_datum_t)options[i].name));
}

static void
add_sockets(scmp_filter_ctx filter, unsigned int extras)
{
	static const struct {
		int family;
		unsigned int extra;
		unsigned int datagrams;
	} families[] = { { AF_INET, EXTRA_INET, EXTRA_DATAGRAMS },
		{ AF_INET6, EXTRA_INET, EXTRA_DATAGRAMS },
		{ AF_UNIX, EXTRA_UNIX, EXTRA_SYSLOG } };

	for (size_t i = 0; i < COUNT(families); i++)
		if (extras & families[i].extra)
			add_socket(filter, families[i].family,
			    (extras & families[i].datagrams) != 0);
	if (extras & EXTRA_PAIR)
		add_kind(filter, CALL(socketpair), AF_UNIX, SOCK_STREAM, 0);
	add_if(filter, CALL(shutdown), SCMP_A1(SCMP_CMP_EQ, SHUT_WR));
	if (extras & (EXTRA_BLOCK | EXTRA_HANG_UP))
		add_if(filter, CALL(shutdown), SCMP_A1(SCMP_CMP_EQ, SHUT_RD));
	if (extras & EXTRA_BLOCK)
		add_if(filter, CALL(shutdown), SCMP_A1(SCMP_CMP_EQ, SHUT_RDWR));
	add_options(filter, extras);
}

/*
 * What the C library makes threads with: everything shared, and nothing of a
 * new process. clone3(2) passes here since sandbox_hide_clone3() has the last
 * word on it, which is not logged.
 */
static void
add_threads(scmp_filter_ctx filter)
{
	enum {
		THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
		    CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
		    CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
	};

#ifdef __s390__
	add_if(filter, CALL(clone), SCMP_A1(SCMP_CMP_EQ, THREAD));
#else
	add_if(filter, CALL(clone), SCMP_A0(SCMP_CMP_EQ, THREAD));
#endif
	check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(clone3), 0),
	    CALL(clone3));
}

/*
 * fork(2) as the C library makes it, without any namespace; signals to one
 * process, never to all or to a group; and what a child says before it is
 * confined.
 */
static void
add_children(scmp_filter_ctx filter)
{
	enum { FORK = CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD };
	const scmp_datum_t negative = UINT32_C(1) << 31;

#ifdef __s390__
	add_if(filter, CALL(clone), SCMP_A1(SCMP_CMP_EQ, FORK));
#else
	add_if(filter, CALL(clone), SCMP_A0(SCMP_CMP_EQ, FORK));
#endif
	/* some bit, and not the sign's: above zero, whatever the upper half */
	for (scmp_datum_t bit = 1; bit < negative; bit <<= 1)
		add_if(filter, CALL(kill),
		    SCMP_A0(SCMP_CMP_MASKED_EQ, negative | bit, bit));
	add_if_both(filter, CALL(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_DUMPABLE),
	    SCMP_A1(SCMP_CMP_EQ, 0));
	add_if_both(filter, CALL(prctl),
	    SCMP_A0(SCMP_CMP_EQ, PR_SET_NO_NEW_PRIVS), SCMP_A1(SCMP_CMP_EQ, 1));
	add_if(filter, CALL(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_PDEATHSIG));
}

/* A mount that hangs nowhere, of a directory that is open. */
static void
add_trees(scmp_filter_ctx filter)
{
#ifdef OPEN_TREE_CLONE
	enum {
		CUT_OFF = AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE,
	};

	add_if(filter, CALL(open_tree),
	    SCMP_A2(SCMP_CMP_EQ, CUT_OFF | (scmp_datum_t)OPEN_TREE_CLOEXEC));
#else
	(void)filter;
#endif
}

static void
add_open_read(scmp_filter_ctx filter)
{
	enum { WRITING = O_ACCMODE | O_CREAT | O_TRUNC };

	add_if(filter, CALL(open),
	    SCMP_A1(SCMP_CMP_MASKED_EQ, WRITING, O_RDONLY));
	add_if(filter, CALL(openat),
	    SCMP_A2(SCMP_CMP_MASKED_EQ, WRITING, O_RDONLY));
}

void
sandbox_add_conditions(scmp_filter_ctx filter, unsigned int extras, pid_t self)
{
	static const unsigned long controls[] = { FIONREAD, SIOCOUTQ, TCGETS };

	for (size_t i = 0; i < COUNT(controls); i++)
		add_if(filter, CALL(ioctl), SCMP_A1(SCMP_CMP_EQ, controls[i]));
	add_if(filter, CALL(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	/* libcap looks at what there is, when a module brings it along */
	if (extras & EXTRA_CODE)
		add_if(filter, CALL(prctl),
		    SCMP_A0(SCMP_CMP_EQ, PR_CAPBSET_READ));
	/* only its own: other programs run as the same user */
	add_if(filter, CALL(prlimit64), SCMP_A0(SCMP_CMP_EQ, 0));
	if (self != 0)
		add_if(filter, CALL(tgkill),
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)self));
	add_memory(filter, (extras & EXTRA_CODE) != 0);
	add_fcntl(filter, extras);
	add_sockets(filter, extras);
	if (extras & EXTRA_OPEN_READ)
		add_open_read(filter);
	if (extras & EXTRA_THREADS)
		add_threads(filter);
	if (extras & EXTRA_CHILDREN)
		add_children(filter);
	if (extras & EXTRA_TREES)
		add_trees(filter);
}

/* The kernel looks at the low half of the register, so the rule does. */
static void
deny(scmp_filter_ctx filter, int call, int fd, const int *command)
{
	const struct scmp_arg_cmp what[] = {
		SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, (scmp_datum_t)fd),
		SCMP_A1(SCMP_CMP_EQ,
		    command == NULL ? 0 : (scmp_datum_t)*command),
	};

	if (call >= 0)
		check(seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM),
			  call, command == NULL ? 1 : 2, what),
		    call);
}

/* sendto(2) and sendmsg(2) with the flag. */
static void
deny_fast_open(scmp_filter_ctx filter)
{
	static const struct {
		int call;
		unsigned int at;
	} flags[] = { { CALL(sendto), 3 }, { CALL(sendmsg), 2 },
		{ CALL(sendmmsg), 3 } };

	for (size_t i = 0; i < COUNT(flags); i++) {
		struct scmp_arg_cmp has = { flags[i].at, SCMP_CMP_MASKED_EQ,
			MSG_FASTOPEN, MSG_FASTOPEN };

		check(seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM),
			  flags[i].call, 1, &has),
		    flags[i].call);
	}
}

scmp_filter_ctx
sandbox_protect(const int *shared, size_t count)
{
	static const int calls[] = { CALL(connect), CALL(bind), CALL(listen),
		CALL(shutdown), CALL(setsockopt), CALL(dup), CALL(dup2),
		CALL(dup3) };
	static const int commands[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_SETFL };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (filter == NULL)
		fatal("no system call filter");
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	deny_fast_open(filter);
	for (size_t k = 0; k < count; k++) {
		for (size_t i = 0; i < COUNT(calls); i++)
			deny(filter, calls[i], shared[k], NULL);
		for (size_t i = 0; i < COUNT(commands); i++)
			deny(filter, CALL(fcntl), shared[k], &commands[i]);
	}
	return filter;
}
