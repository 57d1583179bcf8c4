/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_ESMTP_H
#define LIB_MAIL_ESMTP_H

/*
 * Arguments of MAIL and RCPT: "FROM:<path> NAME=value ..." (RFC 5321 section
 * 4.1.1, RFC 1870, 3461, 4954, 6152, 6531), for smtpd and sendmail -bs. A line
 * with a break in it (span_has_break) is not for these. Pure.
 */

#include "lib/base/buf.h"
#include "lib/mail/mail_address.h"
#include "lib/mail/xtext.h"

struct esmtp_mail {
	char sender[MAIL_ADDRESS_MAX + 1];
	bool has_size;
	uint64_t size;
	unsigned int body; /* 0 unknown, 1 7BIT, 2 8BITMIME */
	unsigned int ret; /* 0 not given, 1 FULL, 2 HDRS */
	bool smtputf8;
	char envid[ENVID_MAX + 1];
};

struct esmtp_rcpt {
	char recipient[MAIL_ADDRESS_MAX + 1];
	unsigned int notify; /* enum dsn_notify */
	char orcpt[ORCPT_MAX + 1];
};

struct esmtp_rules {
	bool strict; /* strict_rfc821_envelopes */
	bool utf8; /* MAIL: SMTPUTF8 is on offer; RCPT: UTF-8 may come */
	bool strict_utf8; /* MAIL: UTF-8 only where SMTPUTF8 is asked for */
	bool dsn; /* DSN is on offer */
	uint64_t size_limit; /* 0: none */
};

/*
 * True, and *out filled; or the answer for the client, with its codes, in
 * *reply (at least REPLY_LINE_MAX).
 */
bool esmtp_parse_mail(struct span arguments, const struct esmtp_rules *rules,
    struct esmtp_mail *out, struct buf *reply);
bool esmtp_parse_rcpt(struct span arguments, const struct esmtp_rules *rules,
    struct esmtp_rcpt *out, struct buf *reply);
/* Only the address, for questions ahead of time. */
bool esmtp_peek_rcpt(struct span line, const struct esmtp_rules *rules,
    struct buf *address);

#endif
