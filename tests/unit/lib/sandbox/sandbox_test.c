/* SPDX-License-Identifier: ISC */
/* Each check runs in a child, because confinement is for ever. */
#include "lib/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/compat_sanitizer.h"
#include "lib/base/span.h"
#include "lib/sandbox/internal.h"
#include "lib/service/programs.h"

enum { ALLOWED = 0, DENIED = 1 };
enum { RESOLVER = 1 }; /* a port where nobody waits */

static int opened; /* a file, from before confinement */
static int own_pipe[2]; /* that nobody shares; may block */

static int
outcome(bool done)
{
	if (done)
		return ALLOWED;
	return errno == EPERM || errno == EACCES ? DENIED : 2;
}

static int
open_read(void)
{
	return outcome(open("/proc/self/stat", O_RDONLY | O_CLOEXEC) >= 0);
}

static int
open_write(void)
{
	return outcome(open("/dev/null", O_WRONLY | O_CLOEXEC) >= 0);
}

static int
open_below(void)
{
	return outcome(open(".", O_RDONLY | O_CLOEXEC) >= 0);
}

/* What qmgr and cleanup do: create, move to another queue, remove. */
static int
work_below(void)
{
	int fd = open("a/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return outcome(fd >= 0 && rename("a/file", "b/file") == 0 &&
	    unlink("b/file") == 0 && mkdir("a/c", 0700) == 0 &&
	    unlinkat(AT_FDCWD, "a/c", AT_REMOVEDIR) == 0);
}

/* What mailboxes need beside that: nobody who handles the queue alone. */
static int
watch_below(void)
{
	return outcome(inotify_init1(IN_CLOEXEC) >= 0);
}

static int
make_memory_file(void)
{
	return outcome(memfd_create("probe", MFD_CLOEXEC) >= 0);
}

static int
copy_below(void)
{
	int from = open("a/from", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int to = open("a/to", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool done = from >= 0 && to >= 0 && link("a/from", "b/from") == 0 &&
	    unlink("b/from") == 0 &&
	    copy_file_range(from, NULL, to, NULL, 1, 0) >= 0;
	int error = errno;

	(void)unlink("a/from");
	(void)unlink("a/to");
	errno = error;
	return outcome(done);
}

static int
make_directory_below(void)
{
	return outcome(mkdir("a/c", 0700) == 0);
}

static int
lock_below(void)
{
	int fd = open("a/aside", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return outcome(fd >= 0 && link("a/aside", "a/file.lock") == 0 &&
	    unlink("a/aside") == 0 && ftruncate(fd, 0) == 0 &&
	    unlink("a/file.lock") == 0);
}

static int
make_link_below(void)
{
	return outcome(symlink("/etc", "a/link") == 0);
}

static int
inet_socket(void)
{
	return outcome(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

static int
udp_socket(void)
{
	return outcome(
	    socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP) >= 0);
}

/* Any protocol that the kernel has: multipath TCP needs no rights. */
static int
odd_socket(void)
{
	enum { MPTCP = 262 };

	return outcome(socket(AF_INET, SOCK_STREAM, MPTCP) >= 0 ||
	    errno == EPROTONOSUPPORT);
}

static int
connect_to_port(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return outcome(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ||
	    errno == ECONNREFUSED);
}

static int
connect_to_resolver(void)
{
	return connect_to_port(RESOLVER);
}

static int
connect_elsewhere(void)
{
	return connect_to_port(RESOLVER + 1);
}

/* With the first bytes, past connect(2). */
static int
connect_fast(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(RESOLVER + 1),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return outcome(sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to,
			   sizeof(to)) == 1 ||
	    errno == ECONNREFUSED);
}

static int
unix_socket(void)
{
	return outcome(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
}

static int
unix_datagrams(void)
{
	return outcome(socket(AF_UNIX, SOCK_DGRAM, 0) >= 0);
}

static int
bind_own(void)
{
	struct sockaddr_in own = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return outcome(bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0);
}

static int
packet_socket(void)
{
	return outcome(socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
}

static int
make_pipe(void)
{
	int fd[2];

	return outcome(pipe(fd) == 0);
}

static int
write_and_read(void)
{
	char byte;

	return outcome(write(own_pipe[1], "x", 1) == 1 &&
	    read(own_pipe[0], &byte, 1) == 1);
}

static int
map_code(void)
{
	return outcome(mmap(NULL, 4096, PROT_READ | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static int
make_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return outcome(pid > 0);
}

static int
make_namespace(void)
{
	return outcome(unshare(CLONE_NEWNS) == 0);
}

/* The same in a child, by the flags of clone(2). */
static int
make_child_in_namespace(void)
{
	long pid = syscall(SYS_clone, (unsigned long)(CLONE_NEWNS | SIGCHLD), 0,
	    0, 0, 0);

	if (pid == 0)
		_exit(0);
	return outcome(pid > 0);
}

static void *
child_of_thread(void *answer)
{
	*(int *)answer = make_child();
	return NULL;
}

static int
run_thread(void)
{
	pthread_t thread;
	int answer = ALLOWED;
	int error = pthread_create(&thread, NULL, child_of_thread, &answer);

	if (error == 0)
		error = pthread_join(thread, NULL);
	errno = error;
	/* and it is not freer than the one that has made it */
	return error != 0 ? outcome(false) : answer == DENIED ? ALLOWED : 2;
}

/* A thread to the kernel, but with a table of files of its own. */
static int
make_odd_thread(void)
{
	return outcome(
	    syscall(SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, 0, 0, 0,
		0) > 0);
}

/* What makes the C library take clone(2); EPERM would end its attempt. */
static int
look_for_clone3(void)
{
	long r = syscall(SYS_clone3, NULL, 0);

	return r == -1 && errno == ENOSYS ? DENIED : outcome(r != -1);
}

static int
send_signal(void)
{
	return outcome(kill(getppid(), 0) == 0);
}

/* Whatever the upper half of the register is. */
static int
signal_group(void)
{
	return outcome(kill(0, 0) == 0 || syscall(SYS_kill, 1L << 32, 0) == 0);
}

static int
signal_all(void)
{
	return outcome(kill(-1, 0) == 0);
}

/* tgkill(2): the process beside us runs as the same user. */
static int
send_signal_to_thread(void)
{
	return outcome(syscall(SYS_tgkill, getppid(), getppid(), 0) == 0);
}

static int
limit_another(void)
{
	struct rlimit64 old;

	return outcome(prlimit64(getppid(), RLIMIT_CPU, NULL, &old) == 0);
}

static int
look_at_own_limit(void)
{
	struct rlimit64 old;

	return outcome(prlimit64(0, RLIMIT_CPU, NULL, &old) == 0);
}

/* one that somebody else opened before */
static int
cut_file(void)
{
	return outcome(ftruncate(opened, 0) == 0);
}

/* What the open file is to others: the pair stands for a shared one. */
static int shared_pipe[2], shared_listener, its_number;

static int
change_flags(int flags)
{
	int old = fcntl(shared_pipe[1], F_GETFL);

	return outcome(
	    old >= 0 && fcntl(shared_pipe[1], F_SETFL, old ^ flags) == 0);
}

static int
make_blocking(void)
{
	return change_flags(O_NONBLOCK);
}

static int
make_append(void)
{
	return change_flags(O_APPEND);
}

static int
make_packets(void)
{
	return change_flags(O_DIRECT);
}

static int
make_signal_others(void)
{
	return outcome(fcntl(shared_pipe[1], F_SETOWN, getppid()) == 0);
}

static int
make_small(void)
{
	return outcome(fcntl(shared_pipe[1], F_SETPIPE_SZ, 4096) >= 0);
}

static int
seal(void)
{
	return outcome(fcntl(shared_pipe[1], F_ADD_SEALS, F_SEAL_GROW) == 0);
}

static int
make_own_blocking(void)
{
	return outcome(fcntl(own_pipe[0], F_SETFL, O_RDONLY) == 0);
}

static int
make_own_nonblocking(void)
{
	return outcome(fcntl(own_pipe[0], F_SETFL, O_RDONLY | O_NONBLOCK) == 0);
}

static int
control_nonblocking(void)
{
	int off = 0;

	return outcome(ioctl(shared_pipe[1], FIONBIO, &off) == 0);
}

static int
lock_at(int command)
{
	struct flock l = { .l_type = F_WRLCK, .l_len = 1 };

	return outcome(fcntl(shared_pipe[1], command, &l) == 0 ||
	    (errno != EPERM && errno != EACCES));
}

static int
lock_at_once(void)
{
	return lock_at(F_OFD_SETLK);
}

static int
lock_for_ever(void)
{
	return lock_at(F_OFD_SETLKW);
}

static int
lock_whole(void)
{
	return outcome(flock(shared_pipe[1], LOCK_EX) == 0);
}

static int
make_pair(void)
{
	int fd[2];

	return outcome(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
}

static int
make_datagram_pair(void)
{
	int fd[2];

	return outcome(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd) == 0);
}

/* Somebody else's: one with a file, and two that have none. */
enum { BY_FILE, BY_NAME, OF_DATAGRAMS, LOCALS };
static struct local {
	int kind;
	const char *path; /* NULL: the kernel chooses a name */
	int fd;
	struct sockaddr_un name;
	socklen_t length;
} locals[LOCALS] = {
	[BY_FILE] = { .kind = SOCK_STREAM, .path = "a/socket" },
	[BY_NAME] = { .kind = SOCK_STREAM },
	[OF_DATAGRAMS] = { .kind = SOCK_DGRAM },
};

static bool
make_local(struct local *l)
{
	struct sockaddr *name = (struct sockaddr *)&l->name;

	l->name = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (l->path != NULL)
		snprintf(l->name.sun_path, sizeof(l->name.sun_path), "%s",
		    l->path);
	l->length = l->path != NULL ? sizeof(l->name) : sizeof(sa_family_t);
	l->fd = socket(AF_UNIX, l->kind | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || bind(l->fd, name, l->length) != 0 ||
	    (l->kind == SOCK_STREAM && listen(l->fd, 5) != 0))
		return false;
	l->length = sizeof(l->name);
	return getsockname(l->fd, name, &l->length) == 0;
}

static bool
reach(int which)
{
	const struct local *l = &locals[which];
	int fd = socket(AF_UNIX, l->kind | SOCK_CLOEXEC, 0);

	return connect(fd, (const struct sockaddr *)&l->name, l->length) == 0;
}

static int
connect_to_file(void)
{
	return outcome(reach(BY_FILE));
}

static int
connect_to_abstract(void)
{
	return outcome(reach(BY_NAME));
}

static int
connect_to_abstract_datagrams(void)
{
	return outcome(reach(OF_DATAGRAMS));
}

/* What a process of a user does that a session stage's parent has forked. */
static int
promise_more(void)
{
	const int shared[] = { its_number };

	sandbox_apply(sandbox_prepare("io mailbox", shared, 1));
	return work_below();
}

static int
stop_reading(void)
{
	return outcome(shutdown(shared_listener, SHUT_RD) == 0);
}

static int
stop_both(void)
{
	return outcome(shutdown(shared_listener, SHUT_RDWR) == 0);
}

/* Fails with ENOTCONN, or does nothing: fine either way. */
static int
stop_writing(void)
{
	return outcome(
	    shutdown(shared_listener, SHUT_WR) == 0 || errno == ENOTCONN);
}

static int
listen_to_few(void)
{
	return outcome(listen(shared_listener, 0) == 0);
}

static int
set_option(void)
{
	int n = 2048;

	return outcome(setsockopt(shared_listener, SOL_SOCKET, SO_RCVBUF, &n,
			   sizeof(n)) == 0);
}

static int
set_tcp(int option)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	return outcome(
	    setsockopt(fd, IPPROTO_TCP, option, &on, sizeof(on)) == 0);
}

/* Of one of its own, of TCP. */
static int
set_keepalive(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	return outcome(
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0);
}

/* By which a local one gets a name to send to. */
static int
ask_who_sends(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), on = 1;

	return outcome(
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
}

static int
set_nodelay(void)
{
	return set_tcp(TCP_NODELAY);
}

static int
set_quickack(void)
{
	return set_tcp(TCP_QUICKACK);
}

static int
end_as_listener(int fd)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	return outcome(connect(fd, &nobody, sizeof(nobody)) == 0);
}

static int
disconnect_listener(void)
{
	return end_as_listener(shared_listener);
}

/* The kernel takes the low half of the register. */
static int
disconnect_by_high_number(void)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	return outcome(syscall(SYS_connect, shared_listener | (1L << 32),
			   &nobody, sizeof(nobody)) == 0);
}

static int
disconnect_copy(void)
{
	int fd = dup(shared_listener);

	return fd < 0 ? outcome(false) : end_as_listener(fd);
}

static int
disconnect_copy_of_copy(void)
{
	int fd = dup2(shared_listener, its_number + 1);

	if (fd < 0)
		fd = dup3(shared_listener, its_number + 1, O_CLOEXEC);
	if (fd < 0)
		fd = fcntl(shared_listener, F_DUPFD, 100);
	if (fd < 0)
		fd = fcntl(shared_listener, F_DUPFD_CLOEXEC, 100);
	return fd < 0 ? outcome(false) : end_as_listener(fd);
}

/* Some name of the kernel's choice: by bind(2), or as who asks who sends. */
static bool
take_name(int fd, struct sockaddr_un *name, socklen_t *n)
{
	int on = 1;

	*name = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (bind(fd, (struct sockaddr *)name, sizeof(name->sun_family)) < 0) {
		if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) <
		    0)
			return false;
		(void)connect(fd, (struct sockaddr *)name, sizeof(*name));
	}
	*n = sizeof(*name);
	return getsockname(fd, (struct sockaddr *)name, n) == 0 &&
	    *n > sizeof(name->sun_family);
}

static bool
send_listener(int fd)
{
	union {
		struct cmsghdr first;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec byte = { (char[]){ "x" }, 1 };
	struct msghdr m = { .msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };

	control.first.cmsg_len = CMSG_LEN(sizeof(int));
	control.first.cmsg_level = SOL_SOCKET;
	control.first.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.first), &shared_listener, sizeof(int));
	return sendmsg(fd, &m, 0) == 1;
}

/* It would come back under a number that the filter does not know. */
static int
pass_to_itself(void)
{
	int in = socket(AF_UNIX, SOCK_DGRAM, 0);
	int out = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_un name;
	socklen_t n;

	return outcome(in >= 0 && out >= 0 && take_name(in, &name, &n) &&
	    connect(out, (struct sockaddr *)&name, n) == 0 &&
	    send_listener(out));
}

static int
disconnect_own(void)
{
	return end_as_listener(socket(AF_INET, SOCK_STREAM, 0));
}

static const struct row {
	const char *name;
	const char *promises;
	int (*attempt)(void);
	int result;
} rows[] = {
	{ "io reads and writes", "io", write_and_read, ALLOWED },
	{ "io makes no pipes", "io", make_pipe, DENIED },
	{ "io opens nothing", "io", open_read, DENIED },
	{ "io has no sockets", "io", inet_socket, DENIED },
	{ "io maps no code", "io", map_code, DENIED },
	{ "io makes no children", "io", make_child, DENIED },
	{ "io signals nobody", "io", send_signal, DENIED },
	{ "io signals no thread", "io", send_signal_to_thread, DENIED },
	{ "io limits nobody", "io", limit_another, DENIED },
	{ "io sees its own limits", "io", look_at_own_limit, ALLOWED },
	{ "net-accept makes no sockets", "io net-accept", inet_socket, DENIED },
	{ "dns makes internet sockets", "io dns", inet_socket, ALLOWED },
	{ "dns makes no local ones", "io dns", unix_socket, DENIED },
	{ "dns opens nothing", "io dns", open_read, DENIED },
	{ "io cuts no file", "io", cut_file, DENIED },
	{ "queue-write cuts files", "io queue-write", cut_file, ALLOWED },
	{ "net-connect", "io net-connect", inet_socket, ALLOWED },
	{ "net-connect, datagrams", "io net-connect", udp_socket, DENIED },
	{ "dns, datagrams", "io dns", udp_socket, ALLOWED },
	{ "both, datagrams", "io net-connect dns", udp_socket, ALLOWED },
	{ "net-connect, what else there is", "io net-connect", odd_socket,
	    DENIED },
	{ "ports: resolver's", "io dns", connect_to_resolver, ALLOWED },
	{ "ports: others", "io dns", connect_elsewhere, DENIED },
	{ "ports: others, at once", "io dns", connect_fast, DENIED },
	{ "net-connect, any port", "io net-connect dns", connect_elsewhere,
	    ALLOWED },
	{ "net-connect, local", "io net-connect", unix_socket, DENIED },
	{ "net-connect, from where it likes", "io net-connect dns", bind_own,
	    DENIED },
	{ "net-bind", "io net-connect net-bind", bind_own, ALLOWED },
	{ "unix", "io unix", unix_socket, ALLOWED },
	{ "unix, datagrams", "io files-read unix", unix_datagrams, DENIED },
	{ "syslog", "io syslog", unix_socket, ALLOWED },
	{ "syslog, datagrams", "io syslog", unix_datagrams, ALLOWED },
	{ "unix, elsewhere in the world", "io unix", inet_socket, DENIED },
	{ "unix, a file", "io unix", connect_to_file, ALLOWED },
	{ "unix, abstract", "io unix", connect_to_abstract, DENIED },
	{ "files-read, abstract", "io files-read net-connect dns unix blocking",
	    connect_to_abstract, DENIED },
	{ "queue-write, abstract", "io queue-write drop unix",
	    connect_to_abstract, DENIED },
	{ "syslog, abstract", "io syslog", connect_to_abstract_datagrams,
	    DENIED },
	{ "a program, abstract ones too", "program", connect_to_abstract,
	    ALLOWED },
	{ "pair", "io pair", make_pair, ALLOWED },
	{ "pair, datagrams", "io pair", make_datagram_pair, DENIED },
	{ "io has no pair", "io", make_pair, DENIED },
	{ "dns has no pair", "io dns net-accept", make_pair, DENIED },
	{ "not blocking, for others too", "io", make_blocking, DENIED },
	{ "nor blocking, queue", "io queue-write", make_blocking, DENIED },
	{ "nor own, queue", "io queue-write", make_own_blocking, DENIED },
	{ "own may block, sessions", "io sessions", make_own_blocking,
	    ALLOWED },
	{ "own may not block, others", "io files-read", make_own_blocking,
	    DENIED },
	{ "nor shutdown, queue", "io queue-write", stop_reading, DENIED },
	{ "not blocking, lookup", "io files-read", make_blocking, DENIED },
	{ "nor by FIONBIO", "io", control_nonblocking, DENIED },
	{ "nor O_APPEND", "io", make_append, DENIED },
	{ "nor O_DIRECT", "io", make_packets, DENIED },
	{ "no signals by F_SETOWN", "io queue-write", make_signal_others,
	    DENIED },
	{ "no small pipe", "io queue-write", make_small, DENIED },
	{ "no seals", "io", seal, DENIED },
	{ "O_NONBLOCK is allowed", "io", make_own_nonblocking, ALLOWED },
	{ "io has no locks", "io", lock_at_once, DENIED },
	{ "net-connect has no flock", "io net-connect dns", lock_whole,
	    DENIED },
	{ "counts has locks", "io counts", lock_at_once, ALLOWED },
	{ "counts does not wait", "io counts", lock_for_ever, DENIED },
	{ "files-read waits for locks", "io files-read", lock_for_ever,
	    ALLOWED },
	{ "no shutdown of readers", "io net-accept", stop_reading, DENIED },
	{ "no shutdown of both", "io net-accept", stop_both, DENIED },
	{ "no listen", "io net-accept", listen_to_few, DENIED },
	{ "no socket options", "io net-accept dns", set_option, DENIED },
	{ "nor of its own", "io net-connect dns", set_keepalive, DENIED },
	{ "nor by files-read", "io files-read net-connect", set_keepalive,
	    DENIED },
	{ "libraries have them", "io files-read net-connect blocking",
	    set_keepalive, ALLOWED },
	{ "but for a name", "io files-read unix blocking", ask_who_sends,
	    DENIED },
	{ "nor of a listener", "io files-read net-connect blocking", set_option,
	    DENIED },
	{ "TCP_NODELAY", "io dns", set_nodelay, ALLOWED },
	{ "TCP_QUICKACK", "io net-connect dns", set_quickack, ALLOWED },
	{ "dns has no TCP_QUICKACK", "io dns", set_quickack, DENIED },
	{ "nor listeners disconnected", "io dns", disconnect_listener, DENIED },
	{ "nor by another number", "io dns", disconnect_copy, DENIED },
	{ "nor by any", "io net-connect", disconnect_copy_of_copy, DENIED },
	{ "nor with high bits", "io dns", disconnect_by_high_number, DENIED },
	{ "nor passed to itself", "io files-read net-connect dns unix",
	    pass_to_itself, DENIED },
	{ "nor where there are datagrams", "io syslog", pass_to_itself,
	    DENIED },
	{ "nor with files beside", "io syslog files-read blocking",
	    pass_to_itself, DENIED },
	{ "nor shut for writing", "io dns", stop_writing, DENIED },
	{ "own sockets are", "io dns", disconnect_own, ALLOWED },
	{ "net-connect, raw", "io net-connect", packet_socket, DENIED },
	{ "files-read reads", "io files-read", open_read, ALLOWED },
	{ "files-read does not write", "io files-read", open_write, DENIED },
	{ "files-read loads modules", "io files-read", map_code, ALLOWED },
	{ "queue-read reads", "io queue-read", open_below, ALLOWED },
	{ "queue-read, elsewhere", "io queue-read", open_read, DENIED },
	{ "queue-read does not write", "io queue-read", open_write, DENIED },
	{ "queue-write writes", "io queue-write", work_below, ALLOWED },
	{ "queue-write, elsewhere", "io queue-write", open_write, DENIED },
	{ "queue-write reads elsewhere", "io queue-write", open_read, DENIED },
	{ "queue-write makes no links", "io queue-write", make_link_below,
	    DENIED },
	{ "queue-write maps no code", "io queue-write", map_code, DENIED },
	{ "queue-write watches nothing", "io queue-write", watch_below,
	    DENIED },
	{ "queue-write, no memory file", "io queue-write", make_memory_file,
	    DENIED },
	{ "queue-write, no copies and links", "io queue-write", copy_below,
	    DENIED },
	{ "mailbox writes", "io mailbox", work_below, ALLOWED },
	{ "mailbox watches", "io mailbox", watch_below, ALLOWED },
	{ "mailbox, memory file", "io mailbox", make_memory_file, ALLOWED },
	{ "mailbox, copies and links", "io mailbox", copy_below, ALLOWED },
	{ "mailbox, elsewhere", "io mailbox", open_write, DENIED },
	{ "mailbox maps no code", "io mailbox", map_code, DENIED },
	{ "mailbox makes no links", "io mailbox", make_link_below, DENIED },
	{ "io makes no threads", "io", run_thread, DENIED },
	{ "threads makes them", "io threads", run_thread, ALLOWED },
	{ "but no children", "io threads", make_child, DENIED },
	{ "nor other threads", "io threads", make_odd_thread, DENIED },
	{ "nor anything by clone3", "io threads", look_for_clone3, DENIED },
	{ "mbox makes lock files", "io mbox", lock_below, ALLOWED },
	{ "but no directories", "io mbox", make_directory_below, DENIED },
	{ "mbox, elsewhere", "io mbox", open_write, DENIED },
	{ "mbox makes no threads", "io mbox", run_thread, DENIED },
	{ "sessions forks", "io sessions", make_child, ALLOWED },
	{ "sessions signals one process", "io sessions", send_signal, ALLOWED },
	{ "no group", "io sessions", signal_group, DENIED },
	{ "and not all", "io sessions", signal_all, DENIED },
	{ "sessions become less", "io sessions", promise_more, ALLOWED },
	{ "sessions connects nowhere", "io sessions", inet_socket, DENIED },
	{ "sessions maps no code", "io sessions", map_code, DENIED },
	{ "a program forks", "program", make_child, ALLOWED },
	{ "a program connects", "program", inet_socket, ALLOWED },
	{ "a program makes no namespace", "program", make_namespace, DENIED },
	{ "nor a child in one", "program", make_child_in_namespace, DENIED },
	{ "all", "all", make_child, ALLOWED },
};

/* In one step, or prepared before the fork. */
static bool prepared;

static int
status_of_child(const char *promises, int (*attempt)(void))
{
	struct sandbox_filter *filter = NULL;
	const int shared[] = { its_number, shared_pipe[1] };
	const uint16_t resolver = RESOLVER;
	int status = 0;
	pid_t pid;

	if (prepared && strcmp(promises, "all") != 0 &&
	    strcmp(promises, "program") != 0)
		filter = sandbox_prepare(promises, shared, 2);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		sandbox_connect_to(&resolver, 1);
		if (filter != NULL)
			sandbox_apply(filter);
		else
			sandbox_promise_beside(promises, shared, 2);
		_exit(attempt());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* What the rows need that have these words: a Landlock that can do it. */
static const struct {
	const char *word;
	long abi;
} landlock_rows[] = { { "elsewhere", 2 }, { "ports", 4 }, { "abstract", 6 } };

static long
landlock_version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
}

static bool
can_hold(const char *row)
{
	const size_t n = sizeof(landlock_rows) / sizeof(landlock_rows[0]);

	for (size_t i = 0; i < n; i++)
		if (strstr(row, landlock_rows[i].word) != NULL &&
		    landlock_version() < landlock_rows[i].abi)
			return false;
	return true;
}

static void
promises_hold(void **state)
{
	(void)state;
	if (SANITIZED)
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status;

		if (!can_hold(rows[i].name))
			continue;
		status = status_of_child(rows[i].promises, rows[i].attempt);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != rows[i].result)
			fail_msg("%s: status %x", rows[i].name, status);
	}
}

static void
prepared_promises_hold(void **state)
{
	if (SANITIZED)
		skip();
	prepared = true;
	promises_hold(state);
	prepared = false;
}

static int
start_shell(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return 0;
}

static int
trace(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	return 0;
}

static void
an_intruders_calls_end_the_process(void **state)
{
	int status;

	(void)state;
	if (SANITIZED)
		skip();
	status = status_of_child("io files-read net-connect", start_shell);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	status = status_of_child("io", trace);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static int
nothing(void)
{
	return 0;
}

static void
every_program_has_promises_that_exist(void **state)
{
	(void)state;
	for (size_t i = 0; i < programs_count; i++)
		assert_int_equal(status_of_child(programs[i].promises, nothing),
		    0);
}

/* By which a program could pass what is shared to itself: sandbox.h. */
static void
what_opens_a_way_to_itself_is_no_promise(void **state)
{
	static const char *const pairs[] = { "io net-bind unix",
		"io syslog net-bind", "io net-connect pair", "io dns pair",
		"io pair unix", "io pair syslog", "io sessions unix" };

	(void)state;
	if (SANITIZED)
		skip();
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		int status = status_of_child(pairs[i], nothing);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
	}
}

/* Of filters, those that let signals pass have no Landlock: so without one. */
static void
signals_go_to_its_own_alone(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (SANITIZED || landlock_version() < 6)
		skip();
	pid = fork();
	if (pid == 0) {
		bool to_itself, to_child, to_parent;

		sandbox_land(0);
		pid = fork();
		if (pid == 0)
			for (;;)
				(void)pause();
		to_itself = kill(getpid(), 0) == 0;
		to_child = kill(pid, SIGKILL) == 0;
		to_parent = kill(getppid(), 0) == 0 || errno != EPERM;
		_exit(to_itself && to_child && !to_parent ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int
become(uid_t uid, gid_t gid)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		sandbox_become(uid, gid);
		_exit(getuid() == uid && getegid() == gid &&
			    getgroups(0, NULL) == 1 ?
			0 :
			1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
identity_goes_for_good(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(become(65534, 65534), 0);
	assert_int_not_equal(become(0, 65534), 0);
	assert_int_not_equal(become(65534, 0), 0);
}

static void
an_empty_root_is_empty(void **state)
{
	char name[] = "/tmp/sandbox_test.XXXXXX";
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(name));
	if (fork() == 0) {
		sandbox_root(name);
		_exit(open("/etc/passwd", O_RDONLY) < 0 &&
			    open("../etc/passwd", O_RDONLY) < 0 ?
			0 :
			1);
	}
	wait(&status);
	rmdir(name);
	assert_int_equal(status, 0);
}

static int
set_up(void **state)
{
	static char name[32];

	snprintf(name, sizeof(name), "/tmp/sandbox_test.XXXXXX");
	*state = mkdtemp(name);
	its_number = shared_listener = socket(AF_INET, SOCK_STREAM, 0);
	if (pipe2(shared_pipe, O_NONBLOCK) != 0 || pipe2(own_pipe, 0) != 0 ||
	    listen(shared_listener, 5) != 0)
		return 1;
	opened = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*state == NULL || opened < 0 || chdir(name) != 0 ||
	    mkdir("a", 0700) != 0 || mkdir("b", 0700) != 0)
		return 1;
	for (size_t i = 0; i < LOCALS; i++)
		if (!make_local(&locals[i]))
			return 1;
	return 0;
}

static int
tear_down(void **state)
{
	close(opened);
	close(shared_listener);
	close(own_pipe[0]);
	close(own_pipe[1]);
	close(shared_pipe[0]);
	close(shared_pipe[1]);
	for (size_t i = 0; i < LOCALS; i++)
		close(locals[i].fd);
	(void)unlink("a/socket");
	(void)rmdir("a");
	(void)rmdir("b");
	return chdir("/") != 0 || rmdir(*state) != 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(promises_hold, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(prepared_promises_hold, set_up,
		    tear_down),
		cmocka_unit_test(an_intruders_calls_end_the_process),
		cmocka_unit_test(every_program_has_promises_that_exist),
		cmocka_unit_test(what_opens_a_way_to_itself_is_no_promise),
		cmocka_unit_test(signals_go_to_its_own_alone),
		cmocka_unit_test(identity_goes_for_good),
		cmocka_unit_test(an_empty_root_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
