/* SPDX-License-Identifier: ISC */
#include "smtpd/submission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/ipc/proto_cleanup.h"
#include "lib/log/log.h"
#include "lib/mail/received.h"
#include "lib/task/task.h"

enum {
	TRACE_MAX = 8192,
	CLIENT_MAX = 512,
	BCC_LEAST = 4, /* "a@b" and its end */
};

static const char service[] = "cleanup";

struct submission {
	struct session *s;
	struct ipc *cleanup; /* NULL until it is opened */
	struct buf held; /* not sent yet */
	uint64_t size;
	uint64_t limit;
	bool too_big;
	bool broken; /* cleanup is lost, or has answered early */
};

struct submission *
submission_new(struct session *s)
{
	struct submission *m = mem_new(sizeof(*m));

	m->s = s;
	m->limit = (uint64_t)s->config->common->message_size_limit;
	buf_init(&m->held, IPC_CHUNK_MAX);
	return m;
}

void
submission_free(struct submission **m)
{
	if (*m == NULL)
		return;
	if ((*m)->cleanup != NULL)
		service_done(service, &(*m)->cleanup, false);
	buf_fini(&(*m)->held);
	free(*m);
	*m = NULL;
}

bool
submission_streams(const struct submission *m)
{
	return m->cleanup != NULL;
}

uint64_t
submission_size(const struct submission *m)
{
	return m->size;
}

bool
submission_refused(const struct submission *m)
{
	return m->too_big || m->broken;
}

static int64_t
deadline(const struct submission *m)
{
	return clock_in(m->s->config->common->ipc_timeout);
}

/* RFC 3848, and RFC 6531 section 4.3. */
static void
protocol_name(const struct session *s, char out[16])
{
	bool tls = s->tls_seen, login = s->user != NULL;

	snprintf(out, 16, "%s%s%s",
	    s->mail->smtputf8 ? "UTF8SMTP" :
		s->esmtp      ? "ESMTP" :
				"SMTP",
	    tls && s->esmtp ? "S" : "", login ? "A" : "");
}

static void
trace(const struct session *s, struct buf *out)
{
	const struct transaction *t = s->mail;
	char protocol[16];
	struct received r = {
		.helo = s->helo != NULL ? s->helo : "unknown",
		.client_name = s->client.name,
		.client_address = s->client.address_text,
		.tls = s->config->tls_params->smtpd_tls_received_header ?
		    s->tls_text :
		    NULL,
		.login = s->p->smtpd_sasl_authenticated_header ? s->user : NULL,
		.hostname = s->config->common->myhostname,
		.mail_name = s->config->common->mail_name,
		.protocol = protocol,
		.id = t->queue_id,
		.recipient = t->count == 1 ? t->recipients[0].original : NULL,
		.when = clock_wall_us() / 1000000,
	};

	protocol_name(s, protocol);
	received_format(&r, out);
	if (t->prepend != NULL)
		buf_add_text(out, t->prepend);
}

static struct msg_submit_recipient
recipient_message(const struct recipient *r)
{
	return (struct msg_submit_recipient){
		.address = r->address,
		.original =
		    strcmp(r->original, r->address) == 0 ? "" : r->original,
		.orcpt = r->orcpt,
		.notify = r->notify,
		.final = r->final,
		.transport = r->transport,
		.nexthop = r->nexthop,
	};
}

static struct msg_submit_recipient
plain_recipient(const char *address)
{
	return (struct msg_submit_recipient){
		.address = address,
		.original = "",
		.orcpt = "",
		.transport = "",
		.nexthop = "",
	};
}

/* Recipients as given, or as REDIRECT and BCC of access tables have it. */
static void
recipients(const struct transaction *t, struct ipc_list *list)
{
	struct msg_submit_recipient *items;
	size_t n = 0;

	items = arena_alloc(t->arena,
	    (t->count + 1 + t->bcc.n / BCC_LEAST) * sizeof(*items));
	if (t->redirect != NULL)
		items[n++] = plain_recipient(t->redirect);
	for (size_t i = 0; t->redirect == NULL && i < t->count; i++)
		items[n++] = recipient_message(&t->recipients[i]);
	for (size_t at = 0; at < t->bcc.n; at += strlen(t->bcc.p + at) + 1)
		items[n++] = plain_recipient(t->bcc.p + at);
	list->items = items;
	list->count = n;
}

static bool
open_cleanup(struct submission *m)
{
	const struct session *s = m->s;
	const struct transaction *t = s->mail;
	struct buf received = BUF_INIT(TRACE_MAX);
	char client[CLIENT_MAX];
	struct msg_submit submit = {
		.queue_id = t->queue_id,
		.origin = "smtpd",
		.sender = t->sender,
		.full_name = "",
		.envid = t->envid,
		.ret = t->ret,
		.body = t->body,
		.smtputf8 = t->smtputf8,
		.hold = t->hold,
		.trusted = s->client.mynetworks || s->user != NULL,
		.client = client,
	};

	m->cleanup = service_ask(service, &protocol_cleanup, deadline(m));
	if (m->cleanup == NULL)
		return false;
	snprintf(client, sizeof(client), "%s", s->client.full);
	trace(s, &received);
	submit.trace = buf_text(&received);
	recipients(t, &submit.recipients);
	ipc_put(m->cleanup, &message_submit, &submit);
	buf_fini(&received);
	return true;
}

/* Everything held goes out; what cleanup has no room for waits. */
static void
send_held(struct submission *m)
{
	if (m->broken || (m->cleanup == NULL && !open_cleanup(m))) {
		m->broken = true;
		buf_reset(&m->held);
		return;
	}
	ipc_put_chunk(m->cleanup, m->held.p, m->held.n);
	buf_reset(&m->held);
	if (ipc_flush(m->cleanup, deadline(m)) != IPC_OK)
		m->broken = true;
	/* a fast sender must not keep the process to itself */
	(void)wait_yield();
}

static void
give_up(struct submission *m)
{
	m->too_big = true;
	buf_fini(&m->held);
	if (m->cleanup != NULL)
		service_done(service, &m->cleanup, false);
}

void
submission_add(struct submission *m, struct span content)
{
	m->size += content.n;
	if (m->limit > 0 && m->size > m->limit && !m->too_big)
		give_up(m);
	while (content.n > 0 && !m->too_big && !m->broken) {
		size_t room = m->held.max - m->held.n;
		struct span part = span_take(content, room);

		buf_add_span(&m->held, part);
		content = span_skip(content, part.n);
		if (m->held.n == m->held.max)
			send_held(m);
	}
}

static enum verdict
lost(struct submission *m, struct why *why, const char *reason)
{
	log_warning("%s: cleanup: %s", m->s->mail->queue_id, reason);
	return why_set(why, "4.3.0", "Error: queue file write error");
}

/* The last chunk, the end, and what cleanup says. */
static enum verdict
conclude(struct submission *m, struct why *why)
{
	struct msg_submit_end end = { .size = m->size };
	const struct msg_submit_result *result;
	const void *message;
	enum verdict verdict;
	enum ipc_result r;

	if (!m->broken) {
		if (m->held.n > 0)
			ipc_put_chunk(m->cleanup, m->held.p, m->held.n);
		ipc_put_chunk(m->cleanup, NULL, 0);
		ipc_put(m->cleanup, &message_submit_end, &end);
		ipc_flush(m->cleanup, deadline(m));
	}
	/* after a failed write as well: it may have said why */
	r = ipc_expect(m->cleanup, &message_submit_result, &message,
	    deadline(m));
	if (r != IPC_OK)
		return lost(m, why, ipc_result_text(r));
	result = message;
	verdict = (enum verdict)result->verdict;
	if (verdict != OK) {
		why_set(why, result->dsn, "%s", result->text);
		return verdict;
	}
	service_done(service, &m->cleanup, !m->broken);
	return OK;
}

enum verdict
submission_commit(struct submission *m, struct why *why)
{
	if (m->too_big) {
		log_info("%s: message from %s is larger than "
			 "message_size_limit (%llu)",
		    m->s->mail->queue_id, m->s->client.full,
		    (unsigned long long)m->limit);
		return why_set(why, "5.3.4", "Error: message file too big");
	}
	if (m->cleanup == NULL && (m->broken || !open_cleanup(m)))
		return lost(m, why, "not to be had");
	return conclude(m, why);
}
