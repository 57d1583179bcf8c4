/* SPDX-License-Identifier: ISC */
#include "imapd/sort_key.h"

#include <string.h>

#include "lib/mail/address_list.h"
#include "lib/mail/base_subject.h"
#include "lib/mail/collate.h"
#include "lib/mail/header.h"
#include "lib/mail/message_date.h"
#include "lib/mail/mime_decode.h"

/*
 * A record: version, bits, seconds (8 bytes, little endian), own id (16),
 * texts (length in 2 bytes, text), references (count in 2 bytes, 16 each).
 */
enum {
	VERSION = 1,
	BIT_SENT = 1,
	BIT_REPLY = 2,
	ID_SIZE = 16,
	HEAD = 2 + 8 + ID_SIZE,
	FIELD_MAX = 512 * 1024,
};

static void
add_number(struct buf *out, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		buf_add_char(out, (char)(value >> 8 * i));
}

static uint64_t
number_at(const char *p, int bytes)
{
	uint64_t value = 0;

	for (int i = bytes; i-- > 0;)
		value = value << 8 | (unsigned char)p[i];
	return value;
}

static void
add_id(struct buf *out, struct message_id id)
{
	add_number(out, id.half[0], 8);
	add_number(out, id.half[1], 8);
}

/* The first of each field. */
struct fields {
	struct span date, subject, from, to, cc, id, reply_to_id, references;
};

static void
find_fields(struct span header, struct fields *out)
{
	struct {
		const char *name;
		struct span *value;
	} names[] = { { "Date", &out->date }, { "Subject", &out->subject },
		{ "From", &out->from }, { "To", &out->to }, { "Cc", &out->cc },
		{ "Message-ID", &out->id },
		{ "In-Reply-To", &out->reply_to_id },
		{ "References", &out->references } };
	struct header_field f;

	memset(out, 0, sizeof(*out));
	while (header_next(&header, true, &f) == HEADER_FIELD)
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (names[i].value->p == NULL &&
			    header_is(&f, names[i].name))
				*names[i].value = f.value;
}

static void
add_text(struct buf *out, struct span utf8)
{
	struct buf folded = BUF_INIT(8 * FIELD_MAX);
	size_t n;

	collate_fold(utf8, &folded);
	n = folded.n < SORT_TEXT_MAX ? folded.n : SORT_TEXT_MAX;
	add_number(out, n, 2);
	buf_add(out, folded.p, n);
	buf_fini(&folded);
}

static bool
add_subject(struct buf *out, struct span value)
{
	struct buf text = BUF_INIT(4 * FIELD_MAX),
		   base = BUF_INIT(4 * FIELD_MAX);
	bool reply;

	mime_decode_header(value, &text);
	reply = base_subject(buf_span(&text), &base);
	add_text(out, buf_span(&base));
	buf_fini(&text);
	buf_fini(&base);
	return reply;
}

struct first {
	struct buf mailbox, display;
};

static void
add_decoded(struct buf *out, struct span text)
{
	struct buf plain = BUF_INIT(FIELD_MAX);

	for (size_t i = 0; i < text.n; i++) { /* what quotes meant */
		if (text.p[i] == '"')
			continue;
		if (text.p[i] == '\\' && i + 1 < text.n)
			i++;
		buf_add_char(&plain, text.p[i]);
	}
	mime_decode_header(buf_span(&plain), out);
	buf_fini(&plain);
}

/* A group is an address in the envelope, with its name as mailbox. */
static bool
take_first(void *with, const struct listed_address *a)
{
	struct first *f = with;

	if (a->group.n > 0) {
		add_decoded(&f->mailbox, a->group);
		add_decoded(&f->display, a->group);
		return false;
	}
	buf_add_span(&f->mailbox,
	    span_take(a->address, span_rfind(a->address, '@')));
	if (a->name.n > 0)
		add_decoded(&f->display, a->name);
	if (f->display.n == 0)
		buf_add_span(&f->display, a->address);
	return false;
}

static void
find_first(struct span value, struct first *f)
{
	buf_init(&f->mailbox, 4 * FIELD_MAX);
	buf_init(&f->display, 4 * FIELD_MAX);
	address_list_each(value, take_first, f);
}

static void
first_fini(struct first *f)
{
	buf_fini(&f->mailbox);
	buf_fini(&f->display);
}

/* RFC 5256 section 3: References, else the first id of In-Reply-To. */
static void
add_references(struct buf *out, const struct fields *f)
{
	struct span rest = f->references;
	size_t count = 0, at;
	struct message_id id;

	while (message_id_next(&rest, &id))
		count++;
	at = count > SORT_REFERENCES_MAX ? count - SORT_REFERENCES_MAX : 0;
	rest = f->references;
	if (count == 0) {
		rest = f->reply_to_id;
		count = message_id_next(&rest, &id) ? 1 : 0;
		rest = f->reply_to_id;
	}
	add_number(out, count - at, 2);
	for (size_t i = 0; i < count && message_id_next(&rest, &id); i++)
		if (i >= at)
			add_id(out, id);
}

void
sort_key_make(struct span header, struct buf *record)
{
	struct message_id id = { { 0, 0 } };
	struct message_date date = { 0, 0 };
	struct first from, to, cc;
	struct fields f;
	char bits = 0;

	find_fields(header, &f);
	if (f.date.p != NULL && message_date_parse(f.date, &date))
		bits |= BIT_SENT;
	if (f.id.p != NULL)
		message_id_next(&f.id, &id);
	buf_reset(record);
	buf_add_char(record, VERSION);
	buf_add_char(record, 0);
	add_number(record, (uint64_t)date.seconds, 8);
	add_id(record, id);
	if (add_subject(record, f.subject))
		bits |= BIT_REPLY;
	find_first(f.from, &from);
	find_first(f.to, &to);
	find_first(f.cc, &cc);
	add_text(record, buf_span(&from.mailbox));
	add_text(record, buf_span(&to.mailbox));
	add_text(record, buf_span(&cc.mailbox));
	add_text(record, buf_span(&from.display));
	add_text(record, buf_span(&to.display));
	first_fini(&from);
	first_fini(&to);
	first_fini(&cc);
	add_references(record, &f);
	record->p[1] = bits;
}

bool
sort_key_read(struct span record, struct sort_key *out)
{
	size_t n;

	if (record.p == NULL || record.n < HEAD || record.p[0] != VERSION)
		return false;
	out->has_sent = (record.p[1] & BIT_SENT) != 0;
	out->reply = (record.p[1] & BIT_REPLY) != 0;
	out->sent = (int64_t)number_at(record.p + 2, 8);
	out->id.half[0] = number_at(record.p + 10, 8);
	out->id.half[1] = number_at(record.p + 18, 8);
	record = span_skip(record, HEAD);
	for (int i = 0; i < SORT_TEXTS; i++) {
		if (record.n < 2)
			return false;
		n = (size_t)number_at(record.p, 2);
		record = span_skip(record, 2);
		if (n > record.n)
			return false;
		out->text[i] = span_take(record, n);
		record = span_skip(record, n);
	}
	if (record.n < 2)
		return false;
	out->references = (size_t)number_at(record.p, 2);
	out->packed = record.p + 2;
	return record.n == 2 + out->references * ID_SIZE;
}

struct message_id
sort_key_reference(const struct sort_key *k, size_t i)
{
	const char *p = k->packed + i * ID_SIZE;
	struct message_id id;

	id.half[0] = number_at(p, 8);
	id.half[1] = number_at(p + 8, 8);
	return id;
}
