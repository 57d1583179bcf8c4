/* SPDX-License-Identifier: ISC */
#ifndef AUTH_APP_PASSWORD_H
#define AUTH_APP_PASSWORD_H

/*
 * One app password: a secret that the server made, for one program or device
 * of an account's owner, good for some protocols only. Pure but for the random
 * numbers.
 *
 * A line of the file is
 *	user:digest:protocols:created:expires:label
 * with the SHA-256 of the secret in hexadecimal, "imap,pop3", and seconds
 * since 1970 (expires 0: never). The secret has 100 random bits, so the digest
 * needs neither salt nor a slow function: there is nothing to guess, and no two
 * are equal.
 */

#include <stdbool.h>
#include <stdint.h>
#include "lib/base/mem.h"
#include "lib/base/span.h"

struct buf;

enum {
	APP_PASSWORD_DIGEST = 32,
	APP_PASSWORD_TEXT_MAX = 24, /* "abcde-fghij-kmnpq-rstuv" and a NUL */
	APP_PASSWORD_LABEL_MAX = 64,
};

enum app_password_protocol {
	APP_IMAP = 1,
	APP_POP3 = 2,
	APP_SMTP = 4,
	APP_ALL = APP_IMAP | APP_POP3 | APP_SMTP,
};

struct app_password {
	const char *user; /* in lower case, as accounts are */
	const char *label;
	unsigned char digest[APP_PASSWORD_DIGEST];
	unsigned int protocols;
	int64_t created; /* seconds since 1970 */
	int64_t expires; /* 0: never */
};

/* 0 for a word that is no protocol. */
unsigned int app_password_protocol(struct span name);
/* "imap pop3", commas do as well. False, and *bad, when a word is none. */
bool
app_password_protocols(struct span list, unsigned int *out, struct span *bad);
/* "imap,pop3" */
void app_password_add_protocols(unsigned int protocols, struct buf *out);

/* Printable ASCII without what ends a field in a file or a log line. */
bool app_password_label_valid(struct span label);

/*
 * As passwd_line_parse. Of a bad line too, out->user is whose it is; NULL where
 * that cannot be said.
 */
bool app_password_parse(struct span line, struct arena *a,
    struct app_password *out, const char **error);
/* The line, with its end. */
void app_password_print(const struct app_password *p, struct buf *out);

/*
 * What is stored for a password as somebody typed it: hyphens and blanks do
 * not count, nor does case. False when it cannot be an app password.
 */
bool app_password_digest(struct span typed,
    unsigned char digest[APP_PASSWORD_DIGEST]);
/* Makes one. False: there are no random numbers. */
bool app_password_make(char text[APP_PASSWORD_TEXT_MAX],
    unsigned char digest[APP_PASSWORD_DIGEST]);

#endif
