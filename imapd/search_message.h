/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SEARCH_MESSAGE_H
#define IMAPD_SEARCH_MESSAGE_H

/*
 * A message that is read because a search, a sort or a thread needs more than
 * is kept beside it: its header first, and the rest only if it must be. What
 * was read is then kept for the next who asks.
 */

#include "lib/base/buf.h"
#include "lib/store/mailbox.h"

enum { SEARCH_FIRST_READ = 16 * 1024 };

struct search_message {
	struct mailbox *mailbox;
	uint32_t uid;
	struct store_blob blob;
	struct span text; /* what was read so far: the header and more */
	struct buf head; /* where that is, unless it was read ahead */
	size_t header; /* where its fields end */
	size_t envelope; /* and begin: header_skip_envelope */
	bool parted; /* header and envelope are known */
	bool ended; /* that is all of the message */
};

/*
 * Opens it and reads its header, of at most SEARCH_HEADER_MAX bytes. To be
 * closed only after MAIL_OK; head may be used again. Nothing else may be
 * fetched from the mailbox meanwhile.
 */
enum mail_result search_message_open(struct search_message *s,
    struct mailbox *m, uint32_t uid, struct why *why);
void search_message_close(struct search_message *s);
/* The next bytes behind those: how many; 0: the end; -1 with errno. */
int64_t search_message_more(struct search_message *s, void *to, size_t n);
/* Its fields, and what was read from there on. */
struct span search_message_header(struct search_message *s);
struct span search_message_text(struct search_message *s);

/*
 * Makes what is kept of a header (CACHE_HEADER with these names, CACHE_SORT),
 * where it is not there. Nothing may be held.
 */
void search_message_keep(struct search_message *s, const struct span *names,
    size_t count);

#endif
