/* SPDX-License-Identifier: ISC */
/* State files of folders, headers of uidlists, names of files. */
#include "lib/store/folder_state.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/store/mailbox.h"
#include "lib/store/maildir_folder.h"
#include "lib/store/maildir_uidlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
state(struct span text)
{
	struct folder_state s;

	if (!folder_state_parse(text, &s))
		return;
	ensure(s.uidvalidity > 0 && s.bound > 0);
	for (size_t i = 0; i < FOLDER_KEYWORDS_MORE; i++) {
		const struct uid_set *set = &s.more[i].uids;

		ensure(s.more[i].name == NULL ||
		    strlen(s.more[i].name) <= MAIL_KEYWORD_MAX);
		for (size_t r = 1; r < set->count; r++)
			ensure(
			    set->ranges[r].first > set->ranges[r - 1].last + 1);
	}
	(void)folder_state_keywords(&s, 1);
	folder_state_fini(&s);
}

/* A name that is written is read as what it was written of. */
static void
name(struct span text)
{
	struct maildir_file file, again;
	char out[MAILDIR_FILE_MAX];

	if (!maildir_file_parse(text, &file))
		return;
	ensure(file.base.n > 0 && file.base.n <= file.stem.n);
	if (memchr(text.p, '\0', text.n) != NULL ||
	    !maildir_file_name(&file, 4000000000U, MAIL_SEEN | MAIL_DRAFT, 5,
		out))
		return;
	ensure(maildir_file_parse(span_of(out), &again));
	ensure(again.uid == 4000000000U && again.keywords == 5 &&
	    again.flags == (MAIL_SEEN | MAIL_DRAFT) &&
	    span_equal(again.base, file.base) && again.size == file.size &&
	    again.stored == file.stored);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct uidlist_header header;

	state(text);
	name(text);
	if (maildir_uidlist_parse_header(text, &header))
		ensure(header.uidvalidity > 0 && header.uidnext > 0);
	return 0;
}
