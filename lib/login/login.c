/* SPDX-License-Identifier: ISC */
#include "lib/login/login.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/service/remote_key.h"
#include "lib/task/task.h"
#include "lib/tls/tls_kept.h"
#include "lib/tls/tls_settings.h"

enum {
	RELAY_EXTRA_S = 60,
	EVENT_CONNECT = 0, /* of the counters */
	UNIT_MS = 60000,
	IPV4_BITS = 32,
	IPV6_BITS = 64,
};

void
login_setup(struct login_stage *stage, const struct service *s,
    const struct login_tls_settings *tls)
{
	const struct tls_server_settings t = {
		.files = tls->files,
		.sign = remote_key_sign,
		.chain_of = remote_key_chain,
		.chain_end = remote_key_chain_end,
		.tickets = remote_key_tickets,
		.protocols = tls->protocols,
		.ciphers = tls->ciphers,
		.alpn = stage->service,
		.session_id_context = s->name,
	};
	bool wanted = stage->wrapped || t.files.chain_files[0] != '\0' ||
	    t.files.cert_file[0] != '\0' || t.files.eccert_file[0] != '\0';
	const char *error = "";

	client_counts_open(stage->common->data_directory, s->program, s->name);
	service_certificates();
	if (wanted)
		stage->tls = tls_server_new(&t, &error);
	tls_kept_drop();
	if (!wanted)
		return;
	if (stage->tls != NULL)
		return;
	if (stage->wrapped)
		fatal("TLS: %s", error);
	log_warning("%s; %s is not offered", error, tls->command);
}

static bool
handshake(struct login *l)
{
	if (stream_tls_accept(l->io, l->stage->tls) == IO_OK) {
		l->secure = true;
		return true;
	}
	log_info("TLS handshake failed: client=[%s], session=%s: %s", l->client,
	    l->id, stream_error(l->io));
	l->end = "no TLS";
	l->done = true;
	return false;
}

bool
login_start_tls(struct login *l, const char *command, const char *answer)
{
	size_t early = stream_discard(l->io);

	if (early > 0)
		log_warning("%zu bytes sent behind %s by [%s] are ignored,"
			    " session=%s",
		    early, command, l->client, l->id);
	stream_text(l->io, answer);
	if (stream_flush(l->io) == IO_OK)
		return handshake(l);
	login_broken(l, IO_ERROR);
	l->done = true;
	return false;
}

void
login_too_many(struct login *l, const char *what, const char *setting)
{
	log_warning("too many %s from [%s], session=%s: see %s", what,
	    l->client, l->id, setting);
	l->end = setting;
	l->done = true;
}

bool
login_is_http(struct login *l, struct span word)
{
	/* "Host:", where the request itself was too long a line */
	static const char *const words[] = { "GET", "POST", "HEAD", "PUT",
		"DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "Host:" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_is(word, words[i])) {
			log_warning("HTTP from [%s], session=%s", l->client,
			    l->id);
			l->end = "HTTP";
			l->done = true;
			return true;
		}
	return false;
}

void
login_broken(struct login *l, enum io result)
{
	l->end = result == IO_TIMEOUT ? l->stage->timeout :
	    result == IO_LONG         ? "line too long" :
	    result == IO_CANCELLED    ? "the server stops" :
					stream_error(l->io);
}

static void
identify(struct login *l, int fd)
{
	struct address *a = &l->address;

	queue_id_mint(l->id);
	a->length = sizeof(*a) - offsetof(struct address, any);
	if (getpeername(fd, &a->any, &a->length) == 0) {
		address_normalise(a);
		address_host(a, l->client);
	} else {
		a->any.sa_family = AF_UNSPEC;
		memcpy(l->client, "unknown", 8);
	}
}

/*
 * One client must not have all the sessions there are. Ahead of TLS there is
 * no telling it why.
 */
static bool
within_limit(struct login *l)
{
	int64_t most = l->stage->connections;
	struct client_key key;

	if (most == 0 || !address_is_ip(&l->address))
		return true;
	client_key_of(&l->address, IPV4_BITS, IPV6_BITS, &key);
	l->count = client_counts_connect(&key, EVENT_CONNECT, UNIT_MS);
	if (l->count.open <= most)
		return true;
	log_warning("Connection concurrency limit exceeded: [%s],"
		    " session=%s: see %s",
	    l->client, l->id, l->stage->connection_limit);
	l->end = l->stage->connection_limit;
	if (l->stage->wrapped)
		return false;
	l->stage->say(l, LOGIN_CROWD);
	stream_flush(l->io);
	return false;
}

/*
 * A client that goes before it has logged in. What comes after the login is
 * the session stage's to log, but for what only we see: TLS.
 */
static void
log_end(const struct login *l)
{
	if (!l->handed_over)
		log_info("disconnect client=[%s], session=%s, no login,"
			 " reason=(%s)",
		    l->client, l->id, l->end != NULL ? l->end : "unknown");
	else if (l->end != NULL)
		log_info("disconnect client=[%s], session=%s, reason=(%s)",
		    l->client, l->id, l->end);
}

/* A connection that was handed over stays open: the loop must forget it. */
static void
leave(struct login *l)
{
	int fd;

	if (!l->handed_over || l->relayed) {
		stream_free(&l->io);
		return;
	}
	fd = stream_release(&l->io);
	fd_close(&fd);
}

void
login_serve(struct login *l, int fd)
{
	const struct login_stage *p = l->stage;

	l->session = -1;
	l->tag = "";
	identify(l, fd);
	l->io = stream_new(fd);
	stream_timeout(l->io, p->login_timeout_s * 1000);
	stream_deadline(l->io, clock_in(p->login_timeout_s));
	if (within_limit(l) && (!p->wrapped || handshake(l)))
		p->dialogue(l);
	if (l->relayed) {
		stream_deadline(l->io, 0);
		l->end = relay_run(l->io, l->session,
		    (p->session_timeout_s + RELAY_EXTRA_S) * 1000);
	} else if (!l->handed_over) {
		stream_flush(l->io);
	}
	log_end(l);
	client_counts_disconnect(&l->count);
	if (l->session != -1)
		wait_forget(l->session);
	fd_close(&l->session);
	leave(l);
}
