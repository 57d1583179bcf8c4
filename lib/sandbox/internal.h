/* SPDX-License-Identifier: ISC */
#ifndef LIB_SANDBOX_INTERNAL_H
#define LIB_SANDBOX_INTERNAL_H

/* What the parts of lib/sandbox say to each other. */

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a promise brings beside its list of calls. */
enum extra {
	EXTRA_NONE = 0,
	EXTRA_OPEN_READ = 1, /* open(2), but only for reading */
	EXTRA_CODE = 2, /* map code: name service and SASL modules */
	EXTRA_INET = 4, /* socket(AF_INET), socket(AF_INET6): TCP... */
	EXTRA_UNIX = 8, /* socket(AF_UNIX): streams... */
	EXTRA_BELOW = 16, /* files below the working directory only */
	EXTRA_WRITE = 32, /* and changes there */
	EXTRA_PAIR = 64, /* socketpair(AF_UNIX): streams */
	EXTRA_COUNTS = 128, /* locks without waiting */
	EXTRA_LOCK = 256, /* locks of all kinds */
	EXTRA_BLOCK = 512, /* sockets of one's own may be made to block */
	EXTRA_CLIENTS = 1024, /* options that client libraries set */
	EXTRA_HANG_UP = 2048, /* no more is read of a connection */
	EXTRA_PORTS = 4096, /* TCP to some ports alone... */
	EXTRA_ANYWHERE = 8192, /* ...or to any */
	EXTRA_THREADS = 16384, /* clone(2), but for threads only */
	EXTRA_CHILDREN = 32768, /* fork(2), and what a child is given */
	EXTRA_TREES = 65536, /* open_tree(2), for a copy of a mount */
	EXTRA_DATAGRAMS = 131072, /* ...and UDP */
	EXTRA_SYSLOG = 262144, /* ...and datagrams of AF_UNIX */
	EXTRA_BIND = 524288, /* bind(2), which gives a socket a name */
};

/* conditions.c: calls that are allowed with certain arguments. */
void
sandbox_add_conditions(scmp_filter_ctx filter, unsigned int extras, pid_t self);
/* A filter that keeps these descriptors from what siblings would feel. */
scmp_filter_ctx sandbox_protect(const int *shared, size_t count);

/* denied.c: all is allowed but a list... */
scmp_filter_ctx sandbox_denials(void);
/* ...and what the kernel is not to log; to be said when that filter is there.
 */
void sandbox_deny_unlogged(void);
/* For EXTRA_THREADS: a filter of its own; no_new_privs is set before. */
void sandbox_hide_clone3(void);

/*
 * capabilities.c: what root keeps for these promises, for good, whatever it
 * executes. Nothing without root, or where the promises say nothing of that.
 */
void sandbox_keep_capabilities(const char *promises);

/*
 * landlock.c: from now on no file outside the working directory, no TCP but to
 * ports of sandbox_connect_to and no port to wait at, as these extras say; and
 * neither signals to others nor abstract UNIX sockets of theirs.
 */
void sandbox_land(unsigned int extras);

#endif
