/* SPDX-License-Identifier: ISC */
/*
 * SELECT, EXAMINE, CLOSE, UNSELECT, CHECK: RFC 3501 and RFC 9051 section 6.3,
 * 6.4, RFC 3691; CONDSTORE and QRESYNC with SELECT, RFC 7162 sections 3.1.8
 * and 3.2.5.
 */
#include "imapd/basic.h"

#include <inttypes.h>
#include <string.h>

#include "imapd/context.h"
#include "imapd/list.h"
#include "imapd/namespaces.h"
#include "lib/imap/imap_set.h"

enum {
	NAME_ROOM = 4096,
	OUT_AT_ONCE = 16384,
};

struct request {
	bool examine;
	bool condstore;
	bool qresync;
	uint64_t uidvalidity;
	uint64_t modseq;
	struct span known; /* UIDs, or p NULL */
	struct span numbers, uids; /* known to match, or p NULL */
};

/* RFC 4314 section 5.2. */
void
imap_take_rights(struct imap_session *s, unsigned int rights)
{
	const unsigned int changing = ACL_INSERT | ACL_EXPUNGE | ACL_SEEN |
	    ACL_WRITE | ACL_DELETE_MESSAGE;

	s->rights = rights;
	s->read_only = s->examined || (rights & changing) == 0;
}

void
imap_unselect(struct imap_session *s)
{
	if (s->mailbox == NULL)
		return;
	contexts_end(s);
	mailbox_view_fini(&s->view);
	memset(&s->view, 0, sizeof(s->view));
	mailbox_close(&s->mailbox);
	uid_set_fini(&s->saved);
	s->read_only = s->examined = false;
	s->rights = 0;
	s->keywords_told = 0;
	if (s->state == IMAP_SELECTED)
		s->state = IMAP_AUTHENTICATED;
}

static bool
is_known_set(const struct imap_arg *a, struct span *out)
{
	struct uid_set set = { 0 };
	bool good;

	good = imap_arg_atom(a, out) && imap_set_parse(*out, 1, &set) &&
	    span_find(*out, '*') == out->n;
	uid_set_fini(&set);
	return good;
}

/* "(uidvalidity modseq [known-uids] [(numbers uids)])" */
static bool
take_qresync(struct request *r, const struct imap_arg *a)
{
	size_t n = a->count;

	if (a->type != IMAP_LIST || n < 2)
		return false;
	a = a->list;
	if (!imap_arg_number(a++, UINT32_MAX, &r->uidvalidity) ||
	    !imap_arg_number(a++, INT64_MAX, &r->modseq) ||
	    r->uidvalidity == 0 || r->modseq == 0)
		return false;
	if (a->type == IMAP_ATOM && !is_known_set(a++, &r->known))
		return false;
	if (a->type == IMAP_LIST) {
		if (a->count != 2 || !is_known_set(&a->list[0], &r->numbers) ||
		    !is_known_set(&a->list[1], &r->uids))
			return false;
		a++;
	}
	r->qresync = r->condstore = true;
	return a->type == IMAP_END;
}

static bool
take_parameters(struct request *r, const struct imap_arg *list)
{
	const struct imap_arg *a = list;

	if (a->type == IMAP_END)
		return false;
	while (a->type != IMAP_END) {
		if (imap_arg_is(a, "CONDSTORE"))
			r->condstore = true;
		else if (!imap_arg_is(a, "QRESYNC") || r->qresync ||
		    !take_qresync(r, ++a))
			return false;
		a++;
	}
	return true;
}

static void
put_line(struct imap_session *s, const char *code, uint64_t n, const char *text)
{
	buf_printf(&s->out, "* OK [%s %" PRIu64 "] %s\r\n", code, n, text);
}

/* RFC 9051 section 6.3.2: the mailbox as LIST has it. */
static void
put_list(struct imap_session *s)
{
	struct span name = span_of(mailbox_name(s->mailbox));
	struct mail_folder f;

	if (!imap_enabled(s, ENABLED_REV2) ||
	    namespaces_folder(s, name, &f) != MAIL_OK)
		return;
	buf_add_text(&s->out, "* LIST ");
	list_write_folder(s, &f, false, true, &s->out);
	buf_add_text(&s->out, "\r\n");
}

static void
put_recent_and_unseen(struct imap_session *s,
    const struct mailbox_status *status)
{
	uint32_t count = mailbox_view_count(&s->view), first = 0;
	uint64_t before;

	if (imap_enabled(s, ENABLED_REV2))
		return;
	before = s->view.first_recent == 0 ?
	    count :
	    uid_set_rank(&s->view.uids, s->view.first_recent);
	buf_printf(&s->out, "* %" PRIu64 " RECENT\r\n", count - before);
	if (status->first_unseen != 0)
		first = mailbox_view_number(&s->view, status->first_unseen);
	if (first != 0)
		put_line(s, "UNSEEN", first, "First unseen.");
}

static void
put_mailbox(struct imap_session *s, const struct mailbox_status *status)
{
	buf_add_text(&s->out, "* FLAGS ");
	imap_write_known_flags(s, &s->out, false);
	buf_add_text(&s->out, "\r\n* OK [PERMANENTFLAGS ");
	if (s->read_only)
		buf_add_text(&s->out, "()] Read-only mailbox.\r\n");
	else {
		imap_write_known_flags(s, &s->out, true);
		buf_add_text(&s->out, "] Flags permitted.\r\n");
	}
	buf_printf(&s->out, "* %" PRIu32 " EXISTS\r\n",
	    mailbox_view_count(&s->view));
	put_recent_and_unseen(s, status);
	put_line(s, "UIDVALIDITY", status->uidvalidity, "UIDs valid");
	put_line(s, "UIDNEXT", s->view.uidnext, "Predicted next UID");
	put_line(s, "HIGHESTMODSEQ", s->view.modseq, "Highest");
	buf_printf(&s->out, "* OK [MAILBOXID (%s)] Its identity\r\n",
	    status->id);
	put_list(s);
}

/*
 * The client tells pairs of numbers and UIDs. As long as they still match,
 * nothing below was removed that it does not know of: the last such UID, or 0.
 */
static uint32_t
known_up_to(struct imap_session *s, const struct request *r)
{
	struct uid_set numbers = { 0 }, uids = { 0 };
	uint32_t number = 0, uid = 0, last = 0;

	if (r->numbers.p != NULL && imap_set_parse(r->numbers, 0, &numbers) &&
	    imap_set_parse(r->uids, 0, &uids) &&
	    uid_set_members(&numbers) == uid_set_members(&uids)) {
		/* a long list ends with the first that does not match */
		while (uid_set_next(&numbers, &number) &&
		    uid_set_next(&uids, &uid) &&
		    mailbox_view_uid(&s->view, number) == uid)
			last = uid;
	}
	uid_set_fini(&numbers);
	uid_set_fini(&uids);
	return last;
}

/* UIDs that the client asks about: RFC 7162 section 3.2.5.1. */
static void
asked_about(struct imap_session *s, const struct request *r,
    struct uid_set *out)
{
	if (r->known.p != NULL)
		(void)imap_set_parse(r->known, 0, out);
	else if (s->view.uidnext > 1)
		uid_set_add_range(out, 1, s->view.uidnext - 1);
}

/* Without a history that goes so far back: all that is not there now. */
static void
all_missing(struct imap_session *s, const struct request *r,
    struct uid_set *gone)
{
	uint32_t known = known_up_to(s, r);

	uid_set_fini(gone);
	if (s->view.uidnext > 1 && known + 1 < s->view.uidnext)
		uid_set_add_range(gone, known + 1, s->view.uidnext - 1);
	for (size_t i = 0; i < s->view.uids.count; i++)
		uid_set_remove_range(gone, s->view.uids.ranges[i].first,
		    s->view.uids.ranges[i].last);
}

static enum mail_result
put_vanished(struct imap_session *s, const struct request *r,
    const struct uid_set *asked, struct why *why)
{
	struct uid_set gone = { 0 };
	enum mail_result result;
	bool complete = false;

	result = mailbox_expunged(s->mailbox, r->modseq, &gone, &complete, why);
	if (result == MAIL_OK) {
		if (!complete)
			all_missing(s, r, &gone);
		uid_set_intersect(&gone, asked);
		if (!uid_set_empty(&gone)) {
			buf_add_text(&s->out, "* VANISHED (EARLIER) ");
			uid_set_text(&gone, &s->out);
			buf_add_text(&s->out, "\r\n");
		}
	}
	uid_set_fini(&gone);
	return result;
}

static enum mail_result
put_changed(struct imap_session *s, const struct request *r,
    const struct uid_set *asked, struct why *why)
{
	struct uid_set changed = { 0 };
	enum mail_result result;
	uint32_t uid = 0;

	result = mailbox_changed(s->mailbox, r->modseq, &changed, why);
	uid_set_intersect(&changed, asked);
	uid_set_intersect(&changed, &s->view.uids);
	mailbox_hold(s->mailbox);
	while (result == MAIL_OK && uid_set_next(&changed, &uid)) {
		imap_tell_flags(s, uid, true);
		if (s->out.n < OUT_AT_ONCE)
			continue;
		mailbox_release(s->mailbox);
		if (imap_send(s) != IO_OK)
			uid = UINT32_MAX;
		mailbox_hold(s->mailbox);
	}
	mailbox_release(s->mailbox);
	uid_set_fini(&changed);
	return result;
}

static enum mail_result
resynchronise(struct imap_session *s, const struct request *r,
    const struct mailbox_status *status, struct why *why)
{
	struct uid_set asked = { 0 };
	enum mail_result result;

	if (!r->qresync || r->uidvalidity != status->uidvalidity)
		return MAIL_OK;
	asked_about(s, r, &asked);
	result = put_vanished(s, r, &asked, why);
	if (result == MAIL_OK)
		result = put_changed(s, r, &asked, why);
	uid_set_fini(&asked);
	return result;
}

/* On failure nothing is selected; imap_unselect cleans up. */
static enum mail_result
open_selected(struct imap_session *s, struct span name, const struct request *r,
    struct why *why)
{
	struct mailbox_status status;
	struct imap_place place;
	enum mail_result result;

	result = namespaces_open(s, name, ACL_READ, &s->mailbox, &place, why);
	if (result == MAIL_OK)
		result = mailbox_view_open(&s->view, s->mailbox, why);
	if (result == MAIL_OK)
		result = mailbox_status(s->mailbox, 0, &status, why);
	if (result != MAIL_OK)
		return result;
	s->examined = r->examine;
	s->rights_looked = true;
	imap_take_rights(s, place.rights);
	s->state = IMAP_SELECTED;
	if (!s->read_only && s->view.first_recent < s->view.uidnext &&
	    !imap_enabled(s, ENABLED_REV2))
		result = mailbox_not_recent(s->mailbox, why);
	put_mailbox(s, &status);
	if (result == MAIL_OK)
		result = resynchronise(s, r, &status, why);
	return result;
}

static void
select_named(struct imap_session *s, const struct imap_command *c,
    const struct request *r)
{
	struct buf name = BUF_INIT(NAME_ROOM);
	enum mail_result result;
	struct why why;

	if (!imap_mailbox_argument(s, c, &c->args[0], &name))
		return;
	if (s->mailbox != NULL) { /* RFC 7162 section 3.2.11 */
		imap_unselect(s);
		buf_add_text(&s->out,
		    "* OK [CLOSED] Previous mailbox closed.\r\n");
	}
	if (r->condstore)
		imap_enable_condstore(s);
	result = open_selected(s, buf_span(&name), r, &why);
	buf_fini(&name);
	if (result == MAIL_OK) {
		reply_ok(s, c, s->read_only ? "READ-ONLY" : "READ-WRITE",
		    "%s completed.", r->examine ? "Examine" : "Select");
		return;
	}
	imap_unselect(s);
	reply_result(s, c, result, &why);
}

static void
select_or_examine(struct imap_session *s, const struct imap_command *c,
    bool examine)
{
	struct request r = { .examine = examine };
	const struct imap_arg *list;

	if (c->count < 1 || c->count > 2)
		reply_bad(s, c, "A mailbox name is expected");
	else if (c->count == 2 &&
	    (!imap_arg_list(&c->args[1], &list) || !take_parameters(&r, list)))
		reply_bad(s, c, "Its parameters are not understood");
	else if (r.qresync && !imap_enabled(s, ENABLED_QRESYNC))
		reply_bad(s, c, "QRESYNC has to be enabled first");
	else
		select_named(s, c, &r);
}

void
imap_select(struct imap_session *s, const struct imap_command *c)
{
	select_or_examine(s, c, false);
}

void
imap_examine(struct imap_session *s, const struct imap_command *c)
{
	select_or_examine(s, c, true);
}

/* What is removed is not told: RFC 9051 section 6.4.1. */
void
imap_close(struct imap_session *s, const struct imap_command *c)
{
	enum mail_result result = MAIL_OK;
	struct uid_set removed = { 0 };
	struct why why;

	if (c->count > 0) {
		reply_bad(s, c, "No arguments are expected");
		return;
	}
	/* RFC 4314 section 4: without the right it only closes */
	if (!s->read_only &&
	    (namespaces_rights(s, s->mailbox) & ACL_EXPUNGE) != 0)
		result =
		    mailbox_expunge(s->mailbox, &s->view.uids, &removed, &why);
	uid_set_fini(&removed);
	imap_unselect(s);
	if (result == MAIL_OK)
		reply_ok(s, c, NULL, "Close completed.");
	else
		reply_result(s, c, result, &why);
}

void
imap_unselect_command(struct imap_session *s, const struct imap_command *c)
{
	if (c->count > 0) {
		reply_bad(s, c, "No arguments are expected");
		return;
	}
	imap_unselect(s);
	reply_ok(s, c, NULL, "Unselect completed.");
}

/* Not in RFC 9051; what there is to flush is flushed before any answer. */
void
imap_check(struct imap_session *s, const struct imap_command *c)
{
	if (c->count > 0)
		reply_bad(s, c, "No arguments are expected");
	else
		reply_ok(s, c, NULL, "Check completed.");
}
