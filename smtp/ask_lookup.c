/* SPDX-License-Identifier: ISC */
#include "smtp/ask_lookup.h"

#include "lib/base/clock.h"
#include "lib/service/service.h"

enum { ASK_TIMEOUT_S = 100, TRIES = 2 };

static const char service[] = "lookup-smtp";

/*
 * A pooled connection may have died of old age while we wrote into it, or its
 * process ended for a table that changed: that one failure is not the answer.
 */
const void *
ask_lookup(struct ipc **c, const struct ipc_message *question,
    const void *asked, const struct ipc_message *answer)
{
	int64_t deadline = clock_in(ASK_TIMEOUT_S);
	enum ipc_result r = IPC_CLOSED;
	const void *message = NULL;

	for (int i = 0; i < TRIES && r == IPC_CLOSED; i++) {
		*c = service_ask(service, &protocol_lookup, deadline);
		if (*c == NULL)
			return NULL;
		r = ipc_send(*c, question, asked, deadline);
		if (r == IPC_OK)
			r = ipc_expect(*c, answer, &message, deadline);
		if (r == IPC_OK)
			return message;
		service_done(service, c, false);
	}
	return NULL;
}

void
ask_lookup_done(struct ipc **c)
{
	service_done(service, c, true);
}
