/* SPDX-License-Identifier: ISC */
#include "lib/table/table.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/lines.h"
#include "lib/table/loaded.h"
#include "lib/table/network.h"
#include "lib/table/words.h"

enum pattern_kind {
	PATTERN_WORD,
	PATTERN_NETWORK,
	PATTERN_TABLE,
	PATTERN_FILE
};

struct pattern {
	enum pattern_kind kind;
	bool negated;
	char *word;
	struct network network;
	struct table *table;
	struct loaded *file; /* its data is another match_list */
};

struct match_list {
	enum match_kind kind;
	unsigned int depth; /* files that name files */
	struct pattern *patterns;
	size_t count;
	unsigned int users; /* matches under way: a table may let tasks run */
	bool ended; /* the last of them frees it */
};

/* What is being matched. */
struct subject {
	enum match_kind kind;
	struct span name;
	struct span address_text; /* MATCH_HOST */
	struct network address;
	bool has_address;
};

enum { DEPTH_MAX = 8 };

static bool
add_all(struct match_list *l, struct span patterns, struct buf *error);

static void *
parse_file(const char *path, struct span text, void *with)
{
	const struct match_list *outer = with;
	struct match_list *l = mem_new(sizeof(*l));
	struct buf error = BUF_INIT(4096);
	struct lines lines;
	struct span line;

	l->kind = outer->kind;
	l->depth = outer->depth + 1;
	lines_init(&lines, text);
	lines.indented = true;
	while (lines_next(&lines, path, &line)) {
		buf_reset(&error);
		if (!add_all(l, line, &error))
			log_warning("%s, line %u: %s", path, lines.first,
			    buf_text(&error));
	}
	lines_fini(&lines);
	buf_fini(&error);
	return l;
}

static void
release_file(void *data)
{
	struct match_list *l = data;

	if (l->users > 0)
		l->ended = true;
	else
		match_list_free(&l);
}

static void
free_pattern(struct pattern *p)
{
	free(p->word);
	table_free(&p->table);
	if (p->file != NULL)
		loaded_close(p->file);
	free(p->file);
}

static bool
open_file(struct match_list *l, struct pattern *p, struct buf *error)
{
	if (l->depth >= DEPTH_MAX) {
		buf_printf(error, "%s: files name files too deeply", p->word);
		return false;
	}
	p->kind = PATTERN_FILE;
	p->file = mem_new(sizeof(*p->file));
	p->file->parse = parse_file;
	p->file->release = release_file;
	p->file->with = l;
	return loaded_open(p->file, p->word, error);
}

/* An address with colons is no table, and needs no brackets to say so. */
static bool
is_table(struct span word)
{
	size_t colon = span_find(word, ':');
	struct network n;

	if (colon == word.n || word.p[0] == '[')
		return false;
	return table_type_known(span_take(word, colon)) ||
	    !network_address(span_take(word, span_find(word, '/')), &n);
}

static bool
parse_word(struct match_list *l, struct pattern *p, struct span word,
    struct buf *error)
{
	p->word = mem_span_text(word);
	if (word.p[0] == '/')
		return open_file(l, p, error);
	if (is_table(word)) {
		p->kind = PATTERN_TABLE;
		p->table = table_open(word, error);
		return p->table != NULL;
	}
	if (l->kind != MATCH_HOST)
		return true;
	if (network_meant(word)) {
		p->kind = PATTERN_NETWORK;
		return network_parse(word, &p->network, error);
	}
	return true;
}

static bool
add(struct match_list *l, struct span word, struct buf *error)
{
	struct pattern p = { .kind = PATTERN_WORD };

	while (word.n > 0 && word.p[0] == '!') {
		p.negated = !p.negated;
		word = span_skip(word, 1);
	}
	if (word.n == 0) {
		buf_add_text(error, "no pattern after '!'");
		return false;
	}
	if (!parse_word(l, &p, word, error)) {
		free_pattern(&p);
		return false;
	}
	l->patterns = mem_resize(l->patterns, (l->count + 1) * sizeof(p));
	l->patterns[l->count++] = p;
	return true;
}

static bool
add_all(struct match_list *l, struct span patterns, struct buf *error)
{
	struct span word;

	while (words_next(&patterns, &word))
		if (!add(l, word, error))
			return false;
	return true;
}

struct match_list *
match_list_open(const char *patterns, enum match_kind kind, struct buf *error)
{
	struct match_list *l = mem_new(sizeof(*l));

	l->kind = kind;
	if (!add_all(l, span_of(patterns), error))
		match_list_free(&l);
	return l;
}

void
match_list_free(struct match_list **l)
{
	if (*l == NULL)
		return;
	for (size_t i = 0; i < (*l)->count; i++)
		free_pattern(&(*l)->patterns[i]);
	free((*l)->patterns);
	free(*l);
	*l = NULL;
}

/* The part behind the first dot, with it (".domain") or without. */
static bool
parent_of(struct span *name, bool keep_dot)
{
	struct span rest = *name;
	size_t dot;

	if (rest.n > 0 && rest.p[0] == '.')
		rest = span_skip(rest, 1);
	dot = span_find(rest, '.');
	if (dot + 1 >= rest.n)
		return false;
	*name = span_skip(rest, keep_dot ? dot : dot + 1);
	return true;
}

static bool
matches_parents(enum match_kind kind)
{
	return kind == MATCH_DOMAIN_PARENTS || kind == MATCH_HOST;
}

static bool
match_word(const struct subject *s, const char *word)
{
	struct span w = span_of(word);

	if (span_equal_nocase(s->name, w))
		return true;
	if (s->kind == MATCH_TEXT || s->name.n <= w.n)
		return false;
	if (w.p[0] == '.')
		return span_ends_nocase(s->name, word);
	return matches_parents(s->kind) && span_ends_nocase(s->name, word) &&
	    s->name.p[s->name.n - w.n - 1] == '.';
}

static enum table_result
match_table(const struct subject *s, struct table *t, struct buf *value)
{
	enum table_result r = TABLE_NONE;
	struct span name = s->name;

	if (name.n > 0)
		r = table_lookup(t, name, value);
	while (r == TABLE_NONE && s->kind != MATCH_TEXT &&
	    table_takes_partial(t) &&
	    parent_of(&name, !matches_parents(s->kind)))
		r = table_lookup(t, name, value);
	if (r == TABLE_NONE && s->address_text.n > 0)
		r = table_lookup(t, s->address_text, value);
	return r;
}

static enum table_result
match_all(struct match_list *l, const struct subject *s, struct buf *why);

/* TABLE_FOUND: the pattern, less its "!", matches. */
static enum table_result
match_one(struct pattern *p, const struct subject *s, struct buf *why)
{
	enum table_result r;

	switch (p->kind) {
	case PATTERN_WORD:
		return match_word(s, p->word) ? TABLE_FOUND : TABLE_NONE;
	case PATTERN_NETWORK:
		return s->has_address && network_has(&p->network, &s->address) ?
		    TABLE_FOUND :
		    TABLE_NONE;
	case PATTERN_TABLE:
		return match_table(s, p->table, why);
	case PATTERN_FILE:
		r = loaded_look(p->file, why);
		return r == TABLE_FOUND ? match_all(p->file->data, s, why) : r;
	}
	return TABLE_NONE;
}

static enum table_result
match_each(struct match_list *l, const struct subject *s, struct buf *why)
{
	for (size_t i = 0; i < l->count; i++) {
		enum table_result r;

		buf_reset(why);
		r = match_one(&l->patterns[i], s, why);
		if (r == TABLE_AGAIN || r == TABLE_BROKEN)
			return r;
		if (r == TABLE_FOUND)
			return l->patterns[i].negated ? TABLE_NONE :
							TABLE_FOUND;
	}
	buf_reset(why);
	return TABLE_NONE;
}

/* A file may be read anew meanwhile, by another task. */
static enum table_result
match_all(struct match_list *l, const struct subject *s, struct buf *why)
{
	enum table_result r;

	l->users++;
	r = match_each(l, s, why);
	if (--l->users == 0 && l->ended)
		match_list_free(&l);
	return r;
}

enum table_result
match_list_match(struct match_list *l, struct span name, struct buf *why)
{
	struct subject s = { .kind = l->kind, .name = name };

	return match_all(l, &s, why);
}

enum table_result
match_list_match_host(struct match_list *l, struct span name,
    struct span address, struct buf *why)
{
	struct subject s = { .kind = l->kind,
		.name = name,
		.address_text = address };

	s.has_address = network_address(address, &s.address);
	return match_all(l, &s, why);
}
