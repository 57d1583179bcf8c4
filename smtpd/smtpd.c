/* SPDX-License-Identifier: ISC */
/* clang-format off */
/*
 * smtpd: the SMTP server.
 *
 * SECURITY
 *	Runs as the network user in an empty root directory, with a filter
 *	that leaves it the sockets it is given. It opens no file and no table,
 *	asks no name server, sees no password longer than it takes to pass it to
 *	auth, and no private key: lookup, resolver, auth, keyd and cleanup do
 *	for it what it cannot. Everything it hears is hostile: every byte of a
 *	session, names from DNS, and to a lesser degree results of tables.
 *	Thousands of sessions share the process; what one of them does must
 *	never end it.
 */
/* clang-format on */
#include "lib/service/service.h"
#include "smtpd/limits.h"
#include "smtpd/scratch.h"
#include "smtpd/session.h"

static void
before(const struct service *service)
{
	smtpd_config_load(service);
	limits_open(smtpd_config(false)->common->data_directory, service->name);
	scratch_bound(
	    (uint64_t)smtpd_config(false)->common->message_size_limit);
}

static void
retire(const struct service *service)
{
	(void)service;
	scratch_forget_all();
}

int
main(int argc, char **argv)
{
	static const struct service_spec spec = {
		.program = "smtpd",
		.style = SERVICE_TASKS,
		.params = smtpd_service_params,
		.before = before,
		.session = session_run,
		.retire = retire,
	};

	return service_run(&spec, argc, argv);
}
