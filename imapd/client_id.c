/* SPDX-License-Identifier: ISC */
#include "imapd/client_id.h"

#include <string.h>

enum { FIELDS_MAX = 30 }; /* RFC 2971 section 3.3 */

static void
add_for_log(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char byte = (unsigned char)text.p[i];

		buf_add_char(out,
		    byte < ' ' || byte >= 0x7f || strchr(",<>", byte) != NULL ?
			'?' :
			(char)byte);
	}
}

static bool
read_fields(const struct imap_arg *fields, size_t count, struct buf *out)
{
	struct span name, value;

	if (count % 2 != 0 || count > (size_t)2 * FIELDS_MAX)
		return false;
	for (size_t i = 0; i < count; i += 2) {
		if (!imap_arg_string(&fields[i], &name) ||
		    !imap_arg_nstring(&fields[i + 1], &value))
			return false;
		if (value.p == NULL)
			continue;
		buf_add_text(out, out->n == 0 ? "" : ", ");
		add_for_log(out, name);
		buf_add_text(out, "=<");
		add_for_log(out, value);
		buf_add_char(out, '>');
	}
	return true;
}

bool
client_id_read(const struct imap_command *c, struct buf *out)
{
	const struct imap_arg *list;

	if (c->count != 1)
		return false;
	return c->args[0].type == IMAP_NIL ||
	    (imap_arg_list(&c->args[0], &list) &&
		read_fields(list, c->args[0].count, out));
}
