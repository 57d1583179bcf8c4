/* SPDX-License-Identifier: ISC */
#include "lib/mail/base_subject.h"

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static struct span
skip_wsp(struct span s)
{
	while (s.n > 0 && is_wsp(s.p[0]))
		s = span_skip(s, 1);
	return s;
}

/* Step 2: trailers, and whether a "(fwd)" was among them. */
static bool
cut_trailers(struct span *s)
{
	bool forward = false;

	for (;;) {
		if (s->n > 0 && is_wsp(s->p[s->n - 1])) {
			s->n--;
		} else if (span_ends_nocase(*s, "(fwd)")) {
			s->n -= sizeof("(fwd)") - 1;
			forward = true;
		} else {
			return forward;
		}
	}
}

/* subj-blob at the front, with the blanks behind it. */
static bool
cut_blob(struct span *s)
{
	size_t n = 1;

	if (s->n < 2 || s->p[0] != '[')
		return false;
	while (n < s->n && s->p[n] != '[' && s->p[n] != ']')
		n++;
	if (n == s->n || s->p[n] != ']')
		return false;
	*s = skip_wsp(span_skip(*s, n + 1));
	return true;
}

/* subj-refwd at the front: "re:", "fw [x]:". */
static bool
cut_refwd(struct span *s)
{
	struct span at = *s;

	if (span_starts_nocase(at, "fwd"))
		at = span_skip(at, 3);
	else if (span_starts_nocase(at, "re") || span_starts_nocase(at, "fw"))
		at = span_skip(at, 2);
	else
		return false;
	at = skip_wsp(at);
	cut_blob(&at);
	if (at.n == 0 || at.p[0] != ':')
		return false;
	*s = span_skip(at, 1);
	return true;
}

/*
 * Steps 3 to 5. A run of blobs is looked at once: "re:" behind it takes all
 * of them along; if it is not there, it is behind no later blob of the run
 * either, and they go one by one as long as something is left.
 */
static bool
cut_leaders(struct span *s)
{
	bool reply = false;

	for (;;) {
		struct span at = skip_wsp(*s), before = at;

		*s = at;
		while (cut_blob(&at))
			continue;
		if (cut_refwd(&at)) {
			*s = at;
			reply = true;
			continue;
		}
		if (at.n > 0) {
			*s = at;
		} else { /* the last blob stays: it is the subject */
			while (cut_blob(&before) && before.n > 0)
				*s = before;
		}
		return reply;
	}
}

/* Step 6. */
static bool
cut_forward(struct span *s)
{
	static const char open[] = "[fwd:";

	if (!span_starts_nocase(*s, open) || s->p[s->n - 1] != ']' ||
	    s->n < sizeof(open))
		return false;
	*s = span_skip(span_take(*s, s->n - 1), sizeof(open) - 1);
	return true;
}

/* Step 1 but for the decoding: any run of blanks is one space. */
static void
add_spaced(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		bool blank = is_wsp(s.p[i]) || s.p[i] == '\r' || s.p[i] == '\n';

		if (!blank)
			buf_add_char(out, s.p[i]);
		else if (out->n == 0 || out->p[out->n - 1] != ' ')
			buf_add_char(out, ' ');
	}
}

bool
base_subject(struct span subject, struct buf *out)
{
	struct buf spaced = BUF_INIT(subject.n + 1);
	bool reply = false;
	struct span s;

	add_spaced(subject, &spaced);
	s = buf_span(&spaced);
	do {
		reply = cut_trailers(&s) || reply;
		reply = cut_leaders(&s) || reply;
	} while (cut_forward(&s) && (reply = true));
	buf_add_span(out, s);
	buf_fini(&spaced);
	return reply;
}
