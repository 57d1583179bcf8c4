/* SPDX-License-Identifier: ISC */
/*
 * Dates of messages and of IMAP. What is understood is a time that our own
 * form can say, and that form means the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/base/ensure.h"
#include "lib/imap/imap_date.h"
#include "lib/mail/message_date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DAY = 86400, ZONE_MOST = 100 * 3600 };

/* Beyond these, four digits may not hold the year in every zone. */
static const int64_t first = -62135510400, last = 253402214399;

static void
says_the_same(int64_t seconds)
{
	char text[IMAP_DATE_MAX];
	int64_t again;

	imap_date_time_text(seconds, 0, text);
	ensure(imap_date_time_parse(span_of(text), &again));
	ensure(again ==
	    (seconds < first       ? first :
		    seconds > last ? last :
				     seconds));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct message_date date;
	int64_t seconds, days;

	if (message_date_parse(in, &date)) {
		/* the day is as written, the time of it is in UTC */
		ensure(llabs(date.day * DAY - date.seconds) <= ZONE_MOST + DAY);
		says_the_same(date.seconds);
	}
	if (imap_date_time_parse(in, &seconds))
		says_the_same(seconds);
	if (imap_date_parse(in, &days))
		says_the_same(days * DAY);
	return 0;
}
