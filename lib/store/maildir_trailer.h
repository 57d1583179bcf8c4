/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILDIR_TRAILER_H
#define LIB_STORE_MAILDIR_TRAILER_H

/*
 * A delivery that was cut short between rename and truncation has left the
 * trailer of the queue file behind the message (maildir_move;
 * doc/DURABILITY.md). It is known by the footer, or what a power cut amid the
 * truncation has left of it, and whoever reads the message cuts it where the
 * file's name says.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/*
 * Does it stand behind the "stored" bytes that the name says (UINT64_MAX:
 * nothing), in a file of this length? Costs a read where the file is longer.
 */
bool maildir_trailer_follows(int fd, uint64_t stored, off_t length);
/*
 * Cuts it off, by the same file opened for writing, or -1 with errno; closed.
 * *st then has the new size. That it cannot be done is logged. Flushed before
 * and behind, as by the delivery, unless file_system_frees_late.
 */
void maildir_trailer_cut(int *writable, const char *name, uint64_t stored,
    struct stat *st);

#endif
