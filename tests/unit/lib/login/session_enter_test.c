/* SPDX-License-Identifier: ISC */
/*
 * Another's directory in a user's process: it can be worked in, and left by
 * no way.
 */
#include "lib/login/session_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/login/session_shares.h"
#include "lib/sandbox/sandbox.h"

enum { ROOM = 256, USER = 12345, OTHER = 12346 };

static char top[ROOM];

static char *
below(const char *name)
{
	static char path[2][ROOM * 2];
	static unsigned int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", top, name);
	return path[turn];
}

static void
make(const char *name, mode_t mode, uid_t owner)
{
	assert_int_equal(mkdir(below(name), mode), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(below(name), owner, owner), 0);
}

/*
 *	own		the process's root
 *	other/in	what it is given
 *	other/beside	what it must not reach, of the same system user
 */
static int
set_up(void **state)
{
	int fd;

	(void)state;
	snprintf(top, sizeof(top), "/tmp/session-enter-XXXXXX");
	assert_non_null(mkdtemp(top));
	assert_int_equal(chmod(top, 0755), 0);
	make("own", 0700, USER);
	make("other", 0755, USER);
	make("other/in", 0700, USER);
	make("other/beside", 0700, USER);
	make("strange", 0755, OTHER);
	fd = open(below("other/beside/secret"), O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	if (geteuid() == 0)
		assert_int_equal(fchown(fd, USER, USER), 0);
	close(fd);
	return 0;
}

static int
tear_down(void **state)
{
	char *command = below("");
	char line[ROOM * 3];

	(void)state;
	snprintf(line, sizeof(line), "rm -r %s", command);
	return system(line);
}

static struct session_stage stage;
static bool may_mount; /* else Landlock keeps it alone */
static const struct session_owner user = { .user = "alice",
	.uid = USER,
	.gid = USER };

static bool
leads_out(int fd, const char *path)
{
	int up = openat(fd, path, O_RDONLY | O_DIRECTORY);
	struct stat here, there;

	return up >= 0 &&
	    (fstat(fd, &here) == -1 || fstat(up, &there) == -1 ||
		here.st_ino != there.st_ino);
}

/* 0 good; else the number of what failed. */
static int
try_to_leave(int fd)
{
	struct stat here, up;
	int other;

	other = openat(fd, "new", O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (other < 0 || ftruncate(other, 10) == -1 ||
	    linkat(fd, "new", fd, "link", 0) == -1 ||
	    renameat(fd, "new", fd, "newer") == -1 ||
	    unlinkat(fd, "newer", 0) == -1)
		return 1;
	if (openat(fd, "../beside/secret", O_RDONLY) >= 0 ||
	    openat(fd, "../beside/secret", O_WRONLY) >= 0 ||
	    leads_out(fd, "..") || leads_out(fd, "../.."))
		return 2;
	if (unlinkat(fd, "../beside/secret", 0) == 0 ||
	    renameat(fd, "../beside/secret", fd, "secret") == 0 ||
	    linkat(fd, "../beside/secret", fd, "secret", 0) == 0)
		return 3;
	/* as a mount of its own, ".." is where it begins */
	if (fstat(fd, &here) == -1 || fstatat(fd, "..", &up, 0) == -1)
		return 4;
	if (may_mount &&
	    (here.st_ino != up.st_ino || fchmodat(fd, "../beside", 0, 0) == 0))
		return 5;
	if (fchdir(fd) == -1 || open("../beside/secret", O_RDONLY) >= 0 ||
	    truncate("../beside/secret", 0) == 0)
		return 6;
	return 0;
}

/* 100: not given; 101: with this reason. */
static int
in_process(const char *path, const char *reason)
{
	struct session_owner owner = user;
	struct why why = { 0 };
	int fd;

	if (chdir(below("own")) == -1)
		return 99;
	fd = session_open_other(&stage, &user, &owner, below(path), &why);
	if (fd == -1)
		return strstr(why.text, reason) != NULL ? 101 : 100;
	session_become(&stage, &user);
	sandbox_promise("io mailbox");
	return try_to_leave(fd);
}

static int
status_of(const char *path, const char *reason)
{
	int status;
	pid_t pid;

	stage.separated = geteuid() == 0;
	may_mount = stage.separated &&
	    prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 1;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(in_process(path, reason));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
nothing_leads_out(void **state)
{
	(void)state;
	assert_int_equal(status_of("other/in", ""), 0);
	assert_int_equal(access(below("other/beside/secret"), F_OK), 0);
}

static void
only_of_the_same_system_user(void **state)
{
	(void)state;
	if (geteuid() == 0)
		assert_int_equal(status_of("strange",
				     "belongs to the system user 12346"),
		    101);
	assert_int_equal(status_of("nowhere", "cannot be opened"), 101);
}

static void
names_of_users_as_files(void **state)
{
	static const struct {
		const char *user, *name; /* NULL: none */
	} rows[] = {
		{ "bob", "bob" },
		{ "bob@example.test", "bob@example.test" },
		{ "bob+x_y=z-1", "bob+x_y=z-1" },
		{ "", NULL },
		{ ".", "%2E" },
		{ "..", "%2E." },
		{ "../../etc", "%2E.%2F..%2Fetc" },
		{ "a/b", "a%2Fb" },
		{ "a%2Fb", "a%252Fb" },
		{ "\xc3\xa4", "%C3%A4" },
		{ "a b\n", "a%20b%0A" },
	};
	char name[ROOM], many[ROOM * 2];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good =
		    session_share_name(rows[i].user, name, sizeof(name));

		assert_int_equal(good, rows[i].name != NULL);
		if (good)
			assert_string_equal(name, rows[i].name);
	}
	memset(many, '/', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	assert_false(session_share_name(many, name, sizeof(name)));
	many[85] = '\0';
	assert_true(session_share_name(many, name, sizeof(name)));
	many[85] = '/';
	many[86] = '\0';
	assert_false(session_share_name(many, name, sizeof(name)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_leads_out, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(only_of_the_same_system_user,
		    set_up, tear_down),
		cmocka_unit_test(names_of_users_as_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
