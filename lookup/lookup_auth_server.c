/* SPDX-License-Identifier: ISC */
/*
 * lookup-auth-server: asks the servers of tables that have accounts, for auth
 * and auth-session.
 *
 * SECURITY. As a user of its own, server_user, with the tables of account_files
 * and account_master_files that a server serves, and no others: it has their
 * passwords and connections, sees what is stored of everybody's password, and
 * has no business but with those servers and its two clients (programs.def).
 * Captured by a server through its client library it could connect anywhere,
 * and read what everybody may: no file of accounts, no app password.
 * Hostile input: names that strangers log in with, which the client library
 * quotes, and whatever a server answers. It waits for one answer at a time, and
 * holds up nobody but who asked: master starts another when all are busy.
 */
#include "lookup/query_service.h"

int
main(int argc, char **argv)
{
	static const struct service_spec spec = {
		.program = "lookup-auth-server",
		.style = SERVICE_ONE,
		.protocol = &protocol_lookup,
		.before = query_server_before,
		.session = query_server_session,
	};

	return service_run(&spec, argc, argv);
}
