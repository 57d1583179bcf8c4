/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_ENCODED_WORD_H
#define LIB_MAIL_ENCODED_WORD_H

/*
 * Header fields with 8-bit bytes, made ASCII by encoded words (RFC 2047), or
 * in the parameters of MIME fields by RFC 2231.
 */

#include "lib/mail/header.h"

/*
 * Adds the field anew, with its line end. False when it has 8-bit bytes
 * where nothing of that may stand: in addresses, ids, trace fields.
 * The charset is utf-8 if the bytes are that, else unknown-8bit (RFC 1428).
 */
bool encoded_word_field(const struct header_field *field, struct buf *out);

#endif
