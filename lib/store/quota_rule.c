/* SPDX-License-Identifier: ISC */
#include "lib/store/quota_rule.h"

static bool
unit_shift(char c, unsigned int *shift)
{
	static const struct {
		char small, large;
		unsigned int shift;
	} units[] = { { 'b', 'B', 0 }, { 'k', 'K', 10 }, { 'm', 'M', 20 },
		{ 'g', 'G', 30 }, { 't', 'T', 40 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (c == units[i].small || c == units[i].large) {
			*shift = units[i].shift;
			return true;
		}
	return false;
}

/* "shift": of a number without a unit. */
static bool
amount(struct span text, unsigned int shift, uint64_t *out)
{
	uint64_t n;

	if (text.n > 0 && unit_shift(text.p[text.n - 1], &shift))
		text.n--;
	if (!span_u64(text, INT64_MAX >> shift, &n))
		return false;
	*out = n << shift;
	return true;
}

static bool
limit(struct span text, struct quota_rule *out)
{
	if (span_is(text, "ignore")) {
		*out = (struct quota_rule){ 0, 0 };
		return true;
	}
	if (span_starts(text, "storage="))
		return amount(span_skip(text, 8), 10, &out->bytes);
	if (span_starts(text, "bytes="))
		return amount(span_skip(text, 6), 0, &out->bytes);
	if (span_starts(text, "messages="))
		return span_u64(span_skip(text, 9), INT64_MAX, &out->messages);
	return false;
}

bool
quota_rule_parse(struct span text, struct quota_rule *out)
{
	struct quota_rule rule = { 0, 0 };
	struct span one;

	if (span_starts(text, "*:"))
		text = span_skip(text, 2);
	while (span_cut(&text, ":", false, &one))
		if (!limit(one, &rule))
			return false;
	*out = rule;
	return true;
}
