/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_CLOCK_H
#define LIB_BASE_CLOCK_H

/*
 * Time. Deadlines everywhere are points of the monotonic clock in
 * milliseconds; what is shown or stored is seconds or microseconds since
 * 1970.
 */

#include <stddef.h>
#include <stdint.h>

int64_t clock_ms(void); /* monotonic: deadlines */
int64_t clock_wall_us(void); /* since 1970: stamps */
/* The deadline so many seconds from now. */
int64_t clock_in(int64_t seconds);
enum { CLOCK_DATE_MAX = 64 };
/* RFC 5322 section 3.3 date-time, local zone: "Sat, 21 Nov 2026 13:25:01 +0000"
 */
void clock_mail_date(int64_t seconds, char out[CLOCK_DATE_MAX]);

#endif
