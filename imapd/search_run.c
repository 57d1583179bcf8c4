/* SPDX-License-Identifier: ISC */
#include "imapd/search_run.h"

#include <stdlib.h>
#include <string.h>

#include "imapd/fetch_kept.h"
#include "imapd/search_header.h"
#include "imapd/search_text.h"
#include "imapd/thread_id.h"
#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/imap/imap_set.h"
#include "lib/mail/charset.h"
#include "lib/store/read_ahead.h"
#include "lib/task/task.h"

enum {
	BLOCK = 4096, /* messages looked at together */
	WORD = 64,
	SLICE_MS = 20, /* then others may run */
	CLOCK_EVERY = 64, /* messages between two looks at the clock */
};

/* What is known of a leaf in this mailbox. */
struct leaf {
	struct uid_set set; /* as written: of numbers, or UIDs */
	uint64_t keywords; /* the keyword's bit; 0: there is none */
	uint64_t bits[BLOCK / WORD]; /* leaves of a block: who matches */
	struct search_needle needle;
};

struct run {
	const struct search_program *program;
	const struct search_scope *scope;
	struct leaf *leaves;
	signed char *answers; /* of the message at hand */
	uint32_t uids[BLOCK];
	uint32_t numbers[BLOCK]; /* of those, where they are asked for */
	size_t count; /* of the block */
	bool by_number; /* some leaf wants message numbers */
	size_t view_range; /* of the view: where numbering goes on */
	uint32_t view_before; /* messages in the ranges before that */
	bool held;
	unsigned int wants; /* enum mail_want */
	struct search_reader *reader; /* when one is needed */
	struct search_reader *ahead[2]; /* of threads; when they are */
	struct search_message message;
	struct buf signature;
	struct span *names; /* of header fields asked for */
	size_t names_count;
	uint64_t done, of;
	int64_t slice_end;
	unsigned int since_clock;
	struct uid_set *found;
	uint64_t block_found[BLOCK / WORD];
	uint64_t found_count;
	struct why *why;
};

static void
hold(struct run *r)
{
	if (!r->held)
		mailbox_hold(r->scope->mailbox);
	r->held = true;
}

static void
let_go(struct run *r)
{
	if (r->held)
		mailbox_release(r->scope->mailbox);
	r->held = false;
}

/* Lets others run when it is time. False: the search is to end. */
static bool
breathe(struct run *r)
{
	if (clock_ms() < r->slice_end)
		return true;
	let_go(r);
	if (r->scope->progress != NULL) {
		if (!r->scope->progress(r->scope->with, r->done, r->of))
			return false;
	} else if (task_current() != NULL && wait_yield() == WAIT_CANCELLED) {
		return false;
	}
	r->slice_end = clock_ms() + SLICE_MS;
	return true;
}

static bool
pause_reading(void *with)
{
	return breathe(with);
}

static unsigned int
wants_of(enum search_kind kind)
{
	switch (kind) {
	case SEARCH_LARGER:
	case SEARCH_SMALLER:
		return WANT_SIZE;
	case SEARCH_EMAIL_ID:
		return WANT_ID;
	case SEARCH_SINCE:
	case SEARCH_BEFORE:
	case SEARCH_SAVED_SINCE:
	case SEARCH_SAVED_BEFORE:
		return WANT_DATE;
	default:
		return 0;
	}
}

void
search_numbers(const struct mailbox_view *v, struct span text,
    struct uid_set *numbers)
{
	uint32_t count = mailbox_view_count(v);

	if (imap_set_parse(text, count, numbers) && count < UINT32_MAX)
		uid_set_remove_range(numbers, count + 1, UINT32_MAX);
}

/*
 * Numbers are not made UIDs here: a view of many holes, asked for by many
 * keys, would be held once for each.
 */
static void
take_set(struct run *r, const struct search_key *k, struct uid_set *out)
{
	const struct mailbox_view *v = r->scope->view;

	if (k->kind == SEARCH_UIDS) {
		imap_set_parse(k->name,
		    mailbox_view_uid(v, mailbox_view_count(v)), out);
		return;
	}
	search_numbers(v, k->name, out);
	r->by_number = true;
}

static void
add_name(struct run *r, struct span name)
{
	for (size_t i = 0; i < r->names_count; i++)
		if (span_equal(r->names[i], name))
			return;
	r->names[r->names_count++] = name;
}

static void
prepare_leaf(struct run *r, size_t i)
{
	const struct search_key *k = r->program->leaves[i];
	struct leaf *l = &r->leaves[i];
	struct why ignored;
	int bit;

	if (k->kind == SEARCH_NUMBERS || k->kind == SEARCH_UIDS) {
		take_set(r, k, &l->set);
	} else if (k->kind == SEARCH_KEYWORD) {
		bit = mailbox_keyword(r->scope->mailbox, k->name, false,
		    &ignored);
		l->keywords = bit >= 0 ? 1ULL << bit : 0;
	} else if (k->kind == SEARCH_HEADER) {
		add_name(r, k->name);
	} else if (k->kind >= SEARCH_BODY) {
		search_needle_make(&l->needle, k->text);
	}
	r->wants |= wants_of(k->kind);
}

static void
set_bit(struct leaf *l, size_t i)
{
	l->bits[i / WORD] |= 1ULL << i % WORD;
}

static bool
has_bit(const struct leaf *l, size_t i)
{
	return (l->bits[i / WORD] >> i % WORD & 1) != 0;
}

/* The block's UIDs are of the view, and ascending. */
static void
number_block(struct run *r)
{
	const struct uid_set *v = &r->scope->view->uids;
	size_t at = r->view_range;
	uint32_t before = r->view_before;

	if (!r->by_number || r->count == 0)
		return;
	if (at == v->count || v->ranges[at].first > r->uids[0])
		at = before = 0;
	for (size_t i = 0; i < r->count; i++) {
		while (at < v->count && v->ranges[at].last < r->uids[i]) {
			before += v->ranges[at].last - v->ranges[at].first + 1;
			at++;
		}
		ensure(at < v->count && v->ranges[at].first <= r->uids[i]);
		r->numbers[i] = before + r->uids[i] - v->ranges[at].first + 1;
	}
	r->view_range = at;
	r->view_before = before;
}

/*
 * Those of the block that are in the set; "values", its UIDs or numbers, are
 * ascending.
 */
static void
mark_set(struct run *r, struct leaf *l, const uint32_t *values,
    const struct uid_set *set)
{
	size_t range = 0;

	if (set->count > 0 && r->count > 0) {
		size_t low = 0, high = set->count;

		while (low < high) { /* the first that does not end before */
			size_t middle = low + (high - low) / 2;

			if (set->ranges[middle].last < values[0])
				low = middle + 1;
			else
				high = middle;
		}
		range = low;
	}
	for (size_t i = 0; i < r->count; i++) {
		while (
		    range < set->count && set->ranges[range].last < values[i])
			range++;
		if (range == set->count)
			return;
		if (set->ranges[range].first <= values[i])
			set_bit(l, i);
	}
}

static enum mail_result
mark_flags(struct run *r, const struct search_key *k, struct leaf *l)
{
	struct uid_set block = { 0 }, have = { 0 };
	enum mail_result result;

	if (k->flags == 0 && l->keywords == 0)
		return MAIL_OK;
	for (size_t i = 0; i < r->count; i++)
		uid_set_add(&block, r->uids[i]);
	result = mailbox_with_flags(r->scope->mailbox, &block, k->flags,
	    l->keywords, true, &have, r->why);
	mark_set(r, l, r->uids, &have);
	uid_set_fini(&block);
	uid_set_fini(&have);
	return result;
}

static void
mark_recent(struct run *r, struct leaf *l)
{
	uint32_t first = r->scope->view->first_recent;

	for (size_t i = 0; i < r->count; i++)
		if (first != 0 && r->uids[i] >= first)
			set_bit(l, i);
}

/* Leaves that are answered for the whole block at once. */
static enum mail_result
mark_block(struct run *r)
{
	for (size_t i = 0; i < r->program->count; i++) {
		const struct search_key *k = r->program->leaves[i];
		struct leaf *l = &r->leaves[i];
		enum mail_result result = MAIL_OK;

		if (k->kind >= SEARCH_MODSEQ)
			continue;
		memset(l->bits, k->kind == SEARCH_ALL ? 0xff : 0,
		    sizeof(l->bits));
		if (k->kind == SEARCH_FLAGS || k->kind == SEARCH_KEYWORD)
			result = mark_flags(r, k, l);
		else if (k->kind == SEARCH_RECENT)
			mark_recent(r, l);
		else if (k->kind == SEARCH_NUMBERS)
			mark_set(r, l, r->numbers, &l->set);
		else if (k->kind == SEARCH_UIDS)
			mark_set(r, l, r->uids, &l->set);
		else if (k->kind == SEARCH_SAVED && r->scope->saved != NULL)
			mark_set(r, l, r->uids, r->scope->saved);
		if (result != MAIL_OK)
			return result;
	}
	return MAIL_OK;
}

/* Three-valued; its depth is limited by the parser. */
static enum search_answer
evaluate(const struct run *r, const struct search_key *k)
{
	enum search_answer stop =
	    k->kind == SEARCH_AND ? SEARCH_NO : SEARCH_YES;
	enum search_answer result =
	    k->kind == SEARCH_AND ? SEARCH_YES : SEARCH_NO;

	if (search_is_leaf(k)) {
		result = (enum search_answer)r->answers[k->leaf];
		if (k->negated && result != SEARCH_UNKNOWN)
			result = result == SEARCH_YES ? SEARCH_NO : SEARCH_YES;
		return result;
	}
	for (const struct search_key *c = k->first; c != NULL; c = c->next) {
		enum search_answer one = evaluate(r, c);

		if (one == stop)
			return stop;
		if (one == SEARCH_UNKNOWN)
			result = SEARCH_UNKNOWN;
	}
	return result;
}

static void
answer_from_block(struct run *r, size_t i)
{
	for (size_t k = 0; k < r->program->count; k++)
		r->answers[k] = r->program->leaves[k]->kind >= SEARCH_MODSEQ ?
		    SEARCH_UNKNOWN :
		    has_bit(&r->leaves[k], i);
}

static bool
matches_index(const struct search_key *k, const struct mail_message *m)
{
	switch (k->kind) {
	case SEARCH_MODSEQ:
		return m->modseq >= k->number;
	case SEARCH_LARGER:
		return m->size > k->number;
	case SEARCH_SMALLER:
		return m->size < k->number;
	case SEARCH_EMAIL_ID:
		return span_is(k->name, m->email_id);
	case SEARCH_SINCE:
		return m->internal_date >= (int64_t)k->number;
	case SEARCH_BEFORE:
		return m->internal_date < (int64_t)k->number;
	case SEARCH_SAVED_SINCE:
		return m->save_date >= (int64_t)k->number;
	case SEARCH_SAVED_BEFORE:
		return m->save_date < (int64_t)k->number;
	default:
		unreachable();
	}
}

static enum mail_result
answer_from_index(struct run *r, uint32_t uid)
{
	struct mail_message m;
	enum mail_result result;
	bool any = false;

	for (size_t i = 0; i < r->program->count; i++) {
		enum search_kind kind = r->program->leaves[i]->kind;

		any =
		    any || (kind >= SEARCH_MODSEQ && kind < SEARCH_SENT_SINCE);
	}
	if (!any)
		return MAIL_OK;
	result = mailbox_message(r->scope->mailbox, uid, r->wants, &m, r->why);
	if (result != MAIL_OK)
		return result;
	for (size_t i = 0; i < r->program->count; i++) {
		const struct search_key *k = r->program->leaves[i];

		if (k->kind >= SEARCH_MODSEQ && k->kind < SEARCH_SENT_SINCE)
			r->answers[i] = matches_index(k, &m);
	}
	return MAIL_OK;
}

static enum search_answer
sent_answer(const struct search_key *k, struct span record)
{
	int64_t day;
	bool none;

	if (!search_header_sent(record, &day, &none))
		return SEARCH_UNKNOWN;
	if (none)
		return SEARCH_NO;
	return (k->kind == SEARCH_SENT_SINCE ? day >= (int64_t)k->number :
					       day < (int64_t)k->number) ?
	    SEARCH_YES :
	    SEARCH_NO;
}

static void
answer_from_record(struct run *r, struct span record)
{
	for (size_t i = 0; i < r->program->count; i++) {
		const struct search_key *k = r->program->leaves[i];

		if (k->kind == SEARCH_HEADER)
			r->answers[i] = (signed char)search_header_has(record,
			    k->name, k->text);
		else if (k->kind == SEARCH_SENT_SINCE ||
		    k->kind == SEARCH_SENT_BEFORE)
			r->answers[i] = (signed char)sent_answer(k, record);
	}
}

static bool
lacks_thread_id(const struct run *r)
{
	for (size_t i = 0; i < r->program->count; i++)
		if (r->program->leaves[i]->kind == SEARCH_THREAD_ID &&
		    r->answers[i] == SEARCH_UNKNOWN)
			return true;
	return false;
}

/* "id": as FETCH says it. */
static void
answer_from_thread_id(struct run *r, struct span id)
{
	for (size_t i = 0; i < r->program->count; i++)
		if (r->program->leaves[i]->kind == SEARCH_THREAD_ID)
			r->answers[i] =
			    thread_id_is(id, r->program->leaves[i]->name);
}

/* Its id is kept for the next who asks. Nothing may be held. */
static void
answer_from_references(struct run *r, uint32_t uid, struct span header)
{
	struct buf id = BUF_INIT(THREAD_ID_MAX);

	thread_id_write(header, &id);
	answer_from_thread_id(r, buf_span(&id));
	fetch_kept_put(r->scope->mailbox, uid, CACHE_THREADID, buf_span(&id));
	buf_fini(&id);
}

static void
answer_from_signature(struct run *r, struct span signature)
{
	for (size_t i = 0; i < r->program->count; i++)
		if (r->program->leaves[i]->kind >= SEARCH_BODY &&
		    signature.p != NULL &&
		    !search_words_may_have(signature, &r->leaves[i].needle))
			r->answers[i] = SEARCH_NO;
}

/* The header itself knows everything about fields. Nothing may be held. */
static void
answer_from_header(struct run *r, uint32_t uid, struct span header)
{
	hold(r);
	answer_from_record(r,
	    mailbox_cached(r->scope->mailbox, uid, CACHE_HEADER));
	let_go(r);
	for (size_t i = 0; i < r->program->count; i++) {
		const struct search_key *k = r->program->leaves[i];

		if (k->kind == SEARCH_HEADER && r->answers[i] == SEARCH_UNKNOWN)
			r->answers[i] =
			    search_header_find(header, k->name, k->text);
	}
}

/* Those that come next are read by a thread, and their texts looked through. */
static void
read_ahead(struct run *r, size_t i)
{
	struct mailbox *m = r->scope->mailbox;

	if (r->scope->backward || r->count - i < READ_AHEAD_LEAST / 2)
		return;
	if (r->program->bodies && r->ahead[0] == NULL) {
		struct read_ahead_work work = { .run = search_reader_ahead,
			.least = r->program->count + SEARCH_WORDS_LEAST };

		/* known before there are threads that ask */
		(void)charset_known(SPAN("utf-8"));
		for (size_t k = 0; k < 2; k++)
			work.with[k] = r->ahead[k] =
			    search_reader_new(r->program);
		mailbox_read_ahead_work(m, &work);
	}
	mailbox_read_ahead(m, r->uids + i, r->count - i, SEARCH_FIRST_READ);
}

/* What was made of it as it was read ahead: search_reader_ahead. */
static bool
answer_ahead(struct run *r, struct span made)
{
	size_t count = r->program->count;

	if (made.n <= count || !r->program->bodies)
		return false;
	for (size_t i = 0; i < count; i++)
		if (r->program->leaves[i]->kind >= SEARCH_BODY &&
		    r->answers[i] == SEARCH_UNKNOWN)
			r->answers[i] = (signed char)made.p[i];
	buf_reset(&r->signature);
	buf_add_span(&r->signature, span_skip(made, count));
	return true;
}

static enum mail_result
answer_from_text(struct run *r, uint32_t uid, bool has_signature)
{
	struct mailbox *m = r->scope->mailbox;
	enum mail_result result = MAIL_OK;

	if (!answer_ahead(r, mailbox_read_ahead_made(m))) {
		if (r->reader == NULL)
			r->reader = search_reader_new(r->program);
		result = search_reader_read(r->reader, &r->message, r->answers,
		    !has_signature, &r->signature, pause_reading, r, r->why);
	}
	if (result == MAIL_OK && !has_signature && r->signature.n > 0)
		mailbox_cache(m, uid, CACHE_WORDS, buf_span(&r->signature));
	return result;
}

/* Header fields are looked at in the file, and then the rest if it must be. */
static enum mail_result
answer_from_file(struct run *r, size_t i, bool has_signature)
{
	struct search_message *m = &r->message;
	uint32_t uid = r->uids[i];
	enum mail_result result;

	let_go(r);
	r->since_clock = CLOCK_EVERY;
	read_ahead(r, i);
	result = search_message_open(m, r->scope->mailbox, uid, r->why);
	if (result != MAIL_OK)
		return result;
	if (r->program->headers)
		search_message_keep(m, r->names, r->names_count);
	if (lacks_thread_id(r))
		answer_from_references(r, uid, search_message_header(m));
	if (r->program->headers)
		answer_from_header(r, uid, search_message_header(m));
	if (evaluate(r, r->program->root) == SEARCH_UNKNOWN)
		result = answer_from_text(r, uid, has_signature);
	search_message_close(m);
	return result;
}

/* From what is quickly known to what costs most. */
static enum mail_result
answer(struct run *r, size_t i, enum search_answer *out)
{
	const struct search_key *root = r->program->root;
	struct mailbox *mailbox = r->scope->mailbox;
	uint32_t uid = r->uids[i];
	enum mail_result result;
	struct span signature, id;

	answer_from_block(r, i);
	if ((*out = evaluate(r, root)) != SEARCH_UNKNOWN)
		return MAIL_OK;
	hold(r);
	result = answer_from_index(r, uid);
	if (result != MAIL_OK)
		return result;
	if ((*out = evaluate(r, root)) != SEARCH_UNKNOWN)
		return MAIL_OK;
	if (lacks_thread_id(r) &&
	    fetch_kept_open(mailbox_cached(mailbox, uid, CACHE_THREADID), &id))
		answer_from_thread_id(r, id);
	if (r->program->headers)
		answer_from_record(r,
		    mailbox_cached(mailbox, uid, CACHE_HEADER));
	if ((*out = evaluate(r, root)) != SEARCH_UNKNOWN)
		return MAIL_OK;
	signature = r->program->bodies ?
	    mailbox_cached(mailbox, uid, CACHE_WORDS) :
	    SPAN("");
	answer_from_signature(r, signature);
	if ((*out = evaluate(r, root)) != SEARCH_UNKNOWN)
		return MAIL_OK;
	result = answer_from_file(r, i, search_words_known(signature));
	*out = evaluate(r, root);
	return result;
}

/* One message; true when there are enough. */
static enum mail_result
look_at(struct run *r, size_t i)
{
	enum search_answer a = SEARCH_NO;
	enum mail_result result = answer(r, i, &a);

	r->done++;
	if (result == MAIL_GONE)
		return MAIL_OK;
	if (result == MAIL_OK && a == SEARCH_YES) {
		r->block_found[i / WORD] |= 1ULL << i % WORD;
		r->found_count++;
	}
	return result;
}

/* What was found in this block; backward the blocks come last one first. */
static void
keep_found(struct run *r)
{
	struct uid_set block = { 0 };

	for (size_t i = 0; i < r->count; i++)
		if ((r->block_found[i / WORD] >> i % WORD & 1) != 0)
			uid_set_add(&block, r->uids[i]);
	memset(r->block_found, 0, sizeof(r->block_found));
	if (r->scope->backward && r->found->count > 0) {
		uid_set_add_set(&block, r->found);
		uid_set_fini(r->found);
		*r->found = block;
		return;
	}
	uid_set_add_set(r->found, &block);
	uid_set_fini(&block);
}

static bool
enough(const struct run *r)
{
	return r->scope->most != 0 && r->found_count >= r->scope->most;
}

static enum mail_result
look_at_block(struct run *r)
{
	enum mail_result result = mark_block(r);

	for (size_t i = 0; i < r->count && result == MAIL_OK && !enough(r);
	     i++) {
		result = look_at(r, r->scope->backward ? r->count - 1 - i : i);
		if (++r->since_clock < CLOCK_EVERY)
			continue;
		r->since_clock = 0;
		if (result == MAIL_OK && !breathe(r)) {
			why_set(r->why, "4.3.0", "search was given up");
			result = MAIL_FAILED;
		}
	}
	let_go(r);
	keep_found(r);
	return result;
}

/* The members of a set from its n-th on, as many as a block has. */
static void
take_block(struct run *r, const struct uid_set *from, uint64_t n, size_t count)
{
	uint32_t uid = uid_set_nth(from, n);

	for (r->count = 0; r->count < count && uid != 0;) {
		r->uids[r->count++] = uid;
		if (!uid_set_next(from, &uid))
			break;
	}
	number_block(r);
}

/* All members of one kind that every match is in; false: any may be. */
static bool
common(const struct run *r, enum search_kind kind, struct uid_set *out)
{
	const struct search_key *root = r->program->root;
	bool any = false;

	if (root->kind != SEARCH_AND)
		return false;
	for (const struct search_key *k = root->first; k != NULL; k = k->next) {
		if (k->negated || k->kind != kind)
			continue;
		if (any)
			uid_set_intersect(out, &r->leaves[k->leaf].set);
		else
			uid_set_copy(out, &r->leaves[k->leaf].set);
		any = true;
	}
	return any;
}

/* What is looked at. */
static void
candidates(struct run *r, struct uid_set *out)
{
	const struct search_scope *scope = r->scope;
	struct uid_set set = { 0 }, uids = { 0 };

	uid_set_copy(out, &scope->view->uids);
	if (scope->among != NULL)
		uid_set_intersect(out, scope->among);
	if (common(r, SEARCH_UIDS, &set))
		uid_set_intersect(out, &set);
	if (common(r, SEARCH_NUMBERS, &set)) {
		mailbox_view_uids(scope->view, &set, &uids);
		uid_set_intersect(out, &uids);
	}
	if (scope->saved != NULL && common(r, SEARCH_SAVED, &set))
		uid_set_intersect(out, scope->saved);
	uid_set_fini(&set);
	uid_set_fini(&uids);
}

static enum mail_result
run_blocks(struct run *r, const struct uid_set *all)
{
	enum mail_result result = MAIL_OK;

	r->of = uid_set_members(all);
	for (uint64_t at = 0; at < r->of && result == MAIL_OK && !enough(r);) {
		uint64_t left = r->of - at;
		size_t n = left < BLOCK ? (size_t)left : BLOCK;

		take_block(r, all, r->scope->backward ? left - n : at, n);
		if (r->count == 0)
			break;
		result = look_at_block(r);
		at += n;
	}
	return result;
}

enum mail_result
search_run(const struct search_program *p, const struct search_scope *scope,
    struct uid_set *found, struct why *why)
{
	struct run *r = mem_new(sizeof(*r));
	struct uid_set all = { 0 };
	enum mail_result result;

	r->program = p;
	r->scope = scope;
	r->found = found;
	r->why = why;
	r->leaves = mem_array(p->count + 1, sizeof(r->leaves[0]));
	r->answers = mem_new(p->count + 1);
	r->names = mem_array(p->count + 1, sizeof(r->names[0]));
	r->slice_end = clock_ms() + SLICE_MS;
	buf_init(&r->signature, CACHE_VALUE_MAX);
	for (size_t i = 0; i < p->count; i++)
		prepare_leaf(r, i);
	candidates(r, &all);
	result = run_blocks(r, &all);
	mailbox_read_ahead_end(scope->mailbox);
	for (size_t i = 0; i < p->count; i++) {
		uid_set_fini(&r->leaves[i].set);
		free(r->leaves[i].needle.hashes);
	}
	search_reader_free(&r->reader);
	search_reader_free(&r->ahead[0]);
	search_reader_free(&r->ahead[1]);
	buf_fini(&r->message.head);
	buf_fini(&r->signature);
	uid_set_fini(&all);
	free(r->leaves);
	free(r->answers);
	free(r->names);
	free(r);
	return result;
}
