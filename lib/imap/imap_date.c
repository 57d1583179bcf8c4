/* SPDX-License-Identifier: ISC */
#include "lib/imap/imap_date.h"

#include <stdio.h>
#include <time.h>

static const char *const months[] = {
#define MONTH(name) name,
#include "lib/base/months.def"
#undef MONTH
};

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = year - (month <= 2), era = y / 400, in_era = y % 400;
	int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;

	return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 +
	    in_year + day - 1 - 719468;
}

static int64_t
days_in(uint64_t year, uint64_t month)
{
	static const int64_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && leap ? 29 : days[month - 1];
}

/* Exactly n digits off the front. */
static bool
digits(struct span *s, size_t n, uint64_t *out)
{
	if (s->n < n || !span_u64(span_take(*s, n), UINT64_MAX, out))
		return false;
	*s = span_skip(*s, n);
	return true;
}

static bool
this_char(struct span *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

static bool
month_of(struct span *s, uint64_t *month)
{
	for (*month = 1; *month <= 12; ++*month)
		if (span_starts_nocase(*s, months[*month - 1])) {
			*s = span_skip(*s, 3);
			return true;
		}
	return false;
}

/* "1-Feb-1994"; the day may have a space before it, or a zero, or neither. */
static bool
date(struct span *s, int64_t *days)
{
	uint64_t day, month, year;
	bool spaced = this_char(s, ' ');

	if ((spaced || !digits(s, 2, &day)) && !digits(s, 1, &day))
		return false;
	if (!this_char(s, '-') || !month_of(s, &month) || !this_char(s, '-') ||
	    !digits(s, 4, &year))
		return false;
	if (year == 0 || day == 0 || (int64_t)day > days_in(year, month))
		return false;
	*days = days_of((int64_t)year, (int64_t)month, (int64_t)day);
	return true;
}

static bool
clock_time(struct span *s, int64_t *seconds)
{
	uint64_t hour, minute, second;

	if (!digits(s, 2, &hour) || !this_char(s, ':') ||
	    !digits(s, 2, &minute) || !this_char(s, ':') ||
	    !digits(s, 2, &second))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	*seconds = (int64_t)(hour * 3600 + minute * 60 + second);
	return true;
}

static bool
zone(struct span *s, int64_t *east)
{
	bool west = this_char(s, '-');
	uint64_t hour, minute;

	if (!west && !this_char(s, '+'))
		return false;
	if (!digits(s, 2, &hour) || !digits(s, 2, &minute) || minute > 59)
		return false;
	*east = (int64_t)(hour * 3600 + minute * 60) * (west ? -1 : 1);
	return true;
}

bool
imap_date_time_parse(struct span text, int64_t *out)
{
	int64_t days, seconds, east;

	if (!date(&text, &days) || !this_char(&text, ' ') ||
	    !clock_time(&text, &seconds) || !this_char(&text, ' ') ||
	    !zone(&text, &east) || text.n > 0)
		return false;
	*out = days * 86400 + seconds - east;
	return true;
}

bool
imap_date_parse(struct span text, int64_t *out)
{
	int64_t days;

	if (!date(&text, &days) || text.n > 0)
		return false;
	*out = days;
	return true;
}

void
imap_date_time_text(int64_t seconds, long east, char out[IMAP_DATE_MAX])
{
	static const int64_t first = -62135596800 + 86400, /* of year 1 */
	    last = 253402300799 - 86400; /* of year 9999 */
	time_t t = (time_t)(seconds < first ? first :
		seconds > last              ? last :
					      seconds);
	long minutes = (east < 0 ? -east : east) / 60;
	struct tm tm = { 0 };

	t += east;
	gmtime_r(&t, &tm);
	snprintf(out, IMAP_DATE_MAX, "%02d-%s-%04d %02d:%02d:%02d %c%02ld%02ld",
	    tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
	    tm.tm_min, tm.tm_sec, east < 0 ? '-' : '+', minutes / 60 % 100,
	    minutes % 60);
}
