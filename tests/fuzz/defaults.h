/* SPDX-License-Identifier: ISC */
#ifndef TESTS_FUZZ_DEFAULTS_H
#define TESTS_FUZZ_DEFAULTS_H

#include "lib/conf/conf.h"

/* Settings as they are without a main.cf, on a host called mx.test. */
void defaults_fill(const struct param_group *group, void *into);

#endif
