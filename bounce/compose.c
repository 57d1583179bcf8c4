/* SPDX-License-Identifier: ISC */
#include "bounce/compose.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/mail/mail_address.h"
#include "lib/queue/queue_file.h"

#define REPORT_FIELD(constant, name) static const char constant[] = name;
#include "bounce/report_fields.def"
#undef REPORT_FIELD

static const struct {
	const char *subject;
	const char *log_name;
	const char *opening; /* behind "message" */
} kinds[] = {
	[COMPOSE_FAILURE] = { "Undelivered Mail Returned to Sender",
	    "non-delivery notification",
	    "could not be delivered to the recipients below. No further\r\n"
	    "attempts will be made." },
	[COMPOSE_DELAY] = { "Delayed Mail (still being retried)",
	    "delay notification",
	    "has not yet been delivered to the recipients below. It stays "
	    "in\r\nthe queue and will be tried again.\r\n\r\n"
	    "THIS IS A WARNING ONLY. You do not need to send it again." },
	[COMPOSE_SUCCESS] = { "Successful Mail Delivery Report",
	    "delivery status notification",
	    "was delivered to the recipients below, as you asked to be "
	    "told.\r\nWhere it was handed on to another system, you may hear "
	    "from that one." },
	[COMPOSE_VERIFY] = { "Mail Delivery Status Report",
	    "delivery status notification",
	    "was not delivered: you asked what would become of it for the\r\n"
	    "recipients below." },
};

const char *
compose_log_name(const struct compose *c)
{
	return kinds[c->kind].log_name;
}

void
compose_template(enum compose_kind kind, struct buf *out)
{
	buf_printf(out,
	    "Charset: us-ascii\n"
	    "From: MAILER-DAEMON@$myorigin (Mail Delivery System)\n"
	    "Subject: %s\n"
	    "Postmaster-Subject: Postmaster Copy: %s\n\n"
	    "This is the mail system at host $myhostname.\n\n"
	    "Your message ",
	    kinds[kind].subject, kinds[kind].subject);
	for (const char *text = kinds[kind].opening; *text != '\0'; text++)
		if (*text != '\r')
			buf_add_char(out, *text);
	buf_add_char(out, '\n');
	if (kind == COMPOSE_DELAY)
		buf_add_text(out,
		    "\nIt will be returned to you if it cannot be delivered "
		    "within\n$maximal_queue_lifetime_days day(s).\n");
	if (kind == COMPOSE_FAILURE)
		buf_add_text(out,
		    "\nIf you ask the postmaster for help, please include "
		    "this report.\n");
}

static bool
global(const struct compose *c)
{
	return c->report->flags & QUEUE_SMTPUTF8;
}

bool
compose_eight_bit(const struct compose *c)
{
	return c->report->flags & (QUEUE_SMTPUTF8 | QUEUE_BODY_8BIT) ||
	    (c->words->text != NULL && !span_is_ascii(span_of(c->words->text)));
}

/* One line of what others wrote: nothing in it may begin another. */
static void
add_clean(const struct compose *c, struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;
		bool bad =
		    byte < ' ' || byte == 127 || (byte > 127 && !global(c));

		buf_add_char(out, bad ? '?' : *text);
	}
}

static void
add_address(const struct compose *c, struct buf *out, const char *address)
{
	struct buf quoted = BUF_INIT(4 * MAIL_ADDRESS_MAX);

	if (mail_address_quote(span_of(address), &quoted))
		add_clean(c, out, buf_text(&quoted));
	buf_fini(&quoted);
}

static void
add_boundary(const struct compose *c, struct buf *out, const char *before,
    const char *after)
{
	buf_printf(out, "%s%s.%lld/%s%s", before, c->id, (long long)c->now,
	    c->hostname, after);
}

static void
add_date(struct buf *out, const char *name, int64_t seconds)
{
	char date[CLOCK_DATE_MAX];

	clock_mail_date(seconds, date);
	buf_printf(out, "%s: %s\r\n", name, date);
}

static void
add_field(const struct compose *c, struct buf *out, const char *name,
    const char *value)
{
	buf_printf(out, "%s: ", name);
	add_clean(c, out, value);
	buf_add_text(out, "\r\n");
}

static const char *
subject_of(const struct compose *c)
{
	const struct compose_words *w = c->words;

	if (c->postmaster && w->postmaster_subject != NULL)
		return w->postmaster_subject;
	if (c->postmaster)
		return c->kind == COMPOSE_FAILURE ?
		    "Postmaster Copy: Undelivered Mail" :
		    "Postmaster Warning: Delayed Mail";
	return w->subject != NULL ? w->subject : kinds[c->kind].subject;
}

/* So that mail readers show the report with the message. */
static void
add_thread(const struct compose *c, struct buf *out)
{
	if (c->message_id == NULL)
		return;
	add_field(c, out, "References", c->message_id);
	add_field(c, out, "In-Reply-To", c->message_id);
}

static void
add_header(const struct compose *c, struct buf *out)
{
	add_date(out, "Date", c->now);
	buf_add_text(out, "From: ");
	if (c->words->from != NULL)
		add_clean(c, out, c->words->from);
	else
		buf_printf(out, "MAILER-DAEMON@%s (Mail Delivery System)",
		    c->origin);
	buf_add_text(out, "\r\nSubject: ");
	add_clean(c, out, subject_of(c));
	buf_add_text(out, "\r\n");
	buf_add_text(out, "To: ");
	add_address(c, out, c->to);
	buf_printf(out, "\r\nMessage-ID: <%s.report@%s>\r\n", c->id,
	    c->hostname);
	add_thread(c, out);
	buf_add_text(out,
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; "
	    "report-type=delivery-status;\r\n");
	add_boundary(c, out, "\tboundary=\"", "\"\r\n");
	if (compose_eight_bit(c))
		buf_add_text(out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_add_text(out, "\r\nThis is a MIME-encapsulated message.\r\n");
}

static void
begin_part(const struct compose *c, struct buf *out, const char *description,
    const char *type)
{
	add_boundary(c, out, "\r\n--", "\r\n");
	buf_printf(out, "Content-Description: %s\r\nContent-Type: %s\r\n",
	    description, type);
	if (compose_eight_bit(c))
		buf_add_text(out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_add_text(out, "\r\n");
}

static void
add_words_on(const struct compose *c, struct buf *out,
    const struct msg_report_recipient *r)
{
	buf_add_text(out, "\r\n<");
	add_clean(c, out, r->address);
	buf_add_char(out, '>');
	if (r->original[0] != '\0' && strcmp(r->original, r->address) != 0) {
		buf_add_text(out, " (expanded from <");
		add_clean(c, out, r->original);
		buf_add_text(out, ">)");
	}
	buf_add_text(out, ": ");
	add_clean(c, out, r->text);
	buf_add_text(out, "\r\n");
}

static void
add_own_words(const struct compose *c, struct buf *out)
{
	char date[CLOCK_DATE_MAX];

	buf_printf(out, "This is the mail system at host %s.\r\n\r\n",
	    c->hostname);
	buf_printf(out, "Your message %s\r\n", kinds[c->kind].opening);
	if (c->kind == COMPOSE_DELAY && c->report->give_up > 0) {
		clock_mail_date((int64_t)(c->report->give_up / 1000000), date);
		buf_printf(out,
		    "\r\nIt will be returned to you if it cannot "
		    "be delivered until\r\n%s.\r\n",
		    date);
	}
	if (c->kind == COMPOSE_FAILURE)
		buf_printf(out,
		    "\r\nIf you ask the postmaster for help, "
		    "please include this report. %s\r\nfollows "
		    "below.\r\n",
		    c->whole ? "Your message" : "The header of your message");
}

/* For people. */
static void
add_words(const struct compose *c, struct buf *out)
{
	const struct msg_report_recipient *r = c->report->recipients.items;
	const char *charset = c->words->charset;
	char type[128];

	if (charset == NULL)
		charset = global(c) ? "utf-8" : "us-ascii";
	snprintf(type, sizeof(type), "text/plain; charset=%s", charset);
	begin_part(c, out, "Notification", type);
	if (c->words->text != NULL)
		buf_add_text(out, c->words->text);
	else
		add_own_words(c, out);
	for (size_t i = 0; i < c->report->recipients.count; i++)
		add_words_on(c, out, &r[i]);
}

/* A type;address field: with the type that fits the address. */
static void
add_typed(const struct compose *c, struct buf *out, const char *name,
    const char *address)
{
	bool ascii = span_is_ascii(span_of(address));

	buf_printf(out, "%s: %s; ", name,
	    ascii || !global(c) ? "rfc822" : "utf-8");
	add_address(c, out, address);
	buf_add_text(out, "\r\n");
}

/* RFC 3464 section 2.3, in its order. */
static void
add_recipient(const struct compose *c, struct buf *out,
    const struct msg_report_recipient *r)
{
	buf_add_text(out, "\r\n");
	if (r->orcpt[0] != '\0')
		add_field(c, out, ORIGINAL_RECIPIENT, r->orcpt);
	else if (r->original[0] != '\0' && strcmp(r->original, r->address) != 0)
		add_typed(c, out, ORIGINAL_RECIPIENT, r->original);
	add_typed(c, out, FINAL_RECIPIENT, r->address);
	add_field(c, out, ACTION, r->action);
	add_field(c, out, STATUS, r->dsn);
	if (r->mta[0] != '\0') {
		buf_printf(out, "%s: dns; ", REMOTE_MTA);
		add_clean(c, out, r->mta);
		buf_add_text(out, "\r\n");
	}
	buf_printf(out, "%s: %s; ", DIAGNOSTIC_CODE,
	    r->mta_reply[0] != '\0' ? "smtp" : "X-Posthaste");
	add_clean(c, out, r->mta_reply[0] != '\0' ? r->mta_reply : r->text);
	buf_add_text(out, "\r\n");
	if (c->kind == COMPOSE_DELAY && c->report->give_up > 0)
		add_date(out, WILL_RETRY_UNTIL,
		    (int64_t)(c->report->give_up / 1000000));
}

/* For programs. */
static void
add_status(const struct compose *c, struct buf *out)
{
	const struct msg_report *m = c->report;
	const struct msg_report_recipient *r = m->recipients.items;

	begin_part(c, out, "Delivery report",
	    global(c) ? "message/global-delivery-status" :
			"message/delivery-status");
	if (m->envid[0] != '\0')
		add_field(c, out, ORIGINAL_ENVELOPE_ID, m->envid);
	buf_printf(out, "%s: dns; %s\r\n", REPORTING_MTA, c->hostname);
	add_field(c, out, QUEUE_ID, m->queue_id);
	if (m->sender[0] != '\0')
		add_typed(c, out, SENDER, m->sender);
	add_date(out, ARRIVAL_DATE, (int64_t)(m->arrival / 1000000));
	for (size_t i = 0; i < m->recipients.count; i++)
		add_recipient(c, out, &r[i]);
}

void
compose_head(const struct compose *c, struct buf *out)
{
	static const char *const types[2][2] = {
		{ "text/rfc822-headers", "message/global-headers" },
		{ "message/rfc822", "message/global" },
	};

	add_header(c, out);
	add_words(c, out);
	add_status(c, out);
	begin_part(c, out, c->whole ? "Undelivered Message" : "Message Headers",
	    types[c->whole][global(c)]);
}

void
compose_tail(const struct compose *c, struct buf *out)
{
	add_boundary(c, out, "\r\n--", "--\r\n");
}
