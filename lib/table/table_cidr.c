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
#include "lib/table/network.h"
#include "lib/table/type.h"

enum rule_kind { RULE_MATCH, RULE_IF, RULE_ENDIF };

#define NOWHERE SIZE_MAX

struct rule {
	enum rule_kind kind;
	bool negated;
	bool never;
	unsigned int line;
	struct network network;
	const char *result;
	/*
	 * RULE_IF: first rule behind its endif; while that is not known yet,
	 * the "if" around it, and for good NOWHERE if there is no endif.
	 */
	size_t skip_to;
};

struct rules {
	struct arena *memory;
	struct rule *rules;
	size_t count;
};

struct parsing {
	struct rules *into;
	const char *path;
	unsigned int line;
	size_t innermost; /* "if" that is open; NOWHERE: none */
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

static bool
parse_match(struct parsing *p, struct rule *r, struct span line)
{
	size_t end = 0;

	r->kind = RULE_MATCH;
	line = cut_negations(r, line);
	while (end < line.n && !lines_blank(line.p[end]))
		end++;
	if (!take_network(p, r, span_take(line, end)))
		return false;
	line = lines_trim(span_skip(line, end));
	if (line.n == 0)
		return complain(p, "no lookup result");
	r->result = arena_span(p->into->memory, line);
	return true;
}

static bool
parse_if(struct parsing *p, struct rule *r, struct span line)
{
	r->kind = RULE_IF;
	/* a condition that cannot be read is false: nothing in it is used */
	r->never = !take_network(p, r, cut_negations(r, line));
	r->skip_to = p->innermost;
	p->innermost = p->into->count;
	return true;
}

static bool
parse_endif(struct parsing *p, struct rule *r, struct span rest)
{
	struct rule *opened;

	r->kind = RULE_ENDIF;
	if (rest.n > 0) {
		log_warning("cidr map %s, line %u: garbage after ENDIF: "
			    "skipping this rule",
		    p->path, p->line);
		return false;
	}
	if (p->innermost == NOWHERE)
		return complain(p, "ENDIF without IF");
	opened = &p->into->rules[p->innermost];
	p->innermost = opened->skip_to;
	opened->skip_to = p->into->count + 1;
	return true;
}

static void
parse_line(struct parsing *p, struct span line)
{
	struct rules *into = p->into;
	struct rule r = { .line = p->line };
	size_t n = 0;
	struct span word;
	struct span rest;
	bool good;

	while (n < line.n && !lines_blank(line.p[n]) && line.p[n] != '!')
		n++;
	word = span_take(line, n);
	rest = lines_trim(span_skip(line, n));
	if (span_is_nocase(word, "endif"))
		good = parse_endif(p, &r, rest);
	else if (span_is_nocase(word, "if"))
		good = parse_if(p, &r, rest);
	else
		good = parse_match(p, &r, line);
	if (!good)
		return;
	if ((into->count & (into->count - 1)) == 0)
		into->rules = mem_resize(into->rules,
		    (into->count ? into->count * 2 : 1) * sizeof(r));
	into->rules[into->count++] = r;
}

static void
end_open_ifs(struct parsing *p)
{
	while (p->innermost != NOWHERE) {
		struct rule *r = &p->into->rules[p->innermost];

		log_warning("cidr map %s, line %u: IF has no matching ENDIF",
		    p->path, r->line);
		p->innermost = r->skip_to;
		r->skip_to = NOWHERE;
	}
}

static void *
parse(const char *path, struct span text, void *with)
{
	struct rules *into = mem_new(sizeof(*into));
	struct parsing p = { .into = into,
		.path = path,
		.innermost = NOWHERE,
		.error = BUF_INIT(LINES_MAX) };
	struct lines l;
	struct span line;

	(void)with;
	into->memory = arena_new();
	lines_init(&l, text);
	while (lines_next(&l, path, &line)) {
		p.line = l.first;
		parse_line(&p, line);
	}
	end_open_ifs(&p);
	lines_fini(&l);
	buf_fini(&p.error);
	return into;
}

static void
release(void *data)
{
	struct rules *r = data;

	arena_free(&r->memory);
	free(r->rules);
	free(r);
}

static enum table_result
try_rules(const struct rules *all, struct span key, struct buf *value)
{
	struct network address;

	if (!network_address(key, &address) || key.p[0] == '[')
		return TABLE_NONE;
	for (size_t i = 0; i < all->count; i++) {
		const struct rule *r = &all->rules[i];
		/* "!network" is for addresses of the same family */
		bool hit = r->kind != RULE_ENDIF && !r->never &&
		    r->network.length == address.length &&
		    network_has(&r->network, &address) != r->negated;

		if (hit && r->kind == RULE_MATCH) {
			buf_add_text(value, r->result);
			return TABLE_FOUND;
		}
		if (!hit && r->kind == RULE_IF) {
			if (r->skip_to == NOWHERE)
				return TABLE_NONE;
			i = r->skip_to - 1;
		}
	}
	return TABLE_NONE;
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
