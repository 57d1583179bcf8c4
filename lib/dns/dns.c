/* SPDX-License-Identifier: ISC */
#include "lib/dns/dns.h"

#include <arpa/nameser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/dns_answer.h"
#include "lib/dns/dns_names.h"
#include "lib/dns/dns_query.h"

enum { HOPS_MAX = 8 }; /* CNAMEs that the server did not follow for us */

/* The records of one type, which lie in the answer to a query. */
struct records {
	struct dns_asker *asker;
	struct dns_query *query; /* NULL: none */
	struct dns_answer answer;
	struct dns_record record[DNS_RECORDS_MAX];
	size_t count;
};

/* DNS_OK with at least one record. */
static enum dns_result
read_answer(struct dns_query *q, const char *name, int type, int64_t deadline,
    struct records *r)
{
	const unsigned char *message = NULL;
	enum dns_result result;
	int length = 0;

	memset(&r->answer, 0, sizeof(r->answer));
	r->count = 0;
	result = dns_query_wait(q, deadline, &message, &length);
	if (result != DNS_OK)
		return result;
	if (message == NULL ||
	    !dns_answer_open(&r->answer, message, length, name))
		return DNS_AGAIN;
	r->count = dns_answer_records(&r->answer, type, r->record);
	return r->count > 0 ? DNS_OK : DNS_NO_DATA;
}

/*
 * Waits for the query and follows CNAMEs that a server left to us. Takes the
 * query over; of an answer on the way only the name is kept.
 */
static enum dns_result
finish(struct dns_query *q, const char *name, int type, int64_t deadline,
    struct records *r)
{
	char next[DNS_NAME_MAX];
	enum dns_result result;

	dns_query_free(&r->query);
	for (int hops = 0;; hops++) {
		result = read_answer(q, name, type, deadline, r);
		if (result == DNS_OK) {
			r->query = q;
			return result;
		}
		dns_query_free(&q);
		if (result != DNS_NO_DATA || r->answer.message == NULL ||
		    !r->answer.redirected || hops == HOPS_MAX)
			return result;
		memcpy(next, r->answer.name, sizeof(next));
		name = next;
		q = dns_query_start(r->asker, name, type);
	}
}

static struct records *
records_new(struct dns_asker *asker)
{
	struct records *r = mem_new(sizeof(*r));

	r->asker = asker;
	return r;
}

static void
records_free(struct records **r)
{
	dns_query_free(&(*r)->query);
	free(*r);
	*r = NULL;
}

static int
by_preference(const void *x, const void *y)
{
	const struct dns_mx *a = x, *b = y;

	return (a->preference > b->preference) -
	    (a->preference < b->preference);
}

/* RFC 7505: "." alone is the null MX; else a host name. */
static bool
read_exchanger(const struct records *r, const struct dns_record *mx,
    char host[DNS_NAME_MAX])
{
	if (mx->length < 3 || !dns_answer_name(&r->answer, mx->data + 2, host))
		return false;
	return host[0] != '\0' ? dns_host_valid(host) : r->count == 1;
}

/*
 * All with a preference, in the arena: one that names no host says no less
 * how good the others are.
 */
static enum dns_result
read_mx(struct arena *a, const struct records *r, struct dns_mx **mx,
    size_t *count)
{
	struct dns_mx *list = arena_alloc(a, r->count * sizeof(*list));
	size_t n = 0, good = 0;

	for (size_t i = 0; i < r->count; i++) {
		const struct dns_record *rec = &r->record[i];
		char host[DNS_NAME_MAX];
		bool named = read_exchanger(r, rec, host);

		if (rec->length < 2)
			continue;
		list[n].preference =
		    (uint16_t)(rec->data[0] << 8 | rec->data[1]);
		list[n++].host = named ? arena_text(a, host) : "";
		good += named;
	}
	if (good == 0)
		return DNS_BAD;
	qsort(list, n, sizeof(*list), by_preference);
	*mx = list;
	*count = n;
	return DNS_OK;
}

enum dns_result
dns_mx(struct dns_asker *asker, struct arena *a, const char *name,
    int64_t deadline, struct dns_mx **mx, size_t *count)
{
	struct records *r = records_new(asker);
	enum dns_result result = finish(dns_query_start(asker, name, ns_t_mx),
	    name, ns_t_mx, deadline, r);

	if (result == DNS_OK)
		result = read_mx(a, r, mx, count);
	records_free(&r);
	return result;
}

struct address_list {
	struct address *items;
	size_t count;
	uint16_t port;
};

static void
add_records(struct address_list *l, int family, const struct records *r)
{
	size_t size = family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < r->count && l->count < DNS_RECORDS_MAX; i++)
		if (r->record[i].length == size)
			(void)dns_set_address(&l->items[l->count++],
			    r->record[i].data, size, l->port);
}

/* What two questions, for A and AAAA, say together. */
static enum dns_result
combine(enum dns_result a, enum dns_result b)
{
	if (a == DNS_OK || b == DNS_OK)
		return DNS_OK;
	if (a == DNS_AGAIN || b == DNS_AGAIN)
		return DNS_AGAIN;
	return a == DNS_NO_DATA ? b : a;
}

static enum dns_result
ask_addresses(struct dns_asker *asker, const char *name, int family,
    int64_t deadline, struct address_list *l)
{
	enum dns_result r4 = DNS_NO_DATA, r6 = DNS_NO_DATA;
	struct dns_query *q4 = NULL, *q6 = NULL;
	struct records *r = records_new(asker);

	/* both at once */
	if (family != AF_INET6)
		q4 = dns_query_start(asker, name, ns_t_a);
	if (family != AF_INET)
		q6 = dns_query_start(asker, name, ns_t_aaaa);
	if (q4 != NULL) {
		r4 = finish(q4, name, ns_t_a, deadline, r);
		add_records(l, AF_INET, r);
	}
	if (q6 != NULL) {
		r6 = finish(q6, name, ns_t_aaaa, deadline, r);
		add_records(l, AF_INET6, r);
	}
	records_free(&r);
	if (l->count > 0)
		return DNS_OK;
	if (r4 == DNS_OK || r6 == DNS_OK)
		return DNS_AGAIN; /* records of a wrong size */
	if (family == AF_INET)
		return r4;
	return family == AF_INET6 ? r6 : combine(r4, r6);
}

enum dns_result
dns_addresses(struct dns_asker *asker, struct arena *a, const char *name,
    int family, uint16_t port, int64_t deadline, struct address **out,
    size_t *count)
{
	struct address_list l = { .port = port };
	enum dns_result result;

	if (dns_is_localhost(name)) {
		dns_localhost(a, family, port, out, count);
		return DNS_OK;
	}
	l.items = arena_alloc(a, DNS_RECORDS_MAX * sizeof(*l.items));
	result = ask_addresses(asker, name, family, deadline, &l);
	if (result == DNS_OK) {
		*out = l.items;
		*count = l.count;
	}
	return result;
}

/* "1.2.0.192.in-addr.arpa", RFC 1035 section 3.5, RFC 3596 section 2.5. */
static bool
reverse_name(const struct address *client, char out[DNS_NAME_MAX])
{
	const unsigned char *p;
	size_t n = 0;

	if (client->any.sa_family == AF_INET) {
		p = (const unsigned char *)&client->v4.sin_addr;
		snprintf(out, DNS_NAME_MAX, "%u.%u.%u.%u.in-addr.arpa", p[3],
		    p[2], p[1], p[0]);
		return true;
	}
	if (client->any.sa_family != AF_INET6)
		return false;
	p = client->v6.sin6_addr.s6_addr;
	for (int i = 15; i >= 0; i--)
		n += (size_t)snprintf(out + n, DNS_NAME_MAX - n, "%x.%x.",
		    p[i] & 15U, p[i] >> 4);
	snprintf(out + n, DNS_NAME_MAX - n, "ip6.arpa");
	return true;
}

/* Does the name have this address? */
static enum dns_result
maps_back(struct dns_asker *asker, struct arena *a, const char *name,
    const struct address *client, int64_t deadline)
{
	struct address *list = NULL;
	enum dns_result result;
	size_t count = 0;

	result = dns_addresses(asker, a, name, client->any.sa_family, 0,
	    deadline, &list, &count);
	if (result != DNS_OK)
		return result;
	for (size_t i = 0; i < count; i++)
		if (address_equal_host(&list[i], client))
			return DNS_OK;
	return DNS_NO_NAME;
}

/* What the reverse zone says, in host. */
static enum dns_result
ask_reverse(struct dns_asker *asker, const char *reverse, int64_t deadline,
    char host[DNS_NAME_MAX])
{
	struct records *r = records_new(asker);
	enum dns_result result =
	    finish(dns_query_start(asker, reverse, ns_t_ptr), reverse, ns_t_ptr,
		deadline, r);

	if (result == DNS_OK &&
	    (!dns_answer_name(&r->answer, r->record[0].data, host) ||
		!dns_host_valid(host)))
		result = DNS_BAD;
	records_free(&r);
	return result;
}

enum dns_result
dns_client_name(struct dns_asker *asker, struct arena *a,
    const struct address *client, int64_t deadline, const char **name,
    const char **unverified)
{
	char reverse[DNS_NAME_MAX], host[DNS_NAME_MAX];
	enum dns_result result;

	*name = *unverified = NULL;
	if (address_is_loopback(client)) {
		*name = *unverified = "localhost";
		return DNS_OK;
	}
	if (!reverse_name(client, reverse))
		return DNS_NO_NAME;
	result = ask_reverse(asker, reverse, deadline, host);
	if (result != DNS_OK)
		return result;
	*unverified = arena_text(a, host);
	result = maps_back(asker, a, *unverified, client, deadline);
	if (result == DNS_OK)
		*name = *unverified;
	return result;
}
