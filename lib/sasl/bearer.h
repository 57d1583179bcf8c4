/* SPDX-License-Identifier: ISC */
#ifndef LIB_SASL_BEARER_H
#define LIB_SASL_BEARER_H

/*
 * The words of OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's form before it):
 * a name and a token, and what is said when the token does not do. Pure. Who a
 * token belongs to is not known here.
 */

#include <stdbool.h>
#include "lib/base/span.h"

struct buf;

enum bearer_kind { BEARER_OAUTHBEARER, BEARER_XOAUTH2 };

enum {
	BEARER_TOKEN_MAX = 8192,
	BEARER_USER_MAX = 256, /* with the NUL */
	BEARER_PAIRS_MAX = 16,
};

struct bearer {
	char user[BEARER_USER_MAX]; /* who it says it is; "": it does not */
	struct span token; /* in the message: letters, digits and -._~+/= */
};

/* False for names of other mechanisms. */
bool bearer_kind_of(struct span mechanism, enum bearer_kind *kind);

/*
 * The client's first message. False when it is not exactly what the RFCs say
 * (gs2-header without channel binding, auth=Bearer once, nothing behind the
 * end): *error is for the log.
 */
bool bearer_parse(enum bearer_kind kind, struct span message,
    struct bearer *out, const char **error);

/*
 * The challenge that says no (RFC 7628 section 3.2.2): a JSON object, to which
 * the client answers with %x01 or nothing. "status" is "invalid_token" or
 * another code of RFC 6750 section 3.1. Empty texts are left out.
 */
void bearer_refusal(enum bearer_kind kind, const char *status,
    const char *scope, const char *configuration, struct buf *out);

#endif
