/* SPDX-License-Identifier: ISC */
#ifndef CLEANUP_HEADER_REWRITE_H
#define CLEANUP_HEADER_REWRITE_H

/*
 * Addresses in headers of our own users' mail: they are completed as those of
 * the envelope are, and go through the canonical tables where there are any.
 * What does not change, and what stands around the addresses stays byte for
 * byte. Strangers' headers are left alone, or completed with a domain that is
 * not ours.
 */

#include "cleanup/settings.h"
#include "lib/base/mem.h"
#include "lib/base/why.h"
#include "lib/mail/resolve.h"

struct header_rewriting {
	struct rewrite_rules rules; /* with a domain that may not be ours */
	bool mapped; /* through the canonical tables */
};

/*
 * Adds the value with its addresses rewritten to *out. LATER when lookup
 * could not answer. A value that would not fit stays as it is.
 */
enum verdict header_rewrite(struct span value, enum rewrite_kind kind,
    const struct header_rewriting *how, struct arena *a, struct buf *out,
    struct why *why);

#endif
