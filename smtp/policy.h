/* SPDX-License-Identifier: ISC */
#ifndef SMTP_POLICY_H
#define SMTP_POLICY_H

/*
 * How much TLS a destination must have, and who we are there: what
 * smtp_tls_policy_maps and smtp_sasl_password_maps say, asked of lookup.
 */

#include "lib/base/mem.h"
#include "lib/base/why.h"
#include "lib/tls/tls.h"
#include "smtp/destination.h"

struct policy {
	enum tls_level level;
	bool secure; /* the certificate must have the next hop's name */
	const char *match; /* or this name; NULL: as the level has it */
};

struct credentials {
	const char *user; /* NULL: none, do not authenticate */
	const char *password;
};

/* OK, or LATER when the table cannot be asked, NEVER when it is wrong. */
enum verdict policy_find(struct arena *a, const struct destination *d,
    struct policy *out, struct why *why);
/* The value of a policy table. False when it is not valid. */
bool policy_parse(struct arena *a, struct span value, struct policy *out);
/* "host" is the server's name, asked for after the next hop. */
enum verdict credentials_find(struct arena *a, const char *sender,
    const struct destination *d, const char *host, struct credentials *out,
    struct why *why);

#endif
