/* SPDX-License-Identifier: ISC */
#include "tests/unit/lib/store/folder.h"

#include <errno.h>
#include <signal.h>

#include "lib/base/mem.h"
#include "local/command.h"
#include "local/environment.h"
#include "local/exit_status.h"

static const struct {
	int status;
	const char *output;
	enum verdict verdict;
	const char *dsn;
	const char *text;
} ends[] = {
	{ 0, "", OK, "", "" },
	{ 0, "5.1.1 not looked at", OK, "", "" },
	{ 75 << 8, "", LATER, "4.3.0", "temporary failure" },
	{ 75 << 8, "x y", LATER, "4.3.0",
	    "temporary failure. Command output: x y" },
	{ 67 << 8, "", NEVER, "5.1.1", "user unknown" },
	{ 71 << 8, "", LATER, "4.3.0", "system resource problem" },
	{ 75 << 8, "5.7.1 go away", NEVER, "5.7.1", "go away" },
	{ 1 << 8, "4.2.2 full", LATER, "4.2.2", "full" },
	{ 75 << 8, "5.7.1 ", NEVER, "5.7.1", "unspecified reason" },
	{ 1 << 8, "2.0.0 fine", NEVER, "5.3.0",
	    "Command died with status 1: \"cmd\". Command output: 2.0.0 fine" },
	{ 1 << 8, "5.1 short", NEVER, "5.3.0",
	    "Command died with status 1: \"cmd\". Command output: 5.1 short" },
	{ 127 << 8, "", NEVER, "5.3.0",
	    "Command died with status 127: \"cmd\"" },
	{ SIGKILL, "", LATER, "4.3.0", "Command died with signal 9: \"cmd\"" },
	{ SIGSEGV, "5.1.1 x", LATER, "4.3.0",
	    "Command died with signal 11: \"cmd\". Command output: 5.1.1 x" },
};

static void
test_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct why why = { 0 };

		assert_int_equal(exit_status_verdict(ends[i].status, "cmd",
				     ends[i].output, &why),
		    ends[i].verdict);
		assert_string_equal(why.dsn, ends[i].dsn);
		assert_string_equal(why.text, ends[i].text);
	}
}

static void
test_plain_commands(void **state)
{
	static const char *const plain[] = { "/bin/cat", "procmail -a x=y",
		"/a/b c@d %e !f" };
	static const char *const others[] = { "", " ", "exec /bin/cat", "a | b",
		"a; b", "a 'b'", "a $b", "a > b", "A=b c", "if x", "a *",
		"a \"b\"", "a\nb", "cd /x", "(a)", "a `b`", "~/x" };

	(void)state;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		assert_true(command_is_plain(plain[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(command_is_plain(others[i]));
}

static enum verdict
run(const char *text, size_t size, int64_t limit_s, struct buf *output,
    struct why *why)
{
	char *none[] = { mem_text("PATH=/usr/bin:/bin"), NULL };
	struct deliver_source s = { .size = (off_t)size,
		.headers = SPAN("H: 1\r\n") };
	struct command c = { .text = text,
		.shell = "",
		.environment = none,
		.directory = "/",
		.limit_s = limit_s,
		.source = &s,
		.line_end = "\n" };
	char *content = mem_new(size + 1);
	enum verdict v;

	memset(content, 'x', size);
	file_put("q", content);
	s.fd = open("q", O_RDONLY);
	v = command_run(&c, output, why);
	close(s.fd);
	free(content);
	free(none[0]);
	return v;
}

static void
test_run(void **state)
{
	struct buf output = BUF_INIT(COMMAND_OUTPUT_MAX + 1);
	struct why why = { 0 };

	(void)state;
	assert_int_equal(run("cat", 5, 10, &output, &why), OK);
	assert_string_equal(buf_text(&output), "H: 1 xxxxx");
	buf_reset(&output);
	/* more than any pipe holds, both ways at once */
	assert_int_equal(run("cat", 300000, 10, &output, &why), OK);
	assert_int_equal(output.n, COMMAND_OUTPUT_MAX);
	buf_reset(&output);
	/* does not read, and closes its input early */
	assert_int_equal(run("exec <&-; sleep 0.1; exit 69", 300000, 10,
			     &output, &why),
	    NEVER);
	assert_string_equal(why.text, "service unavailable");
	/* what it leaves behind holds our pipes */
	assert_int_equal(run("sleep 5 & exit 0", 10, 4, &output, &why), OK);
	buf_fini(&output);
}

/* Is the queue's disk full? Then only memory can be written. */
static bool full;

ssize_t __real_write(int fd, const void *data, size_t n);
ssize_t __wrap_write(int fd, const void *data, size_t n);

ssize_t
__wrap_write(int fd, const void *data, size_t n)
{
	struct stat st;

	if (full && fcntl(fd, F_GET_SEALS) != 0 && fstat(fd, &st) == 0 &&
	    S_ISREG(st.st_mode) && st.st_nlink == 0) {
		errno = ENOSPC;
		return -1;
	}
	return __real_write(fd, data, n);
}

/* What the command reads, of all sizes and wherever it is kept. */
static void
test_input(void **state)
{
	static const size_t sizes[] = { 5, 2000000, 15000000 };
	struct buf output = BUF_INIT(COMMAND_OUTPUT_MAX + 1);
	struct why why = { 0 };
	char *command;

	for (size_t i = 0; i < 3; i++) {
		char *content = mem_new(sizes[i] + 1);
		FILE *f = fopen("expected", "w");

		memset(content, 'x', sizes[i]);
		fprintf(f, "H: 1\n%s\n", content);
		fclose(f);
		free(content);
		command = mem_printf("cmp - %s/expected && "
				     "cmp /dev/stdin %s/expected && "
				     "! { echo x >&0; } && "
				     "test $(stat -Lc %%a /dev/stdin) = 444",
		    (char *)*state, (char *)*state);
		assert_int_equal(run(command, sizes[i], 10, &output, &why), OK);
		full = true;
		assert_int_equal(run(command, sizes[i], 10, &output, &why), OK);
		full = false;
		free(command);
	}
	/* what is in memory nobody can change, whatever his rights */
	assert_int_equal(run("! { echo x >/dev/stdin; }", 5, 10, &output, &why),
	    OK);
	/* more than memory is to take */
	full = true;
	assert_int_equal(run("exit 0", 17000000, 10, &output, &why), LATER);
	full = false;
	assert_string_equal(why.dsn, "4.3.0");
	assert_non_null(strstr(why.text, "No space left"));
	assert_int_equal(run("exit 0", 17000000, 10, &output, &why), OK);
	buf_fini(&output);
}

static void
test_late(void **state)
{
	struct buf output = BUF_INIT(COMMAND_OUTPUT_MAX + 1);
	struct why why = { 0 };

	(void)state;
	assert_int_equal(run("sleep 30 | cat", 300000, 1, &output, &why),
	    LATER);
	assert_non_null(strstr(why.text, "time limit"));
	assert_int_equal(run("trap '' TERM; sleep 30; sleep 30", 10, 1, &output,
			     &why),
	    LATER);
	buf_fini(&output);
}

static void
test_descriptors(void **state)
{
	struct buf output = BUF_INIT(COMMAND_OUTPUT_MAX + 1);
	struct why why = { 0 };
	int spare[3] = { dup(0), dup(0), open("/", O_RDONLY) };

	(void)state;
	assert_int_equal(run("echo /proc/self/fd/*", 10, 5, &output, &why), OK);
	/* the last is the shell's own view of the directory */
	assert_string_equal(buf_text(&output),
	    "/proc/self/fd/0 "
	    "/proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3");
	buf_reset(&output);
	assert_int_equal(run("env", 10, 5, &output, &why), OK);
	assert_string_equal(buf_text(&output), "PATH=/usr/bin:/bin");
	for (int i = 0; i < 3; i++)
		close(spare[i]);
	buf_fini(&output);
}

static void
test_environment(void **state)
{
	struct arena *a = arena_new();
	struct environment e;

	(void)state;
	setenv("KEPT", "yes", 1);
	unsetenv("MISSING");
	environment_init(&e, a);
	environment_export(&e, "KEPT MISSING, { FIXED = a=b }, =");
	environment_put(&e, "KEPT", "changed");
	environment_put(&e, "KEP", "other");
	assert_int_equal(e.count, 4);
	assert_string_equal(e.list[1], "KEPT=changed");
	assert_string_equal(e.list[2], "FIXED=a=b");
	assert_string_equal(e.list[3], "KEP=other");
	assert_null(e.list[4]);
	assert_string_equal(environment_filter(a, "a$(b);c", "abc"), "a__b__c");
	arena_free(&a);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_enter, folder_leave)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_plain_commands),
		TEST(test_run),
		TEST(test_input),
		TEST(test_late),
		TEST(test_descriptors),
		cmocka_unit_test(test_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
