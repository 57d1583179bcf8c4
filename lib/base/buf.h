/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_BUF_H
#define LIB_BASE_BUF_H

/*
 * A growing buffer with a hard maximum. What would not fit is not added, the
 * buffer remembers that (overflow), and the caller asks once at the end.
 */

#include "lib/base/span.h"

struct buf {
	char *p; /* always terminated once something was added */
	size_t n; /* bytes in use */
	size_t room; /* bytes allocated */
	size_t max; /* never more than this in use */
	bool overflow;
};

#define BUF_INIT(limit) ((struct buf){ NULL, 0, 0, (limit), false })

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
/* Empties, keeps the memory. */
void buf_reset(struct buf *b);
/* False, and overflow is set, when it does not fit. */
bool buf_add(struct buf *b, const void *data, size_t n);
bool buf_add_span(struct buf *b, struct span s);
bool buf_add_text(struct buf *b, const char *text);
bool buf_add_char(struct buf *b, char c);
bool buf_add_u64(struct buf *b, uint64_t n); /* in decimal */
bool buf_printf(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Room for n more bytes at p + n, or NULL; say buf_added when written. */
char *buf_reserve(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);
/* Takes n bytes off the front. */
void buf_drop(struct buf *b, size_t n);
struct span buf_span(const struct buf *b);
const char *buf_text(const struct buf *b); /* "" when empty; never NULL */

#endif
