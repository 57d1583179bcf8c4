/* SPDX-License-Identifier: ISC */
#include "smtpd/identify.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/mail/mail_address.h"
#include "lib/net/proxy_header.h"
#include "lib/service/ask_resolver.h"

enum { NAME_DEADLINE_S = 15 };

static void
set_name(struct client *c, const char *name, const char *unverified)
{
	/* names of DNS are a stranger's words as well */
	if (name == NULL || !mail_hostname_valid(span_of(name), false))
		name = "unknown";
	if (unverified == NULL ||
	    !mail_hostname_valid(span_of(unverified), false))
		unverified = name;
	c->name = mem_text(name);
	c->unverified_name = mem_text(unverified);
}

static void
look_up_name(struct session *s)
{
	struct client *c = &s->client;
	struct arena *a;
	const char *name = NULL, *unverified = NULL;
	enum dns_result r;

	if (!address_is_ip(&c->address)) {
		set_name(c, "localhost", "localhost");
		return;
	}
	if (!s->p->smtpd_peername_lookup) {
		set_name(c, NULL, NULL);
		return;
	}
	a = arena_new();
	r = resolver_client_name(a, &c->address, clock_in(NAME_DEADLINE_S),
	    &name, &unverified);
	c->name_trouble = r == DNS_AGAIN;
	set_name(c, r == DNS_OK ? name : NULL, unverified);
	arena_free(&a);
}

static enum table_result
match(const struct client_list *l, const struct client *c)
{
	return client_list_match(l, &c->address, span_of(c->address_text),
	    span_of(c->name));
}

/* Most lists are mynetworks by default: asked once. */
static bool
listed(const struct session *s, const struct client_list *l)
{
	if (l == s->config->mynetworks)
		return s->client.mynetworks;
	return match(l, &s->client) == TABLE_FOUND;
}

static void
look_up_lists(struct session *s)
{
	struct client *c = &s->client;
	enum table_result r = match(s->config->mynetworks, c);

	c->mynetworks = r == TABLE_FOUND;
	c->mynetworks_trouble = r == TABLE_AGAIN || r == TABLE_BROKEN;
	c->no_limits = listed(s, s->config->limit_exceptions);
	c->newline_exception = listed(s, s->config->newline_exceptions);
	c->auth_exception = listed(s, s->config->auth_exceptions);
	c->may_xclient = listed(s, s->config->xclient_hosts);
}

void
identify_again(struct session *s)
{
	struct client *c = &s->client;

	free(c->full);
	if (s->p->smtpd_client_port_logging && address_is_ip(&c->address))
		c->full = mem_printf("%s[%s]:%u", c->name, c->address_text,
		    address_port(&c->address));
	else
		c->full = mem_printf("%s[%s]", c->name, c->address_text);
	look_up_lists(s);
}

static void
take_socket(struct client *c, int fd)
{
	c->address.length = sizeof(c->address.un); /* the largest */
	if (getpeername(fd, &c->address.any, &c->address.length) < 0)
		c->address = (struct address){ .length = 0 };
	address_normalise(&c->address);
}

/* The client as the proxy has it. */
static bool
take_header(struct session *s)
{
	struct client *c = &s->client;
	struct proxy_header h;
	const char *why = proxy_header_receive(stream_fd(s->io),
	    clock_in(s->p->smtpd_upstream_proxy_timeout), &h);

	if (why != NULL) {
		log_warning("haproxy read: %s, from %s "
			    "(smtpd_upstream_proxy_protocol)",
		    why, c->address_text);
		return false;
	}
	if (h.direct)
		return true;
	address_normalise(&h.client);
	address_normalise(&h.server);
	c->address = h.client;
	c->server = h.server;
	address_host(&c->address, c->address_text);
	return true;
}

bool
identify_client(struct session *s, int fd)
{
	struct client *c = &s->client;
	bool known = true;

	take_socket(c, fd);
	address_host(&c->address, c->address_text);
	if (s->p->smtpd_upstream_proxy_protocol[0] != '\0')
		known = take_header(s);
	if (known)
		look_up_name(s);
	else
		set_name(c, NULL, NULL);
	identify_again(s);
	c->may_xforward = listed(s, s->config->xforward_hosts);
	return known;
}
