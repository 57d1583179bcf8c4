/* SPDX-License-Identifier: ISC */
#include "pop3d/unique_ids.h"

#include "lib/log/log.h"
#include "lib/store/mailbox.h"
#include "lib/store/uidl_format.h"

static struct uidl_format format;
static struct store_ids ids = { .format = &format };
static struct mail_account_settings wanted;
static struct mail_account *account;

void
unique_ids_setup(const struct service *s)
{
	struct why why;

	if (!uidl_format_parse(conf_value(s->conf, "pop3_uidl_format"), &format,
		&why))
		fatal("%s", why.text);
	wanted.separator = conf_value(s->conf, "mail_hierarchy_separator")[0];
	wanted.uidl = format.text[0] == '\0' ? NULL : &format;
	if (format.wants_uid)
		mail_account_prepare();
}

bool
unique_ids_want_account(void)
{
	return format.wants_uid;
}

static enum mail_result
sync_inbox(struct why *why)
{
	struct mailbox_status status;
	struct mailbox *m = NULL;
	enum mail_result r = mailbox_open(account, SPAN("INBOX"), &m, why);

	if (r == MAIL_OK)
		r = mailbox_status(m, 0, &status, why);
	if (r == MAIL_OK)
		ids.uidvalidity = status.uidvalidity;
	mailbox_close(&m);
	return r == MAIL_OK ? mail_account_settle(account, why) : r;
}

bool
unique_ids_take(const char *mail, const struct store_ids **out, struct why *why)
{
	enum mail_result r = MAIL_OK;

	*out = format.text[0] == '\0' ? NULL : &ids;
	if (!format.wants_uid)
		return true;
	wanted.location = mail;
	if (account == NULL)
		r = mail_account_open(&wanted, &account, why);
	if (r != MAIL_OK)
		account = NULL;
	return r == MAIL_OK && sync_inbox(why) == MAIL_OK;
}

void
unique_ids_end(void)
{
	mail_account_close(&account);
}
