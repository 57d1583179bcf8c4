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
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/service/programs.h"

enum { ALLOWED = 0, DENIED = 1 };

static int opened; /* a file, from before confinement */

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
	    rmdir("a/c") == 0);
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
unix_socket(void)
{
	return outcome(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
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

	return outcome(pipe(fd) == 0 && write(fd[1], "x", 1) == 1);
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
send_signal(void)
{
	return outcome(kill(getppid(), 0) == 0);
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

static const struct row {
	const char *name;
	const char *promises;
	int (*attempt)(void);
	int result;
} rows[] = {
	{ "io reads and writes", "io", make_pipe, ALLOWED },
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
	{ "scratch cuts files", "io scratch", cut_file, ALLOWED },
	{ "scratch opens nothing", "io scratch", open_read, DENIED },
	{ "net-connect", "io net-connect", inet_socket, ALLOWED },
	{ "net-connect, local", "io net-connect", unix_socket, ALLOWED },
	{ "net-connect, raw", "io net-connect", packet_socket, DENIED },
	{ "files-read reads", "io files-read", open_read, ALLOWED },
	{ "files-read does not write", "io files-read", open_write, DENIED },
	{ "files-read loads modules", "io files-read", map_code, ALLOWED },
	{ "files-write writes", "io files-write", open_write, ALLOWED },
	{ "queue-read reads", "io queue-read", open_below, ALLOWED },
	{ "queue-read, elsewhere", "io queue-read", open_read, DENIED },
	{ "queue-read does not write", "io queue-read", open_write, DENIED },
	{ "queue-write writes", "io queue-write", work_below, ALLOWED },
	{ "queue-write, elsewhere", "io queue-write", open_write, DENIED },
	{ "queue-write reads elsewhere", "io queue-write", open_read, DENIED },
	{ "queue-write makes no links", "io queue-write", make_link_below,
	    DENIED },
	{ "queue-write maps no code", "io queue-write", map_code, DENIED },
	{ "all", "all", make_child, ALLOWED },
};

/* In one step, or prepared before the fork. */
static bool prepared;

static int
status_of_child(const char *promises, int (*attempt)(void))
{
	struct sandbox_filter *filter = NULL;
	int status = 0;
	pid_t pid;

	if (prepared && strcmp(promises, "all") != 0)
		filter = sandbox_prepare(promises);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (filter != NULL)
			sandbox_apply(filter);
		else
			sandbox_promise(promises);
		_exit(attempt());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Is there a Landlock that can rename? Else the rows below fail falsely. */
static bool
landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
		   LANDLOCK_CREATE_RULESET_VERSION) >= 2;
}

static void
promises_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = status_of_child(rows[i].promises, rows[i].attempt);

		if (strstr(rows[i].name, "elsewhere") != NULL && !landlock())
			continue;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != rows[i].result)
			fail_msg("%s: status %x", rows[i].name, status);
	}
}

static void
prepared_promises_hold(void **state)
{
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
	status = status_of_child("io files-write net-connect", start_shell);
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
	opened = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return *state == NULL || opened < 0 || chdir(name) != 0 ||
	    mkdir("a", 0700) != 0 || mkdir("b", 0700) != 0;
}

static int
tear_down(void **state)
{
	close(opened);
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
		cmocka_unit_test(identity_goes_for_good),
		cmocka_unit_test(an_empty_root_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
