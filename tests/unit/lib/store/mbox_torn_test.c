/* SPDX-License-Identifier: ISC */
/*
 * What a delivery that died has left at an mbox's end: cut off where that is
 * all that it can be, else left.
 */
#include "tests/unit/lib/store/folder.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "lib/base/process.h"
#include "lib/store/mbox_lock.h"

#define GOOD "From x@y  Sat Nov 21 13:25:01 2026\nA: b\n\nold text\n"
#define LINE "From a@b  Sun Nov 22 10:00:00 2026\n"
#define BEGIN "\n" LINE "Received: by h id 4AB\n"

/* A delivery that dies when it has written "part" behind the mailbox's end. */
static void
die_amid(const char *part, size_t n)
{
	int status;

	if (fork() == 0) {
		int lock = mbox_dotlock_take(AT_FDCWD, "box", 500);
		int fd = open("box", O_RDWR | O_APPEND);
		struct stat st;

		if (lock < 0 || fstat(fd, &st) != 0)
			_exit(1);
		mbox_dotlock_appends(lock, fd, &st, SPAN(BEGIN));
		_exit(write(fd, part, n) != (ssize_t)n);
	}
	wait(&status);
	assert_int_equal(status, 0);
}

static void
append(const char *text)
{
	int fd = open("box", O_WRONLY | O_APPEND);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Our next program. */
static void
lock_next(void)
{
	int lock = mbox_dotlock_take(AT_FDCWD, "box", 500);

	assert_true(lock >= 0);
	mbox_dotlock_give_back(AT_FDCWD, "box", &lock);
	assert_int_equal(access("box.lock", F_OK), -1);
}

static const struct {
	const char *part;
	const char *behind; /* by another program */
	bool cut;
} parts[] = {
	/* all of what was noted, or as much as there is */
	{ BEGIN "and more\n", "", true },
	{ BEGIN "and mo", "", true },
	{ BEGIN, "", true },
	{ "\n" LINE, "", true },
	{ "\nFrom a@b  Sun", "", true },
	{ "\nFrom ", "", true },
	/* too little to tell */
	{ "\n", "", false },
	{ "\n\n", "", false },
	{ "\nFrom", "", false },
	/* not what was noted */
	{ "From a@b  Sun", "", false },
	{ "\n\n" LINE, "", false },
	{ "\nFrom a@c  Sun", "", false },
	{ "\n" LINE "Received: by h id 4AC\n", "", false },
	{ "Status: RO\n", "", false },
	/* words of the message itself */
	{ BEGIN "Sent From my phone", "", true },
	{ BEGIN ">From here\n>>From there\n", "", true },
	{ BEGIN "From", "", true },
	/* another's message: at a line's start, and amid our last line */
	{ BEGIN "and more\n", GOOD, false },
	{ BEGIN "and more\n", "From x\n", false },
	{ BEGIN "and mo", "\n" GOOD, false },
	{ BEGIN "and mo", GOOD, false },
	{ BEGIN, GOOD, false },
	{ "\n" LINE, GOOD, false },
	{ "\nFrom a@b  Sun", GOOD, false },
	/* in doubt */
	{ BEGIN "seen From 10:00 on\n", "", false },
};

static void
test_parts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char *whole;

		file_put("box", GOOD);
		die_amid(parts[i].part, strlen(parts[i].part));
		append(parts[i].behind);
		assert_true(asprintf(&whole, GOOD "%s%s",
				parts[i].cut ? "" : parts[i].part,
				parts[i].behind) > 0);
		lock_next();
		assert_string_equal(file_get("box"), whole);
		free(whole);
	}
}

/* "From " with more behind it than is looked at. */
static void
test_long_line(void **state)
{
	char part[sizeof(BEGIN) + 700] = BEGIN "seen From ";
	size_t n = strlen(part);

	(void)state;
	memset(part + n, 'x', 700 - n);
	file_put("box", GOOD);
	die_amid(part, strlen(part));
	lock_next();
	assert_int_equal(strlen(file_get("box")), strlen(GOOD) + strlen(part));
}

/* Another's message wherever it is to what is read at once. */
static void
test_long_parts(void **state)
{
	static const size_t sizes[] = { 400, 8192, 15000, 15860, 15872, 15880,
		16000, 16384, 16440, 33000, 200000 };
	char part[200000 + sizeof(BEGIN)] = BEGIN;

	(void)state;
	memset(part + sizeof(BEGIN) - 1, 'x', 200000);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t shift = 0; shift < 64; shift++) {
			size_t n = sizes[i] + shift - 32;
			struct stat st;

			file_put("box", GOOD);
			die_amid(part, n);
			append(shift & 1 ? GOOD : "\n" GOOD);
			lock_next();
			assert_int_equal(stat("box", &st), 0);
			assert_int_equal(st.st_size,
			    n + 2 * strlen(GOOD) + !(shift & 1));
			if (shift > 0)
				continue;
			file_put("box", GOOD);
			die_amid(part, n);
			lock_next();
			assert_string_equal(file_get("box"), GOOD);
		}
}

/* Makes of the note in the dead lock another one. */
static void
forge(const char *from, const char *to)
{
	char text[16384], made[16384], *at;
	int fd = open("box.lock", O_RDWR);
	ssize_t n = read(fd, text, sizeof(text));
	size_t head, rest;

	assert_true(n > 0);
	at = memmem(text, (size_t)n, from, strlen(from));
	assert_non_null(at);
	head = (size_t)(at - text);
	rest = (size_t)n - head - strlen(from);
	memcpy(made, text, head);
	memcpy(made + head, to, strlen(to));
	memcpy(made + head + strlen(to), at + strlen(from), rest);
	assert_int_equal(ftruncate(fd, 0), 0);
	n = (ssize_t)(head + strlen(to) + rest);
	assert_int_equal(pwrite(fd, made, (size_t)n, 0), n);
	close(fd);
}

static void
replace_number(unsigned long long from, unsigned long long to)
{
	char a[32], b[32];

	snprintf(a, sizeof(a), " %llu ", from);
	snprintf(b, sizeof(b), " %llu ", to);
	forge(a, b);
}

static struct stat
state_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return st;
}

static void
other_boot(void)
{
	forge(process_boot_id(), "11111111-2222-3333-4444-555555555555");
}

static void
other_device(void)
{
	replace_number(state_of("box").st_dev, state_of("box").st_dev + 1);
}

static void
other_inode(void)
{
	char *text = strdup(file_get("box"));

	file_put("copy", text);
	assert_int_equal(rename("copy", "box"), 0);
	free(text);
}

static void
other_owner(void)
{
	if (getuid() == 0)
		assert_int_equal(chown("box.lock", 1, 1), 0);
	else
		unlink("box.lock");
}

static void
two_links(void)
{
	assert_int_equal(link("box", "second"), 0);
}

static void
two_links_of_lock(void)
{
	assert_int_equal(link("box.lock", "second"), 0);
}

static void
symbolic_link(void)
{
	assert_int_equal(rename("box", "elsewhere"), 0);
	assert_int_equal(symlink("elsewhere", "box"), 0);
}

static void
directory(void)
{
	assert_int_equal(rename("box", "elsewhere"), 0);
	assert_int_equal(mkdir("box", 0700), 0);
}

static void
fifo(void)
{
	assert_int_equal(rename("box", "elsewhere"), 0);
	assert_int_equal(mkfifo("box", 0600), 0);
}

static void
socket_file(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "box" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(rename("box", "elsewhere"), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	close(fd);
}

static void
size_of_nothing(void)
{
	replace_number(sizeof(GOOD) - 1, 0);
}

static void
size_in_good_mail(void)
{
	/* all lengths as they must be, and the bytes before it right */
	forge(" 50 50 ", " 45 45 ");
	forge("text\n\nFrom", "\nFrom");
}

static void
size_behind_the_end(void)
{
	forge(" 50 50 ", " 5000 50 ");
}

static void
size_below_zero(void)
{
	forge(" 50 50 ", " -1 50 ");
}

static void
half_a_note(void)
{
	assert_int_equal(truncate("box.lock", state_of("box.lock").st_size - 1),
	    0);
}

static void
longer_note(void)
{
	int fd = open("box.lock", O_WRONLY | O_APPEND);

	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static void
huge_lengths(void)
{
	forge(" 50 50 ", " 50 18446744073709551615 ");
}

/* Their sum is right again. */
static void
lengths_that_wrap(void)
{
	char from[64], to[64];

	snprintf(from, sizeof(from), " 50 50 %zu\n", sizeof(BEGIN) - 1);
	snprintf(to, sizeof(to), " 50 %zu %zu\n", SIZE_MAX, sizeof(BEGIN) + 50);
	forge(from, to);
}

static void
note_taken_back(void)
{
	int fd = open("box.lock", O_RDWR), box = open("box", O_WRONLY);

	assert_int_equal(mbox_dotlock_appended(fd, box), 0);
	close(box);
	close(fd);
}

/* What is before the part is not what was there. */
static void
changed_before(void)
{
	int fd = open("box", O_RDWR);

	assert_int_equal(pwrite(fd, "O", 1, sizeof(GOOD) - 6), 1);
	close(fd);
}

static void
no_mailbox(void)
{
	assert_int_equal(rename("box", "elsewhere"), 0);
}

#define CHANGED "the file has changed since"
#define NO_FILE "there is no regular file now"

static const struct {
	void (*change)(void);
	const char *said; /* NULL: nothing */
} changes[] = {
	{ other_boot, NULL },
	{ other_device, CHANGED },
	{ other_inode, CHANGED },
	{ other_owner, "its lock is another user's" },
	{ two_links, "the file has other names" },
	{ two_links_of_lock, "its lock has other names" },
	{ symbolic_link, NO_FILE },
	{ directory, NO_FILE },
	{ fifo, NO_FILE },
	{ socket_file, NO_FILE },
	{ size_of_nothing, NULL },
	{ size_in_good_mail, CHANGED },
	{ size_behind_the_end, NULL },
	{ size_below_zero, NULL },
	{ half_a_note, NULL },
	{ longer_note, NULL },
	{ huge_lengths, NULL },
	{ lengths_that_wrap, NULL },
	{ note_taken_back, NULL },
	{ changed_before, CHANGED },
	{ no_mailbox, NULL },
};

/* What our next program says of it. */
static const char *
said_by_next(void)
{
	int log = open("log", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int error = dup(STDERR_FILENO);

	assert_int_equal(dup2(log, STDERR_FILENO), STDERR_FILENO);
	lock_next();
	assert_int_equal(dup2(error, STDERR_FILENO), STDERR_FILENO);
	close(log);
	close(error);
	return file_get("log");
}

static void
assert_said(const char *text, const char *why)
{
	char *line;

	if (why == NULL) {
		assert_string_equal(text, "");
		return;
	}
	assert_true(asprintf(&line,
			"box: a delivery ended in the middle of a message; %s,"
			" and is left as it is\n",
			why) > 0);
	if (strstr(text, line) == NULL)
		fail_msg("\"%s\" has no \"%s\"", text, line);
	free(line);
}

/* Files keep their bytes, and nothing is opened that is none. */
static void
assert_untouched(void)
{
	static const char *const names[] = { "box", "elsewhere" };
	size_t found = 0;

	for (size_t i = 0; i < 2; i++) {
		struct stat st;

		if (lstat(names[i], &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		found++;
		assert_int_equal(st.st_size, strlen(GOOD BEGIN "more\n"));
	}
	assert_int_equal(found, 1);
}

static void
test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		static const char *const names[] = { "box", "second",
			"elsewhere" };

		for (size_t k = 0; k < 3; k++)
			(void)remove(names[k]);
		file_put("box", GOOD);
		die_amid(BEGIN "more\n", strlen(BEGIN "more\n"));
		changes[i].change();
		if (changes[i].change == other_owner && getuid() != 0)
			continue;
		assert_said(said_by_next(), changes[i].said);
		assert_untouched();
	}
}

/*
 * A program that does not take the dot-lock writes fields into the good
 * message, and its user deletes the part: the file is larger than was noted,
 * and its end is good mail.
 */
static void
test_rewritten_in_place(void **state)
{
	static const char rewritten[] =
	    "From x@y  Sat Nov 21 13:25:01 2026\n"
	    "A: b\nX-UID: 1\nStatus: RO\n\nold text\n";
	int fd;

	(void)state;
	file_put("box", GOOD);
	die_amid(BEGIN "more\n", strlen(BEGIN "more\n"));
	fd = open("box", O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, rewritten, sizeof(rewritten) - 1),
	    sizeof(rewritten) - 1);
	close(fd);
	lock_next();
	assert_string_equal(file_get("box"), rewritten);
}

/* While another program has the mailbox, neither part nor lock is touched. */
static void
test_mailbox_in_use(void **state)
{
	static const struct timespec old[2] = { { .tv_sec = 1 },
		{ .tv_sec = 1 } };
	int fd;

	(void)state;
	file_put("box", GOOD);
	die_amid(BEGIN, strlen(BEGIN));
	fd = open("box", O_RDWR);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_int_equal(mbox_dotlock_take(AT_FDCWD, "box", 500), -1);
	assert_int_equal(errno, EEXIST);
	assert_string_equal(file_get("box"), GOOD BEGIN);
	assert_int_equal(flock(fd, LOCK_UN), 0);
	lock_next();
	assert_string_equal(file_get("box"), GOOD);
	/* not for ever */
	die_amid(BEGIN, strlen(BEGIN));
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_int_equal(utimensat(AT_FDCWD, "box.lock", old, 0), 0);
	lock_next();
	assert_string_equal(file_get("box"), GOOD BEGIN);
	close(fd);
}

/* As on a file system that fails. */
static int
take_without_ftruncate(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ftruncate, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		return 2;
	return mbox_dotlock_take(AT_FDCWD, "box", 500) == -1 && errno == EEXIST;
}

/* Then the lock stays, with its note. */
static void
test_cannot_be_cut(void **state)
{
	int status;

	(void)state;
	file_put("box", GOOD);
	die_amid(BEGIN, strlen(BEGIN));
	if (fork() == 0)
		_exit(take_without_ftruncate());
	wait(&status);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	assert_string_equal(file_get("box"), GOOD BEGIN);
	lock_next();
	assert_string_equal(file_get("box"), GOOD);
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, folder_enter, folder_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_parts),
		T(test_long_line),
		T(test_long_parts),
		T(test_refusals),
		T(test_rewritten_in_place),
		T(test_mailbox_in_use),
		T(test_cannot_be_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
