/* SPDX-License-Identifier: ISC */
#include "lib/conf/conf_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/base/ensure.h"
#include "lib/conf/logical_lines.h"
#include "lib/log/log.h"

struct conf *
conf_new(const char *directory)
{
	struct conf *c = mem_new(sizeof(*c));

	c->arena = arena_new();
	c->directory = arena_text(c->arena, directory);
	return c;
}

void
conf_free(struct conf **c)
{
	struct arena *arena;

	if (*c == NULL)
		return;
	arena = (*c)->arena;
	HASH_CLEAR(hh, (*c)->names);
	arena_free(&arena);
	if ((*c)->snapshot.n > 0)
		(void)munmap((void *)(uintptr_t)(*c)->snapshot.p,
		    (*c)->snapshot.n);
	free(*c);
	*c = NULL;
}

const char *
conf_directory(const struct conf *c)
{
	return c->directory;
}

static struct setting *
find(const struct conf *c, struct span name)
{
	struct setting *s;

	HASH_FIND(hh, c->names, name.p, name.n, s);
	return s;
}

static bool
is_withheld(const struct conf *c, struct span name)
{
	char line[CONF_NAME_MAX + 2];

	if (c->withheld.n == 0 || name.n == 0 || name.n > CONF_NAME_MAX)
		return false;
	line[0] = line[name.n + 1] = '\n';
	memcpy(line + 1, name.p, name.n);
	return memmem(c->withheld.p, c->withheld.n, line, name.n + 2) != NULL;
}

struct setting *
conf_setting(struct conf *c, struct span name)
{
	struct setting *s = find(c, name);

	if (s != NULL)
		return s;
	s = arena_alloc(c->arena, sizeof(*s));
	s->name = arena_span(c->arena, name);
	s->origin = "default";
	s->withheld = is_withheld(c, name);
	HASH_ADD_KEYPTR(hh, c->names, s->name, name.n, s);
	return s;
}

static void
forget_values(struct conf *c)
{
	if (!c->evaluated)
		return; /* or reading a file would take quadratic time */
	c->evaluated = false;
	for (struct setting *s = c->names; s != NULL; s = s->hh.next) {
		s->value = NULL;
		s->error = NULL;
	}
}

void
conf_set(struct conf *c, struct span name, struct span raw, const char *origin)
{
	struct setting *s = conf_setting(c, name);

	if (s->raw == NULL) {
		if (c->last != NULL)
			c->last->next = s;
		else
			c->first = s;
		c->last = s;
	}
	s->raw = arena_span(c->arena, raw);
	s->withheld = false;
	s->origin = arena_text(c->arena, origin);
	/* others may refer to it */
	forget_values(c);
}

static size_t
name_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '=' && !isspace((unsigned char)s.p[n]))
		n++;
	return n;
}

const char *
conf_split(struct span line, struct span *name, struct span *value)
{
	struct span rest;

	line = span_trim(line);
	*name = span_take(line, name_length(line));
	rest = span_trim(span_skip(line, name->n));
	if (name->n == 0)
		return "missing attribute name";
	if (rest.n == 0 || rest.p[0] != '=')
		return "missing '=' after attribute name";
	if (name->n > CONF_NAME_MAX)
		return "the name is too long";
	*value = span_trim(span_skip(rest, 1));
	return NULL;
}

void
conf_parse(struct conf *c, struct span text, const char *file,
    struct buf *errors, struct buf *warnings)
{
	struct logical_lines l;
	struct span line, name, value;
	struct setting *old;
	const char *wrong;
	char origin[64];

	logical_lines_init(&l, text, file);
	while (logical_lines_next(&l, &line, errors)) {
		wrong = conf_split(line, &name, &value);
		if (wrong != NULL) {
			buf_printf(errors, "%s: line %d: %s: \"%.*s\"\n", file,
			    l.number, wrong, SPAN_ARG(span_take(line, 80)));
			continue;
		}
		old = find(c, name);
		if (old != NULL && old->raw != NULL && warnings != NULL &&
		    !span_is(value, old->raw))
			buf_printf(warnings,
			    "%s: line %d: overriding earlier entry: "
			    "%s=%.200s\n",
			    file, l.number, old->name, old->raw);
		snprintf(origin, sizeof(origin), "%s: line %d", file, l.number);
		conf_set(c, name, value, origin);
	}
	logical_lines_fini(&l);
}

struct conf *
conf_read(const char *directory, struct buf *errors, struct buf *warnings)
{
	struct buf text = BUF_INIT(LOGICAL_FILE_MAX);
	struct conf *c = NULL;
	char *path = mem_printf("%s/main.cf", directory);

	if (logical_file_read(path, &text, errors)) {
		c = conf_new(directory);
		conf_parse(c, buf_span(&text), "main.cf", errors, warnings);
	}
	buf_fini(&text);
	free(path);
	return c;
}

bool
conf_override(struct conf *c, const char *assignment, struct buf *error)
{
	struct span name, value;
	const char *wrong = conf_split(span_of(assignment), &name, &value);

	if (wrong != NULL) {
		buf_printf(error, "-o option: %s: \"%.80s\"\n", wrong,
		    assignment);
		return false;
	}
	if (value.n > LOGICAL_LINE_MAX) {
		buf_printf(error,
		    "-o option: the value of %.*s is too "
		    "long\n",
		    SPAN_ARG(name));
		return false;
	}
	conf_set(c, name, value, CONF_OPTION);
	return true;
}

/* "myorigin = /etc/mailname": the first line of that file. */
static void
read_origin(struct conf *c, struct setting *s)
{
	struct buf text = BUF_INIT(4096), error = BUF_INIT(4096);
	struct span rest, line;

	if (!logical_file_read(s->value, &text, &error)) {
		s->error = arena_span(c->arena, span_trim(buf_span(&error)));
		s->value = NULL;
	} else {
		rest = buf_span(&text);
		line = SPAN("");
		span_cut(&rest, "\n", true, &line);
		s->value = arena_span(c->arena, span_trim(line));
	}
	buf_fini(&text);
	buf_fini(&error);
}

static void
ensure_told(bool told, const char *name)
{
	if (!told)
		log_error("setting %s is not in this program's row of "
			  "programs.def",
		    name);
	ensure(told && "a setting this program is told");
}

void
conf_ensure_given(const struct setting *s)
{
	ensure_told(!s->withheld, s->name);
}

const char *
conf_evaluate(struct conf *c, struct setting *s, unsigned int depth)
{
	struct buf out = BUF_INIT(CONF_VALUE_MAX);
	const char *text;

	if (s->value != NULL || s->error != NULL)
		return s->value;
	c->evaluated = true;
	s->expanding = true;
	text = s->raw != NULL && !conf_foreign(s) ? s->raw :
						    conf_fallback(c, s->name);
	if (text != NULL && conf_expand_into(c, text, depth, &out, &s->error))
		s->value = arena_text(c->arena, buf_text(&out));
	if (s->value != NULL && s->value[0] == '/' &&
	    strcmp(s->name, "myorigin") == 0)
		read_origin(c, s);
	s->expanding = false;
	buf_fini(&out);
	return s->value;
}

const char *
conf_value(struct conf *c, const char *name)
{
	struct setting *s = conf_setting(c, span_of(name));

	conf_ensure_given(s);
	conf_evaluate(c, s, 0);
	if (s->value == NULL && s->error != NULL)
		return "";
	return s->value;
}

const char *
conf_value_if_set(struct conf *c, const char *name)
{
	const struct setting *s = find(c, span_of(name));

	if (s == NULL || s->raw == NULL || s->withheld)
		return NULL;
	return conf_value(c, name);
}

bool
conf_yes(const char *text)
{
	return text != NULL && strcasecmp(text, "yes") == 0;
}

bool
conf_is_yes(struct conf *c, const char *name)
{
	return conf_yes(conf_value(c, name));
}

const char *
conf_raw(const struct conf *c, const char *name)
{
	const struct setting *s = find(c, span_of(name));

	ensure_told(s != NULL ? !s->withheld : !is_withheld(c, span_of(name)),
	    name);
	return s != NULL ? s->raw : NULL;
}

const char *
conf_origin(const struct conf *c, const char *name)
{
	const struct setting *s = find(c, span_of(name));

	return s != NULL ? s->origin : "default";
}

const char *
conf_expand(struct conf *c, const char *text, struct buf *error)
{
	struct buf out = BUF_INIT(CONF_VALUE_MAX);
	const char *wrong = NULL, *result = NULL;

	if (conf_expand_into(c, text, 0, &out, &wrong))
		result = arena_text(c->arena, buf_text(&out));
	else if (error != NULL)
		buf_printf(error, "%s\n", wrong);
	buf_fini(&out);
	return result;
}

void
conf_each(const struct conf *c,
    void (*visit)(void *with, const char *name, const char *raw,
	const char *origin),
    void *with)
{
	for (const struct setting *s = c->first; s != NULL; s = s->next)
		visit(with, s->name, s->raw, s->origin);
}

static bool
is_separator(char c)
{
	return c == ',' || isspace((unsigned char)c);
}

/* End of the item at the front, braces within it kept whole. */
static size_t
item_length(struct span s)
{
	size_t level = 0, i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '{')
			level++;
		else if (s.p[i] == '}' && level > 0)
			level--;
		else if (level == 0 && is_separator(s.p[i]))
			break;
	}
	return i;
}

/* Is the brace at the front closed by the last character, not before? */
static bool
wrapped(struct span s)
{
	size_t level = 0;

	if (s.n < 2 || s.p[0] != '{')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '{')
			level++;
		else if (s.p[i] == '}' && --level == 0)
			return i == s.n - 1;
	}
	return false;
}

bool
conf_list_next(struct span *rest, struct span *item)
{
	struct span s = *rest;
	size_t n;

	while (s.n > 0 && is_separator(s.p[0]))
		s = span_skip(s, 1);
	if (s.n == 0) {
		*rest = s;
		return false;
	}
	n = item_length(s);
	*item = span_take(s, n);
	*rest = span_skip(s, n);
	if (wrapped(*item))
		*item = span_trim((struct span){ s.p + 1, n - 2 });
	return true;
}
