/* SPDX-License-Identifier: ISC */
#include "imapd/search_header.h"

#include <string.h>

#include "lib/mail/collate.h"
#include "lib/mail/header.h"
#include "lib/mail/message_date.h"
#include "lib/mail/mime_decode.h"

/*
 * A record: version, day of the Date field (4 bytes, little endian), then
 * entries: length of the name, name, state, and with STATE_VALUE the length
 * of the value (2 bytes) and the value. A field that occurs several times has
 * an entry for each.
 */
enum {
	VERSION = 1,
	HEAD = 5,
	STATE_ABSENT = 0,
	STATE_VALUE = 1,
	STATE_LONG = 2, /* is there, too long to be kept */
	VALUE_MAX = 2048,
	RECORD_MAX = 16 * 1024,
	NAME_MAX_KEPT = 64,
};

#define NO_DAY INT32_MIN

static const char *const usual[] = { "FROM", "TO", "CC", "BCC", "SUBJECT",
	"MESSAGE-ID" };

struct entry {
	struct span name;
	unsigned char state;
	struct span value;
};

/* Takes one off the front; false at the end, or where it makes no sense. */
static bool
next_entry(struct span *rest, struct entry *e)
{
	size_t n;

	if (rest->n < 2)
		return false;
	n = (unsigned char)rest->p[0];
	if (n == 0 || rest->n < n + 2)
		return false;
	e->name = span_take(span_skip(*rest, 1), n);
	e->state = (unsigned char)rest->p[n + 1];
	e->value = SPAN("");
	*rest = span_skip(*rest, n + 2);
	if (e->state != STATE_VALUE)
		return e->state <= STATE_LONG;
	if (rest->n < 2)
		return false;
	n = (size_t)(unsigned char)rest->p[0] |
	    (size_t)(unsigned char)rest->p[1] << 8;
	if (rest->n < n + 2)
		return false;
	e->value = span_take(span_skip(*rest, 2), n);
	*rest = span_skip(*rest, n + 2);
	return true;
}

static bool
is_record(struct span record)
{
	return record.p != NULL && record.n >= HEAD && record.p[0] == VERSION;
}

static bool
has(struct span text, struct span part)
{
	return part.n == 0 ||
	    (text.n >= part.n && memmem(text.p, text.n, part.p, part.n));
}

enum search_answer
search_header_has(struct span record, struct span name, struct span folded)
{
	enum search_answer answer = SEARCH_UNKNOWN;
	bool too_long = false;
	struct span rest;
	struct entry e;

	if (!is_record(record))
		return SEARCH_UNKNOWN;
	rest = span_skip(record, HEAD);
	while (next_entry(&rest, &e)) {
		if (e.name.n != name.n || memcmp(e.name.p, name.p, name.n) != 0)
			continue;
		answer = SEARCH_NO;
		if (e.state == STATE_LONG && folded.n > 0)
			too_long = true;
		else if (e.state != STATE_ABSENT && has(e.value, folded))
			return SEARCH_YES;
	}
	return too_long ? SEARCH_UNKNOWN : answer;
}

bool
search_header_sent(struct span record, int64_t *day, bool *none)
{
	uint32_t bits = 0;

	if (!is_record(record))
		return false;
	for (int i = 4; i > 0; i--)
		bits = bits << 8 | (unsigned char)record.p[i];
	*none = (int32_t)bits == NO_DAY;
	*day = (int32_t)bits;
	return true;
}

/* A field's value in the form for searching. */
static void
fold_value(struct span value, struct buf *out)
{
	struct buf text = BUF_INIT(4 * SEARCH_HEADER_MAX);

	mime_decode_header(value, &text);
	collate_fold(buf_span(&text), out);
	buf_fini(&text);
}

bool
search_header_find(struct span header, struct span name, struct span folded)
{
	struct header_field f;
	bool found = false;

	while (!found && header_next(&header, true, &f) == HEADER_FIELD) {
		struct buf value = BUF_INIT(8 * SEARCH_HEADER_MAX);

		if (!span_equal_nocase(f.name, name))
			continue;
		if (folded.n > 0)
			fold_value(f.value, &value);
		found = has(buf_span(&value), folded);
		buf_fini(&value);
	}
	return found;
}

static void
add_entry(struct buf *out, struct span name, unsigned char state,
    struct span value)
{
	if (value.n > VALUE_MAX || out->n + name.n + value.n + 4 > RECORD_MAX)
		state = STATE_LONG;
	buf_add_char(out, (char)name.n);
	buf_add_span(out, name);
	buf_add_char(out, (char)state);
	if (state == STATE_VALUE) {
		buf_add_char(out, (char)value.n);
		buf_add_char(out, (char)(value.n >> 8));
		buf_add_span(out, value);
	}
}

/* What a record is to have: names, each once. */
struct wanted {
	struct span names[sizeof(usual) / sizeof(usual[0]) + SEARCH_FIELDS_MAX];
	bool found[sizeof(usual) / sizeof(usual[0]) + SEARCH_FIELDS_MAX];
	size_t count;
};

static void
want(struct wanted *w, struct span name)
{
	if (name.n == 0 || name.n > NAME_MAX_KEPT ||
	    w->count == sizeof(w->names) / sizeof(w->names[0]))
		return;
	for (size_t i = 0; i < w->count; i++)
		if (span_equal_nocase(w->names[i], name))
			return;
	w->names[w->count++] = name;
}

static void
want_all(struct wanted *w, const struct span *names, size_t count,
    struct span old)
{
	struct entry e;

	w->count = 0;
	memset(w->found, 0, sizeof(w->found));
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		want(w, span_of(usual[i]));
	for (size_t i = 0; i < count; i++)
		want(w, names[i]);
	if (!is_record(old))
		return;
	old = span_skip(old, HEAD);
	while (next_entry(&old, &e))
		want(w, e.name);
}

static void
add_field(struct wanted *w, const struct header_field *f, struct buf *out)
{
	for (size_t i = 0; i < w->count; i++) {
		struct buf value = BUF_INIT(8 * SEARCH_HEADER_MAX);

		if (!span_equal_nocase(f->name, w->names[i]))
			continue;
		w->found[i] = true;
		fold_value(f->value, &value);
		add_entry(out, w->names[i], STATE_VALUE, buf_span(&value));
		buf_fini(&value);
		return;
	}
}

void
search_header_record(struct span header, const struct span *names, size_t count,
    struct span old, struct buf *out)
{
	int32_t day = NO_DAY;
	struct message_date date;
	struct header_field f;
	struct wanted w;

	want_all(&w, names, count, old);
	buf_reset(out);
	for (int i = 0; i < HEAD; i++)
		buf_add_char(out, i == 0 ? VERSION : 0);
	while (header_next(&header, true, &f) == HEADER_FIELD) {
		if (day == NO_DAY && header_is(&f, "Date") &&
		    message_date_parse(f.value, &date))
			day = (int32_t)date.day;
		add_field(&w, &f, out);
	}
	for (size_t i = 0; i < w.count; i++)
		if (!w.found[i])
			add_entry(out, w.names[i], STATE_ABSENT, SPAN(""));
	for (int i = 0; i < 4 && out->n >= HEAD; i++)
		out->p[1 + i] = (char)((uint32_t)day >> 8 * i);
}
