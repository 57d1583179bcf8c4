/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SEARCH_PLAIN_H
#define IMAPD_SEARCH_PLAIN_H

/*
 * Messages that need no decoding, which are most: one text in ASCII, whole in
 * memory, as it is. What search_text.c looks through is then made by a pass
 * over the bytes, and the same as its long way would have made of them (the
 * fuzzer compares).
 */

#include "lib/base/buf.h"

/* ASCII without NUL: the same in every character set of mail that counts. */
bool search_plain_bytes(struct span s);
/* A field's value that holds no encoded word either. */
bool search_plain_value(struct span value);
/*
 * Does the message consist of a header and one such text? Its fields and that
 * text. False: who knows.
 */
bool search_plain_message(struct span message, struct span *fields,
    struct span *text);
/* Are all these fields ASCII, and what they encode UTF-8? */
bool search_plain_fields(struct span fields);
/* Adds it as collate_fold does, a blank for each end of a line. */
void search_plain_fold(struct span text, struct buf *out);

#endif
