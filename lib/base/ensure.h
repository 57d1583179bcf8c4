/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_ENSURE_H
#define LIB_BASE_ENSURE_H

/*
 * Checks that are always on, for our own bugs: what an outsider can cause is
 * never an ensure(). A failed one prints where and ends in abort(3).
 */

#include <stdnoreturn.h>

#define ensure(condition) \
	((condition) ? \
		(void)0 : \
		ensure_failed(__FILE__, __LINE__, __func__, #condition))
#define unreachable() ensure_failed(__FILE__, __LINE__, __func__, "unreachable")

/* Where failures are reported before abort(3); standard error by default. */
void ensure_reporter(void (*report)(const char *text));

noreturn void ensure_failed(const char *file, int line, const char *function,
    const char *condition);

#endif
