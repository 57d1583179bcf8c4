/* SPDX-License-Identifier: ISC */
#include "lib/mail/message_date.h"

#include <string.h>

enum { DAY = 24 * 60 * 60, COMMENTS_MAX = 1000 };

/* Takes blanks, folds and (nested) comments off the front. */
static void
skip_blanks(struct span *s)
{
	int depth = 0;

	for (; s->n > 0; *s = span_skip(*s, 1)) {
		char c = s->p[0];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0)
			*s = span_skip(*s, 1);
		else if (depth == 0 && strchr(" \t\r\n", c) == NULL)
			return;
	}
}

static bool
take_number(struct span *s, size_t most, int64_t *out, size_t *digits)
{
	size_t n = 0;
	int64_t value = 0;

	skip_blanks(s);
	while (n < s->n && n <= most && s->p[n] >= '0' && s->p[n] <= '9')
		value = 10 * value + (s->p[n++] - '0');
	if (n == 0 || n > most)
		return false;
	*s = span_skip(*s, n);
	*out = value;
	*digits = n;
	return true;
}

static struct span
take_letters(struct span *s)
{
	struct span word;
	size_t n = 0;

	skip_blanks(s);
	while (n < s->n && ((s->p[n] | 0x20) >= 'a' && (s->p[n] | 0x20) <= 'z'))
		n++;
	word = span_take(*s, n);
	*s = span_skip(*s, n);
	return word;
}

static bool
take_char(struct span *s, char c)
{
	skip_blanks(s);
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

/* 1 to 12, 0 for none; whole names of months are fine too. */
static int
month_number(struct span word)
{
	static const char *const months[] = {
#define MONTH(name) name,
#include "lib/base/months.def"
#undef MONTH
	};

	for (int i = 0; i < 12; i++)
		if (span_starts_nocase(word, months[i]))
			return i + 1;
	return 0;
}

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t era, of_era, of_year;

	year -= month <= 2;
	era = year / 400;
	of_era = year - era * 400;
	of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	    of_year - 719468;
}

static bool
valid_day(int64_t year, int month, int64_t day)
{
	static const char lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return day >= 1 &&
	    day <= lengths[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool
take_year(struct span *s, int64_t *year)
{
	size_t digits;

	if (!take_number(s, 4, year, &digits))
		return false;
	/* RFC 5322 section 4.3 */
	if (digits == 2)
		*year += *year < 50 ? 2000 : 1900;
	else if (digits == 3)
		*year += 1900;
	return *year >= 1900;
}

static bool
take_date(struct span *s, int64_t *day)
{
	struct span before = *s;
	int64_t in_month, year;
	size_t digits;
	int month;

	if (take_letters(s).n > 0)
		take_char(s, ','); /* the day of the week */
	else
		*s = before;
	if (!take_number(s, 2, &in_month, &digits))
		return false;
	take_char(s, '-'); /* some write 1-Jan-1999 */
	month = month_number(take_letters(s));
	take_char(s, '-');
	if (month == 0 || !take_year(s, &year) ||
	    !valid_day(year, month, in_month))
		return false;
	*day = days_of(year, month, in_month);
	return true;
}

/* Seconds of the day; 0 with false for what is no time. */
static bool
take_time(struct span *s, int64_t *seconds)
{
	int64_t hour, minute, second = 0;
	size_t digits;

	*seconds = 0;
	if (!take_number(s, 2, &hour, &digits) || !take_char(s, ':') ||
	    !take_number(s, 2, &minute, &digits))
		return false;
	if (take_char(s, ':') && !take_number(s, 2, &second, &digits))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	*seconds = hour * 3600 + minute * 60 + second;
	return true;
}

/* Seconds east of Greenwich. */
static int64_t
take_zone(struct span *s)
{
	static const struct {
		const char *name;
		int hours;
	} names[] = {
#define ZONE(name, hours) { name, hours },
#include "lib/mail/zones.def"
#undef ZONE
	};
	struct span word = take_letters(s);
	bool west = false;
	int64_t value;
	size_t digits;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_is_nocase(word, names[i].name))
			return names[i].hours * 3600;
	if (word.n > 0)
		return 0;
	west = take_char(s, '-');
	if (!west && !take_char(s, '+'))
		return 0;
	if (!take_number(s, 4, &value, &digits) || digits != 4 ||
	    value % 100 > 59)
		return 0;
	value = value / 100 * 3600 + value % 100 * 60;
	return west ? -value : value;
}

bool
message_date_parse(struct span value, struct message_date *out)
{
	struct span rest = span_take(value, COMMENTS_MAX);
	int64_t time, zone = 0;

	if (!take_date(&rest, &out->day))
		return false;
	if (take_time(&rest, &time))
		zone = take_zone(&rest);
	out->seconds = out->day * DAY + time - zone;
	return true;
}
