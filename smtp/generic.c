/* SPDX-License-Identifier: ISC */
#include "smtp/generic.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/hash_table.h"
#include "lib/log/log.h"
#include "lib/mail/address_list.h"
#include "lib/mail/mail_address.h"
#include "smtp/ask_lookup.h"
#include "smtp/content.h"
#include "smtp/settings.h"

enum {
	BATCH = 500,
	ADDRESSES_MAX = 20000, /* of one message */
};

struct mapping {
	const char *from;
	const char *to; /* NULL: itself */
	UT_hash_handle hh;
};

struct generic {
	struct arena *arena;
	const struct msg_deliver *request;
	struct mapping *all;
	struct mapping *batch[BATCH]; /* not asked for yet */
	size_t batched;
	enum verdict verdict;
	struct why why;
};

/* Fields whose addresses people see or answer to. */
static const char *const fields[] = {
	"From",
	"Sender",
	"Reply-To",
	"To",
	"Cc",
	"Bcc",
	"Errors-To",
	"Return-Receipt-To",
	"Disposition-Notification-To",
	"Mail-Followup-To",
	"Apparently-To",
	"Resent-From",
	"Resent-Sender",
	"Resent-Reply-To",
	"Resent-To",
	"Resent-Cc",
	"Resent-Bcc",
};

static bool
has_addresses(const struct header_field *f)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (header_is(f, fields[i]))
			return true;
	return false;
}

static struct mapping *
find(const struct generic *g, struct span address)
{
	struct mapping *m = NULL;

	HASH_FIND(hh, g->all, address.p, address.n, m);
	return m;
}

static void
take_answer(struct generic *g, const struct msg_rewrite_reply *reply)
{
	const struct msg_address_item *to = reply->addresses.items;

	if (reply->verdict != OK || reply->addresses.count != g->batched)
		return;
	for (size_t i = 0; i < g->batched; i++)
		if (strcmp(to[i].address, g->batch[i]->from) != 0)
			g->batch[i]->to = arena_text(g->arena, to[i].address);
	g->verdict = OK;
}

static void
ask(struct generic *g)
{
	struct msg_address_item items[BATCH];
	struct msg_generic question = {
		.tables = settings()->smtp.smtp_generic_maps,
		.addresses = { items, g->batched },
	};
	const void *message;
	struct ipc *c;

	if (g->batched == 0 || g->verdict != OK)
		return;
	for (size_t i = 0; i < g->batched; i++)
		items[i].address = g->batch[i]->from;
	g->verdict =
	    why_set(&g->why, "4.3.0", "smtp_generic_maps lookup error");
	message =
	    ask_lookup(&c, &message_generic, &question, &message_rewrite_reply);
	if (message != NULL) {
		take_answer(g, message);
		ask_lookup_done(&c);
	}
	g->batched = 0;
}

static void
add(struct generic *g, struct span address)
{
	struct mapping *m;

	if (address.n == 0 || address.n > MAIL_ADDRESS_MAX ||
	    span_find(address, '@') == address.n || find(g, address) != NULL ||
	    HASH_COUNT(g->all) >= ADDRESSES_MAX)
		return;
	m = arena_alloc(g->arena, sizeof(*m));
	m->from = arena_span(g->arena, address);
	HASH_ADD_KEYPTR(hh, g->all, m->from, address.n, m);
	g->batch[g->batched++] = m;
	if (g->batched == BATCH)
		ask(g);
}

static bool
collect_address(void *with, const struct listed_address *a)
{
	add(with, a->address);
	return true;
}

static void
collect_field(void *with, const struct header_field *f)
{
	if (has_addresses(f))
		(void)address_list_each(f->value, collect_address, with);
}

static void
ignore(void *with, struct span bytes)
{
	(void)with;
	(void)bytes;
}

static bool
collect_part(void *with, struct span part)
{
	struct header_stream *h = with;

	header_stream_put(h, part);
	return !h->done;
}

/* The addresses in the header. What cannot be read is seen when it is sent. */
static void
collect_header(struct generic *g)
{
	struct header_stream h;

	header_stream_init(&h, collect_field, ignore, g);
	(void)content_each_part(g->request, collect_part, &h);
	header_stream_end(&h);
	header_stream_fini(&h);
}

enum verdict
generic_new(const struct msg_deliver *m, struct generic **out, struct why *why)
{
	const struct msg_deliver_recipient *to = m->recipients.items;
	struct generic *g;

	*out = NULL;
	if (settings()->smtp.smtp_generic_maps[0] == '\0')
		return OK;
	g = mem_new(sizeof(*g));
	g->arena = arena_new();
	g->request = m;
	add(g, span_of(m->sender));
	for (size_t i = 0; i < m->recipients.count; i++)
		add(g, span_of(to[i].address));
	collect_header(g);
	ask(g);
	if (HASH_COUNT(g->all) >= ADDRESSES_MAX)
		log_warning("%s: more than %d addresses: smtp_generic_maps is "
			    "not applied to all",
		    m->queue_id, ADDRESSES_MAX);
	*out = g;
	*why = g->why;
	return g->verdict;
}

void
generic_free(struct generic **gp)
{
	struct generic *g = *gp;

	*gp = NULL;
	if (g == NULL)
		return;
	HASH_CLEAR(hh, g->all);
	arena_free(&g->arena);
	free(g);
}

const char *
generic_address(const struct generic *g, const char *address)
{
	struct mapping *m = g == NULL ? NULL : find(g, span_of(address));

	return m != NULL && m->to != NULL ? m->to : address;
}

/* One field on its way: what stands between the addresses stays. */
struct field_rewrite {
	const struct generic *generic;
	struct buf out;
	const char *done; /* up to here the field is in "out" */
};

static bool
replace(void *with, const struct listed_address *a)
{
	struct field_rewrite *r = with;
	struct mapping *m = find(r->generic, a->address);

	if (m == NULL || m->to == NULL)
		return true;
	buf_add(&r->out, r->done, (size_t)(a->spec.p - r->done));
	(void)mail_address_quote(span_of(m->to), &r->out);
	r->done = a->spec.p + a->spec.n;
	return true;
}

static void
pass_field(void *with, const struct header_field *f)
{
	struct generic_pass *p = with;
	struct field_rewrite r = { .generic = p->generic,
		.out = BUF_INIT(8 * HEADER_STREAM_MAX),
		.done = f->whole.p };
	const char *end = f->whole.p + f->whole.n;

	if (has_addresses(f))
		(void)address_list_each(f->value, replace, &r);
	buf_add(&r.out, r.done, (size_t)(end - r.done));
	p->sink(p->with, r.out.overflow ? f->whole : buf_span(&r.out));
	buf_fini(&r.out);
}

static void
pass_other(void *with, struct span bytes)
{
	struct generic_pass *p = with;

	p->sink(p->with, bytes);
}

void
generic_pass_init(struct generic_pass *p, const struct generic *g,
    void (*sink)(void *with, struct span bytes), void *with)
{
	p->generic = g;
	p->sink = sink;
	p->with = with;
	header_stream_init(&p->stream, pass_field, pass_other, p);
}

void
generic_pass_put(struct generic_pass *p, struct span in)
{
	header_stream_put(&p->stream, in);
}

void
generic_pass_end(struct generic_pass *p)
{
	header_stream_end(&p->stream);
	header_stream_fini(&p->stream);
}
