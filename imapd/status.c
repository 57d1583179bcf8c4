/* SPDX-License-Identifier: ISC */
#include "imapd/status.h"

#include <inttypes.h>
#include <string.h>

#include "imapd/namespaces.h"

/* In the order in which they are answered. */
static const struct {
	const char *name;
	enum status_item item;
} names[] = {
	{ "MESSAGES", STATUS_MESSAGES }, { "RECENT", STATUS_RECENT },
	{ "UIDNEXT", STATUS_UIDNEXT }, { "UIDVALIDITY", STATUS_UIDVALIDITY },
	{ "UNSEEN", STATUS_UNSEEN }, { "DELETED", STATUS_DELETED },
	{ "SIZE", STATUS_ALL_SIZE }, /* RFC 8438 */
	{ "HIGHESTMODSEQ", STATUS_HIGHESTMODSEQ }, /* RFC 7162 */
	{ "MAILBOXID", STATUS_MAILBOXID }, /* RFC 8474 */
	{ "APPENDLIMIT", STATUS_APPENDLIMIT }, /* RFC 7889 */
	{ "DELETED-STORAGE", STATUS_DELETED_STORAGE }, /* RFC 9208 */
};

enum { NAMES = sizeof(names) / sizeof(names[0]) };

static unsigned int
item_of(const struct imap_arg *a)
{
	for (size_t i = 0; i < NAMES; i++)
		if (imap_arg_is(a, names[i].name))
			return names[i].item;
	return 0;
}

bool
status_items(struct imap_session *s, const struct imap_arg *a,
    unsigned int *items)
{
	const struct imap_arg *list;
	unsigned int all = 0, one;

	if (!imap_arg_list(a, &list))
		return false;
	for (; list->type != IMAP_END; list++) {
		one = item_of(list);
		if (one == 0)
			return false;
		all |= one;
	}
	if (all == 0)
		return false;
	if ((all & STATUS_HIGHESTMODSEQ) != 0)
		imap_enable_condstore(s);
	*items = all;
	return true;
}

struct answer {
	const struct imap_session *session;
	struct mailbox_status status;
	uint64_t recent;
};

static void
write_item(const struct answer *a, enum status_item item, struct buf *out)
{
	const struct mailbox_status *st = &a->status;
	uint64_t n = 0;

	switch (item) {
	case STATUS_MESSAGES:
		n = st->messages;
		break;
	case STATUS_RECENT:
		n = a->recent;
		break;
	case STATUS_UIDNEXT:
		n = st->uidnext;
		break;
	case STATUS_UIDVALIDITY:
		n = st->uidvalidity;
		break;
	case STATUS_UNSEEN:
		n = st->unseen;
		break;
	case STATUS_DELETED:
		n = st->deleted;
		break;
	case STATUS_ALL_SIZE:
		n = st->size;
		break;
	case STATUS_HIGHESTMODSEQ:
		n = st->highest_modseq;
		break;
	case STATUS_DELETED_STORAGE:
		n = st->deleted_size;
		break;
	case STATUS_APPENDLIMIT:
		n = (uint64_t)a->session->params->imap_append_limit;
		if (n == 0) {
			buf_add_text(out, "NIL");
			return;
		}
		break;
	case STATUS_MAILBOXID:
		buf_printf(out, "(%s)", st->id);
		return;
	}
	buf_printf(out, "%" PRIu64, n);
}

static enum mail_result
count_recent(struct mailbox *m, struct answer *a, struct why *why)
{
	struct uid_set recent = { 0 };
	enum mail_result r;

	r = mailbox_uids(m, a->status.first_recent - 1, &recent, why);
	a->recent = uid_set_members(&recent);
	uid_set_fini(&recent);
	return r;
}

static enum mail_result
look(struct mailbox *m, unsigned int items, struct answer *a, struct why *why)
{
	unsigned int wants =
	    (items & (STATUS_ALL_SIZE | STATUS_DELETED_STORAGE)) != 0 ?
	    STATUS_SIZE :
	    0;
	enum mail_result r = mailbox_status(m, wants, &a->status, why);

	if (r != MAIL_OK || (items & STATUS_RECENT) == 0 ||
	    a->status.first_recent == 0)
		return r;
	return count_recent(m, a, why);
}

enum mail_result
status_write_open(struct imap_session *s, struct mailbox *m, unsigned int items,
    struct buf *out, struct why *why)
{
	struct answer a = { .session = s };
	enum mail_result r = look(m, items, &a, why);
	const char *between = "";

	if (r != MAIL_OK)
		return r;
	buf_add_text(out, "* STATUS ");
	imap_write_mailbox(out, mailbox_name(m), imap_utf8(s));
	buf_add_text(out, " (");
	for (size_t i = 0; i < NAMES; i++) {
		if ((items & names[i].item) == 0)
			continue;
		buf_printf(out, "%s%s ", between, names[i].name);
		write_item(&a, names[i].item, out);
		between = " ";
	}
	buf_add_text(out, ")\r\n");
	return MAIL_OK;
}

/* A mailbox that is only looked at keeps its \Recent messages. */
enum mail_result
status_write(struct imap_session *s, struct span name, unsigned int items,
    struct buf *out, struct why *why)
{
	struct mailbox *m = NULL;
	enum mail_result r = namespaces_open(s, name, ACL_READ, &m, NULL, why);

	if (r != MAIL_OK)
		return r;
	r = status_write_open(s, m, items, out, why);
	mailbox_close(&m);
	return r;
}

void
status_command(struct imap_session *s, const struct imap_command *c)
{
	struct buf name = BUF_INIT(s->params->imap_max_line_length);
	struct why why = { 0 };
	enum mail_result r;
	unsigned int items;

	if (c->count != 2 || !status_items(s, &c->args[1], &items)) {
		reply_bad(s, c, "STATUS wants a mailbox and status items");
		return;
	}
	if (imap_mailbox_argument(s, c, &c->args[0], &name)) {
		r = status_write(s, buf_span(&name), items, &s->out, &why);
		if (r == MAIL_OK)
			reply_ok(s, c, NULL, "Status completed.");
		else
			reply_result(s, c, r, &why);
	}
	buf_fini(&name);
}
