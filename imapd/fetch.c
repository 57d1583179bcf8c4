/* SPDX-License-Identifier: ISC */
#include "imapd/fetch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "imapd/acl_list.h"
#include "lib/imap/imap_set.h"
#include "lib/log/log.h"
#include "lib/task/task.h"

struct fetch {
	struct imap_session *s;
	const struct imap_command *c;
	struct fetch_plan plan;
	struct arena *arena;
	struct uid_set uids;
	struct uid_set seen; /* those that \Seen was added to */
	unsigned int wants; /* of all; FLAGS is added for "seen" */
	struct fetch_message message;
	bool cold; /* the last one had to be opened: the next will, too */
	bool gone, failed, unknown_encoding;
	enum io io;
};

void
fetch_item(struct imap_session *s, const char *name)
{
	if (s->out.p[s->out.n - 1] != '(')
		buf_add_char(&s->out, ' ');
	buf_add_text(&s->out, name);
}

enum io
fetch_send(struct imap_session *s)
{
	enum io io = imap_send(s);

	(void)wait_yield();
	return io;
}

enum io
fetch_add(struct fetch_message *m, struct span text)
{
	enum io io = IO_OK;

	while (text.n > FETCH_OUT && io == IO_OK) {
		buf_add_span(&m->s->out, span_take(text, FETCH_OUT));
		text = span_skip(text, FETCH_OUT);
		m->sent = true;
		io = fetch_send(m->s);
	}
	buf_add_span(&m->s->out, text);
	return io;
}

static void
add_number(struct imap_session *s, const char *name, uint64_t n)
{
	fetch_item(s, name);
	buf_add_u64(&s->out, n);
}

static void
add_facts(struct imap_session *s, const struct mail_message *m,
    unsigned int wants)
{
	struct buf *out = &s->out;

	if ((wants & FETCH_UID) != 0)
		add_number(s, "UID ", m->uid);
	if ((wants & FETCH_FLAGS) != 0) {
		fetch_item(s, "FLAGS ");
		imap_write_flags(s, out, m);
	}
	if ((wants & FETCH_DATE) != 0) {
		fetch_item(s, "INTERNALDATE ");
		imap_write_date_time(out, m->internal_date);
	}
	if ((wants & FETCH_SIZE) != 0)
		add_number(s, "RFC822.SIZE ", m->size);
	if ((wants & FETCH_MODSEQ) != 0) {
		add_number(s, "MODSEQ (", m->modseq);
		buf_add_char(out, ')');
	}
	if ((wants & FETCH_EMAILID) != 0) {
		fetch_item(s, "EMAILID (");
		buf_add_text(out, m->email_id);
		buf_add_char(out, ')');
	}
	if ((wants & FETCH_SAVEDATE) != 0) {
		fetch_item(s, "SAVEDATE ");
		imap_write_date_time(out, m->save_date);
	}
}

/* What the store must know for this. */
static unsigned int
store_wants(unsigned int wants)
{
	return ((wants & (FETCH_DATE | FETCH_SAVEDATE)) != 0 ? WANT_DATE : 0) |
	    ((wants & FETCH_SIZE) != 0 ? WANT_SIZE : 0) |
	    ((wants & FETCH_EMAILID) != 0 ? WANT_ID : 0);
}

/* "* 3 FETCH (", or by UID for those who know no numbers (RFC 9586). */
static void
begin_answer(struct imap_session *s, uint32_t uid)
{
	bool only = imap_enabled(s, ENABLED_UIDONLY);
	uint32_t n = only ? uid : mailbox_view_number(&s->view, uid);

	buf_add(&s->out, "* ", 2);
	buf_add_u64(&s->out, n);
	buf_add_text(&s->out, only ? " UIDFETCH (" : " FETCH (");
}

/* Bytes of the message and no more: to open it says that it is there. */
static bool
needs_no_facts(const struct fetch *f, unsigned int wants, uint32_t uid)
{
	return (wants & ~(unsigned int)FETCH_UID) == 0 &&
	    f->plan.section_count > 0 &&
	    !fetch_fields_keeps(&f->plan.sections[0]) &&
	    !uid_set_has(&f->seen, uid);
}

/* Everything that needs no message to be opened; *missing gets the rest. */
static enum mail_result
tell_known(struct fetch *f, uint32_t uid, unsigned int *missing)
{
	struct imap_session *s = f->s;
	unsigned int wants = f->wants;
	struct mail_message m;
	enum mail_result result;

	if (needs_no_facts(f, wants, uid)) {
		result = fetch_open(&f->message);
		if (result == MAIL_OK) {
			begin_answer(s, uid);
			if ((wants & FETCH_UID) != 0)
				add_number(s, "UID ", uid);
		}
		return result;
	}
	/* its date is then known without another look */
	if (f->cold && (wants & (FETCH_DATE | FETCH_SAVEDATE)) != 0)
		(void)fetch_open(&f->message);
	if (uid_set_has(&f->seen, uid))
		wants |= FETCH_FLAGS |
		    (imap_enabled(s, ENABLED_CONDSTORE | ENABLED_QRESYNC) ?
			    FETCH_MODSEQ :
			    0);
	mailbox_hold(s->mailbox);
	result = mailbox_message(s->mailbox, uid, store_wants(wants), &m,
	    &f->message.why);
	if (result == MAIL_OK) {
		begin_answer(s, uid);
		add_facts(s, &m, wants);
		*missing =
		    (wants & FETCH_TEXTS) == 0 ? 0 : fetch_kept(s, uid, wants);
	}
	mailbox_release(s->mailbox);
	f->cold = *missing != 0;
	return result;
}

static enum mail_result
tell_section(struct fetch *f, const struct section *x)
{
	struct fetch_message *m = &f->message;
	enum mail_result result;

	if (x->form == SECTION_BODY)
		return fetch_section(m, x, &f->io);
	result = fetch_binary(m, x, &f->io);
	if (result != MAIL_NOT_ALLOWED)
		return result;
	/* RFC 3516 section 4.3: NIL, and NO at the end */
	f->unknown_encoding = true;
	if (x->form == SECTION_BINARY) {
		fetch_section_begin(m, x);
		buf_add_text(&f->s->out, "NIL");
	}
	return MAIL_OK;
}

static enum mail_result
tell_sections(struct fetch *f)
{
	enum mail_result result = MAIL_OK;
	size_t i;

	f->message.begun =
	    f->s->out.n == 0 || f->s->out.p[f->s->out.n - 1] != '(';
	for (i = 0; i < f->plan.section_count; i++) {
		result = tell_section(f, &f->plan.sections[i]);
		if (result != MAIL_OK || f->io != IO_OK)
			break;
	}
	return result;
}

/* Ends an answer some of which has left: what is still missing is left out. */
static void
note_failure(struct fetch *f, enum mail_result result)
{
	if (result == MAIL_GONE) {
		f->gone = true;
		return;
	}
	f->failed = true;
	log_warning("fetching UID %" PRIu32 ": %s", f->message.uid,
	    f->message.why.text);
}

/*
 * One message: all of it, or, where it cannot be had, nothing; but for what
 * has left already.
 */
static void
tell_message(struct fetch *f, uint32_t uid)
{
	struct imap_session *s = f->s;
	size_t start = s->out.n;
	unsigned int missing = 0;
	enum mail_result result;

	f->message.uid = uid;
	f->message.sent = false;
	result = tell_known(f, uid, &missing);
	if (result == MAIL_OK && missing != 0)
		result = fetch_make(&f->message,
		    missing | (f->wants & FETCH_LAZY), &f->io);
	if (result == MAIL_OK && f->io == IO_OK)
		result = tell_sections(f);
	fetch_close(&f->message);
	if (result != MAIL_OK)
		note_failure(f, result);
	if (result == MAIL_OK || f->message.sent)
		buf_add_text(&s->out, ")\r\n");
	else
		s->out.n = start;
}

/*
 * The flag is added to all of them before the first is sent, so that they
 * share a flush; each then tells its flags.
 */
static void
set_seen(struct fetch *f)
{
	struct flag_change change = { .action = FLAGS_ADD,
		.flags = MAIL_SEEN,
		.unchanged_since = UINT64_MAX };
	struct imap_session *s = f->s;
	enum mail_result result;
	uint64_t modseq = 0;
	struct why why;

	if (!f->plan.sets_seen || s->read_only || (s->rights & ACL_SEEN) == 0)
		return;
	result = mailbox_with_flags(s->mailbox, &f->uids, MAIL_SEEN, 0, false,
	    &f->seen, &why);
	if (result != MAIL_OK || uid_set_empty(&f->seen))
		return;
	/* what others did is told first: the view then ends before ours */
	imap_tell(s, f->c->uid ? TELL_ALL : TELL_NO_EXPUNGE);
	result = mailbox_change_flags(s->mailbox, &f->seen, &change, &modseq,
	    NULL, &why);
	if (result != MAIL_OK) {
		log_warning("setting \\Seen: %s", why.text);
		uid_set_fini(&f->seen);
	} else if (modseq != 0 && s->view.modseq + 1 == modseq) {
		s->view.modseq = modseq;
	}
	/* those that went with what was told have no number any more */
	uid_set_intersect(&f->uids, &s->view.uids);
}

/* RFC 7162 section 3.2.6: those of the set that are no more. */
static bool
tell_vanished(struct fetch *f)
{
	struct imap_session *s = f->s;
	struct uid_set gone = { 0 }, asked = { 0 };
	struct span text = f->c->args[0].text;
	bool complete = false;
	enum mail_result result;
	struct why why;

	result =
	    mailbox_expunged(s->mailbox, f->plan.since, &gone, &complete, &why);
	if (result != MAIL_OK) {
		reply_result(s, f->c, result, &why);
		return false;
	}
	if (!span_is(text, "$"))
		imap_set_parse(text, s->view.uidnext - 1, &asked);
	if (!complete) {
		/* all that there is not */
		uid_set_fini(&gone);
		uid_set_add_range(&gone, 1, s->view.uidnext - 1);
	}
	uid_set_intersect(&gone, &asked);
	for (size_t i = 0; i < s->view.uids.count; i++)
		uid_set_remove_range(&gone, s->view.uids.ranges[i].first,
		    s->view.uids.ranges[i].last);
	if (!uid_set_empty(&gone)) {
		buf_add_text(&s->out, "* VANISHED (EARLIER) ");
		uid_set_text(&gone, &s->out);
		buf_add_text(&s->out, "\r\n");
	}
	uid_set_fini(&gone);
	uid_set_fini(&asked);
	return true;
}

/* RFC 9394 section 3.3: a part of those, counted from one of the ends. */
static void
keep_partial(struct fetch *f)
{
	uint64_t count = uid_set_members(&f->uids);
	uint64_t from = f->plan.partial_from, to = f->plan.partial_to;

	if (from > count) {
		uid_set_fini(&f->uids);
		return;
	}
	to = to < count ? to : count;
	if (f->plan.backward) {
		uint64_t swap = from;

		from = count + 1 - to;
		to = count + 1 - swap;
	}
	if (to < count)
		uid_set_remove_range(&f->uids, uid_set_nth(&f->uids, to),
		    UINT32_MAX);
	if (from > 1)
		uid_set_remove_range(&f->uids, 1,
		    uid_set_nth(&f->uids, from - 2));
}

/* False: answered already. */
static bool
narrow(struct fetch *f)
{
	struct uid_set changed = { 0 };
	enum mail_result result;
	struct why why;

	if (f->plan.partial)
		keep_partial(f);
	if (!f->plan.changed_since)
		return true;
	result = mailbox_changed(f->s->mailbox, f->plan.since, &changed, &why);
	if (result == MAIL_OK)
		uid_set_intersect(&f->uids, &changed);
	else
		reply_result(f->s, f->c, result, &why);
	uid_set_fini(&changed);
	return result == MAIL_OK && (!f->plan.vanished || tell_vanished(f));
}

static void
answer(struct fetch *f)
{
	struct imap_session *s = f->s;

	if (f->unknown_encoding)
		reply_no(s, f->c, "UNKNOWN-CTE",
		    "A part has an unknown content transfer encoding");
	else if (f->failed)
		reply_no(s, f->c, "SERVERBUG",
		    "Some of the messages could not be read");
	else if (f->gone && !f->c->uid)
		reply_no(s, f->c, "EXPUNGEISSUED",
		    "Some of the messages no longer exist");
	else
		reply_ok(s, f->c, NULL, "Fetch completed");
}

/* False: that was the last one. */
static bool
fill_next(struct fetch_next *n, const struct uid_set *uids)
{
	if (n->count - n->at <= FETCH_NEXT / 2) {
		n->count -= n->at;
		memmove(n->uids, n->uids + n->at,
		    n->count * sizeof(n->uids[0]));
		n->at = 0;
		while (n->count < FETCH_NEXT && uid_set_next(uids, &n->last))
			n->uids[n->count++] = n->last;
	}
	return n->count > 0;
}

/* False: the connection had to end. */
static bool
tell_all(struct fetch *f)
{
	struct imap_session *s = f->s;
	struct fetch_next next = { 0 };

	f->message = (struct fetch_message){
		.s = s,
		.plan = &f->plan,
		.next = &next,
		.room = mem_resize(NULL, FETCH_WINDOW),
	};
	for (; f->io == IO_OK && fill_next(&next, &f->uids); next.at++) {
		tell_message(f, next.uids[next.at]);
		if (f->io == IO_OK && s->out.n >= FETCH_OUT)
			f->io = fetch_send(s);
	}
	mailbox_read_ahead_end(s->mailbox);
	free(f->message.room);
	if (f->io == IO_OK)
		return true;
	/* in the middle of something: nothing may follow it */
	buf_reset(&s->out);
	imap_session_end(s, io_name(f->io));
	return false;
}

void
fetch_unasked(struct imap_session *s, const struct fetch_plan *plan,
    const struct uid_set *uids)
{
	struct fetch f = { .s = s, .plan = *plan, .wants = plan->wants };

	uid_set_copy(&f.uids, uids);
	(void)tell_all(&f);
	uid_set_fini(&f.uids);
}

static bool
take_request(struct fetch *f)
{
	struct imap_session *s = f->s;
	const char *wrong;

	if (f->c->count < 2) {
		reply_bad(s, f->c, "Missing arguments of FETCH");
		return false;
	}
	wrong = fetch_plan_read(f->arena, f->c->args + 1, f->c->uid, &f->plan);
	if (wrong != NULL) {
		reply_bad(s, f->c, "%s", wrong);
		return false;
	}
	if (f->plan.vanished && !imap_enabled(s, ENABLED_QRESYNC)) {
		reply_bad(s, f->c, "VANISHED needs ENABLE QRESYNC");
		return false;
	}
	return imap_set_argument(s, f->c, &f->c->args[0], &f->uids);
}

void
imap_fetch(struct imap_session *s, const struct imap_command *c)
{
	struct fetch f = { .s = s, .c = c, .arena = arena_new() };

	if (take_request(&f)) {
		f.wants = f.plan.wants;
		if (c->uid && !imap_enabled(s, ENABLED_UIDONLY))
			f.wants |= FETCH_UID;
		if ((f.wants & FETCH_MODSEQ) != 0)
			imap_enable_condstore(s);
		if (narrow(&f)) {
			set_seen(&f);
			if (tell_all(&f))
				answer(&f);
		}
	}
	uid_set_fini(&f.uids);
	uid_set_fini(&f.seen);
	arena_free(&f.arena);
}
