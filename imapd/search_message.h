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
	struct buf head; /* what was read so far: the header and more */
	size_t header; /* where its fields end */
	size_t envelope; /* and begin: header_skip_envelope */
	bool ended; /* that is all of the message */
};

/*
 * Opens it and reads its header, of at most SEARCH_HEADER_MAX bytes. To be
 * closed only after MAIL_OK; head may be used again.
 */
enum mail_result search_message_open(struct search_message *s,
    struct mailbox *m, uint32_t uid, struct why *why);
void search_message_close(struct search_message *s);
/* The next bytes behind "head": how many; 0: the end; -1 with errno. */
int64_t search_message_more(struct search_message *s, void *to, size_t n);
static inline struct span
search_message_header(const struct search_message *s)
{
	return span_skip(span_take(buf_span(&s->head), s->header), s->envelope);
}

/*
 * Makes what is kept of a header (CACHE_HEADER with these names, CACHE_SORT),
 * where it is not there. Nothing may be held.
 */
void search_message_keep(struct search_message *s, const struct span *names,
    size_t count);

#endif
