/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_XTEXT_H
#define LIB_MAIL_XTEXT_H

/*
 * Parameters of DSN (RFC 3461): xtext, ENVID, ORCPT with the address type
 * utf-8 of RFC 6533. Within the suite they are kept decoded.
 */

#include "lib/base/buf.h"

enum {
	ENVID_MAX = 256, /* decoded; RFC 3461 section 4.4: 100 */
	ORCPT_MAX = 2048, /* decoded; section 4.2: 500 */
};

/* Any bytes but NUL. False if it does not fit. */
bool xtext_encode(struct span bytes, struct buf *out);
/* False, *out unspecified, for what is no xtext, and for an encoded NUL. */
bool xtext_decode(struct span text, struct buf *out);

/* Decoded, printable ASCII only (section 5.4). */
bool envid_decode(struct span text, struct buf *out);
/*
 * "rfc822;xtext" to "rfc822;address". The type is an atom. With the type
 * utf-8 the three forms of RFC 6533 section 3 are taken and come out as
 * UTF-8. No control characters. False as above.
 */
bool orcpt_decode(struct span text, struct buf *out);
/* The way back; "utf8": the peer was told SMTPUTF8. */
bool orcpt_encode(struct span orcpt, bool utf8, struct buf *out);

#endif
