/* SPDX-License-Identifier: ISC */
/* POP3 command lines: what is taken is a keyword, and numbers in bounds. */
#include "pop3d/command.h"

#include <stddef.h>
#include <stdint.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = { (const char *)data, size }, argument;
	struct command c;
	uint64_t n;

	if (!command_parse(line, &c))
		return 0;
	ensure(c.keyword.n > 0 && c.keyword.n <= KEYWORD_MAX);
	ensure(c.keyword.n + c.rest.n + (c.has_rest ? 1 : 0) == size);
	ensure(!span_has_break(line));
	while (command_argument(&c.rest, &argument)) {
		ensure(
		    argument.n > 0 && span_find(argument, ' ') == argument.n);
		if (command_number(argument, 1000, &n))
			ensure(n > 0 && n <= 1000);
	}
	return 0;
}
