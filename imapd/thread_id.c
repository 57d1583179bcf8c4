/* SPDX-License-Identifier: ISC */
#include "imapd/thread_id.h"

#include <inttypes.h>

#include "imapd/sort_key.h"
#include "lib/mail/mime_tree.h"

/*
 * RFC 8474 section 5.2: messages of one thread have one id. The root of a
 * thread is what the first of its references names, so that all messages of
 * it that name it agree, in whatever order they come.
 */
void
thread_id_write(struct span header, struct buf *out)
{
	struct mime_envelope e;
	struct message_id id;

	mime_envelope_read(header, &e);
	if (message_id_next(&e.references, &id) ||
	    message_id_next(&e.in_reply_to, &id) ||
	    message_id_next(&e.message_id, &id))
		buf_printf(out, "(T%016" PRIx64 "%016" PRIx64 ")", id.half[0],
		    id.half[1]);
	else
		buf_add_text(out, "NIL");
}

bool
thread_id_is(struct span written, struct span id)
{
	return written.n == id.n + 2 && written.p[0] == '(' &&
	    span_equal(span_take(span_skip(written, 1), id.n), id);
}
