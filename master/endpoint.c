/* SPDX-License-Identifier: ISC */
#include "master/endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/net/port.h"

enum {
	ENDPOINTS_MAX = 64, /* of one service */
	BACKLOG = 4096, /* the kernel has its own maximum */
};

struct search {
	const struct common_params *common;
	struct arena *arena;
	struct endpoints *out;
	struct buf *error;
	uint16_t port;
};

static bool
protocol_wanted(const struct search *s, int family)
{
	struct span rest = span_of(s->common->inet_protocols), item;

	while (conf_list_next(&rest, &item))
		if (span_is(item, "all") ||
		    span_is(item, family == AF_INET ? "ipv4" : "ipv6"))
			return true;
	return false;
}

static bool
add(struct search *s, const struct endpoint *e)
{
	if (s->out->count == ENDPOINTS_MAX) {
		buf_printf(s->error, "more than %d addresses", ENDPOINTS_MAX);
		return false;
	}
	for (size_t i = 0; i < s->out->count; i++)
		if (strcmp(s->out->list[i].text, e->text) == 0)
			return true;
	s->out->list[s->out->count++] = *e;
	return true;
}

static bool
add_address(struct search *s, struct address *a, bool optional)
{
	struct endpoint e = { .type = SERVICE_INET, .optional = optional };
	char host[ADDRESS_TEXT_MAX];
	bool six = a->any.sa_family == AF_INET6;

	if (!protocol_wanted(s, a->any.sa_family))
		return true;
	address_host(a, host);
	e.address = *a;
	e.text = arena_printf(s->arena, six ? "[%s]:%u" : "%s:%u", host,
	    (unsigned int)s->port);
	return add(s, &e);
}

static bool
add_ip(struct search *s, const char *ip, bool optional)
{
	struct address a;

	return address_parse_ip(span_of(ip), s->port, &a) &&
	    add_address(s, &a, optional);
}

/* A host name stands for all its addresses. */
static bool
add_host(struct search *s, struct span host)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found, *i;
	char *name;
	struct address a;
	bool fine = true;
	int r;

	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = (struct span){ host.p + 1, host.n - 2 };
	if (address_parse_ip(host, s->port, &a))
		return add_address(s, &a, false);
	name = arena_span(s->arena, host);
	r = getaddrinfo(name, NULL, &hints, &found);
	if (r != 0) {
		buf_printf(s->error, "host name \"%s\": %s", name,
		    gai_strerror(r));
		return false;
	}
	for (i = found; fine && i != NULL; i = i->ai_next) {
		memset(&a, 0, sizeof(a));
		if (i->ai_family != AF_INET && i->ai_family != AF_INET6)
			continue;
		memcpy(&a.any, i->ai_addr, i->ai_addrlen);
		a.length = i->ai_addrlen;
		if (i->ai_family == AF_INET)
			a.v4.sin_port = htons(s->port);
		else
			a.v6.sin6_port = htons(s->port);
		fine = add_address(s, &a, false);
	}
	freeaddrinfo(found);
	return fine;
}

static bool
add_interfaces(struct search *s)
{
	struct span rest = span_of(s->common->inet_interfaces), item;

	while (conf_list_next(&rest, &item)) {
		bool fine;

		if (span_is_nocase(item, "all"))
			fine = add_ip(s, "0.0.0.0", false) &&
			    add_ip(s, "::", true);
		else if (span_is_nocase(item, "loopback-only"))
			fine = add_ip(s, "127.0.0.1", false) &&
			    add_ip(s, "::1", true);
		else
			fine = add_host(s, item);
		if (!fine)
			return false;
	}
	if (s->out->count > 0)
		return true;
	buf_printf(s->error,
	    "no address to listen on: see inet_interfaces "
	    "and inet_protocols");
	return false;
}

static bool
find_port(struct search *s, struct span text)
{
	s->port = port_of(text);
	if (s->port == 0)
		buf_printf(s->error,
		    "\"%.*s\" is neither a port number nor a name "
		    "in " PORT_NAMES_FILE,
		    SPAN_ARG(text));
	return s->port != 0;
}

static bool
find_inet(struct search *s, struct span name)
{
	size_t colon = span_rfind(name, ':');

	if (colon == name.n)
		return find_port(s, name) && add_interfaces(s);
	if (!find_port(s, span_skip(name, colon + 1)))
		return false;
	if (!add_host(s, span_take(name, colon)))
		return false;
	if (s->out->count > 0)
		return true;
	buf_printf(s->error, "this address is not of inet_protocols");
	return false;
}

static bool
find_unix(struct search *s, const struct master_entry *e)
{
	struct endpoint found = { .type = e->type };

	found.path = arena_printf(s->arena, "%s/%s",
	    e->private_service ? "private" : "public", e->name);
	found.text = found.path;
	if (strlen(found.path) < sizeof(found.address.un.sun_path))
		return add(s, &found);
	buf_printf(s->error, "the name is too long for a socket");
	return false;
}

bool
endpoints_find(const struct master_entry *e, const struct common_params *common,
    struct arena *arena, struct endpoints *out, struct buf *error)
{
	struct search s = { .common = common,
		.arena = arena,
		.out = out,
		.error = error };

	out->list = arena_alloc(arena, ENDPOINTS_MAX * sizeof(*out->list));
	out->count = 0;
	return e->type == SERVICE_INET ? find_inet(&s, span_of(e->name)) :
					 find_unix(&s, e);
}

bool
endpoints_of_interfaces(const struct common_params *common, struct arena *arena,
    struct endpoints *out, struct buf *error)
{
	struct search s = { .common = common,
		.arena = arena,
		.out = out,
		.error = error };

	out->list = arena_alloc(arena, ENDPOINTS_MAX * sizeof(*out->list));
	out->count = 0;
	return add_interfaces(&s);
}

int
endpoint_try(const struct endpoint *e)
{
	struct address a = e->address;
	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return -1;
	if (a.any.sa_family == AF_INET)
		a.v4.sin_port = 0;
	else
		a.v6.sin6_port = 0;
	result = bind(fd, &a.any, a.length);
	fd_close(&fd);
	return result;
}

void
endpoint_share(int fd, bool on)
{
	const int value = on;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
}

static int
open_inet(const struct endpoint *e, bool share)
{
	const int on = 1;
	int fd = socket(e->address.any.sa_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	endpoint_share(fd, share);
	if (e->address.any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
		    sizeof(on));
	/* accepted connections inherit these */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (bind(fd, &e->address.any, e->address.length) < 0 ||
	    listen(fd, BACKLOG) < 0)
		fd_close(&fd);
	return fd;
}

bool
endpoints_have(const struct endpoints *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->list[i].text, text) == 0)
			return true;
	return false;
}

static int
open_unix(const struct endpoint *e)
{
	bool datagram = e->type == SERVICE_UNIX_DGRAM;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	mode_t mask = umask(0);
	int fd = socket(AF_UNIX,
	    (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC |
		SOCK_NONBLOCK,
	    0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", e->path);
	if (fd >= 0 && unlink(e->path) < 0 && errno != ENOENT)
		fd_close(&fd);
	if (fd >= 0 &&
	    (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
		(!datagram && listen(fd, BACKLOG) < 0)))
		fd_close(&fd);
	umask(mask);
	return fd;
}

int
endpoint_open(const struct endpoint *e)
{
	return e->type == SERVICE_INET ? open_inet(e, false) : open_unix(e);
}

int
endpoint_open_beside(const struct endpoint *e)
{
	return open_inet(e, true);
}
