/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_REPLY_H
#define LIB_MAIL_REPLY_H

/*
 * Replies of SMTP (RFC 5321 section 4.2) with enhanced codes (RFC 2034):
 * making them, taking them apart, for server and client.
 */

#include "lib/base/buf.h"
#include "lib/base/why.h"

enum { REPLY_LINE_MAX = 512, REPLY_TEXT_MAX = 8192 };

/*
 * Adds a reply: "550 5.1.1 text\r\n". "dsn" may be NULL or "". Each "\n" in
 * the text begins another line of the reply; other controls become "?".
 * Lines are kept within REPLY_LINE_MAX by cutting the text. False if the
 * buffer is full.
 */
bool reply_format(struct buf *out, int code, const char *dsn, const char *text);

struct reply_line {
	int code; /* 200 to 599 */
	bool more; /* "250-": not the last line */
	struct span text; /* behind the code and its blank or hyphen */
};

/* One line without its end. "250" alone is fine. False: no reply. */
bool reply_parse_line(struct span line, struct reply_line *out);

/*
 * Cuts an enhanced code off the front: "5.1.1 text", "5.1.1". The text
 * begins behind the blanks. False, both untouched, when there is none.
 */
bool reply_take_dsn(struct span *text, char dsn[WHY_DSN_MAX]);
/*
 * The same for "550 5.1.1 text", "550 text" as tables say it. *code and dsn
 * stay as they were where the text has none.
 */
void reply_take_codes(struct span *text, int *code, char dsn[WHY_DSN_MAX]);

#endif
