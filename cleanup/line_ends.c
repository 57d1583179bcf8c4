/* SPDX-License-Identifier: ISC */
#include "cleanup/line_ends.h"

#include <string.h>

/* Every byte of a message passes here: eight at a time. */
static bool
has_eight_bit(struct span s)
{
	static const uint64_t high = UINT64_C(0x8080808080808080);
	uint64_t all = 0, word;
	size_t i;

	for (i = 0; i + sizeof(word) <= s.n; i += sizeof(word)) {
		memcpy(&word, s.p + i, sizeof(word));
		all |= word;
	}
	for (; i < s.n; i++)
		all |= (unsigned char)s.p[i];
	return (all & high) != 0;
}

static void
end_line(struct line_ends *l)
{
	if (l->line > LINE_ENDS_MAX)
		l->long_line = true;
	l->line = 0;
}

/* What a CR held back at the end of the last piece turns out to be. */
static void
settle(struct line_ends *l, struct span *in, line_ends_emit *emit, void *with)
{
	l->cr = false;
	if (in->p[0] == '\n') {
		emit(with, "\r\n", 2);
		*in = span_skip(*in, 1);
		end_line(l);
	} else {
		emit(with, " ", 1);
		l->line++;
	}
}

/*
 * One line, or the piece of one that is here. *run is where the clean bytes
 * before it begin that were not yet handed on.
 */
static void
take_line(struct line_ends *l, struct span line, bool ended, const char **run,
    line_ends_emit *emit, void *with)
{
	const char *end = line.p + line.n;
	const char *cr;

	for (const char *at = line.p;
	     (cr = memchr(at, '\r', (size_t)(end - at))) != NULL; at = cr + 1) {
		if (cr + 1 == end) {
			if (ended) {
				l->line--; /* the CR of CRLF */
				break;
			}
			emit(with, *run, (size_t)(cr - *run));
			*run = end;
			l->cr = true;
			l->line--;
			break;
		}
		emit(with, *run, (size_t)(cr - *run));
		emit(with, " ", 1);
		*run = cr + 1;
	}
	l->line += line.n;
	if (!ended)
		return;
	if (cr == NULL) {
		emit(with, *run, (size_t)(end - *run));
		emit(with, "\r\n", 2);
		*run = end + 1;
	}
	end_line(l);
}

void
line_ends_feed(struct line_ends *l, struct span in, line_ends_emit *emit,
    void *with)
{
	const char *run;
	size_t lf;

	if (!l->eight_bit)
		l->eight_bit = has_eight_bit(in);
	if (l->cr && in.n > 0)
		settle(l, &in, emit, with);
	run = in.p;
	while (in.n > 0) {
		lf = span_find(in, '\n');
		take_line(l, span_take(in, lf), lf < in.n, &run, emit, with);
		in = span_skip(in, lf + 1);
	}
	if (run < in.p)
		emit(with, run, (size_t)(in.p - run));
}

void
line_ends_finish(struct line_ends *l, line_ends_emit *emit, void *with)
{
	if (l->cr) {
		emit(with, " ", 1);
		l->line++;
		l->cr = false;
	}
	if (l->line > 0) {
		emit(with, "\r\n", 2);
		end_line(l);
	}
}
