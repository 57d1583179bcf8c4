/* SPDX-License-Identifier: ISC */
/*
 * cidr: addresses and networks, in the order of the file. The block of an
 * "if" that cannot be read is left out (pattern.h says why).
 *
 *	network result		!network result
 *	if network		if !network
 *	endif
 */
#include "lib/table/cidr.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/lines.h"
#include "lib/table/loaded.h"
#include "lib/table/network_order.h"
#include "lib/table/rule_chain.h"
#include "lib/table/type.h"

/* Of fewer networks in a row each is tried. */
enum { RUN_MIN = 8 };

/* What one link of the chain asks. */
struct rule {
	struct network network;
	bool negated;
	bool never;
	const char *result;
	/* Instead of these: the first of many networks, and their results. */
	struct network_order *order;
	const char **results;
};

struct rules {
	struct arena *memory;
	struct rule_chain chain;
};

/* Networks without "!" that follow each other: they become one link. */
struct run {
	struct network *networks;
	const char **results;
	unsigned int *lines;
	size_t count;
};

struct parsing {
	struct rules *into;
	const char *path;
	unsigned int line;
	struct run run;
	struct buf error;
};

static bool
complain(struct parsing *p, const char *what)
{
	log_warning("cidr map %s, line %u: %s: skipping this rule", p->path,
	    p->line, what);
	return false;
}

/* Takes "network" or "!network". */
static bool
take_network(struct parsing *p, struct rule *r, struct span word)
{
	buf_reset(&p->error);
	if (word.n == 0)
		return complain(p, "no address pattern");
	if (!network_pattern(word, &r->network, &p->error))
		return complain(p, buf_text(&p->error));
	return true;
}

static struct span
cut_negations(struct rule *r, struct span line)
{
	while (line.n > 0 && line.p[0] == '!') {
		r->negated = !r->negated;
		line = lines_trim(span_skip(line, 1));
	}
	return line;
}

static struct rule *
keep(struct parsing *p, const struct rule *r)
{
	struct rule *kept = arena_alloc(p->into->memory, sizeof(*kept));

	*kept = *r;
	return kept;
}

static void
add_to_run(struct run *run, const struct rule *r, unsigned int line)
{
	if ((run->count & (run->count - 1)) == 0) {
		size_t room = run->count > 0 ? run->count * 2 : 1;

		run->networks =
		    mem_resize(run->networks, room * sizeof(*run->networks));
		run->results =
		    mem_resize(run->results, room * sizeof(*run->results));
		run->lines = mem_resize(run->lines, room * sizeof(*run->lines));
	}
	run->networks[run->count] = r->network;
	run->results[run->count] = r->result;
	run->lines[run->count] = line;
	run->count++;
}

/* What is not among networks alone follows. */
static void
end_run(struct parsing *p)
{
	struct run *run = &p->run;
	struct rule r = { .order = NULL };

	if (run->count >= RUN_MIN) {
		r.order = network_order_new(run->networks, run->count);
		r.results = run->results;
		run->results = NULL;
		rule_chain_add(&p->into->chain, run->lines[0], keep(p, &r));
		run->count = 0;
	}
	for (size_t i = 0; i < run->count; i++) {
		r.network = run->networks[i];
		r.result = run->results[i];
		rule_chain_add(&p->into->chain, run->lines[i], keep(p, &r));
	}
	free(run->networks);
	free(run->results);
	free(run->lines);
	*run = (struct run){ .count = 0 };
}

static void
parse_match(struct parsing *p, struct span line)
{
	struct rule r = { .negated = false };
	size_t end = 0;

	line = cut_negations(&r, line);
	while (end < line.n && !lines_blank(line.p[end]))
		end++;
	if (!take_network(p, &r, span_take(line, end)))
		return;
	line = lines_trim(span_skip(line, end));
	if (line.n == 0) {
		complain(p, "no lookup result");
		return;
	}
	r.result = arena_span(p->into->memory, line);
	if (r.negated) {
		end_run(p);
		rule_chain_add(&p->into->chain, p->line, keep(p, &r));
	} else {
		add_to_run(&p->run, &r, p->line);
	}
}

static void
parse_if(struct parsing *p, struct span line)
{
	struct rule r = { .negated = false };

	/* a condition that cannot be read is false: nothing in it is used */
	r.never = !take_network(p, &r, cut_negations(&r, line));
	end_run(p);
	rule_chain_if(&p->into->chain, p->line, keep(p, &r));
}

static void
parse_endif(struct parsing *p, struct span rest)
{
	if (rest.n > 0) {
		log_warning("cidr map %s, line %u: garbage after ENDIF: "
			    "skipping this rule",
		    p->path, p->line);
		return;
	}
	end_run(p);
	if (!rule_chain_endif(&p->into->chain))
		complain(p, "ENDIF without IF");
}

static void
parse_line(struct parsing *p, struct span line)
{
	size_t n = 0;
	struct span word;
	struct span rest;

	while (n < line.n && !lines_blank(line.p[n]) && line.p[n] != '!')
		n++;
	word = span_take(line, n);
	rest = lines_trim(span_skip(line, n));
	if (span_is_nocase(word, "endif"))
		parse_endif(p, rest);
	else if (span_is_nocase(word, "if"))
		parse_if(p, rest);
	else
		parse_match(p, line);
}

static void
end_all(struct parsing *p)
{
	unsigned int line;

	end_run(p);
	while (rule_chain_unended(&p->into->chain, &line))
		log_warning("cidr map %s, line %u: IF has no matching ENDIF",
		    p->path, line);
}

static void *
parse(const char *path, struct span text, void *with)
{
	struct rules *into = mem_new(sizeof(*into));
	struct parsing p = { .into = into,
		.path = path,
		.error = BUF_INIT(LINES_MAX) };
	struct lines l;
	struct span line;

	(void)with;
	into->memory = arena_new();
	rule_chain_init(&into->chain);
	lines_init(&l, text);
	while (lines_next(&l, path, &line)) {
		p.line = l.first;
		parse_line(&p, line);
	}
	end_all(&p);
	lines_fini(&l);
	buf_fini(&p.error);
	return into;
}

static void
release(void *data)
{
	struct rules *all = data;

	for (size_t i = 0; i < all->chain.count; i++) {
		struct rule *r = all->chain.links[i].rule;

		network_order_free(&r->order);
		free(r->results);
	}
	rule_chain_fini(&all->chain);
	arena_free(&all->memory);
	free(all);
}

struct question {
	struct network address;
	const char *result;
};

static enum rule_verdict
test_one(const void *rule, void *with)
{
	const struct rule *r = rule;
	struct question *q = with;
	bool hit;

	if (r->order != NULL) {
		size_t i = network_order_first(r->order, &q->address);

		if (i != NETWORK_NONE)
			q->result = r->results[i];
		return i != NETWORK_NONE ? RULE_HIT : RULE_MISSED;
	}
	/* "!network" is for addresses of the same family */
	hit = !r->never && r->network.length == q->address.length &&
	    network_has(&r->network, &q->address) != r->negated;
	q->result = r->result;
	return hit ? RULE_HIT : RULE_MISSED;
}

static enum table_result
try_rules(const struct rules *all, struct span key, struct buf *value)
{
	struct question q;
	const struct rule_link *at;

	if (!network_address(key, &q.address) || key.p[0] == '[' ||
	    rule_chain_try(&all->chain, test_one, &q, &at) != RULE_HIT)
		return TABLE_NONE;
	buf_add_text(value, q.result);
	return TABLE_FOUND;
}

static bool
open_cidr(struct table *t, struct span argument, struct buf *error)
{
	struct loaded *file;
	char *path;
	bool good;

	buf_add_text(error, "cidr map: ");
	file = mem_new(sizeof(*file));
	file->parse = parse;
	file->release = release;
	t->state = file;
	path = mem_span_text(argument);
	good = loaded_open(file, path, error);
	free(path);
	if (good)
		buf_reset(error);
	else
		free(file);
	return good;
}

static enum table_result
lookup(struct table *t, struct span key, struct buf *value)
{
	struct loaded *file = t->state;
	enum table_result r = loaded_look(file, value);

	return r == TABLE_FOUND ? try_rules(file->data, key, value) : r;
}

static void
close_cidr(struct table *t)
{
	loaded_close(t->state);
	free(t->state);
}

static uid_t
owner(const struct table *t)
{
	const struct loaded *file = t->state;

	return file->stamp.owner;
}

enum table_result
cidr_try(struct span text, struct span key, struct buf *value)
{
	struct rules *all = parse("text", text, NULL);
	enum table_result r = try_rules(all, key, value);

	release(all);
	return r;
}

const struct table_ops table_cidr_ops = {
	.folds = false,
	.partial = false,
	.open = open_cidr,
	.lookup = lookup,
	.owner = owner,
	.close = close_cidr,
};
