/* SPDX-License-Identifier: ISC */
/* File names of Maildirs and lines of the files beside them. */
#include "lib/store/maildir_list.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
within(struct span part, struct span whole)
{
	return part.n == 0 ||
	    (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void
names(struct span text)
{
	struct maildir_message m;
	char *name, out[256];

	if (!maildir_name_parse(text, &m))
		return;
	ensure(m.base > 0 && m.base <= m.stem && m.stem <= text.n);
	name = mem_span_text(text);
	if (m.stem <= 200 && strlen(name) == text.n) {
		maildir_name_with(name, m.stem, "S", out);
		ensure(strlen(out) < sizeof(out));
		ensure(maildir_name_has(out, 'S'));
		ensure(memcmp(out, name, m.stem) == 0);
	}
	free(name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct maildir_note note;
	uint64_t validity;

	(void)maildir_uidlist_header(text, &validity);
	if (maildir_uidlist_line(text, &note))
		ensure(note.uid > 0 && note.base.n > 0 &&
		    within(note.base, text) && within(note.pop3_name, text));
	if (maildir_sizes_line(text, &note))
		ensure(note.base.n > 0 && within(note.base, text));
	names(text);
	return 0;
}
