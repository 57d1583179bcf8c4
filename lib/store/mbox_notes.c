/* SPDX-License-Identifier: ISC */
#include "lib/store/mbox_notes.h"

#include <string.h>

#include "lib/store/mailbox.h"

enum {
	BLANKS = 32, /* for keywords that come later */
	BASE_BLANKS = 96,
};

static const struct {
	char letter;
	bool extra; /* in X-Status */
	unsigned int flag;
	uint32_t mail;
} letters[] = {
	{ 'R', false, MBOX_READ, MAIL_SEEN },
	{ 'O', false, MBOX_OLD, 0 },
	{ 'A', true, MBOX_ANSWERED, MAIL_ANSWERED },
	{ 'F', true, MBOX_FLAGGED, MAIL_FLAGGED },
	{ 'D', true, MBOX_DELETED, MAIL_DELETED },
	{ 'T', true, MBOX_DRAFT, MAIL_DRAFT },
};

enum { LETTERS = sizeof(letters) / sizeof(letters[0]) };

unsigned int
mbox_notes_flags(uint32_t mail_flags)
{
	unsigned int flags = 0;

	for (size_t i = 0; i < LETTERS; i++)
		if ((mail_flags & letters[i].mail) != 0)
			flags |= letters[i].flag;
	return flags;
}

uint32_t
mbox_notes_mail_flags(unsigned int note_flags)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < LETTERS; i++)
		if ((note_flags & letters[i].flag) != 0)
			flags |= letters[i].mail;
	return flags;
}

bool
mbox_hidden(struct span name)
{
	return span_is_nocase(name, "Content-Length") || mbox_noted(name);
}

bool
mbox_noted(struct span name)
{
	static const char *const names[] = {
#define HIDDEN(name)
#define NOTED(name) name,
#include "lib/store/mbox_fields.def"
#undef HIDDEN
#undef NOTED
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_is_nocase(name, names[i]))
			return true;
	return false;
}

static uint32_t
number(struct span digits)
{
	uint64_t n;

	return span_u64(digits, UINT32_MAX - 1, &n) ? (uint32_t)n : 0;
}

static void
take_letters(struct mbox_notes *n, struct span value)
{
	for (size_t i = 0; i < value.n; i++)
		for (size_t k = 0; k < LETTERS; k++)
			if (value.p[i] == letters[k].letter)
				n->flags |= letters[k].flag;
}

static void
take_base(struct mbox_notes *n, struct arena *names, struct span value)
{
	struct span validity, last;

	if (n->uidvalidity != 0 || !span_cut(&value, " \t", true, &validity) ||
	    !span_cut(&value, " \t", true, &last) || number(validity) == 0)
		return;
	n->uidvalidity = number(validity);
	/* "0000000017"; more than there are UIDs is no number of one */
	n->last_uid = number(last);
	n->all_keywords = arena_span(names, span_trim(value));
}

void
mbox_notes_take(struct mbox_notes *n, struct arena *names, struct span name,
    struct span value)
{
	if (span_is_nocase(name, "Status") || span_is_nocase(name, "X-Status"))
		take_letters(n, value);
	else if (span_is_nocase(name, "X-UID") && n->uid == 0)
		n->uid = number(value);
	else if (span_is_nocase(name, "X-Keywords") && n->keywords == NULL &&
	    value.n > 0)
		n->keywords = arena_span(names, value);
	else if (span_is_nocase(name, "X-IMAPbase") ||
	    span_is_nocase(name, "X-IMAP"))
		take_base(n, names, value);
}

void
mbox_notes_base(uint32_t uidvalidity, uint32_t last_uid,
    const char *const *keywords, struct buf *out)
{
	buf_printf(out, "%u %010u", uidvalidity, last_uid);
	for (size_t i = 0; keywords != NULL && keywords[i] != NULL; i++)
		buf_printf(out, " %s", keywords[i]);
}

static void
put_blanks(struct buf *out, size_t n)
{
	while (n-- > 0)
		buf_add_char(out, ' ');
}

static void
put_letters(struct buf *out, unsigned int flags, bool extra)
{
	for (size_t i = 0; i < LETTERS; i++)
		if (letters[i].extra == extra && (flags & letters[i].flag) != 0)
			buf_add_char(out, letters[i].letter);
}

/* ---- new ones ---- */

/* With a blank for each letter that it lacks. */
static void
put_flags(struct buf *out, const char *name, unsigned int flags, bool extra)
{
	size_t all = 0, before;

	for (size_t i = 0; i < LETTERS; i++)
		all += letters[i].extra == extra;
	buf_printf(out, "%s: ", name);
	before = out->n;
	put_letters(out, flags, extra);
	put_blanks(out, all - (out->n - before));
	buf_add_char(out, '\n');
}

void
mbox_notes_write(const struct mbox_noting *n, struct buf *out)
{
	if (n->base != NULL) {
		buf_printf(out, "%s: %s", n->internal ? "X-IMAP" : "X-IMAPbase",
		    n->base);
		put_blanks(out, BASE_BLANKS);
		buf_add_char(out, '\n');
	}
	if (n->internal && n->flags == 0)
		return;
	if (n->uid != 0)
		buf_printf(out, "X-UID: %u\n", n->uid);
	put_flags(out, "Status", n->flags, false);
	if (n->internal)
		return;
	put_flags(out, "X-Status", n->flags, true);
	buf_printf(out, "X-Keywords: %s", n->keywords);
	put_blanks(out, BLANKS);
	buf_add_char(out, '\n');
}

/* ---- in place ---- */

struct fitting {
	const struct mbox_noting *n;
	bool base, uid, status, extra, keywords; /* have been told */
};

/* What a field is to say; false: it cannot stay where it is. */
static bool
value_of(struct fitting *f, struct span name, struct span old, struct buf *out)
{
	const struct mbox_noting *n = f->n;
	bool *told;

	if (span_is_nocase(name, "Status")) {
		told = &f->status;
		put_letters(out, n->flags, false);
	} else if (span_is_nocase(name, "X-Status")) {
		told = &f->extra;
		put_letters(out, n->flags, true);
	} else if (span_is_nocase(name, "X-Keywords")) {
		told = &f->keywords;
		buf_add_text(out, n->keywords);
	} else if (span_is_nocase(name, "X-UID")) {
		told = &f->uid;
		if (number(span_trim(old)) != n->uid)
			return false;
		buf_add_span(out, span_trim(old));
	} else if (n->base != NULL &&
	    span_is_nocase(name, n->internal ? "X-IMAP" : "X-IMAPbase")) {
		told = &f->base;
		buf_add_text(out, n->base);
	} else {
		return false;
	}
	if (*told) /* twice: the first one is enough */
		buf_reset(out);
	*told = true;
	return true;
}

static bool
fit_line(struct fitting *f, char *line, size_t n, struct buf *value)
{
	size_t colon = span_find((struct span){ line, n }, ':');
	struct span old;

	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (colon >= n || line[0] == ' ' || line[0] == '\t')
		return false;
	old = (struct span){ line + colon + 1, n - colon - 1 };
	buf_reset(value);
	if (!value_of(f, (struct span){ line, colon }, old, value))
		return false;
	if (value->n == 0) {
		memset(line + colon + 1, ' ', old.n);
		return true;
	}
	if (value->n + 1 > old.n)
		return false;
	line[colon + 1] = ' ';
	memcpy(line + colon + 2, value->p, value->n);
	memset(line + colon + 2 + value->n, ' ', old.n - 1 - value->n);
	return true;
}

bool
mbox_notes_fit(const struct mbox_noting *n, char *lines, size_t size)
{
	struct fitting f = { .n = n };
	struct buf value = BUF_INIT(65536);
	bool good = true;
	size_t at = 0;

	while (good && at < size) {
		const char *lf = memchr(lines + at, '\n', size - at);
		size_t line =
		    lf == NULL ? size - at : (size_t)(lf - lines) - at;

		good = lf != NULL && fit_line(&f, lines + at, line, &value);
		at += line + 1;
	}
	buf_fini(&value);
	return good && (f.uid || n->uid == 0) && (f.base || n->base == NULL) &&
	    (f.status || (n->flags & (MBOX_READ | MBOX_OLD)) == 0) &&
	    (f.extra ||
		(n->flags & ~(unsigned int)(MBOX_READ | MBOX_OLD)) == 0) &&
	    (f.keywords || n->keywords[0] == '\0');
}
