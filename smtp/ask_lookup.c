/* SPDX-License-Identifier: ISC */
#include "smtp/ask_lookup.h"

#include "lib/base/clock.h"
#include "lib/service/service.h"

enum { ASK_TIMEOUT_S = 100 };

static const char service[] = "lookup-smtp";

const void *
ask_lookup(struct ipc **c, const struct ipc_message *question,
    const void *asked, const struct ipc_message *answer)
{
	const struct service_question q = { question, asked, answer };

	return service_question(service, &protocol_lookup, &q,
	    clock_in(ASK_TIMEOUT_S), c);
}

void
ask_lookup_done(struct ipc **c)
{
	service_done(service, c, true);
}
