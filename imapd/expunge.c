/* SPDX-License-Identifier: ISC */
/*
 * EXPUNGE (RFC 9051 section 6.4.3) and UID EXPUNGE (6.4.9).
 */

#include "imapd/changing.h"

#include <inttypes.h>
#include <stdio.h>

#include "imapd/acl_list.h"

void
changing_removed(struct imap_session *s, const struct imap_command *c,
    const char *text)
{
	char code[sizeof("HIGHESTMODSEQ ") + 20];

	if (!imap_enabled(s, ENABLED_CONDSTORE | ENABLED_QRESYNC)) {
		reply_ok(s, c, NULL, "%s", text);
		return;
	}
	/* First: what the code says must have been told. */
	imap_tell(s, TELL_ALL);
	snprintf(code, sizeof(code), "HIGHESTMODSEQ %" PRIu64, s->view.modseq);
	reply_ok(s, c, code, "%s", text);
}

static void
expunge(struct imap_session *s, const struct imap_command *c,
    const struct uid_set *uids)
{
	struct uid_set removed = { 0 };
	enum mail_result result;
	struct why why;

	result = mailbox_expunge(s->mailbox, uids, &removed, &why);
	uid_set_fini(&removed);
	if (result == MAIL_OK)
		changing_removed(s, c, "Expunge completed");
	else
		reply_result(s, c, result, &why);
}

void
imap_expunge(struct imap_session *s, const struct imap_command *c)
{
	struct uid_set uids = { 0 };

	if (c->count != (c->uid ? 1 : 0))
		reply_bad(s, c, "Wrong number of arguments");
	else if (!changing_permitted(s, c, ACL_EXPUNGE))
		;
	else if (!c->uid)
		expunge(s, c, NULL);
	else if (imap_set_argument(s, c, &c->args[0], &uids))
		expunge(s, c, &uids);
	uid_set_fini(&uids);
}
