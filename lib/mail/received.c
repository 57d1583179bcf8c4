/* SPDX-License-Identifier: ISC */
#include "lib/mail/received.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/mail/mail_address.h"

/* A stranger's word, harmless where a header's structure matters. */
static void
add_word(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		buf_add_char(out,
		    c <= ' ' || c == 0x7f || strchr("<>()\\\";@", c) ? '?' :
								       (char)c);
	}
}

static void
add_client(const struct received *r, struct buf *out)
{
	bool v6 = strchr(r->client_address, ':') != NULL;

	buf_add_text(out, "from ");
	add_word(out, r->helo[0] != '\0' ? r->helo : "unknown");
	buf_add_text(out, " (");
	add_word(out, r->client_name);
	buf_add_text(out, v6 ? " [IPv6:" : " [");
	add_word(out, r->client_address);
	buf_add_text(out, "])\r\n");
	if (r->tls != NULL)
		buf_printf(out, "\t(using %s)\r\n", r->tls);
	if (r->login != NULL) {
		buf_add_text(out, "\t(Authenticated sender: ");
		for (const char *p = r->login; *p != '\0'; p++)
			buf_add_char(out,
			    (unsigned char)*p < ' ' || strchr("()\\", *p) ?
				'?' :
				*p);
		buf_add_text(out, ")\r\n");
	}
	buf_add_text(out, "\tby ");
}

/* Room for the quoting of every byte. */
static void
add_recipient(struct buf *out, const char *recipient)
{
	buf_add_text(out, "\r\n\tfor <");
	mail_address_quote(span_of(recipient), out);
	buf_add_char(out, '>');
}

/* The text, behind these words; nothing for NULL. */
static void
add_with(struct buf *out, const char *words, const char *text)
{
	if (text == NULL)
		return;
	buf_add_text(out, words);
	buf_add_text(out, text);
}

bool
received_format(const struct received *r, struct buf *out)
{
	char date[CLOCK_DATE_MAX];

	buf_add_text(out, "Received: ");
	if (r->local != NULL || r->hidden)
		buf_add_text(out, "by ");
	else
		add_client(r, out);
	buf_add_text(out, r->hostname);
	add_with(out, " (", r->mail_name);
	add_with(out, ", from ", r->local);
	buf_add_char(out, ')');
	add_with(out, " with ", r->hidden ? NULL : r->protocol);
	add_with(out, " id ", r->id);
	if (r->recipient != NULL && r->recipient[0] != '\0') {
		add_recipient(out, r->recipient);
		buf_add_text(out, "; ");
	} else {
		buf_add_text(out, ";\r\n\t");
	}
	clock_mail_date(r->when, date);
	buf_add_text(out, date);
	buf_add_text(out, "\r\n");
	return !out->overflow;
}
