/* SPDX-License-Identifier: ISC */
/*
 * What an argument can be taken for: the questions of imap_read.h.
 */
#include "lib/imap/imap_read.h"

#include <string.h>

#include "lib/imap/imap_date.h"

bool
imap_arg_atom(const struct imap_arg *a, struct span *out)
{
	if (a->type != IMAP_ATOM && a->type != IMAP_NIL)
		return false;
	*out = a->text;
	return true;
}

bool
imap_arg_is(const struct imap_arg *a, const char *atom)
{
	struct span text;

	return imap_arg_atom(a, &text) && span_is_nocase(text, atom);
}

bool
imap_arg_string(const struct imap_arg *a, struct span *out)
{
	if (a->type != IMAP_QUOTED && a->type != IMAP_LITERAL &&
	    a->type != IMAP_LITERAL8)
		return false;
	*out = a->text;
	return true;
}

/* An atom without what only lists, sets, flags and sections have in them. */
static bool
is_plain(struct span text, const char *but)
{
	for (size_t i = 0; i < text.n; i++)
		if (memchr(but, text.p[i], strlen(but)) != NULL)
			return false;
	return true;
}

bool
imap_arg_astring(const struct imap_arg *a, struct span *out)
{
	if (imap_arg_string(a, out))
		return true;
	return imap_arg_atom(a, out) && is_plain(*out, " (){%*\"\\");
}

bool
imap_arg_list_mailbox(const struct imap_arg *a, struct span *out)
{
	if (imap_arg_string(a, out))
		return true;
	return imap_arg_atom(a, out) && is_plain(*out, " (){\"\\");
}

bool
imap_arg_nstring(const struct imap_arg *a, struct span *out)
{
	if (a->type == IMAP_NIL) {
		*out = (struct span){ NULL, 0 };
		return true;
	}
	return imap_arg_string(a, out);
}

bool
imap_arg_number(const struct imap_arg *a, uint64_t max, uint64_t *out)
{
	return a->type == IMAP_ATOM && span_u64(a->text, max, out);
}

bool
imap_arg_list(const struct imap_arg *a, const struct imap_arg **out)
{
	if (a->type != IMAP_LIST)
		return false;
	*out = a->list;
	return true;
}

bool
imap_arg_date_time(const struct imap_arg *a, int64_t *out)
{
	return a->type == IMAP_QUOTED && imap_date_time_parse(a->text, out);
}

bool
imap_arg_date(const struct imap_arg *a, int64_t *days)
{
	return (a->type == IMAP_QUOTED || a->type == IMAP_ATOM) &&
	    imap_date_parse(a->text, days);
}
