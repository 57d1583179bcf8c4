/* SPDX-License-Identifier: ISC */
#ifndef LOGD_LINE_H
#define LOGD_LINE_H

/*
 * Log lines: taken apart, made harmless, and put together again. Pure.
 *
 * SECURITY: the bytes come from every program of the suite, also from one that
 * was taken over, and hold what strangers said. Whatever they are, what
 * comes out is one line of valid UTF-8 without control characters.
 */

#include <stdint.h>

#include "lib/base/buf.h"

enum { LINE_TEXT_MAX = 8000 };

struct line {
	char level; /* D I W E F P */
	struct span tag; /* "posthaste/smtpd" */
	uint64_t pid; /* 0: not told */
	struct span text;
};

/* "L TAG[PID]: text"; what is not so becomes text of an unknown program. */
struct line line_parse(struct span raw);

/* When and where. */
struct line_stamp {
	int64_t time_us; /* since 1970 */
	const char *host;
};

/* Both add the end of line. */
void line_text(const struct line *l, const struct line_stamp *stamp,
    struct buf *out);
void line_json(const struct line *l, const struct line_stamp *stamp,
    struct buf *out);
/* A datagram for syslog: priority, time, no host, no end of line. */
void line_syslog(const struct line *l, const struct line_stamp *stamp,
    int facility, struct buf *out);

#endif
