/* SPDX-License-Identifier: ISC */
/* What a checker of tokens writes: an answer that can stand in lines, or none.
 */
#include "auth/checker.h"

#include <stddef.h>
#include <string.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct checker_answer a;

	if (!checker_parse(text, &a))
		return 0;
	ensure(a.verdict == OK || a.verdict == NEVER);
	ensure((a.verdict == OK) == (a.user[0] != '\0'));
	ensure((a.verdict == NEVER) == (a.status[0] != '\0'));
	ensure(!span_has_break(span_of(a.user)));
	ensure(!span_has_break(span_of(a.text)));
	ensure(strlen(a.user) + strlen(a.status) + strlen(a.text) < size);
	return 0;
}
