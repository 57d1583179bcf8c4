/* SPDX-License-Identifier: ISC */
#ifndef LIB_SANDBOX_SANDBOX_H
#define LIB_SANDBOX_SANDBOX_H

/*
 * Giving up rights for good: identity, root directory, and with
 * libseccomp the system calls a program has no business with. Works on what
 * the process is: without root, identity and root directory stay, the
 * system call filter applies all the same.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Sets groups (only gid), gid and uid for good and proves that they cannot be
 * had back; fatal() otherwise.
 */
void sandbox_become(uid_t uid, gid_t gid);
/* chroot and chdir("/"); fatal() if it fails. */
void sandbox_root(const char *directory);
/* clang-format off */
/*
 * Only system calls covered by the promises from now on, words separated by
 * blanks:
 *	io		read, write, poll, memory, time, fd passing, exit;
 *			shutdown for writing, TCP_NODELAY, O_NONBLOCK
 *	net-accept	accept
 *	net-connect	TCP: socket(AF_INET, AF_INET6), connect, TCP_QUICKACK
 *	net-bind	bind, beside that: from an address of one's choice; not
 *			beside unix or syslog
 *	dns		TCP and UDP: socket(AF_INET, AF_INET6), connect; beside
 *			no net-connect, TCP to ports of sandbox_connect_to()
 *			alone. UDP goes to any address: no filter sees where to
 *	unix		socket(AF_UNIX), streams alone, and connect, to files:
 *			see below
 *	syslog		the same, and datagrams
 *	pair		socketpair, of streams; not beside net-connect, dns,
 *			unix or syslog. So is that of sessions
 *	blocking	O_NONBLOCK off, shutdown in both directions, options of
 *			sockets (timeouts, TCP_KEEPIDLE...; conditions.c): client
 *			libraries of databases
 *	hang-up		shutdown for reading, with sandbox_promise_beside()
 *	counts		fcntl locks that do not wait: fd_lock_byte()
 *	files-read	open for reading, stat, directories, locks
 *	queue-read	as files-read, below the working directory
 *	queue-write	open, create, rename, unlink there as well
 *	drop		fchmod, beside queue-write
 *	mailbox		queue-write, and what mailboxes need beside it: to watch
 *			and copy files, to link, to leave and remove directories
 *	owners		files anywhere, as root and as whoever owns them
 *	mbox		open below the working directory, and lock files there
 *	threads		threads, with all that this one has given up; no
 *			processes, no namespaces
 *	sessions	files anywhere; to fork processes that become others, with
 *			less; of root the capabilities that this takes
 *	shares		beside that, open_tree(2) for directories of others
 *	modules		all but a list (denied.c), for code of others in a
 *			program of root's, less the capabilities for it; without
 *			root no filter. No other word beside it
 *	program		all but that list, for a program of the administrator's
 *			that is started. No other word beside it
 *	all		no filter
 * Whatever was promised, but for the last three and for sessions: no signal to
 * another process, and no abstract UNIX socket that somebody else has bound,
 * where the kernel knows how (Landlock of Linux 6.12).
 * A call outside is EPERM and a log line where that can be had; execve,
 * ptrace and their like end the process. Sets no_new_privs. fatal() if the
 * kernel refuses.
 */
/* clang-format on */
void sandbox_promise(const char *promises);
/*
 * The same for a program with descriptors of open files that siblings share:
 * the log, listeners. It can accept, read and write there, and do nothing that
 * the others would feel. The numbers stay what they are for ever: whoever
 * closes one puts something else in its place.
 */
void
sandbox_promise_beside(const char *promises, const int *shared, size_t count);

/*
 * "dns" shall mean these TCP ports, of any host; to be said before the promise
 * is made. Kernels whose Landlock knows no ports (before 6.7) let it connect
 * anywhere.
 */
void sandbox_connect_to(const uint16_t *ports, size_t count);

/*
 * Another directory that "queue-read", "queue-write" or "mailbox" is to mean
 * beside the working directory; to be said before the promise is made, and to
 * be kept open. False: there are too many, or the kernel keeps nobody below a
 * directory (no Landlock), so that its descriptor would lead anywhere.
 */
bool sandbox_beneath_too(int directory);

/*
 * The same in two steps, for a parent whose children all promise the same:
 * preparing costs milliseconds, applying next to nothing. Lives for ever.
 */
struct sandbox_filter;

struct sandbox_filter *
sandbox_prepare(const char *promises, const int *shared, size_t count);
void sandbox_apply(const struct sandbox_filter *filter);

#endif
