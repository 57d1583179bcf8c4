/* SPDX-License-Identifier: ISC */
#include "lib/store/folder_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/hex.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mailbox.h"

enum { STATE_MAX = 64 << 20 }; /* bytes of the file */

static const char file_name[] = FOLDER_STATE_NAME;
static const char temporary[] = FOLDER_STATE_NAME ".new";
static const char aside[] = FOLDER_STATE_NAME ".damaged";

void
folder_state_fini(struct folder_state *s)
{
	for (size_t i = 0; i < FOLDER_KEYWORDS_MORE; i++) {
		free(s->more[i].name);
		uid_set_fini(&s->more[i].uids);
	}
	memset(s, 0, sizeof(*s));
}

void
folder_state_new(struct folder_state *s, uint32_t uidvalidity)
{
	memset(s, 0, sizeof(*s));
	s->uidvalidity = uidvalidity;
	s->bound = 1;
	ensure(getrandom(s->id, sizeof(s->id), 0) == sizeof(s->id));
	s->loaded = true;
}

/* ---- reading ---- */

static bool
number(struct span text, uint32_t *out)
{
	uint64_t value;

	if (!span_u64(text, UINT32_MAX, &value) || value == 0)
		return false;
	*out = (uint32_t)value;
	return true;
}

static bool
identity(struct span text, unsigned char id[MAIL_INDEX_ID])
{
	if (text.n != 2 * MAIL_INDEX_ID)
		return false;
	for (size_t i = 0; i < MAIL_INDEX_ID; i++) {
		int high = hex_lower_digit(text.p[2 * i]);
		int low = hex_lower_digit(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		id[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* "1:5,9"; ascending or not. */
static bool
ranges(struct span text, struct uid_set *out)
{
	struct span part, first;

	while (span_cut(&text, ",", false, &part)) {
		uint32_t from, to;

		first = span_take(part, span_find(part, ':'));
		if (!number(first, &from))
			return false;
		to = from;
		if (first.n < part.n &&
		    !number(span_skip(part, first.n + 1), &to))
			return false;
		if (to < from)
			return false;
		uid_set_add_range(out, from, to);
	}
	return true;
}

static bool
name_valid(struct span name)
{
	if (name.n == 0 || name.n > MAIL_KEYWORD_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	return true;
}

/* A line about a keyword of this file. */
static bool
keyword_line(struct folder_state *s, struct span verb, struct span rest)
{
	struct folder_keyword *k;
	struct uid_set uids = { 0 };
	struct span bit;
	uint64_t i;
	bool good;

	if (!span_cut(&rest, " ", false, &bit) ||
	    !span_u64(bit, MAIL_KEYWORDS_MAX - 1, &i) ||
	    i < FOLDER_KEYWORD_LETTERS)
		return false;
	k = &s->more[i - FOLDER_KEYWORD_LETTERS];
	if (span_is(verb, "keyword")) {
		if (!name_valid(rest))
			return false;
		free(k->name);
		k->name = mem_span_text(rest);
		return true;
	}
	/* the mark at its end is missing where a crash cut the line off */
	good = span_cut(&rest, " ", false, &bit) && span_is(rest, ".") &&
	    ranges(bit, &uids);
	for (size_t j = 0; good && j < uids.count; j++)
		if (span_is(verb, "set"))
			uid_set_add_range(&k->uids, uids.ranges[j].first,
			    uids.ranges[j].last);
		else
			uid_set_remove_range(&k->uids, uids.ranges[j].first,
			    uids.ranges[j].last);
	uid_set_fini(&uids);
	return good;
}

static bool
line_of(struct folder_state *s, struct span line, bool *has_id)
{
	struct span rest = line, verb;

	if (!span_cut(&rest, " ", false, &verb))
		return true;
	if (span_is(verb, "uidvalidity"))
		return number(rest, &s->uidvalidity);
	if (span_is(verb, "bound"))
		return number(rest, &s->bound);
	if (span_is(verb, "from"))
		return number(rest, &s->from);
	if (span_is(verb, "id"))
		return *has_id = identity(rest, s->id);
	/* what was cut off, or is not known, does no harm */
	if (span_is(verb, "keyword") || span_is(verb, "set") ||
	    span_is(verb, "clear"))
		(void)keyword_line(s, verb, rest);
	return true;
}

bool
folder_state_parse(struct span text, struct folder_state *out)
{
	struct folder_state s = { .loaded = true };
	struct span line, rest = text;
	bool good, has_id = false;

	good = span_cut(&rest, "\n", false, &line) &&
	    span_is(line, "posthaste-folder 1");
	while (good && span_cut(&rest, "\n", true, &line))
		good = line_of(&s, line, &has_id);
	if (good && has_id && s.uidvalidity > 0 && s.bound > 0) {
		*out = s;
		return true;
	}
	folder_state_fini(&s);
	return false;
}

static int
read_text(int directory, const char *name, struct buf *text)
{
	int error,
	    fd = openat(directory, name,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd == -1)
		return -1;
	errno = EINVAL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    fd_read_whole(fd, text) == 0) {
		fd_close(&fd);
		return 0;
	}
	error = errno;
	fd_close(&fd);
	errno = error;
	return -1;
}

int
folder_state_read(int directory, struct folder_state *out)
{
	struct buf text = BUF_INIT(STATE_MAX);
	int r;

	if (read_text(directory, file_name, &text) == -1) {
		int error = errno;

		buf_fini(&text);
		errno = error;
		return error == ENOENT ? 1 : -1;
	}
	r = folder_state_parse(buf_span(&text), out) ? 0 : 2;
	buf_fini(&text);
	return r;
}

bool
folder_state_salvage(int directory, bool there, struct folder_state *out)
{
	struct buf text = BUF_INIT(STATE_MAX);
	struct span rest, line;
	bool has_id = false, good;

	memset(out, 0, sizeof(*out));
	good = read_text(directory, there ? file_name : aside, &text) == 0;
	/* a number may have been cut off at the end */
	while (text.n > 0 && text.p[text.n - 1] != '\n')
		text.n--;
	rest = buf_span(&text);
	while (good && span_cut(&rest, "\n", true, &line))
		(void)line_of(out, line, &has_id);
	buf_fini(&text);
	return has_id;
}

void
folder_state_set_aside(int directory, const char *what)
{
	log_warning("%s is damaged; it is set aside, and %s", file_name, what);
	(void)!unlinkat(directory, aside, 0);
	if (linkat(directory, file_name, directory, aside, 0) == -1)
		log_warning("cannot keep it as %s: %s", aside, strerror(errno));
}

/* ---- writing ---- */

static void
whole_text(const struct folder_state *s, struct buf *text)
{
	buf_printf(text, "posthaste-folder 1\nuidvalidity %lu\nbound %lu\n",
	    (unsigned long)s->uidvalidity, (unsigned long)s->bound);
	if (s->from > 0)
		buf_printf(text, "from %lu\n", (unsigned long)s->from);
	buf_add_text(text, "id ");
	for (size_t i = 0; i < MAIL_INDEX_ID; i++)
		buf_printf(text, "%02x", s->id[i]);
	buf_add_char(text, '\n');
	for (unsigned int i = 0; i < FOLDER_KEYWORDS_MORE; i++) {
		const struct folder_keyword *k = &s->more[i];

		if (k->name == NULL)
			continue;
		buf_printf(text, "keyword %u %s\n", i + FOLDER_KEYWORD_LETTERS,
		    k->name);
		if (uid_set_empty(&k->uids))
			continue;
		buf_printf(text, "set %u ", i + FOLDER_KEYWORD_LETTERS);
		(void)uid_set_text(&k->uids, text);
		buf_add_text(text, " .\n");
	}
}

int
folder_state_write(int directory, const struct folder_state *s)
{
	struct buf text = BUF_INIT(STATE_MAX);
	int error, fd, r = -1;

	whole_text(s, &text);
	fd = openat(directory, temporary,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0600);
	errno = fd != -1 && text.overflow ? EFBIG : errno;
	if (fd != -1 && !text.overflow &&
	    fd_write_all(fd, buf_text(&text), text.n) == 0 && fsync(fd) == 0 &&
	    renameat(directory, temporary, directory, file_name) == 0)
		r = fsync(directory);
	error = errno;
	if (r == -1)
		(void)!unlinkat(directory, temporary, 0);
	fd_close(&fd);
	buf_fini(&text);
	errno = error;
	return r;
}

/* Each begins with a line end: the last one may have been cut off. */
static int
append(int directory, struct span lines)
{
	int error, r,
	    fd = openat(directory, file_name,
		O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd == -1)
		return -1;
	r = fd_write_all(fd, lines.p, lines.n);
	error = errno;
	fd_close(&fd);
	errno = error;
	return r;
}

int
folder_state_name(int directory, struct folder_state *s, unsigned int bit,
    struct span name)
{
	struct folder_keyword *k = &s->more[bit - FOLDER_KEYWORD_LETTERS];
	struct buf line = BUF_INIT(256);
	int r;

	ensure(bit >= FOLDER_KEYWORD_LETTERS && bit < MAIL_KEYWORDS_MAX);
	if (!name_valid(name)) {
		errno = EINVAL;
		return -1;
	}
	buf_printf(&line, "\nkeyword %u %.*s\n", bit, SPAN_ARG(name));
	r = append(directory, buf_span(&line));
	buf_fini(&line);
	if (r == 0) {
		free(k->name);
		k->name = mem_span_text(name);
	}
	return r;
}

int
folder_state_mark(int directory, struct folder_state *s, unsigned int bit,
    const struct uid_set *uids, bool on)
{
	struct folder_keyword *k = &s->more[bit - FOLDER_KEYWORD_LETTERS];
	struct buf line = BUF_INIT(STATE_MAX);
	int r;

	ensure(bit >= FOLDER_KEYWORD_LETTERS && bit < MAIL_KEYWORDS_MAX);
	if (uid_set_empty(uids))
		return 0;
	buf_printf(&line, "\n%s %u ", on ? "set" : "clear", bit);
	(void)uid_set_text(uids, &line);
	buf_add_text(&line, " .\n");
	r = append(directory, buf_span(&line));
	buf_fini(&line);
	if (r == -1)
		return -1;
	if (on)
		uid_set_add_set(&k->uids, uids);
	for (size_t i = 0; !on && i < uids->count; i++)
		uid_set_remove_range(&k->uids, uids->ranges[i].first,
		    uids->ranges[i].last);
	return 0;
}

int
folder_state_flush(int directory)
{
	int error, r,
	    fd = openat(directory, file_name,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd == -1)
		return -1;
	r = fdatasync(fd);
	error = errno;
	fd_close(&fd);
	errno = error;
	return r;
}

uint64_t
folder_state_keywords(const struct folder_state *s, uint32_t uid)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < FOLDER_KEYWORDS_MORE; i++)
		if (s->more[i].uids.count > 0 &&
		    uid_set_has(&s->more[i].uids, uid))
			bits |= UINT64_C(1) << (i + FOLDER_KEYWORD_LETTERS);
	return bits;
}
