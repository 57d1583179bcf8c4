/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_ARGUMENTS_TEXT_H
#define IMAPD_ARGUMENTS_TEXT_H

/*
 * Arguments of a command as text, to be read again when it is gone: by a
 * session that was parked.
 */

#include "lib/imap/imap_read.h"

/* False: they cannot be written on one line, or it is too long. */
bool arguments_text_write(const struct imap_arg *a, struct buf *out);
/* Copied first: all of *out is the arena's. False: this is no such text. */
bool arguments_text_read(struct span text, struct arena *arena,
    const struct imap_arg **out, size_t *count);

#endif
