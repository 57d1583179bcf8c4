/* SPDX-License-Identifier: ISC */
/*
 * A whole session of the server with any bytes. The first byte says in pieces
 * of which size they arrive: each line of the answer is a reply, and nothing
 * is taken without a 250.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/mail/reply.h"
#include "smtpd/session.h"
#include "tests/unit/smtpd/fake_services.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Only what is asked of nobody waits for nobody. */
static const char settings[] = "smtpd_forbid_unauth_pipelining = no\n"
			       "smtpd_sasl_auth_enable = yes\n"
			       "smtpd_soft_error_limit = 1000\n"
			       "smtpd_hard_error_limit = 1000\n"
			       "smtpd_authorized_xclient_hosts = static:all\n"
			       "smtpd_authorized_xforward_hosts = static:all\n"
			       "message_size_limit = 20000\n";

static size_t
check_answers(struct span said)
{
	struct reply_line line;
	struct span text;
	size_t accepted = 0;

	while (span_cut(&said, "\n", false, &text)) {
		if (text.n == 0 && said.n == 0)
			break;
		ensure(text.n > 0 && text.p[text.n - 1] == '\r');
		text.n--;
		ensure(text.n + 2 <= REPLY_LINE_MAX);
		ensure(reply_parse_line(text, &line));
		ensure(!span_has_break(line.text));
		accepted += span_starts(line.text, "2.0.0 Ok: queued") ||
		    span_starts(line.text, "2.0.0 Ok: ");
	}
	return accepted;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct service *service;
	size_t before;
	const char *said;

	if (size < 2 || size > 65536)
		return 0;
	if (service == NULL) {
		log_threshold(LEVEL_FATAL);
		service = fake_service(settings);
	}
	before = fake_last.count;
	said = fake_session(service, data + 1, size - 1, data[0]);
	ensure(check_answers(span_of(said)) >= fake_last.count - before);
	return 0;
}
