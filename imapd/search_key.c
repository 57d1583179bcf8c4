/* SPDX-License-Identifier: ISC */
#include "imapd/search_key_internal.h"

#include <stdlib.h>

bool
search_fail(struct search_parser *p, enum search_parsed result,
    const char *error)
{
	if (p->result == SEARCH_OK) {
		p->result = result;
		p->error = error;
	}
	return false;
}

bool
search_bad(struct search_parser *p, const char *error)
{
	return search_fail(p, SEARCH_BAD, error);
}

const struct imap_arg *
search_next_argument(struct search_parser *p)
{
	struct search_pending *from = &p->stack[p->stack[p->depth - 1].source];

	if (from->left == 0) {
		search_bad(p, "Missing search argument");
		return NULL;
	}
	from->left--;
	return from->args++;
}

static struct search_key *
new_key(struct search_parser *p, enum search_kind kind, bool negated)
{
	struct search_key *k;

	if (p->nodes++ == SEARCH_KEYS_MAX) {
		search_fail(p, SEARCH_LIMIT, "Too many search keys");
		return NULL;
	}
	k = arena_alloc(p->program->arena, sizeof(*k));
	k->kind = kind;
	k->negated = negated;
	return k;
}

/* One key, or a list of them whose last one's "next" is at end. */
static void
attach(struct search_parser *p, struct search_key *first,
    struct search_key **end)
{
	struct search_pending *to = &p->stack[p->depth - 1];

	*to->end = first;
	to->end = end;
	if (to->args == NULL)
		to->left--;
}

struct search_key *
search_add_leaf(struct search_parser *p, enum search_kind kind, bool negated)
{
	struct search_key *k = new_key(p, kind, negated);

	if (k != NULL)
		attach(p, k, &k->next);
	return k;
}

bool
search_push(struct search_parser *p, enum search_kind kind, bool negated,
    const struct imap_arg *args, size_t left)
{
	struct search_key *node;
	struct search_pending *top;

	if (p->depth == SEARCH_PENDING_MAX)
		return search_fail(p, SEARCH_LIMIT,
		    "Search keys nested too deeply");
	if (negated) /* De Morgan */
		kind = kind == SEARCH_AND ? SEARCH_OR : SEARCH_AND;
	node = new_key(p, kind, false);
	if (node == NULL)
		return false;
	top = &p->stack[p->depth];
	*top = (struct search_pending){ .node = node,
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
pop(struct search_parser *p)
{
	struct search_pending *inner = &p->stack[--p->depth];
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

/* One key from the arguments; what it needs more comes from them as well. */
static bool
parse_key(struct search_parser *p)
{
	bool negated = p->stack[p->depth - 1].negated;
	const struct imap_arg *a = search_next_argument(p);
	const struct imap_arg *list;
	struct span atom;

	while (a != NULL && imap_arg_is(a, "NOT")) {
		negated = !negated;
		a = search_next_argument(p);
	}
	if (a == NULL)
		return false;
	if (imap_arg_list(a, &list))
		return a->count > 0 ?
		    search_push(p, SEARCH_AND, negated, list, a->count) :
		    search_bad(p, "Empty list of search keys");
	if (a->type != IMAP_ATOM || !imap_arg_atom(a, &atom) || atom.n == 0)
		return search_bad(p, "Invalid search key");
	return search_word_read(p, atom, negated);
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
parse_all(struct search_parser *p, const struct imap_arg *args, size_t count)
{
	struct search_program *program = p->program;

	search_push(p, SEARCH_AND, false, args, count);
	for (;;) {
		struct search_pending *top = &p->stack[p->depth - 1];

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
		search_fail(p, SEARCH_LIMIT, "Search keys nested too deeply");
}

enum search_parsed
search_parse(const struct imap_arg *args, size_t count, struct span charset,
    int64_t now, struct search_program **out, const char **error)
{
	struct search_parser p = { .charset = charset, .now = now };

	if (count == 0) {
		*error = "Missing search keys";
		return SEARCH_BAD;
	}
	p.program = mem_new(sizeof(*p.program));
	p.program->arena = arena_new();
	p.stack = mem_array(SEARCH_PENDING_MAX, sizeof(p.stack[0]));
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
