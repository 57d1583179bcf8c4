/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_CF_EDIT_H
#define TOOLS_CF_EDIT_H

/*
 * Changes main.cf or master.cf in place: entries are kept, replaced, removed
 * or made comments; all other lines stay as they are. The new file appears
 * by rename(2), complete, with the owner and mode of the old one.
 */

#include <stdbool.h>
#include "lib/base/buf.h"

enum cf_action { CF_KEEP, CF_REPLACE, CF_REMOVE, CF_COMMENT, CF_REFUSE };

struct cf_edit {
	/*
	 * What becomes of one logical line; for CF_REPLACE, the new text
	 * (without line end) goes to *replacement; for CF_REFUSE, why
	 * nothing at all is changed.
	 */
	enum cf_action (
	    *decide)(void *with, struct span line, struct buf *replacement);
	/* Lines to add at the end, each with its line end. */
	void (*finish)(void *with, struct buf *out);
	void *with;
};

/* False with a line in *error; then the old file is untouched. */
bool
cf_edit_file(const char *path, const struct cf_edit *edit, struct buf *error);
/* The same on texts; false: why it was refused is in *out. */
bool
cf_edit_text(struct span text, const struct cf_edit *edit, struct buf *out);

#endif
