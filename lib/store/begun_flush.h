/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_BEGUN_FLUSH_H
#define LIB_STORE_BEGUN_FLUSH_H

/*
 * A flush of a Maildir's cur that a thread waits for, while its maker goes on
 * with what needs no disk: the rows of what was renamed, their proof, the
 * answers. All that was renamed before it began is on disk when it ends well;
 * nothing may be told before.
 *
 * The thread does that flush and ends. It has no rights but its maker's, and
 * needs the promise "threads" (as read_ahead.h).
 */

#include "lib/store/maildir_folder.h"

struct begun_flush;

/*
 * NULL: there can be no thread. The folder's descriptors must stay open until
 * it is ended.
 */
struct begun_flush *begun_flush_new(const struct maildir_folder *folder);
/*
 * Waits for it, and forgets it. What maildir_folder_flush said: 0, or -1 with
 * errno. 0 where none was begun.
 */
int begun_flush_end(struct begun_flush **b);

#endif
