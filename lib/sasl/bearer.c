/* SPDX-License-Identifier: ISC */
#include "lib/sasl/bearer.h"

#include <string.h>

#include "lib/base/buf.h"

static const char separator = '\x01';

bool
bearer_kind_of(struct span mechanism, enum bearer_kind *kind)
{
	*kind = BEARER_OAUTHBEARER;
	if (span_is_nocase(mechanism, "OAUTHBEARER"))
		return true;
	*kind = BEARER_XOAUTH2;
	return span_is_nocase(mechanism, "XOAUTH2");
}

/* RFC 6750 section 2.1: b64token */
static bool
take_token(struct span value, struct bearer *out)
{
	static const char others[] = "-._~+/";
	size_t i = 0;

	if (!span_starts_nocase(value, "Bearer "))
		return false;
	value = span_skip(value, 7);
	while (value.n > 0 && value.p[0] == ' ')
		value = span_skip(value, 1);
	if (value.n == 0 || value.n > BEARER_TOKEN_MAX)
		return false;
	for (; i < value.n && value.p[i] != '='; i++) {
		char c = value.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	if (i == 0)
		return false;
	for (; i < value.n; i++)
		if (value.p[i] != '=')
			return false;
	out->token = value;
	return true;
}

/* RFC 5801 section 4: "=2C" and "=3D" stand for comma and equals sign. */
static bool
take_saslname(struct span name, struct bearer *out)
{
	size_t n = 0;

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (c == '\0' || n + 1 >= sizeof(out->user))
			return false;
		if (c == '=') {
			struct span code = span_take(span_skip(name, i + 1), 2);

			if (span_is(code, "2C"))
				c = ',';
			else if (!span_is(code, "3D"))
				return false;
			i += 2;
		}
		out->user[n++] = c;
	}
	out->user[n] = '\0';
	return n > 0;
}

static bool
take_user(struct span name, struct bearer *out)
{
	if (name.n == 0 || name.n >= sizeof(out->user) ||
	    span_find(name, '\0') < name.n)
		return false;
	memcpy(out->user, name.p, name.n);
	out->user[name.n] = '\0';
	return true;
}

/* "n,a=user@example.com," */
static const char *
take_gs2_header(struct span *message, struct bearer *out)
{
	struct span flag, identity;
	size_t at = span_find(*message, ',');

	flag = span_take(*message, at);
	*message = span_skip(*message, at + 1);
	if (!span_is(flag, "n") && !span_is(flag, "y"))
		return "channel binding is not offered";
	at = span_find(*message, ',');
	identity = span_take(*message, at);
	if (at == message->n)
		return "malformed: no end of its header";
	*message = span_skip(*message, at + 1);
	if (identity.n > 0 &&
	    (!span_starts(identity, "a=") ||
		!take_saslname(span_skip(identity, 2), out)))
		return "malformed: no name";
	return NULL;
}

/* "auth=Bearer vF9dft4qmT", and others that do not count here. */
static const char *
take_pair(enum bearer_kind kind, struct span pair, struct bearer *out)
{
	size_t at = span_find(pair, '=');
	struct span name = span_take(pair, at);
	struct span value = span_skip(pair, at + 1);

	if (at == pair.n || at == 0)
		return "malformed: no pair";
	if (span_is_nocase(name, "auth"))
		return out->token.p == NULL && take_token(value, out) ?
		    NULL :
		    "malformed: no token that could be one";
	if (kind == BEARER_XOAUTH2 && span_is_nocase(name, "user"))
		return out->user[0] == '\0' && take_user(value, out) ?
		    NULL :
		    "malformed: no name";
	return NULL;
}

static const char *
take_pairs(enum bearer_kind kind, struct span rest, struct bearer *out)
{
	const char *error = NULL;
	unsigned int count = 0;
	size_t at;

	while (error == NULL && (at = span_find(rest, separator)) > 0) {
		if (at == rest.n || ++count > BEARER_PAIRS_MAX)
			return "malformed: no end";
		error = take_pair(kind, span_take(rest, at), out);
		rest = span_skip(rest, at + 1);
	}
	/* an empty pair is the end, and the last byte */
	if (error == NULL && rest.n != 1)
		return "malformed: bytes behind its end, or none";
	return error;
}

bool
bearer_parse(enum bearer_kind kind, struct span message, struct bearer *out,
    const char **error)
{
	struct bearer found = { "", { NULL, 0 } };

	*error = NULL;
	if (kind == BEARER_OAUTHBEARER) {
		*error = take_gs2_header(&message, &found);
		if (*error == NULL &&
		    (message.n == 0 || message.p[0] != separator))
			*error = "malformed: no separator";
		message = span_skip(message, 1);
	}
	if (*error == NULL)
		*error = take_pairs(kind, message, &found);
	if (*error == NULL && found.token.p == NULL)
		*error = "malformed: no token";
	if (*error == NULL && kind == BEARER_XOAUTH2 && found.user[0] == '\0')
		*error = "malformed: no name";
	if (*error != NULL)
		return false;
	*out = found;
	return true;
}

static void
add_pair(struct buf *out, const char *name, const char *value)
{
	if (value[0] == '\0')
		return;
	buf_printf(out, "%s\"%s\":\"", out->n > 1 ? "," : "", name);
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '"' || c == '\\')
			buf_add_char(out, '\\');
		if (c < ' ')
			buf_printf(out, "\\u%04x", c);
		else
			buf_add_char(out, (char)c);
	}
	buf_add_char(out, '"');
}

/* XOAUTH2 has HTTP's codes, RFC 6750 section 3.1. */
static const char *
http_status(const char *status)
{
	if (strcmp(status, "invalid_request") == 0)
		return "400";
	return strcmp(status, "insufficient_scope") == 0 ? "403" : "401";
}

void
bearer_refusal(enum bearer_kind kind, const char *status, const char *scope,
    const char *configuration, struct buf *out)
{
	bool old = kind == BEARER_XOAUTH2;

	buf_reset(out);
	buf_add_char(out, '{');
	add_pair(out, "status", old ? http_status(status) : status);
	if (old)
		add_pair(out, "schemes", "Bearer");
	add_pair(out, "scope", scope);
	if (!old)
		add_pair(out, "openid-configuration", configuration);
	buf_add_char(out, '}');
}
