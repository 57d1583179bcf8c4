/* SPDX-License-Identifier: ISC */
/*
 * lookup-smtp-server: asks the servers of tables, for lookup-smtp.
 *
 * SECURITY. As lookup-smtp, the table user, with the tables of smtp's settings
 * that a server serves, which hold passwords for relays, and no others: it
 * speaks with nobody but those servers and lookup-smtp (programs.def). Hostile
 * input: keys of smtp, which the client library quotes, and whatever
 * a server answers. It waits for one answer at a time, and holds up nobody but
 * who asked: master starts another when all are busy.
 */
#include "lookup/query_service.h"

int
main(int argc, char **argv)
{
	static const struct service_spec spec = {
		.program = "lookup-smtp-server",
		.style = SERVICE_ONE,
		.protocol = &protocol_lookup,
		.before = query_server_before,
		.session = query_server_session,
	};

	return service_run(&spec, argc, argv);
}
