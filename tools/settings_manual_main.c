/* SPDX-License-Identifier: ISC */
/*
 * Prints main.cf(5) when the manual is made; never installed.
 *
 * SECURITY: runs as who builds; reads nothing but its own tables.
 */
#include "tools/settings_manual.h"

int
main(void)
{
	settings_manual();
	return 0;
}
