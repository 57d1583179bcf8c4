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
#include "pop3d/login_stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/service/remote_key.h"
#include "lib/service/service.h"
#include "lib/task/task.h"
#include "lib/tls/tls_settings.h"

enum {
	RELAY_EXTRA_S = 60,
	EVENT_CONNECT = 0, /* of the counters */
	UNIT_MS = 60000,
	IPV4_BITS = 32,
	IPV6_BITS = 64,
};

static struct common_params common;
static struct pop3d_params settings;
static struct tls_context *tls;

static void
before(const struct service *s)
{
	const struct tls_server_settings t = {
		.files = {
			.chain_files = settings.pop3d_tls_chain_files,
			.cert_file = settings.pop3d_tls_cert_file,
			.key_file = settings.pop3d_tls_key_file,
			.eccert_file = settings.pop3d_tls_eccert_file,
			.eckey_file = settings.pop3d_tls_eckey_file,
		},
		.sign = remote_key_sign,
		.protocols = settings.pop3d_tls_protocols,
		.ciphers = settings.pop3d_tls_ciphers,
		.alpn = "pop3",
		.session_id_context = s->name,
	};
	bool wanted = settings.pop3d_tls_wrappermode ||
	    t.files.chain_files[0] != '\0' || t.files.cert_file[0] != '\0' ||
	    t.files.eccert_file[0] != '\0';
	const char *error = "";

	client_counts_open(common.data_directory, "pop3d", s->name);
	if (!wanted)
		return;
	tls = tls_server_new(&t, &error);
	if (tls != NULL)
		return;
	if (settings.pop3d_tls_wrappermode)
		fatal("TLS: %s", error);
	log_warning("%s; STLS is not offered", error);
}

/* False: no TLS, and no more to say. */
static bool
begin_wrapped(struct login_stage *s)
{
	enum io r;

	if (!settings.pop3d_tls_wrappermode)
		return true;
	r = stream_tls_accept(s->io, tls);
	if (r == IO_OK) {
		s->secure = true;
		return true;
	}
	log_info("TLS handshake failed: client=[%s], session=%s: %s", s->client,
	    s->id, stream_error(s->io));
	s->end = "no TLS";
	return false;
}

static void
too_many(struct login_stage *s, const char *what, const char *setting)
{
	log_warning("too many %s from [%s], session=%s: see %s", what,
	    s->client, s->id, setting);
	stream_printf(s->io, "-ERR Too many %s, good bye\r\n", what);
	s->end = setting;
	s->done = true;
}

static void
one_command(struct login_stage *s, struct span line)
{
	struct command c;

	if (!command_parse(line, &c) || !login_command(s, &c)) {
		s->errors++;
		stream_text(s->io, "-ERR Unknown command\r\n");
	}
	if (s->done)
		return;
	if (s->errors > settings.pop3_error_limit)
		too_many(s, "errors", "pop3_error_limit");
	else if (s->refused >= settings.pop3_login_limit)
		too_many(s, "failed logins", "pop3_login_limit");
}

static void
dialogue(struct login_stage *s)
{
	struct span line;
	enum io r = IO_OK;

	stream_text(s->io, "+OK Posthaste ready\r\n");
	while (!s->done &&
	    (r = stream_line(s->io, COMMAND_LINE_MAX, &line, NULL)) == IO_OK)
		one_command(s, line);
	if (r == IO_LONG)
		stream_text(s->io, "-ERR Line too long\r\n");
	else if (r == IO_TIMEOUT)
		stream_text(s->io, "-ERR Timeout, good bye\r\n");
	if (r != IO_OK)
		s->end = r == IO_TIMEOUT ? "timeout: see pop3_login_timeout" :
		    r == IO_LONG         ? "line too long" :
		    r == IO_CANCELLED    ? "the server stops" :
					   stream_error(s->io);
	if (!s->relayed)
		stream_flush(s->io);
}

static void
identify(struct login_stage *s, int fd)
{
	struct address *a = &s->address;

	queue_id_mint(s->id);
	a->length = sizeof(*a) - offsetof(struct address, any);
	if (getpeername(fd, &a->any, &a->length) == 0) {
		address_normalise(a);
		address_host(a, s->client);
	} else {
		a->any.sa_family = AF_UNSPEC;
		memcpy(s->client, "unknown", 8);
	}
}

/*
 * One client must not have all the sessions there are. Ahead of TLS there is
 * no telling it why.
 */
static bool
within_limit(struct login_stage *s)
{
	int64_t most = settings.pop3d_client_connection_count_limit;
	struct client_key key;

	if (most == 0 || !address_is_ip(&s->address))
		return true;
	client_key_of(&s->address, IPV4_BITS, IPV6_BITS, &key);
	s->count = client_counts_connect(&key, EVENT_CONNECT, UNIT_MS);
	if (s->count.open <= most)
		return true;
	log_warning("Connection concurrency limit exceeded: [%s],"
		    " session=%s: see pop3d_client_connection_count_limit",
	    s->client, s->id);
	s->end = "pop3d_client_connection_count_limit";
	if (settings.pop3d_tls_wrappermode)
		return false;
	stream_text(s->io,
	    "-ERR [SYS/TEMP] Too many connections from your address\r\n");
	stream_flush(s->io);
	return false;
}

/*
 * A client that goes before it has logged in. What comes after the login is
 * the session stage's to log, but for what only we see: TLS.
 */
static void
log_end(const struct login_stage *s)
{
	if (!s->handed_over)
		log_info("disconnect client=[%s], session=%s, no login,"
			 " reason=(%s)",
		    s->client, s->id, s->end != NULL ? s->end : "unknown");
	else if (s->end != NULL)
		log_info("disconnect client=[%s], session=%s, reason=(%s)",
		    s->client, s->id, s->end);
}

static void
session(const struct service *service, int fd)
{
	struct login_stage s = {
		.common = &common,
		.params = &settings,
		.tls = tls,
		.session = -1,
	};

	(void)service;
	identify(&s, fd);
	s.io = stream_new(fd);
	stream_timeout(s.io, settings.pop3_login_timeout * 1000);
	stream_deadline(s.io, clock_in(settings.pop3_login_timeout));
	if (within_limit(&s) && begin_wrapped(&s))
		dialogue(&s);
	if (s.relayed) {
		stream_deadline(s.io, 0);
		s.end = relay_run(s.io, s.session,
		    (settings.pop3_timeout + RELAY_EXTRA_S) * 1000);
	}
	log_end(&s);
	client_counts_disconnect(&s.count);
	if (s.session != -1)
		wait_forget(s.session);
	fd_close(&s.session);
	stream_free(&s.io);
	free(s.user);
}

int
main(int argc, char **argv)
{
	static const struct service_params params[] = {
		{ &common_param_group, &common },
		{ &pop3d_param_group, &settings },
		{ NULL, NULL },
	};
	static const struct service_spec spec = {
		.program = "pop3d",
		.style = SERVICE_TASKS,
		.params = params,
		.before = before,
		.session = session,
	};

	return service_run(&spec, argc, argv);
}
