/* SPDX-License-Identifier: ISC */
#include "bounce/template.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TEXT_MAX = 65536 };

/* Whose words they are. */
struct site {
	struct conf *conf;
	struct arena *arena; /* for what is found */
};

static const char *const template_names[COMPOSE_KINDS] = {
#define TEMPLATE(kind, name) [kind] = name,
#include "bounce/templates.def"
#undef TEMPLATE
};

static bool
wrong(struct buf *error, int line, const char *what)
{
	buf_printf(error, "line %d: %s", line, what);
	return false;
}

/* $maximal_queue_lifetime_days: the setting's time in that unit. */
static bool
add_time(struct conf *c, const char *name, struct buf *out)
{
	static const struct {
		const char *suffix;
		int64_t seconds;
	} units[] = { { "_seconds", 1 }, { "_minutes", 60 }, { "_hours", 3600 },
		{ "_days", 86400 }, { "_weeks", 604800 } };
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t tail = strlen(units[i].suffix);
		const struct param *p;
		int64_t seconds;
		char *base;

		if (n <= tail || strcmp(name + n - tail, units[i].suffix) != 0)
			continue;
		base = mem_span_text((struct span){ name, n - tail });
		p = param_find(span_of(base));
		if (p == NULL || p->type != PARAM_TIME ||
		    !conf_parse_time(conf_value(c, base),
			p->fallback[strlen(p->fallback) - 1], &seconds))
			seconds = -1;
		free(base);
		if (seconds < 0)
			return false;
		buf_printf(out, "%lld",
		    (long long)(seconds / units[i].seconds));
		return true;
	}
	return false;
}

static bool
add_setting(struct conf *c, struct span name, struct buf *out)
{
	char *text = mem_span_text(name);
	const char *value = conf_value(c, text);
	bool known = value != NULL;

	if (known)
		buf_add_text(out, value);
	else
		known = add_time(c, text, out);
	free(text);
	return known;
}

static struct span
name_at(struct span s)
{
	size_t n = 0;

	while (n < s.n && (isalnum((unsigned char)s.p[n]) || s.p[n] == '_'))
		n++;
	return span_take(s, n);
}

/* What is behind a "$"; the rest of the line afterwards. */
static bool
expand_one(struct conf *c, struct span *rest, struct buf *out)
{
	struct span name;
	bool braced;

	if (span_starts(*rest, "$")) {
		*rest = span_skip(*rest, 1);
		return buf_add_char(out, '$');
	}
	braced = span_starts(*rest, "{");
	*rest = span_skip(*rest, braced ? 1 : 0);
	name = name_at(*rest);
	*rest = span_skip(*rest, name.n);
	if (braced && !span_starts(*rest, "}"))
		return false;
	*rest = span_skip(*rest, braced ? 1 : 0);
	return name.n > 0 && add_setting(c, name, out);
}

static bool
expand(struct conf *c, struct span line, struct buf *out)
{
	while (line.n > 0) {
		size_t dollar = span_find(line, '$');

		buf_add_span(out, span_take(line, dollar));
		line = span_skip(line, dollar);
		if (line.n > 0) {
			line = span_skip(line, 1);
			if (!expand_one(c, &line, out))
				return false;
		}
	}
	return true;
}

static bool
take_header(const struct site *site, struct span line, struct compose_words *w)
{
	const struct {
		const char *name;
		const char **to;
	} headers[] = { { "Charset", &w->charset }, { "From", &w->from },
		{ "Subject", &w->subject },
		{ "Postmaster-Subject", &w->postmaster_subject } };
	size_t colon = span_find(line, ':');
	struct span name = span_take(line, colon);
	struct buf value = BUF_INIT(998);

	for (size_t i = 0; i < 4 && colon < line.n; i++) {
		if (!span_is_nocase(name, headers[i].name))
			continue;
		if (!expand(site->conf, span_trim(span_skip(line, colon + 1)),
			&value) ||
		    value.overflow)
			break;
		*headers[i].to = arena_text(site->arena, buf_text(&value));
		buf_fini(&value);
		return true;
	}
	buf_fini(&value);
	return false;
}

/* The lines of one template up to its end mark; NULL, or what is wrong. */
static const char *
take_lines(const struct site *site, struct span *rest, struct span end,
    int *line, struct compose_words *w, struct buf *text)
{
	bool header = true;
	struct span s;

	while (span_cut(rest, "\n", false, &s)) {
		++*line;
		if (span_equal(span_trim(s), end))
			return NULL;
		if (header && span_trim(s).n == 0) {
			header = false;
		} else if (header) {
			if (!take_header(site, s, w))
				return "bad header";
		} else {
			if (!expand(site->conf, s, text))
				return "bad $name";
			buf_add_text(text, "\r\n");
		}
	}
	return "template without an end";
}

static bool
take_template(const struct site *site, struct span *rest, struct span end,
    int *line, struct compose_words *w, struct buf *error)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	const char *problem = take_lines(site, rest, end, line, w, &text);

	if (problem == NULL && text.overflow)
		problem = "template is too long";
	if (problem == NULL)
		w->text = arena_text(site->arena, buf_text(&text));
	buf_fini(&text);
	return problem == NULL || wrong(error, *line, problem);
}

/* "failure_template = <<EOF" */
static bool
parse_opening(struct span s, enum compose_kind *kind, struct span *end)
{
	size_t equal = span_find(s, '=');
	struct span name = span_trim(span_take(s, equal));

	*end = span_trim(span_skip(s, equal + 1));
	if (equal == s.n || !span_starts(*end, "<<"))
		return false;
	*end = span_trim(span_skip(*end, 2));
	for (int i = 0; i < COMPOSE_KINDS; i++)
		if (span_is(name, template_names[i])) {
			*kind = (enum compose_kind)i;
			return end->n > 0;
		}
	return false;
}

bool
template_parse(struct span text, struct conf *c, struct arena *a,
    struct compose_words words[COMPOSE_KINDS], struct buf *error)
{
	const struct site site = { c, a };
	struct compose_words found[COMPOSE_KINDS];
	enum compose_kind kind;
	struct span s, end;
	int line = 0;

	memcpy(found, words, sizeof(found));
	while (span_cut(&text, "\n", false, &s)) {
		line++;
		if (span_trim(s).n == 0 || s.p[0] == '#')
			continue;
		if (!parse_opening(s, &kind, &end))
			return wrong(error, line, "not NAME_template = <<END");
		if (!take_template(&site, &text, end, &line, &found[kind],
			error))
			return false;
	}
	memcpy(words, found, sizeof(found));
	return true;
}
