/* SPDX-License-Identifier: ISC */
#include "lib/table/wire.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/connect.h"

enum { RETRY_LONGEST_MS = 60000, ERROR_MAX = 1024 };

/* "host:port" or "[address]:port", both not empty. */
static bool
split(struct span text, struct span *host, struct span *port)
{
	size_t colon = span_rfind(text, ':');

	*host = span_take(text, colon);
	*port = span_skip(text, colon + 1);
	if (host->n > 2 && host->p[0] == '[' && host->p[host->n - 1] == ']')
		*host = (struct span){ host->p + 1, host->n - 2 };
	return colon < text.n && host->n > 0 && port->n > 0;
}

bool
wire_init(struct wire *w, struct span endpoint, int64_t timeout_ms,
    int64_t idle_ms, struct buf *error)
{
	struct span host, port;
	bool fine;

	if (span_starts(endpoint, "unix:"))
		fine = endpoint.n > 5;
	else
		fine = span_starts(endpoint, "inet:") &&
		    split(span_skip(endpoint, 5), &host, &port);
	if (!fine) {
		buf_printf(error,
		    "\"%.*s\": inet:host:port or unix:/path is wanted",
		    SPAN_ARG(endpoint));
		return false;
	}
	*w = (struct wire){ .timeout_ms = timeout_ms, .idle_ms = idle_ms };
	server_set_init(&w->servers, endpoint, "");
	buf_init(&w->error, ERROR_MAX);
	return true;
}

static void
hang_up(struct server *server)
{
	struct stream *s = server->connection;

	server->connection = NULL;
	stream_free(&s);
}

void
wire_fini(struct wire *w)
{
	for (size_t i = 0; i < w->servers.count; i++)
		hang_up(&w->servers.servers[i]);
	server_set_fini(&w->servers);
	buf_fini(&w->error);
}

static void
keep(struct wire_host *h, const struct addrinfo *list)
{
	h->count = 0;
	h->found = clock_ms();
	for (const struct addrinfo *i = list;
	     i != NULL && h->count < WIRE_ADDRESSES; i = i->ai_next) {
		struct address *a = &h->addresses[h->count];

		if (i->ai_addrlen > sizeof(a->v6))
			continue;
		*a = (struct address){ .length = i->ai_addrlen };
		memcpy(&a->any, i->ai_addr, i->ai_addrlen);
		h->count++;
	}
}

/* 0, or the code of getaddrinfo(3). */
static int
find_host(struct wire_host *h, const char *name, const char *service)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST };
	struct addrinfo *list = NULL;
	int64_t age = clock_ms() - h->found;
	int code;

	if (h->count > 0 && age < WIRE_FRESH_MS)
		return 0;
	code = getaddrinfo(name, service, &hints, &list);
	if (code == EAI_NONAME) {
		hints.ai_flags = 0;
		code = getaddrinfo(name, service, &hints, &list);
	}
	if (code == 0)
		keep(h, list);
	else if (h->count > 0 && age < WIRE_KEPT_MS)
		code = 0;
	if (list != NULL)
		freeaddrinfo(list);
	return code;
}

static int
connect_first(const struct wire_host *h, int64_t deadline)
{
	int fd = -1;

	for (size_t i = 0; i < h->count && fd < 0; i++) {
		int64_t now = clock_ms(), left = deadline - now;
		int64_t others = (int64_t)(h->count - i);

		/* one that swallows all leaves time for each of the others */
		fd = connect_address(&h->addresses[i], NULL,
		    left > 0 ? now + left / others : deadline);
	}
	return fd;
}

static int
connect_inet(struct wire *w, struct span endpoint, int64_t deadline)
{
	struct span host, port;
	char *name, *service;
	int fd = -1, code;

	if (!split(endpoint, &host, &port))
		return -1;
	name = mem_span_text(host);
	service = mem_span_text(port);
	code = find_host(&w->host, name, service);
	if (code != 0)
		buf_printf(&w->error, "%s: %s", name, gai_strerror(code));
	else if ((fd = connect_first(&w->host, deadline)) < 0)
		buf_add_text(&w->error, strerror(errno));
	free(name);
	free(service);
	return fd;
}

static int
connect_server(struct wire *w, const struct server *server, int64_t deadline)
{
	int fd;

	if (!server->local)
		return connect_inet(w, span_of(server->name + 5), deadline);
	fd = connect_unix(server->name + 5, deadline);
	if (fd < 0)
		buf_add_text(&w->error, strerror(errno));
	return fd;
}

static bool
ready(struct wire *w, struct server *server, int64_t deadline)
{
	int fd;

	if (server->connection != NULL &&
	    (clock_ms() - server->used > w->idle_ms ||
		stream_readable(server->connection)))
		hang_up(server);
	if (server->connection != NULL)
		return true;
	fd = connect_server(w, server, deadline);
	if (fd >= 0)
		server->connection = stream_new(fd);
	return fd >= 0;
}

static enum io
exchange(struct stream *s, struct span question, int64_t deadline,
    wire_read *read, void *with)
{
	enum io r;

	stream_deadline(s, deadline);
	r = stream_write(s, question.p, question.n);
	if (r == IO_OK)
		r = stream_flush(s);
	return r == IO_OK ? read(s, with) : r;
}

static bool
ask_server(struct wire *w, struct server *server, struct span question,
    wire_read *read, void *with)
{
	int64_t deadline = clock_ms() + w->timeout_ms;
	enum io r = IO_ERROR;
	bool kept = true;

	for (int i = 0; i < 2 && kept && r != IO_OK; i++) {
		kept = server->connection != NULL;
		buf_reset(&w->error);
		if (!ready(w, server, deadline))
			break;
		r = exchange(server->connection, question, deadline, read,
		    with);
		if (r == IO_OK)
			break;
		buf_add_text(&w->error,
		    r == IO_LONG ? "malformed answer" :
				   stream_error(server->connection));
		hang_up(server);
		/* it was there, and silent: no second time */
		if (r == IO_TIMEOUT)
			break;
	}
	return r == IO_OK;
}

bool
wire_ask(struct wire *w, struct span question, wire_read *read, void *with,
    struct buf *why)
{
	struct server *server;
	int64_t start = clock_ms();
	bool fine;

	server_set_begin(&w->servers);
	server = server_set_next(&w->servers, start, 0);
	fine = server != NULL && ask_server(w, server, question, read, with);
	if (fine) {
		server->used = clock_ms();
		server->down_until = 0;
		return true;
	}
	if (server != NULL)
		server_failed(server, clock_ms(), clock_ms() - start,
		    RETRY_LONGEST_MS);
	buf_printf(why, "%s: %s", w->servers.servers[0].name,
	    buf_text(&w->error));
	return false;
}
