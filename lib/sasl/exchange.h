/* SPDX-License-Identifier: ISC */
#ifndef LIB_SASL_EXCHANGE_H
#define LIB_SASL_EXCHANGE_H

/*
 * The server's side of SASL mechanisms, done by libsasl2, but for PLAIN and
 * LOGIN; who exists and which password is right is asked of the caller. No
 * configuration of the library is read, and none of its password verifiers or
 * databases is used.
 *
 * One exchange is one attempt with one mechanism: its state is never used for
 * a second one.
 */

#include <stdbool.h>
#include <stddef.h>
#include "lib/base/buf.h"
#include "lib/base/span.h"

enum {
	EXCHANGE_USER_MAX = 256, /* with the NUL */
	EXCHANGE_DATA_MAX = 16384,
};

enum exchange_check { CHECK_RIGHT, CHECK_WRONG, CHECK_LATER };

/* "with" is what exchange_new was given. Names are canonical except where
 * said otherwise. */
struct exchange_accounts {
	/*
	 * The canonical form of a name as the client gave it. A name that
	 * does not exist gets some form as well: whether it exists is told
	 * by nothing but the password. CHECK_WRONG when it cannot be a name.
	 * CHECK_LATER: it may be anybody's, and nobody is let in by it; *out
	 * is what it looks like, for the log, or "".
	 */
	enum exchange_check (*canonical)(void *with, struct span given,
	    char out[EXCHANGE_USER_MAX]);
	/*
	 * The name of "user" who acts for "as", another one: it is then given
	 * to check, and is exchange_user(). CHECK_WRONG: nobody acts for
	 * others.
	 */
	enum exchange_check (*acting)(void *with, const char *user,
	    const char *as, char out[EXCHANGE_USER_MAX]);
	enum exchange_check (
	    *check)(void *with, const char *user, struct span password);
	/*
	 * The password itself, for SCRAM and CRAM-MD5. CHECK_WRONG: none that
	 * would be good is known.
	 */
	enum exchange_check (
	    *plain)(void *with, const char *user, struct buf *password);
};

/*
 * Loads the mechanisms ("plain login"; blanks or commas between); before
 * confinement, and once. False and *error when one is not known to be safe
 * here or is not installed.
 */
bool exchange_setup(const char *mechanisms,
    const struct exchange_accounts *accounts, struct buf *error);
/* May it stand in the setting? In any case. */
bool exchange_known(struct span mechanism);
/* "PLAIN LOGIN", in the order of the setting. */
const char *exchange_mechanisms(void);
bool exchange_has(const char *mechanism);

enum exchange_result {
	EXCHANGE_MORE, /* *out is for the client, its answer comes next */
	EXCHANGE_DONE, /* it is exchange_user() */
	EXCHANGE_FAILED, /* exchange_user() is who it tried to be, maybe "" */
	EXCHANGE_LATER, /* the accounts are not to be had now */
	EXCHANGE_ASKS, /* never of these: for callers with others to ask */
};

struct exchange;

/* NULL when the mechanism is not offered. "service": smtp, pop3, imap. */
struct exchange *exchange_new(const char *service, const char *mechanism,
    const char *server, void *with);
void exchange_free(struct exchange **x);
/* initial NULL: the client sent none. *out is valid until the next call. */
enum exchange_result exchange_start(struct exchange *x,
    const struct span *initial, struct span *out);
enum exchange_result
exchange_step(struct exchange *x, struct span response, struct span *out);
const char *exchange_user(const struct exchange *x);
/* Why it failed, for the log; no secrets. */
const char *exchange_why(const struct exchange *x);

#endif
