/* SPDX-License-Identifier: ISC */
#include "lib/table/lines.h"

#include "lib/log/log.h"

void
lines_init(struct lines *l, struct span text)
{
	l->rest = text;
	l->number = 0;
	l->first = 0;
	buf_init(&l->joined, LINES_MAX);
}

void
lines_fini(struct lines *l)
{
	buf_fini(&l->joined);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next physical line that counts. */
static bool
physical(struct lines *l, struct span *line)
{
	while (l->rest.n > 0) {
		size_t end = span_find(l->rest, '\n');
		struct span bare;

		*line = span_take(l->rest, end);
		l->rest = span_skip(l->rest, end + 1);
		l->number++;
		bare = span_trim(*line);
		if (bare.n == 0 || bare.p[0] == '#')
			continue;
		/* blanks at the end go, those at the begin tell */
		line->n = (size_t)(bare.p + bare.n - line->p);
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

	if (l->rest.n > 0 && !is_blank(l->rest.p[0]) && l->rest.p[0] != '#' &&
	    l->rest.p[0] != '\n' && l->rest.p[0] != '\r')
		return false;
	return physical(&ahead, &line) && is_blank(line.p[0]);
}

static bool
usable(const struct lines *l, const char *path, struct span line)
{
	if (l->joined.overflow || line.n > LINES_MAX)
		log_warning("%s, line %u: line is too long -- ignored", path,
		    l->first);
	else if (span_find(line, '\0') < line.n)
		log_warning("%s, line %u: line holds a null byte -- ignored",
		    path, l->first);
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
		if (usable(l, path, *line))
			return true;
	}
	return false;
}
