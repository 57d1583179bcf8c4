/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_LIST_PATTERN_H
#define IMAPD_LIST_PATTERN_H

/*
 * Patterns of LIST (RFC 9051 section 6.3.9): "*" stands for anything, "%" for
 * anything within one level of the hierarchy.
 *
 * SECURITY: patterns come from clients, and are tried on every folder there
 * is. One is therefore not matched by trying, but by following all ways
 * through it at once: time goes with the length of the name, times the length
 * of the pattern in 64s, whatever the pattern is.
 *
 * Pure. Bytes are compared; both sides are UTF-8 in the same form.
 */

#include <stdbool.h>

#include "lib/base/span.h"

enum {
	LIST_PATTERN_MAX = 1023, /* elements; what is longer matches nothing */
};

struct list_pattern;

/* NULL when it is too long to match any name that a folder can have. */
struct list_pattern *list_pattern_new(struct span text, char separator);
void list_pattern_free(struct list_pattern **p);
/*
 * The whole name? "INBOX", as a name or as its first part, matches without
 * regard to case.
 */
bool list_pattern_match(const struct list_pattern *p, const char *name);
/* Has it a "%"? LSUB then tells of parents that are not subscribed. */
bool list_pattern_levels(const struct list_pattern *p);

#endif
