/* SPDX-License-Identifier: ISC */
#ifndef AUTH_CHECKER_H
#define AUTH_CHECKER_H

/*
 * The administrator's program that knows tokens (setting auth_token_checker):
 * what it is told, what it answers, and how long it may take.
 *
 * It is started for each question, as our own user, with an environment of
 * PATH alone, in /, and reads from its standard input
 *	protocol=imap
 *	client=192.0.2.7
 *	user=bob@example.test	(empty: the client does not say)
 *	token=...
 * and writes either
 *	user=bob@example.test
 *	expires=1790000000	(may be missing)
 * or
 *	error=invalid_token	(a code of RFC 6750 section 3.1)
 *	reason=...		(may be missing; for the log)
 * and exits with 0. Anything else means that it cannot tell now.
 */

#include <stdbool.h>
#include <stdint.h>
#include "lib/base/span.h"
#include "lib/base/why.h"

enum {
	CHECKER_OUTPUT_MAX = 4096,
	CHECKER_USER_MAX = 256,
	CHECKER_STATUS_MAX = 65,
	CHECKER_TEXT_MAX = 256,
};

struct checker_question {
	const char *protocol;
	const char *client;
	const char *user;
	struct span token;
};

struct checker_answer {
	enum verdict verdict;
	char user[CHECKER_USER_MAX];
	uint64_t expires; /* 0: not said */
	char status[CHECKER_STATUS_MAX];
	char text[CHECKER_TEXT_MAX]; /* why not; printable */
};

/* Pure. False, *out as it was, when it is not exactly an answer. */
bool checker_parse(struct span text, struct checker_answer *out);

/* Words of a command, the first one an absolute path; no shell. */
void checker_ask(const char *command, int64_t limit_s,
    const struct checker_question *q, struct checker_answer *out);

#endif
