/* SPDX-License-Identifier: ISC */
/* Arguments of MAIL and RCPT; the first byte holds the rules. */
#include "lib/mail/esmtp.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A refusal says why, with a code; nothing taken can break a line. */
static void
check(bool good, const struct buf *reply, const char *address,
    const char *other)
{
	ensure(good == (reply->n == 0));
	if (!good) {
		ensure(reply->p[0] == '5' && !span_has_break(buf_span(reply)));
		return;
	}
	ensure(strlen(address) <= MAIL_ADDRESS_MAX);
	ensure(!span_has_break(span_of(address)));
	ensure(!span_has_break(span_of(other)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct esmtp_mail m;
	static struct esmtp_rcpt r;
	struct buf reply = BUF_INIT(4096), address = BUF_INIT(2048);
	struct span in = { (const char *)data + 1, size - 1 };
	struct esmtp_rules rules;

	/* smtpd passes no line with a break in it */
	if (size == 0 || span_has_break(in))
		return 0;
	rules = (struct esmtp_rules){ data[0] & 1, data[0] & 2, data[0] & 4,
		data[0] & 8, 1000000 };
	check(esmtp_parse_mail(in, &rules, &m, &reply), &reply, m.sender,
	    m.envid);
	buf_reset(&reply);
	check(esmtp_parse_rcpt(in, &rules, &r, &reply), &reply, r.recipient,
	    r.orcpt);
	esmtp_peek_rcpt(in, &rules, &address);
	buf_fini(&reply);
	buf_fini(&address);
	return 0;
}
