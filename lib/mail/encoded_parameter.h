/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_ENCODED_PARAMETER_H
#define LIB_MAIL_ENCODED_PARAMETER_H

/*
 * Parameters of MIME header fields with 8-bit bytes, made ASCII (RFC 2231):
 * filename="é" becomes filename*=utf-8''%C3%A9.
 */

#include "lib/base/buf.h"

/*
 * Adds "value" (unfolded) with all parameters that are not ASCII encoded,
 * each on a line of its own. False when something else has 8-bit bytes, or
 * what there is cannot be told apart. The charset is utf-8 if the bytes are
 * that, else unknown-8bit (RFC 1428).
 */
bool encoded_parameters(struct span value, struct buf *out);

#endif
