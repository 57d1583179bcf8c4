/* SPDX-License-Identifier: ISC */
/*
 * STORE and UID STORE: RFC 9051 section 6.4.6, conditional ones RFC 7162
 * section 3.1.3.
 *
 * What the client is told here it need not be told again by whatever comes
 * next: where nothing but our own change came since the last telling, the view
 * is taken past it. Otherwise it hears of its change twice, which is allowed.
 */

#include "imapd/changing.h"

#include <inttypes.h>
#include <string.h>

#include "imapd/acl_list.h"

enum { OUT_AT_ONCE = 16384 };

struct request {
	struct uid_set uids;
	struct flag_change change;
	bool conditional; /* UNCHANGEDSINCE */
	bool silent;
};

/* "(UNCHANGEDSINCE n)" */
static bool
take_modifiers(struct request *r, const struct imap_arg *list)
{
	const struct imap_arg *a;

	if (list[0].type == IMAP_END)
		return false;
	for (a = list; a[0].type != IMAP_END; a += 2) {
		if (!imap_arg_is(&a[0], "UNCHANGEDSINCE") || r->conditional)
			return false;
		if (!imap_arg_number(&a[1], INT64_MAX,
			&r->change.unchanged_since))
			return false;
		r->conditional = true;
	}
	return true;
}

/* "FLAGS", "+FLAGS.SILENT", ... */
static bool
take_item(struct request *r, const struct imap_arg *a)
{
	struct span item;

	if (!imap_arg_atom(a, &item))
		return false;
	r->change.action = FLAGS_REPLACE;
	if (span_starts(item, "+"))
		r->change.action = FLAGS_ADD;
	else if (span_starts(item, "-"))
		r->change.action = FLAGS_REMOVE;
	if (r->change.action != FLAGS_REPLACE)
		item = span_skip(item, 1);
	r->silent = span_is_nocase(item, "FLAGS.SILENT");
	return r->silent || span_is_nocase(item, "FLAGS");
}

/*
 * RFC 4314 section 4: what is permitted is done, and it fails only where
 * nothing is. Flags that may not be changed stay as they are.
 */
static bool
has_right(struct imap_session *s, const struct imap_command *c,
    struct request *r, bool denied)
{
	uint32_t flags = imap_flags_permitted(s->rights);
	struct why why = { 0 };

	r->change.keep_flags = MAIL_SYSTEM_FLAGS & ~flags;
	r->change.keep_keywords = (s->rights & ACL_WRITE) != 0 ? 0 : UINT64_MAX;
	if (flags != 0 &&
	    !(denied && r->change.flags == 0 && r->change.keywords == 0))
		return true;
	reply_result(s, c, MAIL_NO_RIGHT, &why);
	return false;
}

/* Answers by itself when it is false. */
static bool
take_request(struct imap_session *s, const struct imap_command *c,
    struct request *r)
{
	const struct imap_arg *a = c->args;
	bool denied = false;

	*r = (struct request){ .change.unchanged_since = UINT64_MAX };
	if (c->count < 3) {
		reply_bad(s, c, "Missing arguments of STORE");
		return false;
	}
	if (!imap_set_argument(s, c, a++, &r->uids))
		return false;
	if (a->type == IMAP_LIST && !take_modifiers(r, a++->list)) {
		reply_bad(s, c, "Unknown modifier of STORE");
		return false;
	}
	if (!take_item(r, a++)) {
		reply_bad(s, c, "Flags or their item are missing");
		return false;
	}
	if (a == c->args + c->count) {
		reply_bad(s, c, "Missing flags");
		return false;
	}
	if (!imap_flags_argument(s, c, s->mailbox, s->rights, a,
		(size_t)(c->args + c->count - a),
		r->change.action == FLAGS_REMOVE ? KEYWORDS_KNOWN :
						   KEYWORDS_MADE,
		&r->change.flags, &r->change.keywords, &denied))
		return false;
	return has_right(s, c, r, denied);
}

/*
 * "* n FETCH (MODSEQ (m))" for a change without FLAGS: the client knows them,
 * but not the modification sequence.
 */
static void
tell_modseq(struct imap_session *s, uint32_t uid, uint64_t modseq,
    bool with_uid)
{
	uint32_t number;

	if (imap_enabled(s, ENABLED_UIDONLY)) {
		buf_printf(&s->out,
		    "* %" PRIu32 " UIDFETCH (MODSEQ (%" PRIu64 "))\r\n", uid,
		    modseq);
		return;
	}
	number = mailbox_view_number(&s->view, uid);
	if (number == 0)
		return;
	buf_printf(&s->out, "* %" PRIu32 " FETCH (", number);
	if (with_uid)
		buf_printf(&s->out, "UID %" PRIu32 " ", uid);
	buf_printf(&s->out, "MODSEQ (%" PRIu64 "))\r\n", modseq);
}

/* Of a silent change to one message what CONDSTORE clients must know. */
static void
tell_silently(struct imap_session *s, uint32_t uid, uint64_t modseq,
    bool with_uid)
{
	struct mail_message m;
	struct why why;

	if (mailbox_message(s->mailbox, uid, 0, &m, &why) == MAIL_OK &&
	    m.modseq == modseq)
		tell_modseq(s, uid, modseq, with_uid);
}

/*
 * The changed messages, one reply each. Sent in portions, with nothing held
 * while that may wait.
 */
static void
tell_changed(struct imap_session *s, const struct imap_command *c,
    const struct request *r, const struct uid_set *failed, uint64_t modseq)
{
	bool with_uid = c->uid || imap_enabled(s, ENABLED_QRESYNC);
	uint32_t uid = 0;

	if (r->silent && !imap_enabled(s, ENABLED_CONDSTORE | ENABLED_QRESYNC))
		return;
	mailbox_hold(s->mailbox);
	while (uid_set_next(&r->uids, &uid)) {
		if (!r->silent || uid_set_has(failed, uid))
			imap_tell_flags(s, uid, with_uid);
		else if (modseq != 0)
			tell_silently(s, uid, modseq, with_uid);
		if (s->out.n < OUT_AT_ONCE)
			continue;
		mailbox_release(s->mailbox);
		if (imap_send(s) != IO_OK)
			return;
		mailbox_hold(s->mailbox);
	}
	mailbox_release(s->mailbox);
}

/* "MODIFIED 7,9": UIDs, or the numbers of those that have one. */
static void
write_modified(struct imap_session *s, const struct imap_command *c,
    const struct uid_set *failed, struct buf *code)
{
	struct uid_set numbers = { 0 };
	uint32_t uid = 0;

	buf_add_text(code, "MODIFIED ");
	if (c->uid) {
		uid_set_text(failed, code);
		return;
	}
	while (uid_set_next(failed, &uid))
		uid_set_add(&numbers, mailbox_view_number(&s->view, uid));
	uid_set_text(&numbers, code);
	uid_set_fini(&numbers);
}

static void
answer(struct imap_session *s, const struct imap_command *c,
    const struct uid_set *failed)
{
	struct buf code = BUF_INIT(SIZE_MAX);

	if (uid_set_empty(failed)) {
		reply_ok(s, c, NULL, "Store completed");
		return;
	}
	write_modified(s, c, failed, &code);
	reply_ok(s, c, buf_text(&code),
	    "Store completed, but for messages changed meanwhile");
	buf_fini(&code);
}

/* The first ones of a set go to "part". */
void
changing_part(struct uid_set *all, struct uid_set *part)
{
	uint32_t last = uid_set_nth(all, CHANGING_AT_ONCE);

	uid_set_copy(part, all);
	if (last == 0) {
		uid_set_fini(all);
		return;
	}
	uid_set_remove_range(part, last, UINT32_MAX);
	uid_set_remove_range(all, 1, last - 1);
}

static enum mail_result
change_part(struct imap_session *s, const struct imap_command *c,
    struct request *r, struct uid_set *failed, struct why *why)
{
	struct uid_set unchanged = { 0 };
	enum mail_result result;
	uint64_t modseq = 0;

	result = mailbox_change_flags(s->mailbox, &r->uids, &r->change, &modseq,
	    &unchanged, why);
	if (result == MAIL_OK) {
		if (modseq != 0 && s->view.modseq + 1 == modseq)
			s->view.modseq = modseq;
		tell_changed(s, c, r, &unchanged, modseq);
		uid_set_add_set(failed, &unchanged);
	}
	uid_set_fini(&unchanged);
	return result;
}

/*
 * Many messages are changed part by part: others, whom the store makes wait,
 * get at it in between, and the client hears how far it is.
 */
static void
change_flags(struct imap_session *s, const struct imap_command *c,
    struct request *r)
{
	uint64_t done = 0, all = uid_set_members(&r->uids);
	struct uid_set failed = { 0 }, left = r->uids;
	enum mail_result result;
	struct why why;

	if (r->conditional)
		imap_enable_condstore(s);
	/* What others did comes first: then the view ends before our own. */
	imap_tell(s, c->uid ? TELL_ALL : TELL_NO_EXPUNGE);
	r->uids = (struct uid_set){ 0 };
	do {
		changing_part(&left, &r->uids);
		result = change_part(s, c, r, &failed, &why);
		done += uid_set_members(&r->uids);
	} while (result == MAIL_OK && !uid_set_empty(&left) &&
	    imap_progress(s, c, done, all));
	if (result != MAIL_OK)
		reply_result(s, c, result, &why);
	else if (s->state != IMAP_LOGGED_OUT)
		answer(s, c, &failed);
	uid_set_fini(&failed);
	uid_set_fini(&left);
}

void
imap_store(struct imap_session *s, const struct imap_command *c)
{
	struct request r;

	if (!changing_permitted(s, c, 0))
		return;
	if (take_request(s, c, &r))
		change_flags(s, c, &r);
	uid_set_fini(&r.uids);
}
