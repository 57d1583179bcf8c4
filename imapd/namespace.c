/* SPDX-License-Identifier: ISC */
#include "imapd/namespace.h"

/*
 * One personal namespace without a prefix. There are no folders of others:
 * a process has the rights of its user alone.
 */
void
namespace_command(struct imap_session *s, const struct imap_command *c)
{
	if (c->count != 0) {
		reply_bad(s, c, "NAMESPACE has no arguments");
		return;
	}
	buf_printf(&s->out, "* NAMESPACE ((\"\" \"%c\")) NIL NIL\r\n",
	    mail_account_separator(s->account));
	reply_ok(s, c, NULL, "Namespace completed.");
}
