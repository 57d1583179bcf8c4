/* SPDX-License-Identifier: ISC */
#include "imapd/context.h"

#include <inttypes.h>
#include <stdlib.h>

#include "imapd/arguments_text.h"
#include "imapd/esearch.h"
#include "imapd/parked_context.h"
#include "lib/login/session_stage.h"

enum {
	SETS_MAX = 4 << 20, /* bytes of the UIDs that keys of one name */
	PARKED_MAX = PARKED_STATE_MAX, /* of what is kept for parking alone */
};

struct context {
	struct context *next;
	char *tag;
	bool uid;
	struct search_program *program;
	/* as in struct parked_context; keys empty: it cannot be parked */
	struct buf charset, keys, numbers;
	int64_t now;
	struct sort_program sort; /* no criteria: in the mailbox's order */
	struct uid_set saved; /* what "$" was */
	struct uid_set found;
	uint32_t *order; /* of a sorted one: what was found, UIDs */
	uint64_t count; /* of those */
};

struct imap_contexts {
	struct context *first;
	size_t count;
};

static void
context_free(struct context *c)
{
	search_program_free(&c->program);
	buf_fini(&c->charset);
	buf_fini(&c->keys);
	buf_fini(&c->numbers);
	uid_set_fini(&c->saved);
	uid_set_fini(&c->found);
	free(c->order);
	free(c->tag);
	free(c);
}

static struct context **
find(const struct imap_session *s, struct span tag)
{
	struct context **at;

	if (s->contexts == NULL)
		return NULL;
	for (at = &s->contexts->first; *at != NULL; at = &(*at)->next)
		if (span_is(tag, (*at)->tag))
			return at;
	return NULL;
}

bool
context_has(const struct imap_session *s, struct span tag)
{
	return find(s, tag) != NULL;
}

static void
say_no_update(struct imap_session *s, struct span tag, const char *why)
{
	buf_add_text(&s->out, "* NO [NOUPDATE ");
	imap_write_string(&s->out, tag, false);
	buf_printf(&s->out, "] %s\r\n", why);
}

/* A key for message numbers is one for these UIDs from now on. */
static void
take_uids(struct search_program *p, struct search_key *k, struct span uids)
{
	k->kind = uids.n > 0 ? SEARCH_UIDS : SEARCH_ALL;
	if (uids.n == 0)
		k->negated = !k->negated; /* none of them */
	k->name = (struct span){ arena_span(p->arena, uids), uids.n };
}

/*
 * RFC 5267 section 4.3: message numbers mean what they meant when the command
 * came. False: as UIDs they are longer than what is kept.
 */
static bool
fix_numbers(struct imap_session *s, struct search_program *p, struct buf *kept)
{
	size_t left = SETS_MAX;

	for (size_t i = 0; i < p->count; i++) {
		struct search_key *k = p->leaves[i];
		struct uid_set numbers = { 0 }, uids = { 0 };
		struct buf text = BUF_INIT(left);
		bool fits;

		if (k->kind != SEARCH_NUMBERS)
			continue;
		search_numbers(&s->view, k->name, &numbers);
		mailbox_view_uids(&s->view, &numbers, &uids);
		uid_set_text(&uids, &text);
		fits = !text.overflow;
		if (fits) {
			take_uids(p, k, buf_span(&text));
			packed_put_text(kept, buf_span(&text));
		}
		left -= text.n;
		buf_fini(&text);
		uid_set_fini(&numbers);
		uid_set_fini(&uids);
		if (!fits)
			return false;
	}
	return true;
}

static void
end_if_empty(struct imap_session *s)
{
	if (s->contexts != NULL && s->contexts->first == NULL)
		contexts_end(s);
}

static struct search_program *
read_program(const struct parked_context *c)
{
	struct search_program *p = NULL;
	struct arena *arena = arena_new();
	const struct imap_arg *args;
	const char *error;
	size_t count;

	if (!arguments_text_read(c->keys, arena, &args, &count) ||
	    search_parse(args, count, c->charset, c->now, &p, &error) !=
		SEARCH_OK)
		p = NULL;
	arena_free(&arena);
	return p;
}

/* For parking: what the program was made of, where it can be made so again. */
static void
note_request(struct context *c, const struct search_request *r)
{
	struct parked_context again;
	struct search_program *p;

	c->charset = BUF_INIT(PARKED_MAX);
	c->keys = BUF_INIT(PARKED_MAX);
	buf_add_span(&c->charset, r->charset);
	c->now = r->now;
	if (!arguments_text_write(r->keys, &c->keys) || c->charset.overflow) {
		buf_fini(&c->keys);
		return;
	}
	again = (struct parked_context){ .charset = buf_span(&c->charset),
		.keys = buf_span(&c->keys),
		.now = c->now };
	p = read_program(&again);
	if (p == NULL || p->count != c->program->count)
		buf_fini(&c->keys);
	search_program_free(&p);
}

bool
context_begin(struct imap_session *s, struct search_request *r,
    const struct sort_program *sort, const struct uid_set *found)
{
	struct context *c;
	struct why why;

	if (s->contexts == NULL)
		s->contexts = mem_new(sizeof(*s->contexts));
	if (s->contexts->count == CONTEXTS_MAX ||
	    (sort != NULL && uid_set_members(found) > CONTEXT_SORTED_MAX)) {
		say_no_update(s, r->command->tag, "Too many contexts");
		return false;
	}
	c = mem_new(sizeof(*c));
	c->tag = mem_span_text(r->command->tag);
	c->uid = r->uid;
	c->program = r->program;
	r->program = NULL;
	note_request(c, r);
	c->numbers = BUF_INIT(PARKED_MAX);
	if (!fix_numbers(s, c->program, &c->numbers)) {
		context_free(c);
		say_no_update(s, r->command->tag, "Too many numbers");
		end_if_empty(s);
		return false;
	}
	uid_set_copy(&c->saved, &s->saved);
	uid_set_copy(&c->found, found);
	if (sort != NULL) {
		c->sort = *sort;
		if (sort_run(s->mailbox, sort, found, NULL, &c->order,
			&c->count, &why) != MAIL_OK) {
			context_free(c);
			say_no_update(s, r->command->tag, "Cannot sort");
			end_if_empty(s);
			return false;
		}
	}
	c->next = s->contexts->first;
	s->contexts->first = c;
	s->contexts->count++;
	return true;
}

static uint32_t
known_as(const struct imap_session *s, const struct context *c, uint32_t uid)
{
	return c->uid ? uid : mailbox_view_number(&s->view, uid);
}

static void
begin_list(struct imap_session *s, const struct context *c, const char *item)
{
	esearch_begin(s, span_of(c->tag), c->uid);
	buf_printf(&s->out, " %s (", item);
}

/* In the mailbox's order the client finds the place: position 0. */
static void
write_set(struct imap_session *s, const struct context *c, const char *item,
    const struct uid_set *uids)
{
	struct uid_set known = { 0 };

	if (uids->count == 0)
		return;
	esearch_known_as(s, c->uid, uids, &known);
	begin_list(s, c, item);
	buf_add_text(&s->out, "0 ");
	esearch_set(s, &known);
	buf_add_text(&s->out, ")\r\n");
	uid_set_fini(&known);
}

/* Each at the place it has when those before it are gone. */
static void
remove_sorted(struct imap_session *s, struct context *c,
    const struct uid_set *gone)
{
	uint64_t kept = 0;
	bool any = false;

	for (uint64_t i = 0; i < c->count; i++) {
		if (!uid_set_has(gone, c->order[i])) {
			c->order[kept++] = c->order[i];
			continue;
		}
		if (!any)
			begin_list(s, c, "REMOVEFROM");
		buf_printf(&s->out, "%s%" PRIu64 " %" PRIu32, any ? " " : "",
		    kept + 1, known_as(s, c, c->order[i]));
		esearch_spill(s);
		any = true;
	}
	if (any)
		buf_add_text(&s->out, ")\r\n");
	c->count = kept;
}

static enum mail_result
add_sorted(struct imap_session *s, struct context *c,
    const struct uid_set *added, struct why *why)
{
	uint32_t *order = NULL;
	uint64_t count = 0;
	enum mail_result r;
	bool any = false;

	if (added->count == 0)
		return MAIL_OK;
	r = sort_run(s->mailbox, &c->sort, &c->found, NULL, &order, &count,
	    why);
	if (r != MAIL_OK)
		return r;
	for (uint64_t i = 0; i < count; i++) {
		if (!uid_set_has(added, order[i]))
			continue;
		if (!any)
			begin_list(s, c, "ADDTO");
		buf_printf(&s->out, "%s%" PRIu64 " %" PRIu32, any ? " " : "",
		    i + 1, known_as(s, c, order[i]));
		esearch_spill(s);
		any = true;
	}
	if (any)
		buf_add_text(&s->out, ")\r\n");
	free(c->order);
	c->order = order;
	c->count = count;
	return MAIL_OK;
}

static void
take_away(struct imap_session *s, struct context *c, const struct uid_set *gone)
{
	struct uid_set mine = { 0 };

	uid_set_copy(&mine, gone);
	uid_set_intersect(&mine, &c->found);
	for (size_t i = 0; i < mine.count; i++)
		uid_set_remove_range(&c->found, mine.ranges[i].first,
		    mine.ranges[i].last);
	if (mine.count > 0 && c->sort.count > 0)
		remove_sorted(s, c, &mine);
	else
		write_set(s, c, "REMOVEFROM", &mine);
	uid_set_fini(&mine);
}

static enum mail_result
add(struct imap_session *s, struct context *c, struct uid_set *matches,
    struct why *why)
{
	for (size_t i = 0; i < c->found.count; i++)
		uid_set_remove_range(matches, c->found.ranges[i].first,
		    c->found.ranges[i].last);
	uid_set_add_set(&c->found, matches);
	if (c->sort.count > 0)
		return add_sorted(s, c, matches, why);
	write_set(s, c, "ADDTO", matches);
	return MAIL_OK;
}

/* Looks at these messages again. */
static enum mail_result
look_again(struct imap_session *s, struct context *c,
    const struct uid_set *touched, struct why *why)
{
	struct search_scope scope = { .mailbox = s->mailbox,
		.view = &s->view,
		.saved = &c->saved,
		.among = touched };
	struct uid_set matches = { 0 }, gone = { 0 };
	enum mail_result r;

	r = search_run(c->program, &scope, &matches, why);
	if (r == MAIL_OK) {
		uid_set_copy(&gone, touched);
		for (size_t i = 0; i < matches.count; i++)
			uid_set_remove_range(&gone, matches.ranges[i].first,
			    matches.ranges[i].last);
		take_away(s, c, &gone);
		r = add(s, c, &matches, why);
	}
	uid_set_fini(&matches);
	uid_set_fini(&gone);
	return r;
}

void
contexts_before(struct imap_session *s, const struct mailbox_update *u)
{
	if (s->contexts == NULL || u->expunged.count == 0)
		return;
	for (struct context *c = s->contexts->first; c != NULL; c = c->next)
		take_away(s, c, &u->expunged);
}

static void
drop(struct imap_session *s, struct context **at)
{
	struct context *c = *at;

	*at = c->next;
	s->contexts->count--;
	context_free(c);
}

void
contexts_after(struct imap_session *s, const struct mailbox_update *u)
{
	struct uid_set touched = { 0 };
	struct why why = { 0 };

	if (s->contexts == NULL || s->contexts->first == NULL)
		return;
	uid_set_copy(&touched, &u->changed);
	uid_set_add_set(&touched, &u->arrived);
	if (touched.count > 0)
		for (struct context **at = &s->contexts->first; *at != NULL;) {
			if (look_again(s, *at, &touched, &why) == MAIL_OK) {
				at = &(*at)->next;
				continue;
			}
			say_no_update(s, span_of((*at)->tag), "Search failed");
			drop(s, at);
		}
	end_if_empty(s);
	uid_set_fini(&touched);
}

void
contexts_end(struct imap_session *s)
{
	if (s->contexts == NULL)
		return;
	while (s->contexts->first != NULL)
		drop(s, &s->contexts->first);
	free(s->contexts);
	s->contexts = NULL;
}

/* Parking */

bool
contexts_write(const struct imap_session *s, struct buf *out)
{
	if (s->contexts == NULL)
		return true;
	for (const struct context *c = s->contexts->first; c != NULL;
	     c = c->next) {
		const struct parked_context p = {
			.tag = span_of(c->tag),
			.uid = c->uid,
			.charset = buf_span(&c->charset),
			.keys = buf_span(&c->keys),
			.now = c->now,
			.numbers = buf_span(&c->numbers),
			.saved = c->saved,
			.sort = c->sort,
			.found = c->found,
			.order = c->order,
			.count = c->count,
		};

		if (c->keys.n == 0 || c->numbers.overflow)
			return false;
		parked_context_write(&p, out);
	}
	return !out->overflow;
}

/* What they meant when the command came. */
static bool
restore_numbers(struct search_program *p, struct span numbers)
{
	struct packed n = { .rest = numbers };

	for (size_t i = 0; i < p->count; i++)
		if (p->leaves[i]->kind == SEARCH_NUMBERS)
			take_uids(p, p->leaves[i], packed_text(&n));
	return packed_end(&n);
}

static struct context *
context_of(struct parked_context *p)
{
	struct search_program *program = read_program(p);
	struct context *c;

	if (program == NULL || !restore_numbers(program, p->numbers)) {
		search_program_free(&program);
		return NULL;
	}
	c = mem_new(sizeof(*c));
	c->tag = mem_span_text(p->tag);
	c->uid = p->uid;
	c->program = program;
	c->charset = c->keys = c->numbers = BUF_INIT(PARKED_MAX);
	buf_add_span(&c->charset, p->charset);
	buf_add_span(&c->keys, p->keys);
	buf_add_span(&c->numbers, p->numbers);
	c->now = p->now;
	c->sort = p->sort;
	c->saved = p->saved;
	c->found = p->found;
	c->order = p->order;
	c->count = p->count;
	p->saved = p->found = (struct uid_set){ 0 };
	p->order = NULL;
	return c;
}

bool
contexts_again(struct imap_session *s, struct span text)
{
	struct packed p = { .rest = text };
	struct context **end;
	struct parked_context one;

	if (text.n == 0 || s->mailbox == NULL)
		return text.n == 0;
	s->contexts = mem_new(sizeof(*s->contexts));
	end = &s->contexts->first;
	while (p.rest.n > 0 && !p.bad && s->contexts->count < CONTEXTS_MAX) {
		parked_context_read(&p, &one);
		*end = p.bad ? NULL : context_of(&one);
		parked_context_fini(&one);
		if (*end == NULL)
			return false;
		s->contexts->count++;
		end = &(*end)->next;
	}
	return packed_end(&p);
}

void
imap_cancelupdate(struct imap_session *s, const struct imap_command *c)
{
	struct context **at;
	struct span tag;

	for (size_t i = 0; i < c->count; i++)
		if (!imap_arg_astring(&c->args[i], &tag)) {
			reply_bad(s, c, "CANCELUPDATE wants tags");
			return;
		}
	if (c->count == 0) {
		reply_bad(s, c, "CANCELUPDATE wants tags");
		return;
	}
	for (size_t i = 0; i < c->count; i++) {
		imap_arg_astring(&c->args[i], &tag);
		at = find(s, tag);
		if (at != NULL)
			drop(s, at);
	}
	end_if_empty(s);
	reply_ok(s, c, NULL, "No further updates");
}
