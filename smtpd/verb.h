/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_VERB_H
#define SMTPD_VERB_H

/*
 * The table of commands: what is legal when is data, in verbs.def. An action
 * finds its command legal, and its arguments without blanks at the ends.
 */

#include "lib/base/span.h"

struct session;

enum smtpd_state {
	STATE_NEW = 1, /* before HELO */
	STATE_READY = 2, /* outside a transaction */
	STATE_SENDER = 4, /* after MAIL */
	STATE_RECIPIENTS = 8, /* after MAIL and an accepted RCPT */
	STATE_CHUNKS = 16, /* between two BDAT */
};

enum verb_flag {
	VERB_JUNK = 1,
	VERB_CLEAR = 2,
	VERB_LAST = 4,
	VERB_GREET = 8,
	VERB_BARE = 16,
	VERB_CHUNK = 32,
};

enum verb_index {
#define VERB(name, action, states, flags, new, ready, mail) VERB_##name,
#include "smtpd/verbs.def"
#undef VERB
	VERB_UNKNOWN,
	VERB_COUNT
};

struct verb {
	const char *name;
	void (*action)(struct session *s, struct span arguments);
	unsigned int states;
	unsigned int flags;
	const char *refusals[3];
	enum verb_index index;
};

/* NULL when there is no such command. ASCII case does not count. */
const struct verb *verb_find(struct span name);
/* Why it is not legal in this state; NULL if it is. */
const char *verb_refusal(const struct verb *v, enum smtpd_state state);
/* In lower case, as the log counts them. */
const char *verb_log_name(enum verb_index index);

#define VERB(name, action, states, flags, new, ready, mail) \
	void action(struct session *s, struct span arguments);
#include "smtpd/verbs.def"
#undef VERB

#endif
