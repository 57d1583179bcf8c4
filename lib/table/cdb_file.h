/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_CDB_FILE_H
#define LIB_TABLE_CDB_FILE_H

/*
 * A constant database (cdb). A small one is read when it is opened, and is in
 * memory. Of a larger one two or three short pieces are read for a question
 * and none is kept: one that is written over in place is damaged as long as it
 * is not whole, and its new content from then on. It may be damaged, be cut
 * short at any time, or be hostile: all that comes of it is -1 or false below,
 * or a wrong value.
 */

#include "lib/base/buf.h"

struct cdb_file;

/*
 * Keeps the descriptor, and makes *fd -1. NULL with an errno in *error: then
 * it stays the caller's.
 */
struct cdb_file *cdb_file_open(int *fd, int *error);
void cdb_file_close(struct cdb_file **f); /* NULL is fine */
/* 1 with *value, 0 for none, -1 for a damaged file. */
int cdb_file_find(struct cdb_file *f, struct span key, struct buf *value);
/* In the order they were written. False for a damaged file. */
bool cdb_file_each(struct cdb_file *f,
    void (*visit)(void *with, struct span key, struct span value), void *with);

#endif
