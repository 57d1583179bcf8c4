/* SPDX-License-Identifier: ISC */
/*
 * auth-session: whose ticket is this?
 *
 * SECURITY. Runs as the auth user, as auth does, and asks lookup-auth-server
 * for accounts on servers; each connection is a task. Only session stages and
 * quota can reach it (programs.def), which are root's and trusted with
 * identities: what it answers decides as whom they run. The ticket itself comes
 * from a login stage that may have been taken over, and is nothing but a text
 * to compare; so is an address, which comes from smtpd.
 */
#include "auth/accounts.h"
#include "auth/state.h"
#include "lib/base/clock.h"
#include "lib/base/why.h"
#include "lib/conf/common.h"
#include "lib/ipc/proto_auth.h"
#include "lib/log/log.h"
#include "lib/service/ask_server.h"
#include "lib/service/askers.h"
#include "lib/service/service.h"
#include "lib/table/table.h"
#include "lib/task/task.h"

enum {
	ANSWER_TIMEOUT_S = 10,
	TABLE_TIMEOUT_S = 15,
	ADDRESS_ROOM = 1024,
	TURN_MAX = 16
};

static struct common_params common;
static struct auth_params settings;
static struct accounts *accounts;
static struct state *shared;

static void
before(const struct service *s)
{
	struct buf error = BUF_INIT(1024);

	accounts_tables(s->conf);
	ask_server_open("lookup-auth-server", TABLE_TIMEOUT_S);
	accounts = accounts_new(&settings, &error);
	if (accounts == NULL)
		fatal("%s", buf_text(&error));
	if (conf_raw(s->conf, "account_mail") == NULL)
		accounts_system_mail(accounts,
		    conf_value(s->conf, "home_mailbox"),
		    conf_value(s->conf, "mail_spool_directory"));
	service_promise_too(table_promises());
	shared = state_open(common.data_directory);
	buf_fini(&error);
}

/* By tables that are no more: there is another process who has them. */
static bool
decline(struct ipc *c)
{
	askers_leave();
	ipc_decline(c);
	return false;
}

static bool
reply(struct ipc *c, const struct msg_account *answer)
{
	if (table_restart_wanted())
		return decline(c);
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
		.behind = "",
	};

	return reply(c, &answer);
}

static bool
tell(struct ipc *c, const struct account *account, const char *behind)
{
	struct buf error = BUF_INIT(1024);
	struct msg_account answer = { .verdict = OK,
		.user = account->user,
		.behind = behind };
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

/* The part of an address that accounts are named by. */
static struct span
without_extension(struct span address, struct buf *out)
{
	size_t at = span_rfind(address, '@');
	struct span user = span_take(address, at);
	size_t n = table_extension(user, common.recipient_delimiter);

	buf_add_span(out, span_take(user, n));
	buf_add_span(out, span_skip(address, at));
	return buf_span(out);
}

static bool
find(struct ipc *c, const void *message)
{
	const struct msg_find_account *m = message;
	struct span name = span_of(m->address);
	struct buf plain = BUF_INIT(ADDRESS_ROOM);
	enum accounts_result r;
	struct account account;

	if (m->local)
		name = span_take(name, span_rfind(name, '@'));
	r = accounts_find(accounts, name, &account);
	if (r == ACCOUNT_NONE)
		r = accounts_find(accounts, without_extension(name, &plain),
		    &account);
	buf_fini(&plain);
	if (r == ACCOUNT_FOUND)
		return tell(c, &account, "");
	return refuse(c, r == ACCOUNT_NONE ? NEVER : LATER, "");
}

/* So that the next process, which has the accounts as they are, finds it. */
static void
give_back(const struct msg_redeem *m, const struct state_login *whose)
{
	if (!state_unredeem(shared, m->service, m->ticket, clock_ms(), whose))
		log_warning("no room for a ticket that is to be redeemed anew");
}

static bool
redeem(struct ipc *c, const void *message)
{
	const struct msg_redeem *m = message;
	struct account account;
	struct state_login whose;
	enum accounts_result r;

	if (!state_redeem(shared, m->service, m->ticket, clock_ms(), &whose)) {
		log_warning("a ticket for %s that is not valid: used before,"
			    " too old, or made up",
		    m->service);
		return refuse(c, NEVER, "");
	}
	r = accounts_find(accounts, span_of(whose.user), &account);
	if (table_restart_wanted())
		give_back(m, &whose);
	if (r == ACCOUNT_FOUND)
		return tell(c, &account, whose.behind);
	return refuse(c, r == ACCOUNT_NONE ? NEVER : LATER, whose.user);
}

static bool
answer(struct ipc *c)
{
	const struct ipc_message *m;
	const void *message;

	if (ipc_receive(c, &m, &message, INT64_MAX) != IPC_OK)
		return false;
	if (table_restart_wanted())
		return decline(c);
	if (m == &message_redeem)
		return redeem(c, message);
	if (m == &message_find_account)
		return find(c, message);
	ipc_refuse(c, "%s is no question", m->name);
	return false;
}

static void
session(const struct service *s, int fd)
{
	struct ipc *c = ipc_new(fd, &protocol_auth, "client");
	struct asker asker;
	unsigned int turn = 0;

	(void)s;
	asker_add(&asker, fd);
	while (answer(c))
		if (++turn % TURN_MAX == 0 && wait_yield() == WAIT_CANCELLED)
			break;
	asker_drop(&asker);
	ipc_free(&c);
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
		.style = SERVICE_TASKS,
		.stays = true,
		.params = params,
		.protocol = &protocol_auth,
		.before = before,
		.session = session,
	};

	return service_run(&spec, argc, argv);
}
