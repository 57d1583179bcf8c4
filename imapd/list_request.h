/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_LIST_REQUEST_H
#define IMAPD_LIST_REQUEST_H

/*
 * What LIST or LSUB was asked for (RFC 3501, RFC 5258, RFC 9051 section 6.3.9
 * and the extensions that add options).
 */

#include "imapd/list_pattern.h"
#include "imapd/metadata.h"
#include "imapd/session.h"

enum list_select {
	LIST_SUBSCRIBED = 1 << 0,
	LIST_REMOTE = 1 << 1, /* nothing is remote here: adds nothing */
	LIST_RECURSIVEMATCH = 1 << 2,
	LIST_SPECIAL_USE = 1 << 3, /* RFC 6154 */
};

enum list_return {
	RETURN_SUBSCRIBED = 1 << 0,
	RETURN_CHILDREN = 1 << 1, /* is always told */
	RETURN_SPECIAL_USE = 1 << 2, /* as well */
	RETURN_STATUS = 1 << 3, /* RFC 5819 */
	RETURN_MYRIGHTS = 1 << 4, /* RFC 8440 */
	RETURN_METADATA = 1 << 5, /* RFC 9590 */
};

enum { LIST_PATTERNS_MAX = 64 };

struct list_request {
	bool lsub;
	bool extended; /* any of the forms that RFC 3501 did not have */
	bool root; /* nothing but the separator is asked for */
	unsigned int select, returns;
	unsigned int status; /* items: imapd/status.h */
	struct metadata_wanted metadata;
	struct arena *arena; /* NULL unless needed */
	struct list_pattern *patterns[LIST_PATTERNS_MAX];
	size_t count;
};

/* False: BAD was answered. Free it in both cases. */
bool list_request_read(struct imap_session *s, const struct imap_command *c,
    bool lsub, struct list_request *r);
void list_request_fini(struct list_request *r);

bool list_request_matches(const struct list_request *r, const char *name);

#endif
