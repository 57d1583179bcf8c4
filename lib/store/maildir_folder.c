/* SPDX-License-Identifier: ISC */
#include "lib/store/maildir_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/store/mailbox.h"
#include "lib/store/maildir_list.h"

int
maildir_folder_open(struct maildir_folder *f, int directory)
{
	static const char *const parts[] = { "cur", "new", "tmp" };

	f->dir = f->control = directory;
	f->cur = openat(directory, "cur",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (f->cur == -1 && errno == ENOENT) {
		for (size_t i = 0; i < 3; i++)
			if (mkdirat(directory, parts[i], 0700) == -1 &&
			    errno != EEXIST)
				break;
		f->cur = openat(directory, "cur",
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (f->cur != -1)
		return 0;
	fd_close(&f->dir);
	f->control = -1;
	return -1;
}

void
maildir_folder_close(struct maildir_folder *f)
{
	if (f->control != f->dir)
		fd_close(&f->control);
	fd_close(&f->cur);
	fd_close(&f->dir);
}

void
maildir_folder_control(struct maildir_folder *f, int directory)
{
	f->control = directory;
}

/* ---- stamps ---- */

int
maildir_folder_stamp(const struct maildir_folder *f, const char *name,
    struct mail_stamp *out)
{
	struct stat st;
	int r;

	memset(out, 0, sizeof(*out));
	if (strcmp(name, "cur") == 0)
		r = fstat(f->cur, &st);
	else
		r = fstatat(strncmp(name, "dovecot-", 8) == 0 ? f->control :
								f->dir,
		    name, &st, AT_SYMLINK_NOFOLLOW);
	if (r == -1)
		return errno == ENOENT ? 0 : -1;
	/* ctime: a restored mtime tells nothing */
	out->seconds = st.st_ctim.tv_sec;
	out->nanoseconds = (uint32_t)st.st_ctim.tv_nsec;
	if (!S_ISDIR(st.st_mode))
		out->size = (uint32_t)st.st_size;
	return 0;
}

bool
mail_stamp_equal(const struct mail_stamp *a, const struct mail_stamp *b)
{
	return a->seconds == b->seconds && a->nanoseconds == b->nanoseconds &&
	    a->size == b->size;
}

bool
mail_stamp_settled(const struct mail_stamp *s)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME_COARSE, &now) == -1)
		return false;
	return now.tv_sec > s->seconds ||
	    (now.tv_sec == s->seconds && now.tv_nsec > (long)s->nanoseconds);
}

/* ---- names ---- */

static const struct {
	char letter;
	uint32_t flag;
} letters[] = {
	{ 'D', MAIL_DRAFT },
	{ 'F', MAIL_FLAGGED },
	{ 'R', MAIL_ANSWERED },
	{ 'S', MAIL_SEEN },
	{ 'T', MAIL_DELETED },
};

enum { LETTERS = sizeof(letters) / sizeof(letters[0]) };

static uint32_t
flag_of(char letter)
{
	for (size_t i = 0; i < LETTERS; i++)
		if (letters[i].letter == letter)
			return letters[i].flag;
	return 0;
}

static struct span
info_of(struct span name, size_t stem)
{
	struct span info = span_skip(name, stem);

	return span_starts(info, ":2,") ? span_skip(info, 3) :
					  span_take(info, 0);
}

/* One ",X=123" of a name; the last one may be its UID. */
static void
take_field(struct maildir_file *out, struct span field, bool last)
{
	uint64_t value;

	if (field.n < 3 || field.p[1] != '=' ||
	    !span_u64(span_skip(field, 2), UINT64_C(1) << MAILDIR_SIZE_MAX_BITS,
		&value))
		return;
	if (field.p[0] == 'S' && out->stored == UINT64_MAX)
		out->stored = value;
	else if (field.p[0] == 'W' && out->size == UINT64_MAX)
		out->size = value;
	else if (field.p[0] == 'U' && last && value > 0 && value <= UINT32_MAX)
		out->uid = (uint32_t)value;
}

/* The fields behind the first comma of the stem; one pass. */
static void
take_fields(struct maildir_file *out)
{
	struct span stem = out->stem;
	size_t at = span_find(stem, ',');

	out->base = stem;
	while (at < stem.n) {
		struct span rest = span_skip(stem, at + 1);
		size_t n = span_find(rest, ',');

		take_field(out, span_take(rest, n), n == rest.n);
		if (out->uid != 0)
			out->base = span_take(stem, at);
		at += 1 + n;
	}
}

bool
maildir_file_parse(struct span name, struct maildir_file *out)
{
	size_t stem = span_find(name, ':');
	struct span info;

	*out = (struct maildir_file){ .name = name,
		.stored = UINT64_MAX,
		.size = UINT64_MAX };
	if (name.n == 0 || name.n >= MAILDIR_FILE_MAX || name.p[0] == '.')
		return false;
	out->stem = span_take(name, stem);
	take_fields(out);
	if (out->base.n == 0)
		return false;
	info = info_of(name, stem);
	for (size_t i = 0; i < info.n; i++)
		if (info.p[i] >= 'a' && info.p[i] <= 'z')
			out->keywords |= UINT64_C(1) << (info.p[i] - 'a');
		else
			out->flags |= flag_of(info.p[i]);
	return true;
}

/* Of others, such as P: forwarded. */
static bool
is_foreign(char c)
{
	return c > ' ' && c <= '~' && c != '/' && (c < 'a' || c > 'z') &&
	    flag_of(c) == 0;
}

/* Sorted, each once, as the Maildir convention wants them. */
static size_t
put_flags(struct span info, uint32_t flags, uint64_t keywords, char *out)
{
	bool there[128] = { false };
	size_t n = 0;

	for (size_t i = 0; i < info.n; i++)
		if (is_foreign(info.p[i]))
			there[(unsigned char)info.p[i]] = true;
	for (size_t i = 0; i < LETTERS; i++)
		if ((flags & letters[i].flag) != 0)
			there[(unsigned char)letters[i].letter] = true;
	for (unsigned int i = 0; i < 26; i++)
		if ((keywords >> i & 1) != 0)
			there['a' + i] = true;
	for (unsigned char c = '!'; c <= '~'; c++)
		if (there[c])
			out[n++] = (char)c;
	return n;
}

bool
maildir_file_name(const struct maildir_file *f, uint32_t uid, uint32_t flags,
    uint64_t keywords, char out[MAILDIR_FILE_MAX])
{
	struct span head = uid == 0 ? f->stem : f->base;
	char number[16] = "", info[128];
	size_t n, m;

	if (uid != 0)
		snprintf(number, sizeof(number), ",U=%lu", (unsigned long)uid);
	n = strlen(number);
	m = put_flags(info_of(f->name, f->stem.n), flags, keywords, info);
	if (head.n + n + 3 + m >= MAILDIR_FILE_MAX)
		return false;
	memcpy(out, head.p, head.n);
	memcpy(out + head.n, number, n);
	memcpy(out + head.n + n, ":2,", 3);
	memcpy(out + head.n + n + 3, info, m);
	out[head.n + n + 3 + m] = '\0';
	return true;
}

/* ---- the directory ---- */

static DIR *
open_list(const struct maildir_folder *f, const char *which)
{
	int fd = openat(f->dir, which,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d;

	if (fd == -1)
		return NULL;
	d = fdopendir(fd);
	if (d == NULL)
		fd_close(&fd);
	return d;
}

int
maildir_folder_scan(const struct maildir_folder *f, const char *which,
    maildir_visit *visit, void *with)
{
	DIR *d = open_list(f, which);
	struct maildir_file file;
	struct dirent *e;
	int error;

	if (d == NULL) {
		if (errno != ENOENT)
			return -1;
		/* a folder without it has not become empty: it was moved */
		if (strcmp(which, "cur") != 0)
			return 0;
		errno = ESTALE;
		return -1;
	}
	while ((errno = 0, e = readdir(d)) != NULL)
		if (e->d_type != DT_DIR &&
		    maildir_file_parse(span_of(e->d_name), &file) &&
		    !visit(with, &file))
			break;
	error = e == NULL ? errno : 0;
	closedir(d);
	errno = error;
	return error == 0 ? 0 : -1;
}

/* "new/NAME" is the only path with a '/'. */
static const char *
path_in_new(const char *name, char path[MAILDIR_FILE_MAX + 8])
{
	snprintf(path, MAILDIR_FILE_MAX + 8, "new/%s", name);
	return path;
}

int
maildir_folder_rename(const struct maildir_folder *f, bool in_new,
    const char *from, const char *to)
{
	char path[MAILDIR_FILE_MAX + 8];

	if (in_new)
		return renameat(f->dir, path_in_new(from, path), f->cur, to);
	return renameat(f->cur, from, f->cur, to);
}

int
maildir_folder_unlink(const struct maildir_folder *f, bool in_new,
    const char *name)
{
	char path[MAILDIR_FILE_MAX + 8];

	if (in_new)
		return unlinkat(f->dir, path_in_new(name, path), 0);
	return unlinkat(f->cur, name, 0);
}

int
maildir_folder_open_file(const struct maildir_folder *f, bool in_new,
    const char *name, int flags)
{
	char path[MAILDIR_FILE_MAX + 8];

	flags |= O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	if (in_new)
		return fd_open_unnoted(f->dir, path_in_new(name, path), flags);
	return fd_open_unnoted(f->cur, name, flags);
}

int
maildir_folder_flush_names(const struct maildir_folder *f)
{
	return fsync(f->cur);
}

int
maildir_folder_flushed(const struct maildir_folder *f)
{
	/* its own time would be a change of it */
	return file_system_takes_changes(f->dir, 0, FILE_TIME_READ);
}

int
maildir_folder_flush(const struct maildir_folder *f)
{
	return maildir_folder_flush_names(f) == 0 ? maildir_folder_flushed(f) :
						    -1;
}
