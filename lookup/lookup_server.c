/* SPDX-License-Identifier: ISC */
/*
 * lookup-server: asks the servers of tables, for lookup.
 *
 * SECURITY. As lookup, the table user, with the tables of lookup's settings
 * that a server serves, and no others: it has their passwords and connections,
 * and speaks with nobody but those servers and lookup (programs.def). Hostile
 * input: keys made by strangers, which the client library quotes, and whatever
 * a server answers. It waits for one answer at a time, and holds up nobody but
 * who asked: master starts another when all are busy.
 */
#include "lookup/query_service.h"

int
main(int argc, char **argv)
{
	static const struct service_spec spec = {
		.program = "lookup-server",
		.style = SERVICE_ONE,
		.protocol = &protocol_lookup,
		.before = query_server_before,
		.session = query_server_session,
	};

	return service_run(&spec, argc, argv);
}
