/* SPDX-License-Identifier: ISC */
#include "auth/passwd_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"

enum { LOOK_AGAIN_MS = 1000, COMPLAINTS_MAX = 10 };

struct node {
	struct passwd_entry entry;
	UT_hash_handle hh;
};

struct passwd_file {
	char *path;
	int64_t looked;
	struct stat seen; /* of the version in memory; st_ino 0: none */
	struct arena *memory;
	struct node *nodes;
	bool readable;
};

struct passwd_file *
passwd_file_new(const char *path)
{
	struct passwd_file *f = mem_new(sizeof(*f));

	f->path = mem_text(path);
	f->looked = INT64_MIN;
	return f;
}

static void
drop(struct passwd_file *f)
{
	HASH_CLEAR(hh, f->nodes);
	arena_free(&f->memory);
	memset(&f->seen, 0, sizeof(f->seen));
}

void
passwd_file_free(struct passwd_file **f)
{
	if (*f == NULL)
		return;
	drop(*f);
	free((*f)->path);
	free(*f);
	*f = NULL;
}

/* Of two lines with one name the first counts, as for Dovecot. */
static void
add(struct node **nodes, struct arena *a, const struct passwd_entry *entry)
{
	struct node *n;

	HASH_FIND_STR(*nodes, entry->user, n);
	if (n != NULL)
		return;
	n = arena_alloc(a, sizeof(*n));
	n->entry = *entry;
	HASH_ADD_KEYPTR(hh, *nodes, n->entry.user, strlen(n->entry.user), n);
}

static void
parse(struct passwd_file *f, struct span text)
{
	unsigned int number = 0, complaints = 0;
	struct passwd_entry entry;
	const char *error;
	struct span line;
	bool good;

	while (text.n > 0) {
		line = span_take(text, span_find(text, '\n'));
		text = span_skip(text, line.n < text.n ? line.n + 1 : line.n);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		number++;
		good = passwd_line_parse(line, f->memory, &entry, &error);
		if (good)
			add(&f->nodes, f->memory, &entry);
		if (error != NULL && complaints++ < COMPLAINTS_MAX)
			log_warning("%s: line %u %s%s", f->path, number, error,
			    good ? "" : ": ignored");
	}
}

static bool
same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void
load(struct passwd_file *f, int fd, const struct stat *st)
{
	struct buf text = BUF_INIT(PASSWD_FILE_MAX);

	if (!S_ISREG(st->st_mode)) {
		log_warning("%s: not a regular file", f->path);
		return;
	}
	if ((st->st_mode & (S_IWOTH | S_IROTH)) != 0)
		log_warning("%s: has passwords, and everybody can read it:"
			    " chmod 600 is right",
		    f->path);
	if (fd_read_whole(fd, &text) == -1) {
		log_warning("%s: %s", f->path, strerror(errno));
	} else {
		drop(f);
		f->memory = arena_new();
		f->seen = *st;
		parse(f, buf_span(&text));
		f->readable = true;
	}
	if (text.p != NULL)
		OPENSSL_cleanse(text.p, text.n);
	buf_fini(&text);
}

/* Is what is in memory still the file? Asked at most once a second. */
static void
refresh(struct passwd_file *f)
{
	int64_t now = clock_ms();
	struct stat st;
	int fd;

	if (f->looked != INT64_MIN && now - f->looked < LOOK_AGAIN_MS)
		return;
	f->looked = now;
	if (stat(f->path, &st) == 0 && f->readable && same(&st, &f->seen))
		return;
	fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1 || fstat(fd, &st) == -1) {
		log_warning("cannot read accounts from %s: %s", f->path,
		    strerror(errno));
		f->readable = false;
	} else {
		load(f, fd, &st);
	}
	fd_close(&fd);
}

enum passwd_result
passwd_file_find(struct passwd_file *f, const char *name,
    const struct passwd_entry **entry)
{
	struct node *n;

	refresh(f);
	if (!f->readable)
		return PASSWD_UNREADABLE;
	HASH_FIND_STR(f->nodes, name, n);
	if (n == NULL)
		return PASSWD_NONE;
	*entry = &n->entry;
	return PASSWD_FOUND;
}

const char *
passwd_file_sample(struct passwd_file *f)
{
	return f->nodes == NULL ? NULL : f->nodes->entry.password;
}
