/* SPDX-License-Identifier: ISC */
#include "qmgr/entry.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"

static struct {
	struct entry *by_id;
	size_t recipients;
} table;

/* Texts are written one behind the other into one block. */
struct pack {
	char *at;
};

static const char empty[] = "";

static const char *
pack_text(struct pack *p, const char *text)
{
	size_t n = strlen(text) + 1;
	const char *out = p->at;

	if (n == 1)
		return empty;
	memcpy(p->at, text, n);
	p->at += n;
	return out;
}

static size_t
text_size(const char *text)
{
	size_t n = strlen(text);

	return n > 0 ? n + 1 : 0;
}

static bool
wanted(const struct queue_recipient *r)
{
	return r->status == QUEUE_RECIPIENT_PENDING ||
	    r->status == QUEUE_RECIPIENT_SUCCESS;
}

static size_t
recipients_size(const struct queue_envelope *e, uint32_t *count)
{
	size_t n = 0;

	*count = 0;
	for (size_t i = 0; i < e->recipient_count; i++) {
		const struct queue_recipient *r = &e->recipients[i];

		if (!wanted(r))
			continue;
		(*count)++;
		n += sizeof(struct entry_recipient) + text_size(r->address) +
		    text_size(r->orcpt);
		if (strcmp(r->address, r->original) != 0)
			n += text_size(r->original);
	}
	return n;
}

static void
pack_recipient(struct pack *p, struct entry_recipient *to,
    const struct queue_recipient *from)
{
	to->address = pack_text(p, from->address);
	to->original = strcmp(from->address, from->original) == 0 ?
	    to->address :
	    pack_text(p, from->original);
	to->orcpt = pack_text(p, from->orcpt);
	to->offset = from->offset;
	to->notify = (uint8_t)from->notify;
}

/* Those that wait come first. */
static void
pack_recipients(struct pack *p, struct entry *to,
    const struct queue_envelope *from, char status)
{
	for (size_t i = 0; i < from->recipient_count; i++)
		if (from->recipients[i].status == status)
			pack_recipient(p, &to->recipients[to->count++],
			    &from->recipients[i]);
}

/* Delivered before a restart; what the agent said then is not known. */
static void
owe_success(struct entry *e)
{
	struct reason *r =
	    reason_new(OK, "delivered", "2.0.0", "delivered", "", "");

	for (uint32_t i = e->waiting; i < e->count; i++)
		entry_set_reason(&e->recipients[i], r);
	reason_free(&r);
}

struct entry *
entry_new(const char *id, const char *queue, const struct queue_envelope *e,
    int64_t now_us)
{
	struct entry *new;
	struct pack p;
	uint32_t count;
	size_t size = recipients_size(e, &count);

	if (count == 0)
		return NULL;
	size += sizeof(*new) + text_size(id) + text_size(e->sender) +
	    text_size(e->envid);
	new = mem_new(size);
	new->recipients = (struct entry_recipient *)(new + 1);
	p.at = (char *)(new->recipients + count);
	new->id = pack_text(&p, id);
	new->queue = queue;
	new->sender = pack_text(&p, e->sender);
	new->envid = pack_text(&p, e->envid);
	new->ret = e->ret;
	new->flags = e->flags;
	new->arrival = e->arrival;
	new->active = now_us;
	new->content_offset = e->content_offset;
	new->content_size = e->content_size;
	new->lone = e->recipient_count == 1;
	new->hold = -1;
	pack_recipients(&p, new, e, QUEUE_RECIPIENT_PENDING);
	new->waiting = new->count;
	pack_recipients(&p, new, e, QUEUE_RECIPIENT_SUCCESS);
	owe_success(new);
	ensure(p.at == (char *)new + size &&new->count == count);
	return new;
}

void
entry_free(struct entry **e)
{
	struct entry *found;

	if (*e == NULL)
		return;
	ensure((*e)->busy == 0);
	if (entry_find((*e)->id) == *e) {
		found = *e;
		table.recipients -= found->count;
		HASH_DELETE(by_id, table.by_id, found);
	}
	for (uint32_t i = 0; i < (*e)->count; i++)
		reason_free(&(*e)->recipients[i].reason);
	fd_close(&(*e)->hold);
	free((*e)->groups);
	free(*e);
	*e = NULL;
}

void
entry_add(struct entry *e)
{
	ensure(entry_find(e->id) == NULL);
	HASH_ADD_KEYPTR(by_id, table.by_id, e->id, strlen(e->id), e);
	table.recipients += e->count;
}

struct entry *
entry_find(const char *id)
{
	struct entry *e;

	HASH_FIND(by_id, table.by_id, id, strlen(id), e);
	return e;
}

size_t
entry_count(void)
{
	return HASH_CNT(by_id, table.by_id);
}

size_t
entry_recipients(void)
{
	return table.recipients;
}

static bool
has_begun(const struct entry *e)
{
	for (uint32_t i = 0; i < e->group_count; i++)
		if (e->groups[i].in_flight > 0)
			return true;
	for (uint32_t i = 0; i < e->count; i++)
		if (!e->recipients[i].settled &&
		    e->recipients[i].reason != NULL)
			return true;
	return false;
}

static bool
has_for(const struct entry *e, const char *site)
{
	for (uint32_t i = 0; i < e->count; i++) {
		const struct entry_recipient *r = &e->recipients[i];
		const char *at = strrchr(r->address, '@');

		if (!r->settled && at != NULL && strcasecmp(at + 1, site) == 0)
			return true;
	}
	return false;
}

void
entry_ask(struct entry *e, const char *site)
{
	if (has_begun(e) && (site == NULL || has_for(e, site)))
		e->asked = true;
}

void
entry_each(void (*visit)(void *with, struct entry *e), void *with)
{
	struct entry *e, *next;

	HASH_ITER (by_id, table.by_id, e, next)
		visit(with, e);
}

struct reason *
reason_new(enum verdict verdict, const char *action, const char *dsn,
    const char *text, const char *mta, const char *mta_reply)
{
	size_t size = text_size(action) + text_size(dsn) + text_size(text) +
	    text_size(mta) + text_size(mta_reply);
	struct reason *r = mem_new(sizeof(*r) + size);
	struct pack p = { .at = (char *)(r + 1) };

	r->users = 1;
	r->verdict = verdict;
	r->action = pack_text(&p, action);
	r->dsn = pack_text(&p, dsn);
	r->text = pack_text(&p, text);
	r->mta = pack_text(&p, mta);
	r->mta_reply = pack_text(&p, mta_reply);
	return r;
}

void
reason_free(struct reason **r)
{
	if (*r == NULL)
		return;
	ensure((*r)->users > 0);
	if (--(*r)->users == 0)
		free(*r);
	*r = NULL;
}

void
entry_set_reason(struct entry_recipient *r, struct reason *reason)
{
	reason->users++;
	reason_free(&r->reason);
	r->reason = reason;
}
