/* SPDX-License-Identifier: ISC */
#ifndef LIB_QUEUE_QUEUE_FIELD_H
#define LIB_QUEUE_QUEUE_FIELD_H

/*
 * Named fields as they lie in queue and maildrop files: u8 length of the
 * name, name, u16 length of the value (big-endian), value. Reading believes
 * nothing; lengths never lead beyond the span.
 */

#include "lib/base/buf.h"
#include "lib/base/span.h"

enum { QUEUE_FIELD_MAX = 65535 }; /* bytes of a value */

struct queue_field {
	struct span name;
	struct span value;
};

/*
 * False, nothing added, when the value is too long or holds CR, LF or NUL,
 * or the buffer is full.
 */
bool queue_field_put(struct buf *b, const char *name, struct span value);
/* Takes the next field off *rest. False at the end or when it is broken. */
bool queue_field_next(struct span *rest, struct queue_field *f);
/* Takes the next field off *rest only if it has this name. */
bool queue_field_if(struct span *rest, const char *name, struct span *value);

/* Big-endian numbers. */
void queue_put_number(unsigned char *to, uint64_t value, size_t bytes);
uint64_t queue_get_number(const void *from, size_t bytes);

#endif
