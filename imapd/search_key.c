/* SPDX-License-Identifier: ISC */
#include "imapd/search_key.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/imap/imap_set.h"
#include "lib/mail/charset.h"
#include "lib/mail/collate.h"
#include "lib/store/mailbox.h"

enum { DAY = 24 * 60 * 60, PENDING_MAX = 2 * SEARCH_KEYS_MAX };

/*
 * An AND or OR that still wants keys. Lists read from their own arguments;
 * an OR reads from those of the list it stands in.
 */
struct pending {
	struct search_key *node;
	struct search_key **end; /* where the next child goes */
	const struct imap_arg *args; /* lists; NULL: an OR */
	size_t left; /* arguments, or keys of the OR */
	size_t source; /* the list where its arguments come from */
	bool negated;
};

struct parser {
	struct search_program *program;
	struct span charset;
	int64_t now;
	struct pending *stack;
	size_t depth;
	size_t nodes;
	const char *error;
	enum search_parsed result;
};

struct search_word;
typedef bool
word_function(struct parser *p, const struct search_word *w, bool negated);

/* How a key is written, and what becomes of it. */
struct search_word {
	const char *name;
	enum search_kind kind;
	uint32_t flags; /* or field name below */
	bool negated;
	word_function *arguments;
	const char *field;
};

static bool
fail(struct parser *p, enum search_parsed result, const char *error)
{
	if (p->result == SEARCH_OK) {
		p->result = result;
		p->error = error;
	}
	return false;
}

static bool
bad(struct parser *p, const char *error)
{
	return fail(p, SEARCH_BAD, error);
}

static const struct imap_arg *
next_argument(struct parser *p)
{
	struct pending *from = &p->stack[p->stack[p->depth - 1].source];

	if (from->left == 0) {
		bad(p, "Missing search argument");
		return NULL;
	}
	from->left--;
	return from->args++;
}

static struct search_key *
new_key(struct parser *p, enum search_kind kind, bool negated)
{
	struct search_key *k;

	if (p->nodes++ == SEARCH_KEYS_MAX) {
		fail(p, SEARCH_LIMIT, "Too many search keys");
		return NULL;
	}
	k = arena_alloc(p->program->arena, sizeof(*k));
	k->kind = kind;
	k->negated = negated;
	return k;
}

/* One key, or a list of them whose last one's "next" is at end. */
static void
attach(struct parser *p, struct search_key *first, struct search_key **end)
{
	struct pending *to = &p->stack[p->depth - 1];

	*to->end = first;
	to->end = end;
	if (to->args == NULL)
		to->left--;
}

static struct search_key *
add_leaf(struct parser *p, enum search_kind kind, bool negated)
{
	struct search_key *k = new_key(p, kind, negated);

	if (k != NULL)
		attach(p, k, &k->next);
	return k;
}

static bool
push(struct parser *p, enum search_kind kind, bool negated,
    const struct imap_arg *args, size_t left)
{
	struct search_key *node;
	struct pending *top;

	if (p->depth == PENDING_MAX)
		return fail(p, SEARCH_LIMIT, "Search keys nested too deeply");
	if (negated) /* De Morgan */
		kind = kind == SEARCH_AND ? SEARCH_OR : SEARCH_AND;
	node = new_key(p, kind, false);
	if (node == NULL)
		return false;
	top = &p->stack[p->depth];
	*top = (struct pending){ .node = node,
		.end = &node->first,
		.args = args,
		.left = left,
		.source = args != NULL ? p->depth : top[-1].source,
		.negated = negated };
	p->depth++;
	return true;
}

/* The innermost has all its keys: it goes to the one around it. */
static void
pop(struct parser *p)
{
	struct pending *inner = &p->stack[--p->depth];
	struct search_key *outer = p->stack[p->depth - 1].node;
	struct search_key *node = inner->node;

	if (node->kind == outer->kind) {
		attach(p, node->first, inner->end);
	} else if (node->first->next == NULL) {
		node = node->first;
		if (node->kind == outer->kind) {
			struct search_key **end = &node->first;

			while (*end != NULL)
				end = &(*end)->next;
			attach(p, node->first, end);
		} else {
			attach(p, node, &node->next);
		}
	} else {
		attach(p, node, &node->next);
	}
}

static bool
string_argument(struct parser *p, struct span *folded)
{
	const struct imap_arg *a = next_argument(p);
	struct buf utf8 = BUF_INIT(4 * SEARCH_TEXT_MAX);
	struct buf mapped = BUF_INIT(32 * SEARCH_TEXT_MAX);
	struct span text;
	bool ok;

	if (a == NULL)
		return false;
	if (!imap_arg_astring(a, &text))
		return bad(p, "Search key wants a string");
	if (text.n > SEARCH_TEXT_MAX)
		return fail(p, SEARCH_LIMIT, "Search string too long");
	charset_to_utf8(p->charset, text, &utf8);
	for (size_t i = 0; i < utf8.n; i++)
		if (utf8.p[i] == '\n') /* lines are searched as one */
			utf8.p[i] = ' ';
	collate_fold(buf_span(&utf8), &mapped);
	ok = !utf8.overflow && !mapped.overflow;
	if (ok)
		*folded = (struct span){ arena_span(p->program->arena,
					     buf_span(&mapped)),
			mapped.n };
	else
		fail(p, SEARCH_LIMIT, "Search string too long");
	buf_fini(&utf8);
	buf_fini(&mapped);
	return ok;
}

static struct span
upper(struct parser *p, struct span s)
{
	char *copy = arena_span(p->program->arena, s);

	for (size_t i = 0; i < s.n; i++)
		if (copy[i] >= 'a' && copy[i] <= 'z')
			copy[i] = (char)(copy[i] - 'a' + 'A');
	return (struct span){ copy, s.n };
}

static bool
flag_word(struct parser *p, const struct search_word *w, bool negated)
{
	struct search_key *k = add_leaf(p, w->kind, negated != w->negated);

	if (k == NULL)
		return false;
	k->flags = w->flags;
	return true;
}

/* NEW: RECENT UNSEEN. */
static bool
new_word(struct parser *p, const struct search_word *w, bool negated)
{
	struct search_key *seen;

	(void)w;
	if (!push(p, SEARCH_AND, negated, NULL, 2))
		return false;
	seen = add_leaf(p, SEARCH_FLAGS, !negated);
	if (seen == NULL || add_leaf(p, SEARCH_RECENT, negated) == NULL)
		return false;
	seen->flags = MAIL_SEEN;
	return true;
}

static bool
keyword_word(struct parser *p, const struct search_word *w, bool negated)
{
	const struct imap_arg *a = next_argument(p);
	struct search_key *k;
	struct span name;

	if (a == NULL)
		return false;
	if (!imap_arg_atom(a, &name) || name.p[0] == '\\')
		return bad(p, "KEYWORD wants a keyword");
	k = add_leaf(p, w->kind, negated != w->negated);
	if (k == NULL)
		return false;
	k->name = (struct span){ arena_span(p->program->arena, name), name.n };
	return true;
}

static bool
field_word(struct parser *p, const struct search_word *w, bool negated)
{
	struct span name = span_of(w->field), text;
	struct search_key *k;

	if (w->field == NULL) {
		const struct imap_arg *a = next_argument(p);

		if (a == NULL)
			return false;
		if (!imap_arg_astring(a, &name))
			return bad(p, "HEADER wants a field name");
		name = upper(p, name);
	}
	if (!string_argument(p, &text))
		return false;
	k = add_leaf(p, w->kind, negated);
	if (k == NULL)
		return false;
	k->name = name;
	k->text = text;
	p->program->headers = true;
	return true;
}

static bool
text_word(struct parser *p, const struct search_word *w, bool negated)
{
	struct search_key *k;
	struct span text;

	if (!string_argument(p, &text))
		return false;
	k = add_leaf(p, w->kind, negated);
	if (k == NULL)
		return false;
	k->text = text;
	p->program->bodies = true;
	return true;
}

static bool
number_word(struct parser *p, const struct search_word *w, bool negated)
{
	const struct imap_arg *a = next_argument(p);
	struct search_key *k;
	uint64_t number;

	if (a == NULL)
		return false;
	if (!imap_arg_number(a, INT64_MAX, &number))
		return bad(p, "Search key wants a number");
	k = add_leaf(p, w->kind, negated);
	if (k == NULL)
		return false;
	k->number = number;
	return true;
}

/* OLDER, YOUNGER: so many seconds before now (RFC 5032). */
static bool
within_word(struct parser *p, const struct search_word *w, bool negated)
{
	const struct imap_arg *a = next_argument(p);
	struct search_key *k;
	uint64_t seconds;

	if (a == NULL)
		return false;
	if (!imap_arg_number(a, UINT32_MAX, &seconds) || seconds == 0)
		return bad(p, "Search key wants a number of seconds");
	k = add_leaf(p, w->kind, negated);
	if (k == NULL)
		return false;
	/* OLDER: not after that second; YOUNGER: not before it */
	k->number = (uint64_t)(p->now - (int64_t)seconds);
	if (w->kind == SEARCH_BEFORE)
		k->number++;
	p->program->moves = true;
	return true;
}

/* The second in which a day begins here: the dates that FETCH shows. */
static int64_t
local_midnight(int64_t day)
{
	time_t noon = (time_t)(day * DAY + DAY / 2);
	struct tm tm;

	if (gmtime_r(&noon, &tm) == NULL)
		return day * DAY;
	tm.tm_hour = 0;
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm);
}

static bool
is_sent(enum search_kind kind)
{
	return kind == SEARCH_SENT_SINCE || kind == SEARCH_SENT_BEFORE;
}

static struct search_key *
add_day(struct parser *p, enum search_kind kind, bool negated, int64_t day)
{
	struct search_key *k = add_leaf(p, kind, negated);

	if (k != NULL)
		k->number =
		    (uint64_t)(is_sent(kind) ? day : local_midnight(day));
	p->program->headers = p->program->headers || is_sent(kind);
	return k;
}

static bool
date_argument(struct parser *p, int64_t *day)
{
	const struct imap_arg *a = next_argument(p);

	if (a == NULL)
		return false;
	return imap_arg_date(a, day) || bad(p, "Search key wants a date");
}

static bool
date_word(struct parser *p, const struct search_word *w, bool negated)
{
	int64_t day;

	return date_argument(p, &day) &&
	    add_day(p, w->kind, negated, day) != NULL;
}

/* ON: since that day, and before the next. */
static bool
on_word(struct parser *p, const struct search_word *w, bool negated)
{
	int64_t day;

	/* each SINCE kind has its BEFORE kind behind it */
	return date_argument(p, &day) &&
	    push(p, SEARCH_AND, negated, NULL, 2) &&
	    add_day(p, w->kind, negated, day) != NULL &&
	    add_day(p, w->kind + 1, negated, day + 1) != NULL;
}

static bool
add_set(struct parser *p, enum search_kind kind, bool negated, struct span text)
{
	struct uid_set any = { 0 };
	struct search_key *k;
	bool ok = imap_set_parse(text, 1, &any);

	uid_set_fini(&any);
	if (!ok)
		return bad(p, "Invalid message set");
	k = add_leaf(p, kind, negated);
	if (k == NULL)
		return false;
	k->name = (struct span){ arena_span(p->program->arena, text), text.n };
	return true;
}

static bool
uid_word(struct parser *p, const struct search_word *w, bool negated)
{
	const struct imap_arg *a = next_argument(p);
	struct span text;

	if (a == NULL)
		return false;
	if (!imap_arg_atom(a, &text))
		return bad(p, "UID wants a set");
	if (span_is(text, "$")) /* RFC 5182 section 2.1 */
		return add_leaf(p, SEARCH_SAVED, negated) != NULL;
	return add_set(p, w->kind, negated, text);
}

static bool
id_word(struct parser *p, const struct search_word *w, bool negated)
{
	const struct imap_arg *a = next_argument(p);
	struct search_key *k;
	struct span id;

	if (a == NULL)
		return false;
	if (!imap_arg_astring(a, &id) || id.n == 0)
		return bad(p, "Search key wants an id");
	k = add_leaf(p, w->kind, negated);
	if (k == NULL)
		return false;
	k->name = (struct span){ arena_span(p->program->arena, id), id.n };
	return true;
}

static bool
is_entry_type(const struct imap_arg *a)
{
	return imap_arg_is(a, "all") || imap_arg_is(a, "priv") ||
	    imap_arg_is(a, "shared");
}

/*
 * RFC 7162 section 3.1.5. All that a message has shares one number here, so
 * the names of flags are read, checked, and do not count.
 */
static bool
modseq_word(struct parser *p, const struct search_word *w, bool negated)
{
	const struct imap_arg *a = next_argument(p);
	struct search_key *k;
	struct span entry;
	uint64_t number;

	if (a == NULL)
		return false;
	if (!imap_arg_number(a, INT64_MAX, &number)) {
		if (!imap_arg_string(a, &entry) ||
		    !span_starts_nocase(entry, "/flags/"))
			return bad(p, "MODSEQ wants a modification sequence");
		a = next_argument(p);
		if (a == NULL || !is_entry_type(a))
			return bad(p, "MODSEQ wants priv, shared or all");
		a = next_argument(p);
		if (a == NULL || !imap_arg_number(a, INT64_MAX, &number))
			return bad(p, "MODSEQ wants a modification sequence");
	}
	k = add_leaf(p, w->kind, negated);
	if (k == NULL)
		return false;
	k->number = number;
	p->program->modseq = true;
	return true;
}

static bool
or_word(struct parser *p, const struct search_word *w, bool negated)
{
	(void)w;
	return push(p, SEARCH_OR, negated, NULL, 2);
}

static const struct search_word words[] = {
	{ "ALL", SEARCH_ALL, 0, false, flag_word, NULL },
	{ "ANSWERED", SEARCH_FLAGS, MAIL_ANSWERED, false, flag_word, NULL },
	{ "BCC", SEARCH_HEADER, 0, false, field_word, "BCC" },
	{ "BEFORE", SEARCH_BEFORE, 0, false, date_word, NULL },
	{ "BODY", SEARCH_BODY, 0, false, text_word, NULL },
	{ "CC", SEARCH_HEADER, 0, false, field_word, "CC" },
	{ "DELETED", SEARCH_FLAGS, MAIL_DELETED, false, flag_word, NULL },
	{ "DRAFT", SEARCH_FLAGS, MAIL_DRAFT, false, flag_word, NULL },
	{ "EMAILID", SEARCH_EMAIL_ID, 0, false, id_word, NULL },
	{ "FLAGGED", SEARCH_FLAGS, MAIL_FLAGGED, false, flag_word, NULL },
	{ "FROM", SEARCH_HEADER, 0, false, field_word, "FROM" },
	{ "HEADER", SEARCH_HEADER, 0, false, field_word, NULL },
	{ "KEYWORD", SEARCH_KEYWORD, 0, false, keyword_word, NULL },
	{ "LARGER", SEARCH_LARGER, 0, false, number_word, NULL },
	{ "MODSEQ", SEARCH_MODSEQ, 0, false, modseq_word, NULL },
	{ "NEW", SEARCH_AND, 0, false, new_word, NULL },
	{ "OLD", SEARCH_RECENT, 0, true, flag_word, NULL },
	{ "OLDER", SEARCH_BEFORE, 0, false, within_word, NULL },
	{ "ON", SEARCH_SINCE, 0, false, on_word, NULL },
	{ "OR", SEARCH_OR, 0, false, or_word, NULL },
	{ "RECENT", SEARCH_RECENT, 0, false, flag_word, NULL },
	{ "SAVEDATESUPPORTED", SEARCH_ALL, 0, false, flag_word, NULL },
	{ "SAVEDBEFORE", SEARCH_SAVED_BEFORE, 0, false, date_word, NULL },
	{ "SAVEDON", SEARCH_SAVED_SINCE, 0, false, on_word, NULL },
	{ "SAVEDSINCE", SEARCH_SAVED_SINCE, 0, false, date_word, NULL },
	{ "SEEN", SEARCH_FLAGS, MAIL_SEEN, false, flag_word, NULL },
	{ "SENTBEFORE", SEARCH_SENT_BEFORE, 0, false, date_word, NULL },
	{ "SENTON", SEARCH_SENT_SINCE, 0, false, on_word, NULL },
	{ "SENTSINCE", SEARCH_SENT_SINCE, 0, false, date_word, NULL },
	{ "SINCE", SEARCH_SINCE, 0, false, date_word, NULL },
	{ "SMALLER", SEARCH_SMALLER, 0, false, number_word, NULL },
	{ "SUBJECT", SEARCH_HEADER, 0, false, field_word, "SUBJECT" },
	{ "TEXT", SEARCH_TEXT, 0, false, text_word, NULL },
	{ "THREADID", SEARCH_THREAD_ID, 0, false, id_word, NULL },
	{ "TO", SEARCH_HEADER, 0, false, field_word, "TO" },
	{ "UID", SEARCH_UIDS, 0, false, uid_word, NULL },
	{ "UNANSWERED", SEARCH_FLAGS, MAIL_ANSWERED, true, flag_word, NULL },
	{ "UNDELETED", SEARCH_FLAGS, MAIL_DELETED, true, flag_word, NULL },
	{ "UNDRAFT", SEARCH_FLAGS, MAIL_DRAFT, true, flag_word, NULL },
	{ "UNFLAGGED", SEARCH_FLAGS, MAIL_FLAGGED, true, flag_word, NULL },
	{ "UNKEYWORD", SEARCH_KEYWORD, 0, true, keyword_word, NULL },
	{ "UNSEEN", SEARCH_FLAGS, MAIL_SEEN, true, flag_word, NULL },
	{ "YOUNGER", SEARCH_SINCE, 0, false, within_word, NULL },
};

static int
compare_word(const void *key, const void *row)
{
	const struct span *s = key;
	const char *name = ((const struct search_word *)row)->name;
	int r = strncasecmp(s->p, name, s->n);

	return r != 0 ? r : -(name[s->n] != '\0');
}

static bool
parse_atom(struct parser *p, struct span atom, bool negated)
{
	const struct search_word *w;

	if (span_is(atom, "$"))
		return add_leaf(p, SEARCH_SAVED, negated) != NULL;
	if (atom.p[0] == '*' || isdigit((unsigned char)atom.p[0]))
		return add_set(p, SEARCH_NUMBERS, negated, atom);
	w = bsearch(&atom, words, sizeof(words) / sizeof(words[0]),
	    sizeof(words[0]), compare_word);
	return w != NULL ? w->arguments(p, w, negated) :
			   bad(p, "Unknown search key");
}

/* One key from the arguments; what it needs more comes from them as well. */
static bool
parse_key(struct parser *p)
{
	bool negated = p->stack[p->depth - 1].negated;
	const struct imap_arg *a = next_argument(p);
	const struct imap_arg *list;
	struct span atom;

	while (a != NULL && imap_arg_is(a, "NOT")) {
		negated = !negated;
		a = next_argument(p);
	}
	if (a == NULL)
		return false;
	if (imap_arg_list(a, &list))
		return a->count > 0 ?
		    push(p, SEARCH_AND, negated, list, a->count) :
		    bad(p, "Empty list of search keys");
	if (a->type != IMAP_ATOM || !imap_arg_atom(a, &atom) || atom.n == 0)
		return bad(p, "Invalid search key");
	return parse_atom(p, atom, negated);
}

/* Costs are in the order of enum search_kind; of nodes, their dearest. */
static enum search_kind
cost(const struct search_key *k)
{
	return search_is_leaf(k) ? k->kind : (enum search_kind)k->number;
}

/* Sorts the list by cost (of few values), keeping the order of equals. */
static void
sort_children(struct search_key *node)
{
	struct search_key *heads[SEARCH_TEXT + 1] = { NULL };
	struct search_key **ends[SEARCH_TEXT + 1];
	struct search_key **to = &node->first;

	for (size_t i = 0; i <= SEARCH_TEXT; i++)
		ends[i] = &heads[i];
	for (struct search_key *k = node->first; k != NULL; k = k->next) {
		*ends[cost(k)] = k;
		ends[cost(k)] = &k->next;
	}
	for (size_t i = 0; i <= SEARCH_TEXT; i++) {
		*ends[i] = NULL;
		if (heads[i] != NULL) {
			*to = heads[i];
			to = ends[i];
			node->number = i;
		}
	}
}

/* Numbers the leaves, sorts; false where it is nested too deeply. */
static bool
arrange(struct search_program *program, struct search_key *node, int depth)
{
	if (depth > SEARCH_DEPTH_MAX)
		return false;
	if (search_is_leaf(node)) {
		node->leaf = program->count;
		program->leaves[program->count++] = node;
		return true;
	}
	for (struct search_key *k = node->first; k != NULL; k = k->next)
		if (!arrange(program, k, depth + 1))
			return false;
	sort_children(node);
	return true;
}

static void
parse_all(struct parser *p, const struct imap_arg *args, size_t count)
{
	struct search_program *program = p->program;

	push(p, SEARCH_AND, false, args, count);
	for (;;) {
		struct pending *top = &p->stack[p->depth - 1];

		if (top->left > 0) {
			if (!parse_key(p))
				return;
		} else if (p->depth > 1) {
			pop(p);
		} else {
			break;
		}
	}
	program->root = p->stack[0].node;
	program->leaves =
	    arena_alloc(program->arena, p->nodes * sizeof(program->leaves[0]));
	if (!arrange(program, program->root, 0))
		fail(p, SEARCH_LIMIT, "Search keys nested too deeply");
}

enum search_parsed
search_parse(const struct imap_arg *args, size_t count, struct span charset,
    int64_t now, struct search_program **out, const char **error)
{
	struct parser p = { .charset = charset, .now = now };

	if (count == 0) {
		*error = "Missing search keys";
		return SEARCH_BAD;
	}
	p.program = mem_new(sizeof(*p.program));
	p.program->arena = arena_new();
	p.stack = mem_array(PENDING_MAX, sizeof(p.stack[0]));
	parse_all(&p, args, count);
	free(p.stack);
	if (p.result == SEARCH_OK)
		*out = p.program;
	else
		search_program_free(&p.program);
	*error = p.error;
	return p.result;
}

void
search_program_free(struct search_program **pp)
{
	if (*pp == NULL)
		return;
	arena_free(&(*pp)->arena);
	free(*pp);
	*pp = NULL;
}
