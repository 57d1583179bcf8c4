/* SPDX-License-Identifier: ISC */
#include "lib/mail/destination.h"

#include <idn2.h>
#include <string.h>

#include "lib/mail/mail_address.h"
#include "lib/net/address.h"
#include "lib/net/port.h"

/* The host as DNS knows it; NULL for what is no name and no address. */
static const char *
ascii_host(struct arena *a, struct span host)
{
	const char *text = arena_span(a, host);
	struct address ip;
	char *ascii = NULL;

	if (address_parse_ip(host, 0, &ip))
		return text;
	if (span_starts_nocase(host, "IPv6:") &&
	    address_parse_ip(span_skip(host, 5), 0, &ip))
		return text + 5;
	if (!mail_hostname_valid(host, true))
		return NULL;
	if (span_is_ascii(host))
		return text;
	if (idn2_lookup_u8((const uint8_t *)text, (uint8_t **)&ascii,
		IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
		return NULL;
	text = arena_text(a, ascii);
	idn2_free(ascii);
	return text;
}

/* Cuts ":port" off the end of what may be "host:port". */
static bool
take_port(struct span *s, struct destination *d)
{
	size_t colon = span_rfind(*s, ':');

	if (colon == s->n)
		return true;
	d->port = port_of(span_skip(*s, colon + 1));
	d->port_given = true;
	*s = span_take(*s, colon);
	return d->port != 0;
}

static bool
parse_brackets(struct span s, struct span *host, struct destination *d)
{
	size_t close = span_find(s, ']');
	struct span rest;

	if (close == s.n)
		return false;
	*host = span_skip(span_take(s, close), 1);
	rest = span_skip(s, close + 1);
	d->mx = false;
	if (rest.n == 0)
		return true;
	return rest.p[0] == ':' && take_port(&rest, d) && rest.n == 0;
}

static bool
parse_one(struct arena *a, struct span s, bool lmtp, uint16_t default_port,
    struct destination *d)
{
	struct span host = s;

	memset(d, 0, sizeof(*d));
	d->text = arena_span(a, s);
	d->port = default_port;
	d->mx = !lmtp;
	d->host = "";
	if (span_starts(s, "unix:")) {
		d->path = d->text + 5;
		d->mx = false;
		return d->path[0] != '\0';
	}
	if (span_starts(s, "inet:")) {
		host = s = span_skip(s, 5);
		d->mx = false;
	}
	if (s.n > 0 && s.p[0] == '[') {
		if (!parse_brackets(s, &host, d))
			return false;
	} else if (!take_port(&host, d)) {
		return false;
	}
	d->host = ascii_host(a, host);
	return d->host != NULL;
}

size_t
destination_parse(struct arena *a, const char *nexthop, bool lmtp,
    uint16_t default_port, struct destination out[DESTINATIONS_MAX],
    struct span *bad)
{
	struct span rest = span_of(nexthop), part;
	size_t n = 0;

	while (
	    n < DESTINATIONS_MAX && span_cut(&rest, ", \t\r\n", true, &part)) {
		if (part.n == 0)
			continue;
		*bad = part;
		if (!parse_one(a, part, lmtp, default_port, &out[n++]))
			return 0;
	}
	return n;
}
