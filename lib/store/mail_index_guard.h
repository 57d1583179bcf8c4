/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAIL_INDEX_GUARD_H
#define LIB_STORE_MAIL_INDEX_GUARD_H

/* Calls of LMDB on a file that may be damaged. */

#include <lmdb.h>

typedef int index_guarded_call(void *with);

/* Before the environment (or a map of the file: NULL) is opened. */
void index_guard_install(MDB_env *env);
/*
 * What the call returns; MDB_PANIC when it ran into a wrong address or an
 * assertion: nothing of that environment may be touched again.
 */
int index_guarded(index_guarded_call *call, void *with);

#endif
