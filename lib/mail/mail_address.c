/* SPDX-License-Identifier: ISC */
#include "lib/mail/mail_address.h"

#include <stdio.h>
#include <arpa/inet.h>
#include <string.h>
#include <unistr.h>

bool
mail_address_split(struct span address, struct span *local, struct span *domain)
{
	size_t at = span_rfind(address, '@');

	if (local != NULL)
		*local = span_take(address, at);
	if (domain != NULL)
		*domain = span_skip(address, at + 1);
	return at < address.n;
}

bool
mail_address_is_atom(char c)
{
	static const bool special[256] = { [0 ... ' '] = true,
		['('] = true,
		[')'] = true,
		['<'] = true,
		['>'] = true,
		['['] = true,
		[']'] = true,
		[':'] = true,
		[';'] = true,
		['@'] = true,
		['\\'] = true,
		[','] = true,
		['.'] = true,
		['"'] = true,
		[0x7f] = true };

	return !special[(unsigned char)c];
}

bool
mail_address_is_dot_atom(struct span s)
{
	bool wants_atom = true;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' ? wants_atom : !mail_address_is_atom(s.p[i]))
			return false;
		wants_atom = s.p[i] == '.';
	}
	return !wants_atom;
}

static void
quote_local(struct span local, struct buf *out)
{
	if (mail_address_is_dot_atom(local)) {
		buf_add_span(out, local);
		return;
	}
	buf_add_char(out, '"');
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, local.p[i]);
	}
	buf_add_char(out, '"');
}

bool
mail_address_quote(struct span address, struct buf *out)
{
	struct span local, domain;

	if (address.n == 0)
		return true;
	if (mail_address_split(address, &local, &domain)) {
		quote_local(local, out);
		buf_add_char(out, '@');
		buf_add_span(out, domain);
	} else {
		quote_local(local, out);
	}
	return !out->overflow;
}

const char *
mail_address_shown(const char *address, char out[MAIL_ADDRESS_SHOWN_MAX])
{
	struct buf text = BUF_INIT(MAIL_ADDRESS_SHOWN_MAX - 1);

	(void)mail_address_quote(span_of(address), &text);
	snprintf(out, MAIL_ADDRESS_SHOWN_MAX, "%s", buf_text(&text));
	buf_fini(&text);
	return out;
}

static bool
label_valid(struct span label, bool utf8, bool *digits_only)
{
	if (label.n == 0 || label.n > MAIL_LABEL_MAX || label.p[0] == '-' ||
	    label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++) {
		unsigned char c = (unsigned char)label.p[i];

		if (c >= '0' && c <= '9')
			continue;
		*digits_only = false;
		if (c >= 0x80 ? !utf8 :
				!(c == '-' || c == '_' ||
				    ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')))
			return false;
	}
	return true;
}

bool
mail_hostname_valid(struct span name, bool utf8)
{
	bool digits_only = true;

	if (name.n == 0 || name.n > MAIL_HOSTNAME_MAX ||
	    name.p[name.n - 1] == '.')
		return false;
	while (name.n > 0) {
		size_t n = span_find(name, '.');

		if (!label_valid(span_take(name, n), utf8, &digits_only))
			return false;
		name = span_skip(name, n + 1);
	}
	return !digits_only;
}

bool
mail_literal_valid(struct span domain)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char address[16];
	int family = AF_INET;

	if (domain.n < 3 || domain.p[0] != '[' || domain.p[domain.n - 1] != ']')
		return false;
	domain = span_take(span_skip(domain, 1), domain.n - 2);
	if (span_starts_nocase(domain, "IPv6:")) {
		domain = span_skip(domain, 5);
		family = AF_INET6;
	}
	if (domain.n >= sizeof(text) || span_has_break(domain))
		return false;
	memcpy(text, domain.p, domain.n);
	text[domain.n] = '\0';
	return inet_pton(family, text, address) == 1;
}

bool
mail_is_utf8(struct span s)
{
	return s.n == 0 || u8_check((const uint8_t *)s.p, s.n) == NULL;
}
