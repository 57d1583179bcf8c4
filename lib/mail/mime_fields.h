/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_MIME_FIELDS_H
#define LIB_MAIL_MIME_FIELDS_H

/*
 * What the header of a message or of a part says about it: for mime_tree.h
 * alone.
 */

#include "lib/mail/mime_tree.h"

struct mime_fields {
	struct arena *arena; /* texts are copied to it */
	size_t *budget;
	bool message; /* a message's header, with an envelope */
	bool digest; /* a part of multipart/digest, RFC 2046 section 5.1.5 */
};

/*
 * Fills the texts of *p, and its kind; "boundary" p NULL where there is none.
 */
void mime_fields_read(const struct mime_fields *f, struct span header,
    struct mime_part *p, struct span *boundary);

#endif
