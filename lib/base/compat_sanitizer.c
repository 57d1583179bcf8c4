/* SPDX-License-Identifier: ISC */
#include "lib/base/compat_sanitizer.h"

#include <stdint.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>

const char *__asan_default_options(void);

/*
 * A finding ends the process as other bugs of ours do, by a signal. What it
 * leaves at its end cannot be looked for from an empty root and without the
 * right to trace: who can, says ASAN_OPTIONS=detect_leaks=1.
 */
__attribute__((visibility("default"))) const char *
__asan_default_options(void)
{
	return "abort_on_error=1:detect_leaks=0";
}

void
sanitizer_report_to(int fd)
{
	__sanitizer_set_report_fd((void *)(intptr_t)fd);
}
#else
void
sanitizer_report_to(int fd)
{
	(void)fd;
}
#endif
