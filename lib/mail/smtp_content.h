/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_SMTP_CONTENT_H
#define LIB_MAIL_SMTP_CONTENT_H

/*
 * Message content as it comes after "354": finds its end, takes off dot
 * stuffing (RFC 5321 section 4.5.2), and makes every line end CRLF.
 *
 * Only CRLF "." CRLF ends the content (the first CRLF may be the one behind
 * DATA); nothing else ever does, for no client and in no mode, so that what
 * another server took for one message is never two here.
 *
 * A bare LF is taken as a line end and given out as CRLF; a bare CR is given
 * out as a space; both are remembered, and what to say about them is the
 * caller's policy (smtpd_forbid_bare_newline). Behind a bare LF a dot is
 * taken for stuffing only if another dot follows. All other bytes, NUL too,
 * pass as they are.
 *
 * Pure and push driven: input may be split anywhere. What is given out
 * points into the input (or at constants): nothing is copied, and a clean
 * piece of input comes out whole.
 */

#include "lib/base/span.h"

enum smtp_content_state {
	CONTENT_LINE, /* at the start of a line, behind CRLF */
	CONTENT_LINE_LF, /* the same behind a bare LF */
	CONTENT_TEXT,
	CONTENT_CR, /* a CR is held back */
	CONTENT_DOT, /* CRLF "." is held back */
	CONTENT_DOT_CR, /* CRLF "." CR */
	CONTENT_DOT_LF, /* bare LF "." */
	CONTENT_ENDED,
};

struct smtp_content {
	enum smtp_content_state state; /* zeroed is ready for use */
	/*
	 * Set for BDAT (RFC 3030): its end is counted, so dots mean nothing
	 * and nothing ends the content; see smtp_content_finish.
	 */
	bool counted;
	bool bare_lf; /* seen so far */
	bool bare_cr;
};

enum smtp_content_event {
	CONTENT_NEED, /* the input is used up */
	CONTENT_DATA, /* *out holds content */
	CONTENT_END, /* the end; *in holds what came behind it */
};

/*
 * Takes from the front of *in. Call again until it says CONTENT_NEED or
 * CONTENT_END. *out is valid as long as the input is.
 */
enum smtp_content_event
smtp_content_next(struct smtp_content *c, struct span *in, struct span *out);
/*
 * The counted content is over: *out holds what is still to be given out (a
 * stray CR, the end of an open line). False when there is nothing.
 */
bool smtp_content_finish(struct smtp_content *c, struct span *out);

#endif
