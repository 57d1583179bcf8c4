/* SPDX-License-Identifier: ISC */
/* Which names there are, and what each is when nobody sets it. */
#include "lib/conf/conf_parts.h"

#include <stdlib.h>
#include <string.h>

/* All names, sorted: two kilobytes in each process, where a hash takes fifty.
 */
struct known {
	uint16_t group; /* of param_groups */
	uint16_t param;
};

static struct {
	struct known *rows;
	size_t count;
} all_known;

static const struct param *
param_at(const struct known *k)
{
	return &param_groups[k->group]->params[k->param];
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(param_at(a)->name, param_at(b)->name);
}

static void
sort_all(void)
{
	size_t n = 0;

	for (uint16_t g = 0; param_groups[g] != NULL; g++)
		n += param_groups[g]->count;
	all_known.rows = mem_array(n, sizeof(*all_known.rows));
	for (uint16_t g = 0; param_groups[g] != NULL; g++)
		for (uint16_t p = 0; p < param_groups[g]->count; p++)
			all_known.rows[all_known.count++] =
			    (struct known){ g, p };
	qsort(all_known.rows, n, sizeof(*all_known.rows), by_name);
}

/* Of a name and a row. */
static int
compare(const void *name, const void *row)
{
	const struct span *s = name;
	const char *other = param_at(row)->name;
	int order = strncmp(s->p, other, s->n);

	return order != 0 || other[s->n] == '\0' ? order : -1;
}

static const struct known *
find_known(struct span name)
{
	if (all_known.rows == NULL)
		sort_all();
	if (name.n == 0)
		return NULL;
	return bsearch(&name, all_known.rows, all_known.count,
	    sizeof(*all_known.rows), compare);
}

const struct param *
param_find(struct span name)
{
	const struct known *k = find_known(name);

	return k != NULL ? param_at(k) : NULL;
}

const struct param_group *
param_group_of(struct span name)
{
	const struct known *k = find_known(name);

	return k != NULL ? param_groups[k->group] : NULL;
}

static const struct conf_family families[] = {
	{ "delivery_slot_cost", PARAM_COUNT, "$default_delivery_slot_cost" },
	{ "delivery_slot_discount", PARAM_COUNT,
	    "$default_delivery_slot_discount" },
	{ "delivery_slot_loan", PARAM_COUNT, "$default_delivery_slot_loan" },
	{ "destination_concurrency_failed_cohort_limit", PARAM_COUNT,
	    "$default_destination_concurrency_failed_cohort_limit" },
	{ "destination_concurrency_limit", PARAM_COUNT,
	    "$default_destination_concurrency_limit" },
	{ "destination_concurrency_negative_feedback", PARAM_TEXT,
	    "$default_destination_concurrency_negative_feedback" },
	{ "destination_concurrency_positive_feedback", PARAM_TEXT,
	    "$default_destination_concurrency_positive_feedback" },
	{ "destination_rate_delay", PARAM_TIME,
	    "$default_destination_rate_delay" },
	{ "destination_recipient_limit", PARAM_COUNT,
	    "$default_destination_recipient_limit" },
	{ "extra_recipient_limit", PARAM_COUNT,
	    "$default_extra_recipient_limit" },
	{ "initial_destination_concurrency", PARAM_COUNT,
	    "$initial_destination_concurrency" },
	{ "minimum_delivery_slots", PARAM_COUNT,
	    "$default_minimum_delivery_slots" },
	{ "recipient_limit", PARAM_COUNT, "$default_recipient_limit" },
	{ "recipient_refill_delay", PARAM_TIME,
	    "$default_recipient_refill_delay" },
	{ "recipient_refill_limit", PARAM_COUNT,
	    "$default_recipient_refill_limit" },
	{ "time_limit", PARAM_TIME, "$command_time_limit" },
	{ "transport_rate_delay", PARAM_TIME, "$default_transport_rate_delay" },
};

const struct conf_family *
conf_family_find(struct span name)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		size_t n = strlen(families[i].suffix);

		if (name.n > n + 1 && name.p[name.n - n - 1] == '_' &&
		    memcmp(name.p + name.n - n, families[i].suffix, n) == 0)
			return &families[i];
	}
	return NULL;
}

const struct conf_family *
conf_family_at(size_t i)
{
	return i < sizeof(families) / sizeof(families[0]) ? &families[i] : NULL;
}

static const struct compat compat_table[] = {
#define COMPAT(name_, fallback_, verdict_, reason_) \
	{ #name_, fallback_, COMPAT_##verdict_, reason_ },
#define DIFFERS(name_, reason_)
#define FOREIGN(name_, values_)
#include "conf/compat.def"
#undef COMPAT
#undef DIFFERS
#undef FOREIGN
};

static const struct difference {
	const char *name;
	const char *reason;
} differences[] = {
#define COMPAT(name_, fallback_, verdict_, reason_)
#define DIFFERS(name_, reason_) { #name_, reason_ },
#define FOREIGN(name_, values_)
#include "conf/compat.def"
#undef COMPAT
#undef DIFFERS
#undef FOREIGN
};

static const struct foreign {
	const char *name;
	const char *values;
} foreigners[] = {
#define COMPAT(name_, fallback_, verdict_, reason_)
#define DIFFERS(name_, reason_)
#define FOREIGN(name_, values_) { #name_, values_ },
#include "conf/compat.def"
#undef COMPAT
#undef DIFFERS
#undef FOREIGN
};

const struct compat *
compat_rows(size_t *count)
{
	*count = sizeof(compat_table) / sizeof(compat_table[0]);
	return compat_table;
}

const struct compat *
compat_find(struct span name)
{
	for (size_t i = 0; i < sizeof(compat_table) / sizeof(compat_table[0]);
	     i++)
		if (span_is(name, compat_table[i].name))
			return &compat_table[i];
	return NULL;
}

const char *
compat_difference(struct span name)
{
	for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]);
	     i++)
		if (span_is(name, differences[i].name))
			return differences[i].reason;
	return "";
}

bool
conf_foreign(const struct setting *s)
{
	struct span value, rest;

	if (s->raw == NULL)
		return false;
	value = span_of(s->raw);
	while (value.n > 1 && value.p[value.n - 1] == '/')
		value.n--;
	for (size_t i = 0; i < sizeof(foreigners) / sizeof(foreigners[0]);
	     i++) {
		struct span one;

		if (strcmp(s->name, foreigners[i].name) != 0)
			continue;
		rest = span_of(foreigners[i].values);
		while (span_cut(&rest, " ", true, &one))
			if (value.n == one.n &&
			    memcmp(value.p, one.p, one.n) == 0)
				return true;
	}
	return false;
}

const char *
conf_fallback(struct conf *c, const char *name)
{
	struct span s = span_of(name);
	const struct setting *known = conf_setting(c, s);
	const struct param *param;
	const struct compat *compat;
	const struct conf_family *family;
	const char *computed = known->computed;

	if (computed == NULL)
		computed = conf_compute(c, name);
	if (computed != NULL)
		return computed;
	if ((param = param_find(s)) != NULL)
		return param->fallback;
	if ((compat = compat_find(s)) != NULL)
		return compat->fallback;
	family = conf_family_find(s);
	return family != NULL ? family->fallback : NULL;
}

enum { NEAR_MAX = 64 };

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/*
 * Insertions, deletions and changes of one letter between two names, of
 * which the second has small letters.
 */
static size_t
distance(struct span a, const char *b)
{
	size_t row[NEAR_MAX + 1], bn = strlen(b);

	if (a.n > NEAR_MAX || bn > NEAR_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= bn; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t before = row[0];

		row[0] = i;
		for (size_t j = 1; j <= bn; j++) {
			size_t above = row[j];

			row[j] = least(row[j] + 1, row[j - 1] + 1,
			    before + (lower(a.p[i - 1]) != b[j - 1]));
			before = above;
		}
	}
	return row[bn];
}

size_t
conf_name_distance(struct span a, const char *b)
{
	return distance(a, b);
}

const char *
conf_nearest(struct span name)
{
	size_t best = name.n / 5 + 2, d;
	const char *nearest = NULL;

	for (const struct param_group *const *g = param_groups; *g != NULL; g++)
		for (size_t i = 0; i < (*g)->count; i++) {
			d = distance(name, (*g)->params[i].name);
			if (d < best) {
				best = d;
				nearest = (*g)->params[i].name;
			}
		}
	for (size_t i = 0; i < sizeof(compat_table) / sizeof(compat_table[0]);
	     i++) {
		d = distance(name, compat_table[i].name);
		if (d < best) {
			best = d;
			nearest = compat_table[i].name;
		}
	}
	return nearest;
}
