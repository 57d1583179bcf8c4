/* SPDX-License-Identifier: ISC */
#ifndef LIB_QUEUE_QUEUE_REASON_H
#define LIB_QUEUE_QUEUE_REASON_H

/*
 * Why the recipients of a deferred message wait, for people: defer/ID, a text
 * file. qmgr writes it at each deferral and removes it with the message;
 * postqueue and bounce-like tools read it. Nothing depends on it: it is not
 * synced, and a missing or damaged one only means that no reason is shown.
 *
 * First line "posthaste-reasons 1"; then for each reason
 *	why DSN MTA TEXT		MTA is "-" where there is none
 *	for OFFSET			one for each recipient it is about; the
 *					offset of its status byte
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/base/mem.h"

struct queue_reason {
	int64_t offset;
	const char *dsn;
	const char *mta;
	const char *text;
};

/* Equal texts in a row are stored once. 0, or -1 with errno. */
int queue_reason_write(const char *id, const struct queue_reason *reasons,
    size_t count);
/*
 * Texts live in the arena, sorted by offset; 0 where there is none or it is
 * not valid.
 */
size_t
queue_reason_read(const char *id, struct arena *a, struct queue_reason **out);
void queue_reason_remove(const char *id);
/* The one for this offset among what queue_reason_read gave, or NULL. */
const struct queue_reason *
queue_reason_find(const struct queue_reason *all, size_t count, int64_t offset);

#endif
