/* SPDX-License-Identifier: ISC */
#include "lib/mail/delivery_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/mail/mail_address.h"

enum { SECOND = 1000000 };

static int most_digits = 2;

void
delivery_log_resolution(int digits)
{
	most_digits = digits;
}

/* Two significant digits, of whole seconds all of them. */
static int
digits_for(int64_t us)
{
	int digits = 0;

	for (int64_t least = 10000000; us < least && digits < most_digits;
	     least /= 10)
		digits++;
	return digits;
}

/* Five of them stand in each line: hardly any takes a printf(3). */
static size_t
put_seconds(int64_t s, char out[DELIVERY_LOG_DELAY_MAX])
{
	if (s >= 10)
		return (
		    size_t)snprintf(out, DELIVERY_LOG_DELAY_MAX, "%" PRId64, s);
	out[0] = (char)('0' + s);
	return 1;
}

void
delivery_log_delay(int64_t us, char out[DELIVERY_LOG_DELAY_MAX])
{
	int64_t unit = SECOND, rest;
	size_t n;

	if (us < 0)
		us = 0;
	for (int i = digits_for(us); i > 0; i--)
		unit /= 10;
	us = (us + unit / 2) / unit * unit;
	n = put_seconds(us / SECOND, out);
	rest = us % SECOND;
	if (rest > 0)
		out[n++] = '.';
	for (; rest > 0; rest = rest * 10 % SECOND)
		out[n++] = (char)('0' + rest * 10 / SECOND);
	out[n] = '\0';
}

const char *
delivery_log_status(enum verdict v, bool verify, bool soft_bounce)
{
	if (verify)
		return v == OK ? "deliverable" : "undeliverable";
	if (v == NEVER)
		return soft_bounce ? "SOFTBOUNCE" : "bounced";
	return v == OK ? "sent" : "deferred";
}

/* The four points in time, each not before the one in front of it. */
static void
phases(const struct delivery_log *d, int64_t now, int64_t at[5])
{
	const int64_t told[] = { d->arrival, d->active, d->started,
		d->connected, now };

	for (int i = 0; i < 5; i++)
		at[i] = i > 0 && told[i] < at[i - 1] ? at[i - 1] : told[i];
}

void
delivery_log(const struct delivery_log *d)
{
	char text[5][DELIVERY_LOG_DELAY_MAX];
	char to[MAIL_ADDRESS_SHOWN_MAX], first[MAIL_ADDRESS_SHOWN_MAX];
	int64_t at[5];
	bool moved = d->original != NULL && d->original[0] != '\0' &&
	    strcmp(d->original, d->address) != 0;

	phases(d, clock_wall_us(), at);
	for (int i = 0; i < 4; i++)
		delivery_log_delay(at[i + 1] - at[i], text[i]);
	delivery_log_delay(at[4] - at[0], text[4]);
	log_info("%s: to=<%s>%s%s%s, relay=%s, delay=%s, delays=%s/%s/%s/%s, "
		 "dsn=%s, status=%s (%s)",
	    d->queue_id, mail_address_shown(d->address, to),
	    moved ? ", orig_to=<" : "",
	    moved ? mail_address_shown(d->original, first) : "",
	    moved ? ">" : "", d->relay, text[4], text[0], text[1], text[2],
	    text[3], d->dsn, d->status, d->text);
}
