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

/* Part by part, where there are many (as STORE). */
static enum mail_result
remove_all(struct imap_session *s, const struct imap_command *c,
    struct uid_set *left, struct why *why)
{
	uint64_t done = 0, all = uid_set_members(left);
	struct uid_set part = { 0 }, removed = { 0 };
	enum mail_result result;

	do {
		changing_part(left, &part);
		result = mailbox_expunge(s->mailbox, &part, &removed, why);
		done += uid_set_members(&part);
		uid_set_fini(&removed);
	} while (result == MAIL_OK && !uid_set_empty(left) &&
	    imap_progress(s, c, done, all));
	uid_set_fini(&part);
	return result;
}

/* "among": NULL: all. */
static void
expunge(struct imap_session *s, const struct imap_command *c,
    const struct uid_set *among)
{
	struct uid_set uids = { 0 };
	enum mail_result result;
	struct why why;

	result = mailbox_sync(s->mailbox, &why);
	if (result == MAIL_OK)
		result = mailbox_with_flags(s->mailbox, among, MAIL_DELETED, 0,
		    true, &uids, &why);
	if (result == MAIL_OK)
		result = remove_all(s, c, &uids, &why);
	uid_set_fini(&uids);
	if (result != MAIL_OK)
		reply_result(s, c, result, &why);
	else if (s->state != IMAP_LOGGED_OUT)
		changing_removed(s, c, "Expunge completed");
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
