/* SPDX-License-Identifier: ISC */
/*
 * What happened to the selected mailbox, as the client has asked to hear of
 * it: EXPUNGE or VANISHED, EXISTS, RECENT, FETCH or UIDFETCH. RFC 3501 and
 * RFC 9051 section 7, RFC 7162 sections 3.1.1 and 3.2.10, RFC 9586.
 */
#include "imapd/session.h"

#include <inttypes.h>

#include "imapd/context.h"
#include "imapd/namespaces.h"
#include "imapd/notify.h"
#include "lib/log/log.h"

enum { OUT_AT_ONCE = 16384 };

static const struct {
	uint32_t flag;
	const char *name;
} system_flags[] = {
	{ MAIL_ANSWERED, "\\Answered" },
	{ MAIL_FLAGGED, "\\Flagged" },
	{ MAIL_DELETED, "\\Deleted" },
	{ MAIL_SEEN, "\\Seen" },
	{ MAIL_DRAFT, "\\Draft" },
};

enum { SYSTEM_FLAGS = sizeof(system_flags) / sizeof(system_flags[0]) };

static size_t
count_keywords(struct imap_session *s)
{
	const char *const *keywords = mailbox_keywords(s->mailbox);
	size_t n = 0;

	while (keywords[n] != NULL)
		n++;
	return n;
}

void
imap_write_known_flags(struct imap_session *s, struct buf *out, bool permanent)
{
	const char *const *keywords = mailbox_keywords(s->mailbox);

	uint32_t flags =
	    permanent ? imap_flags_permitted(s->rights) : MAIL_SYSTEM_FLAGS;
	bool others = !permanent || (s->rights & ACL_WRITE) != 0;
	const char *between = "";

	buf_add_char(out, '(');
	for (size_t i = 0; i < SYSTEM_FLAGS; i++) {
		if ((flags & system_flags[i].flag) == 0)
			continue;
		buf_printf(out, "%s%s", between, system_flags[i].name);
		between = " ";
	}
	/* who may set keywords may set system flags */
	for (size_t i = 0; others && keywords[i] != NULL; i++)
		buf_printf(out, " %s", keywords[i]);
	if (permanent && others && !mailbox_keywords_full(s->mailbox))
		buf_add_text(out, " \\*");
	buf_add_char(out, ')');
	s->keywords_told = count_keywords(s);
}

/* A keyword the client has not heard of comes before its first use. */
static void
tell_keywords(struct imap_session *s)
{
	if (count_keywords(s) == s->keywords_told)
		return;
	buf_add_text(&s->out, "* FLAGS ");
	imap_write_known_flags(s, &s->out, false);
	if (!s->read_only) {
		buf_add_text(&s->out, "\r\n* OK [PERMANENTFLAGS ");
		imap_write_known_flags(s, &s->out, true);
		buf_add_text(&s->out, "] Flags permitted.");
	}
	buf_add_text(&s->out, "\r\n");
}

void
imap_write_flags(struct imap_session *s, struct buf *out,
    const struct mail_message *m)
{
	const char *const *keywords;
	const char *between = "";

	buf_add_char(out, '(');
	for (size_t i = 0; i < SYSTEM_FLAGS; i++)
		if ((m->flags & system_flags[i].flag) != 0) {
			buf_add_text(out, between);
			buf_add_text(out, system_flags[i].name);
			between = " ";
		}
	if (!imap_enabled(s, ENABLED_REV2) && s->view.first_recent != 0 &&
	    m->uid >= s->view.first_recent) {
		buf_printf(out, "%s\\Recent", between);
		between = " ";
	}
	if (m->keywords != 0) {
		keywords = mailbox_keywords(s->mailbox);
		for (size_t i = 0; keywords[i] != NULL; i++)
			if ((m->keywords >> i & 1) != 0) {
				buf_printf(out, "%s%s", between, keywords[i]);
				between = " ";
			}
	}
	buf_add_char(out, ')');
}

void
imap_tell_flags(struct imap_session *s, uint32_t uid, bool with_uid)
{
	uint32_t number = mailbox_view_number(&s->view, uid);
	struct mail_message m;
	struct why why;

	if (number == 0 ||
	    mailbox_message(s->mailbox, uid, 0, &m, &why) != MAIL_OK)
		return;
	tell_keywords(s);
	if (imap_enabled(s, ENABLED_UIDONLY)) {
		buf_printf(&s->out, "* %" PRIu32 " UIDFETCH (", uid);
	} else {
		buf_printf(&s->out, "* %" PRIu32 " FETCH (", number);
		if (with_uid || imap_enabled(s, ENABLED_QRESYNC | ENABLED_REV2))
			buf_printf(&s->out, "UID %" PRIu32 " ", uid);
	}
	buf_add_text(&s->out, "FLAGS ");
	imap_write_flags(s, &s->out, &m);
	if (imap_enabled(s, ENABLED_CONDSTORE | ENABLED_QRESYNC))
		buf_printf(&s->out, " MODSEQ (%" PRIu64 ")", m.modseq);
	buf_add_text(&s->out, ")\r\n");
}

/* Numbers from the highest down, so that each is right when it is read. */
static void
tell_numbers(struct imap_session *s, const struct uid_set *expunged)
{
	for (size_t i = expunged->count; i-- > 0;) {
		const struct uid_range *r = &expunged->ranges[i];
		uint32_t number = mailbox_view_number(&s->view, r->last);

		for (uint32_t n = 0; n <= r->last - r->first; n++) {
			buf_printf(&s->out, "* %" PRIu32 " EXPUNGE\r\n",
			    number - n);
			if (s->out.n >= OUT_AT_ONCE && imap_send(s) != IO_OK)
				return;
		}
	}
}

static void
tell_expunged(struct imap_session *s, const struct uid_set *expunged)
{
	if (uid_set_empty(expunged))
		return;
	if (!imap_enabled(s, ENABLED_QRESYNC | ENABLED_UIDONLY)) {
		tell_numbers(s, expunged);
		return;
	}
	buf_add_text(&s->out, "* VANISHED ");
	uid_set_text(expunged, &s->out);
	buf_add_text(&s->out, "\r\n");
}

/* In the view there are messages that were told away already. */
static void
tell_arrived(struct imap_session *s, const struct mailbox_update *u)
{
	uint64_t count = mailbox_view_count(&s->view) -
	    uid_set_members(&u->expunged) + uid_set_members(&u->arrived);

	if (uid_set_empty(&u->arrived))
		return;
	buf_printf(&s->out, "* %" PRIu64 " EXISTS\r\n", count);
}

/* After the view was changed: how many of it are \Recent. */
static void
tell_recent(struct imap_session *s)
{
	uint64_t count = uid_set_members(&s->view.uids), before;
	struct why why;

	if (imap_enabled(s, ENABLED_REV2 | ENABLED_UIDONLY))
		return;
	before = uid_set_rank(&s->view.uids, s->view.first_recent);
	buf_printf(&s->out, "* %" PRIu64 " RECENT\r\n",
	    s->view.first_recent == 0 ? 0 : count - before);
	if (!s->read_only && s->view.first_recent != 0)
		(void)mailbox_not_recent(s->mailbox, &why);
}

static void
tell_changed(struct imap_session *s, const struct uid_set *changed)
{
	uint32_t uid = 0;

	if (uid_set_empty(changed))
		return;
	mailbox_hold(s->mailbox);
	while (uid_set_next(changed, &uid)) {
		imap_tell_flags(s, uid, s->notify != NULL);
		if (s->out.n < OUT_AT_ONCE)
			continue;
		mailbox_release(s->mailbox);
		if (imap_send(s) != IO_OK)
			return;
		mailbox_hold(s->mailbox);
	}
	mailbox_release(s->mailbox);
}

static void
tell(struct imap_session *s, const struct mailbox_update *u)
{
	bool arrived = !uid_set_empty(&u->arrived);

	contexts_before(s, u);
	tell_expunged(s, &u->expunged);
	tell_arrived(s, u);
	/* The numbers of what changed are those after the EXPUNGEs. */
	mailbox_view_apply(&s->view, u);
	tell_changed(s, &u->changed);
	if (arrived)
		tell_recent(s);
	contexts_after(s, u);
}

/* RFC 2180 section 3.3: who has a mailbox selected that is deleted. */
static void
failed(struct imap_session *s, enum mail_result result, const struct why *why)
{
	if (result == MAIL_NONEXISTENT) {
		imap_session_bye(s, NULL, "The selected mailbox was deleted",
		    "selected mailbox was deleted");
		return;
	}
	log_warning("user=<%s>, session=%s: %s: %s", s->user, s->id,
	    mailbox_name(s->mailbox), why->text);
	if (result == MAIL_FAILED)
		imap_session_bye(s, "UNAVAILABLE", "Internal error",
		    "mailbox failed");
}

void
imap_tell(struct imap_session *s, enum imap_tell what)
{
	struct mailbox_update u = { .expunged = { 0 } };
	enum mail_result result = MAIL_OK;
	struct why why;

	if (s->mailbox == NULL || what == TELL_NOTHING ||
	    s->state == IMAP_LOGGED_OUT || !namespaces_heed(s))
		return;
	/* commands of one packet need not each look at what others do */
	if (!s->looked)
		result = mailbox_sync(s->mailbox, &why);
	s->looked = true;
	if (result == MAIL_OK)
		result =
		    mailbox_view_update(&s->view, what == TELL_ALL, &u, &why);
	/* between commands those are told who want to hear of them */
	if (s->notify != NULL && s->verb == NULL && !notify_wants_flags(s))
		uid_set_fini(&u.changed);
	if (result == MAIL_OK)
		tell(s, &u);
	else
		failed(s, result, &why);
	mailbox_update_fini(&u);
}

void
imap_tell_now(struct imap_session *s)
{
	if (s->notify != NULL)
		notify_wake(s);
	else
		imap_tell(s, TELL_ALL);
}
