/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_DOWNGRADE_H
#define LIB_MAIL_DOWNGRADE_H

/*
 * A message with 8-bit content becomes one of 7-bit bytes that means the
 * same, for a server without 8BITMIME (RFC 6152 section 3): text parts in
 * quoted-printable, others in base64, header fields in encoded words
 * (RFC 2047), their parameters by RFC 2231. Parts without 8-bit bytes stay as
 * they are.
 *
 * Two passes over the message: the first finds out which parts have 8-bit
 * bytes and whether all of them can be converted, the second converts. What
 * cannot be: parts under a signature (multipart/signed), fragments
 * (message/partial), bytes in unknown encodings, addresses and parameters in
 * headers, nesting or headers beyond all measure.
 */

#include "lib/base/span.h"

struct downgrade;

typedef void downgrade_sink(void *with, struct span bytes);

/* "depth" of multiparts: what is within more of them is not converted. */
struct downgrade *downgrade_new(size_t depth);
void downgrade_free(struct downgrade **d);
/* First pass: all of the content, split anywhere. */
void downgrade_look(struct downgrade *d, struct span in);
/* Its end. NULL when it can be converted; else why not, for the report. */
const char *downgrade_obstacle(struct downgrade *d);
/* Second pass: the same bytes again. Nothing above 127 goes to the sink. */
void downgrade_begin(struct downgrade *d, downgrade_sink *sink, void *with);
void downgrade_convert(struct downgrade *d, struct span in);
void downgrade_end(struct downgrade *d);

#endif
