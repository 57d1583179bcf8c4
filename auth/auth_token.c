/* SPDX-License-Identifier: ISC */
/*
 * auth-token: whose token is this?
 *
 * SECURITY. Runs as the token user, which owns nothing and is nobody else's,
 * with a filter that takes little (lib/sandbox/denied.c), since it starts the
 * administrator's program (auth_token_checker), which may need anything beside
 * that; started only
 * where that is set, and reachable by auth alone. Hostile input: a token and
 * a name, which auth has checked, and the program's answer, which is cut at
 * CHECKER_OUTPUT_MAX bytes and must be exactly an answer. What it says is
 * believed: a program that was taken over can log in as any account, for
 * protocols that offer tokens, while it lives. It cannot read passwords, mail
 * or accounts.
 *
 * One question at a time; master starts more processes when they are asked
 * for.
 */
#include <sys/prctl.h>

#include "auth/checker.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/conf/common.h"
#include "lib/ipc/proto_token.h"
#include "lib/log/log.h"
#include "lib/service/service.h"

enum { IDLE_S = 10, ANSWER_TIMEOUT_S = 10 };

static struct common_params common;
/* All that it is told of main.cf beyond what everybody is. */
static struct {
	const char *checker;
	int64_t timeout;
} settings;

static bool
one_line(const struct msg_token_check *m)
{
	return !span_has_break(span_of(m->protocol)) &&
	    !span_has_break(span_of(m->client)) &&
	    !span_has_break(span_of(m->user)) && !span_has_break(m->token);
}

static bool
check(struct ipc *c, const struct msg_token_check *m)
{
	const struct checker_question question = {
		.protocol = m->protocol,
		.client = m->client,
		.user = m->user,
		.token = m->token,
	};
	struct checker_answer found = { .verdict = LATER };
	struct msg_token_checked answer;

	if (!one_line(m)) {
		ipc_refuse(c, "a word that is more than a line");
		return false;
	}
	checker_ask(settings.checker, settings.timeout, &question, &found);
	answer = (struct msg_token_checked){
		.verdict = found.verdict,
		.user = found.user,
		.expires = found.expires,
		.status = found.status,
		.text = found.text,
	};
	return ipc_send(c, &message_token_checked, &answer,
		   clock_in(ANSWER_TIMEOUT_S)) == IPC_OK;
}

static void
session(const struct service *s, int fd)
{
	struct ipc *c = ipc_new(fd, &protocol_token, "auth");
	const void *message;

	(void)s;
	while (service_next(c, clock_in(IDLE_S)))
		if (ipc_expect(c, &message_token_check, &message,
			clock_in(ANSWER_TIMEOUT_S)) != IPC_OK ||
		    !check(c, message))
			break;
	ipc_free(&c);
}

static void
before(const struct service *s)
{
	struct buf errors = BUF_INIT(4096);

	if (!conf_fill_one(s->conf, "auth_token_checker", &settings.checker,
		&errors) ||
	    !conf_fill_one(s->conf, "auth_token_timeout", &settings.timeout,
		&errors))
		fatal("%.*s", SPAN_ARG(span_trim(buf_span(&errors))));
	buf_fini(&errors);
}

/* Tokens are in our memory. */
static void
after(const struct service *s)
{
	(void)s;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int
main(int argc, char **argv)
{
	static const struct service_params params[] = {
		{ &common_param_group, &common },
		{ NULL, NULL },
	};
	static const struct service_spec spec = {
		.program = "auth-token",
		.style = SERVICE_ONE,
		.params = params,
		.protocol = &protocol_token,
		.before = before,
		.after = after,
		.session = session,
	};

	return service_run(&spec, argc, argv);
}
