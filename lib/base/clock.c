/* SPDX-License-Identifier: ISC */
#include "lib/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t
clock_in(int64_t seconds)
{
	return clock_ms() + seconds * 1000;
}

static void
format_date(int64_t seconds, char out[CLOCK_DATE_MAX])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t when = (time_t)seconds;
	struct tm tm;
	long zone;

	localtime_r(&when, &tm);
	zone = tm.tm_gmtoff / 60;
	snprintf(out, CLOCK_DATE_MAX,
	    "%.3s, %d %.3s %d %02d:%02d:%02d %c%02ld%02ld",
	    days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    zone < 0 ? '-' : '+', labs(zone) / 60, labs(zone) % 60);
}

/* Many messages arrive within one second. */
void
clock_mail_date(int64_t seconds, char out[CLOCK_DATE_MAX])
{
	static char text[CLOCK_DATE_MAX];
	static int64_t last;

	if (seconds != last || text[0] == '\0')
		format_date(seconds, text);
	last = seconds;
	memcpy(out, text, CLOCK_DATE_MAX);
}
