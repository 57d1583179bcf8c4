/* SPDX-License-Identifier: ISC */
#ifndef MASTER_TABLE_TEXT_H
#define MASTER_TABLE_TEXT_H

/*
 * The text that a table of type hash, btree, cdb, lmdb or texthash is made
 * of, for checks of its values. Only texts are read that root or this user
 * owns, and that are small: master waits for nobody meanwhile. Lines that are
 * wrong as such are complained of elsewhere (lib/table/table_check.h).
 */

#include "lib/base/span.h"

typedef void table_text_visit(void *with, const char *path, unsigned int line,
    struct span value);

/* Calls for each entry of "type:path"; of other tables there is none. */
void table_text_each(struct span spec, table_text_visit *visit, void *with);

#endif
