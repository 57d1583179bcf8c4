/* SPDX-License-Identifier: ISC */
#include "imapd/namespace.h"

#include <stdlib.h>

#include "imapd/namespaces.h"
#include "lib/base/mem.h"
#include "lib/imap/imap_utf7.h"

/* "((\"shared/\" \"/\"))" */
static void
write_one(struct imap_session *s, const char *name, struct buf *out)
{
	char separator = mail_account_separator(s->account);
	char *prefix = mem_printf("%s%c", name, separator);
	struct buf wire = BUF_INIT(4096);

	if (!imap_utf8(s))
		(void)imap_utf7_encode(&wire, span_of(prefix));
	buf_add_char(out, '(');
	imap_write_string(out, imap_utf8(s) ? span_of(prefix) : buf_span(&wire),
	    imap_utf8(s));
	buf_printf(out, " \"%c\")", separator);
	buf_fini(&wire);
	free(prefix);
}

/* RFC 2342, RFC 9051 section 6.3.10. */
void
namespace_command(struct imap_session *s, const struct imap_command *c)
{
	const char *name = namespaces_shared_name(), *location;
	struct buf *out = &s->out;

	if (c->count != 0) {
		reply_bad(s, c, "NAMESPACE has no arguments");
		return;
	}
	buf_printf(out, "* NAMESPACE ((\"\" \"%c\")) ",
	    mail_account_separator(s->account));
	if (name != NULL) {
		buf_add_char(out, '(');
		write_one(s, name, out);
		buf_add_text(out, ") ");
	} else {
		buf_add_text(out, "NIL ");
	}
	for (size_t i = 0; namespaces_public(i, &name, &location); i++) {
		if (i == 0)
			buf_add_char(out, '(');
		write_one(s, name, out);
	}
	buf_add_text(out,
	    namespaces_public(0, &name, &location) ? ")\r\n" : "NIL\r\n");
	reply_ok(s, c, NULL, "Namespace completed.");
}
