/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_FILE_SYSTEM_H
#define LIB_BASE_FILE_SYSTEM_H

/*
 * What a file system does with names when the power goes, and with flushes when
 * its device fails.
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
#include <sys/types.h>

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
 * Is what a cut frees used for nothing else until the cut is on disk, and with
 * it all that was done before? Who finds an older length then finds the bytes
 * that were there. Not so on ext4 without a journal, or with data=writeback
 * (read in /proc/fs/ext4), or where that can no longer be asked.
 */
bool file_system_frees_late(int fd);
/*
 * Behind a rename: flushes this file, or the folder that it came to, if that
 * may be lost otherwise. 0, or -1 with errno.
 */
int file_system_settle(int fd);
/* The same of a folder, by its path below an open one. */
int file_system_settle_folder(int at, const char *path);

/* Which time of a file may be set to now. */
enum file_time { FILE_TIME_READ, FILE_TIME_WRITTEN };

/*
 * When a journal by which many flushes are one cannot be written, one fsync(2)
 * hears of it, and another one, of a file that was in the same transaction, a
 * moment later succeeds. So does each on a file system that was made read-only
 * by then. Hence, behind flushes that went well, of one file for all on its
 * device: does that still take changes?
 *
 * Asked are XFS, and ext4 unless it is known to have no journal; of others
 * nothing is called. Sets the time, twice: ext4 finds out that its journal was
 * given up with the first, which succeeds, and refuses the second. 0, or -1
 * with errno EROFS, EIO or ESHUTDOWN; a change that is refused for another
 * reason (it is not for us to change) says nothing and is 0. The file or
 * directory may be open for anything but O_PATH, on this device (0: whichever
 * it is on); with its owner's rights.
 */
int file_system_takes_changes(int fd, dev_t device, enum file_time time);
/*
 * fsync(2) that is believed if the device takes changes behind it. 0, or -1
 * with errno.
 */
int file_system_commit(int fd, dev_t device, enum file_time time);
/*
 * The same for all of the file system that this file is on, of any kind.
 * syncfs(2) says nothing on many kernels (before Linux 5.17) of a journal that
 * could not be written, so this file is flushed behind it, and changed: the
 * time when it was read.
 */
int file_system_commit_all(int fd);

#endif
