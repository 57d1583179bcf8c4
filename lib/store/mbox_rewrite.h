/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MBOX_REWRITE_H
#define LIB_STORE_MBOX_REWRITE_H

/*
 * Changing a file in place, where messages are taken out, grow or shrink, or
 * are added, so that at no moment a kill, a power cut or a full disk loses
 * one, or leaves a part of one.
 *
 * In place, because a new file under the old name would be unknown to
 * programs that have the old one open and wait for its lock: what they
 * append would be lost. So what moves is written to a journal first; the
 * steps are in doc/DURABILITY.md.
 */

#include <stddef.h>
#include <stdint.h>

#include "lib/base/span.h"
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

/* What is in [start,end) is replaced by a text, and that by what a file has. */
struct mbox_edit {
	int64_t start;
	int64_t end;
	struct span text;
	int fd; /* of bytes [at,at+n) */
	int64_t at;
	int64_t n; /* 0: of none */
};

/*
 * Makes the edits, which are in order and do not overlap, all or none, and
 * durable. As mbox_remove else.
 */
int mbox_edit(int file, int journal, const struct mbox_edit *edits,
    size_t count, struct why *why);

/*
 * Ends what a crash has interrupted; for each opening, with the file locked.
 * 0, or -1 with *why: the mailbox must not be used.
 */
int mbox_recover(int file, int journal, struct why *why);

#endif
