/* SPDX-License-Identifier: ISC */
#include "lib/table/pattern.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/lines.h"
#include "lib/table/loaded.h"
#include "lib/table/pattern_needs.h"
#include "lib/table/rule_chain.h"
#include "lib/table/table_settings.h"

enum { COSTLY_TOLD_MAX = 4096 };

/* A piece of a result: a text, or what a group matched. */
struct piece {
	int group; /* -1: text */
	struct span text;
};

/* A pattern that can be matched. */
struct ready {
	void *compiled; /* NULL: there is none */
	struct pattern_needs needs;
};

struct rule {
	bool negated;
	struct ready pattern;
	struct ready but_not; /* the second one */
	struct piece *pieces;
	size_t piece_count;
	bool takes_groups; /* there are such pieces */
};

struct rules {
	const struct pattern_engine *engine;
	struct arena *memory;
	struct rule_chain chain;
	struct buf
	    costly; /* rules left out for what they cost: one line each */
};

/* What parsing needs besides the rules. */
struct parsing {
	struct rules *into;
	const char *path;
	unsigned int line;
	bool no_substitution;
	struct buf error;
};

struct pattern_table {
	struct loaded file;
	const struct pattern_engine *engine;
	bool no_substitution;
};

/* Where a warning is about. */
#define WHERE "%s map %s, line %u: "
#define WHERE_ARG(p) (p)->into->engine->name, (p)->path, (p)->line

static void
complain(struct parsing *p, const char *what)
{
	log_warning(WHERE "%s: skipping this rule", WHERE_ARG(p), what);
}

/* A pattern as it is written. */
struct written {
	struct span pattern;
	uint32_t options;
};

static bool
read_flags(struct parsing *p, struct span flags, uint32_t *options)
{
	*options = p->into->engine->usual;
	for (size_t i = 0; i < flags.n; i++) {
		char c = flags.p[i];

		buf_reset(&p->error);
		if (!p->into->engine->flag(c, options, &p->error)) {
			log_warning(WHERE "unknown regexp option \"%c\": "
					  "skipping this rule",
			    WHERE_ARG(p), c > ' ' && c < 127 ? c : '?');
			return false;
		}
		if (p->error.n > 0)
			log_warning(WHERE "%s", WHERE_ARG(p),
			    buf_text(&p->error));
	}
	return true;
}

/* Cuts /pattern/flags off the front of *rest. */
static bool
cut_pattern(struct parsing *p, struct span *rest, struct written *w)
{
	char delimiter = rest->n > 0 ? rest->p[0] : '\0';
	size_t i = 1;
	size_t end;
	struct span flags;

	if (rest->n == 0) {
		complain(p, "no regexp");
		return false;
	}
	while (i < rest->n && (rest->p[i] == '\\' || rest->p[i] != delimiter))
		i += rest->p[i] == '\\' ? 2 : 1;
	if (i >= rest->n) {
		log_warning(WHERE "no closing regexp delimiter \"%c\": "
				  "skipping this rule",
		    WHERE_ARG(p), delimiter);
		return false;
	}
	w->pattern = span_take(span_skip(*rest, 1), i - 1);
	*rest = span_skip(*rest, i + 1);
	for (end = 0; end < rest->n; end++)
		if (lines_blank(rest->p[end]) ||
		    (rest->p[end] == '!' && p->into->engine->second))
			break;
	flags = span_take(*rest, end);
	*rest = span_skip(*rest, end);
	return read_flags(p, flags, &w->options);
}

static bool
compile(struct parsing *p, const struct written *w, unsigned int *groups,
    struct ready *out)
{
	const struct pattern_engine *engine = p->into->engine;
	const struct pattern_manner manner = engine->manner(w->options);
	bool costly = false;

	buf_reset(&p->error);
	out->compiled =
	    engine->compile(w->pattern, w->options, groups, &costly, &p->error);
	if (out->compiled == NULL)
		complain(p, buf_text(&p->error));
	if (costly)
		buf_printf(&p->into->costly, WHERE "%s\n", WHERE_ARG(p),
		    buf_text(&p->error));
	pattern_needs_of(w->pattern, &manner, p->into->memory, &out->needs);
	return out->compiled != NULL;
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
	r->takes_groups |= group >= 0;
}

static bool
is_name(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
bad_replacement(struct parsing *p, const char *what, struct span shown)
{
	log_warning(WHERE "%s \"%.*s\"", WHERE_ARG(p), what, SPAN_ARG(shown));
	return false;
}

/* Where what was opened by the byte in front of the text ends. */
static size_t
closing(struct span text, char open, char close)
{
	size_t depth = 1;
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] == open)
			depth++;
		else if (text.p[i] == close && --depth == 0)
			break;
	}
	return i;
}

/* What is behind a dollar sign: 1, {1} or (1). */
static bool
cut_group(struct parsing *p, struct span *rest, struct span *name)
{
	char open = rest->n > 0 ? rest->p[0] : '\0';
	char close = open == '{' ? '}' : open == '(' ? ')' : '\0';
	size_t n = 0;

	if (close != '\0') {
		*rest = span_skip(*rest, 1);
		n = closing(*rest, open, close);
		if (n == rest->n)
			return bad_replacement(p,
			    "truncated macro reference:", *rest);
	} else {
		while (n < rest->n && is_name(rest->p[n]))
			n++;
	}
	*name = span_take(*rest, n);
	*rest = span_skip(*rest, close != '\0' ? n + 1 : n);
	return n > 0 || bad_replacement(p, "empty macro name:", *rest);
}

static bool
group_number(struct parsing *p, struct span name, int *group)
{
	uint64_t number = 0;

	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] < '0' || name.p[i] > '9')
			return bad_replacement(p,
			    "non-numeric replacement index", name);
	if (!span_u64(name, INT_MAX, &number))
		number = INT_MAX;
	if (number == 0)
		return bad_replacement(p, "out of range replacement index",
		    name);
	*group = (int)number;
	return true;
}

/*
 * Takes what is behind a dollar sign. *good turns false for what can be told
 * from the text around it; false for what cannot.
 */
static bool
parse_dollar(struct parsing *p, struct rule *r, struct span *text, int *highest,
    bool *good)
{
	struct span name;
	int group = 0;

	if (text->n > 0 && text->p[0] == '$') {
		add_piece(p, r, -1, span_take(*text, 1));
		*text = span_skip(*text, 1);
		return true;
	}
	if (!cut_group(p, text, &name))
		return false;
	*good &= group_number(p, name, &group);
	add_piece(p, r, group, span_take(*text, 0));
	if (group > *highest)
		*highest = group;
	return true;
}

/* *highest: the largest number behind a dollar sign. */
static bool
parse_result(struct parsing *p, struct rule *r, struct span text, int *highest)
{
	bool good = true;
	bool more = true;

	*highest = 0;
	while (more && text.n > 0) {
		size_t dollar = span_find(text, '$');

		add_piece(p, r, -1, span_take(text, dollar));
		text = span_skip(text, dollar);
		if (text.n > 0) {
			text = span_skip(text, 1);
			more = parse_dollar(p, r, &text, highest, &good);
		}
	}
	if (!good || !more)
		complain(p, "bad replacement syntax");
	return good && more;
}

/* Is a result that holds $number legal here at all? */
static bool
may_substitute(struct parsing *p, const struct rule *r)
{
	if (r->negated)
		complain(p, "$number found in negative match replacement text");
	else if (p->no_substitution)
		complain(p,
		    "$number substitution is not allowed in this table");
	else
		return true;
	return false;
}

static bool
has_group(struct parsing *p, int highest, unsigned int groups)
{
	if (highest <= (int)groups)
		return true;
	log_warning(WHERE "out of range replacement index \"%d\": "
			  "skipping this rule",
	    WHERE_ARG(p), highest);
	return false;
}

static struct span
cut_negations(struct rule *r, struct span line)
{
	line = lines_trim(line);
	while (line.n > 0 && line.p[0] == '!') {
		r->negated = !r->negated;
		line = lines_trim(span_skip(line, 1));
	}
	return line;
}

/* One pattern, or with the second of /this/!/not that/. */
struct written_both {
	struct written first;
	struct written second;
	bool has_second;
};

static bool
cut_patterns(struct parsing *p, struct span *rest, struct written_both *w)
{
	if (!cut_pattern(p, rest, &w->first))
		return false;
	w->has_second =
	    p->into->engine->second && rest->n > 0 && rest->p[0] == '!';
	if (w->has_second) {
		*rest = span_skip(*rest, 1);
		if (!cut_pattern(p, rest, &w->second))
			return false;
	}
	*rest = lines_trim(*rest);
	return true;
}

/* "highest" is the largest $number of the result, 0 if there is none. */
static bool
compile_both(struct parsing *p, struct rule *r, const struct written_both *w,
    int highest)
{
	unsigned int groups;
	unsigned int ignored;

	return compile(p, &w->first, &groups, &r->pattern) &&
	    has_group(p, highest, groups) &&
	    (!w->has_second || compile(p, &w->second, &ignored, &r->but_not));
}

static bool
parse_match(struct parsing *p, struct rule *r, struct span line)
{
	struct written_both w;
	int highest;

	line = cut_negations(r, line);
	if (!cut_patterns(p, &line, &w))
		return false;
	if (line.n == 0)
		log_warning(WHERE "no replacement text: using empty string",
		    WHERE_ARG(p));
	return parse_result(p, r, line, &highest) &&
	    (highest == 0 || may_substitute(p, r)) &&
	    compile_both(p, r, &w, highest);
}

static void
release_rule(const struct pattern_engine *engine, struct rule *r)
{
	if (r->pattern.compiled != NULL)
		engine->release(r->pattern.compiled);
	if (r->but_not.compiled != NULL)
		engine->release(r->but_not.compiled);
	r->pattern.compiled = NULL;
	r->but_not.compiled = NULL;
}

/* Most likely rules, indented: a line that begins with a blank continues. */
static void
warn_extra(struct parsing *p, struct span text)
{
	log_warning(WHERE "ignoring extra text after IF statement: \"%.*s\"",
	    WHERE_ARG(p), SPAN_ARG(text));
	log_warning(WHERE "do not prepend whitespace to statements between IF "
			  "and ENDIF",
	    WHERE_ARG(p));
}

static bool
read_condition(struct parsing *p, struct rule *r, struct span line)
{
	struct written_both w;

	line = cut_negations(r, line);
	if (!cut_patterns(p, &line, &w))
		return false;
	if (line.n > 0)
		warn_extra(p, line);
	return compile_both(p, r, &w, 0);
}

static struct rule *
keep(struct parsing *p, const struct rule *r)
{
	struct rule *kept = arena_alloc(p->into->memory, sizeof(*kept));

	*kept = *r;
	return kept;
}

static void
add_match(struct parsing *p, struct span line)
{
	struct rule r = { .negated = false };

	if (parse_match(p, &r, line))
		rule_chain_add(&p->into->chain, p->line, keep(p, &r));
	else
		release_rule(p->into->engine, &r);
}

static void
add_if(struct parsing *p, struct span line)
{
	struct rule r = { .negated = false };

	/* a condition that cannot be read is false: nothing in it is used */
	if (!read_condition(p, &r, line))
		release_rule(p->into->engine, &r);
	rule_chain_if(&p->into->chain, p->line, keep(p, &r));
}

static void
add_endif(struct parsing *p, struct span line)
{
	if (!rule_chain_endif(&p->into->chain))
		log_warning(WHERE "ignoring ENDIF without matching IF",
		    WHERE_ARG(p));
	else if (line.n > 0)
		log_warning(WHERE "ignoring extra text after ENDIF",
		    WHERE_ARG(p));
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
	*line = lines_trim(rest);
	return true;
}

static void
parse_line(struct parsing *p, struct span line)
{
	if (cut_word(&line, "endif"))
		add_endif(p, line);
	else if (cut_word(&line, "if"))
		add_if(p, line);
	else if (!is_name(line.p[0]) || line.p[0] == '_')
		add_match(p, line);
	else
		log_warning(WHERE "ignoring unrecognized request",
		    WHERE_ARG(p));
}

static void
end_open_ifs(struct parsing *p)
{
	while (rule_chain_unended(&p->into->chain, &p->line))
		log_warning(WHERE "IF has no matching ENDIF", WHERE_ARG(p));
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
	into->costly = (struct buf)BUF_INIT(COSTLY_TOLD_MAX);
	into->memory = arena_new();
	rule_chain_init(&into->chain);
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
release_rules(void *data)
{
	struct rules *r = data;

	for (size_t i = 0; i < r->chain.count; i++)
		release_rule(r->engine, r->chain.links[i].rule);
	rule_chain_fini(&r->chain);
	arena_free(&r->memory);
	buf_fini(&r->costly);
	free(r);
}

/* A key on its way through the rules. */
struct question {
	const struct pattern_engine *engine;
	struct span key;
	char *folded; /* the key in lower case; NULL: nobody has asked yet */
	struct pattern_groups groups; /* of the rule that has matched */
	struct buf error;
};

static struct span
folded(struct question *q)
{
	if (q->folded == NULL) {
		q->folded = mem_array(q->key.n, 1);
		for (size_t i = 0; i < q->key.n; i++) {
			char c = q->key.p[i];

			q->folded[i] =
			    (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
		}
	}
	return (struct span){ q->folded, q->key.n };
}

/* groups: NULL if nobody wants them. */
static enum pattern_match
match(struct question *q, const struct ready *p, struct pattern_groups *groups)
{
	if (!pattern_needs_met(&p->needs, p->needs.folds ? folded(q) : q->key))
		return PATTERN_NO;
	return q->engine->match(p->compiled, q->key, groups, &q->error);
}

static enum rule_verdict
test_one(const void *rule, void *with)
{
	const struct rule *r = rule;
	struct question *q = with;
	enum pattern_match m;

	if (r->pattern.compiled == NULL)
		return RULE_MISSED;
	m = match(q, &r->pattern, r->takes_groups ? &q->groups : NULL);
	if (m == PATTERN_FAILED)
		return RULE_BROKEN;
	if ((m == PATTERN_YES) == r->negated)
		return RULE_MISSED;
	if (r->but_not.compiled == NULL)
		return RULE_HIT;
	m = match(q, &r->but_not, NULL);
	if (m == PATTERN_FAILED)
		return RULE_BROKEN;
	return m == PATTERN_YES ? RULE_MISSED : RULE_HIT;
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
	struct question q = { .engine = all->engine,
		.key = key,
		.error = BUF_INIT(1024) };
	const struct rule_link *at;
	enum rule_verdict v = rule_chain_try(&all->chain, test_one, &q, &at);

	if (v == RULE_HIT)
		expand(at->rule, key, &q.groups, value);
	else if (v == RULE_BROKEN)
		buf_printf(value, "%s map %s, line %u: %s", all->engine->name,
		    path, at->line, buf_text(&q.error));
	buf_fini(&q.error);
	free(q.folded);
	return v == RULE_HIT ? TABLE_FOUND :
	    v == RULE_BROKEN ? TABLE_BROKEN :
			       TABLE_NONE;
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
	bool good;

	buf_printf(error, "%s map: ", engine->name);
	x = mem_new(sizeof(*x));
	x->engine = engine;
	x->no_substitution = t->flags & TABLE_NO_SUBSTITUTION;
	x->file.parse = parse;
	x->file.release = release_rules;
	x->file.with = x;
	t->state = x;
	path = mem_span_text(argument);
	good = loaded_open(&x->file, path, error);
	free(path);
	if (good)
		buf_reset(error);
	else
		free(x);
	return good;
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

enum table_result
pattern_check(struct table *t, struct settings_told *told)
{
	struct pattern_table *x = t->state;
	const struct rules *all;
	struct span rest, first;

	if (loaded_look(&x->file, &told->errors) != TABLE_FOUND) {
		buf_reset(&told->errors);
		return TABLE_NONE; /* a lookup will say so */
	}
	all = x->file.data;
	rest = buf_span(&all->costly);
	if (!span_cut(&rest, "\n", true, &first) || first.n == 0)
		return TABLE_NONE;
	buf_printf(&told->errors,
	    "%.*s: this rule would not be obeyed: make it smaller, or two of "
	    "it",
	    SPAN_ARG(first));
	return TABLE_BROKEN;
}

uid_t
pattern_owner(const struct table *t)
{
	const struct pattern_table *x = t->state;

	return x->file.stamp.owner;
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
