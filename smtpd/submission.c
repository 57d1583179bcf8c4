/* SPDX-License-Identifier: ISC */
#include "smtpd/submission.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/conf/receive_override.h"
#include "lib/ipc/proto_cleanup.h"
#include "lib/log/log.h"
#include "lib/mail/received.h"
#include "lib/net/stream_pool.h"
#include "lib/task/task.h"
#include "smtpd/scratch.h"
#include "smtpd/xforward.h"

enum {
	TRACE_MAX = 8192,
	CLIENT_MAX = 512,
	BCC_LEAST = 4, /* "a@b" and its end */
	PIECE = STREAM_BUFFER_SIZE, /* kept in memory at most */
	REST_MOST = 16384, /* by a session that waits */
	TRIES = 3,
};

static_assert((int)PIECE <= (int)IPC_CHUNK_MAX, "goes to cleanup as one chunk");

static const char service[] = "cleanup";

struct submission {
	struct session *s;
	char *held; /* from the pool, or NULL: what comes behind the file */
	size_t held_n;
	int scratch; /* -1: nothing had to go there */
	uint64_t scratched; /* bytes in it */
	uint64_t size;
	uint64_t limit;
	bool too_big;
	bool broken; /* *why */
	bool emptied; /* the scratch file, by cleanup */
	int code; /* that cleanup has for its refusal, or 0 */
	struct why *why;
};

struct submission *
submission_new(struct session *s)
{
	struct submission *m = mem_new(sizeof(*m));

	m->s = s;
	m->scratch = -1;
	m->limit = (uint64_t)s->config->common->message_size_limit;
	return m;
}

/* What is held of the content goes; the rest of it is only counted. */
static void
forget_content(struct submission *m)
{
	m->held_n = 0;
	stream_pool_put(&m->held);
	scratch_put(&m->scratch, m->emptied);
}

void
submission_free(struct submission **m)
{
	if (*m == NULL)
		return;
	forget_content(*m);
	free((*m)->why);
	free(*m);
	*m = NULL;
}

uint64_t
submission_size(const struct submission *m)
{
	return m->size;
}

int
submission_code(const struct submission *m, enum verdict verdict)
{
	return m->code / 100 == (verdict == NEVER ? 5 : 4) ? m->code : 0;
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
		.hidden = s->p->smtpd_hide_client_session,
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

/*
 * Recipients as given, and as BCC of access tables has it; REDIRECT stands for
 * all of them.
 */
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
	for (size_t at = 0; t->redirect == NULL && at < t->bcc.n;
	     at += strlen(t->bcc.p + at) + 1)
		items[n++] = plain_recipient(t->bcc.p + at);
	list->items = items;
	list->count = n;
}

/* What the header has to match, beside the envelope. */
static void
say_login(const struct session *s, struct msg_submit *to)
{
	const char *mode = s->p->smtpd_from_login_match;

	if (s->user == NULL)
		return;
	if (strcmp(mode, "envelope") == 0)
		to->author_match = s->author_match;
	else if (strcmp(mode, "warn") == 0)
		to->author_match = AUTHOR_WARN_ALL;
	else if (strcmp(mode, "reject") == 0)
		to->author_match = AUTHOR_ALL;
	to->login = s->user;
	if (to->author_match != AUTHOR_ANY && s->p->smtpd_sasl_auth_enable)
		to->login_owners = s->p->smtpd_sender_login_maps;
}

static void
put_submit(const struct submission *m, struct ipc *c)
{
	struct session *s = m->s;
	const struct transaction *t = s->mail;
	struct buf received = BUF_INIT(TRACE_MAX);
	char client[CLIENT_MAX];
	struct msg_submit submit = {
		.queue_id = t->queue_id,
		.origin = "smtpd",
		.sender = t->sender,
		.full_name = "",
		.header_domain = s->p->remote_header_rewrite_domain,
		.envid = t->envid,
		.ret = t->ret,
		.body = t->body,
		.smtputf8 = t->smtputf8,
		.redirected = t->redirect != NULL,
		.hold = t->hold,
		/* since the first recipient: "delay" counts the sending too */
		.arrival = (uint64_t)queue_id_time(t->queue_id),
		.trusted = forwarded_trusted(s->forwarded, t->ours),
		.unmapped = s->config->left_out & RECEIVE_UNMAPPED,
		.unchecked = s->config->left_out & RECEIVE_UNCHECKED,
		.client = client,
		.login = "",
		.login_owners = "",
	};

	snprintf(client, sizeof(client), "%s",
	    forwarded_client(s->forwarded, s->client.full));
	say_login(s, &submit);
	trace(s, &received);
	submit.trace = buf_text(&received);
	recipients(t, &submit.recipients);
	ipc_put(c, &message_submit, &submit);
	buf_fini(&received);
}

/* All of it, in one go. */
static enum ipc_result
send_message(const struct submission *m, struct ipc *c)
{
	struct msg_submit_scratch scratch = {
		.file = m->scratch,
		.size = m->scratched,
	};
	struct msg_submit_end end = { .size = m->size };

	if (m->scratch >= 0)
		ipc_put(c, &message_submit_scratch, &scratch);
	put_submit(m, c);
	if (m->held_n > 0)
		ipc_put_chunk(c, m->held, m->held_n);
	ipc_put_chunk(c, NULL, 0);
	ipc_put(c, &message_submit_end, &end);
	return ipc_flush(c, deadline(m));
}

/* What is held goes to the scratch file. */
static void
spill(struct submission *m)
{
	const char *id = m->s->mail->queue_id;

	if (m->why == NULL)
		m->why = mem_new(sizeof(*m->why));
	if (m->scratch < 0)
		m->scratch = scratch_get(id, deadline(m), m->why);
	if (m->scratch < 0 ||
	    scratch_write(m->scratch, id, (struct span){ m->held, m->held_n },
		m->scratched, m->why) < 0) {
		m->broken = true;
		forget_content(m);
		return;
	}
	m->scratched += m->held_n;
	m->held_n = 0;
}

void
submission_rest(struct submission *m)
{
	if (submission_refused(m) || (m->scratch < 0 && m->held_n < REST_MOST))
		return;
	if (m->held_n > 0)
		spill(m);
	stream_pool_put(&m->held);
}

void
submission_add(struct submission *m, struct span content)
{
	m->size += content.n;
	if (m->limit > 0 && m->size > m->limit && !m->too_big) {
		m->too_big = true;
		forget_content(m);
	}
	while (content.n > 0 && !m->too_big && !m->broken) {
		struct span part = span_take(content, PIECE - m->held_n);

		if (m->held == NULL)
			m->held = stream_pool_get();
		memcpy(m->held + m->held_n, part.p, part.n);
		m->held_n += part.n;
		content = span_skip(content, part.n);
		if (m->held_n == PIECE)
			spill(m);
	}
}

static enum verdict
lost(const struct submission *m, struct why *why, const char *reason)
{
	log_warning("%s: cleanup: %s", m->s->mail->queue_id, reason);
	return why_set(why, "4.3.0", "Error: queue file write error");
}

/*
 * A connection on which everything was sent. One that ends before that, as a
 * pooled one may in the moment in which we reach for it, has submitted
 * nothing: once more with another.
 */
static struct ipc *
hand_over(struct submission *m)
{
	for (int tries = 0; tries < TRIES; tries++) {
		struct ipc *c = tries == 0 ?
		    service_ask_at_once(service, &protocol_cleanup,
			deadline(m)) :
		    service_ask(service, &protocol_cleanup, deadline(m));
		enum ipc_result r;

		if (c == NULL)
			return NULL;
		r = send_message(m, c);
		if (r == IPC_OK)
			return c;
		service_done(service, &c, false);
		if (r != IPC_CLOSED)
			break;
	}
	return NULL;
}

/* What cleanup says. */
static enum verdict
conclude(struct submission *m, struct ipc **c, struct why *why)
{
	const struct msg_submit_result *result;
	const void *message;
	enum verdict verdict;
	enum ipc_result r;

	r = ipc_expect(*c, &message_submit_result, &message, deadline(m));
	if (r != IPC_OK)
		return lost(m, why, ipc_result_text(r));
	m->emptied = true;
	result = message;
	verdict = (enum verdict)result->verdict;
	m->code = (int)result->code;
	if (verdict != OK)
		why_set(why, result->dsn, "%s", result->text);
	service_done(service, c, true);
	return verdict;
}

enum verdict
submission_commit(struct submission *m, struct why *why)
{
	enum verdict verdict;
	struct ipc *c;

	if (m->too_big) {
		log_info("%s: message from %s is larger than "
			 "message_size_limit (%llu)",
		    m->s->mail->queue_id, m->s->client.full,
		    (unsigned long long)m->limit);
		return why_set(why, "5.3.4", "Error: message file too big");
	}
	if (m->broken)
		return why_set(why, m->why->dsn, "%s", m->why->text);
	if (task_cancelled()) /* once cleanup has it, the client must know */
		return lost(m, why, "this mail system is going down");
	task_shield(true);
	c = hand_over(m);
	if (c == NULL) {
		task_shield(false);
		return lost(m, why, "not to be had");
	}
	verdict = conclude(m, &c, why);
	task_shield(false);
	service_done(service, &c, false);
	return verdict;
}
