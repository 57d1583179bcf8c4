/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_NOTIFY_REQUEST_H
#define IMAPD_NOTIFY_REQUEST_H

/* What NOTIFY was asked for (RFC 5465 section 8). */

#include "lib/base/mem.h"

#include "imapd/fetch.h"

enum notify_event {
	NOTIFY_NEW = 1 << 0,
	NOTIFY_EXPUNGE = 1 << 1,
	NOTIFY_FLAGS = 1 << 2,
	NOTIFY_NAME = 1 << 3,
	NOTIFY_SUBSCRIPTION = 1 << 4,
	NOTIFY_METADATA = 1 << 5,
	NOTIFY_SERVER_METADATA = 1 << 6,
	NOTIFY_MESSAGES = NOTIFY_NEW | NOTIFY_EXPUNGE | NOTIFY_FLAGS,
};

/* For BADEVENT. */
#define NOTIFY_EVENT_NAMES \
	"MessageNew MessageExpunge FlagChange " \
	"MailboxName SubscriptionChange " \
	"MailboxMetadataChange ServerMetadataChange"

enum notify_filter {
	NOTIFY_PERSONAL, /* "inboxes" as well: all can have deliveries */
	NOTIFY_SUBSCRIBED,
	NOTIFY_SUBTREE,
	NOTIFY_MAILBOXES,
};

enum { NOTIFY_NAMES_MAX = 500, NOTIFY_GROUPS_MAX = 100 };

struct notify_group {
	enum notify_filter filter;
	const char **names;
	size_t count;
	unsigned int events;
};

/* All of it is the arena's. */
struct notify_request {
	bool status; /* STATUS responses at once */
	bool delayed; /* SELECTED-DELAYED */
	unsigned int selected; /* events; 0: none of the selected mailbox */
	bool fetch; /* MessageNew has items for FETCH */
	struct fetch_plan plan;
	struct notify_group *groups;
	size_t count;
};

enum notify_read { NOTIFY_READ_OK, NOTIFY_READ_BAD, NOTIFY_READ_BADEVENT };

/* The arguments; with "NONE" the request is empty. */
enum notify_read
notify_request_read(const struct imap_session *s, const struct imap_command *c,
    struct arena *arena, struct notify_request *out);
/* Events that these groups want of a folder; "exists": it is one. */
unsigned int notify_request_events(const struct notify_request *r,
    const char *name, bool subscribed, char separator);

#endif
