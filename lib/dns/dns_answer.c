/* SPDX-License-Identifier: ISC */
#include "lib/dns/dns_answer.h"

#include <ares.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HEADER_SIZE = 12, FIXED_SIZE = 10 }; /* type class ttl length */

struct cursor {
	char owner[DNS_NAME_MAX];
	int type;
	int class;
	struct dns_record record;
	const unsigned char *next;
};

static unsigned int
u16(const unsigned char *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

/* Reads a name; *next is where the bytes behind it begin. */
static bool
expand(const struct dns_answer *a, const unsigned char *at,
    char out[DNS_NAME_MAX], const unsigned char **next)
{
	char *name = NULL;
	long used = 0;
	size_t n;
	bool ok;

	if (at < a->message || at >= a->message + a->length ||
	    ares_expand_name(at, a->message, a->length, &name, &used) !=
		ARES_SUCCESS)
		return false;
	n = strlen(name);
	ok = n < DNS_NAME_MAX;
	if (ok) {
		memcpy(out, name, n + 1);
		if (n > 0 && out[n - 1] == '.')
			out[n - 1] = '\0';
		if (next != NULL)
			*next = at + used;
	}
	ares_free_string(name);
	return ok;
}

bool
dns_answer_name(const struct dns_answer *a, const unsigned char *at,
    char out[DNS_NAME_MAX])
{
	return expand(a, at, out, NULL);
}

/* The record at "at". False when it does not fit in the message. */
static bool
read_record(const struct dns_answer *a, const unsigned char *at,
    struct cursor *c)
{
	const unsigned char *end = a->message + a->length, *p;

	if (!expand(a, at, c->owner, &p) || end - p < FIXED_SIZE)
		return false;
	c->type = (int)u16(p);
	c->class = (int)u16(p + 2);
	c->record.length = u16(p + 8);
	c->record.data = p + FIXED_SIZE;
	if ((size_t)(end - c->record.data) < c->record.length)
		return false;
	c->next = c->record.data + c->record.length;
	return true;
}

static bool
skip_question(struct dns_answer *a)
{
	const unsigned char *p = a->message + HEADER_SIZE;
	char name[DNS_NAME_MAX];

	for (unsigned int n = u16(a->message + 4); n > 0; n--) {
		if (!expand(a, p, name, &p) || a->message + a->length - p < 4)
			return false;
		p += 4;
	}
	a->records = p;
	return true;
}

/* One step along a CNAME; *moved says whether there was one. */
static bool
follow(struct dns_answer *a, bool *moved)
{
	const unsigned char *at = a->records;
	struct cursor c;

	*moved = false;
	for (unsigned int i = 0; i < a->count; i++) {
		if (!read_record(a, at, &c))
			return false;
		at = c.next;
		if (*moved || c.class != ns_c_in || c.type != ns_t_cname ||
		    strcasecmp(c.owner, a->name) != 0)
			continue;
		if (!expand(a, c.record.data, a->name, NULL))
			return false;
		*moved = true;
	}
	return true;
}

bool
dns_answer_open(struct dns_answer *a, const unsigned char *message, int length,
    const char *name)
{
	bool moved = true;

	memset(a, 0, sizeof(*a));
	if (length < HEADER_SIZE || strlen(name) >= DNS_NAME_MAX ||
	    (message[3] & 0xf) != ns_r_noerror)
		return false;
	a->message = message;
	a->length = length;
	a->count = u16(message + 6);
	snprintf(a->name, sizeof(a->name), "%s", name);
	if (a->name[0] != '\0' && a->name[strlen(a->name) - 1] == '.')
		a->name[strlen(a->name) - 1] = '\0';
	if (!skip_question(a))
		return false;
	for (int steps = 0; moved; steps++) {
		if (steps > DNS_CNAMES_MAX || !follow(a, &moved))
			return false;
		a->redirected = a->redirected || moved;
	}
	return true;
}

bool
dns_answer_cut(const unsigned char *message, int length)
{
	enum { TRUNCATED = 0x02 };
	struct dns_answer a = { .message = message, .length = length };
	const unsigned char *at;
	struct cursor c;

	if (length < HEADER_SIZE)
		return false;
	if ((message[2] & TRUNCATED) != 0 || !skip_question(&a))
		return true;
	at = a.records;
	for (unsigned int n = u16(message + 6); n > 0; n--) {
		if (!read_record(&a, at, &c))
			return true;
		at = c.next;
	}
	return false;
}

/* One without a preference is the worst. */
static unsigned int
preference(const struct dns_record *mx)
{
	return mx->length < 2 ? UINT16_MAX + 1 : u16(mx->data);
}

/* Which of more than that many stay is not for their order to say. */
static void
replace_worst_mx(struct dns_record records[DNS_RECORDS_MAX],
    const struct dns_record *mx)
{
	struct dns_record *worst = &records[0];

	for (size_t i = 1; i < DNS_RECORDS_MAX; i++)
		if (preference(&records[i]) > preference(worst))
			worst = &records[i];
	if (preference(mx) < preference(worst))
		*worst = *mx;
}

size_t
dns_answer_records(const struct dns_answer *a, int type,
    struct dns_record records[DNS_RECORDS_MAX])
{
	const unsigned char *at = a->records;
	size_t count = 0;
	struct cursor c;

	for (unsigned int i = 0; i < a->count; i++) {
		if (!read_record(a, at, &c))
			break;
		at = c.next;
		if (c.class != ns_c_in || c.type != type ||
		    strcasecmp(c.owner, a->name) != 0)
			continue;
		if (count < DNS_RECORDS_MAX)
			records[count++] = c.record;
		else if (type == ns_t_mx)
			replace_worst_mx(records, &c.record);
		else
			break;
	}
	return count;
}
