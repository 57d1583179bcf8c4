/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_BASE64_H
#define LIB_BASE_BASE64_H

/*
 * Base 64 (RFC 4648 section 4), strict: padding required, no white space, no
 * bits left over, so that one text stands for one value.
 */

#include "lib/base/buf.h"

/* False, *out as it was, when the text is not valid or does not fit. */
bool base64_decode(struct span text, struct buf *out);
bool base64_encode(struct span bytes, struct buf *out);

#endif
