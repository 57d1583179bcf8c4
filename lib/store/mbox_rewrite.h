/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MBOX_REWRITE_H
#define LIB_STORE_MBOX_REWRITE_H

/*
 * Taking messages out of the middle of a file in place, so that at no moment
 * a kill, a power cut or a full disk loses one of the others.
 *
 * In place, because a new file under the old name would be unknown to
 * programs that have the old one open and wait for its lock: what they
 * append would be lost. So what moves is written to a journal first; the
 * steps are in doc/DURABILITY.md.
 */

#include <stddef.h>
#include <stdint.h>

#include "lib/base/why.h"

struct mbox_range {
	int64_t start;
	int64_t end;
};

/*
 * Removes the ranges, which are in order and do not overlap. The caller has
 * the file locked and has called mbox_recover. 0; or -1 with *why, and the
 * file is as it was, or mbox_recover will end it.
 */
int mbox_remove(int file, int journal, const struct mbox_range *ranges,
    size_t count, struct why *why);

/*
 * Ends what a crash has interrupted; for each opening, with the file locked.
 * 0, or -1 with *why: the mailbox must not be used.
 */
int mbox_recover(int file, int journal, struct why *why);

#endif
