/* SPDX-License-Identifier: ISC */
#include "tests/crash/record.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	CWD = -1, /* no argument says from where a path goes */
	NONE = -2,
	TOLD_MAX = 4096,
	VECTOR_MAX = 1024,
};

enum what {
	NAMES,
	OPENS,
	REMOVES,
	RENAMES,
	LINKS,
	META,
	CUTS,
	HELD_META,
	WRITES,
	PLACED,
	COPIES,
	SENDS,
	SYNCS,
	WAITS,
	IGNORED
};

/* Arguments of a call: descriptor and text of one path, and of another. */
static const struct row {
	const char *name;
	enum what what;
	int at[2], path[2];
} rows[] = {
	{ "rename", RENAMES, { CWD, CWD }, { 0, 1 } },
	{ "renameat", RENAMES, { 0, 2 }, { 1, 3 } },
	{ "renameat2", RENAMES, { 0, 2 }, { 1, 3 } },
	{ "link", LINKS, { CWD, CWD }, { 0, 1 } },
	{ "linkat", LINKS, { 0, 2 }, { 1, 3 } },
	{ "symlink", NAMES, { CWD }, { 1, NONE } },
	{ "symlinkat", NAMES, { 1 }, { 2, NONE } },
	{ "mkdir", NAMES, { CWD }, { 0, NONE } },
	{ "mkdirat", NAMES, { 0 }, { 1, NONE } },
	{ "open", OPENS, { CWD }, { 0, NONE } },
	{ "openat", OPENS, { 0 }, { 1, NONE } },
	{ "openat2", OPENS, { 0 }, { 1, NONE } },
	{ "unlink", REMOVES, { CWD }, { 0, NONE } },
	{ "unlinkat", REMOVES, { 0 }, { 1, NONE } },
	{ "rmdir", REMOVES, { CWD }, { 0, NONE } },
	{ "chmod", META, { CWD }, { 0, NONE } },
	{ "chown", META, { CWD }, { 0, NONE } },
	{ "lchown", META, { CWD }, { 0, NONE } },
	{ "fchmodat", META, { 0 }, { 1, NONE } },
	{ "fchownat", META, { 0 }, { 1, NONE } },
	{ "utimensat", META, { 0 }, { 1, NONE } },
	{ "truncate", CUTS, { CWD }, { 0, NONE } },
	{ "ftruncate", CUTS, { 0 }, { NONE, NONE } },
	{ "fallocate", CUTS, { 0 }, { NONE, NONE } },
	{ "fchmod", HELD_META, { 0 }, { NONE, NONE } },
	{ "fchown", HELD_META, { 0 }, { NONE, NONE } },
	{ "write", WRITES, { 0 }, { NONE, NONE } },
	{ "writev", WRITES, { 0 }, { NONE, NONE } },
	{ "sendfile", WRITES, { 0 }, { NONE, NONE } },
	{ "pwrite64", PLACED, { 0 }, { NONE, NONE } },
	{ "pwritev", PLACED, { 0 }, { NONE, NONE } },
	{ "copy_file_range", COPIES, { 2 }, { NONE, NONE } },
	{ "sendto", SENDS, { 0 }, { NONE, NONE } },
	{ "sendmsg", SENDS, { 0 }, { NONE, NONE } },
	{ "fsync", SYNCS, { 0 }, { NONE, NONE } },
	{ "syncfs", SYNCS, { 0 }, { NONE, NONE } },
	{ "sync_file_range", WAITS, { 0 }, { NONE, NONE } },
	{ "fdatasync", SYNCS, { 0 }, { NONE, NONE } },
	/* attributes that no program of ours rests on */
	{ "setxattr", IGNORED, { 0 }, { NONE, NONE } },
	{ "fsetxattr", IGNORED, { 0 }, { NONE, NONE } },
};

struct place {
	char path[PATH_MAX]; /* as the tracer finds it */
	const char *name; /* the last part of it */
	ino_t directory;
};

static FILE *record;
static unsigned long count;

/* The call that is under way. */
static struct call call;
static const struct row *row;
static struct place places[2];
static bool there; /* what the first place names, before the call */
static struct stat before;

static void
must(bool good, const char *why)
{
	if (good)
		return;
	fprintf(stderr, "crasher: %s: %s\n", call.name, why);
	exit(2);
}

void
record_begin(const char *path)
{
	record = fopen(path, "we");
	must(record != NULL, path);
	count = 0;
}

unsigned long
record_end(void)
{
	must(fclose(record) == 0, "the record cannot be written");
	record = NULL;
	return count;
}

static bool
is_one_column(const char *text)
{
	return text[strcspn(text, "\t\n")] == '\0';
}

static void
event(const char *what, const struct stat *st, const struct place *to,
    const struct place *from, long at, const void *bytes, size_t n)
{
	static const struct place nowhere = { .name = "" };

	to = to == NULL ? &nowhere : to;
	from = from == NULL ? &nowhere : from;
	must(is_one_column(to->name) && is_one_column(from->name),
	    "a name that no column can have");
	fprintf(record,
	    "%s\t%lu\t%lu\t%s\t%lu\t%s\t%ld\t%o\t%u\t%u\t%lld\t%zu\n", what,
	    st->st_ino, to->directory, to->name, from->directory, from->name,
	    at, st->st_mode, st->st_uid, st->st_gid,
	    st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec, n);
	must(n == 0 || fwrite(bytes, n, 1, record) == 1, "a record too large");
	count++;
}

static const struct row *
row_of(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* ---- places ---- */

static void
descriptor_path(int fd, char out[60])
{
	snprintf(out, 60, "/proc/%d/fd/%d", (int)call.pid, fd);
}

/* "Self" is not the tracer. */
static const char *
behind(const char *text, const char *start)
{
	size_t n = strlen(start);

	return strncmp(text, start, n) == 0 ? text + n : NULL;
}

static void
find(struct place *p, int at, int text_at)
{
	char text[PATH_MAX / 2], base[60], *slash;
	const char *own;
	struct stat st;

	calls_text(call.pid, call.a[text_at], text, sizeof(text));
	own = behind(text, "/proc/self/fd/");
	if (own == NULL)
		own = behind(text, "/dev/fd/");
	if (own != NULL)
		descriptor_path(atoi(own), text);
	if (own != NULL)
		base[0] = '\0';
	else if (text[0] == '/')
		snprintf(base, sizeof(base), "/proc/%d/root", (int)call.pid);
	else if (at == CWD || (int)call.a[at] == AT_FDCWD)
		snprintf(base, sizeof(base), "/proc/%d/cwd", (int)call.pid);
	else
		descriptor_path((int)call.a[at], base);
	snprintf(p->path, sizeof(p->path), "%s%s%s", base,
	    text[0] == '/' || text[0] == '\0' ? "" : "/", text);
	p->name = "";
	if (text[0] == '\0') /* the descriptor itself */
		return;
	slash = strrchr(p->path, '/');
	*slash = '\0';
	p->name = slash + 1;
	p->directory = stat(p->path, &st) == 0 ? st.st_ino : 0;
	*slash = '/';
}

static bool
held(int fd, struct stat *st)
{
	char path[60];

	descriptor_path(fd, path);
	return stat(path, st) == 0;
}

/* A line of a descriptor's fdinfo. */
static long
info_of(int fd, const char *format)
{
	char path[60], line[100];
	long value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)call.pid, fd);
	f = fopen(path, "re");
	must(f != NULL, "a descriptor that is gone");
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, format, &value) == 1)
			break;
	fclose(f);
	return value;
}

/* ---- what is told ---- */

static size_t
gather(uint64_t vector, size_t parts, char out[TOLD_MAX])
{
	struct iovec v;
	size_t n = 0;

	for (size_t i = 0; i < parts && n < TOLD_MAX; i++) {
		if (!calls_memory(call.pid, vector + i * sizeof(v), &v,
			sizeof(v)))
			break;
		if (v.iov_len > TOLD_MAX - n)
			v.iov_len = TOLD_MAX - n;
		if (!calls_memory(call.pid, (uint64_t)v.iov_base, out + n,
			v.iov_len))
			break;
		n += v.iov_len;
	}
	return n;
}

static void
tell(const struct stat *st)
{
	struct place program;
	char text[TOLD_MAX];
	struct msghdr m;
	size_t n = call.a[2] < TOLD_MAX ? call.a[2] : TOLD_MAX;

	if (strcmp(call.name, "writev") == 0)
		n = gather(call.a[1], call.a[2], text);
	else if (strcmp(call.name, "sendmsg") == 0)
		n = calls_memory(call.pid, call.a[1], &m, sizeof(m)) ?
		    gather((uint64_t)m.msg_iov, m.msg_iovlen, text) :
		    0;
	else if (strcmp(call.name, "sendfile") == 0 ||
	    !calls_memory(call.pid, call.a[1], text, n))
		n = 0;
	calls_program(call.pid, program.path);
	program.name = program.path;
	program.directory = 0;
	event("told", st, &program, NULL, 0, text, n);
}

/* ---- before the call ---- */

bool
record_entered(const struct call *c)
{
	struct stat st;

	call = *c;
	row = row_of(call.name);
	must(row != NULL, "no way to record it");
	if (row->what == IGNORED)
		return false;
	if (row->path[0] == NONE) {
		if (!held((int)call.a[row->at[0]], &st))
			return false;
		if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
			return true;
		tell(&st);
		return false;
	}
	for (int i = 0; i < 2 && row->path[i] != NONE; i++)
		find(&places[i], row->at[i], row->path[i]);
	there = row->what == OPENS ? stat(places[0].path, &before) == 0 :
				     lstat(places[0].path, &before) == 0;
	return true;
}

/* ---- behind it ---- */

static void
made(void)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t n = 0;

	must(lstat(places[0].path, &st) == 0, "what it made is not there");
	if (S_ISLNK(st.st_mode))
		n = readlink(places[0].path, target, sizeof(target));
	event("made", &st, &places[0], NULL, 0, target, (size_t)n);
}

static void
opened(int fd)
{
	struct stat st;

	if (!there)
		made();
	else if (held(fd, &st) && S_ISREG(st.st_mode) && st.st_size == 0 &&
	    before.st_size > 0)
		event("sized", &st, NULL, NULL, 0, NULL, 0);
}

static void
renamed(void)
{
	struct stat st;

	must(lstat(places[1].path, &st) == 0 && st.st_ino == before.st_ino,
	    "not where it was renamed to");
	event("renamed", &st, &places[1], &places[0], 0, NULL, 0);
}

static void
wrote(long n, long at)
{
	char path[60], *bytes = malloc((size_t)n + 1);
	struct stat st;
	int fd;

	descriptor_path((int)call.a[row->at[0]], path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(bytes != NULL && fd >= 0 && fstat(fd, &st) == 0 &&
		pread(fd, bytes, (size_t)n, at) == n,
	    "what was written cannot be read");
	event("wrote", &st, NULL, NULL, at, bytes, (size_t)n);
	if ((info_of((int)call.a[row->at[0]], "flags: %lo") & O_DSYNC) != 0)
		event("synced", &st, NULL, NULL, 0, NULL, 0);
	close(fd);
	free(bytes);
}

/* Where what was written begins: descriptors have moved on. */
static long
began_at(long n)
{
	uint64_t at;

	if (row->what == PLACED)
		return (long)call.a[3];
	if (row->what == COPIES && call.a[3] != 0) {
		must(calls_memory(call.pid, call.a[3], &at, sizeof(at)),
		    "an offset that cannot be read");
		return (long)at - n;
	}
	return info_of((int)call.a[row->at[0]], "pos: %ld") - n;
}

static void
named_or_held(const char *what)
{
	struct stat st;
	bool found = row->path[0] == NONE || places[0].name[0] == '\0' ?
	    held((int)call.a[row->at[0]], &st) :
	    lstat(places[0].path, &st) == 0;

	if (found)
		event(what, &st, NULL, NULL, (long)st.st_size, NULL, 0);
}

static void
synced(void)
{
	struct stat st;

	if (held((int)call.a[0], &st))
		event(strcmp(call.name, "syncfs") == 0 ? "all" : "synced", &st,
		    NULL, NULL, strcmp(call.name, "fsync") == 0, NULL, 0);
}

/* Is the whole file waited for? */
static void
waited(void)
{
	struct stat st;

	if (call.a[1] == 0 && call.a[2] == 0 &&
	    (call.a[3] & SYNC_FILE_RANGE_WAIT_AFTER) != 0 &&
	    held((int)call.a[0], &st))
		event("waited", &st, NULL, NULL, 0, NULL, 0);
}

void
record_left(long result)
{
	if (result < 0)
		return;
	switch (row->what) {
	case NAMES:
		made();
		return;
	case OPENS:
		opened((int)result);
		return;
	case REMOVES:
		event("removed", &before, &places[0], NULL, 0, NULL, 0);
		return;
	case RENAMES:
		renamed();
		return;
	case LINKS:
		must(before.st_nlink > 0, "a file that had no name");
		event("linked", &before, &places[1], NULL, 0, NULL, 0);
		return;
	case META:
	case HELD_META:
		named_or_held("meta");
		return;
	case CUTS:
		named_or_held("sized");
		return;
	case WRITES:
	case PLACED:
	case COPIES:
		if (result > 0)
			wrote(result, began_at(result));
		return;
	case SYNCS:
		synced();
		return;
	case WAITS:
		waited();
		return;
	case SENDS:
	case IGNORED:
		return;
	}
}
