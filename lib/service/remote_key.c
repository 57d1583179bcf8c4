/* SPDX-License-Identifier: ISC */
#include "lib/service/remote_key.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/ipc/proto_keyd.h"
#include "lib/log/log.h"
#include "lib/service/service.h"

/* A handshake that waits longer than this has lost its client anyway. */
enum { SIGN_TIMEOUT_S = 20 };

static bool
dialogue(struct ipc *c, const struct msg_key_sign *question,
    struct buf *signature, bool *done, int64_t deadline)
{
	const struct msg_key_signed *answer;
	const void *message;

	ipc_put(c, &message_key_sign, question);
	if (ipc_expect(c, &message_key_signed, &message, deadline) != IPC_OK)
		return false;
	answer = message;
	*done = answer->done && buf_add_span(signature, answer->data);
	if (!answer->done)
		log_warning("keyd refuses to sign with key %s: is the private"
			    " key of this certificate readable, and in the "
			    "settings?",
		    question->key);
	return true;
}

bool
remote_key_sign(const char *key, enum tls_key_operation operation,
    unsigned int padding, struct span data, struct buf *signature)
{
	int64_t deadline = clock_in(SIGN_TIMEOUT_S);
	struct msg_key_sign question = {
		.key = key,
		.operation = operation,
		.padding = padding,
		.data = data,
	};
	struct ipc *c = service_ask("keyd", &protocol_keyd, deadline);
	bool done = false, whole;

	if (c == NULL)
		return false;
	whole = dialogue(c, &question, signature, &done, deadline);
	if (!whole)
		log_warning("no answer from keyd");
	service_done("keyd", &c, whole);
	return done;
}

/* As keyd.def has it. */
enum { NONE, FOUND, LATER, UNUSED };

static enum ipc_result
ask_chain(const char *name, uint64_t *result, struct buf *chain)
{
	int64_t deadline = clock_in(SIGN_TIMEOUT_S);
	struct msg_key_chain question = { .name = name };
	struct ipc *c = service_ask("keyd", &protocol_keyd, deadline);
	const struct msg_key_chain_reply *answer;
	const void *message;
	enum ipc_result r;

	if (c == NULL)
		return IPC_TIMEOUT;
	r = ipc_send(c, &message_key_chain, &question, deadline);
	if (r == IPC_OK)
		r = ipc_expect(c, &message_key_chain_reply, &message, deadline);
	if (r == IPC_OK) {
		answer = message;
		*result =
		    buf_add_span(chain, answer->chain) ? answer->result : LATER;
	}
	service_done("keyd", &c, r == IPC_OK);
	return r;
}

/* keyd may just have made room for a successor that reads a changed table. */
enum tls_chain
remote_key_chain(const char *name, struct buf *chain)
{
	static bool unused; /* settings are the same as long as we live */
	uint64_t result = LATER;
	enum ipc_result r;

	if (unused)
		return TLS_CHAIN_DEFAULT;
	r = ask_chain(name, &result, chain);
	if (r == IPC_CLOSED)
		r = ask_chain(name, &result, chain);
	if (r != IPC_OK)
		log_warning("no answer from keyd");
	unused = result == UNUSED;
	if (result == NONE || result == UNUSED)
		return TLS_CHAIN_DEFAULT;
	return result == FOUND ? TLS_CHAIN_FOUND : TLS_CHAIN_FAILED;
}
