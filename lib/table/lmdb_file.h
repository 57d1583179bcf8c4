/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_LMDB_FILE_H
#define LIB_TABLE_LMDB_FILE_H

/*
 * A table as an LMDB file, as Postfix has them: one file, the main database,
 * no lock file. Made by us it is never changed in place; one that Postfix's
 * postmap changes in place is read in snapshots that last one question.
 */

#include "lib/base/buf.h"

struct lmdb_file;

/*
 * Keeps the descriptor, and makes *fd -1. NULL with an errno in *error: then
 * it stays the caller's. A file may be damaged, be cut short at any time, or
 * be hostile: all that comes of it is -1 or false below, or a wrong value.
 */
struct lmdb_file *lmdb_file_open(int *fd, int *error);
void lmdb_file_close(struct lmdb_file **f); /* NULL is fine */
/* 1 with *value, 0 for none, -1 for a damaged file. */
int lmdb_file_find(struct lmdb_file *f, struct span key, struct buf *value);
/* False for a damaged file. */
bool lmdb_file_each(struct lmdb_file *f,
    void (*visit)(void *with, struct span key, struct span value), void *with);

enum { LMDB_KEY_MAX = 511 }; /* bytes; the library's */

/*
 * Fills the empty file: "next" gives the i-th entry, false behind the last.
 * "bytes" is what all keys and values take. False with errno. No flush.
 */
bool lmdb_file_write(int fd, size_t bytes,
    bool (*next)(void *with, size_t i, struct span *key, struct span *value),
    void *with);

#endif
