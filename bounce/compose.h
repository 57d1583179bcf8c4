/* SPDX-License-Identifier: ISC */
#ifndef BOUNCE_COMPOSE_H
#define BOUNCE_COMPOSE_H

/*
 * The text of a report: multipart/report (RFC 6522) of words for people, a
 * message/delivery-status for programs (RFC 3464; in its global form of
 * RFC 6533 where the message was SMTPUTF8), and of the message its headers
 * or the whole.
 *
 * What strangers wrote comes in as field values of one line, or behind a
 * boundary that they cannot guess.
 *
 * Pure: writes into a buffer; the returned message itself is the caller's to
 * put between compose_head and compose_tail.
 */

#include <stdbool.h>
#include <stdint.h>
#include "lib/base/buf.h"
#include "lib/ipc/proto_bounce.h"

enum compose_kind {
	COMPOSE_FAILURE,
	COMPOSE_DELAY,
	COMPOSE_SUCCESS,
	COMPOSE_VERIFY,
	COMPOSE_KINDS,
};

/* What a site says in other words than we do; NULL: ours. */
struct compose_words {
	const char *charset;
	const char *from; /* whole value of the From: header */
	const char *subject;
	const char *postmaster_subject;
	const char *text; /* CRLF ended lines, before the recipients */
};

struct compose {
	enum compose_kind kind;
	const struct msg_report *report;
	const char *id; /* of this report; goes into the boundary */
	const char *to; /* who gets it, unquoted form */
	const struct compose_words *words;
	const char *message_id; /* of the message, to be named; NULL: not */
	bool postmaster; /* a copy or a double bounce for the postmaster */
	bool whole; /* the message is returned whole, not only its header */
	const char *hostname;
	const char *origin; /* domain of MAILER-DAEMON */
	const char *mail_name;
	int64_t now; /* seconds since 1970 */
};

/*
 * Our own words of a kind as a template, for people to begin with: header
 * lines, an empty line, text; LF ended, $name not expanded.
 */
void compose_template(enum compose_kind kind, struct buf *out);
/* Everything before the returned message. */
void compose_head(const struct compose *c, struct buf *out);
/* Everything behind it. */
void compose_tail(const struct compose *c, struct buf *out);
/* Has the report bytes above 127, or may the message have some? */
bool compose_eight_bit(const struct compose *c);
/* "sender non-delivery notification" and its like, for the log. */
const char *compose_log_name(const struct compose *c);

#endif
