/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_UID_SET_H
#define LIB_STORE_UID_SET_H

/*
 * A set of UIDs (or of message numbers) as sorted ranges that neither touch
 * nor overlap. Memory goes with the number of ranges, not of members. Zeroed
 * is the empty set. 0 is never a member.
 */

#include "lib/base/buf.h"

struct uid_range {
	uint32_t first;
	uint32_t last; /* not below first */
};

struct uid_set {
	struct uid_range *ranges;
	size_t count; /* of ranges */
	size_t room;
};

void uid_set_fini(struct uid_set *s); /* empties, frees */
void uid_set_add(struct uid_set *s, uint32_t uid);
/* Quick where it continues or follows the last range. */
void uid_set_add_range(struct uid_set *s, uint32_t first, uint32_t last);
void uid_set_add_set(struct uid_set *s, const struct uid_set *other);
/* Many at once, in any order; they are sorted where they lie. */
void uid_set_add_ranges(struct uid_set *s, struct uid_range *ranges, size_t n);
void uid_set_remove_range(struct uid_set *s, uint32_t first, uint32_t last);
void uid_set_remove_set(struct uid_set *s, const struct uid_set *other);
/* Keeps what is in both. */
void uid_set_intersect(struct uid_set *s, const struct uid_set *other);
void uid_set_copy(struct uid_set *to, const struct uid_set *from);
bool uid_set_has(const struct uid_set *s, uint32_t uid);
bool uid_set_empty(const struct uid_set *s);
uint64_t uid_set_members(const struct uid_set *s);
/* The n-th member, from 0; 0 when there are not so many. */
uint32_t uid_set_nth(const struct uid_set *s, uint64_t n);
/* How many members are below uid. */
uint64_t uid_set_rank(const struct uid_set *s, uint32_t uid);
/*
 * Steps through the members: *uid begins as 0, and is the next member each
 * time; false at the end.
 */
bool uid_set_next(const struct uid_set *s, uint32_t *uid);
/* "1:3,5" as RFC 9051 has it (sequence-set without "*"). */
bool uid_set_text(const struct uid_set *s, struct buf *out);

#endif
