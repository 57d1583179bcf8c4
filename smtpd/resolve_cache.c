/* SPDX-License-Identifier: ISC */
#include "smtpd/resolve_cache.h"

#include <stdlib.h>
#include <string.h>

#include "lib/conf/receive_override.h"
#include "lib/mail/esmtp.h"
#include "smtpd/ask.h"
#include "smtpd/session.h"

enum { BATCH_MAX = 200 };

struct resolve_cache {
	struct arena *arena; /* of this batch */
	struct msg_address_item asked[BATCH_MAX];
	const struct msg_resolved_item *answers; /* NULL: none */
	size_t count;
	size_t next; /* where the next RCPT is expected */
};

static struct mem_pool caches = MEM_POOL(struct resolve_cache);

void
resolve_cache_free(struct resolve_cache **c)
{
	if (*c == NULL)
		return;
	arena_free(&(*c)->arena);
	mem_pool_put(&caches, *c);
	*c = NULL;
}

static bool
has(const struct resolve_cache *c, size_t i, const char *address)
{
	return strcmp(c->asked[i].address, address) == 0;
}

static const struct msg_resolved_item *
find(struct resolve_cache *c, const char *address)
{
	if (c->answers == NULL)
		return NULL;
	if (c->next < c->count && has(c, c->next, address))
		return &c->answers[c->next++];
	for (size_t i = 0; i < c->count; i++)
		if (has(c, i, address)) {
			c->next = i + 1;
			return &c->answers[i];
		}
	return NULL;
}

/* The RCPT commands that lie in our buffer behind the one at hand. */
static void
look_ahead(struct session *s, struct resolve_cache *c)
{
	struct esmtp_rules rules = {
		.strict = s->p->strict_rfc821_envelopes,
		.utf8 = s->mail != NULL && s->mail->smtputf8,
	};
	struct buf address = BUF_INIT(MAIL_ADDRESS_MAX);
	struct span bytes;
	size_t lf;

	if (stream_buffered(s->io) == 0 || stream_peek(s->io, &bytes) != IO_OK)
		return;
	while (
	    c->count < BATCH_MAX && (lf = span_find(bytes, '\n')) < bytes.n) {
		buf_reset(&address);
		if (!esmtp_peek_rcpt(span_take(bytes, lf), &rules, &address))
			break;
		c->asked[c->count++].address =
		    arena_span(c->arena, buf_span(&address));
		bytes = span_skip(bytes, lf + 1);
	}
	buf_fini(&address);
}

const struct msg_resolved_item *
resolve_recipient(struct session *s, const char *address)
{
	struct resolve_cache *c = s->resolved;
	const struct msg_resolved_item *found;

	if (c == NULL) {
		c = s->resolved = mem_pool_get(&caches);
		c->arena = arena_new();
	}
	found = find(c, address);
	if (found != NULL)
		return found;
	arena_reset(c->arena);
	c->answers = NULL;
	c->count = 1;
	c->next = 0;
	c->asked[0].address = arena_text(c->arena, address);
	look_ahead(s, c);
	c->answers = ask_resolve(c->arena, s->config->service_key,
	    s->mail != NULL ? s->mail->sender : "",
	    s->config->left_out & RECEIVE_UNMAPPED, c->asked, c->count);
	return find(c, address);
}
