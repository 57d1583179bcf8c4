/* SPDX-License-Identifier: ISC */
#include "lib/table/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/lines.h"
#include "lib/table/loaded.h"

enum rule_kind { RULE_MATCH, RULE_IF, RULE_ENDIF };

/* A piece of a result: a text, or what a group matched. */
struct piece {
	int group; /* -1: text */
	struct span text;
};

struct rule {
	enum rule_kind kind;
	unsigned int line;
	bool negated;
	void *pattern;
	void *but_not; /* second pattern, or NULL */
	struct piece *pieces;
	size_t piece_count;
	size_t skip_to; /* RULE_IF: first rule behind its endif */
};

struct rules {
	const struct pattern_engine *engine;
	struct arena *memory;
	struct rule *rules;
	size_t count;
};

/* What parsing needs besides the rules. */
struct parsing {
	struct rules *into;
	const char *path;
	unsigned int line;
	bool no_substitution;
	size_t open_ifs[64];
	size_t depth;
	struct buf error;
};

struct pattern_table {
	struct loaded file;
	const struct pattern_engine *engine;
	bool no_substitution;
};

static void
complain(struct parsing *p, const char *what)
{
	log_warning("%s, line %u: %s: ignoring this line", p->path, p->line,
	    what);
}

/* Cuts /pattern/flags off the front of *rest. */
static bool
cut_pattern(struct parsing *p, struct span *rest, struct span *pattern,
    struct span *flags)
{
	char delimiter = rest->n > 0 ? rest->p[0] : '\0';
	size_t i = 1;
	size_t end;

	if (delimiter == '\0' || strchr("{}()[]<>\\", delimiter) ||
	    (delimiter >= '0' && delimiter <= '9') ||
	    (delimiter >= 'a' && delimiter <= 'z') ||
	    (delimiter >= 'A' && delimiter <= 'Z')) {
		complain(p, "a pattern between / and / is wanted");
		return false;
	}
	while (i < rest->n && rest->p[i] != delimiter)
		i += rest->p[i] == '\\' ? 2 : 1;
	if (i >= rest->n) {
		complain(p, "no closing pattern delimiter");
		return false;
	}
	*pattern = span_take(span_skip(*rest, 1), i - 1);
	*rest = span_skip(*rest, i + 1);
	for (end = 0; end < rest->n; end++)
		if (rest->p[end] == ' ' || rest->p[end] == '\t' ||
		    rest->p[end] == '!')
			break;
	*flags = span_take(*rest, end);
	*rest = span_skip(*rest, end);
	return true;
}

static void *
compile(struct parsing *p, struct span *rest, unsigned int *groups)
{
	struct span pattern;
	struct span flags;
	void *compiled;

	if (!cut_pattern(p, rest, &pattern, &flags))
		return NULL;
	buf_reset(&p->error);
	compiled = p->into->engine->compile(pattern, flags, groups, &p->error);
	if (compiled == NULL)
		complain(p, buf_text(&p->error));
	return compiled;
}

static void
add_piece(struct parsing *p, struct rule *r, int group, struct span text)
{
	struct piece *more;

	if (group < 0 && text.n == 0)
		return;
	/* grown one by one: results have a handful */
	more =
	    arena_alloc(p->into->memory, (r->piece_count + 1) * sizeof(*more));
	if (r->piece_count > 0)
		memcpy(more, r->pieces, r->piece_count * sizeof(*more));
	more[r->piece_count].group = group;
	if (group < 0)
		more[r->piece_count].text =
		    (struct span){ arena_span(p->into->memory, text), text.n };
	r->pieces = more;
	r->piece_count++;
}

/* The number behind a dollar sign: 1, {1} or (1). -1 if it is none. */
static int
cut_group(struct span *rest)
{
	char open = rest->n > 0 ? rest->p[0] : '\0';
	char close = open == '{' ? '}' : open == '(' ? ')' : '\0';
	struct span digits = close ? span_skip(*rest, 1) : *rest;
	uint64_t group;
	size_t n = 0;

	while (n < digits.n && digits.p[n] >= '0' && digits.p[n] <= '9')
		n++;
	if (!span_u64(span_take(digits, n), PATTERN_GROUPS - 1, &group))
		return -1;
	if (close != '\0' && (n >= digits.n || digits.p[n] != close))
		return -1;
	*rest = span_skip(digits, close ? n + 1 : n);
	return (int)group;
}

static bool
parse_result(struct parsing *p, struct rule *r, struct span text,
    unsigned int groups)
{
	while (text.n > 0) {
		size_t dollar = span_find(text, '$');
		int group;

		add_piece(p, r, -1, span_take(text, dollar));
		text = span_skip(text, dollar);
		if (text.n == 0)
			break;
		text = span_skip(text, 1);
		if (text.n > 0 && text.p[0] == '$') {
			add_piece(p, r, -1, span_take(text, 1));
			text = span_skip(text, 1);
			continue;
		}
		group = cut_group(&text);
		if (group < 0 || (unsigned int)group > groups) {
			complain(p,
			    group < 0 ?
				"bad $number in the result" :
				"$number is larger than the number of groups");
			return false;
		}
		if (r->negated || p->no_substitution) {
			complain(p,
			    r->negated ?
				"$number substitution is not allowed with "
				"negative patterns" :
				"$number substitution is not allowed in this "
				"table");
			return false;
		}
		add_piece(p, r, group, span_take(text, 0));
	}
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
parse_patterns(struct parsing *p, struct rule *r, struct span *rest,
    unsigned int *groups)
{
	unsigned int ignored;

	*rest = span_trim(*rest);
	if (rest->n > 0 && rest->p[0] == '!') {
		r->negated = true;
		*rest = span_trim(span_skip(*rest, 1));
	}
	r->pattern = compile(p, rest, groups);
	if (r->pattern == NULL)
		return false;
	if (p->into->engine->second && rest->n > 0 && rest->p[0] == '!') {
		*rest = span_skip(*rest, 1);
		r->but_not = compile(p, rest, &ignored);
		if (r->but_not == NULL)
			return false;
	}
	if (rest->n > 0 && !is_blank(rest->p[0])) {
		complain(p, "a blank is wanted behind the pattern");
		return false;
	}
	*rest = span_trim(*rest);
	return true;
}

static bool
parse_match(struct parsing *p, struct rule *r, struct span line)
{
	unsigned int groups = 0;

	r->kind = RULE_MATCH;
	if (!parse_patterns(p, r, &line, &groups))
		return false;
	if (line.n == 0)
		log_warning("%s, line %u: no replacement text: using empty "
			    "string",
		    p->path, p->line);
	return parse_result(p, r, line, groups);
}

static void
release_rule(const struct pattern_engine *engine, struct rule *r)
{
	if (r->pattern != NULL)
		engine->release(r->pattern);
	if (r->but_not != NULL)
		engine->release(r->but_not);
	r->pattern = NULL;
	r->but_not = NULL;
}

static bool
parse_if(struct parsing *p, struct rule *r, struct span line)
{
	unsigned int groups;

	r->kind = RULE_IF;
	if (p->depth == sizeof(p->open_ifs) / sizeof(p->open_ifs[0])) {
		complain(p, "if is nested too deeply");
		return false;
	}
	/* a condition that cannot be read is false: nothing in it is used */
	if (!parse_patterns(p, r, &line, &groups))
		release_rule(p->into->engine, r);
	else if (line.n > 0)
		log_warning("%s, line %u: ignoring extra text after IF "
			    "statement",
		    p->path, p->line);
	r->skip_to = SIZE_MAX;
	p->open_ifs[p->depth++] = p->into->count;
	return true;
}

static bool
parse_endif(struct parsing *p, struct rule *r, struct span line)
{
	r->kind = RULE_ENDIF;
	if (line.n > 0)
		log_warning("%s, line %u: ignoring extra text after ENDIF",
		    p->path, p->line);
	if (p->depth == 0) {
		complain(p, "ENDIF without IF");
		return false;
	}
	p->into->rules[p->open_ifs[--p->depth]].skip_to = p->into->count + 1;
	return true;
}

/* The word in front, case ignored, when a blank, / or the end follows. */
static bool
cut_word(struct span *line, const char *word)
{
	struct span rest;

	if (!span_starts_nocase(*line, word))
		return false;
	rest = span_skip(*line, strlen(word));
	if (rest.n > 0 &&
	    ((rest.p[0] >= 'a' && rest.p[0] <= 'z') ||
		(rest.p[0] >= 'A' && rest.p[0] <= 'Z')))
		return false;
	*line = span_trim(rest);
	return true;
}

static void
parse_line(struct parsing *p, struct span line)
{
	struct rules *into = p->into;
	struct rule r = { .line = p->line };
	bool good;

	if (cut_word(&line, "endif"))
		good = parse_endif(p, &r, line);
	else if (cut_word(&line, "if"))
		good = parse_if(p, &r, line);
	else
		good = parse_match(p, &r, line);
	if (!good) {
		release_rule(into->engine, &r);
		return;
	}
	if ((into->count & (into->count - 1)) == 0)
		into->rules = mem_resize(into->rules,
		    (into->count ? into->count * 2 : 1) * sizeof(r));
	into->rules[into->count++] = r;
}

static struct rules *
parse_rules(const struct pattern_engine *engine, const char *path,
    struct span text, bool no_substitution)
{
	struct rules *into = mem_new(sizeof(*into));
	struct parsing p = {
		.into = into,
		.path = path,
		.no_substitution = no_substitution,
		.error = BUF_INIT(1024),
	};
	struct lines l;
	struct span line;

	into->engine = engine;
	into->memory = arena_new();
	lines_init(&l, text);
	while (lines_next(&l, path, &line)) {
		p.line = l.first;
		parse_line(&p, span_trim(line));
	}
	if (p.depth > 0)
		log_warning("%s, line %u: IF has no matching ENDIF", path,
		    into->rules[p.open_ifs[p.depth - 1]].line);
	lines_fini(&l);
	buf_fini(&p.error);
	return into;
}

static void
release_rules(void *data)
{
	struct rules *r = data;

	for (size_t i = 0; i < r->count; i++)
		release_rule(r->engine, &r->rules[i]);
	arena_free(&r->memory);
	free(r->rules);
	free(r);
}

static enum pattern_match
matches(const struct rules *all, const struct rule *r, struct span key,
    struct pattern_groups *groups)
{
	struct pattern_groups other;
	enum pattern_match m;

	if (r->pattern == NULL)
		return PATTERN_NO;
	m = all->engine->match(r->pattern, key, groups);
	if (m == PATTERN_FAILED)
		return m;
	if (r->negated)
		m = m == PATTERN_YES ? PATTERN_NO : PATTERN_YES;
	if (m != PATTERN_YES || r->but_not == NULL)
		return m;
	m = all->engine->match(r->but_not, key, &other);
	if (m == PATTERN_FAILED)
		return m;
	return m == PATTERN_YES ? PATTERN_NO : PATTERN_YES;
}

static void
expand(const struct rule *r, struct span key,
    const struct pattern_groups *groups, struct buf *value)
{
	for (size_t i = 0; i < r->piece_count; i++) {
		int g = r->pieces[i].group;

		if (g < 0)
			buf_add_span(value, r->pieces[i].text);
		else if ((unsigned int)g < groups->count &&
		    groups->from[g] >= 0 && groups->to[g] >= groups->from[g])
			buf_add(value, key.p + groups->from[g],
			    (size_t)(groups->to[g] - groups->from[g]));
	}
}

static enum table_result
try_rules(const char *path, const struct rules *all, struct span key,
    struct buf *value)
{
	struct pattern_groups groups;

	for (size_t i = 0; i < all->count; i++) {
		const struct rule *r = &all->rules[i];
		enum pattern_match m;

		if (r->kind == RULE_ENDIF)
			continue;
		m = matches(all, r, key, &groups);
		if (m == PATTERN_FAILED) {
			buf_printf(value,
			    "%s, line %u: matching took more "
			    "than its limits allow",
			    path, r->line);
			return TABLE_BROKEN;
		}
		if (m == PATTERN_YES && r->kind == RULE_MATCH) {
			expand(r, key, &groups, value);
			return TABLE_FOUND;
		}
		if (m == PATTERN_NO && r->kind == RULE_IF) {
			if (r->skip_to == SIZE_MAX)
				return TABLE_NONE;
			i = r->skip_to - 1;
		}
	}
	return TABLE_NONE;
}

static void *
parse(const char *path, struct span text, void *with)
{
	struct pattern_table *x = with;

	return parse_rules(x->engine, path, text, x->no_substitution);
}

bool
pattern_open(struct table *t, struct span argument,
    const struct pattern_engine *engine, struct buf *error)
{
	struct pattern_table *x;
	char *path;

	if (argument.n == 0) {
		buf_printf(error, "%s: a file name is wanted", t->name);
		return false;
	}
	x = mem_new(sizeof(*x));
	x->engine = engine;
	x->no_substitution = t->flags & TABLE_NO_SUBSTITUTION;
	x->file.parse = parse;
	x->file.release = release_rules;
	x->file.with = x;
	t->state = x;
	path = mem_span_text(argument);
	loaded_open(&x->file, path);
	free(path);
	return true;
}

enum table_result
pattern_lookup(struct table *t, struct span key, struct buf *value)
{
	struct pattern_table *x = t->state;
	enum table_result r = loaded_look(&x->file, value);

	if (r != TABLE_FOUND)
		return r;
	return try_rules(x->file.watch.path, x->file.data, key, value);
}

void
pattern_close(struct table *t)
{
	struct pattern_table *x = t->state;

	loaded_close(&x->file);
	free(x);
}

enum table_result
pattern_try(const struct pattern_engine *engine, struct span text,
    struct span key, struct buf *value)
{
	struct rules *all = parse_rules(engine, "text", text, false);
	enum table_result r = try_rules("text", all, key, value);

	release_rules(all);
	return r;
}
