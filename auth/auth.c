/* SPDX-License-Identifier: ISC */
/*
 * auth: who is this client?
 *
 * SECURITY. Runs as the auth user, with files and the network for account
 * sources, and nothing else; the only program that reads password data
 * (system users' passwords are auth-pam's business). Hostile input: what
 * strangers send as SASL responses, through login stages that may have been
 * taken over. Such a stage can guess passwords, slowed by delays it is told
 * and by our log; it can neither read them nor become a user whose password
 * it does not have, since tickets are given out for passwords alone, and are
 * redeemed by a program it cannot reach (auth-session).
 *
 * Never waits on behalf of a slow client, and never sleeps after a failure:
 * the login stage does, which has a task for each.
 */
#include "auth/app_use.h"
#include "auth/login.h"
#include "auth/state.h"
#include "lib/base/clock.h"
#include "lib/conf/common.h"
#include "lib/ipc/proto_auth.h"
#include "lib/ipc/proto_pam.h"
#include "lib/log/log.h"
#include "lib/service/service.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_TIMEOUT_S = 10, PAM_TIMEOUT_S = 30 };

static struct common_params common;
static struct auth_params settings;
static struct state *shared;

static enum verdict
pam_dialogue(struct ipc *c, const struct msg_pam_check *question, bool *whole)
{
	int64_t deadline = clock_in(PAM_TIMEOUT_S);
	const struct msg_pam_checked *answer;
	const void *message;

	ipc_put(c, &message_pam_check, question);
	if (ipc_expect(c, &message_pam_checked, &message, deadline) != IPC_OK)
		return LATER;
	*whole = true;
	answer = message;
	if (answer->verdict != OK)
		log_info("PAM refuses %s: %s", question->user, answer->text);
	return (enum verdict)answer->verdict;
}

static enum verdict
ask_pam(const char *pam_service, const char *user, const char *client,
    struct span password)
{
	struct msg_pam_check question = {
		.pam_service = pam_service,
		.user = user,
		.client = client,
		.password = password,
	};
	enum verdict verdict;
	bool whole = false;
	struct ipc *c;

	if (password.n > message_pam_check.fields[3].limit)
		return NEVER;
	c = service_ask("auth-pam", &protocol_pam, clock_in(PAM_TIMEOUT_S));
	if (c == NULL)
		return LATER;
	verdict = pam_dialogue(c, &question, &whole);
	if (!whole)
		log_warning("no answer from auth-pam");
	service_done("auth-pam", &c, whole);
	return verdict;
}

static void
before(const struct service *s)
{
	struct buf error = BUF_INIT(1024);
	struct login_config config = {
		.params = &settings,
		.accounts = accounts_new(&settings, &error),
		.pam = ask_pam,
	};

	(void)s;
	if (settings.account_app_password_file[0] != '\0')
		config.use = app_use_open(common.data_directory);
	if (config.accounts == NULL || !login_setup(&config, &error))
		fatal("%s", buf_text(&error));
	shared = state_open(common.data_directory);
	buf_fini(&error);
}

static bool
answer_end(struct ipc *c, struct login **l, enum exchange_result result)
{
	struct msg_authenticated answer = {
		.user = login_user(*l),
		.behind = login_behind(*l),
		.ticket = "",
		.text = login_why(*l),
	};
	char ticket[TICKET_TEXT_MAX] = "";
	bool wants_ticket = strcmp(login_service(*l), "smtp") != 0;
	int64_t now = clock_ms();
	enum ipc_result sent;

	answer.verdict = result == EXCHANGE_DONE ? OK :
	    result == EXCHANGE_LATER             ? LATER :
						   NEVER;
	if (result == EXCHANGE_DONE && wants_ticket) {
		answer.ticket = ticket;
		if (!state_issue(shared, login_service(*l), answer.user,
			answer.behind, now, ticket)) {
			answer.verdict = LATER;
			answer.text = "too many logins under way";
		}
	}
	/* "later" as well: some PAM modules mean a wrong password by it */
	if (result != EXCHANGE_DONE)
		answer.delay_ms = state_failure(shared, login_client(*l),
		    answer.user, login_master(*l), now,
		    (uint64_t)settings.auth_failure_delay_max * 1000);
	sent = ipc_send(c, &message_authenticated, &answer,
	    clock_in(ANSWER_TIMEOUT_S));
	login_free(l);
	return sent == IPC_OK;
}

static bool
answer_step(struct ipc *c, struct login **l, enum exchange_result result,
    struct span out)
{
	struct msg_challenge challenge = { .data = out };

	if (result != EXCHANGE_MORE)
		return answer_end(c, l, result);
	return ipc_send(c, &message_challenge, &challenge,
		   clock_in(ANSWER_TIMEOUT_S)) == IPC_OK;
}

static bool
is_service(const char *name)
{
	return strcmp(name, "smtp") == 0 || strcmp(name, "pop3") == 0 ||
	    strcmp(name, "imap") == 0;
}

static bool
on_authenticate(struct ipc *c, struct login **l,
    const struct msg_authenticate *m)
{
	enum exchange_result result;
	struct span out;

	if (*l != NULL || !is_service(m->service)) {
		ipc_refuse(c,
		    *l != NULL ? "a second exchange at once" :
				 "unknown service");
		return false;
	}
	*l = login_new(m->service, m->mechanism, m->client, m->server);
	if (*l == NULL) {
		struct msg_authenticated no = {
			.verdict = NEVER,
			.user = "",
			.behind = "",
			.ticket = "",
			.text = "no such mechanism",
		};

		return ipc_send(c, &message_authenticated, &no,
			   clock_in(ANSWER_TIMEOUT_S)) == IPC_OK;
	}
	result = login_start(*l, m->has_initial ? &m->initial : NULL, &out);
	return answer_step(c, l, result, out);
}

static bool
on_response(struct ipc *c, struct login **l, const struct msg_response *m)
{
	enum exchange_result result;
	struct span out;

	if (*l == NULL) {
		ipc_refuse(c, "a response to nothing");
		return false;
	}
	if (m->cancel) {
		struct msg_authenticated no = {
			.verdict = NEVER,
			.user = "",
			.behind = "",
			.ticket = "",
			.text = "cancelled by the client",
		};

		login_free(l);
		return ipc_send(c, &message_authenticated, &no,
			   clock_in(ANSWER_TIMEOUT_S)) == IPC_OK;
	}
	result = login_step(*l, m->data, &out);
	return answer_step(c, l, result, out);
}

static bool
on_mechanisms(struct ipc *c)
{
	struct msg_mechanisms_reply reply = { .names = exchange_mechanisms() };

	return ipc_send(c, &message_mechanisms_reply, &reply,
		   clock_in(ANSWER_TIMEOUT_S)) == IPC_OK;
}

static bool
request(const struct service *s, struct ipc *c, void **state)
{
	struct login *l = *state;
	const struct ipc_message *kind;
	const void *message;
	bool good = false;

	(void)s;
	if (ipc_receive(c, &kind, &message, clock_in(ANSWER_TIMEOUT_S)) !=
	    IPC_OK)
		return false;
	if (kind == &message_mechanisms)
		good = on_mechanisms(c);
	else if (kind == &message_authenticate)
		good = on_authenticate(c, &l, message);
	else if (kind == &message_response)
		good = on_response(c, &l, message);
	else
		ipc_refuse(c, "%s is not for auth", kind->name);
	*state = l;
	return good;
}

static void
closed(const struct service *s, void *state)
{
	struct login *l = state;

	(void)s;
	login_free(&l);
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
		.program = "auth",
		.style = SERVICE_REQUESTS,
		.params = params,
		.protocol = &protocol_auth,
		.before = before,
		.request = request,
		.closed = closed,
	};

	return service_run(&spec, argc, argv);
}
