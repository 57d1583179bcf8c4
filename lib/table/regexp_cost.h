/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_REGEXP_COST_H
#define LIB_TABLE_REGEXP_COST_H

/*
 * What a POSIX pattern costs before it is compiled.
 *
 * The C library unfolds x{9} to nine x and x+ to xx*, and keeps of each state
 * that can be left without a byte all that can be reached so: a list of ten
 * thousand words as (a|b|...) takes gigabytes, and so do thirty bytes of
 * repeated repetitions. regcomp(3) has no limit for that, and descends into
 * parentheses on the stack. Anchors one after the other, (^|$)(^|$), double
 * the time with each. So this follows it, in numbers alone.
 */

#include <stdbool.h>

#include "lib/base/span.h"

enum {
	REGEXP_DEPTH_MAX = 100, /* parentheses within each other */
	REGEXP_MB_MAX = 512, /* what one pattern may take */
};

enum regexp_cost {
	REGEXP_FITS,
	REGEXP_DEEP,
	REGEXP_LARGE,
	REGEXP_SLOW, /* anchors without end */
};

/*
 * Not below what it takes by much, nor above it by an order of magnitude,
 * where the pattern is legal. *bytes, unless NULL: the estimate, as far as it
 * was made.
 */
enum regexp_cost regexp_cost(struct span pattern, bool extended, double *bytes);

#endif
