/* SPDX-License-Identifier: ISC */
#include "lib/queue/drop_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/queue/queue_field.h"

static const char magic[] = "POSTHASTE-DROP 1\n";
static const char end_magic[] = "POSTHASTE-END\n";

enum {
	MAGIC = sizeof(magic) - 1,
	END_MAGIC = sizeof(end_magic) - 1,
	NOTES_MAX = DROP_EXTRACT | DROP_VERIFY | DROP_TRACE | DROP_GATEWAY,
	NOTIFY_LARGEST = 15,
	PIECE = 65536,
};

/* Nothing in an envelope has a use for control characters. */
static bool
text_valid(struct span s, size_t max)
{
	if (s.n > max)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool
put(struct buf *out, const char *name, const char *value, size_t max)
{
	struct span v = span_of(value);

	return text_valid(v, max) && queue_field_put(out, name, v);
}

static bool
put_some(struct buf *out, const char *name, const char *value, size_t max)
{
	return value == NULL || value[0] == '\0' || put(out, name, value, max);
}

static bool
put_number(struct buf *out, const char *name, unsigned int value,
    unsigned int max)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	return value <= max &&
	    (value == 0 || put(out, name, text, sizeof(text)));
}

static bool
count_valid(size_t count, unsigned int notes)
{
	return count <= DROP_RECIPIENTS_MAX &&
	    (count > 0 || (notes & DROP_EXTRACT));
}

bool
drop_put_envelope(struct buf *out, const struct drop_envelope *e)
{
	const struct drop_recipient *r = e->recipients;
	bool fine = count_valid(e->recipient_count, e->notes) &&
	    buf_add(out, magic, MAGIC) &&
	    put(out, "sender", e->sender, DROP_ADDRESS_MAX) &&
	    put_some(out, "full_name", e->full_name, DROP_NAME_MAX) &&
	    put_some(out, "envid", e->envid, DROP_ENVID_MAX) &&
	    put_number(out, "ret", e->ret, 2) &&
	    put_number(out, "body", e->body, 2) &&
	    put_number(out, "notes", e->notes, NOTES_MAX) &&
	    put_number(out, "extract_notify", e->extract_notify,
		NOTIFY_LARGEST);

	for (size_t i = 0; i < e->recipient_count && fine; i++, r++)
		fine = r->address[0] != '\0' &&
		    put(out, "recipient", r->address, DROP_ADDRESS_MAX) &&
		    put_some(out, "orcpt", r->orcpt, DROP_ORCPT_MAX) &&
		    put_number(out, "notify", r->notify, NOTIFY_LARGEST);
	return fine && put(out, "content", "", 0);
}

bool
drop_put_chunk(struct buf *out, const void *data, size_t n)
{
	unsigned char head[4];

	queue_put_number(head, n, sizeof(head));
	return n <= DROP_CHUNK_MAX && buf_add(out, head, sizeof(head)) &&
	    (n > 0 ? buf_add(out, data, n) :
		     buf_add(out, end_magic, END_MAGIC));
}

struct drop_reader {
	int fd;
	bool (*wait)(int fd);
	size_t used; /* bytes of the buffer that were taken */
	struct buf in;
};

struct drop_reader *
drop_reader_new(int fd)
{
	struct drop_reader *r = mem_new(sizeof(*r));

	r->fd = fd;
	buf_init(&r->in, DROP_ENVELOPE_MAX + 2 * PIECE);
	return r;
}

void
drop_reader_wait(struct drop_reader *r, bool (*wait)(int fd))
{
	r->wait = wait;
}

void
drop_reader_free(struct drop_reader **r)
{
	if (*r == NULL)
		return;
	buf_fini(&(*r)->in);
	free(*r);
	*r = NULL;
}

static struct span
here(const struct drop_reader *r)
{
	return span_skip(buf_span(&r->in), r->used);
}

/* Some more input behind what is here. */
static enum drop_read
fill(struct drop_reader *r)
{
	ssize_t n;
	char *room;

	if (r->used > 0) {
		buf_drop(&r->in, r->used);
		r->used = 0;
	}
	room = buf_reserve(&r->in, PIECE);
	if (room == NULL)
		return DROP_BROKEN;
	do {
		if (r->wait != NULL && !r->wait(r->fd)) {
			errno = EINTR;
			return DROP_ERROR;
		}
		n = read(r->fd, room, PIECE);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return DROP_ERROR;
	if (n == 0)
		return DROP_SHORT;
	buf_added(&r->in, (size_t)n);
	return DROP_OK;
}

/* At least n bytes here. */
static enum drop_read
need(struct drop_reader *r, size_t n)
{
	enum drop_read result = DROP_OK;

	while (result == DROP_OK && here(r).n < n)
		result = fill(r);
	return result;
}

/*
 * The next field, whole. What "f" points to moves with the next call; a
 * caller keeps copies.
 */
static enum drop_read
next_field(struct drop_reader *r, struct queue_field *f)
{
	struct span rest;
	enum drop_read result;
	size_t n;

	result = need(r, 1);
	if (result != DROP_OK)
		return result;
	n = 1 + (unsigned char)here(r).p[0] + 2;
	result = need(r, n);
	if (result != DROP_OK)
		return result;
	n += queue_get_number(here(r).p + n - 2, 2);
	result = need(r, n);
	if (result != DROP_OK)
		return result;
	rest = span_take(here(r), n);
	if (!queue_field_next(&rest, f) || rest.n > 0)
		return DROP_BROKEN;
	r->used += n;
	return DROP_OK;
}

/* Which fields come before the recipients, in their order. */
enum place {
#define DROP_FIELD(place, name, max, number) place,
#include "lib/queue/drop_fields.def"
#undef DROP_FIELD
	PLACES
};

static const struct {
	const char *name;
	size_t max; /* bytes, or the largest number */
	bool number;
} places[] = {
#define DROP_FIELD(place, name, max, number) [place] = { name, max, number },
#include "lib/queue/drop_fields.def"
#undef DROP_FIELD
};

struct parse {
	struct arena *arena;
	struct drop_envelope e;
	size_t room;
	enum place next; /* the first that may come */
	bool ended;
};

static bool
number(struct span value, uint64_t max, unsigned int *out)
{
	uint64_t n;

	if (!span_u64(value, max, &n) || value.n > 3)
		return false;
	*out = (unsigned int)n;
	return true;
}

static bool
take_place(struct parse *p, enum place at, struct span value)
{
	const char **texts[PLACES] = { [SENDER] = &p->e.sender,
		[FULL_NAME] = &p->e.full_name,
		[ENVID] = &p->e.envid };
	unsigned int *numbers[PLACES] = { [RET] = &p->e.ret,
		[BODY] = &p->e.body,
		[NOTES] = &p->e.notes,
		[EXTRACT_NOTIFY] = &p->e.extract_notify };

	if (at < p->next || p->e.recipient_count > 0 ||
	    (at != SENDER && p->next == SENDER))
		return false;
	p->next = at + 1;
	if (places[at].number)
		return number(value, places[at].max, numbers[at]);
	if (!text_valid(value, places[at].max))
		return false;
	*texts[at] = arena_span(p->arena, value);
	return true;
}

static bool
take_recipient(struct parse *p, struct span value)
{
	struct drop_envelope *e = &p->e;

	if (p->next == SENDER || value.n == 0 ||
	    e->recipient_count == DROP_RECIPIENTS_MAX ||
	    !text_valid(value, DROP_ADDRESS_MAX))
		return false;
	if (e->recipient_count == p->room) {
		p->room = p->room ? 2 * p->room : 16;
		e->recipients =
		    mem_resize(e->recipients, p->room * sizeof(*e->recipients));
	}
	e->recipients[e->recipient_count++] =
	    (struct drop_recipient){ .address = arena_span(p->arena, value),
		    .orcpt = "" };
	return true;
}

static bool
take_field(struct parse *p, const struct queue_field *f)
{
	struct drop_recipient *last = p->e.recipient_count == 0 ?
	    NULL :
	    &p->e.recipients[p->e.recipient_count - 1];

	for (enum place at = SENDER; at < PLACES; at++)
		if (span_is(f->name, places[at].name))
			return take_place(p, at, f->value);
	if (span_is(f->name, "recipient"))
		return take_recipient(p, f->value);
	if (span_is(f->name, "orcpt") && last != NULL &&
	    last->orcpt[0] == '\0' && last->notify == 0 &&
	    text_valid(f->value, DROP_ORCPT_MAX)) {
		last->orcpt = arena_span(p->arena, f->value);
		return true;
	}
	if (span_is(f->name, "notify") && last != NULL && last->notify == 0)
		return number(f->value, NOTIFY_LARGEST, &last->notify);
	p->ended = span_is(f->name, "content") && f->value.n == 0;
	return p->ended && p->next > SENDER &&
	    count_valid(p->e.recipient_count, p->e.notes);
}

enum drop_read
drop_read_envelope(struct drop_reader *r, struct arena *a,
    struct drop_envelope *e)
{
	struct parse p = { .arena = a,
		.e = { .sender = "", .full_name = "", .envid = "" } };
	enum drop_read result = need(r, MAGIC);
	struct queue_field f;
	size_t bytes = 0;

	if (result == DROP_OK && memcmp(here(r).p, magic, MAGIC) != 0)
		result = DROP_BROKEN;
	r->used += result == DROP_OK ? MAGIC : 0;
	while (result == DROP_OK && !p.ended) {
		result = next_field(r, &f);
		if (result == DROP_OK &&
		    (!take_field(&p, &f) ||
			(bytes += f.value.n) > DROP_ENVELOPE_MAX))
			result = DROP_BROKEN;
	}
	if (result == DROP_OK) {
		*e = p.e;
		e->recipients =
		    arena_alloc(a, e->recipient_count * sizeof(*e->recipients));
		if (e->recipient_count > 0)
			memcpy(e->recipients, p.e.recipients,
			    e->recipient_count * sizeof(*e->recipients));
	}
	free(p.e.recipients);
	return result;
}

/* The end of the file, and nothing behind it. */
static enum drop_read
take_end(struct drop_reader *r)
{
	enum drop_read result = need(r, END_MAGIC);

	if (result != DROP_OK)
		return result;
	if (memcmp(here(r).p, end_magic, END_MAGIC) != 0)
		return DROP_BROKEN;
	r->used += END_MAGIC;
	result = need(r, 1);
	return result == DROP_SHORT ? DROP_ENDED :
	    result == DROP_OK       ? DROP_BROKEN :
				      result;
}

enum drop_read
drop_read_chunk(struct drop_reader *r, struct span *chunk)
{
	enum drop_read result = need(r, 4);
	size_t n;

	if (result != DROP_OK)
		return result;
	n = queue_get_number(here(r).p, 4);
	if (n > DROP_CHUNK_MAX)
		return DROP_BROKEN;
	result = need(r, 4 + n);
	if (result != DROP_OK)
		return result;
	*chunk = span_take(span_skip(here(r), 4), n);
	r->used += 4 + n;
	return n > 0 ? DROP_OK : take_end(r);
}
