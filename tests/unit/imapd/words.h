/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_IMAPD_WORDS_H
#define TESTS_UNIT_IMAPD_WORDS_H

/* Arguments of a command from a text of atoms, "strings" and (lists). */

#include <string.h>

#include "lib/imap/imap_read.h"

static inline const struct imap_arg *
words_list(struct arena *arena, const char **text, size_t *count)
{
	struct imap_arg *args =
	    arena_alloc(arena, (strlen(*text) + 2) * sizeof(*args));
	size_t n = 0;

	while (**text != '\0' && **text != ')') {
		struct imap_arg *a = &args[n];
		const char *begin = *text;

		if (*begin == ' ') {
			++*text;
			continue;
		}
		n++;
		if (*begin == '(') {
			++*text;
			a->type = IMAP_LIST;
			a->list = words_list(arena, text, &a->count);
			*text += **text == ')';
			continue;
		}
		if (*begin == '"') {
			a->type = IMAP_QUOTED;
			a->text.p = begin + 1;
			a->text.n = strcspn(begin + 1, "\"");
			*text += a->text.n + 1;
			*text += **text == '"';
			continue;
		}
		a->type = IMAP_ATOM;
		a->text.p = begin;
		a->text.n = strcspn(begin, " ()\"");
		*text += a->text.n;
	}
	args[n].type = IMAP_END;
	*count = n;
	return args;
}

#endif
