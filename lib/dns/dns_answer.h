/* SPDX-License-Identifier: ISC */
#ifndef LIB_DNS_DNS_ANSWER_H
#define LIB_DNS_DNS_ANSWER_H

/*
 * The answer section of a DNS message (RFC 1035 section 4), read with
 * distrust: only records that belong to the name asked for, by way of
 * CNAMEs in the same answer, count.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/nameser.h>

#include "lib/dns/dns.h"

enum { DNS_CNAMES_MAX = 16 };

/*
 * The server says that there is more, or not all records of the answer are in
 * the message: c-ares cuts a datagram after 512 bytes. Not if there is no
 * message.
 */
bool dns_answer_cut(const unsigned char *message, int length);

struct dns_answer {
	const unsigned char *message;
	int length;
	const unsigned char *records; /* where the answer section begins */
	unsigned int count; /* of records, as the header says */
	/* where the CNAMEs lead, or the name itself; no dot at the end */
	char name[DNS_NAME_MAX];
	bool redirected; /* by at least one CNAME */
};

struct dns_record {
	const unsigned char *data;
	size_t length;
};

/*
 * False when the message is malformed, or says that the server has failed
 * (any RCODE but 0), or its CNAMEs go round.
 */
bool dns_answer_open(struct dns_answer *a, const unsigned char *message,
    int length, const char *name);
/*
 * The records of this type that answer->name has, at most DNS_RECORDS_MAX;
 * how many. Of MX these are the best. Malformed ones were refused by open.
 */
size_t dns_answer_records(const struct dns_answer *a, int type,
    struct dns_record records[DNS_RECORDS_MAX]);
/* The domain name at this place of the message, no dot at the end. */
bool dns_answer_name(const struct dns_answer *a, const unsigned char *at,
    char out[DNS_NAME_MAX]);
#endif
