/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_FDIO_H
#define LIB_BASE_FDIO_H

/*
 * Small truths about descriptors. 0 or -1 with errno, unless said otherwise.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct buf;

/* Closes *fd if it is not -1, and makes it -1. errno is kept. */
void fd_close(int *fd);
/*
 * As openat(2) without O_CREAT. That the file is read is not noted in it, where
 * that can be had (its owner alone may ask for it): no write for a reading.
 */
int fd_open_unnoted(int directory, const char *name, int flags);
int fd_nonblocking(int fd, bool on);
int fd_cloexec(int fd, bool on);
/* A stream socket, and no listener: for descriptors that others pass. */
bool fd_is_connection(int fd);
/*
 * Gives the file this size, and room on the disk for all of it: whoever writes
 * to memory that is mapped from a hole gets SIGBUS once the disk is full. On
 * Btrfs an empty file is also told to be written in place.
 */
int fd_reserve(int fd, off_t size);
/*
 * Has each block of this file been written, as far as its file system tells?
 * After a power cut a file that was not flushed may be as long as it was to be,
 * and have holes, which read as zeros. Of those that make a hole of zeros that
 * were written nothing is known: true. Not for a descriptor that others share:
 * its position moves for a moment.
 */
bool fd_is_written(int fd);
/*
 * A lock that the kernel keeps, of this open file, for writing; it waits for
 * nobody. Given back with the last descriptor, so by a process that is killed.
 */
bool fd_lock_byte(int fd, off_t byte);
void fd_unlock_byte(int fd, off_t byte);
/* All n bytes, across short writes and EINTR. */
int fd_write_all(int fd, const void *data, size_t n);
int fd_pwrite_all(int fd, const void *data, size_t n, off_t at);
/* Exactly n bytes; a shorter file is EIO. */
int fd_pread_all(int fd, void *data, size_t n, off_t at);
/* The rest of the file, up to the buffer's limit (then EFBIG). */
int fd_read_whole(int fd, struct buf *into);

/*
 * Does the file system's journal keep the order of what was done, and commit
 * it whole? Then what reaches the disk is a beginning of it: a file's length,
 * if its bytes have been written out before, then its new name; and who
 * flushes a file flushes all that was done before its last change. ext4 and
 * XFS do. Of the ext family this is also true without a journal as far as it is
 * about one file: who flushes that flushes its last name too. Nothing else is
 * in order there, see lib/base/file_system.h.
 */
bool fd_is_ordered(int fd);

#endif
