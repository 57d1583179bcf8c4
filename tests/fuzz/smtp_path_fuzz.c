/* SPDX-License-Identifier: ISC */
/* A path that was taken is quoted, and taken again as the same address. */
#include "lib/mail/smtp_path.h"

#include <stdint.h>

#include "lib/base/ensure.h"
#include "lib/mail/mail_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
again(struct span address)
{
	struct buf quoted = BUF_INIT(4 * MAIL_ADDRESS_MAX);
	struct buf back = BUF_INIT(MAIL_ADDRESS_MAX);
	struct span rest;

	buf_add_char(&quoted, '<');
	ensure(mail_address_quote(address, &quoted));
	buf_add_char(&quoted, '>');
	rest = buf_span(&quoted);
	ensure(smtp_path_parse(&rest, PATH_NULL | PATH_UTF8, &back) ==
	    SMTP_PATH_OK);
	ensure(span_equal(address, buf_span(&back)));
	buf_fini(&quoted);
	buf_fini(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf address = BUF_INIT(MAIL_ADDRESS_MAX);
	struct span rest = { (const char *)data + 1, size - 1 };

	if (size == 0)
		return 0;
	if (smtp_path_parse(&rest, data[0] & 7, &address) == SMTP_PATH_OK) {
		ensure(!span_has_break(buf_span(&address)));
		again(buf_span(&address));
	}
	buf_fini(&address);
	return 0;
}
