/* SPDX-License-Identifier: ISC */
/*
 * REPLACE: RFC 8508. The new message is durable before the old one goes, so
 * that a crash leaves both rather than none.
 */

#include "imapd/acl_list.h"
#include "imapd/append.h"

/* The one message that is to go. */
static bool
take_old(struct imap_session *s, const struct imap_command *c,
    struct uid_set *old)
{
	if (c->count < 3) {
		reply_bad(s, c, "Missing arguments of REPLACE");
		return false;
	}
	/* RFC 8508 section 5.2: those of STORE +FLAGS \Deleted and EXPUNGE */
	if (!changing_permitted(s, c, ACL_DELETE_MESSAGE | ACL_EXPUNGE))
		return false;
	if (!imap_set_argument(s, c, &c->args[0], old))
		return false;
	if (uid_set_members(old) > 1)
		reply_bad(s, c, "One message is enough");
	else if (uid_set_empty(old))
		reply_no(s, c, "NONEXISTENT", "There is no such message");
	return uid_set_members(old) == 1;
}

static enum mail_result
remove_old(struct imap_session *s, const struct uid_set *old, struct why *why)
{
	const struct flag_change deleted = { .action = FLAGS_ADD,
		.flags = MAIL_DELETED,
		.unchanged_since = UINT64_MAX };
	struct uid_set removed = { 0 };
	enum mail_result result;
	uint64_t modseq;

	result =
	    mailbox_change_flags(s->mailbox, old, &deleted, &modseq, NULL, why);
	if (result == MAIL_OK)
		result = mailbox_expunge(s->mailbox, old, &removed, why);
	uid_set_fini(&removed);
	return result;
}

static void
replace(struct appending *a, const struct uid_set *old)
{
	struct buf code = BUF_INIT(SIZE_MAX);
	enum mail_result result;
	struct why why;

	if (append_commit(a, &code)) {
		/* Before the old one vanishes: RFC 8508 section 4.3. */
		buf_printf(&a->s->out, "* OK [%s] Replacement is there\r\n",
		    buf_text(&code));
		result = remove_old(a->s, old, &why);
		if (result == MAIL_OK)
			changing_removed(a->s, a->c, "Replace completed");
		else
			reply_result(a->s, a->c, result, &why);
	}
	buf_fini(&code);
}

void
imap_replace(struct imap_session *s, const struct imap_command *c)
{
	struct appending a = { .s = s, .c = c };
	struct uid_set old = { 0 };

	if (!take_old(s, c, &old))
		append_skip(&a);
	else if (append_messages(&a, &c->args[1], &c->args[2], 1))
		replace(&a, &old);
	append_fini(&a);
	uid_set_fini(&old);
}
