/* SPDX-License-Identifier: ISC */
#include "pop3d/command.h"

bool
command_parse(struct span line, struct command *out)
{
	size_t n = span_find(line, ' ');

	for (size_t i = 0; i < line.n; i++)
		if ((unsigned char)line.p[i] < ' ' || line.p[i] == 0x7f)
			return false;
	if (n == 0 || n > KEYWORD_MAX)
		return false;
	out->keyword = span_take(line, n);
	out->has_rest = n < line.n;
	out->rest = out->has_rest ? span_skip(line, n + 1) : SPAN("");
	return true;
}

bool
command_argument(struct span *rest, struct span *argument)
{
	while (rest->n > 0 && rest->p[0] == ' ')
		*rest = span_skip(*rest, 1);
	return span_cut(rest, " ", false, argument) && argument->n > 0;
}

bool
command_number(struct span argument, uint64_t max, uint64_t *out)
{
	return argument.n <= 20 && span_u64(argument, max, out) && *out > 0;
}
