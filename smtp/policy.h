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
#include "lib/mail/destination.h"

struct policy {
	enum tls_level level; /* TLS_ENCRYPT with fingerprints */
	/*
	 * What the certificate must have, or NULL: at TLS_VERIFY one of these
	 * names (and hostname, nexthop, dot-nexthop), at TLS_ENCRYPT one of
	 * these fingerprints. In a list as policy_next has it.
	 */
	const char *match;
};

struct credentials {
	const char *user; /* NULL: none, do not authenticate */
	const char *password;
};

/* OK, or LATER when the table cannot be asked, NEVER when it is wrong. */
enum verdict policy_find(struct arena *a, const struct destination *d,
    struct policy *out, struct why *why);
/* The next item of such a list. */
bool policy_next(struct span *list, struct span *item);
/* Is that one of the fingerprints of the list? */
bool policy_has_fingerprint(const char *match, const char *fingerprint);
/* What a word as smtp_tls_security_level has it demands; false: unknown. */
bool policy_of_level(struct span word, struct policy *out);
/* The value of a policy table. False when it is not valid. */
bool policy_parse(struct arena *a, struct span value, struct policy *out);
/* "host" is the server's name, asked for after the next hop. */
enum verdict credentials_find(struct arena *a, const char *sender,
    const struct destination *d, const char *host, struct credentials *out,
    struct why *why);

#endif
