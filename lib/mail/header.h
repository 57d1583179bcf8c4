/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_HEADER_H
#define LIB_MAIL_HEADER_H

/*
 * The header of a message, field by field, and where the body begins. The
 * one place that decides this for the whole suite: what signs, filters,
 * stores or shows a message must cut it at the same byte.
 *
 * Lines end with CRLF or LF. A field is a name of printable bytes, blanks
 * (obsolete, RFC 5322 section 4.5) and a colon, with all lines behind it
 * that begin with a blank. The header ends at the first empty line, which
 * belongs to neither, or before the first line that is no field.
 */

#include "lib/base/buf.h"

struct header_field {
	struct span whole; /* with its last line end */
	struct span name;
	/* behind the colon, folds as they are, without the last line end */
	struct span value;
};

enum header_next {
	HEADER_FIELD,
	HEADER_MORE, /* more input is needed to know; nothing was taken */
	HEADER_BODY, /* the rest is the body; an empty line was taken off */
	HEADER_BROKEN, /* the rest begins with a line that is no field */
};

/*
 * Takes one field off the front of *rest. "last": nothing follows *rest.
 * After HEADER_MORE come again with all of it and more; a caller bounds how
 * long a field may become. At the end of a message that has no empty line
 * it says HEADER_BODY with nothing left.
 */
enum header_next
header_next(struct span *rest, bool last, struct header_field *field);

/*
 * For who reads messages that did not come through cleanup: one that was in a
 * mailbox file may begin with that file's line "From sender date", quoted or
 * not. At the very start of a message, and there alone, such a line belongs to
 * the header, but is no field. Takes it off. False: more input is needed to
 * know. What cleanup lets in has none: it makes a field of it.
 */
bool header_skip_envelope(struct span *message, bool last);

/* ASCII case does not count. */
bool header_is(const struct header_field *field, const char *name);
/* Adds the value without line ends, and without blanks at both ends. */
bool header_unfold(struct span value, struct buf *out);
/*
 * The first field of that name in a whole header or message; its value as
 * in struct header_field. False when there is none.
 */
bool header_find(struct span message, const char *name, struct span *value);

#endif
