/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_DELIVER_COPY_H
#define LIB_STORE_DELIVER_COPY_H

/*
 * A message on its way from the queue file to where it is kept, and the
 * copying of it. Content in the queue has CRLF line ends (all of them, that
 * is cleanup's duty).
 */

#include "lib/base/buf.h"

#include <sys/types.h>

struct deliver_source {
	const char *queue_id;
	const char *host; /* this machine, for file names */
	int fd; /* queue file, open for reading */
	off_t offset; /* of the content */
	off_t size; /* of the content */
	struct span headers; /* delivery headers, CRLF line ends */
	bool full_bounces; /* a full mailbox refuses for good, else later */
};

enum deliver_form {
	DELIVER_CRLF, /* as in the queue */
	DELIVER_LF, /* as Unix tools like it */
	/*
	 * LF, and ">" before lines of no or more ">" and "From ", so that a
	 * reader can undo it (mbox_unquote); and "X-Sender-" before fields of
	 * the header by which an mbox keeps flags and UIDs
	 */
	DELIVER_MBOX,
};

/*
 * Writes headers and content at the descriptor's position. A content that
 * does not end with a line end gets one, but in DELIVER_CRLF. At most
 * "limit" bytes (0: no limit; EFBIG). 0, or -1 with errno.
 */
int deliver_copy(const struct deliver_source *s, enum deliver_form form,
    off_t limit, int to);
/*
 * The same through a caller's function (0 or -1 with errno), line by line
 * where "line_end" is not "\r\n".
 */
typedef int deliver_write(void *with, const void *data, size_t n);
int deliver_each(const struct deliver_source *s, const char *line_end,
    bool quote_from, deliver_write *write, void *with);
int deliver_each_form(const struct deliver_source *s, enum deliver_form form,
    deliver_write *write, void *with);

/*
 * The enhanced status code (RFC 3463) of a delivery that failed with this
 * errno: over a limit on file sizes a try later will not help.
 */
const char *deliver_failure_code(int error);

#endif
