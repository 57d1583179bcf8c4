/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_CIDR_H
#define LIB_TABLE_CIDR_H

#include "lib/table/table.h"

/* For the fuzzer: parses the text, looks the key up, throws all away. */
enum table_result
cidr_try(struct span text, struct span key, struct buf *value);

#endif
