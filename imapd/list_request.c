/* SPDX-License-Identifier: ISC */
#include "imapd/list_request.h"

#include <string.h>

#include "imapd/status.h"

struct option {
	const char *name;
	unsigned int bit;
};

static const struct option selections[] = {
	{ "SUBSCRIBED", LIST_SUBSCRIBED },
	{ "REMOTE", LIST_REMOTE },
	{ "RECURSIVEMATCH", LIST_RECURSIVEMATCH },
	{ "SPECIAL-USE", LIST_SPECIAL_USE },
	{ NULL, 0 },
};

static const struct option returns[] = {
	{ "SUBSCRIBED", RETURN_SUBSCRIBED },
	{ "CHILDREN", RETURN_CHILDREN },
	{ "SPECIAL-USE", RETURN_SPECIAL_USE },
	{ "STATUS", RETURN_STATUS },
	{ "MYRIGHTS", RETURN_MYRIGHTS },
	{ "METADATA", RETURN_METADATA },
	{ NULL, 0 },
};

static unsigned int
option_bit(const struct option *o, const struct imap_arg *a)
{
	for (; o->name != NULL; o++)
		if (imap_arg_is(a, o->name))
			return o->bit;
	return 0;
}

/*
 * RECURSIVEMATCH is nothing without SUBSCRIBED: SPECIAL-USE is no "base"
 * option (RFC 5258 section 6, RFC 6154 section 6).
 */
static bool
read_selection(const struct imap_arg *a, struct list_request *r)
{
	for (; a->type != IMAP_END; a++) {
		unsigned int bit = option_bit(selections, a);

		if (bit == 0)
			return false;
		r->select |= bit;
	}
	if ((r->select & LIST_SUBSCRIBED) != 0)
		r->returns |= RETURN_SUBSCRIBED;
	return (r->select & LIST_RECURSIVEMATCH) == 0 ||
	    (r->select & LIST_SUBSCRIBED) != 0;
}

static bool
read_metadata(const struct imap_arg *a, struct list_request *r)
{
	if (a->type != IMAP_LIST)
		return false;
	if (r->arena == NULL)
		r->arena = arena_new();
	r->metadata.max_size = UINT64_MAX;
	return metadata_wanted_read(a, r->arena, &r->metadata);
}

static bool
read_returns(struct imap_session *s, const struct imap_arg *a,
    struct list_request *r)
{
	for (; a->type != IMAP_END; a++) {
		unsigned int bit = option_bit(returns, a);

		if (bit == 0)
			return false;
		if (bit == RETURN_STATUS && !status_items(s, ++a, &r->status))
			return false;
		if (bit == RETURN_METADATA && !read_metadata(++a, r))
			return false;
		r->returns |= bit;
	}
	return true;
}

/*
 * Reference and name make one pattern. One that is no name in the encoding
 * that is spoken can match nothing, which is no error (RFC 9051 section
 * 6.3.9).
 */
static void
add_pattern(struct imap_session *s, struct span reference, struct span name,
    struct list_request *r)
{
	struct buf wire = BUF_INIT(LIST_PATTERN_MAX * 4);
	struct buf text = BUF_INIT(LIST_PATTERN_MAX * 4);
	struct list_pattern *p;

	buf_add_span(&wire, reference);
	buf_add_span(&wire, name);
	if (!wire.overflow &&
	    imap_mailbox_name(buf_span(&wire), imap_utf8(s), &text) &&
	    !text.overflow) {
		p = list_pattern_new(buf_span(&text),
		    mail_account_separator(s->account));
		if (p != NULL)
			r->patterns[r->count++] = p;
	}
	buf_fini(&wire);
	buf_fini(&text);
}

static bool
read_patterns(struct imap_session *s, struct span reference,
    const struct imap_arg *a, struct list_request *r)
{
	const struct imap_arg *list;
	struct span name;

	if (!imap_arg_list(a, &list)) {
		if (!imap_arg_list_mailbox(a, &name))
			return false;
		r->root = name.n == 0;
		if (name.n > 0)
			add_pattern(s, reference, name, r);
		return true;
	}
	r->extended = true;
	if (r->lsub || list->type == IMAP_END)
		return false;
	for (; list->type != IMAP_END; list++) {
		if (!imap_arg_list_mailbox(list, &name) ||
		    r->count == LIST_PATTERNS_MAX)
			return false;
		/* an empty one is ignored there (RFC 9051 section 6.3.9) */
		if (name.n > 0)
			add_pattern(s, reference, name, r);
	}
	return true;
}

static bool
read_arguments(struct imap_session *s, const struct imap_arg *a,
    struct list_request *r)
{
	const struct imap_arg *list;
	struct span reference;

	if (!r->lsub && imap_arg_list(a, &list)) {
		r->extended = true;
		if (!read_selection(list, r))
			return false;
		a++;
	}
	if (!imap_arg_list_mailbox(a, &reference) ||
	    !read_patterns(s, reference, &a[1], r))
		return false;
	a += 2;
	if (!r->lsub && imap_arg_is(a, "RETURN") &&
	    imap_arg_list(&a[1], &list)) {
		r->extended = true;
		if (!read_returns(s, list, r))
			return false;
		a += 2;
	}
	r->root = r->root && !r->extended;
	return a->type == IMAP_END;
}

bool
list_request_read(struct imap_session *s, const struct imap_command *c,
    bool lsub, struct list_request *r)
{
	*r = (struct list_request){ .lsub = lsub };
	if (read_arguments(s, c->args, r))
		return true;
	reply_bad(s, c, "This is no %s that is understood here",
	    lsub ? "LSUB" : "LIST");
	return false;
}

void
list_request_fini(struct list_request *r)
{
	while (r->count > 0)
		list_pattern_free(&r->patterns[--r->count]);
	arena_free(&r->arena);
}

bool
list_request_matches(const struct list_request *r, const char *name)
{
	for (size_t i = 0; i < r->count; i++)
		if (list_pattern_match(r->patterns[i], name))
			return true;
	return false;
}
