/* SPDX-License-Identifier: ISC */
#ifndef LIB_TLS_TLS_CHECK_H
#define LIB_TLS_TLS_CHECK_H

/*
 * The TLS settings of all programs, tried before they are used: certificates
 * and keys that cannot be read or do not belong together, protocols and
 * ciphers that leave nothing, certificates that have ended. With the rights
 * of who starts the suite, as the programs themselves will read them.
 */

#include <stdbool.h>
#include "lib/conf/conf.h"

/*
 * A line for each mistake, as conf_check; warnings may be NULL. With the -o of
 * a service in c, "main_cf" is the same without, which has been tried: files
 * are tried again where an -o has changed a value, and lines about it begin
 * with CONF_OPTION. Otherwise NULL. What $stress changes of smtpd's is tried
 * as well, unless the site itself sets that.
 */
bool tls_check_settings(struct conf *c, struct conf *main_cf,
    struct buf *errors, struct buf *warnings);

#endif
