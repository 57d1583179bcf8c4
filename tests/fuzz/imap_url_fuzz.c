/* SPDX-License-Identifier: ISC */
/* URLs of CATENATE: what is accepted names one message of this account. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/imap/imap_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imap_url u;

	if (imap_url_parse((struct span){ (const char *)data, size }, &u)) {
		ensure(u.uid != 0);
		ensure(u.mailbox.n <= size && u.section.n <= size);
		ensure(u.mailbox.n == 0 ||
		    memchr(u.mailbox.p, '\0', u.mailbox.n) == NULL);
		ensure(!u.partial || u.length > 0);
	}
	imap_url_fini(&u);
	return 0;
}
