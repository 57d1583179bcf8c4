/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_WHY_H
#define LIB_BASE_WHY_H

/*
 * What became of a piece of mail, and why: the single source of replies,
 * reports and log lines.
 */

#include <stdbool.h>

enum verdict {
	OK, /* done */
	LATER, /* try again: 4xx, deferred */
	NEVER, /* refused for good: 5xx, bounced */
};

enum {
	WHY_TEXT_MAX = 1024,
	WHY_DSN_MAX = 16,
	WHY_MTA_MAX = 256,
};

struct why {
	char dsn[WHY_DSN_MAX]; /* RFC 3463 code, "5.1.1" */
	char text[WHY_TEXT_MAX]; /* one line, printable, no CR or LF */
	char mta[WHY_MTA_MAX]; /* remote server that said so, or "" */
	int error; /* errno where the system said so, else 0 */
};

/*
 * Fills *w and gives the verdict that the code's first digit stands for.
 * Text is cut to the limit and cleaned of what is not printable.
 */
enum verdict why_set(struct why *w, const char *dsn, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, with ": " and the text of errno (kept in w->error) behind it. */
enum verdict why_errno(struct why *w, const char *dsn, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void why_clear(struct why *w);
/* The same verdict with the class digit to match: 5.2.2 becomes 4.2.2. */
void why_soften(struct why *w);
/* "d.d{1,3}.d{1,3}" with class 2, 4 or 5 (RFC 3463 section 2)? */
bool why_dsn_valid(const char *dsn);

#endif
