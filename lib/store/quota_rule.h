/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_QUOTA_RULE_H
#define LIB_STORE_QUOTA_RULE_H

/*
 * How much mail an account may have, as Dovecot's quota_rule says it:
 * "*:storage=1G:messages=1000". Pure.
 */

#include "lib/base/span.h"

struct quota_rule {
	uint64_t bytes; /* 0: any amount */
	uint64_t messages; /* 0: any number */
};

/*
 * Limits with colons between them; "*:" in front, which means the whole
 * account, may be left out. storage= and bytes= are an amount with one of the
 * units B, k, M, G, T (powers of 1024; storage without one is in k, bytes in
 * bytes), messages= a number; "ignore" is no limit, and so is 0. Empty text is
 * fine. False for all else, rules for single folders and percentages included.
 */
bool quota_rule_parse(struct span text, struct quota_rule *out);

#endif
