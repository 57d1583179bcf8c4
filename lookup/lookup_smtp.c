/* SPDX-License-Identifier: ISC */
/*
 * lookup-smtp: the opener of the SMTP client's own tables.
 *
 * SECURITY. As lookup, but only for tables named in settings of smtp, which
 * hold the passwords for relays; programs.def lets nobody but smtp reach it,
 * and lookup opens none of them. So neither a captured smtpd, nor a lookup
 * that keys made by strangers have broken, comes near them. A captured smtp
 * can ask for any key: it is the one that has to send the passwords.
 */
#include "lib/base/clock.h"
#include "lib/ipc/proto_lookup.h"
#include "lookup/query_service.h"

enum { ANSWER_S = 30 };

/* Process lifetime. */
static struct query_tables *tables;
static struct arena *memory; /* of the question under way */

static void
before(const struct service *s)
{
	tables = query_prepare(s);
	memory = arena_new();
}

static bool
request(const struct service *s, struct ipc *c, void **state)
{
	const void *message;

	(void)s;
	(void)state;
	if (ipc_expect(c, &message_query, &message, clock_in(ANSWER_S)) !=
	    IPC_OK)
		return false;
	arena_reset(memory);
	query_answer(tables, c, message, memory);
	query_end_if_wanted(c);
	return true;
}

int
main(int argc, char **argv)
{
	static const struct service_spec spec = {
		.program = "lookup-smtp",
		.style = SERVICE_REQUESTS,
		.protocol = &protocol_lookup,
		.before = before,
		.request = request,
	};

	return service_run(&spec, argc, argv);
}
