/* SPDX-License-Identifier: ISC */
/* What a checker of tokens has written. Pure. */
#include "auth/checker.h"

#include <stdio.h>
#include <string.h>

static bool
is_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' ||
		    (unsigned char)s.p[i] >= 0x7f)
			return false;
	return s.n > 0;
}

static bool
is_code(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && s.p[i] != '_')
			return false;
	return s.n > 0;
}

/* Once. */
static bool
take_text(struct span value, char *out, size_t room)
{
	if (!is_printable(value) || value.n >= room || out[0] != '\0')
		return false;
	memcpy(out, value.p, value.n);
	out[value.n] = '\0';
	return true;
}

static bool
take_line(struct span line, struct checker_answer *out)
{
	size_t at = span_find(line, '=');
	struct span name = span_take(line, at);
	struct span value = span_trim(span_skip(line, at + 1));

	if (at == line.n)
		return false;
	if (span_is(name, "user"))
		return take_text(value, out->user, sizeof(out->user));
	if (span_is(name, "expires"))
		return out->expires == 0 &&
		    span_u64(value, INT64_MAX, &out->expires);
	if (span_is(name, "error"))
		return is_code(value) &&
		    take_text(value, out->status, sizeof(out->status));
	if (span_is(name, "reason"))
		return take_text(value, out->text, sizeof(out->text));
	return false;
}

bool
checker_parse(struct span text, struct checker_answer *out)
{
	struct checker_answer found = { .verdict = LATER };
	struct span line;

	/* one that was cut off has no end */
	if (text.n == 0 || text.p[text.n - 1] != '\n')
		return false;
	while (span_cut(&text, "\n", false, &line))
		if (line.n > 0 && !take_line(line, &found))
			return false;
	if ((found.user[0] != '\0') == (found.status[0] != '\0'))
		return false;
	if (found.status[0] != '\0' && found.expires != 0)
		return false;
	found.verdict = found.user[0] != '\0' ? OK : NEVER;
	*out = found;
	return true;
}
