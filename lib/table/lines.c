/* SPDX-License-Identifier: ISC */
#include "lib/table/lines.h"

#include "lib/log/log.h"

void
lines_init(struct lines *l, struct span text)
{
	l->rest = text;
	l->number = 0;
	l->first = 0;
	l->indented = false;
	l->silent = false;
	buf_init(&l->joined, LINES_MAX);
}

void
lines_fini(struct lines *l)
{
	buf_fini(&l->joined);
}

bool
lines_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span
without_end(struct span s)
{
	while (s.n > 0 && lines_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct span
lines_trim(struct span s)
{
	while (s.n > 0 && lines_blank(s.p[0]))
		s = span_skip(s, 1);
	return without_end(s);
}

struct span
lines_shown(struct span s, char *room, size_t max)
{
	s = span_take(s, max);
	for (size_t i = 0; i < s.n; i++)
		room[i] = s.p[i] >= ' ' && s.p[i] < 127 ? s.p[i] : '?';
	return (struct span){ room, s.n };
}

/* The next physical line that counts. */
static bool
physical(struct lines *l, struct span *line)
{
	while (l->rest.n > 0) {
		size_t end = span_find(l->rest, '\n');
		size_t first = 0;

		*line = span_take(l->rest, end);
		l->rest = span_skip(l->rest, end + 1);
		l->number++;
		while (first < line->n && lines_blank(line->p[first]))
			first++;
		if (first < line->n && line->p[first] != '#')
			return true;
	}
	return false;
}

/* Does a line that continues the present one follow? */
static bool
continued(const struct lines *l)
{
	struct lines ahead = *l;
	struct span line;

	if (l->rest.n > 0 && !lines_blank(l->rest.p[0]) && l->rest.p[0] != '#')
		return false;
	return physical(&ahead, &line) && lines_blank(line.p[0]);
}

enum { QUOTED_MAX = 30 }; /* bytes of a bad line that are shown */

static bool
usable(const struct lines *l, const char *path, struct span line)
{
	bool long_line = l->joined.overflow || line.n > LINES_MAX;
	bool null = span_find(line, '\0') < line.n;
	bool indented = !l->indented && lines_blank(line.p[0]);

	if (l->silent)
		return !long_line && !null && !indented;
	if (long_line)
		log_warning("%s, line %u: line is too long -- ignored", path,
		    l->first);
	else if (null)
		log_warning("%s, line %u: line holds a null byte -- ignored",
		    path, l->first);
	else if (indented)
		log_warning("%s: logical line must not start with whitespace: "
			    "\"%.*s%s\"",
		    path, SPAN_ARG(span_take(line, QUOTED_MAX)),
		    line.n > QUOTED_MAX ? "..." : "");
	else
		return true;
	return false;
}

bool
lines_next(struct lines *l, const char *path, struct span *line)
{
	while (physical(l, line)) {
		l->first = l->number;
		buf_reset(&l->joined);
		if (continued(l)) {
			struct span more;

			buf_add_span(&l->joined, *line);
			while (continued(l) && physical(l, &more))
				buf_add_span(&l->joined, more);
			*line = buf_span(&l->joined);
		}
		*line = without_end(*line);
		if (usable(l, path, *line))
			return true;
	}
	return false;
}
