/* SPDX-License-Identifier: ISC */
/* Restrictions on the form of names, and on what DNS says of them. */
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/why.h"
#include "lib/mail/mail_address.h"
#include "lib/mail/resolve.h"
#include "lib/net/address.h"
#include "lib/service/ask_resolver.h"
#include "smtpd/ask.h"
#include "smtpd/checks.h"

enum { DNS_DEADLINE_S = 30 };

/* A stranger's name may have a dot at the end. */
static struct span
without_dot(struct span name)
{
	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	return name;
}

static bool
is_literal(struct span name)
{
	return name.n > 0 && name.p[0] == '[';
}

enum decision
check_helo_valid(struct evaluation *e, const char *argument)
{
	struct address bare;
	struct span name;

	(void)argument;
	if (e->helo == NULL)
		return DUNNO;
	name = without_dot(span_of(e->helo));
	/* an address without brackets is what other checks may refuse */
	if (is_literal(name) ?
		mail_literal_valid(name) :
		mail_hostname_valid(name, e->s->p->smtputf8_enable) ||
		    address_parse_ip(name, 0, &bare))
		return DUNNO;
	return refuse_stage(e, STAGE_HELO,
	    (int)e->s->p->invalid_hostname_reject_code, "5.5.2",
	    "Invalid name");
}

static bool
is_fqdn(const struct evaluation *e, struct span name)
{
	return mail_hostname_valid(name, e->s->p->smtputf8_enable) &&
	    span_find(name, '.') < name.n;
}

enum decision
check_helo_fqdn(struct evaluation *e, const char *argument)
{
	struct span name;

	(void)argument;
	if (e->helo == NULL)
		return DUNNO;
	name = without_dot(span_of(e->helo));
	if (is_literal(name) ? mail_literal_valid(name) : is_fqdn(e, name))
		return DUNNO;
	return refuse_stage(e, STAGE_HELO, (int)e->s->p->non_fqdn_reject_code,
	    "5.5.2", "need fully-qualified hostname");
}

static enum decision
address_fqdn(struct evaluation *e, enum stage about, const char *address)
{
	struct span domain;

	if (address == NULL || address[0] == '\0')
		return DUNNO;
	/* RFC 5321 section 4.5.1 */
	if (about == STAGE_RECIPIENT &&
	    span_is_nocase(span_of(address), "postmaster"))
		return DUNNO;
	if (mail_address_split(span_of(address), NULL, &domain) &&
	    (is_literal(domain) || is_fqdn(e, domain)))
		return DUNNO;
	return refuse_stage(e, about, (int)e->s->p->non_fqdn_reject_code,
	    about == STAGE_SENDER ? "5.5.2" : "5.5.2",
	    "need fully-qualified address");
}

enum decision
check_sender_fqdn(struct evaluation *e, const char *argument)
{
	(void)argument;
	return address_fqdn(e, STAGE_SENDER, e->sender);
}

enum decision
check_recipient_fqdn(struct evaluation *e, const char *argument)
{
	(void)argument;
	return address_fqdn(e, STAGE_RECIPIENT, e->recipient);
}

/*
 * When the name service does not answer, nothing is known of the peer: it is
 * not told, as Postfix would, that its name does not exist.
 */
#define UNANSWERED "Name service error, try again later"

/* Where mail for a name would go: MX, else its address. */
struct mail_route {
	enum dns_result result;
	bool null_mx; /* RFC 7505: takes no mail */
};

static struct mail_route
mail_route(const char *name)
{
	struct mail_route route = { DNS_OK, false };
	struct arena *a = arena_new();
	struct address *addresses;
	struct dns_mx *mx;
	size_t count = 0;

	route.result =
	    resolver_mx(a, name, clock_in(DNS_DEADLINE_S), &mx, &count);
	if (route.result == DNS_OK)
		route.null_mx = count == 1 && mx[0].host[0] == '\0';
	else if (route.result == DNS_NO_DATA)
		route.result = resolver_addresses(a, name, AF_UNSPEC, 25,
		    clock_in(DNS_DEADLINE_S), &addresses, &count);
	arena_free(&a);
	return route;
}

static enum decision
domain_known(struct evaluation *e, enum stage about, const char *address)
{
	struct span domain;
	struct mail_route route;
	struct buf subject = BUF_INIT(REFUSAL_TEXT_MAX);
	bool sender = about == STAGE_SENDER;
	enum decision d;

	if (address == NULL ||
	    !mail_address_split(span_of(address), NULL, &domain) ||
	    is_literal(domain))
		return DUNNO;
	route = mail_route(domain.p);
	if (route.null_mx)
		return refuse_stage(e, about, sender ? 550 : 556,
		    sender ? "5.7.27" : "5.1.10",
		    sender ? "Sender domain does not accept mail (nullMX)" :
			     "Domain does not accept mail (nullMX)");
	if (route.result == DNS_OK)
		return DUNNO;
	if (route.result != DNS_AGAIN)
		return refuse_stage(e, about,
		    (int)e->s->p->unknown_address_reject_code,
		    sender ? "4.1.8" : "4.1.2", "Domain not found");
	stage_subject(e, about, &subject);
	d = defer_by(e, e->s->p->unknown_address_tempfail_action, "4.4.3",
	    "%s: " UNANSWERED, buf_text(&subject));
	buf_fini(&subject);
	return d;
}

/* Our own domains need no DNS; whether it is one may not be known just now. */
static enum decision
foreign_domain_known(struct evaluation *e, enum stage about,
    const char *address, const struct msg_resolved_item *r)
{
	if (r == NULL || (r->verdict == LATER && r->class == CLASS_DEFAULT))
		return refuse_lookup(e, address);
	return r->class != CLASS_DEFAULT ? DUNNO :
					   domain_known(e, about, address);
}

enum decision
check_sender_domain(struct evaluation *e, const char *argument)
{
	struct msg_address_item item = { e->sender };
	enum decision d;
	struct arena *a;

	(void)argument;
	if (e->sender == NULL || e->sender[0] == '\0')
		return DUNNO;
	a = arena_new();
	d = foreign_domain_known(e, STAGE_SENDER, e->sender,
	    ask_resolve(a, NULL, "", true, &item, 1));
	arena_free(&a);
	return d;
}

enum decision
check_recipient_domain(struct evaluation *e, const char *argument)
{
	(void)argument;
	if (e->recipient == NULL)
		return DUNNO;
	return foreign_domain_known(e, STAGE_RECIPIENT, e->recipient,
	    evaluated_recipient(e));
}

enum decision
check_helo_known(struct evaluation *e, const char *argument)
{
	struct mail_route route;

	(void)argument;
	if (e->helo == NULL || e->helo[0] == '[')
		return DUNNO;
	route = mail_route(e->helo);
	if (route.result == DNS_OK)
		return DUNNO;
	if (route.result == DNS_AGAIN)
		return defer_by(e,
		    e->s->p->unknown_helo_hostname_tempfail_action, "4.4.3",
		    "<%s>: Helo command rejected: " UNANSWERED, e->helo);
	return refuse_stage(e, STAGE_HELO,
	    (int)e->s->p->unknown_hostname_reject_code, "4.7.1",
	    "Host not found");
}
