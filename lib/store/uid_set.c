/* SPDX-License-Identifier: ISC */
#include "lib/store/uid_set.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"

void
uid_set_fini(struct uid_set *s)
{
	free(s->ranges);
	*s = (struct uid_set){ 0 };
}

/* Index of the first range that ends at "uid" or above. */
static size_t
at(const struct uid_set *s, uint64_t uid)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->ranges[middle].last < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* "old" ranges at i become "new" ones, which the caller fills in. */
static void
replace(struct uid_set *s, size_t i, size_t old, size_t new)
{
	size_t count = s->count - old + new;

	if (count > s->room) {
		s->room = count < 4 ? 4 : count + count / 2;
		s->ranges = mem_resize(s->ranges, s->room * sizeof(*s->ranges));
	}
	if (old != new && s->count > i + old)
		memmove(&s->ranges[i + new], &s->ranges[i + old],
		    (s->count - i - old) * sizeof(*s->ranges));
	s->count = count;
}

void
uid_set_add(struct uid_set *s, uint32_t uid)
{
	uid_set_add_range(s, uid, uid);
}

void
uid_set_add_range(struct uid_set *s, uint32_t first, uint32_t last)
{
	size_t from, to;
	uint64_t after = (uint64_t)last + 1;

	if (first == 0)
		first = 1;
	if (first > last)
		return;
	if (s->count > 0 && s->ranges[s->count - 1].last < first - 1) {
		from = to = s->count;
	} else {
		from = at(s, (uint64_t)first - 1);
		for (to = from; to < s->count && s->ranges[to].first <= after;)
			to++;
	}
	if (from < to) {
		if (s->ranges[from].first < first)
			first = s->ranges[from].first;
		if (s->ranges[to - 1].last > last)
			last = s->ranges[to - 1].last;
	}
	replace(s, from, to - from, 1);
	s->ranges[from] = (struct uid_range){ first, last };
}

void
uid_set_add_set(struct uid_set *s, const struct uid_set *other)
{
	struct uid_set merged = { 0 };
	size_t i = 0, j = 0;

	if (other->count <= 4) {
		for (; j < other->count; j++)
			uid_set_add_range(s, other->ranges[j].first,
			    other->ranges[j].last);
		return;
	}
	while (i < s->count || j < other->count) {
		const struct uid_range *r;

		if (j == other->count ||
		    (i < s->count &&
			s->ranges[i].first <= other->ranges[j].first))
			r = &s->ranges[i++];
		else
			r = &other->ranges[j++];
		uid_set_add_range(&merged, r->first, r->last);
	}
	uid_set_fini(s);
	*s = merged;
}

static int
compare(const void *left, const void *right)
{
	const struct uid_range *a = left, *b = right;

	return a->first < b->first ? -1 : a->first > b->first;
}

void
uid_set_add_ranges(struct uid_set *s, struct uid_range *ranges, size_t n)
{
	struct uid_set sorted = { 0 };

	if (n > 1)
		qsort(ranges, n, sizeof(*ranges), compare);
	for (size_t i = 0; i < n; i++)
		uid_set_add_range(&sorted, ranges[i].first, ranges[i].last);
	uid_set_add_set(s, &sorted);
	uid_set_fini(&sorted);
}

/* What is left of *r behind a range that goes; false: nothing. */
static bool
cut(struct uid_set *kept, struct uid_range *r, const struct uid_range *goes)
{
	if (r->first < goes->first)
		uid_set_add_range(kept, r->first, goes->first - 1);
	if (r->last <= goes->last)
		return false;
	r->first = goes->last + 1;
	return true;
}

void
uid_set_remove_set(struct uid_set *s, const struct uid_set *other)
{
	struct uid_set kept = { 0 };
	size_t j = 0;

	if (other->count <= 4) {
		for (; j < other->count; j++)
			uid_set_remove_range(s, other->ranges[j].first,
			    other->ranges[j].last);
		return;
	}
	for (size_t i = 0; i < s->count; i++) {
		struct uid_range r = s->ranges[i];
		bool left = true;

		while (j < other->count && other->ranges[j].last < r.first)
			j++;
		for (; left && j < other->count &&
		     other->ranges[j].first <= r.last;
		     j += left)
			left = cut(&kept, &r, &other->ranges[j]);
		if (left)
			uid_set_add_range(&kept, r.first, r.last);
	}
	uid_set_fini(s);
	*s = kept;
}

void
uid_set_remove_range(struct uid_set *s, uint32_t first, uint32_t last)
{
	struct uid_range kept[2];
	size_t from, to, n = 0;

	if (first > last)
		return;
	from = to = at(s, first);
	while (to < s->count && s->ranges[to].first <= last)
		to++;
	if (from == to)
		return;
	if (s->ranges[from].first < first)
		kept[n++] =
		    (struct uid_range){ s->ranges[from].first, first - 1 };
	if (s->ranges[to - 1].last > last)
		kept[n++] =
		    (struct uid_range){ last + 1, s->ranges[to - 1].last };
	replace(s, from, to - from, n);
	for (size_t i = 0; i < n; i++)
		s->ranges[from + i] = kept[i];
}

void
uid_set_intersect(struct uid_set *s, const struct uid_set *other)
{
	struct uid_set both = { 0 };
	size_t i = 0, j = 0;

	while (i < s->count && j < other->count) {
		const struct uid_range *a = &s->ranges[i],
				       *b = &other->ranges[j];

		uid_set_add_range(&both,
		    a->first > b->first ? a->first : b->first,
		    a->last < b->last ? a->last : b->last);
		if (a->last < b->last)
			i++;
		else
			j++;
	}
	uid_set_fini(s);
	*s = both;
}

void
uid_set_copy(struct uid_set *to, const struct uid_set *from)
{
	struct uid_set copy = { .count = from->count, .room = from->count };

	if (from->count > 0) {
		copy.ranges = mem_array(from->count, sizeof(*copy.ranges));
		memcpy(copy.ranges, from->ranges,
		    from->count * sizeof(*copy.ranges));
	}
	uid_set_fini(to);
	*to = copy;
}

bool
uid_set_has(const struct uid_set *s, uint32_t uid)
{
	size_t i = at(s, uid);

	return uid > 0 && i < s->count && s->ranges[i].first <= uid;
}

bool
uid_set_empty(const struct uid_set *s)
{
	return s->count == 0;
}

static uint64_t
length(const struct uid_range *r)
{
	return (uint64_t)r->last - r->first + 1;
}

uint64_t
uid_set_members(const struct uid_set *s)
{
	uint64_t total = 0;

	for (size_t i = 0; i < s->count; i++)
		total += length(&s->ranges[i]);
	return total;
}

uint32_t
uid_set_nth(const struct uid_set *s, uint64_t n)
{
	for (size_t i = 0; i < s->count; i++) {
		if (n < length(&s->ranges[i]))
			return s->ranges[i].first + (uint32_t)n;
		n -= length(&s->ranges[i]);
	}
	return 0;
}

uint64_t
uid_set_rank(const struct uid_set *s, uint32_t uid)
{
	uint64_t below = 0;

	for (size_t i = 0; i < s->count && s->ranges[i].first < uid; i++)
		below += s->ranges[i].last < uid ?
		    length(&s->ranges[i]) :
		    (uint64_t)uid - s->ranges[i].first;
	return below;
}

bool
uid_set_next(const struct uid_set *s, uint32_t *uid)
{
	size_t i;

	if (*uid == UINT32_MAX)
		return false;
	i = at(s, (uint64_t)*uid + 1);
	if (i == s->count)
		return false;
	*uid = s->ranges[i].first > *uid ? s->ranges[i].first : *uid + 1;
	return true;
}

bool
uid_set_text(const struct uid_set *s, struct buf *out)
{
	bool fits = true;

	for (size_t i = 0; fits && i < s->count; i++) {
		const struct uid_range *r = &s->ranges[i];

		fits = buf_printf(out, i > 0 ? ",%lu" : "%lu",
		    (unsigned long)r->first);
		if (fits && r->last > r->first)
			fits = buf_printf(out, ":%lu", (unsigned long)r->last);
	}
	return fits;
}
