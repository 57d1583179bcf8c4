/* SPDX-License-Identifier: ISC */
#include "smtpd/attributes.h"

#include <string.h>

#include "lib/mail/mail_address.h"
#include "lib/mail/xtext.h"
#include "lib/net/address.h"

static const char v6_prefix[] = "IPV6:";

static bool
is_name(struct span value)
{
	return mail_hostname_valid(value, false);
}

/* "192.0.2.1", "IPV6:2001:db8::1"; as RFC 5321 section 4.1.3 has them. */
static bool
is_address(struct span value)
{
	bool v6 = span_starts_nocase(value, v6_prefix);
	struct address a;

	if (v6)
		value = span_skip(value, sizeof(v6_prefix) - 1);
	return address_parse_ip(value, 0, &a) &&
	    a.any.sa_family == (v6 ? AF_INET6 : AF_INET);
}

static bool
is_protocol(struct span value)
{
	return span_is_nocase(value, "SMTP") || span_is_nocase(value, "ESMTP");
}

static bool
is_port(struct span value)
{
	uint64_t port;

	return value.n <= 5 && span_u64(value, UINT16_MAX, &port);
}

static bool
is_source(struct span value)
{
	return span_is_nocase(value, "LOCAL") ||
	    span_is_nocase(value, "REMOTE");
}

static bool
is_word(struct span value)
{
	return value.n > 0;
}

static const struct known {
	const char *name;
	unsigned int commands;
	bool (*check)(struct span value);
} known[ATTRIBUTE_COUNT] = {
#define ATTRIBUTE(name, commands, check) { #name, commands, check },
#include "smtpd/attributes.def"
#undef ATTRIBUTE
};

static bool
refuse(struct buf *reply, const char *text)
{
	buf_add_text(reply, text);
	return false;
}

static bool
bad_value(struct buf *reply, const struct known *k, struct span value)
{
	buf_printf(reply, "501 5.5.4 Bad %s syntax: %.*s", k->name,
	    SPAN_ARG(value));
	return false;
}

/* Nothing that could end a line or hide one in the log. */
static bool
take_value(struct attribute *a, const struct known *k, struct span value,
    struct buf *reply)
{
	a->given = true;
	a->for_now = span_is_nocase(value, "[TEMPUNAVAIL]");
	a->unavailable = a->for_now || span_is_nocase(value, "[UNAVAILABLE]");
	a->text[0] = '\0';
	if (a->unavailable)
		return true;
	if (!k->check(value))
		return bad_value(reply, k, value);
	if (k->check == is_address && span_starts_nocase(value, v6_prefix))
		value = span_skip(value, sizeof(v6_prefix) - 1);
	memcpy(a->text, value.p, value.n);
	a->text[value.n] = '\0';
	return true;
}

static bool
take_attribute(struct span word, enum attribute_command command,
    struct attributes *out, struct buf *reply)
{
	size_t equal = span_find(word, '=');
	struct span name = span_take(word, equal);
	struct span coded = span_skip(word, equal + 1);
	struct buf value = BUF_INIT(ATTRIBUTE_MAX);
	bool good = false;
	size_t i = 0;

	if (coded.n == 0)
		return refuse(reply,
		    "501 5.5.4 Error: attribute=value expected");
	while (i < ATTRIBUTE_COUNT &&
	    !((known[i].commands & command) &&
		span_is_nocase(name, known[i].name)))
		i++;
	if (coded.n > ATTRIBUTE_MAX)
		refuse(reply, "501 5.5.4 Error: attribute value too long");
	else if (!xtext_decode(coded, &value) ||
	    span_has_control(buf_span(&value)) ||
	    !mail_is_utf8(buf_span(&value)))
		refuse(reply, "501 5.5.4 Bad attribute value syntax");
	else if (i == ATTRIBUTE_COUNT)
		buf_printf(reply, "501 5.5.4 Bad %s attribute name: %.*s",
		    command == FOR_XCLIENT ? "XCLIENT" : "XFORWARD",
		    (int)(name.n < 100 ? name.n : 100), name.p);
	else
		good = take_value(&out->list[i], &known[i], buf_span(&value),
		    reply);
	buf_fini(&value);
	return good;
}

bool
attributes_parse(struct span arguments, enum attribute_command command,
    struct attributes *out, struct buf *reply)
{
	struct span rest = span_trim(arguments), word;

	memset(out, 0, sizeof(*out));
	if (rest.n == 0) {
		buf_printf(reply, "501 5.5.4 Syntax: %s attribute=value...",
		    command == FOR_XCLIENT ? "XCLIENT" : "XFORWARD");
		return false;
	}
	while (span_cut(&rest, " \t", true, &word))
		if (!take_attribute(word, command, out, reply))
			return false;
	return true;
}

void
attributes_names(enum attribute_command command, struct buf *out)
{
	const char *blank = "";

	for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
		if (known[i].commands & command) {
			buf_printf(out, "%s%s", blank, known[i].name);
			blank = " ";
		}
}
