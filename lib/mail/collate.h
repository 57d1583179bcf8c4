/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_COLLATE_H
#define LIB_MAIL_COLLATE_H

/*
 * The collation i;unicode-casemap (RFC 5051), which I18NLEVEL=1 means
 * (RFC 5255 section 4.2): text is mapped to title case and decomposed, and
 * the results are compared, or searched, byte by byte.
 */

#include "lib/base/buf.h"

/* Adds the mapped form of well-formed UTF-8; what is not, as it is. */
void collate_fold(struct span utf8, struct buf *out);

#endif
