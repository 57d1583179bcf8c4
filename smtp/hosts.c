/* SPDX-License-Identifier: ISC */
#include "smtp/hosts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "lib/dns/dns_hosts.h"
#include "lib/dns/dns_names.h"
#include "lib/service/ask_resolver.h"
#include "smtp/settings.h"

enum { HOSTS_MAX = 128, MX_PORT = 25, NOBODY = UINT16_MAX + 1 };

struct search {
	struct arena *arena;
	const struct destination *d;
	int64_t deadline;
	struct hosts *out;
	const char *again; /* a host that cannot be looked up now, or NULL */
	/* Our own preference, the best, or NOBODY's. */
	unsigned int ours;
	unsigned int perhaps; /* by name: the addresses are not known now */
};

static uint32_t
random_number(void)
{
	uint32_t n = 0;

	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n))
		n = (uint32_t)random();
	return n;
}

static void
swap(struct host *a, struct host *b)
{
	struct host t = *a;

	*a = *b;
	*b = t;
}

static void
mix(struct host *list, size_t count, uint32_t (*noise)(void))
{
	for (size_t i = count; i > 1; i--)
		swap(&list[i - 1], &list[noise() % i]);
}

/* Does b belong before a? Stable where neither is so. */
static bool
out_of_order(const struct host *a, const struct host *b, int family)
{
	if (a->preference != b->preference)
		return a->preference > b->preference;
	return a->address.any.sa_family != family &&
	    b->address.any.sa_family == family;
}

void
hosts_order(struct host *list, size_t count, int preferred_family, bool shuffle,
    uint32_t (*noise)(void))
{
	if (shuffle)
		mix(list, count, noise);
	/* insertion: the lists are short and nearly in order */
	for (size_t i = 1; i < count; i++)
		for (size_t j = i; j > 0 &&
		     out_of_order(&list[j - 1], &list[j], preferred_family);
		     j--)
			swap(&list[j - 1], &list[j]);
}

size_t
hosts_limit(struct host *list, size_t count, size_t limit, bool balance)
{
	int family;

	if (limit == 0 || count <= limit)
		return count;
	if (!balance || limit < 2)
		return limit;
	family = list[0].address.any.sa_family;
	for (size_t i = 1; i < limit; i++)
		if (list[i].address.any.sa_family != family)
			return limit;
	for (size_t i = limit; i < count; i++)
		if (list[i].address.any.sa_family != family) {
			list[limit - 1] = list[i];
			break;
		}
	return limit;
}

static void
note_best(unsigned int *best, unsigned int preference)
{
	if (preference < *best)
		*best = preference;
}

/*
 * Told by the name, and by the address; on other ports than the one where we
 * listen as an MX there are filters.
 */
static bool
is_us(const struct search *s, const char *name, const struct address *address)
{
	return s->d->port == MX_PORT &&
	    (strcasecmp(name, settings()->common.myhostname) == 0 ||
		(address != NULL && settings_own_address(address)));
}

static void
add(struct search *s, const char *name, unsigned int preference,
    const struct address *address)
{
	struct host *h;

	if (is_us(s, name, address))
		note_best(&s->ours, preference);
	if (s->out->count == HOSTS_MAX)
		return;
	h = &s->out->list[s->out->count++];
	h->name = name;
	h->preference = preference;
	h->address = *address;
}

static bool
no_dns(void)
{
	const char *level = settings()->smtp.smtp_dns_support_level;

	return level[0] != '\0' ? strcmp(level, "disabled") == 0 :
				  settings()->smtp.disable_dns_lookups;
}

/* From the sources of smtp_host_lookup, the first that knows it. */
static enum dns_result
look_up(struct search *s, const char *name, struct address **list,
    size_t *count)
{
	struct span rest =
	    span_of(no_dns() ? "native" : settings()->smtp.smtp_host_lookup);
	enum dns_result result = DNS_NO_NAME, best = DNS_NO_NAME;
	struct span source;

	while (best != DNS_OK && conf_list_next(&rest, &source)) {
		if (span_is_nocase(source, "native"))
			result = dns_hosts(s->arena, name, settings()->family,
			    s->d->port, list, count);
		else
			result = resolver_addresses(s->arena, name,
			    settings()->family, s->d->port, s->deadline, list,
			    count);
		/* not known here, but perhaps there: not known yet */
		if (result == DNS_OK || best != DNS_AGAIN)
			best = result;
	}
	return best;
}

/* The addresses of one host become hosts to try. */
static enum dns_result
add_host(struct search *s, const char *name, unsigned int preference)
{
	struct address *list = NULL, literal;
	enum dns_result result;
	size_t count = 0;

	if (address_parse_ip(span_of(name), s->d->port, &literal)) {
		add(s, name, preference, &literal);
		return DNS_OK;
	}
	result = look_up(s, name, &list, &count);
	for (size_t i = 0; result == DNS_OK && i < count; i++)
		add(s, name, preference, &list[i]);
	if (result == DNS_AGAIN && s->again == NULL)
		s->again = name;
	return result;
}

static enum verdict
dns_failed(const struct search *s, const char *type, enum dns_result result,
    struct why *why)
{
	switch (result) {
	case DNS_NO_NAME:
	case DNS_NO_DATA:
		return why_set(why, "5.4.4",
		    "Host or domain name not found. "
		    "Name service error for name=%s type=%s: %s",
		    s->d->host, type, dns_result_text(result));
	case DNS_BAD:
		return why_set(why, "5.4.4",
		    "Name service error for name=%s "
		    "type=%s: %s",
		    s->d->host, type, dns_result_text(result));
	default:
		return why_set(why, "4.4.3",
		    "Host or domain name not found. "
		    "Name service error for name=%s type=%s: %s",
		    s->d->host, type, dns_result_text(DNS_AGAIN));
	}
}

static const char *
address_types(void)
{
	int family = settings()->family;

	return family == AF_INET ? "A" : "AAAA";
}

static enum verdict
find_plain(struct search *s, struct why *why)
{
	enum dns_result result = add_host(s, s->d->host, 0);

	return result == DNS_OK ? OK :
				  dns_failed(s, address_types(), result, why);
}

/*
 * Leaves out the hosts from our own preference on. With none left we are the
 * best of all, or a backup: for one whose better hosts are not to be found, be
 * it for now or for good, mail waits.
 */
static enum verdict
drop_ourselves(struct search *s, struct why *why)
{
	unsigned int own = s->ours < s->perhaps ? s->ours : s->perhaps;
	size_t kept = 0;

	for (size_t i = 0; i < s->out->count; i++)
		if (s->out->list[i].preference < own)
			s->out->list[kept++] = s->out->list[i];
	s->out->count = kept;
	if (kept > 0)
		return OK;
	if (s->ours == s->out->best)
		return why_set(why, "5.4.6", "mail for %s loops back to myself",
		    s->d->host);
	return why_set(why, "4.4.4", "unable to find primary relay for %s",
	    s->d->host);
}

static void
add_exchanger(struct search *s, const struct dns_mx *mx)
{
	if (mx->host[0] != '\0' &&
	    add_host(s, mx->host, mx->preference) == DNS_AGAIN &&
	    is_us(s, mx->host, NULL))
		note_best(&s->perhaps, mx->preference);
}

/* No exchanger has an address. */
static enum verdict
no_addresses(const struct search *s, const struct dns_mx *mx, size_t count,
    struct why *why)
{
	const char *dsn = settings()->smtp.smtp_defer_if_no_mx_address_found ?
	    "4.4.4" :
	    "5.4.4";
	bool again = s->again != NULL;

	/* some have names */
	for (size_t i = 1; i < count && mx->host[0] == '\0'; i++)
		mx++;
	return why_set(why, again ? "4.4.3" : dsn,
	    "Host or domain name not found. "
	    "Name service error for name=%s type=%s: %s",
	    again ? s->again : mx->host, address_types(),
	    dns_result_text(again ? DNS_AGAIN : DNS_NO_NAME));
}

static enum verdict
find_of_mx(struct search *s, const struct dns_mx *mx, size_t count,
    struct why *why)
{
	if (count == 1 && mx[0].host[0] == '\0')
		return why_set(why, "5.1.10",
		    "Domain %s does not accept mail (nullMX)", s->d->host);
	s->out->best = mx[0].preference;
	for (size_t i = 0; i < count; i++)
		add_exchanger(s, &mx[i]);
	return s->out->count > 0 ? drop_ourselves(s, why) :
				   no_addresses(s, mx, count, why);
}

/*
 * RFC 5321 section 5.1: without MX records the domain is the host. When that is
 * only supposed, since they could not be asked for, it is the end of no mail,
 * nor is the host known to be the best.
 */
static enum verdict
find_without_mx(struct search *s, enum dns_result asked, struct why *why)
{
	enum verdict v = find_plain(s, why);

	if (v == OK)
		v = drop_ourselves(s, why);
	if (asked != DNS_AGAIN)
		return v;
	s->out->best = NOBODY;
	return v == NEVER ? dns_failed(s, "MX", asked, why) : v;
}

static enum verdict
find(struct search *s, struct why *why)
{
	struct dns_mx *mx = NULL;
	enum dns_result result;
	struct address literal;
	size_t count = 0;

	if (!s->d->mx || no_dns() ||
	    address_parse_ip(span_of(s->d->host), 0, &literal))
		return find_plain(s, why);
	result = resolver_mx(s->arena, s->d->host, s->deadline, &mx, &count);
	if (result == DNS_OK)
		return find_of_mx(s, mx, count, why);
	if (result == DNS_NO_DATA ||
	    (result == DNS_AGAIN && settings()->smtp.ignore_mx_lookup_error))
		return find_without_mx(s, result, why);
	return dns_failed(s, "MX", result, why);
}

enum verdict
hosts_find(struct arena *a, const struct destination *d, int64_t deadline,
    struct hosts *out, struct why *why)
{
	const struct smtp_params *p = &settings()->smtp;
	struct search s = { .arena = a,
		.d = d,
		.deadline = deadline,
		.out = out,
		.ours = NOBODY,
		.perhaps = NOBODY };
	const char *prefer = p->smtp_address_preference;
	int family;
	enum verdict v;

	out->list = arena_alloc(a, HOSTS_MAX * sizeof(*out->list));
	out->count = 0;
	out->best = 0;
	out->loop_check = d->mx && !d->port_given;
	v = find(&s, why);
	out->ours = d->mx && (s.ours != NOBODY || s.perhaps != NOBODY);
	if (v != OK)
		return v;
	if (strcmp(prefer, "any") == 0)
		family = random_number() & 1 ? AF_INET6 : AF_INET;
	else
		family = strcmp(prefer, "ipv6") == 0 ? AF_INET6 : AF_INET;
	hosts_order(out->list, out->count, family, p->smtp_randomize_addresses,
	    random_number);
	out->count =
	    hosts_limit(out->list, out->count, (size_t)p->smtp_mx_address_limit,
		strcmp(prefer, "any") == 0 && p->smtp_balance_inet_protocols);
	return OK;
}
