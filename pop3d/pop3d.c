/* SPDX-License-Identifier: ISC */
/*
 * pop3d: the POP3 server's login stage.
 *
 * SECURITY. Runs as the net user in an empty root directory, and can do
 * nothing but read and write the sockets it was given. Hostile input: the
 * world. It knows no passwords, no accounts, no mail and no keys: auth says
 * who a client is, keyd signs handshakes, and what a client may read is
 * decided by the session stage, which believes auth and not us. Once a client
 * has logged in, a plain connection is handed over whole; one with TLS is
 * relayed, so that the session stage never runs TLS code on a stranger's
 * bytes.
 *
 * A client that fails waits alone: each session is a task.
 */
#include "pop3d/authorization.h"

#include <stdlib.h>

static struct pop3d_params settings;

static struct login_stage stage = {
	.service = "pop3",
	.session_stage = "pop3d-session",
	.connection_limit = "pop3d_client_connection_count_limit",
	.timeout = "timeout: see pop3_login_timeout",
	.say = authorization_say,
	.dialogue = authorization_dialogue,
};

static void
before(const struct service *s)
{
	const struct login_tls_settings tls = {
		.files = {
			.chain_files = settings.pop3d_tls_chain_files,
			.cert_file = settings.pop3d_tls_cert_file,
			.key_file = settings.pop3d_tls_key_file,
			.eccert_file = settings.pop3d_tls_eccert_file,
			.eckey_file = settings.pop3d_tls_eckey_file,
		},
		.protocols = settings.pop3d_tls_protocols,
		.ciphers = settings.pop3d_tls_ciphers,
		.command = "STLS",
	};

	stage.wrapped = settings.pop3d_tls_wrappermode;
	stage.connections = settings.pop3d_client_connection_count_limit;
	stage.login_timeout_s = settings.pop3_login_timeout;
	stage.session_timeout_s = settings.pop3_timeout;
	login_setup(&stage, s, &tls);
}

static void
session(const struct service *service, int fd)
{
	struct authorization a = {
		.login = { .stage = &stage },
		.params = &settings,
	};

	(void)service;
	login_serve(&a.login, fd);
	free(a.user);
}

int
main(int argc, char **argv)
{
	static const struct login_program program = {
		.program = "pop3d",
		.stage = &stage,
		.group = &pop3d_param_group,
		.settings = &settings,
		.before = before,
		.session = session,
	};

	return login_main(&program, argc, argv);
}
