/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILDIR_PACKED_H
#define LIB_STORE_MAILDIR_PACKED_H

/*
 * Messages that Dovecot's zlib plugin has compressed: S= of the file's name is
 * the size of the message, not that of the file. No mail begins as such a file
 * does. gzip is read; other forms are known by name alone.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "lib/base/why.h"

/*
 * NULL: it is not compressed. Else how. Costs a read; files of the size in
 * their name need not be asked about.
 */
const char *maildir_packed_how(int fd);
/*
 * *fd, of a file whose name says "stored" bytes (UINT64_MAX: nothing), is
 * exchanged for one of the message itself, an unnamed file below "directory"
 * (its tmp), and st->st_size is set; nothing happens to one that is not
 * compressed. False with *why: it cannot be read.
 */
bool maildir_unpack(int directory, int *fd, uint64_t stored, struct stat *st,
    struct why *why);

#endif
