/* SPDX-License-Identifier: ISC */
#include "lib/tls/tls_choice.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/span.h"

enum { GROUPS_MAX = 1024 };

/* Kernel TLS is none: a confined program makes no such socket. */
static const struct {
	const char *name;
	uint64_t bit;
} options[] = {
	{ "NO_COMPRESSION", SSL_OP_NO_COMPRESSION },
	{ "NO_RENEGOTIATION", SSL_OP_NO_RENEGOTIATION },
	{ "NO_TICKET", SSL_OP_NO_TICKET },
	{ "NO_SESSION_RESUMPTION_ON_RENEGOTIATION",
	    SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION },
	{ "NO_ENCRYPT_THEN_MAC", SSL_OP_NO_ENCRYPT_THEN_MAC },
	{ "NO_QUERY_MTU", SSL_OP_NO_QUERY_MTU },
	{ "PRIORITIZE_CHACHA", SSL_OP_PRIORITIZE_CHACHA },
	{ "LEGACY_SERVER_CONNECT", SSL_OP_LEGACY_SERVER_CONNECT },
	{ "ALLOW_NO_DHE_KEX", SSL_OP_ALLOW_NO_DHE_KEX },
	{ "ENABLE_MIDDLEBOX_COMPAT", SSL_OP_ENABLE_MIDDLEBOX_COMPAT },
	{ "CRYPTOPRO_TLSEXT_BUG", SSL_OP_CRYPTOPRO_TLSEXT_BUG },
	{ "DONT_INSERT_EMPTY_FRAGMENTS", SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS },
	{ "SAFARI_ECDHE_ECDSA_BUG", SSL_OP_SAFARI_ECDHE_ECDSA_BUG },
	{ "TLSEXT_PADDING", SSL_OP_TLSEXT_PADDING },
	{ "MICROSOFT_SESS_ID_BUG", 0 }, /* of older OpenSSL */
	{ "MICROSOFT_BIG_SSLV3_BUFFER", 0 },
	{ "NETSCAPE_CHALLENGE_BUG", 0 },
	{ "SINGLE_DH_USE", 0 },
	{ "SINGLE_ECDH_USE", 0 },
};

/* "0x20000" */
static bool
hexadecimal(struct span word, uint64_t *mask)
{
	char text[32];
	char *end;

	if (!span_starts_nocase(word, "0x") || word.n >= sizeof(text))
		return false;
	memcpy(text, word.p, word.n);
	text[word.n] = '\0';
	errno = 0;
	*mask = strtoull(text + 2, &end, 16);
	return errno == 0 && *end == '\0' && isxdigit((unsigned char)text[2]);
}

static bool
option(struct span word, uint64_t *mask)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (span_is_nocase(word, options[i].name)) {
			*mask = options[i].bit;
			return true;
		}
	return hexadecimal(word, mask);
}

/* Other bits can turn off what always holds here, or mean nothing. */
static uint64_t
known_bits(void)
{
	uint64_t known = 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		known |= options[i].bit;
	return known;
}

static void
set_options(SSL_CTX *ssl, const char *names, struct buf *doubts)
{
	struct span rest = span_of(names), word;
	const uint64_t known = known_bits();
	uint64_t mask;

	while (span_cut(&rest, ", \t\r\n", true, &word)) {
		const char *between = doubts->n > 0 ? "; " : "";

		if (word.n == 0)
			continue;
		if (!option(word, &mask)) {
			buf_printf(doubts, "%sthere is no TLS option \"%.*s\"",
			    between, SPAN_ARG(word));
			continue;
		}
		if ((mask & ~known) != 0)
			buf_printf(doubts,
			    "%sthere is no TLS option of the bits 0x%llx",
			    between, (unsigned long long)(mask & ~known));
		SSL_CTX_set_options(ssl, mask & known);
	}
}

/* Those that OpenSSL has; it refuses a whole list for one that it has not. */
static void
keep_known(SSL_CTX *ssl, const char *names, struct buf *list)
{
	struct span rest = span_of(names), word;
	struct buf one = BUF_INIT(GROUPS_MAX);

	while (span_cut(&rest, ", \t\r\n:", true, &word)) {
		if (word.n == 0)
			continue;
		buf_reset(&one);
		buf_add(&one, word.p, word.n);
		if (SSL_CTX_set1_groups_list(ssl, buf_text(&one)) != 1)
			continue;
		buf_printf(list, "%s%.*s", list->n > 0 ? ":" : "",
		    SPAN_ARG(word));
	}
	ERR_clear_error();
	buf_fini(&one);
}

static bool
is_empty(const char *text)
{
	return text == NULL || text[strspn(text, ", \t\r\n:")] == '\0';
}

/* Nothing named: what OpenSSL thinks best. */
static bool
set_groups(SSL_CTX *ssl, const struct tls_choice *c, struct buf *error)
{
	struct buf list = BUF_INIT(2 * GROUPS_MAX);
	bool good = true;

	for (size_t i = 0; i < 2; i++)
		if (!is_empty(c->groups[i]))
			keep_known(ssl, c->groups[i], &list);
	if (list.n > 0)
		good = SSL_CTX_set1_groups_list(ssl, buf_text(&list)) == 1;
	else if (!is_empty(c->groups[0]) || !is_empty(c->groups[1]))
		good = false;
	if (!good)
		buf_printf(error,
		    "OpenSSL has none of the groups \"%s\", \"%s\"",
		    c->groups[0] != NULL ? c->groups[0] : "",
		    c->groups[1] != NULL ? c->groups[1] : "");
	buf_fini(&list);
	return good;
}

bool
tls_choice_apply(SSL_CTX *ssl, const struct tls_choice *c, struct buf *doubts,
    struct buf *error)
{
	if (c->depth_set)
		SSL_CTX_set_verify_depth(ssl, c->depth);
	if (c->options != NULL)
		set_options(ssl, c->options, doubts);
	return set_groups(ssl, c, error);
}
