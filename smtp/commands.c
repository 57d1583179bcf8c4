/* SPDX-License-Identifier: ISC */
#include "smtp/commands.h"

#include "lib/base/buf.h"
#include "lib/mail/mail_address.h"
#include "lib/mail/xtext.h"
#include "lib/queue/queue_file.h"
#include "smtp/settings.h"

/* The address as it goes between the brackets. */
static void
add_path(struct buf *line, const char *address)
{
	if (!settings()->smtp.smtp_quote_rfc821_envelope)
		buf_add_text(line, address);
	else if (address[0] != '\0')
		(void)mail_address_quote(span_of(address), line);
}

void
command_mail(struct peer *p, const struct msg_deliver *m, const char *sender,
    bool utf8)
{
	unsigned int features = p->features;
	struct buf line = BUF_INIT(3000);

	buf_add_text(&line, "MAIL FROM:<");
	add_path(&line, sender);
	buf_add_char(&line, '>');
	if (features & PEER_SIZE)
		buf_printf(&line, " SIZE=%llu",
		    (unsigned long long)m->content_size);
	if (features & PEER_8BITMIME)
		buf_add_text(&line,
		    (m->flags & QUEUE_BODY_8BIT) ? " BODY=8BITMIME" : "");
	if (utf8)
		buf_add_text(&line, " SMTPUTF8");
	if (features & PEER_DSN) {
		if (m->envid[0] != '\0') {
			buf_add_text(&line, " ENVID=");
			(void)xtext_encode(span_of(m->envid), &line);
		}
		if (m->ret != 0)
			buf_add_text(&line,
			    m->ret == 1 ? " RET=FULL" : " RET=HDRS");
	}
	/* RFC 4954 section 5: who the sender is, we do not vouch for */
	if ((features & PEER_AUTH) &&
	    settings()->smtp.smtp_send_dummy_mail_auth)
		buf_add_text(&line, " AUTH=<>");
	peer_say(p, settings()->smtp.smtp_mail_timeout, "%s", buf_text(&line));
	buf_fini(&line);
}

/* RFC 3461 section 4.1. */
static void
add_notify(struct buf *line, uint64_t notify)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = {
		{ NOTIFY_NEVER, "NEVER" },
		{ NOTIFY_SUCCESS, "SUCCESS" },
		{ NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY, "DELAY" },
	};
	const char *comma = " NOTIFY=";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (notify & names[i].bit) {
			buf_printf(line, "%s%s", comma, names[i].name);
			comma = ",";
		}
}

void
command_rcpt(struct peer *p, const struct msg_deliver_recipient *to,
    const char *address, bool utf8)
{
	struct buf line = BUF_INIT(3800), orcpt = BUF_INIT(2500);

	buf_add_text(&line, "RCPT TO:<");
	add_path(&line, address);
	buf_add_char(&line, '>');
	if (p->features & PEER_DSN) {
		add_notify(&line, to->notify);
		if (to->orcpt[0] != '\0' &&
		    orcpt_encode(span_of(to->orcpt), utf8, &orcpt)) {
			buf_add_text(&line, " ORCPT=");
			buf_add_span(&line, buf_span(&orcpt));
		}
	}
	peer_say(p, settings()->smtp.smtp_rcpt_timeout, "%s", buf_text(&line));
	buf_fini(&orcpt);
	buf_fini(&line);
}
