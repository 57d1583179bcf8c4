/* SPDX-License-Identifier: ISC */
/*
 * COPY and MOVE (RFC 9051 sections 6.4.7 and 6.4.8, RFC 6851), with COPYUID.
 */

#include "imapd/changing.h"

#include <inttypes.h>
#include <string.h>

#include "imapd/namespaces.h"

enum { LONG = 1000 }; /* messages: it may take a while */

struct mailbox *
changing_target(struct imap_session *s, const struct imap_command *c,
    struct span name, unsigned int *rights)
{
	struct mailbox *target = NULL;
	struct imap_place place;
	enum mail_result result;
	struct why why;

	result = namespaces_open(s, name, ACL_INSERT, &target, &place, &why);
	*rights = place.rights;
	if (result == MAIL_OK)
		return target;
	if (result == MAIL_NONEXISTENT)
		reply_no(s, c, "TRYCREATE", "There is no such mailbox");
	else
		reply_result(s, c, result, &why);
	return NULL;
}

bool
changing_permitted(struct imap_session *s, const struct imap_command *c,
    unsigned int rights)
{
	struct why why = { 0 };

	if (s->read_only)
		reply_no(s, c, "READ-ONLY", "The mailbox is open read-only");
	else if ((s->rights & rights) != rights)
		reply_result(s, c, MAIL_NO_RIGHT, &why);
	else
		return true;
	return false;
}

/* "COPYUID 38505 304,319:320 3956:3958" */
static void
write_code(struct buf *code, const struct mail_copies *copies)
{
	buf_printf(code, "COPYUID %" PRIu32 " ", copies->uidvalidity);
	uid_set_text(&copies->from, code);
	buf_add_char(code, ' ');
	uid_set_text(&copies->to, code);
}

static void
answer_copied(struct imap_session *s, const struct imap_command *c,
    const struct mail_copies *copies)
{
	struct buf code = BUF_INIT(SIZE_MAX);

	write_code(&code, copies);
	reply_ok(s, c, buf_text(&code), "Copy completed");
	buf_fini(&code);
}

/*
 * COPYUID comes before the messages vanish (RFC 6851 section 4.3), so that
 * the client can still tell which they were.
 */
static void
answer_moved(struct imap_session *s, const struct imap_command *c,
    const struct mail_copies *copies)
{
	struct buf code = BUF_INIT(SIZE_MAX);

	write_code(&code, copies);
	buf_add_text(&s->out, "* OK [");
	buf_add_span(&s->out, buf_span(&code));
	buf_add_text(&s->out, "] Moved\r\n");
	buf_fini(&code);
	changing_removed(s, c, "Move completed");
}

/* Whose copy it is; mail_copying.with. */
struct teller {
	struct imap_session *session;
	const struct imap_command *command;
};

static bool
tell(void *with, uint64_t done, uint64_t all, bool held)
{
	struct teller *t = with;

	if (!held)
		return imap_progress(t->session, t->command, done, all);
	imap_progress_held(t->session, t->command, done, all);
	return true;
}

/*
 * Into another account, or with fewer flags than the messages have (RFC 4314
 * section 4), they are made anew.
 */
static enum mail_result
copy(struct imap_session *s, const struct uid_set *uids, struct mailbox *target,
    unsigned int rights, struct mail_copying *how, struct mail_copies *copies,
    struct why *why)
{
	const unsigned int all = ACL_SEEN | ACL_WRITE | ACL_DELETE_MESSAGE;

	how->flags = imap_flags_permitted(rights);
	how->keywords = (rights & ACL_WRITE) != 0;
	if (mailbox_account(target) == mailbox_account(s->mailbox) &&
	    (rights & all) == all)
		return mailbox_copy(s->mailbox, uids, target, how, copies, why);
	return mailbox_copy_across(s->mailbox, uids, target, how, copies, why);
}

static void
copy_to(struct imap_session *s, const struct imap_command *c,
    const struct uid_set *uids, struct mailbox *target, unsigned int rights,
    bool move)
{
	struct teller teller = { s, c };
	struct mail_copying how = { .move = move,
		.tell = tell,
		.with = &teller };
	struct mail_copies copies = { 0 };
	enum mail_result result;
	struct why why;

	/* What waits to be told holds up what is told meanwhile. */
	if (uid_set_members(uids) >= LONG && imap_send(s) != IO_OK)
		return;
	result = copy(s, uids, target, rights, &how, &copies, &why);
	if (s->state == IMAP_LOGGED_OUT)
		; /* that may be why it ended */
	else if (result == MAIL_NONEXISTENT)
		reply_no(s, c, "TRYCREATE", "There is no such mailbox");
	else if (result != MAIL_OK)
		reply_result(s, c, result, &why);
	else if (copies.count == 0)
		reply_ok(s, c, NULL, "No such messages, nothing done");
	else if (move)
		answer_moved(s, c, &copies);
	else
		answer_copied(s, c, &copies);
	mail_copies_fini(&copies);
}

/* Both arguments are judged before the target is looked for. */
static void
copy_or_move(struct imap_session *s, const struct imap_command *c, bool move)
{
	struct buf name = BUF_INIT(4096);
	struct uid_set uids = { 0 };
	struct mailbox *target;
	unsigned int rights;

	if (c->count != 2)
		reply_bad(s, c, "Wrong number of arguments");
	else if (imap_set_argument(s, c, &c->args[0], &uids) &&
	    imap_mailbox_argument(s, c, &c->args[1], &name)) {
		target = changing_target(s, c, buf_span(&name), &rights);
		if (target != NULL)
			copy_to(s, c, &uids, target, rights, move);
		mailbox_close(&target);
	}
	uid_set_fini(&uids);
	buf_fini(&name);
}

void
imap_copy(struct imap_session *s, const struct imap_command *c)
{
	copy_or_move(s, c, false);
}

void
imap_move(struct imap_session *s, const struct imap_command *c)
{
	/* RFC 6851 section 4.2 */
	if (changing_permitted(s, c, ACL_DELETE_MESSAGE | ACL_EXPUNGE))
		copy_or_move(s, c, true);
}
