/* SPDX-License-Identifier: ISC */
/*
 * Tables made of tables: unionmap:{all results}, pipemap:{each is asked for
 * the result of the one before}, randmap:{one of the words, by chance},
 * debug:type:name (each question and its answer is logged).
 */
#include "lib/table/type.h"

#include <stdlib.h>
#include <sys/random.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/words.h"

struct group {
	struct table **tables;
	char **words; /* randmap: texts instead */
	size_t count;
};

static void
close_group(struct table *t)
{
	struct group *g = t->state;

	for (size_t i = 0; g->tables != NULL && i < g->count; i++)
		table_free(&g->tables[i]);
	for (size_t i = 0; g->words != NULL && i < g->count; i++)
		free(g->words[i]);
	free(g->tables);
	free(g->words);
	free(g);
}

static bool
add_table(struct table *t, struct span word, struct buf *error)
{
	struct group *g = t->state;
	struct table *inner;

	/* a name with blanks is in braces of its own */
	if (word.p[0] == '{' && !words_braced(word, &word, error))
		return false;
	inner = table_open_flags(word, t->flags, error);
	if (inner == NULL)
		return false;
	/* patterns alone are asked as patterns are */
	t->whole_keys =
	    !table_takes_partial(inner) && (g->count == 0 || t->whole_keys);
	g->tables = mem_resize(g->tables, (g->count + 1) * sizeof(*g->tables));
	g->tables[g->count++] = inner;
	return true;
}

static bool
add_word(struct table *t, struct span word, struct buf *error)
{
	struct group *g = t->state;

	(void)error;
	g->words = mem_resize(g->words, (g->count + 1) * sizeof(*g->words));
	g->words[g->count++] = mem_span_text(word);
	return true;
}

static bool
open_group(struct table *t, struct span argument, struct buf *error,
    bool (*add)(struct table *t, struct span word, struct buf *error))
{
	struct group *g = mem_new(sizeof(*g));
	struct span rest = { NULL, 0 };
	struct span word;
	bool good = true;

	t->state = g;
	if (!words_braced(argument, &rest, error))
		buf_reset(error);
	while (good && words_next(&rest, &word))
		good = add(t, word, error);
	if (good && g->count == 0) {
		buf_printf(error, "bad syntax: \"%s\"; need \"%s:{%s...}\"",
		    t->name, t->type, add == add_word ? "value" : "type:name");
		good = false;
	}
	if (!good)
		close_group(t);
	return good;
}

static bool
open_debug(struct table *t, struct span argument, struct buf *error)
{
	struct group *g = mem_new(sizeof(*g));

	t->state = g;
	if (add_table(t, argument, error))
		return true;
	close_group(t);
	return false;
}

static bool
open_tables(struct table *t, struct span argument, struct buf *error)
{
	return open_group(t, argument, error, add_table);
}

static bool
open_words(struct table *t, struct span argument, struct buf *error)
{
	return open_group(t, argument, error, add_word);
}

/* A lookup may let tasks run that look something up here: no memory of g's. */
static enum table_result
lookup_union(struct table *t, struct span key, struct buf *value)
{
	struct group *g = t->state;
	struct buf one = BUF_INIT(TABLE_VALUE_MAX);
	enum table_result r = TABLE_NONE;

	for (size_t i = 0; i < g->count; i++) {
		r = table_lookup(g->tables[i], key, &one);
		if (r == TABLE_AGAIN || r == TABLE_BROKEN) {
			buf_reset(value);
			buf_add_span(value, buf_span(&one));
			break;
		}
		if (r == TABLE_FOUND && one.n > 0) {
			if (value->n > 0)
				buf_add_char(value, ',');
			buf_add_span(value, buf_span(&one));
		}
		r = TABLE_NONE;
	}
	buf_fini(&one);
	if (r == TABLE_NONE && value->n > 0)
		r = TABLE_FOUND;
	return r;
}

static enum table_result
lookup_pipe(struct table *t, struct span key, struct buf *value)
{
	struct group *g = t->state;
	struct buf last = BUF_INIT(TABLE_VALUE_MAX);
	enum table_result r = TABLE_FOUND;

	for (size_t i = 0; r == TABLE_FOUND && i < g->count; i++) {
		r = table_lookup(g->tables[i], key, value);
		buf_reset(&last);
		buf_add_span(&last, buf_span(value));
		key = buf_span(&last);
	}
	buf_fini(&last);
	return r;
}

static const char *const results[] = {
	[TABLE_FOUND] = "found",
	[TABLE_NONE] = "not found",
	[TABLE_AGAIN] = "try again",
	[TABLE_BROKEN] = "broken",
};

static enum table_result
lookup_debug(struct table *t, struct span key, struct buf *value)
{
	struct group *g = t->state;
	enum table_result r = table_lookup(g->tables[0], key, value);

	log_info("%s lookup: \"%.*s\" %s%s%s", table_name(g->tables[0]),
	    SPAN_ARG(key), results[r], value->n > 0 ? ": " : "",
	    value->n > 0 ? buf_text(value) : "");
	return r;
}

static enum table_result
lookup_random(struct table *t, struct span key, struct buf *value)
{
	struct group *g = t->state;
	uint32_t noise = 0;

	(void)key;
	if (getrandom(&noise, sizeof(noise), 0) < 0)
		noise = 0;
	buf_add_text(value, g->words[noise % g->count]);
	return TABLE_FOUND;
}

const struct table_ops table_union_ops = {
	.folds = false, /* each of its tables does as it must */
	.partial = true,
	.open = open_tables,
	.lookup = lookup_union,
	.close = close_group,
};

const struct table_ops table_pipe_ops = {
	.folds = false,
	.partial = true,
	.open = open_tables,
	.lookup = lookup_pipe,
	.close = close_group,
};

const struct table_ops table_random_ops = {
	.folds = false,
	.partial = true,
	.open = open_words,
	.lookup = lookup_random,
	.close = close_group,
};

const struct table_ops table_debug_ops = {
	.folds = false,
	.partial = true,
	.open = open_debug,
	.lookup = lookup_debug,
	.close = close_group,
};
