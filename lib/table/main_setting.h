/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_MAIN_SETTING_H
#define LIB_TABLE_MAIN_SETTING_H

/* Settings of main.cf, where the program has said table_main_settings. */

#include <stdint.h>

#include "lib/table/table_settings.h"

/* NULL: not set, or nobody knows. */
const char *main_setting(const char *name);
/* "fallback" where it is not set, or is no number above zero. */
int64_t main_setting_number(const char *name, int64_t fallback);
/* For table_settings_gather. */
table_settings_find main_setting_find;
/*
 * Names that begin with "PREFIX_" and are set, without that, and without those
 * that are plainly somebody else's.
 */
void main_setting_each(const char *prefix,
    void (*visit)(void *with, const char *name), void *with);

#endif
