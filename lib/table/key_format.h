/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_KEY_FORMAT_H
#define LIB_TABLE_KEY_FORMAT_H

/*
 * %s, %u, %d and so on in questions to servers and in what becomes of their
 * answers, as in Postfix:
 *
 *	%%	a percent sign
 *	%s	the key; in a result format, the result
 *	%u %d	its local part (the whole, if it is no address), its domain
 *	%S %U %D	the same of the key, in a result format too
 *	%1 ... %9	parts of the key's domain, the last one first
 *
 * Where something is wanted that the key has not, there is no question to
 * ask: nothing is found.
 *
 * SECURITY. Keys are made by strangers. Every byte of them goes through
 * "quote" before it is part of a question.
 */

#include "lib/base/buf.h"

enum key_format_result {
	KEY_FORMATTED,
	KEY_UNFIT, /* no such part, or it cannot be quoted: not found */
	KEY_LONG, /* does not fit */
};

/*
 * See module.h: the length, never more than room; SIZE_MAX for what cannot
 * be quoted.
 */
typedef size_t
key_format_quote(void *with, char *to, size_t room, struct span from);

/* False with *error for a % before anything else. */
bool key_format_valid(const char *format, struct buf *error);
/*
 * Appends to *out. value: what %s is; key: the key where value is a result,
 * else NULL. quote may be NULL.
 */
enum key_format_result
key_format_expand(const char *format, struct span value, const struct span *key,
    key_format_quote *quote, void *with, struct buf *out);

#endif
