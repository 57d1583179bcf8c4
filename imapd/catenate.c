/* SPDX-License-Identifier: ISC */
/*
 * APPEND of parts: CATENATE, RFC 4469.
 */

#include "imapd/append.h"

bool
append_catenate(struct appending *a)
{
	return append_bad(a, "No CATENATE");
}
