/* SPDX-License-Identifier: ISC */
#include "lib/net/proxy_header.h"

#include <string.h>

/* "The PROXY protocol, versions 1 & 2", sections 2.1 and 2.2. */
enum {
	LINE_MOST = 107, /* with CRLF */
	FIXED = 16, /* before the addresses of version 2 */
	VERSION = 12, /* offsets: version and command, ... */
	FAMILY = 13, /* ... family and transport, ... */
	LENGTH = 14, /* ... bytes that follow, network order */
	LOCAL = 0x20,
	PROXIED = 0x21,
	TCP4 = 0x11,
	TCP6 = 0x21,
	TCP4_BYTES = 12,
	TCP6_BYTES = 36,
};

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
static const char word[] = "PROXY ";

static enum proxy_header_result
bad(const char **why, const char *text)
{
	*why = text;
	return PROXY_HEADER_BAD;
}

/* Does it begin as the text does, as far as it goes? */
static bool
begins(struct span bytes, const char *text, size_t n)
{
	return memcmp(bytes.p, text, bytes.n < n ? bytes.n : n) == 0;
}

static bool
take_address(struct span *rest, int family, struct address *out)
{
	struct span text;

	return span_cut(rest, " ", false, &text) &&
	    address_parse_ip(text, 0, out) && out->any.sa_family == family;
}

static bool
take_port(struct span *rest, struct address *to)
{
	struct span text;
	uint64_t port;

	/* digits and nothing else, none of them a leading zero */
	if (!span_cut(rest, " ", false, &text) ||
	    !span_u64(text, UINT16_MAX, &port) ||
	    (text.n > 1 && text.p[0] == '0'))
		return false;
	if (to->any.sa_family == AF_INET)
		to->v4.sin_port = htons((uint16_t)port);
	else
		to->v6.sin6_port = htons((uint16_t)port);
	return true;
}

/* "TCP4 192.0.2.1 192.0.2.25 40000 25" */
static enum proxy_header_result
parse_line(struct span rest, struct proxy_header *out, const char **why)
{
	struct span family;
	int wanted;

	if (!span_cut(&rest, " ", false, &family))
		return bad(why, "no protocol");
	if (span_is(family, "TCP4"))
		wanted = AF_INET;
	else if (span_is(family, "TCP6"))
		wanted = AF_INET6;
	else
		return bad(why, "protocol is not TCP4 or TCP6");
	if (!take_address(&rest, wanted, &out->client))
		return bad(why, "bad client address");
	if (!take_address(&rest, wanted, &out->server))
		return bad(why, "bad server address");
	if (!take_port(&rest, &out->client))
		return bad(why, "bad client port");
	if (!take_port(&rest, &out->server))
		return bad(why, "bad server port");
	if (rest.n > 0)
		return bad(why, "more than two ports");
	return PROXY_HEADER_OK;
}

static enum proxy_header_result
parse_text(struct span bytes, struct proxy_header *out, const char **why)
{
	struct span line = span_take(bytes, LINE_MOST);
	size_t lf = span_find(line, '\n');

	if (lf == line.n)
		return line.n < LINE_MOST ? PROXY_HEADER_MORE :
					    bad(why, "line too long");
	if (line.p[lf - 1] != '\r')
		return bad(why, "line does not end with CRLF");
	out->length = lf + 1;
	line = span_take(line, lf - 1);
	return parse_line(span_skip(line, sizeof(word) - 1), out, why);
}

static void
set_v4(struct address *a, const char *host, const char *port)
{
	a->length = sizeof(a->v4);
	a->v4.sin_family = AF_INET;
	memcpy(&a->v4.sin_addr, host, sizeof(a->v4.sin_addr));
	memcpy(&a->v4.sin_port, port, sizeof(a->v4.sin_port));
}

static void
set_v6(struct address *a, const char *host, const char *port)
{
	a->length = sizeof(a->v6);
	a->v6.sin6_family = AF_INET6;
	memcpy(&a->v6.sin6_addr, host, sizeof(a->v6.sin6_addr));
	memcpy(&a->v6.sin6_port, port, sizeof(a->v6.sin6_port));
}

static enum proxy_header_result
binary_addresses(struct span block, unsigned char family,
    struct proxy_header *out, const char **why)
{
	const char *p = block.p;

	if (family == TCP4 && block.n >= TCP4_BYTES) {
		set_v4(&out->client, p, p + 8);
		set_v4(&out->server, p + 4, p + 10);
		return PROXY_HEADER_OK;
	}
	if (family == TCP6 && block.n >= TCP6_BYTES) {
		set_v6(&out->client, p, p + 32);
		set_v6(&out->server, p + 16, p + 34);
		return PROXY_HEADER_OK;
	}
	return bad(why,
	    family == TCP4 || family == TCP6 ?
		"addresses are cut short" :
		"protocol is not TCP over IPv4 or IPv6");
}

static enum proxy_header_result
parse_binary(struct span bytes, struct proxy_header *out, const char **why)
{
	const unsigned char *p = (const unsigned char *)bytes.p;
	size_t n;

	if (bytes.n < FIXED)
		return PROXY_HEADER_MORE;
	n = (size_t)p[LENGTH] << 8 | p[LENGTH + 1];
	if (p[VERSION] != LOCAL && p[VERSION] != PROXIED)
		return bad(why, "bad version or command");
	if (n > PROXY_HEADER_MOST - FIXED)
		return bad(why, "header too long");
	if (bytes.n < FIXED + n)
		return PROXY_HEADER_MORE;
	out->length = FIXED + n;
	out->direct = p[VERSION] == LOCAL;
	if (out->direct)
		return PROXY_HEADER_OK;
	return binary_addresses(span_take(span_skip(bytes, FIXED), n),
	    p[FAMILY], out, why);
}

enum proxy_header_result
proxy_header_parse(struct span bytes, struct proxy_header *out,
    const char **why)
{
	memset(out, 0, sizeof(*out));
	if (begins(bytes, word, sizeof(word) - 1))
		return bytes.n < sizeof(word) - 1 ? PROXY_HEADER_MORE :
						    parse_text(bytes, out, why);
	if (begins(bytes, signature, sizeof(signature) - 1))
		return parse_binary(bytes, out, why);
	return bad(why, "no header");
}
