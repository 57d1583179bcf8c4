/* SPDX-License-Identifier: ISC */
#include "imapd/search_key_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/imap/imap_set.h"
#include "lib/mail/charset.h"
#include "lib/mail/collate.h"
#include "lib/store/mailbox.h"

enum { DAY = 24 * 60 * 60 };

struct search_word;
typedef bool word_function(struct search_parser *p, const struct search_word *w,
    bool negated);

/* How a key is written, and what becomes of it. */
struct search_word {
	const char *name;
	enum search_kind kind;
	uint32_t flags; /* or field name below */
	bool negated;
	word_function *arguments;
	const char *field;
};

static bool
string_argument(struct search_parser *p, struct span *folded)
{
	const struct imap_arg *a = search_next_argument(p);
	struct buf utf8 = BUF_INIT(4 * SEARCH_TEXT_MAX);
	struct buf mapped = BUF_INIT(32 * SEARCH_TEXT_MAX);
	struct span text;
	bool ok;

	if (a == NULL)
		return false;
	if (!imap_arg_astring(a, &text))
		return search_bad(p, "Search key wants a string");
	if (text.n > SEARCH_TEXT_MAX)
		return search_fail(p, SEARCH_LIMIT, "Search string too long");
	charset_to_utf8(p->charset, text, &utf8);
	for (size_t i = 0; i < utf8.n; i++)
		if (utf8.p[i] == '\n') /* lines are searched as one */
			utf8.p[i] = ' ';
	collate_fold(buf_span(&utf8), &mapped);
	ok = !utf8.overflow && !mapped.overflow;
	if (ok)
		*folded = (struct span){ arena_span(p->program->arena,
					     buf_span(&mapped)),
			mapped.n };
	else
		search_fail(p, SEARCH_LIMIT, "Search string too long");
	buf_fini(&utf8);
	buf_fini(&mapped);
	return ok;
}

static struct span
upper(struct search_parser *p, struct span s)
{
	char *copy = arena_span(p->program->arena, s);

	for (size_t i = 0; i < s.n; i++)
		if (copy[i] >= 'a' && copy[i] <= 'z')
			copy[i] = (char)(copy[i] - 'a' + 'A');
	return (struct span){ copy, s.n };
}

static bool
flag_word(struct search_parser *p, const struct search_word *w, bool negated)
{
	struct search_key *k =
	    search_add_leaf(p, w->kind, negated != w->negated);

	if (k == NULL)
		return false;
	k->flags = w->flags;
	return true;
}

/* NEW: RECENT UNSEEN. */
static bool
new_word(struct search_parser *p, const struct search_word *w, bool negated)
{
	struct search_key *seen;

	(void)w;
	if (!search_push(p, SEARCH_AND, negated, NULL, 2))
		return false;
	seen = search_add_leaf(p, SEARCH_FLAGS, !negated);
	if (seen == NULL || search_add_leaf(p, SEARCH_RECENT, negated) == NULL)
		return false;
	seen->flags = MAIL_SEEN;
	return true;
}

static bool
keyword_word(struct search_parser *p, const struct search_word *w, bool negated)
{
	const struct imap_arg *a = search_next_argument(p);
	struct search_key *k;
	struct span name;

	if (a == NULL)
		return false;
	if (!imap_arg_atom(a, &name) || name.p[0] == '\\')
		return search_bad(p, "KEYWORD wants a keyword");
	k = search_add_leaf(p, w->kind, negated != w->negated);
	if (k == NULL)
		return false;
	k->name = (struct span){ arena_span(p->program->arena, name), name.n };
	return true;
}

static bool
field_word(struct search_parser *p, const struct search_word *w, bool negated)
{
	struct span name = span_of(w->field), text;
	struct search_key *k;

	if (w->field == NULL) {
		const struct imap_arg *a = search_next_argument(p);

		if (a == NULL)
			return false;
		if (!imap_arg_astring(a, &name))
			return search_bad(p, "HEADER wants a field name");
		name = upper(p, name);
	}
	if (!string_argument(p, &text))
		return false;
	k = search_add_leaf(p, w->kind, negated);
	if (k == NULL)
		return false;
	k->name = name;
	k->text = text;
	p->program->headers = true;
	return true;
}

static bool
text_word(struct search_parser *p, const struct search_word *w, bool negated)
{
	struct search_key *k;
	struct span text;

	if (!string_argument(p, &text))
		return false;
	k = search_add_leaf(p, w->kind, negated);
	if (k == NULL)
		return false;
	k->text = text;
	p->program->bodies = true;
	return true;
}

static bool
number_word(struct search_parser *p, const struct search_word *w, bool negated)
{
	const struct imap_arg *a = search_next_argument(p);
	struct search_key *k;
	uint64_t number;

	if (a == NULL)
		return false;
	if (!imap_arg_number(a, INT64_MAX, &number))
		return search_bad(p, "Search key wants a number");
	k = search_add_leaf(p, w->kind, negated);
	if (k == NULL)
		return false;
	k->number = number;
	return true;
}

/* OLDER, YOUNGER: so many seconds before now (RFC 5032). */
static bool
within_word(struct search_parser *p, const struct search_word *w, bool negated)
{
	const struct imap_arg *a = search_next_argument(p);
	struct search_key *k;
	uint64_t seconds;

	if (a == NULL)
		return false;
	if (!imap_arg_number(a, UINT32_MAX, &seconds) || seconds == 0)
		return search_bad(p, "Search key wants a number of seconds");
	k = search_add_leaf(p, w->kind, negated);
	if (k == NULL)
		return false;
	/* OLDER: not after that second; YOUNGER: not before it */
	k->number = (uint64_t)(p->now - (int64_t)seconds);
	if (w->kind == SEARCH_BEFORE)
		k->number++;
	p->program->moves = true;
	return true;
}

/* The second in which a day begins here: the dates that FETCH shows. */
static int64_t
local_midnight(int64_t day)
{
	time_t noon = (time_t)(day * DAY + DAY / 2);
	struct tm tm;

	if (gmtime_r(&noon, &tm) == NULL)
		return day * DAY;
	tm.tm_hour = 0;
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm);
}

static bool
is_sent(enum search_kind kind)
{
	return kind == SEARCH_SENT_SINCE || kind == SEARCH_SENT_BEFORE;
}

static struct search_key *
add_day(struct search_parser *p, enum search_kind kind, bool negated,
    int64_t day)
{
	struct search_key *k = search_add_leaf(p, kind, negated);

	if (k != NULL)
		k->number =
		    (uint64_t)(is_sent(kind) ? day : local_midnight(day));
	p->program->headers = p->program->headers || is_sent(kind);
	return k;
}

static bool
date_argument(struct search_parser *p, int64_t *day)
{
	const struct imap_arg *a = search_next_argument(p);

	if (a == NULL)
		return false;
	return imap_arg_date(a, day) ||
	    search_bad(p, "Search key wants a date");
}

static bool
date_word(struct search_parser *p, const struct search_word *w, bool negated)
{
	int64_t day;

	return date_argument(p, &day) &&
	    add_day(p, w->kind, negated, day) != NULL;
}

/* ON: since that day, and before the next. */
static bool
on_word(struct search_parser *p, const struct search_word *w, bool negated)
{
	int64_t day;

	/* each SINCE kind has its BEFORE kind behind it */
	return date_argument(p, &day) &&
	    search_push(p, SEARCH_AND, negated, NULL, 2) &&
	    add_day(p, w->kind, negated, day) != NULL &&
	    add_day(p, w->kind + 1, negated, day + 1) != NULL;
}

static bool
add_set(struct search_parser *p, enum search_kind kind, bool negated,
    struct span text)
{
	struct uid_set any = { 0 };
	struct search_key *k;
	bool ok = imap_set_parse(text, 1, &any);

	uid_set_fini(&any);
	if (!ok)
		return search_bad(p, "Invalid message set");
	k = search_add_leaf(p, kind, negated);
	if (k == NULL)
		return false;
	k->name = (struct span){ arena_span(p->program->arena, text), text.n };
	return true;
}

static bool
uid_word(struct search_parser *p, const struct search_word *w, bool negated)
{
	const struct imap_arg *a = search_next_argument(p);
	struct span text;

	if (a == NULL)
		return false;
	if (!imap_arg_atom(a, &text))
		return search_bad(p, "UID wants a set");
	if (span_is(text, "$")) /* RFC 5182 section 2.1 */
		return search_add_leaf(p, SEARCH_SAVED, negated) != NULL;
	return add_set(p, w->kind, negated, text);
}

static bool
id_word(struct search_parser *p, const struct search_word *w, bool negated)
{
	const struct imap_arg *a = search_next_argument(p);
	struct search_key *k;
	struct span id;

	if (a == NULL)
		return false;
	if (!imap_arg_astring(a, &id) || id.n == 0)
		return search_bad(p, "Search key wants an id");
	k = search_add_leaf(p, w->kind, negated);
	if (k == NULL)
		return false;
	k->name = (struct span){ arena_span(p->program->arena, id), id.n };
	return true;
}

static bool
is_entry_type(const struct imap_arg *a)
{
	return imap_arg_is(a, "all") || imap_arg_is(a, "priv") ||
	    imap_arg_is(a, "shared");
}

/*
 * RFC 7162 section 3.1.5. All that a message has shares one number here, so
 * the names of flags are read, checked, and do not count.
 */
static bool
modseq_word(struct search_parser *p, const struct search_word *w, bool negated)
{
	const struct imap_arg *a = search_next_argument(p);
	struct search_key *k;
	struct span entry;
	uint64_t number;

	if (a == NULL)
		return false;
	if (!imap_arg_number(a, INT64_MAX, &number)) {
		if (!imap_arg_string(a, &entry) ||
		    !span_starts_nocase(entry, "/flags/"))
			return search_bad(p,
			    "MODSEQ wants a modification sequence");
		a = search_next_argument(p);
		if (a == NULL || !is_entry_type(a))
			return search_bad(p,
			    "MODSEQ wants priv, shared or all");
		a = search_next_argument(p);
		if (a == NULL || !imap_arg_number(a, INT64_MAX, &number))
			return search_bad(p,
			    "MODSEQ wants a modification sequence");
	}
	k = search_add_leaf(p, w->kind, negated);
	if (k == NULL)
		return false;
	k->number = number;
	p->program->modseq = true;
	return true;
}

static bool
or_word(struct search_parser *p, const struct search_word *w, bool negated)
{
	(void)w;
	return search_push(p, SEARCH_OR, negated, NULL, 2);
}

static const struct search_word words[] = {
#define SEARCH_WORD(name, kind, flags, negated, parse, field) \
	{ name, kind, flags, negated, parse, field },
#include "imapd/search_words.def"
#undef SEARCH_WORD
};

static int
compare_word(const void *key, const void *row)
{
	const struct span *s = key;
	const char *name = ((const struct search_word *)row)->name;
	int r = strncasecmp(s->p, name, s->n);

	return r != 0 ? r : -(name[s->n] != '\0');
}

bool
search_word_read(struct search_parser *p, struct span atom, bool negated)
{
	const struct search_word *w;

	if (span_is(atom, "$"))
		return search_add_leaf(p, SEARCH_SAVED, negated) != NULL;
	if (atom.p[0] == '*' || isdigit((unsigned char)atom.p[0]))
		return add_set(p, SEARCH_NUMBERS, negated, atom);
	w = bsearch(&atom, words, sizeof(words) / sizeof(words[0]),
	    sizeof(words[0]), compare_word);
	return w != NULL ? w->arguments(p, w, negated) :
			   search_bad(p, "Unknown search key");
}
