/* SPDX-License-Identifier: ISC */
/*
 * imapd: the IMAP server's login stage.
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
 * A client that fails waits alone: each connection is a task.
 */
#include "imapd/prelogin.h"

static struct imapd_params settings;

static struct login_stage stage = {
	.service = "imap",
	.session_stage = "imapd-session",
	.connection_limit = "imapd_client_connection_count_limit",
	.timeout = "timeout: see imap_login_timeout",
	.say = prelogin_say,
	.dialogue = prelogin_dialogue,
};

static void
before(const struct service *s)
{
	const struct login_tls_settings tls = {
		.files = {
			.chain_files = settings.imapd_tls_chain_files,
			.cert_file = settings.imapd_tls_cert_file,
			.key_file = settings.imapd_tls_key_file,
			.eccert_file = settings.imapd_tls_eccert_file,
			.eckey_file = settings.imapd_tls_eckey_file,
		},
		.protocols = settings.imapd_tls_protocols,
		.ciphers = settings.imapd_tls_ciphers,
		.command = "STARTTLS",
	};

	stage.wrapped = settings.imapd_tls_wrappermode;
	stage.connections = settings.imapd_client_connection_count_limit;
	stage.login_timeout_s = settings.imap_login_timeout;
	stage.session_timeout_s = settings.imap_timeout;
	login_setup(&stage, s, &tls);
}

static void
session(const struct service *service, int fd)
{
	struct prelogin p = {
		.login = { .stage = &stage },
		.params = &settings,
	};

	(void)service;
	login_serve(&p.login, fd);
}

int
main(int argc, char **argv)
{
	static const struct login_program program = {
		.program = "imapd",
		.stage = &stage,
		.group = &imapd_param_group,
		.settings = &settings,
		.before = before,
		.session = session,
	};

	return login_main(&program, argc, argv);
}
