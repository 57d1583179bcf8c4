/* SPDX-License-Identifier: ISC */
/* SEARCH (RFC 3501, RFC 9051 section 6.4.4), with ESEARCH's answers. */
#include "imapd/search.h"

#include <inttypes.h>

#include "imapd/context.h"
#include "imapd/esearch.h"
#include "lib/base/clock.h"
#include "lib/mail/charset.h"

enum { BADCHARSET_MAX = 2048 };

bool
search_begin(struct imap_session *s, const struct imap_command *c,
    struct search_request *r)
{
	*r = (struct search_request){ .session = s,
		.command = c,
		.args = c->args,
		.count = c->count,
		.uid = c->uid };
	if (!c->uid && imap_enabled(s, ENABLED_UIDONLY) &&
	    !span_is(c->name, "ESEARCH")) {
		/* RFC 9586 section 3 */
		reply_bad(s, c, "[UIDREQUIRED] Message numbers are not in use");
		return false;
	}
	return true;
}

bool
search_take_return(struct imap_session *s, struct search_request *r)
{
	const char *error;

	if (!search_return_parse(&r->args, &r->count, &r->wants, &error)) {
		reply_bad(s, r->command, "%s", error);
		return false;
	}
	if ((r->wants.options & RETURN_UPDATE) != 0 &&
	    context_has(s, r->command->tag)) {
		reply_bad(s, r->command, "Tag reuse"); /* RFC 5267, 4.3 */
		return false;
	}
	return true;
}

/* RFC 5182 section 2.1: a search that fails leaves nothing in "$". */
static void
forget_saved(struct imap_session *s, const struct search_request *r)
{
	if ((r->wants.options & RETURN_SAVE) != 0)
		uid_set_fini(&s->saved);
}

static void
refuse_charset(struct imap_session *s, struct search_request *r)
{
	struct buf code = BUF_INIT(BADCHARSET_MAX);
	const char *const *names = charset_names();

	buf_add_text(&code, "BADCHARSET (");
	for (size_t i = 0; names[i] != NULL; i++)
		buf_printf(&code, "%s%s", i > 0 ? " " : "", names[i]);
	buf_add_text(&code, ")");
	forget_saved(s, r);
	reply_no(s, r->command, buf_text(&code), "Unknown charset");
	buf_fini(&code);
}

bool
search_take_charset(struct imap_session *s, struct search_request *r)
{
	if (r->count == 0 || !imap_arg_astring(r->args, &r->charset)) {
		reply_bad(s, r->command, "Missing charset");
		return false;
	}
	if (r->count == 1) {
		reply_bad(s, r->command, "Missing search keys");
		return false;
	}
	if (r->charset.n == 0 || !charset_known(r->charset)) {
		refuse_charset(s, r);
		return false;
	}
	r->args++;
	r->count--;
	return true;
}

/* RFC 9586 section 3.3: message numbers are no search keys then either. */
static bool
uses_numbers(const struct search_program *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->leaves[i]->kind == SEARCH_NUMBERS)
			return true;
	return false;
}

bool
search_take_keys(struct imap_session *s, struct search_request *r)
{
	const char *error = "";

	r->keys = r->args;
	r->now = clock_wall_us() / 1000000;
	switch (search_parse(r->args, r->count, r->charset, r->now, &r->program,
	    &error)) {
	case SEARCH_OK:
		break;
	case SEARCH_LIMIT:
		forget_saved(s, r);
		reply_no(s, r->command, "LIMIT", "%s", error);
		return false;
	default:
		reply_bad(s, r->command, "%s", error);
		return false;
	}
	if (imap_enabled(s, ENABLED_UIDONLY) && uses_numbers(r->program)) {
		reply_bad(s, r->command,
		    "[UIDREQUIRED] Message numbers are not in use");
		return false;
	}
	if (r->program->modseq) /* RFC 7162 section 3.1 */
		imap_enable_condstore(s);
	return true;
}

void
search_end(struct search_request *r)
{
	search_program_free(&r->program);
}

bool
search_progress(void *with, uint64_t done, uint64_t of)
{
	struct search_request *r = with;

	return imap_progress(r->session, r->command, done, of);
}

bool
search_find(struct imap_session *s, struct search_request *r, bool backward,
    uint64_t most, struct uid_set *found)
{
	struct search_scope scope = { .mailbox = s->mailbox,
		.view = &s->view,
		.saved = &s->saved,
		.backward = backward,
		.most = most,
		.progress = search_progress,
		.with = r };
	enum mail_result result;
	struct why why = { 0 };

	result = search_run(r->program, &scope, found, &why);
	if (result == MAIL_OK)
		return true;
	uid_set_fini(found);
	forget_saved(s, r);
	if (s->state == IMAP_LOGGED_OUT) /* that is why it ended */
		return false;
	reply_result(s, r->command, result, &why);
	return false;
}

uint64_t
search_modseq(struct mailbox *m, const struct uid_set *uids)
{
	struct mail_message message;
	uint64_t highest = 0;
	uint32_t uid = 0;
	struct why why;

	mailbox_hold(m);
	while (uid_set_next(uids, &uid))
		if (mailbox_message(m, uid, 0, &message, &why) == MAIL_OK &&
		    message.modseq > highest)
			highest = message.modseq;
	mailbox_release(m);
	return highest;
}

/* The part of the answer that was asked for by MIN, MAX and PARTIAL. */
static void
add_named(const struct search_request *r, const struct uid_set *found,
    struct uid_set *out)
{
	uint64_t from, count, n = uid_set_members(found);
	unsigned int options = r->wants.options;

	if (n == 0)
		return;
	if ((options & RETURN_MIN) != 0)
		uid_set_add(out, found->ranges[0].first);
	if ((options & RETURN_MAX) != 0)
		uid_set_add(out, found->ranges[found->count - 1].last);
	if ((options & RETURN_PARTIAL) != 0) {
		search_return_partial(&r->wants, n, &from, &count);
		esearch_slice(found, from, count, out);
	}
}

static bool
names_some(const struct search_request *r)
{
	const unsigned int some = RETURN_MIN | RETURN_MAX | RETURN_PARTIAL;

	return (r->wants.options & some) != 0 &&
	    (r->wants.options & (RETURN_ALL | RETURN_COUNT)) == 0;
}

void
search_save(struct imap_session *s, const struct search_request *r,
    const struct uid_set *found)
{
	struct uid_set saved = { 0 };

	if ((r->wants.options & RETURN_SAVE) == 0)
		return;
	if (names_some(r))
		add_named(r, found, &saved);
	else
		uid_set_copy(&saved, found);
	uid_set_fini(&s->saved);
	s->saved = saved;
}

static void
write_modseq(struct imap_session *s, const struct search_request *r,
    struct mailbox *m, const struct uid_set *found, const char *form)
{
	struct uid_set named = { 0 };
	uint64_t modseq;

	if (!r->program->modseq || found->count == 0)
		return;
	if (names_some(r))
		add_named(r, found, &named);
	else
		uid_set_copy(&named, found);
	modseq = search_modseq(m, &named);
	uid_set_fini(&named);
	if (modseq != 0)
		buf_printf(&s->out, form, modseq);
}

static void
write_plain(struct imap_session *s, const struct search_request *r,
    const struct uid_set *found)
{
	struct uid_set known = { 0 };

	esearch_known_as(s, r->uid, found, &known);
	buf_add_text(&s->out, "* SEARCH");
	esearch_numbers(s, &known);
	write_modseq(s, r, s->mailbox, found, " (MODSEQ %" PRIu64 ")");
	buf_add_text(&s->out, "\r\n");
	uid_set_fini(&known);
}

static void
write_partial(struct imap_session *s, const struct search_request *r,
    const struct uid_set *known)
{
	struct uid_set slice = { 0 };
	uint64_t from, count;

	search_return_partial(&r->wants, uid_set_members(known), &from, &count);
	esearch_slice(known, from, count, &slice);
	buf_add_text(&s->out, " PARTIAL (");
	search_return_range(&r->wants, &s->out);
	buf_add_char(&s->out, ' ');
	if (count == 0)
		buf_add_text(&s->out, "NIL");
	esearch_set(s, &slice);
	buf_add_char(&s->out, ')');
	uid_set_fini(&slice);
}

void
search_write_items(struct imap_session *s, const struct search_request *r,
    struct mailbox *m, const struct uid_set *found, const struct uid_set *known)
{
	unsigned int options = r->wants.options;
	size_t n = known->count;

	if ((options & RETURN_MIN) != 0 && n > 0)
		buf_printf(&s->out, " MIN %" PRIu32, known->ranges[0].first);
	if ((options & RETURN_MAX) != 0 && n > 0)
		buf_printf(&s->out, " MAX %" PRIu32, known->ranges[n - 1].last);
	if ((options & RETURN_COUNT) != 0)
		buf_printf(&s->out, " COUNT %" PRIu64, uid_set_members(known));
	if ((options & RETURN_ALL) != 0 && n > 0) {
		buf_add_text(&s->out, " ALL ");
		esearch_set(s, known);
	}
	if ((options & RETURN_PARTIAL) != 0)
		write_partial(s, r, known);
	write_modseq(s, r, m, found, " MODSEQ %" PRIu64);
	buf_add_text(&s->out, "\r\n");
}

static void
write_extended(struct imap_session *s, const struct search_request *r,
    const struct uid_set *found)
{
	struct uid_set known = { 0 };

	if (r->wants.options == RETURN_SAVE) /* RFC 5182 section 2.1 */
		return;
	esearch_known_as(s, r->uid, found, &known);
	esearch_begin(s, r->command->tag, r->uid);
	search_write_items(s, r, s->mailbox, found, &known);
	uid_set_fini(&known);
}

/* As much as is needed for the answer; RETURN (MIN MAX) is two of them. */
static bool
find_enough(struct imap_session *s, struct search_request *r,
    struct uid_set *found)
{
	unsigned int options =
	    r->wants.options & ~(unsigned int)(RETURN_SAVE | RETURN_CONTEXT);
	struct uid_set last = { 0 };
	uint64_t most;
	bool backward, ok;

	if (options == (RETURN_MIN | RETURN_MAX)) {
		ok = search_find(s, r, false, 1, found) &&
		    (found->count == 0 || search_find(s, r, true, 1, &last));
		uid_set_add_set(found, &last);
		uid_set_fini(&last);
		return ok;
	}
	most = search_return_most(&r->wants, &backward);
	return search_find(s, r, backward, most, found);
}

bool
search_take_program(struct imap_session *s, struct search_request *r)
{
	if (r->count > 0 && imap_arg_is(r->args, "CHARSET")) {
		if (imap_enabled(s, ENABLED_UTF8)) { /* RFC 6855 section 3 */
			reply_bad(s, r->command, "Strings are in UTF-8");
			return false;
		}
		r->args++;
		r->count--;
		if (!search_take_charset(s, r))
			return false;
	}
	return search_take_keys(s, r);
}

void
imap_search(struct imap_session *s, const struct imap_command *c)
{
	struct uid_set found = { 0 };
	struct search_request r;
	bool told = true;

	if (!search_begin(s, c, &r))
		return;
	if (search_take_return(s, &r) && search_take_program(s, &r) &&
	    find_enough(s, &r, &found)) {
		/* RFC 9051: with rev2 enabled always ESEARCH */
		if (!r.wants.given && imap_enabled(s, ENABLED_REV2)) {
			r.wants.given = true;
			r.wants.options = RETURN_ALL;
		}
		search_save(s, &r, &found);
		if (r.wants.given)
			write_extended(s, &r, &found);
		else
			write_plain(s, &r, &found);
		if ((r.wants.options & RETURN_UPDATE) != 0)
			told = context_begin(s, &r, NULL, &found);
		reply_ok(s, c, NULL,
		    told ? "Search completed" :
			   "Search completed, will not notify");
	}
	uid_set_fini(&found);
	search_end(&r);
}
