/* SPDX-License-Identifier: ISC */
/* What a program that strangers have taken over may say to cleanup. */
#include "cleanup/submitter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct msg_submit_recipient plain = { .transport = "", .nexthop = "" };
static struct msg_submit_recipient final = { .final = true,
	.transport = "smtp",
	.nexthop = "" };
static struct msg_submit_recipient routed = { .transport = "pipe",
	.nexthop = "x" };

#define MESSAGE(...) \
	{ \
		.full_name = "", .login = "", __VA_ARGS__ \
	}
#define TO(r) .recipients = { &(r), 1 }

static const struct row {
	const char *caller;
	struct msg_submit m;
	const char *beyond;
} rows[] = {
	{ "smtpd", MESSAGE(.origin = "smtpd", TO(plain)), NULL },
	{ "smtpd", MESSAGE(.origin = "smtpd", TO(final), .hold = true), NULL },
	{ "smtpd", MESSAGE(.origin = "pickup", TO(plain)), "origin" },
	{ "smtpd", MESSAGE(.origin = "bounce", TO(plain)), "origin" },
	{ "smtpd", MESSAGE(.origin = "", TO(plain)), "origin" },
	{ "smtpd", MESSAGE(.origin = "smtpd", .report = true), "report" },
	{ "smtpd", MESSAGE(.origin = "smtpd", .extract = true),
	    "what is for people" },
	{ "smtpd", MESSAGE(.origin = "smtpd", .extract_notify = 2),
	    "what is for people" },
	{ "smtpd", MESSAGE(.origin = "smtpd", .verify = true),
	    "what is for people" },
	{ "smtpd", MESSAGE(.origin = "smtpd", .trace_deliveries = true),
	    "what is for people" },
	{ "smtpd", MESSAGE(.origin = "smtpd", .dot_lf = true),
	    "what is for people" },
	{ "smtpd", MESSAGE(.origin = "smtpd", .author_match = 4), NULL },
	{ "pickup", MESSAGE(.origin = "pickup", .author_match = 1), "a login" },
	{ "local", MESSAGE(.origin = "local", .author_match = 4), "a login" },
	{ "pickup", MESSAGE(.origin = "pickup", .extract = true), NULL },
	{ "pickup", MESSAGE(.origin = "bounce", .dot_lf = true), NULL },
	{ "pickup", MESSAGE(.origin = "smtpd"), "origin" },
	{ "pickup", MESSAGE(.origin = "pickup", TO(final)),
	    "final recipients" },
	{ "pickup", MESSAGE(.origin = "pickup", TO(routed)),
	    "final recipients" },
	{ "pickup", MESSAGE(.origin = "pickup", .hold = true), "hold" },
	{ "bounce", MESSAGE(.origin = "bounce", .report = true), NULL },
	{ "bounce", MESSAGE(.origin = "bounce", TO(final)),
	    "final recipients" },
	{ "local", MESSAGE(.origin = "local", TO(final)), NULL },
	{ "local", MESSAGE(.origin = "local", .report = true), "report" },
	{ "pop3d", MESSAGE(.origin = "smtpd", TO(plain)), "anything" },
	{ NULL, MESSAGE(.origin = "smtpd", TO(plain)), "anything" },
	{ "",
	    MESSAGE(.origin = "pickup", TO(final), .report = true,
		.verify = true),
	    NULL },
};

static void
each_says_what_it_has_to_know(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *beyond =
		    submitter_oversteps(rows[i].caller, &rows[i].m);

		if ((beyond == NULL) != (rows[i].beyond == NULL) ||
		    (beyond != NULL && strcmp(beyond, rows[i].beyond) != 0))
			fail_msg("row %zu: %s", i, beyond ? beyond : "allowed");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_says_what_it_has_to_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
