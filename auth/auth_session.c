/* SPDX-License-Identifier: ISC */
/*
 * auth-session: whose ticket is this?
 *
 * SECURITY. Runs as the auth user, as auth does. Only session stages can
 * reach it (programs.def), which are trusted with identities: what it answers
 * decides as whom they run. The ticket itself comes from a login stage that
 * may have been taken over, and is nothing but a text to compare.
 */
#include "auth/accounts.h"
#include "auth/state.h"
#include "lib/base/clock.h"
#include "lib/base/why.h"
#include "lib/conf/common.h"
#include "lib/ipc/proto_auth.h"
#include "lib/log/log.h"
#include "lib/service/service.h"

enum { ANSWER_TIMEOUT_S = 10 };

static struct common_params common;
static struct auth_params settings;
static struct accounts *accounts;
static struct state *shared;

static void
before(const struct service *s)
{
	struct buf error = BUF_INIT(1024);

	accounts = accounts_new(&settings, &error);
	if (accounts == NULL)
		fatal("%s", buf_text(&error));
	if (conf_raw(s->conf, "account_mail") == NULL)
		accounts_system_mail(accounts,
		    conf_value(s->conf, "home_mailbox"),
		    conf_value(s->conf, "mail_spool_directory"));
	shared = state_open(common.data_directory);
	buf_fini(&error);
}

static bool
reply(struct ipc *c, const struct msg_account *answer)
{
	return ipc_send(c, &message_account, answer,
		   clock_in(ANSWER_TIMEOUT_S)) == IPC_OK;
}

static bool
refuse(struct ipc *c, enum verdict verdict, const char *user)
{
	struct msg_account answer = {
		.verdict = verdict,
		.user = user,
		.home = "",
		.mail = "",
	};

	return reply(c, &answer);
}

static bool
tell(struct ipc *c, const struct account *account)
{
	struct buf error = BUF_INIT(1024);
	struct msg_account answer = { .verdict = OK, .user = account->user };
	struct mailbox box;
	bool good;

	if (accounts_mailbox(accounts, account, &box, &error)) {
		answer.uid = box.uid;
		answer.gid = box.gid;
		answer.home = buf_text(&box.home);
		answer.mail = buf_text(&box.mail);
		answer.quota_bytes = box.quota_bytes;
		answer.quota_messages = box.quota_messages;
		good = reply(c, &answer);
	} else {
		log_warning("%s", buf_text(&error));
		good = refuse(c, LATER, account->user);
	}
	mailbox_fini(&box);
	buf_fini(&error);
	return good;
}

static bool
request(const struct service *s, struct ipc *c, void **state)
{
	const struct msg_redeem *m;
	const void *message;
	struct account account;
	char user[STATE_USER_MAX];

	(void)s, (void)state;
	if (ipc_expect(c, &message_redeem, &message,
		clock_in(ANSWER_TIMEOUT_S)) != IPC_OK)
		return false;
	m = message;
	if (!state_redeem(shared, m->service, m->ticket, clock_ms(), user)) {
		log_warning("a ticket for %s that is not valid: used before,"
			    " too old, or made up",
		    m->service);
		return refuse(c, NEVER, "");
	}
	switch (accounts_find(accounts, span_of(user), &account)) {
	case ACCOUNT_FOUND:
		return tell(c, &account);
	case ACCOUNT_NONE:
		return refuse(c, NEVER, user);
	case ACCOUNT_LATER:
		break;
	}
	return refuse(c, LATER, user);
}

int
main(int argc, char **argv)
{
	static const struct service_params params[] = {
		{ &common_param_group, &common },
		{ &auth_param_group, &settings },
		{ NULL, NULL },
	};
	static const struct service_spec spec = {
		.program = "auth-session",
		.style = SERVICE_REQUESTS,
		.params = params,
		.protocol = &protocol_auth,
		.before = before,
		.request = request,
	};

	return service_run(&spec, argc, argv);
}
