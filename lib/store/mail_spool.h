/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAIL_SPOOL_H
#define LIB_STORE_MAIL_SPOOL_H

/*
 * A message that must be there whole before it can be written to a mailbox:
 * little of it in memory, more in a file without a name beside that mailbox.
 */

#include "lib/base/buf.h"
#include "lib/store/mailbox.h"

struct mail_spool {
	const struct mailbox *to;
	struct buf memory; /* its end */
	int fd; /* what comes before; -1: not needed yet */
	uint64_t written; /* to it */
};

void mail_spool_init(struct mail_spool *s, const struct mailbox *to);
void mail_spool_fini(struct mail_spool *s);
uint64_t mail_spool_size(const struct mail_spool *s);
enum mail_result
mail_spool_put(struct mail_spool *s, struct span bytes, struct why *why);
/* All of these bytes are there. */
enum mail_result mail_spool_read(const struct mail_spool *s, uint64_t at,
    void *to, size_t n, struct why *why);

#endif
