/* SPDX-License-Identifier: ISC */
#ifndef LIB_SASL_SASL_CHECK_H
#define LIB_SASL_SASL_CHECK_H

/*
 * The settings of auth, tried before they are used: sources of accounts that
 * are not there or that auth cannot read, unknown mechanisms.
 */

#include <stdbool.h>
#include "lib/conf/conf.h"

/* A line for each mistake, as conf_check; warnings may be NULL. */
bool
sasl_check_settings(struct conf *c, struct buf *errors, struct buf *warnings);

#endif
