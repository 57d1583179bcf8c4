/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_REWRITE_H
#define LIB_MAIL_REWRITE_H

/*
 * An address becomes user@fully.qualified.domain, by form alone: no tables.
 * Addresses come and go in the unquoted form of lib/mail/mail_address.h.
 */

#include <stdbool.h>

#include "lib/base/mem.h"
#include "lib/conf/common.h"

struct rewrite_rules {
	bool swap_bangpath;
	bool allow_percent_hack;
	bool append_at_myorigin;
	bool append_dot_mydomain;
	const char *myorigin;
	const char *mydomain;
};

/* As the settings have it; the texts are those of "common". */
struct rewrite_rules
rewrite_rules_of(struct conf *c, const struct common_params *common);

/*
 * Strips a source route, turns site!user and user%domain round where there
 * is no "@", adds what is missing, strips one trailing dot. All keeps its case.
 * The empty address stays.
 */
const char *rewrite_address(const struct rewrite_rules *r, struct span address,
    struct arena *a);
/*
 * For who sends it on within the suite: an address that would become longer
 * than MAIL_ADDRESS_MAX stays as it is.
 */
const char *rewrite_address_within(const struct rewrite_rules *r,
    struct span address, struct arena *a);

#endif
