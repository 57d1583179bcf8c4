/* SPDX-License-Identifier: ISC */
#include "imapd/sort.h"

#include <stdlib.h>

#include "imapd/search_message.h"
#include "lib/base/clock.h"
#include "lib/task/task.h"

enum { SLICE_MS = 20, CLOCK_EVERY = 256 };

static const struct {
	const char *name;
	enum sort_by by;
} names[SORT_KEYS] = {
	{ "ARRIVAL", SORT_ARRIVAL },
	{ "CC", SORT_CC },
	{ "DATE", SORT_DATE },
	{ "DISPLAYFROM", SORT_DISPLAY_FROM },
	{ "DISPLAYTO", SORT_DISPLAY_TO },
	{ "FROM", SORT_FROM },
	{ "SIZE", SORT_SIZE },
	{ "SUBJECT", SORT_SUBJECT },
	{ "TO", SORT_TO },
};

/* What is compared: eight bytes of what the message is sorted by. */
struct entry {
	uint64_t key;
	uint32_t uid;
	bool more; /* there is text behind it */
};

/* Long work, done in slices between which others may run. */
struct pace {
	const struct sort_progress *progress; /* or NULL */
	uint64_t done, of; /* messages */
	int64_t slice_end;
};

struct sorting {
	struct mailbox *mailbox;
	struct entry *entries;
	size_t count;
	const struct sort_program *program;
	struct pace pace;
	struct why *why;
};

static void
add_criterion(struct sort_program *out, enum sort_by by, bool reverse)
{
	for (size_t i = 0; i < out->count; i++)
		if (out->criteria[i].by == by)
			return;
	out->criteria[out->count++] = (struct sort_criterion){ by, reverse };
}

bool
sort_parse(const struct imap_arg *a, struct sort_program *out)
{
	const struct imap_arg *list;
	bool reverse = false;
	size_t i;

	out->count = 0;
	if (!imap_arg_list(a, &list))
		return false;
	for (; list->type != IMAP_END; list++) {
		if (!reverse && imap_arg_is(list, "REVERSE")) {
			reverse = true;
			continue;
		}
		for (i = 0; i < SORT_KEYS; i++)
			if (imap_arg_is(list, names[i].name))
				break;
		if (i == SORT_KEYS)
			return false;
		add_criterion(out, names[i].by, reverse);
		reverse = false;
	}
	return out->count > 0 && !reverse;
}

static bool
let_others_run(const struct pace *p)
{
	if (p->progress != NULL)
		return p->progress->tell(p->progress->with, p->done, p->of);
	return task_current() == NULL || wait_yield() != WAIT_CANCELLED;
}

static bool
breathe(struct pace *p, struct why *why)
{
	if (clock_ms() < p->slice_end)
		return true;
	if (!let_others_run(p)) {
		why_set(why, "4.3.0", "sorting was given up");
		return false;
	}
	p->slice_end = clock_ms() + SLICE_MS;
	return true;
}

static bool
has_key(struct mailbox *m, uint32_t uid)
{
	struct sort_key key;
	bool has;

	mailbox_hold(m);
	has = sort_key_read(mailbox_cached(m, uid, CACHE_SORT), &key);
	mailbox_release(m);
	return has;
}

/* Makes what is kept of the first of them; the others come next, perhaps. */
static enum mail_result
make_key(struct search_message *message, struct mailbox *m,
    const uint32_t *uids, size_t count, struct why *why)
{
	enum mail_result r;

	mailbox_read_ahead(m, uids, count, SEARCH_FIRST_READ);
	r = search_message_open(message, m, uids[0], why);
	if (r != MAIL_OK)
		return r == MAIL_GONE ? MAIL_OK : r;
	search_message_keep(message, NULL, 0);
	search_message_close(message);
	return MAIL_OK;
}

enum mail_result
sort_keys_ready(struct mailbox *m, const struct uid_set *uids,
    const struct sort_progress *progress, struct why *why)
{
	struct search_message message = { 0 };
	struct pace pace = { .progress = progress,
		.of = uid_set_members(uids),
		.slice_end = clock_ms() + SLICE_MS };
	uint32_t *all = mem_array(pace.of + 1, sizeof(all[0])), uid = 0;
	enum mail_result r = MAIL_OK;
	unsigned int n = 0;
	size_t count = 0;

	while (uid_set_next(uids, &uid))
		all[count++] = uid;
	for (size_t i = 0; r == MAIL_OK && i < count; i++, pace.done++) {
		if (!has_key(m, all[i])) {
			r = make_key(&message, m, all + i, count - i, why);
			n = CLOCK_EVERY;
		}
		if (++n < CLOCK_EVERY)
			continue;
		n = 0;
		if (r == MAIL_OK && !breathe(&pace, why))
			r = MAIL_FAILED;
	}
	mailbox_read_ahead_end(m);
	buf_fini(&message.head);
	free(all);
	return r;
}

bool
sort_key_of(struct mailbox *m, uint32_t uid, struct sort_key *out)
{
	struct mail_message message;
	struct why why;

	if (!sort_key_read(mailbox_cached(m, uid, CACHE_SORT), out))
		return false;
	if (out->has_sent)
		return true;
	if (mailbox_message(m, uid, WANT_DATE, &message, &why) != MAIL_OK)
		return false;
	/* what was learned of the message may have moved the record */
	if (!sort_key_read(mailbox_cached(m, uid, CACHE_SORT), out))
		return false;
	out->sent = message.internal_date;
	return true;
}

/* So that a comparison without signs is one with. */
static uint64_t
ordered(int64_t value)
{
	return (uint64_t)value ^ 1ULL << 63;
}

/* Eight bytes of a text, from "at" on; shorter ones go first. */
static uint64_t
text_key(struct span text, size_t at, bool *more)
{
	uint64_t key = 0;

	text = span_skip(text, at);
	for (size_t i = 0; i < 8; i++)
		key = key << 8 | (i < text.n ? (unsigned char)text.p[i] : 0);
	*more = text.n > 8;
	return key;
}

static enum sort_text
text_of(enum sort_by by)
{
	switch (by) {
	case SORT_CC:
		return SORT_TEXT_CC;
	case SORT_DISPLAY_FROM:
		return SORT_TEXT_DISPLAY_FROM;
	case SORT_DISPLAY_TO:
		return SORT_TEXT_DISPLAY_TO;
	case SORT_FROM:
		return SORT_TEXT_FROM;
	case SORT_TO:
		return SORT_TEXT_TO;
	default:
		return SORT_TEXT_SUBJECT;
	}
}

/* What one message is compared by; of those gone, whatever. */
static void
load(struct sorting *s, struct entry *e, struct sort_criterion by, size_t at)
{
	struct mail_message message = { 0 };
	struct sort_key key = { 0 };
	struct why why;

	e->key = 0;
	e->more = false;
	if (by.by == SORT_ARRIVAL || by.by == SORT_SIZE) {
		if (mailbox_message(s->mailbox, e->uid,
			by.by == SORT_SIZE ? WANT_SIZE : WANT_DATE, &message,
			&why) == MAIL_OK)
			e->key = by.by == SORT_SIZE ?
			    message.size :
			    ordered(message.internal_date);
	} else if (sort_key_of(s->mailbox, e->uid, &key)) {
		e->key = by.by == SORT_DATE ?
		    ordered(key.sent) :
		    text_key(key.text[text_of(by.by)], at, &e->more);
	}
	if (by.reverse)
		e->key = ~e->key;
}

static int
compare(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return (a->uid > b->uid) - (a->uid < b->uid);
}

static bool
load_group(struct sorting *s, size_t from, size_t to, struct sort_criterion by,
    size_t at)
{
	unsigned int n = 0;

	mailbox_hold(s->mailbox);
	for (size_t i = from; i < to; i++) {
		load(s, &s->entries[i], by, at);
		if (++n < CLOCK_EVERY)
			continue;
		n = 0;
		mailbox_release(s->mailbox);
		if (!breathe(&s->pace, s->why))
			return false;
		mailbox_hold(s->mailbox);
	}
	mailbox_release(s->mailbox);
	return true;
}

/* Entries that are equal in all that was compared, still to be sorted. */
struct group {
	size_t from, to;
	size_t criterion;
	size_t at; /* of its text */
};

struct groups {
	struct group *p;
	size_t n, room;
};

static void
push(struct groups *g, struct group one)
{
	if (one.to - one.from < 2)
		return;
	if (g->n == g->room) {
		g->room = g->room > 0 ? 2 * g->room : 64;
		g->p = mem_resize(g->p, g->room * sizeof(g->p[0]));
	}
	g->p[g->n++] = one;
}

/*
 * What is still equal after this comparison goes on with the text's next
 * bytes, or with the next criterion.
 */
static void
split(struct sorting *s, const struct group *g, struct groups *out)
{
	for (size_t i = g->from, end; i < g->to; i = end) {
		struct group next = *g;
		bool more = s->entries[i].more;

		for (end = i + 1;
		     end < g->to && s->entries[end].key == s->entries[i].key;)
			more = s->entries[end++].more || more;
		next.from = i;
		next.to = end;
		next.at = more ? g->at + 8 : 0;
		next.criterion = g->criterion + (more ? 0 : 1);
		if (next.criterion < s->program->count)
			push(out, next);
	}
}

static enum mail_result
sort_groups(struct sorting *s)
{
	struct groups open = { 0 };
	bool ok = true;

	push(&open, (struct group){ 0, s->count, 0, 0 });
	while (ok && open.n > 0) {
		struct group g = open.p[--open.n];

		ok = load_group(s, g.from, g.to,
		    s->program->criteria[g.criterion], g.at);
		if (!ok)
			break;
		qsort(s->entries + g.from, g.to - g.from, sizeof(s->entries[0]),
		    compare);
		split(s, &g, &open);
		ok = breathe(&s->pace, s->why);
	}
	free(open.p);
	return ok ? MAIL_OK : MAIL_FAILED;
}

static bool
needs_keys(const struct sort_program *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->criteria[i].by != SORT_ARRIVAL &&
		    p->criteria[i].by != SORT_SIZE)
			return true;
	return false;
}

/* The result takes the entries' place. */
static uint32_t *
uids_of(struct entry *entries, size_t count)
{
	uint32_t *out = (uint32_t *)(void *)entries;

	for (size_t i = 0; i < count; i++) {
		uint32_t uid = entries[i].uid;

		out[i] = uid;
	}
	return mem_resize(out, (count + 1) * sizeof(out[0]));
}

enum mail_result
sort_run(struct mailbox *m, const struct sort_program *p,
    const struct uid_set *uids, const struct sort_progress *progress,
    uint32_t **order, uint64_t *count, struct why *why)
{
	uint64_t all = uid_set_members(uids);
	struct sorting s = { .mailbox = m,
		.program = p,
		.pace = { .progress = progress,
		    .done = all,
		    .of = all,
		    .slice_end = clock_ms() + SLICE_MS },
		.why = why };
	enum mail_result r = MAIL_OK;
	uint32_t uid = 0;

	if (needs_keys(p))
		r = sort_keys_ready(m, uids, progress, why);
	if (r != MAIL_OK)
		return r;
	s.entries = mem_array(all + 1, sizeof(s.entries[0]));
	while (uid_set_next(uids, &uid))
		s.entries[s.count++].uid = uid;
	r = sort_groups(&s);
	if (r != MAIL_OK) {
		free(s.entries);
		return r;
	}
	*order = uids_of(s.entries, s.count);
	*count = s.count;
	return MAIL_OK;
}
