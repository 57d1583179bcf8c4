/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_SMTPD_FAKE_SERVICES_H
#define TESTS_UNIT_SMTPD_FAKE_SERVICES_H

/*
 * lookup, cleanup and auth for sessions under test, in place of service_ask
 * of lib/service: tasks that know a few addresses and keep what they get.
 *
 * lookup: anything@example.test exists in virtual mailboxes but "unknown@";
 * "later@" cannot be told; other domains are not ours. A table
 * "fake:key=value" holds that one row.
 */

#include "lib/base/buf.h"
#include "lib/base/why.h"
#include "lib/service/service.h"

struct fake_message {
	char sender[1024];
	struct buf recipients; /* "a@b c@d " */
	struct buf content;
	struct buf trace;
	size_t count; /* messages committed */
};

extern struct fake_message fake_last;
extern size_t fake_resolve_questions;
extern enum verdict fake_cleanup_verdict;
extern bool fake_cleanup_dies; /* in the middle of the content */
extern bool fake_scratch_refused; /* 4.3.1 */
extern bool fake_lookup_down;

/* Settings as lines of main.cf; loads smtpd_config. Once in a process. */
const struct service *fake_service(const char *main_cf);
/*
 * One session: sends the bytes, in pieces of "step" bytes (0: all at once),
 * then closes its side. All that the server said.
 */
const char *
fake_session(const struct service *s, const void *bytes, size_t n, size_t step);

#endif
