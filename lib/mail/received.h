/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_RECEIVED_H
#define LIB_MAIL_RECEIVED_H

/*
 * The Received: header (RFC 5321 section 4.4) in Postfix's form, so that
 * tools that read traces understand ours.
 */

#include "lib/base/buf.h"

struct received {
	/* from SMTP */
	const char *helo; /* what the client called itself */
	const char *client_name; /* verified, or "unknown" */
	const char *client_address; /* without brackets */
	const char *tls; /* "TLSv1.3 with cipher ...", NULL: leave out */
	const char *login; /* "(Authenticated sender: x)"; NULL: leave out */
	/* not from SMTP: "userid 1000" or the like; then the above is unused */
	const char *local;

	bool hidden; /* from SMTP or us, but nothing of the above is told */

	const char *hostname; /* ours */
	const char *mail_name; /* "Posthaste" */
	const char *protocol; /* "ESMTPS"; NULL: no "with" */
	const char *id; /* queue id */
	/* the only recipient, unquoted form; NULL: several, not told */
	const char *recipient;
	int64_t when; /* seconds since 1970 */
};

/*
 * Adds the header, folded, CRLF ended. Bytes that could end a comment or a
 * line come out as "?". False if it does not fit.
 */
bool received_format(const struct received *r, struct buf *out);

#endif
