/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_CHARSET_CONVERT_H
#define LIB_MAIL_CHARSET_CONVERT_H

/*
 * Text in the character sets of mail, to UTF-8. Whatever comes in, what goes
 * out is well-formed UTF-8: what cannot be read becomes U+FFFD.
 *
 * Sets of one byte for a character are tables; the others are the C
 * library's, which loads each from a file. A program that is going to give up
 * the right to open files calls charset_prepare before; children that are
 * forked have it all.
 */

#include "lib/base/buf.h"

struct charset;

/* Loads everything: some milliseconds. */
void charset_prepare(void);
/* By any of its names, case does not count. NULL: not known. */
const struct charset *charset_find(struct span name);
/* What can be converted, for BADCHARSET; NULL at the end. */
const char *const *charset_names(void);

/*
 * A conversion of text that comes in pieces. From NULL: nobody said what it
 * is, or said US-ASCII; then UTF-8 where it is that, else windows-1252.
 */
struct charset_convert {
	const struct charset *from;
	void *handle; /* of the C library */
	char rest[16]; /* begin of a character */
	size_t n;
};

void charset_begin(struct charset_convert *c, const struct charset *from);
void charset_put(struct charset_convert *c, struct span text, struct buf *utf8);
/* What is left over; gives back what is held. Always to be called. */
void charset_end(struct charset_convert *c, struct buf *utf8);

/* All at once. */
void
charset_text(const struct charset *from, struct span text, struct buf *utf8);

#endif
