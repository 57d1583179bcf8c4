/* SPDX-License-Identifier: ISC */
/*
 * A program of the suite that strangers have taken over, for tests: put in
 * the place of any of them, it takes the name it is started by, and so that
 * program's identity, root directory and system call filter, and then tries
 * what an intruder would. Each attempt and what came of it is a log line. The
 * n-th process of a name makes the n-th of the attempts that are to end it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/ipc/proto_lookup.h"
#include "lib/log/log.h"
#include "lib/service/programs.h"
#include "lib/service/service.h"

static long
open_password_file(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static long
open_upwards(void)
{
	return open("../../../../../../../../etc/passwd", O_RDONLY | O_CLOEXEC);
}

static long
open_own_memory(void)
{
	return open("/proc/self/mem", O_RDWR | O_CLOEXEC);
}

static long
open_master_memory(void)
{
	char *path = mem_printf("/proc/%d/mem", (int)getppid());
	long fd = open(path, O_RDONLY | O_CLOEXEC);

	free(path);
	return fd;
}

static long
open_here(void)
{
	return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static long
create_here(void)
{
	return open("probe", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long
create_in_tmp(void)
{
	return open("/tmp/posthaste-probe", O_WRONLY | O_CREAT | O_CLOEXEC,
	    0600);
}

static long
open_by_handle(void)
{
	struct {
		struct file_handle h;
		char room[128];
	} f = { .h = { .handle_bytes = 8 } };

	return syscall(SYS_open_by_handle_at, AT_FDCWD, &f.h, O_RDONLY);
}

static long
make_directory(void)
{
	return mkdir("/tmp/posthaste-probe-dir", 0700);
}

static long
make_link(void)
{
	return symlink("/etc/passwd", "probe-link");
}

static long
change_root(void)
{
	return chroot("..");
}

static long
socket_inet(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long
socket_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long
socket_raw(void)
{
	return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 1);
}

static long
socket_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

static long
socket_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

/* The socket of another program, by path and past master. */
static long
connect_to_qmgr(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX,
		.sun_path = "private/qmgr" };

	return connect((int)socket_unix(), (struct sockaddr *)&a, sizeof(a));
}

/* Waits for connections where there is a port to have. */
static long
serve_strangers(void)
{
	int fd = (int)socket_inet();

	return fd < 0 ? fd : listen(fd, 5);
}

static long
make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static long
make_thread(void)
{
	return syscall(SYS_clone3, NULL, 0);
}

static long
signal_master(void)
{
	return kill(getppid(), 0);
}

static long
signal_all(void)
{
	return kill(-1, 0);
}

static long
signal_thread(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static long
signal_queued(void)
{
	siginfo_t info = { .si_code = SI_QUEUE };

	return syscall(SYS_rt_sigqueueinfo, getppid(), SIGCONT, &info);
}

static long
signal_through_owner(void)
{
	return fcntl(STDERR_FILENO + 2, F_SETOWN, getppid());
}

static long
handle_of_process(void)
{
	return syscall(SYS_pidfd_open, getppid(), 0);
}

static long
limit_master(void)
{
	struct rlimit64 old;

	return prlimit64(getppid(), RLIMIT_CPU, NULL, &old);
}

static long
slow_master(void)
{
	return setpriority(PRIO_PROCESS, (id_t)getppid(), 19);
}

static long
become_root(void)
{
	return setuid(0);
}

static long
become_group(void)
{
	gid_t none = 0;

	return syscall(SYS_setgroups, 1, &none);
}

static long
map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ?
	    -1 :
	    0;
}

static long
make_ring(void)
{
	char parameters[128] = { 0 };

	return syscall(SYS_io_uring_setup, 4, parameters);
}

static long
watch_files(void)
{
	return inotify_init1(IN_CLOEXEC);
}

static long
allow_dumps(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long
forget_filter(void)
{
	return prctl(PR_SET_SECCOMP, 0, NULL, 0, 0);
}

static long
set_name_of_machine(void)
{
	return sethostname("probe", 5);
}

struct attempt {
	const char *name;
	long (*make)(void);
};

#define ATTEMPT(name) \
	{ \
#name, name \
	}

static const struct attempt attempts[] = {
	ATTEMPT(open_password_file),
	ATTEMPT(open_upwards),
	ATTEMPT(open_own_memory),
	ATTEMPT(open_master_memory),
	ATTEMPT(open_here),
	ATTEMPT(create_here),
	ATTEMPT(create_in_tmp),
	ATTEMPT(open_by_handle),
	ATTEMPT(make_directory),
	ATTEMPT(make_link),
	ATTEMPT(change_root),
	ATTEMPT(socket_inet),
	ATTEMPT(socket_unix),
	ATTEMPT(socket_raw),
	ATTEMPT(socket_netlink),
	ATTEMPT(socket_packet),
	ATTEMPT(connect_to_qmgr),
	ATTEMPT(serve_strangers),
	ATTEMPT(make_process),
	ATTEMPT(make_thread),
	ATTEMPT(signal_master),
	ATTEMPT(signal_all),
	ATTEMPT(signal_thread),
	ATTEMPT(signal_queued),
	ATTEMPT(signal_through_owner),
	ATTEMPT(handle_of_process),
	ATTEMPT(limit_master),
	ATTEMPT(slow_master),
	ATTEMPT(become_root),
	ATTEMPT(become_group),
	ATTEMPT(map_code),
	ATTEMPT(make_ring),
	ATTEMPT(watch_files),
	ATTEMPT(allow_dumps),
	ATTEMPT(forget_filter),
	ATTEMPT(set_name_of_machine),
};

static long
start_shell(void)
{
	char *const arguments[] = { (char[]){ "sh" }, NULL };

	return execve("/bin/sh", arguments, NULL);
}

static long
trace_master(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static long
read_master(void)
{
	return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static long
new_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static const struct attempt deadly[] = {
	ATTEMPT(start_shell),
	ATTEMPT(trace_master),
	ATTEMPT(read_master),
	ATTEMPT(new_namespace),
};

enum { DEADLY = sizeof(deadly) / sizeof(deadly[0]) };

static size_t turn; /* how many processes of this name there were before */

static void
before(const struct service *s)
{
	char *path = mem_printf("pid/probe.%s", s->program);
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || write(fd, "x", 1) != 1)
		fatal("%s: %m", path);
	turn = (size_t)st.st_size;
	close(fd);
	free(path);
}

static void
after(const struct service *s)
{
	(void)s;
	if (turn > 0 && turn <= DEADLY) {
		log_error("probe: dies of %s", deadly[turn - 1].name);
		(void)deadly[turn - 1].make();
		log_error("probe: survived %s", deadly[turn - 1].name);
		return;
	}
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		long r = attempts[i].make();

		log_info("probe: %s: %s", attempts[i].name,
		    r < 0 ? strerror(errno) : "DONE");
	}
	log_info("probe: end of attempts");
}

static void
session(const struct service *s, int fd)
{
	(void)s;
	close(fd);
}

static bool
request(const struct service *s, struct ipc *c, void **state)
{
	(void)s, (void)c, (void)state;
	return false;
}

static void
trigger(const struct service *s)
{
	(void)s;
}

static void
accept_all(const struct service *s, int argc, char **argv)
{
	(void)s, (void)argc, (void)argv;
}

int
main(int argc, char **argv)
{
	static struct service_spec spec = {
		.protocol = &protocol_lookup,
		.arguments = accept_all,
		.before = before,
		.after = after,
		.session = session,
		.request = request,
		.trigger = trigger,
	};
	const struct program *p = program_find(argc > 0 ? argv[0] : "");

	if (p == NULL)
		return 1;
	spec.program = p->name;
	spec.style = p->style;
	return service_run(&spec, argc, argv);
}
