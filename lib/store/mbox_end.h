/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MBOX_END_H
#define LIB_STORE_MBOX_END_H

/*
 * The end of an mbox, when a part of a message goes again. A file system may
 * write zeros behind the cut before the file is shorter: a power cut in between
 * would leave the part without its "From " line, as more text of the message
 * before it. So first goes what is behind the sector in which that line ends;
 * then sector by sector, each of which is zeroed whole or not. Each step is on
 * disk before the next.
 *
 * A power cut amid the first leaves a part as any other does, one amid the
 * others zeros, or a "From " line that is not whole; whoever locks the mailbox
 * next takes these away.
 */

#include <sys/types.h>

/*
 * Cuts off a part that begins at "size", on disk too; where a flush fails, at
 * once, and not on disk. 0, or -1 with errno: it is there. The mailbox is
 * locked.
 */
int mbox_end_cut(int fd, off_t size);

/*
 * Takes away what a power cut amid that has left, if that is no message, in the
 * same way. The mailbox, which has this size, is locked. The size that it has
 * then: the same if there is nothing, or it cannot be done.
 */
off_t mbox_end_mend(int fd, off_t size);

#endif
