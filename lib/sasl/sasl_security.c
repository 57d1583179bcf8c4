/* SPDX-License-Identifier: ISC */
#include "lib/sasl/sasl_security.h"

#include <stddef.h>

#include "lib/conf/conf.h"

enum property {
	NO_PLAINTEXT = 1, /* who listens gets no password */
	NO_ANONYMOUS = 2, /* there is a user behind it */
	NO_ACTIVE = 4, /* who sits in between learns nothing of use */
	NO_DICTIONARY = 8, /* nor by guessing afterwards */
	FORWARD_SECRECY = 16, /* of one session when another's keys are lost */
	MUTUAL_AUTH = 32, /* the client knows the server too */
};

static const struct {
	const char *word;
	enum property property;
} wanted[] = {
	{ "noplaintext", NO_PLAINTEXT },
	{ "noanonymous", NO_ANONYMOUS },
	{ "noactive", NO_ACTIVE },
	{ "nodictionary", NO_DICTIONARY },
	{ "forward_secrecy", FORWARD_SECRECY },
	{ "mutual_auth", MUTUAL_AUTH },
};

/* Of others nothing is known, so they have nothing of this. */
static const struct {
	const char *mechanism;
	unsigned int properties;
} mechanisms[] = {
	{ "PLAIN", NO_ANONYMOUS },
	{ "LOGIN", NO_ANONYMOUS },
	{ "XOAUTH2", NO_ANONYMOUS },
	{ "OAUTHBEARER", NO_ANONYMOUS },
	{ "EXTERNAL", NO_PLAINTEXT | NO_ANONYMOUS | NO_DICTIONARY },
	{ "CRAM-MD5", NO_PLAINTEXT | NO_ANONYMOUS },
	{ "DIGEST-MD5", NO_PLAINTEXT | NO_ANONYMOUS | MUTUAL_AUTH },
	{ "SCRAM-SHA-1",
	    NO_PLAINTEXT | NO_ANONYMOUS | NO_ACTIVE | MUTUAL_AUTH },
	{ "SCRAM-SHA-256",
	    NO_PLAINTEXT | NO_ANONYMOUS | NO_ACTIVE | MUTUAL_AUTH },
};

static unsigned int
property_of(struct span word)
{
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (span_is_nocase(word, wanted[i].word))
			return wanted[i].property;
	return 0;
}

bool
sasl_security_allows(const char *options, struct span mechanism)
{
	struct span rest = span_of(options), word;
	unsigned int needs = 0, has = 0;

	while (conf_list_next(&rest, &word))
		needs |= property_of(word);
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
		if (span_is_nocase(mechanism, mechanisms[i].mechanism))
			has = mechanisms[i].properties;
	return (needs & ~has) == 0;
}

bool
sasl_security_valid(const char *options, struct span *bad)
{
	struct span rest = span_of(options), word;

	while (conf_list_next(&rest, &word))
		if (property_of(word) == 0) {
			*bad = word;
			return false;
		}
	return true;
}
