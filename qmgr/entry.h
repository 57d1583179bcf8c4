/* SPDX-License-Identifier: ISC */
#ifndef QMGR_ENTRY_H
#define QMGR_ENTRY_H

/*
 * A message of the active queue, in memory: envelope, the recipients that
 * are still to be served, and what became of them in this round.
 *
 * An entry is one block of a few hundred bytes, its texts in it; texts that
 * are equal are there once. It lives from intake until its round is over:
 * then the message is removed, or deferred and forgotten.
 *
 * The table of entries is by queue id. Nothing here touches the disk.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/hash_table.h"
#include "lib/base/why.h"
#include "lib/queue/queue_file.h"

struct destination;

/* What became of recipients; shared by those of one answer. */
struct reason {
	unsigned int users;
	enum verdict verdict;
	const char *action; /* for reports: delivered relayed failed delayed */
	const char *dsn;
	const char *text;
	const char *mta;
	const char *mta_reply;
};

struct entry_recipient {
	const char *address;
	const char *original;
	const char *orcpt;
	int64_t offset; /* of its status byte in the file */
	struct reason *reason; /* NULL: no answer yet, or nothing to tell */
	uint8_t notify;
	bool dsn_passed; /* the next server reports about it */
	bool settled; /* nothing is owed but perhaps a report */
};

/* The recipients of one entry that go to one destination: a range. */
struct group {
	struct entry *entry;
	struct destination *destination; /* NULL when not waiting or running */
	struct group *prev, *next; /* in the destination's lane */
	uint32_t at; /* next recipient to hand out */
	uint32_t end;
	uint32_t in_flight; /* requests */
	uint8_t lane;
};

struct entry {
	const char *id;
	const char *queue; /* "incoming" or "deferred" */
	const char *sender;
	const char *envid;
	unsigned int ret;
	unsigned int flags; /* enum queue_flag */
	int64_t arrival; /* microseconds since 1970 */
	int64_t active; /* when this round began */
	int64_t content_offset;
	int64_t content_size;
	struct entry_recipient *recipients;
	uint32_t count;
	uint32_t waiting; /* so many of the first await delivery */
	struct group *groups;
	uint32_t group_count;
	uint32_t busy; /* groups that are waiting or running */
	bool lone; /* the file has one recipient: no marks, just unlink */
	bool noted; /* a reason may be on disk, of this attempt or others */
	bool taken; /* the file was renamed away by an agent */
	bool gone; /* somebody else removed or moved it */
	bool urgent; /* a person asked for this attempt */
	bool asked; /* ... amid this one: another begins at its end */
	bool soon; /* the agent failed, not the mail: retry in seconds */
	bool withdrawn; /* some recipients are for the next qmgr to try */
	int hold; /* keeps the next qmgr off the file; -1: none */
	UT_hash_handle by_id;
};

/*
 * Copies what is needed. Only recipients that are pending are taken, and
 * behind them those that are delivered and owed a report of success; NULL
 * where there is none.
 */
struct entry *entry_new(const char *id, const char *queue,
    const struct queue_envelope *e, int64_t now_us);
/* Out of the table if in it. Its groups must be idle. */
void entry_free(struct entry **e);

void entry_add(struct entry *e); /* the id must be new */
struct entry *entry_find(const char *id);
/*
 * A person asks for an attempt, at what goes to the site (NULL: to any): one
 * that has begun is too old to be that.
 */
void entry_ask(struct entry *e, const char *site);
size_t entry_count(void);
size_t entry_recipients(void); /* of all entries in the table */
/* Calls for each; visit may free the one it is given. */
void entry_each(void (*visit)(void *with, struct entry *e), void *with);

struct reason *reason_new(enum verdict verdict, const char *action,
    const char *dsn, const char *text, const char *mta, const char *mta_reply);
void reason_free(struct reason **r); /* one user less */
/* Replaces what was known. One user more. */
void entry_set_reason(struct entry_recipient *r, struct reason *reason);

#endif
