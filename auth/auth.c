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
 * the login stage does, which has a task for each. Nor does it wait for the
 * program that knows tokens (auth-token): questions to it are watched beside
 * the connections of clients.
 */
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
#include "lib/service/service.h"
#include "lib/table/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <utlist.h>

enum {
	ANSWER_TIMEOUT_S = 10,
	PAM_TIMEOUT_S = 30,
	TOKEN_WAIT_S = 30, /* for a process of auth-token, at most */
	RESTART_WAIT_S = 3, /* for logins under way */
	EVENTS = 32
};

struct question;

/* A login stage's connection, and the attempt under way on it. */
struct peer {
	struct ipc *client;
	struct login *login; /* NULL: none */
	struct question *asked; /* NULL: auth-token is not asked now */
	bool counted; /* its failure, which is still being told */
	bool crowded; /* the failure is ours: too many questions */
	uint64_t delay_ms;
};

/*
 * One that auth-token works at. It counts until it is answered, whether or not
 * its client still is there: going away does not free who works at it.
 */
struct question {
	struct question *next;
	struct ipc *ipc;
	struct peer *peer; /* NULL: gone */
	uint64_t number; /* of state_ask */
};

static struct common_params common;
static struct auth_params settings;
static struct state *shared;
/* Of connections to auth-token, with their questions, and end_timer: NULL. */
static int watched_epoll = -1;
static int end_timer = -1;
static bool end_is_set;
static struct question *questions;
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

static void watched_ready(void);

static void
watch(void)
{
	struct epoll_event e = { .events = EPOLLIN };

	watched_epoll = epoll_create1(EPOLL_CLOEXEC);
	end_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (watched_epoll == -1 || end_timer == -1 ||
	    epoll_ctl(watched_epoll, EPOLL_CTL_ADD, end_timer, &e) == -1)
		fatal("epoll or timerfd: %m");
	service_watch(watched_epoll, watched_ready);
}

static void
before(const struct service *s)
{
	struct buf error = BUF_INIT(1024);
	struct login_config config;

	accounts_tables(s->conf);
	config = (struct login_config){
		.params = &settings,
		.accounts = accounts_new(&settings, &error),
		.pam = ask_pam,
		.app_file_named =
		    conf_raw(s->conf, "account_app_password_file") != NULL,
		.plaintext =
		    strcmp(conf_value(s->conf, "disable_plaintext_auth"),
			"no") == 0,
	};

	if (settings.account_app_password_file[0] != '\0')
		config.use = app_use_open(common.data_directory);
	if (config.accounts == NULL || !login_setup(&config, &error))
		fatal("%s", buf_text(&error));
	service_promise_too(table_promises());
	shared = state_open(common.data_directory);
	watch();
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
	end_login(p);
	return sent == IPC_OK;
}

/* A client that is told no, and why, cannot undo it by going away. */
static bool
answer_challenge(struct peer *p, struct span out)
{
	struct msg_challenge challenge = { .data = out };

	if (login_is_lost(p->login) && !p->counted) {
		p->delay_ms = count_failure(p->login);
		p->counted = true;
	}
	return ipc_send(p->client, &message_challenge, &challenge,
		   clock_in(ANSWER_TIMEOUT_S)) == IPC_OK;
}

static bool ask_token(struct peer *p);

static bool
answer_step(struct peer *p, enum exchange_result result, struct span out)
{
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

static void
forget_question(struct question *q, bool whole)
{
	LL_DELETE(questions, q);
	state_answered(shared, q->number);
	if (q->peer != NULL)
		q->peer->asked = NULL;
	if (q->ipc != NULL)
		(void)epoll_ctl(watched_epoll, EPOLL_CTL_DEL, ipc_fd(q->ipc),
		    NULL);
	service_done("auth-token", &q->ipc, whole);
	free(q);
}

static bool
send_question(struct question *q, const struct login *l)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = q };
	struct login_question question;
	struct msg_token_check m = {
		.protocol = login_service(l),
		.client = login_client(l),
	};
	int64_t deadline = clock_in(ANSWER_TIMEOUT_S);
	struct address address;

	login_question(l, &question);
	m.user = question.user;
	m.token = question.token;
	/* the login stage says it: it becomes a line for others to read */
	if (!address_parse_ip(span_of(m.client), 0, &address))
		m.client = "unknown";
	q->ipc = service_ask("auth-token", &protocol_token, deadline);
	return q->ipc != NULL &&
	    epoll_ctl(watched_epoll, EPOLL_CTL_ADD, ipc_fd(q->ipc), &e) == 0 &&
	    ipc_send(q->ipc, &message_token_check, &m, deadline) == IPC_OK;
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

/* The answer comes by watched_ready; others are served meanwhile. */
static bool
ask_token(struct peer *p)
{
	char source[STATE_SOURCE_MAX];
	struct question *q;
	uint64_t number;

	state_source(login_client(p->login), source);
	p->crowded = is_crowded(source, &number);
	if (p->crowded)
		return conclude_token(p, NULL);
	q = mem_new(sizeof(*q));
	q->number = number;
	q->peer = p;
	p->asked = q;
	LL_PREPEND(questions, q);
	if (send_question(q, p->login))
		return true;
	forget_question(q, false);
	return conclude_token(p, NULL);
}

static void
token_answer(struct question *q)
{
	const void *message = NULL;
	enum ipc_result r = ipc_poll(q->ipc);

	if (r == IPC_TIMEOUT)
		return;
	if (r == IPC_OK)
		r = ipc_expect(q->ipc, &message_token_checked, &message,
		    clock_ms());
	if (r != IPC_OK)
		log_warning("no answer from auth-token: %s",
		    ipc_result_text(r));
	/* a client that does not take it is noticed by who reads from it */
	if (q->peer != NULL)
		(void)conclude_token(q->peer, r == IPC_OK ? message : NULL);
	forget_question(q, r == IPC_OK);
}

static void
watched_ready(void)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(watched_epoll, events, EVENTS, 0);

	for (int i = 0; i < n; i++)
		if (events[i].data.ptr != NULL)
			token_answer(events[i].data.ptr);
		else
			exit(EXIT_SUCCESS);
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

	if (p->login == NULL || p->asked != NULL) {
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
answer(struct ipc *c, struct peer *p)
{
	const struct ipc_message *kind;
	const void *message;

	if (ipc_receive(c, &kind, &message, clock_in(ANSWER_TIMEOUT_S)) !=
	    IPC_OK)
		return false;
	if (kind == &message_mechanisms)
		return on_mechanisms(p, message);
	if (kind == &message_authenticate)
		return on_authenticate(p, message);
	if (kind == &message_response)
		return on_response(p, message);
	ipc_refuse(c, "%s is not for auth", kind->name);
	return false;
}

/*
 * A table's file that only root can read has changed: the next process reads
 * it. Logins under way may end here, but somebody who begins some and says
 * nothing more does not keep old settings, and passwords, in force.
 */
static bool
ends_now(void)
{
	const struct itimerspec at = { .it_value.tv_sec = RESTART_WAIT_S };

	if (!table_restart_wanted())
		return false;
	if (logins == 0)
		return true;
	if (!end_is_set && timerfd_settime(end_timer, 0, &at, NULL) == -1)
		return true;
	end_is_set = true;
	return false;
}

static bool
request(const struct service *s, struct ipc *c, void **state)
{
	struct peer *p = *state;
	bool good;

	(void)s;
	if (p == NULL) {
		p = *state = mem_new(sizeof(*p));
		p->client = c;
	}
	good = answer(c, p);
	if (ends_now()) {
		(void)ipc_flush(c, clock_in(ANSWER_TIMEOUT_S));
		exit(EXIT_SUCCESS);
	}
	return good;
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

static void
closed(const struct service *s, void *state)
{
	struct peer *p = state;

	(void)s;
	if (p == NULL)
		return;
	/* nor does going before the answer make it no attempt */
	if (p->asked != NULL) {
		p->asked->peer = NULL;
		(void)count_failure(p->login);
		p->counted = true;
	}
	if (p->login != NULL && p->counted)
		log_lost(p->login);
	end_login(p);
	free(p);
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
