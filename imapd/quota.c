/* SPDX-License-Identifier: ISC */
#include "imapd/quota.h"

#include <inttypes.h>

#include "imapd/acl_list.h"
#include "imapd/namespaces.h"

/* As Dovecot calls it. */
static const char root[] = "User quota";

enum { NAME_ROOM = 65536, UNIT = 1024 };

/* Only what is limited is told (RFC 9208 section 4.2.1). */
static void
write_quota(const struct mail_quota *q, struct buf *out)
{
	buf_printf(out, "* QUOTA \"%s\" (", root);
	if (q->bytes_limit > 0)
		buf_printf(out, "STORAGE %" PRIu64 " %" PRIu64,
		    (q->bytes + UNIT - 1) / UNIT,
		    (q->bytes_limit + UNIT - 1) / UNIT);
	if (q->messages_limit > 0)
		buf_printf(out, "%sMESSAGE %" PRIu64 " %" PRIu64,
		    q->bytes_limit > 0 ? " " : "", q->messages,
		    q->messages_limit);
	buf_add_text(out, ")\r\n");
}

static bool
tell_quota(struct imap_session *s, const struct imap_command *c)
{
	struct mail_quota quota = { 0 };
	struct why why = { 0 };
	enum mail_result r = mail_account_quota(s->account, &quota, &why);

	if (r == MAIL_OK)
		write_quota(&quota, &s->out);
	else
		reply_result(s, c, r, &why);
	return r == MAIL_OK;
}

static bool
is_root(struct imap_session *s, const struct imap_command *c)
{
	struct span name;

	if (!imap_arg_astring(&c->args[0], &name)) {
		reply_bad(s, c, "%.*s wants a quota root", SPAN_ARG(c->name));
		return false;
	}
	if (!span_is(name, root)) {
		reply_no(s, c, "NONEXISTENT", "There is no such quota root");
		return false;
	}
	return true;
}

void
getquota_command(struct imap_session *s, const struct imap_command *c)
{
	if (c->count != 1)
		reply_bad(s, c, "GETQUOTA wants a quota root");
	else if (is_root(s, c) && tell_quota(s, c))
		reply_ok(s, c, NULL, "Getquota completed.");
}

/*
 * The mailbox need not exist (RFC 9208 section 4.1.2). How much another holds,
 * or may hold, is nobody's business: his mailboxes have no root to be seen, and
 * are not told of without the right that section 6 wants for these limits.
 */
static void
tell_root(struct imap_session *s, const struct imap_command *c,
    const struct buf *name)
{
	bool foreign = namespaces_is_foreign(buf_span(name));
	struct imap_place place;
	struct why why = { 0 };
	enum mail_result r;

	r = namespaces_find(s, buf_span(name), ACL_READ, &place, &why);
	if (r != MAIL_OK) {
		reply_result(s, c, r, &why);
		return;
	}
	buf_add_text(&s->out, "* QUOTAROOT ");
	imap_write_mailbox(&s->out, buf_text(name), imap_utf8(s));
	if (!foreign)
		buf_printf(&s->out, " \"%s\"", root);
	buf_add_text(&s->out, "\r\n");
	if (foreign || tell_quota(s, c))
		reply_ok(s, c, NULL, "Getquotaroot completed.");
}

void
getquotaroot_command(struct imap_session *s, const struct imap_command *c)
{
	struct buf name = BUF_INIT(NAME_ROOM);

	if (c->count != 1)
		reply_bad(s, c, "GETQUOTAROOT wants a mailbox name");
	else if (imap_mailbox_argument(s, c, &c->args[0], &name))
		tell_root(s, c, &name);
	buf_fini(&name);
}

void
setquota_command(struct imap_session *s, const struct imap_command *c)
{
	const struct imap_arg *list;

	if (c->count != 2 || !imap_arg_list(&c->args[1], &list))
		reply_bad(s, c, "SETQUOTA wants a quota root and limits");
	else if (is_root(s, c))
		reply_no(s, c, "NOPERM", "Quotas are set by the administrator");
}
