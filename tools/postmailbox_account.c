/* SPDX-License-Identifier: ISC */
/* Apart from the rest: accounts know a struct mailbox of their own. */
#include "tools/postmailbox.h"

#include <sysexits.h>

#include "auth/accounts.h"
#include "lib/base/mem.h"
#include "lib/conf/conf.h"
#include "lib/log/log.h"

#define PARAM_GROUP store
#define PARAM_DEF "lib/store/params.def"
#include "lib/conf/param.h"

/* The name stands for an account; what auth would tell a session of it. */
static void
find(struct conf *c, const struct auth_params *settings, const char *user,
    struct postmailbox *out)
{
	struct buf error = BUF_INIT(1024);
	struct accounts *accounts;
	struct account account;
	struct mailbox box;

	accounts_tables(c);
	accounts = accounts_new(settings, &error);
	if (accounts == NULL)
		fatal_status(EX_CONFIG, "%s", buf_text(&error));
	if (conf_raw(c, "account_mail") == NULL)
		accounts_system_mail(accounts, conf_value(c, "home_mailbox"),
		    conf_value(c, "mail_spool_directory"));
	switch (accounts_find(accounts, span_of(user), &account)) {
	case ACCOUNT_FOUND:
		break;
	case ACCOUNT_NONE:
		fatal_status(EX_NOUSER, "%s: there is no such account", user);
	case ACCOUNT_LATER:
		fatal_status(EX_TEMPFAIL, "%s: accounts cannot be read", user);
	}
	if (!accounts_mailbox(accounts, &account, &box, &error))
		fatal_status(EX_CONFIG, "%s", buf_text(&error));
	out->location = mem_text(buf_text(&box.mail));
	out->uid = box.uid;
	out->gid = box.gid;
	out->has_owner = true;
	mailbox_fini(&box);
	accounts_free(&accounts);
	buf_fini(&error);
}

void
postmailbox_account(const char *config, const char *user,
    struct postmailbox *out)
{
	struct buf errors = BUF_INIT(1 << 16);
	struct conf *c = conf_read(conf_find_directory(config), &errors, NULL);
	struct auth_params settings;
	struct store_params store;
	struct why why;

	if (c == NULL || !conf_fill(c, &auth_param_group, &settings, &errors) ||
	    !conf_fill(c, &store_param_group, &store, &errors))
		fatal_lines(EX_CONFIG, buf_text(&errors));
	buf_fini(&errors);
	if (out->separator == '\0')
		out->separator = store.mail_hierarchy_separator[0];
	/* it outlives the settings */
	if (!uidl_format_parse(mem_text(conf_value(c, "pop3_uidl_format")),
		&out->uidl, &why))
		fatal_status(EX_CONFIG, "%s", why.text);
	find(c, &settings, user, out);
	conf_free(&c);
}
