/* SPDX-License-Identifier: ISC */
#include "lib/store/maildir_uidlist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/store/maildir_list.h"
#include "lib/store/uidl_format.h"

enum {
	CHUNK = 65536, /* read at a time; no line is longer */
	LIST_MAX = 1 << 30, /* of one that is written anew */
};

#define LOCK_NAME UIDLIST_NAME ".lock"

static int
open_list(int directory, const char *name, int flags)
{
	int fd = openat(directory, name,
	    flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd != -1 && (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))) {
		fd_close(&fd);
		errno = EINVAL;
	}
	return fd;
}

/* ---- the header ---- */

static bool
number(struct span word, uint32_t *out)
{
	uint64_t value;

	if (!span_u64(word, UINT32_MAX, &value) || value == 0)
		return false;
	*out = (uint32_t)value;
	return true;
}

static bool
hexadecimal(struct span text, unsigned char out[MAIL_INDEX_ID])
{
	char pair[3] = "";
	char *end;

	if (text.n != 2 * MAIL_INDEX_ID)
		return false;
	for (size_t i = 0; i < MAIL_INDEX_ID; i++) {
		memcpy(pair, text.p + 2 * i, 2);
		out[i] = (unsigned char)strtoul(pair, &end, 16);
		if (end != pair + 2 || pair[0] == '+' || pair[0] == '-' ||
		    pair[0] == ' ')
			return false;
	}
	return true;
}

bool
maildir_uidlist_parse_header(struct span line, struct uidlist_header *out)
{
	struct uidlist_header h = { 0 };
	struct span rest = line, word;

	if (!span_cut(&rest, " ", true, &word))
		return false;
	if (span_is(word, "1")) {
		if (!span_cut(&rest, " ", true, &word) ||
		    !number(word, &h.uidvalidity) || !number(rest, &h.uidnext))
			return false;
		*out = h;
		return true;
	}
	if (!span_is(word, "3"))
		return false;
	while (span_cut(&rest, " ", true, &word) && word.n > 0) {
		struct span value = span_skip(word, 1);

		if ((word.p[0] == 'V' && !number(value, &h.uidvalidity)) ||
		    (word.p[0] == 'N' && !number(value, &h.uidnext)))
			return false;
		if (word.p[0] == 'G')
			h.has_id = hexadecimal(value, h.id);
	}
	if (h.uidvalidity == 0 || h.uidnext == 0)
		return false;
	*out = h;
	return true;
}

/* ---- names ---- */

struct uidlist {
	size_t slots; /* a power of two */
	size_t count;
	struct slot {
		uint32_t tag; /* of the digest */
		uint32_t uid; /* 0: empty */
	} * table;
};

static uint64_t
digest(struct span s)
{
	uint64_t h = s.n, word;

	for (; s.n >= 8; s = span_skip(s, 8)) {
		memcpy(&word, s.p, 8);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	word = 0;
	if (s.n > 0)
		memcpy(&word, s.p, s.n);
	h = (h ^ word) * UINT64_C(0xbf58476d1ce4e5b9);
	h ^= h >> 32;
	return h * UINT64_C(0x94d049bb133111eb);
}

struct uidlist *
maildir_uidlist_new(size_t names)
{
	struct uidlist *l = mem_new(sizeof(*l));

	for (l->slots = 64; l->slots < names + names / 2; l->slots *= 2)
		;
	l->table = mem_array(l->slots, sizeof(*l->table));
	return l;
}

void
maildir_uidlist_free(struct uidlist **l)
{
	if (*l == NULL)
		return;
	free((*l)->table);
	free(*l);
	*l = NULL;
}

void
maildir_uidlist_add(struct uidlist *l, struct span base, uint32_t uid)
{
	uint64_t h = digest(base);
	uint32_t tag = (uint32_t)h;
	size_t i = (size_t)(h >> 32) & (l->slots - 1);

	if (l->count + 1 >= l->slots)
		return; /* it has grown since it was counted */
	while (l->table[i].uid != 0 && l->table[i].tag != tag)
		i = (i + 1) & (l->slots - 1);
	/* a later line about the same name counts */
	l->count += l->table[i].uid == 0;
	l->table[i].tag = tag;
	l->table[i].uid = uid;
}

uint32_t
maildir_uidlist_find(const struct uidlist *l, struct span base)
{
	uint64_t h = digest(base);
	size_t i = (size_t)(h >> 32) & (l->slots - 1);

	while (l->table[i].uid != 0 && l->table[i].tag != (uint32_t)h)
		i = (i + 1) & (l->slots - 1);
	return l->table[i].uid;
}

static void
take_lines(struct span text, bool *header_read, struct uidlist_header *header,
    struct uidlist *l)
{
	struct maildir_note note;
	struct span line;

	while (span_cut(&text, "\n", false, &line)) {
		if (!*header_read) {
			*header_read = true;
			if (!maildir_uidlist_parse_header(line, header))
				return;
		} else if (header->uidvalidity != 0 &&
		    maildir_uidlist_line(line, &note)) {
			/* Dovecot appends lines and leaves the header alone */
			if (note.uid >= header->uidnext &&
			    note.uid < UINT32_MAX)
				header->uidnext = (uint32_t)note.uid + 1;
			if (l != NULL)
				maildir_uidlist_add(l, note.base,
				    (uint32_t)note.uid);
		}
	}
}

static size_t
count_lines(int fd, char *text)
{
	size_t lines = 0;
	ssize_t n;

	while ((n = read(fd, text, CHUNK)) > 0)
		for (char *p = text;
		     (p = memchr(p, '\n', (size_t)(text + n - p))) != NULL; p++)
			lines++;
	return lseek(fd, 0, SEEK_SET) == 0 ? lines : 0;
}

/* All whole lines; "l" may be NULL. False: it is none that we understand. */
static bool
read_lines(int fd, char *text, struct uidlist_header *header, struct uidlist *l)
{
	bool header_read = false;
	size_t kept = 0;
	ssize_t n;

	*header = (struct uidlist_header){ 0 };
	while ((n = read(fd, text + kept, CHUNK - kept)) > 0) {
		struct span whole = { text, kept + (size_t)n };
		size_t end = span_rfind(whole, '\n');

		if (end == whole.n) {
			kept = whole.n < CHUNK ? whole.n : 0;
			continue;
		}
		take_lines(span_take(whole, end), &header_read, header, l);
		kept = whole.n - end - 1;
		memmove(text, text + end + 1, kept);
	}
	return header->uidvalidity != 0;
}

bool
maildir_uidlist_read_header(int directory, struct uidlist_header *out)
{
	int fd = open_list(directory, UIDLIST_NAME, O_RDONLY);
	char *text;
	bool good;

	if (fd == -1)
		return false;
	text = mem_new(CHUNK);
	good = read_lines(fd, text, out, NULL);
	free(text);
	fd_close(&fd);
	return good;
}

struct uidlist *
maildir_uidlist_read(int directory, const char *name,
    struct uidlist_header *header)
{
	int fd = open_list(directory, name, O_RDONLY);
	struct uidlist *l;
	char *text;

	*header = (struct uidlist_header){ 0 };
	if (fd == -1)
		return NULL;
	text = mem_new(CHUNK);
	l = maildir_uidlist_new(count_lines(fd, text));
	if (!read_lines(fd, text, header, l))
		maildir_uidlist_free(&l);
	free(text);
	fd_close(&fd);
	return l;
}

/* ---- another header ---- */

enum { LOCK_STALE = 120 }; /* seconds; Dovecot breaks such a lock too */

static int
make_lock(int directory)
{
	static const int flags =
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(directory, LOCK_NAME, flags, 0600);
	struct stat st;

	if (fd != -1 || errno != EEXIST ||
	    fstatat(directory, LOCK_NAME, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    clock_wall_us() / 1000000 - st.st_mtim.tv_sec < LOCK_STALE)
		return fd;
	(void)!unlinkat(directory, LOCK_NAME, 0);
	return openat(directory, LOCK_NAME, flags, 0600);
}

/* In the version that its lines are written in. */
static bool
put_header(bool first_version, const struct uidlist_header *h, struct buf *out)
{
	if (first_version)
		return buf_printf(out, "1 %lu %lu\n",
		    (unsigned long)h->uidvalidity, (unsigned long)h->uidnext);
	buf_printf(out, "3 V%lu N%lu", (unsigned long)h->uidvalidity,
	    (unsigned long)h->uidnext);
	if (h->has_id)
		buf_add_text(out, " G");
	for (size_t i = 0; h->has_id && i < MAIL_INDEX_ID; i++)
		buf_printf(out, "%02x", h->id[i]);
	return buf_add_char(out, '\n');
}

static int
rewrite(int list, int lock, const struct uidlist_header *header)
{
	struct buf old = BUF_INIT(LIST_MAX), top = BUF_INIT(256);
	struct span lines;
	int error, r = -1;

	if (fd_read_whole(list, &old) == 0) {
		lines = buf_span(&old);
		lines = span_skip(lines, span_find(lines, '\n'));
		put_header(span_starts(buf_span(&old), "1 "), header, &top);
		if (lines.n > 0)
			lines = span_skip(lines, 1);
		if (fd_write_all(lock, buf_text(&top), top.n) == 0 &&
		    fd_write_all(lock, lines.p, lines.n) == 0)
			r = fsync(lock);
	}
	error = errno;
	buf_fini(&old);
	buf_fini(&top);
	errno = error;
	return r;
}

int
maildir_uidlist_write_header(int directory, const struct uidlist_header *header)
{
	int error, lock, list = open_list(directory, UIDLIST_NAME, O_RDONLY), r;

	if (list == -1)
		return -1;
	lock = make_lock(directory);
	r = lock == -1 ? -1 : rewrite(list, lock, header);
	/* Dovecot's own way: the lock becomes the list */
	if (r == 0)
		r = renameat(directory, LOCK_NAME, directory, UIDLIST_NAME);
	error = errno;
	if (r == -1 && lock != -1)
		(void)!unlinkat(directory, LOCK_NAME, 0);
	fd_close(&lock);
	fd_close(&list);
	errno = error;
	return r == 0 ? fsync(directory) : -1;
}

/* ---- carrying it on ---- */

void
maildir_uidlist_line_of(const struct uidl_format *format, uint32_t uid,
    uint32_t uidvalidity, struct span name, struct buf *out)
{
	struct span stem = span_take(name, span_find(name, ':'));
	char unique[STORE_UNIQUE_MAX];
	uint64_t named;
	struct uidl_parts parts = {
		.uid = uid,
		.uidvalidity = uidvalidity,
		.base = maildir_name_base(name, &named),
	};

	if (format == NULL)
		uidl_own_name(parts.base, unique);
	else
		uidl_format_make(format, &parts, unique);
	buf_printf(out, "%lu P%s :%.*s\n", (unsigned long)uid, unique,
	    SPAN_ARG(stem));
}

void
maildir_uidlist_append(int directory, struct span lines)
{
	int fd;

	if (faccessat(directory, LOCK_NAME, F_OK, 0) == 0)
		return;
	fd = open_list(directory, UIDLIST_NAME, O_WRONLY | O_APPEND);
	/* UIDs are in the names: without these lines nothing is lost */
	if (fd != -1)
		(void)!fd_write_all(fd, lines.p, lines.n);
	fd_close(&fd);
}
