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
