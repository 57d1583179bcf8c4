/* SPDX-License-Identifier: ISC */
#include "lib/service/remote_key.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/ipc/proto_keyd.h"
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/task/task.h"

enum {
	/* A handshake that waits longer than this has lost its client anyway */
	SIGN_TIMEOUT_S = 20,
	TICKETS_TIMEOUT_S = 5,
	/* between a certificate and what is signed for it nobody else is asked
	 */
	KEEP_MS = 5000,
	KEPT_MAX = 64,
};

static const char service[] = "keyd";

/*
 * Connections to a keyd that has given a certificate, for the signature that
 * is to follow: it may be the only process that has the key, because another
 * one has read a table that changed in between.
 */
static struct {
	struct kept {
		const struct task *task;
		struct ipc *c;
		int64_t until;
	} all[KEPT_MAX];
	size_t count;
	bool pruning; /* a task does */
} kept;

static struct ipc *
take_out(size_t i)
{
	struct ipc *c = kept.all[i].c;

	kept.all[i] = kept.all[--kept.count];
	return c;
}

/* NULL: this task has none. */
static struct ipc *
take_own(void)
{
	for (size_t i = 0; i < kept.count; i++)
		if (kept.all[i].task == task_current())
			return take_out(i);
	return NULL;
}

/* Handshakes that stand still before the signature. */
static void
prune_task(void *unused)
{
	struct ipc *c;

	(void)unused;
	while (kept.count > 0 &&
	    wait_until(clock_ms() + KEEP_MS) != WAIT_CANCELLED)
		for (size_t i = kept.count; i-- > 0;)
			if (kept.all[i].until <= clock_ms()) {
				c = take_out(i);
				service_done(service, &c, true);
			}
	kept.pruning = false;
}

static void
keep(struct ipc *c)
{
	struct ipc *old = take_own();

	service_done(service, &old, true);
	if (kept.count == KEPT_MAX || task_current() == NULL) {
		service_done(service, &c, true);
		return;
	}
	kept.all[kept.count++] =
	    (struct kept){ task_current(), c, clock_ms() + KEEP_MS };
	if (!kept.pruning)
		kept.pruning = task_start(prune_task, NULL) != NULL;
}

/* By the process that has given the certificate. */
static const struct msg_key_signed *
ask_kept(const struct msg_key_sign *question, int64_t deadline, struct ipc **c)
{
	const void *message;

	*c = take_own();
	if (*c == NULL)
		return NULL;
	if (ipc_send(*c, &message_key_sign, question, deadline) == IPC_OK &&
	    ipc_expect(*c, &message_key_signed, &message, deadline) == IPC_OK)
		return message;
	service_done(service, c, false);
	return NULL;
}

bool
remote_key_sign(const char *key, enum tls_key_operation operation,
    unsigned int padding, struct span data, struct buf *signature)
{
	int64_t deadline = clock_in(SIGN_TIMEOUT_S);
	const struct msg_key_sign question = {
		.key = key,
		.operation = operation,
		.padding = padding,
		.data = data,
	};
	const struct service_question q = { &message_key_sign, &question,
		&message_key_signed };
	struct ipc *c;
	const struct msg_key_signed *answer = ask_kept(&question, deadline, &c);
	bool done;

	if (answer == NULL)
		answer =
		    service_question(service, &protocol_keyd, &q, deadline, &c);
	if (answer == NULL)
		return false;
	done = answer->done && buf_add_span(signature, answer->data);
	if (!answer->done)
		log_warning("keyd refuses to sign with key %s: is the private"
			    " key of this certificate readable, and in the "
			    "settings?",
		    key);
	service_done(service, &c, true);
	return done;
}

/* As keyd.def has it. */
enum { NONE, FOUND, LATER, UNUSED };

/* keyd may just have made room for a successor that reads a changed table. */
enum tls_chain
remote_key_chain(const char *name, struct buf *chain)
{
	static bool unused; /* settings are the same as long as we live */
	const struct msg_key_chain question = { .name = name };
	const struct service_question q = { &message_key_chain, &question,
		&message_key_chain_reply };
	const struct msg_key_chain_reply *answer;
	uint64_t result;
	struct ipc *c;

	if (unused)
		return TLS_CHAIN_DEFAULT;
	answer = service_question(service, &protocol_keyd, &q,
	    clock_in(SIGN_TIMEOUT_S), &c);
	if (answer == NULL)
		return TLS_CHAIN_FAILED;
	result = answer->result;
	if (result == FOUND && !buf_add_span(chain, answer->chain))
		result = LATER;
	if (result == FOUND)
		keep(c);
	else
		service_done(service, &c, true);
	unused = result == UNUSED;
	if (result == NONE || result == UNUSED)
		return TLS_CHAIN_DEFAULT;
	return result == FOUND ? TLS_CHAIN_FOUND : TLS_CHAIN_FAILED;
}

void
remote_key_chain_end(void)
{
	struct ipc *c = kept.count > 0 ? take_own() : NULL;

	service_done(service, &c, true);
}

static bool
take_tickets(const struct msg_key_tickets_reply *answer,
    struct tls_ticket_secrets *out)
{
	if (answer->now.n != TLS_TICKET_SECRET)
		return false;
	memcpy(out->now, answer->now.p, TLS_TICKET_SECRET);
	out->has_former = answer->former.n == TLS_TICKET_SECRET;
	if (out->has_former)
		memcpy(out->former, answer->former.p, TLS_TICKET_SECRET);
	out->left_ms = (int64_t)answer->left_ms;
	return true;
}

bool
remote_key_tickets(struct span context, struct tls_ticket_secrets *out)
{
	const struct msg_key_tickets question = { .context = context };
	const struct service_question q = { &message_key_tickets, &question,
		&message_key_tickets_reply };
	const struct msg_key_tickets_reply *answer;
	struct ipc *c;
	bool good;

	answer = service_question(service, &protocol_keyd, &q,
	    clock_in(TICKETS_TIMEOUT_S), &c);
	if (answer == NULL)
		return false;
	good = take_tickets(answer, out);
	ipc_wipe(c);
	service_done(service, &c, true);
	return good;
}
