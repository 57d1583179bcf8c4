/* SPDX-License-Identifier: ISC */
#include "lib/base/ensure.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void (*reporter)(const char *text);

void
ensure_reporter(void (*report)(const char *text))
{
	reporter = report;
}

noreturn void
ensure_failed(const char *file, int line, const char *function,
    const char *condition)
{
	char text[512];
	int n;

	n = snprintf(text, sizeof(text), "panic: %s:%d: %s: %s\n", file, line,
	    function, condition);
	if (reporter != NULL)
		reporter(text);
	else if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
		abort();
	abort();
}
