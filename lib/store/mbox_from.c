/* SPDX-License-Identifier: ISC */
/* "From " lines; alone, for who delivers reads no mailbox. */
#include "lib/store/mbox_text.h"

#include <time.h>

void
mbox_make_date(int64_t date, char text[MBOX_DATE])
{
	time_t t = (time_t)date;
	struct tm tm;

	/* years that the format has no room for */
	if (date < 0 || date > INT64_C(253402300799) ||
	    localtime_r(&t, &tm) == NULL) {
		t = 0;
		(void)localtime_r(&t, &tm);
	}
	strftime(text, MBOX_DATE, "%a %b %e %H:%M:%S %Y", &tm);
}

bool
mbox_make_from_line(struct buf *to, const char *sender, const char *line_end)
{
	char date[MBOX_DATE];

	mbox_make_date((int64_t)time(NULL), date);
	return buf_printf(to, "From %s  %s%s",
	    sender[0] != '\0' ? sender : "MAILER-DAEMON", date, line_end);
}
