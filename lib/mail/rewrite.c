/* SPDX-License-Identifier: ISC */
#include "lib/mail/rewrite.h"

#include <string.h>

#include "lib/mail/mail_address.h"

struct rewrite_rules
rewrite_rules_of(struct conf *c, const struct common_params *common)
{
	return (struct rewrite_rules){
		.swap_bangpath = conf_is_yes(c, "swap_bangpath"),
		.allow_percent_hack = conf_is_yes(c, "allow_percent_hack"),
		.append_at_myorigin = conf_is_yes(c, "append_at_myorigin") &&
		    *common->myorigin != '\0',
		.append_dot_mydomain = conf_is_yes(c, "append_dot_mydomain"),
		.myorigin = common->myorigin,
		.mydomain = common->mydomain,
	};
}

/* "@one,@two:user@domain": RFC 5321 appendix C says to ignore the route. */
static struct span
without_route(struct span address)
{
	size_t colon;

	if (address.n == 0 || address.p[0] != '@')
		return address;
	colon = span_find(address, ':');
	return colon < address.n ? span_skip(address, colon + 1) : address;
}

/* "local@domain"; what is behind a NUL in either is not of it. */
static const char *
join(struct span local, struct span domain, struct arena *a)
{
	char *text = arena_alloc(a, local.n + domain.n + 2);
	char *p = mempcpy(text, local.p, strnlen(local.p, local.n));

	*p++ = '@';
	p = mempcpy(p, domain.p, strnlen(domain.p, domain.n));
	*p = '\0';
	return text;
}

/* An address without "@": from UUCP's form, or user%domain, or bare. */
static const char *
with_domain(const struct rewrite_rules *r, struct span bare, struct arena *a)
{
	size_t bang = span_find(bare, '!');
	size_t percent = span_rfind(bare, '%');
	struct span site = span_take(bare, bang);
	struct span user = span_skip(bare, bang + 1);

	if (r->swap_bangpath && bang < bare.n)
		return join(user, site, a);
	if (r->allow_percent_hack && percent < bare.n)
		return join(span_take(bare, percent),
		    span_skip(bare, percent + 1), a);
	if (r->append_at_myorigin)
		return join(bare, span_of(r->myorigin), a);
	return arena_span(a, bare);
}

static const char *
mend_domain(const struct rewrite_rules *r, struct span local,
    struct span domain, struct arena *a)
{
	bool literal = domain.n > 0 && domain.p[0] == '[';

	if (r->append_dot_mydomain && !literal && domain.n > 0 &&
	    span_find(domain, '.') == domain.n)
		return arena_printf(a, "%.*s@%.*s.%s", SPAN_ARG(local),
		    SPAN_ARG(domain), r->mydomain);
	if (domain.n > 1 && domain.p[domain.n - 1] == '.' &&
	    domain.p[domain.n - 2] != '.')
		domain = span_take(domain, domain.n - 1);
	return join(local, domain, a);
}

const char *
rewrite_address(const struct rewrite_rules *r, struct span address,
    struct arena *a)
{
	struct span local;
	struct span domain;

	address = without_route(address);
	if (address.n == 0 || span_is(address, "@"))
		return "";
	if (!mail_address_split(address, &local, &domain)) {
		address = span_of(with_domain(r, address, a));
		if (!mail_address_split(address, &local, &domain))
			return address.p;
	}
	return mend_domain(r, local, domain, a);
}

const char *
rewrite_address_within(const struct rewrite_rules *r, struct span address,
    struct arena *a)
{
	const char *text = rewrite_address(r, address, a);

	return strlen(text) <= MAIL_ADDRESS_MAX ? text : arena_span(a, address);
}
