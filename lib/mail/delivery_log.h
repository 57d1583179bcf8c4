/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_DELIVERY_LOG_H
#define LIB_MAIL_DELIVERY_LOG_H

/*
 * The one line of the log about one recipient, in Postfix's grammar:
 *
 *	ID: to=<a@b>, orig_to=<c@d>, relay=host[addr]:25, delay=1.2,
 *	delays=0.1/0/0.8/0.3, dsn=2.0.0, status=sent (250 OK)
 *
 * delays: before the queue manager took it up, in the queue manager, setting
 * up the connection, transmission. Times are microseconds since 1970; one
 * that is 0 did not come about, and its phase counts as over at once.
 */

#include <stddef.h>
#include <stdint.h>
#include "lib/base/why.h"

struct delivery_log {
	const char *queue_id;
	const char *address;
	const char *original; /* left out when it is the address, NULL or "" */
	const char *relay; /* "none", "local", "virtual", "name[addr]:port" */
	int64_t arrival;
	int64_t active; /* the queue manager took the message up */
	int64_t started; /* an agent took the request up */
	int64_t connected;
	const char *dsn;
	const char *status; /* "sent", "deferred", "bounced", ... */
	const char *text;
};

void delivery_log(const struct delivery_log *d);

/* The word for "status"; with soft_bounce what fails for good stays queued. */
const char *delivery_log_status(enum verdict v, bool verify, bool soft_bounce);

/* delay_logging_resolution_limit; of the process, 2 unless set. */
void delivery_log_resolution(int digits);

/*
 * Microseconds as seconds with two significant digits, no trailing zeros:
 * "0", "0.05", "1.2", "67". Exposed for tests.
 */
enum { DELIVERY_LOG_DELAY_MAX = 32 };
void delivery_log_delay(int64_t us, char out[DELIVERY_LOG_DELAY_MAX]);

#endif
