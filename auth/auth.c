/* SPDX-License-Identifier: ISC */
/*
 * auth: who is this client?
 *
 * SECURITY. Runs as the auth user, with files of accounts, and nothing else;
 * those on servers it asks of lookup-auth-server, and what passwords of system
 * users are worth of auth-pam. Hostile input: what
 * strangers send as SASL responses, through login stages that may have been
 * taken over. Such a stage can guess passwords, slowed by delays it is told
 * and by our log; it can neither read them nor become a user whose password
 * it does not have, since tickets are given out for passwords alone, and are
 * redeemed by a program it cannot reach (auth-session).
 *
 * Each connection is a task, and so is the login on it: whoever waits for a
 * server, for PAM or for the program that knows tokens (auth-token) holds up
 * nobody else. After a failure the login stage sleeps, not this program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/app_use.h"
#include "auth/login.h"
#include "auth/state.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/conf/common.h"
#include "lib/ipc/proto_auth.h"
#include "lib/ipc/proto_pam.h"
#include "lib/ipc/proto_token.h"
#include "lib/log/log.h"
#include "lib/net/address.h"
#include "lib/service/ask_server.h"
#include "lib/service/service.h"
#include "lib/table/table.h"
#include "lib/task/task.h"

enum {
	ANSWER_TIMEOUT_S = 10,
	PAM_TIMEOUT_S = 30,
	TABLE_TIMEOUT_S = 30, /* a login asks twice at most if that fails */
	TOKEN_WAIT_S = 30, /* for a process of auth-token, at most */
	RESTART_WAIT_S = 3, /* for logins under way */
	TURN_MAX = 16, /* messages before the others have their turn */
};

/* A login stage's connection, and the attempt under way on it. */
struct peer {
	struct ipc *client;
	struct login *login; /* NULL: none */
	bool asked; /* the client has been asked for more */
	bool counted; /* its failure, which is still being told */
	bool crowded; /* the failure is ours: too many questions, or we end */
	uint64_t delay_ms;
};

static struct common_params common;
static struct auth_params settings;
static struct state *shared;
static bool ends; /* soon */
static size_t logins; /* under way */

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
	struct login_config config;

	accounts_tables(s->conf);
	ask_server_open("lookup-auth-server", TABLE_TIMEOUT_S);
	config = (struct login_config){
		.params = &settings,
		.accounts = accounts_new(&settings, &error),
		.pam = ask_pam,
		.app_file_named =
		    conf_raw(s->conf, "account_app_password_file") != NULL,
		.plaintext = !conf_is_yes(s->conf, "disable_plaintext_auth"),
	};

	if (settings.account_app_password_file[0] != '\0')
		config.use = app_use_open(common.data_directory);
	if (config.accounts == NULL || !login_setup(&config, &error))
		fatal("%s", buf_text(&error));
	service_promise_too(table_promises());
	shared = state_open(common.data_directory);
	buf_fini(&error);
}

static uint64_t
count_failure(const struct login *l)
{
	return state_failure(shared, login_client(l), login_user(l),
	    login_master(l), clock_ms(),
	    (uint64_t)settings.auth_failure_delay_max * 1000);
}

static void
end_login(struct peer *p)
{
	logins -= p->login != NULL;
	login_free(&p->login);
	p->asked = false;
}

/* The login stage has no words left to log it with. */
static void
log_lost(const struct login *l)
{
	const char *why = login_why(l);

	log_warning("unknown[%s]: SASL authentication failed: %s%s%s%s, and the"
		    " client went away",
	    login_client(l), why[0] == '\0' ? "not answered yet" : why,
	    login_user(l)[0] == '\0' ? "" : ", sasl_username=", login_user(l),
	    login_behind(l));
}

static bool
answer_end(struct peer *p, enum exchange_result result)
{
	struct login *l = p->login;
	struct msg_authenticated answer = {
		.user = login_user(l),
		.behind = login_behind(l),
		.ticket = "",
		.text = login_why(l),
	};
	char ticket[TICKET_TEXT_MAX] = "";
	bool wants_ticket = strcmp(login_service(l), "smtp") != 0;
	enum ipc_result sent;

	answer.verdict = result == EXCHANGE_DONE ? OK :
	    result == EXCHANGE_LATER             ? LATER :
						   NEVER;
	if (result == EXCHANGE_DONE && wants_ticket) {
		answer.ticket = ticket;
		if (!state_issue(shared, login_service(l), answer.user,
			answer.behind, clock_ms(), ticket)) {
			answer.verdict = LATER;
			answer.text = "too many logins under way";
		}
	}
	/* "later" as well: some PAM modules mean a wrong password by it */
	if (result != EXCHANGE_DONE && !p->crowded)
		answer.delay_ms = p->counted ? p->delay_ms : count_failure(l);
	p->counted = p->crowded = false;
	sent = ipc_send(p->client, &message_authenticated, &answer,
	    clock_in(ANSWER_TIMEOUT_S));
	/* going before the answer does not make it no attempt */
	if (sent != IPC_OK && result != EXCHANGE_DONE)
		log_lost(l);
	end_login(p);
	return sent == IPC_OK;
}

/* A client that is told no, and why, cannot undo it by going away. */
static bool
answer_challenge(struct peer *p, struct span out)
{
	struct msg_challenge challenge = { .data = out };

	p->asked = true;
	if (login_is_lost(p->login) && !p->counted) {
		p->delay_ms = count_failure(p->login);
		p->counted = true;
	}
	return ipc_send(p->client, &message_challenge, &challenge,
		   clock_in(ANSWER_TIMEOUT_S)) == IPC_OK;
}

static bool ask_token(struct peer *p);

/* We leave first, or it would come back to us while others log in. */
static bool
decline(struct peer *p)
{
	service_leave();
	ipc_decline(p->client);
	end_login(p);
	return false;
}

/*
 * By accounts that are no more: another process has the new ones. Whoever has
 * asked its client something already cannot begin with that one, and is told
 * to try again. What the old ones found wrong is counted all the same, or this
 * would be the time for guessing: nothing right can be told from it for free.
 */
static bool
answer_by_none(struct peer *p, enum exchange_result result)
{
	if (p->asked) {
		if (result != EXCHANGE_FAILED && result != EXCHANGE_LATER)
			p->crowded = true; /* no failure of the client's */
		return answer_end(p, EXCHANGE_LATER);
	}
	return decline(p);
}

/* Is told why it fails, and answers nothing that matters. */
static bool
is_being_told(const struct peer *p, enum exchange_result result)
{
	return p->asked && result == EXCHANGE_MORE && login_is_lost(p->login);
}

/* Unless it was the system that said it, as long as they were the present. */
static bool
is_of_the_past(const struct peer *p, enum exchange_result result)
{
	return table_restart_wanted() && !is_being_told(p, result) &&
	    !login_system_asked(p->login);
}

static bool
answer_step(struct peer *p, enum exchange_result result, struct span out)
{
	if (is_of_the_past(p, result))
		return answer_by_none(p, result);
	if (result == EXCHANGE_MORE)
		return answer_challenge(p, out);
	if (result == EXCHANGE_ASKS)
		return ask_token(p);
	return answer_end(p, result);
}

/* Tokens. */

static bool
conclude_token(struct peer *p, const struct msg_token_checked *m)
{
	struct login_answer answer = { .verdict = LATER,
		.user = "",
		.status = "",
		.text = "no answer about the token" };
	enum exchange_result result;
	struct span out;

	if (m != NULL)
		answer = (struct login_answer){
			.verdict = (enum verdict)m->verdict,
			.user = m->user,
			.expires = m->expires,
			.status = m->status,
			.text = m->text,
		};
	result = login_answered(p->login, &answer, &out);
	return answer_step(p, result, out);
}

/* NULL: none came. The answer lives as long as nothing else is received. */
static const struct msg_token_checked *
token_dialogue(struct ipc *c, const struct login *l, int64_t deadline)
{
	struct login_question question;
	struct msg_token_check m = {
		.protocol = login_service(l),
		.client = login_client(l),
	};
	const void *message = NULL;
	struct address address;
	enum ipc_result r;

	login_question(l, &question);
	m.user = question.user;
	m.token = question.token;
	/* the login stage says it: it becomes a line for others to read */
	if (!address_parse_ip(span_of(m.client), 0, &address))
		m.client = "unknown";
	r = ipc_send(c, &message_token_check, &m, deadline);
	if (r == IPC_OK)
		r = ipc_expect(c, &message_token_checked, &message, deadline);
	if (r == IPC_OK)
		return message;
	log_warning("no answer from auth-token: %s", ipc_result_text(r));
	return NULL;
}

/*
 * Counted with those of the other processes. Of one source there is room for a
 * quarter, so that four are needed.
 */
static bool
is_crowded(const char *source, uint64_t *number)
{
	unsigned int most = (unsigned int)settings.auth_token_concurrency, n;
	const struct state_limits limits = {
		.most = most,
		.most_of_one = most < 4 ? 1 : most / 4,
		.ends = clock_in(settings.auth_token_timeout + TOKEN_WAIT_S),
	};

	switch (state_ask(shared, source, clock_ms(), &limits, number, &n)) {
	case STATE_ROOM:
		return false;
	case STATE_FULL:
		log_warning("%u questions about tokens at a time:"
			    " see auth_token_concurrency",
		    n);
		break;
	case STATE_FULL_OF_SOURCE:
		log_warning("%u questions about tokens from %s at a time:"
			    " see auth_token_concurrency",
		    n, source);
		break;
	}
	return true;
}

/*
 * It counts until it is answered, whether or not its client still is there:
 * going away does not free who works at it.
 */
static bool
ask_token(struct peer *p)
{
	int64_t deadline = clock_in(settings.auth_token_timeout + TOKEN_WAIT_S);
	const struct msg_token_checked *answer = NULL;
	char source[STATE_SOURCE_MAX];
	uint64_t number;
	struct ipc *c;
	bool good;

	state_source(login_client(p->login), source);
	p->crowded = is_crowded(source, &number);
	if (p->crowded)
		return conclude_token(p, NULL);
	c = service_ask("auth-token", &protocol_token, deadline);
	if (c != NULL)
		answer = token_dialogue(c, p->login, deadline);
	state_answered(shared, number);
	good = conclude_token(p, answer);
	service_done("auth-token", &c, answer != NULL);
	return good;
}

static bool
is_service(const char *name)
{
	return strcmp(name, "smtp") == 0 || strcmp(name, "pop3") == 0 ||
	    strcmp(name, "imap") == 0;
}

static bool
refuse_attempt(struct peer *p, const char *why, uint64_t delay_ms)
{
	const struct msg_authenticated no = {
		.verdict = NEVER,
		.user = "",
		.behind = "",
		.ticket = "",
		.text = why,
		.delay_ms = delay_ms,
	};

	return ipc_send(p->client, &message_authenticated, &no,
		   clock_in(ANSWER_TIMEOUT_S)) == IPC_OK;
}

static bool
on_authenticate(struct peer *p, const struct msg_authenticate *m)
{
	enum exchange_result result;
	struct span out;

	if (p->login != NULL || !is_service(m->service)) {
		ipc_refuse(p->client,
		    p->login != NULL ? "a second exchange at once" :
				       "unknown service");
		return false;
	}
	if (table_restart_wanted())
		return decline(p);
	p->login =
	    login_new(m->service, m->mechanism, m->client, m->server, m->tls);
	if (p->login == NULL)
		return refuse_attempt(p, "no such mechanism", 0);
	logins++;
	result =
	    login_start(p->login, m->has_initial ? &m->initial : NULL, &out);
	return answer_step(p, result, out);
}

/* Cancelling what was lost already is the end of a failure. */
static bool
on_cancel(struct peer *p)
{
	if (p->counted)
		return answer_end(p, EXCHANGE_FAILED);
	end_login(p);
	return refuse_attempt(p, "cancelled by the client", 0);
}

static bool
on_response(struct peer *p, const struct msg_response *m)
{
	enum exchange_result result;
	struct span out;

	if (p->login == NULL) {
		ipc_refuse(p->client, "a response to nothing");
		return false;
	}
	if (m->cancel)
		return on_cancel(p);
	result = login_step(p->login, m->data, &out);
	return answer_step(p, result, out);
}

static bool
on_mechanisms(struct peer *p, const struct msg_mechanisms *m)
{
	struct msg_mechanisms_reply reply = { .names =
						  login_mechanisms(m->tls) };

	return ipc_send(p->client, &message_mechanisms_reply, &reply,
		   clock_in(ANSWER_TIMEOUT_S)) == IPC_OK;
}

static bool
answer(struct peer *p)
{
	const struct ipc_message *kind;
	const void *message;

	/* a connection without a question waits for one */
	if (ipc_receive(p->client, &kind, &message, INT64_MAX) != IPC_OK)
		return false;
	if (kind == &message_mechanisms)
		return on_mechanisms(p, message);
	if (kind == &message_authenticate)
		return on_authenticate(p, message);
	if (kind == &message_response)
		return on_response(p, message);
	ipc_refuse(p->client, "%s is not for auth", kind->name);
	return false;
}

_Noreturn static void
end(void)
{
	log_flush();
	exit(EXIT_SUCCESS);
}

static void
end_task(void *argument)
{
	(void)argument;
	(void)wait_until(clock_in(RESTART_WAIT_S));
	end();
}

/*
 * A table's file that only root can read has changed: the next process reads
 * it. Logins under way may end here, while those that begin are another one's;
 * but somebody who begins some and says nothing more does not keep old
 * settings, and passwords, in force.
 */
static void
end_if_wanted(void)
{
	if (!table_restart_wanted())
		return;
	if (logins == 0)
		end();
	service_leave();
	if (!ends && task_start(end_task, NULL) == NULL)
		end();
	ends = true;
}

static void
session(const struct service *s, int fd)
{
	struct peer p = { .client = ipc_new(fd, &protocol_auth, "client") };
	unsigned int turn = 0;

	(void)s;
	while (answer(&p)) {
		end_if_wanted();
		if (++turn % TURN_MAX == 0 && wait_yield() == WAIT_CANCELLED)
			break;
	}
	/* told no, and gone without hearing it to the end */
	if (p.login != NULL && p.counted)
		log_lost(p.login);
	end_login(&p);
	end_if_wanted();
	ipc_free(&p.client);
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
		.style = SERVICE_TASKS,
		.stays = true,
		.params = params,
		.protocol = &protocol_auth,
		.before = before,
		.session = session,
	};

	return service_run(&spec, argc, argv);
}
