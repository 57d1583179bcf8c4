/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_POSTCONF_MANUAL_H
#define TOOLS_POSTCONF_MANUAL_H

/* The settings as their rows in params.def tell them. */

#include "lib/base/buf.h"

enum postconf_manual {
	POSTCONF_NONE,
	POSTCONF_MANUAL, /* main.cf(5), in mdoc; to standard output at once */
	POSTCONF_HTML, /* one page */
	POSTCONF_SAMPLE, /* a main.cf in which everything is a comment */
};

void postconf_manual(enum postconf_manual what, struct buf *out);

#endif
