/* SPDX-License-Identifier: ISC */
#include "lib/store/special_folders.h"

#include <stdint.h>
#include <stdlib.h>

#include "lib/base/mem.h"

static unsigned int
special_use(struct span word)
{
	static const struct {
		const char *name;
		unsigned int use;
	} uses[] = {
#define SPECIAL_USE(name, use) { name, use },
#include "lib/store/special_uses.def"
#undef SPECIAL_USE
	};

	if (span_starts(word, "\\"))
		word = span_skip(word, 1);
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (span_is_nocase(word, uses[i].name))
			return uses[i].use;
	return 0;
}

static bool
take(struct span row, struct special_folder *out)
{
	size_t colon = span_rfind(row, ':');
	struct span name = span_trim(span_take(row, colon));
	unsigned int use = 0;

	if (colon < row.n && name.n > 0)
		use = special_use(span_trim(span_skip(row, colon + 1)));
	if (use == 0)
		return false;
	out->name = mem_span_text(name);
	out->use = use;
	return true;
}

bool
special_folders_parse(const char *text,
    struct special_folder out[SPECIAL_FOLDERS_MAX + 1], struct why *why)
{
	struct span rest = span_of(text), row;
	size_t n = 0;

	out[0].name = NULL;
	while (span_cut(&rest, ",", true, &row)) {
		row = span_trim(row);
		if (row.n == 0)
			continue;
		if (n == SPECIAL_FOLDERS_MAX || !take(row, &out[n])) {
			why_set(why, "4.3.5",
			    "\"%.*s\" is not a name, a colon, and a use such "
			    "as Sent",
			    SPAN_ARG(row));
			special_folders_fini(out);
			return false;
		}
		out[++n].name = NULL;
	}
	return true;
}

void
special_folders_fini(struct special_folder *folders)
{
	for (; folders->name != NULL; folders++) {
		free((char *)(uintptr_t)folders->name);
		folders->name = NULL;
	}
}
