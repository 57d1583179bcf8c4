/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_FILE_SYSTEM_H
#define LIB_BASE_FILE_SYSTEM_H

/*
 * What a file system does with names when the power goes.
 *
 * ext4 without a journal writes each block of a directory when it likes. A file
 * that was renamed is on disk under neither name as soon as the folder it has
 * left was written and the one that it came to was not: who flushes another
 * file in the old one is enough. fsck then puts it into lost+found. A flush of
 * the file, or of the folder it came to, ends that.
 *
 * Whether there is a journal is to be read in /sys/fs/ext4, once for each
 * device; the answer is kept for the life of the process.
 */

#include <stdbool.h>

/*
 * Asks about the file system of this file or directory (AT_FDCWD: the working
 * directory), which may be open by O_PATH: while /sys can still be seen.
 */
void file_system_know(int fd);
/*
 * May it lose what was renamed and not flushed? The ext family, if it has no
 * journal, or if that can no longer be asked.
 */
bool file_system_is_loose(int fd);
/*
 * Behind a rename: flushes this file, or the folder that it came to, if that
 * may be lost otherwise. 0, or -1 with errno.
 */
int file_system_settle(int fd);
/* The same of a folder, by its path below an open one. */
int file_system_settle_folder(int at, const char *path);

#endif
