/* SPDX-License-Identifier: ISC */
/* What is delivered elsewhere goes to cleanup as a new message. */
#include "local/local_state.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/ipc/proto_cleanup.h"
#include "lib/mail/received.h"
#include "lib/queue/queue_file.h"

struct chunks {
	struct ipc *c;
	uint64_t size;
	int64_t deadline;
	enum ipc_result result;
};

static int
put_chunk(void *with, const void *data, size_t n)
{
	struct chunks *k = with;

	ipc_put_chunk(k->c, data, n);
	k->size += n;
	k->result = ipc_flush(k->c, k->deadline);
	return k->result == IPC_OK ? 0 : -1;
}

static enum verdict
unavailable(struct plan *p, const char *text)
{
	return why_set(p->why, "4.3.0",
	    "cannot hand the message to the "
	    "cleanup service: %s",
	    text);
}

/* False: the connection cannot be used again. */
static bool
converse(struct plan *p, struct ipc *c, const struct msg_submit *m,
    enum verdict *v)
{
	int64_t deadline = clock_in(p->r->agent->common.ipc_timeout);
	struct chunks k = { .c = c, .deadline = deadline };
	const struct msg_submit_result *result;
	struct msg_submit_end end;
	struct deliver_source source;
	enum ipc_result r;
	const void *message;

	request_content(p->r, &source);
	ipc_put(c, &message_submit, m);
	if (deliver_each(&source, "\r\n", false, put_chunk, &k) != 0) {
		*v = unavailable(p,
		    k.result != IPC_OK ? ipc_result_text(k.result) :
					 "the queue file cannot be "
					 "read");
		return false;
	}
	end.size = k.size;
	ipc_put_chunk(c, "", 0);
	ipc_put(c, &message_submit_end, &end);
	r = ipc_expect(c, &message_submit_result, &message, deadline);
	if (r != IPC_OK) {
		*v = unavailable(p, ipc_result_text(r));
		return false;
	}
	result = message;
	*v = (enum verdict)result->verdict;
	if (*v == OK)
		why_set(p->why, "2.0.0", "forwarded as %s", result->queue_id);
	else
		why_set(p->why, result->dsn, "%s", result->text);
	return true;
}

static enum verdict
submit(struct plan *p, const struct msg_submit *m)
{
	struct ipc *c = service_ask("cleanup", &protocol_cleanup,
	    clock_in(p->r->agent->common.ipc_timeout));
	enum verdict v = LATER;
	bool usable;

	if (c == NULL)
		return unavailable(p, "no connection");
	usable = converse(p, c, m, &v);
	service_done("cleanup", &c, usable);
	return v;
}

/* Received, so that hops count, and Delivered-To, so that loops show. */
static const char *
trace(struct plan *p, const char *id, bool delivered)
{
	const struct received received = {
		.hidden = true, /* "by" alone, as in Postfix */
		.hostname = p->r->agent->common.myhostname,
		.mail_name = p->r->agent->common.mail_name,
		.id = id,
		.when = (int64_t)time(NULL),
	};
	struct buf out = BUF_INIT(8192);
	struct span rest, item, headers;
	const char *text;

	received_format(&received, &out);
	rest = span_of(p->r->agent->own.prepend_delivered_header);
	while (delivered && conf_list_next(&rest, &item))
		if (span_is_nocase(item, "forward")) {
			headers = request_headers_exactly(p->r, NULL,
			    p->to->address, false);
			buf_add_span(&out, headers);
		}
	text = arena_text(p->r->arena, buf_text(&out));
	buf_fini(&out);
	return text;
}

static struct msg_submit
message_of(struct plan *p, const char *sender)
{
	const struct msg_deliver *m = p->r->m;
	char *id = arena_alloc(p->r->arena, QUEUE_ID_MAX);

	queue_id_mint(id);
	return (struct msg_submit){
		.queue_id = id,
		.origin = "local",
		.sender = sender,
		.full_name = "",
		.envid = m->envid,
		.ret = m->ret,
		.body = m->flags & QUEUE_BODY_8BIT ? 2 : 1,
		.smtputf8 = (m->flags & QUEUE_SMTPUTF8) != 0,
		.client = "local",
		.trace = "",
	};
}

/*
 * RFC 3461 section 5.2.7: one address takes the sender's wishes along; of
 * several (and of a list with an owner) the success is told here, as
 * "expanded", and not by each.
 */
static unsigned int
notify_for(struct plan *p, bool one)
{
	unsigned int notify = (unsigned int)p->to->notify;

	if (one || notify == NOTIFY_NEVER)
		return notify;
	notify &= ~(unsigned int)NOTIFY_SUCCESS;
	return notify != 0 || p->to->notify == 0 ? notify : NOTIFY_NEVER;
}

enum verdict
deliver_forwards(struct plan *p)
{
	struct msg_submit_recipient *to =
	    arena_alloc(p->r->arena, p->forwards * sizeof(*to));
	struct msg_submit m = message_of(p, p->sender);
	bool one = p->count == 1 && !p->owner;
	size_t n = 0;
	enum verdict v;

	for (const struct action *a = p->first; a != NULL; a = a->next) {
		if (a->kind != ACTION_FORWARD)
			continue;
		m.sender = a->sender;
		to[n++] = (struct msg_submit_recipient){
			.address = a->text,
			/* a list's members are its owner's recipients */
			.original = p->owner ? a->text : p->to->original,
			.orcpt = p->owner ? "" : p->to->orcpt,
			.notify = notify_for(p, one),
			.transport = "",
			.nexthop = "",
		};
	}
	if (p->owner)
		m.envid = "";
	m.trace = trace(p, m.queue_id, true);
	m.recipients = (struct ipc_list){ .items = to, .count = n };
	v = submit(p, &m);
	p->r->dsn_passed = v == OK && one;
	return v;
}

/*
 * Any of this program's, which may have a transport that leads here; and so may
 * each, while it is not known which are.
 */
static bool
is_local_service(const struct plan *p, const char *transport)
{
	const struct master_cf *m = p->state->services;

	for (size_t i = 0; m != NULL && i < m->count; i++)
		if (m->entries[i].type != SERVICE_INET &&
		    strcmp(m->entries[i].name, transport) == 0 &&
		    strcmp(m->entries[i].command, "local") == 0)
			return true;
	return m == NULL;
}

/*
 * "lmtp:unix:/path" of mailbox_transport and its like. The message is the
 * same one: its age counts on, and no hop is added, unless the next one is
 * such a service as this: then it may come back, and hopcount_limit ends that.
 */
enum verdict
deliver_transport(struct plan *p, const struct action *a)
{
	struct msg_submit m = message_of(p, a->sender);
	struct span text = span_of(a->text);
	size_t at = span_find(text, ':');
	struct msg_submit_recipient to = {
		.address = p->to->address,
		.original = p->to->original,
		.orcpt = p->to->orcpt,
		.notify = p->to->notify,
		.final = true,
		.transport = arena_span(p->r->arena, span_take(text, at)),
		.nexthop = at + 1 < text.n ?
		    arena_span(p->r->arena, span_skip(text, at + 1)) :
		    p->domain,
	};
	enum verdict v;

	if (is_local_service(p, to.transport))
		m.trace = trace(p, m.queue_id, false);
	m.arrival = p->r->m->arrival;
	m.recipients = (struct ipc_list){ .items = &to, .count = 1 };
	v = submit(p, &m);
	p->r->dsn_passed = v == OK;
	return v;
}
