/* SPDX-License-Identifier: ISC */
/* From text to the typed, bounded fields of a group's struct. */
#include "lib/conf/conf_parts.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/ensure.h"

/* Digits with an optional minus; at most the 18 digits an int64_t takes. */
static bool
read_number(struct span s, int64_t *out)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	uint64_t value;

	if (negative)
		s = span_skip(s, 1);
	if (!span_u64(s, INT64_MAX, &value))
		return false;
	*out = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

static int64_t
unit_seconds(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 604800;
	default:
		return 0;
	}
}

bool
conf_parse_time(const char *text, char unit, int64_t *seconds)
{
	struct span s = span_trim(span_of(text));
	int64_t number, factor;

	if (s.n > 0 && isalpha((unsigned char)s.p[s.n - 1])) {
		unit = (char)tolower((unsigned char)s.p[s.n - 1]);
		s.n--;
	}
	factor = unit_seconds(unit);
	if (factor == 0 || !read_number(s, &number) ||
	    number > INT64_MAX / factor || number < -(INT64_MAX / factor))
		return false;
	*seconds = number * factor;
	return true;
}

/* Times without a unit are in the unit of the default. */
static char
default_unit(const struct param *p)
{
	size_t n = strlen(p->fallback);

	if (n > 0 && unit_seconds(p->fallback[n - 1]) != 0)
		return p->fallback[n - 1];
	return 's';
}

static bool
read_quantity(const struct param *p, const char *text, int64_t *out)
{
	if (p->type == PARAM_TIME)
		return conf_parse_time(text, default_unit(p), out);
	return read_number(span_trim(span_of(text)), out);
}

static bool
in_bounds(const struct param *p, int64_t value, struct buf *wrong)
{
	int64_t bound;

	if (p->min[0] != '\0' && read_quantity(p, p->min, &bound) &&
	    value < bound) {
		buf_printf(wrong, "is below the least allowed, %s", p->min);
		return false;
	}
	if (p->max[0] != '\0' && read_quantity(p, p->max, &bound) &&
	    value > bound) {
		buf_printf(wrong, "is above the most allowed, %s", p->max);
		return false;
	}
	return true;
}

/* "50M", which Postfix does not take either. */
static bool
written_out(const char *text, int64_t *value)
{
	static const char units[] = "kmg";
	struct span s = span_trim(span_of(text));
	const char *unit;
	int64_t n;

	if (s.n > 1 && tolower((unsigned char)s.p[s.n - 1]) == 'b')
		s.n--;
	unit = s.n > 1 ? strchr(units, tolower((unsigned char)s.p[s.n - 1])) :
			 NULL;
	if (unit == NULL || *unit == '\0' ||
	    !read_number(span_trim(span_take(s, s.n - 1)), &n) || n < 0 ||
	    n > INT64_MAX >> 30)
		return false;
	*value = n << 10 * (unit - units + 1);
	return true;
}

static bool
quantity(const struct param *p, const char *text, int64_t *into,
    struct buf *wrong)
{
	int64_t value;

	if (!read_quantity(p, text, &value)) {
		buf_add_text(wrong,
		    p->type == PARAM_TIME ? "is not a time: a number and s, m, "
					    "h, d or w is wanted" :
					    "is not a number");
		if (p->type != PARAM_TIME && written_out(text, &value))
			buf_printf(wrong, ": write %" PRId64, value);
		return false;
	}
	if (!in_bounds(p, value, wrong))
		return false;
	*into = value;
	return true;
}

static bool
yes_or_no(const char *text, bool *into, struct buf *wrong)
{
	*into = conf_yes(text);
	if (*into || span_is_nocase(span_of(text), "no"))
		return true;
	buf_add_text(wrong, "is neither yes nor no");
	return false;
}

/* The caller keeps the text that belongs to the settings. */
static bool
word(const struct param *p, const char *text, const char **into,
    struct buf *wrong)
{
	struct span rest = span_of(p->max), one;

	/* where the default is, or may come out as, no word at all */
	if (text[0] == '\0' &&
	    (p->fallback[0] == '\0' || p->fallback[0] == '$')) {
		*into = text;
		return true;
	}
	while (span_cut(&rest, " ", true, &one)) {
		if (!span_is_nocase(one, text))
			continue;
		*into = text;
		return true;
	}
	buf_printf(wrong, "is none of: %s", p->max);
	return false;
}

/* For texts the bounds are lengths. */
static bool
text_value(const struct param *p, const char *text, const char **into,
    struct buf *wrong)
{
	uint64_t bound;

	if (span_u64(span_of(p->min), UINT32_MAX, &bound) &&
	    strlen(text) < bound) {
		buf_add_text(wrong, "must not be empty");
		return false;
	}
	if (span_u64(span_of(p->max), UINT32_MAX, &bound) &&
	    strlen(text) > bound) {
		buf_printf(wrong, "is longer than %s bytes", p->max);
		return false;
	}
	*into = text;
	return true;
}

bool
conf_read_value(const struct param *p, const char *text, void *into,
    struct buf *wrong)
{
	switch (p->type) {
	case PARAM_BOOL:
		return yes_or_no(text, into, wrong);
	case PARAM_COUNT:
	case PARAM_SIZE:
	case PARAM_TIME:
		return quantity(p, text, into, wrong);
	case PARAM_WORD:
		return word(p, text, into, wrong);
	case PARAM_TEXT:
	case PARAM_RAW:
	case PARAM_TABLES:
		return text_value(p, text, into, wrong);
	}
	unreachable();
}
