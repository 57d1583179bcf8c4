/* SPDX-License-Identifier: ISC */
/*
 * Reports about messages (RFC 3464) whose every text strangers chose: the
 * input is cut at NULs into the fields of one, behind two bytes that say which
 * kind. No text begins a line, a field, or a part of its own.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "bounce/compose.h"
#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/mail/header.h"
#include "lib/queue/queue_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *
next_text(struct arena *a, struct span *in, size_t limit)
{
	struct span text = span_take(*in, span_find(*in, '\0'));

	*in = span_skip(*in, text.n < in->n ? text.n + 1 : text.n);
	return arena_span(a, span_take(text, limit));
}

static void
choose(struct arena *a, struct span in, struct compose *c,
    struct msg_report *report, struct msg_report_recipient *r)
{
	static const char *const actions[] = { "failed", "delayed", "delivered",
		"relayed", "expanded" };

	*r = (struct msg_report_recipient){
		.action = actions[(unsigned char)in.p[1] % 5],
		.dsn = "5.1.1",
	};
	c->kind = (unsigned char)in.p[0] % COMPOSE_KINDS;
	c->postmaster = in.p[0] & 16;
	c->whole = in.p[0] & 32;
	report->flags = in.p[0] & 64 ? QUEUE_SMTPUTF8 : 0;
	report->give_up = in.p[0] & 8 ? 2000000000000000 : 0;
	in = span_skip(in, 2);
	r->address = next_text(a, &in, 1024);
	r->original = next_text(a, &in, 1024);
	r->orcpt = next_text(a, &in, 2048);
	r->text = next_text(a, &in, 1024);
	r->mta = next_text(a, &in, 256);
	r->mta_reply = next_text(a, &in, 1024);
	report->sender = next_text(a, &in, 1024);
	report->envid = next_text(a, &in, 256);
	c->message_id = in.n > 0 ? next_text(a, &in, 998) : NULL;
	c->to = report->sender;
}

/* The boundary stands where parts begin, and nowhere else. */
static void
check_parts(struct span text, size_t want)
{
	static const char boundary[] = "\n--REPORT.1000/mx.test";
	size_t parts = 0;
	const char *at = text.p;

	while ((at = memmem(at, (size_t)(text.p + text.n - at), boundary,
		    sizeof(boundary) - 1)) != NULL) {
		parts++;
		at++;
	}
	ensure(parts == want);
}

static void
check_lines(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		ensure(text.p[i] != '\0');
		if (text.p[i] == '\n')
			ensure(i > 0 && text.p[i - 1] == '\r');
		if (text.p[i] == '\r')
			ensure(i + 1 < text.n && text.p[i + 1] == '\n');
	}
}

static size_t
fields(struct span *rest, const char *expected)
{
	struct header_field f;
	size_t n = 0;

	while (header_next(rest, true, &f) == HEADER_FIELD) {
		char name[64];

		ensure(f.name.n < sizeof(name) - 2);
		snprintf(name, sizeof(name), " %.*s ", SPAN_ARG(f.name));
		ensure(strstr(expected, name) != NULL);
		n++;
	}
	return n;
}

/* What programs read: fields of the message, then of one recipient. */
static void
check_status(struct span text)
{
	static const char type[] = "delivery-status\r\n";
	const char *at = memmem(text.p, text.n,
	    "\r\nContent-Description: "
	    "Delivery report\r\n",
	    40);
	struct span rest;

	ensure(at != NULL);
	rest = span_skip(text, (size_t)(at - text.p));
	at = memmem(rest.p, rest.n, type, sizeof(type) - 1);
	ensure(at != NULL);
	rest = span_skip(rest, (size_t)(at - rest.p) + sizeof(type) - 1);
	(void)fields(&rest, " Content-Transfer-Encoding ");
	ensure(fields(&rest,
		   " Original-Envelope-Id Reporting-MTA X-Posthaste-Queue-ID "
		   "X-Posthaste-Sender Arrival-Date ") >= 3);
	ensure(fields(&rest,
		   " Original-Recipient Final-Recipient Action Status "
		   "Remote-MTA Diagnostic-Code Will-Retry-Until ") >= 4);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct compose_words no_words;
	struct msg_report_recipient r;
	struct msg_report report = { .queue_id = "ORIGINAL",
		.arrival = 1000000000000000,
		.recipients = { &r, 1 } };
	struct compose c = { .report = &report,
		.id = "REPORT",
		.words = &no_words,
		.hostname = "mx.test",
		.origin = "example.test",
		.mail_name = "Posthaste",
		.now = 1000 };
	struct span in = { (const char *)data, size };
	struct buf out = BUF_INIT(1 << 20);
	struct arena *a;

	if (size < 3)
		return 0;
	a = arena_new();
	choose(a, in, &c, &report, &r);
	compose_head(&c, &out);
	ensure(!out.overflow);
	check_lines(buf_span(&out));
	check_parts(buf_span(&out), 3);
	check_status(buf_span(&out));
	ensure(
	    (report.flags & QUEUE_SMTPUTF8) || span_is_ascii(buf_span(&out)));
	buf_fini(&out);
	arena_free(&a);
	return 0;
}
