/* SPDX-License-Identifier: ISC */
/* Sequence sets: what is taken is a set, and its text is taken as the same. */
#include "lib/imap/imap_set.h"

#include <stddef.h>
#include <stdint.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STAR = 1000, TEXT_MAX = 1 << 20 };

static bool
same(const struct uid_set *a, const struct uid_set *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->ranges[i].first != b->ranges[i].first ||
		    a->ranges[i].last != b->ranges[i].last)
			return false;
	return true;
}

static void
well_formed(const struct uid_set *s)
{
	for (size_t i = 0; i < s->count; i++) {
		ensure(s->ranges[i].first > 0);
		ensure(s->ranges[i].first <= s->ranges[i].last);
		ensure(i == 0 ||
		    (uint64_t)s->ranges[i - 1].last + 1 < s->ranges[i].first);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct uid_set set = { 0 }, back = { 0 };
	struct buf written = BUF_INIT(TEXT_MAX);

	(void)imap_set_beyond(text, STAR);
	if (imap_set_parse(text, STAR, &set)) {
		well_formed(&set);
		ensure(!uid_set_empty(&set));
		ensure(imap_set_beyond(text, STAR) ==
		    (set.ranges[set.count - 1].last > STAR));
		ensure(uid_set_text(&set, &written));
		ensure(imap_set_parse(buf_span(&written), STAR, &back));
		ensure(same(&set, &back));
	}
	uid_set_fini(&set);
	uid_set_fini(&back);
	buf_fini(&written);
	return 0;
}
