/* SPDX-License-Identifier: ISC */
/*
 * What makes a client aware of modification sequences: RFC 7162 section 3.1.
 */

#include "imapd/session.h"

#include <inttypes.h>

void
imap_enable_condstore(struct imap_session *s)
{
	if (imap_enabled(s, ENABLED_CONDSTORE))
		return;
	s->enabled |= ENABLED_CONDSTORE;
	if (s->mailbox != NULL)
		buf_printf(&s->out,
		    "* OK [HIGHESTMODSEQ %" PRIu64 "] Highest\r\n",
		    s->view.modseq);
}
