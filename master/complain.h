/* SPDX-License-Identifier: ISC */
#ifndef MASTER_COMPLAIN_H
#define MASTER_COMPLAIN_H

/*
 * Lines for who wrote the configuration, with the place of the mistake.
 * "to" may be NULL: then nobody wants to know.
 */

#include "lib/base/buf.h"
#include "lib/conf/master_cf.h"

/* "master.cf: line 12: service smtp/inet: ..." */
void complain_service(struct buf *to, const struct master_entry *e,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* "main.cf: line 12: relayhost: ..." */
void complain_setting(struct buf *to, const struct conf *c, const char *setting,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
