/* SPDX-License-Identifier: ISC */
/*
 * What the processes of auth know together, while one of them writes into it
 * what it likes between the questions of another. The input is a sequence of
 * one byte that says what is done, and what that needs.
 */
#include "auth/state.h"

#include <stddef.h>
#include <string.h>

#include "lib/log/log.h"
#include "tests/fuzz/scribbled.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	STEPS_MAX = 40,
	MOST_MS = 20000,
	NOW = 1000000,
};

static struct state *shared;

static const char *const services[] = { "imap", "pop3" };

static void
check_login(const struct state_login *whose)
{
	ensure(memchr(whose->user, '\0', sizeof(whose->user)) != NULL);
	ensure(memchr(whose->behind, '\0', sizeof(whose->behind)) != NULL);
}

/* Nobody writes meanwhile: once, for its service, for whom it was. */
static void
issue_and_redeem(int64_t now, const char *service)
{
	char ticket[TICKET_TEXT_MAX];
	struct state_login whose;

	if (!state_issue(shared, service, "bob", ", x", now, ticket))
		return;
	ensure(state_redeem(shared, service, ticket, now, &whose));
	check_login(&whose);
	ensure(strcmp(whose.user, "bob") == 0);
	ensure(strcmp(whose.behind, ", x") == 0);
	ensure(!state_redeem(shared, service, ticket, now, &whose));
}

static void
redeem(int64_t now, const char *service, const char *ticket)
{
	struct state_login whose;

	if (state_redeem(shared, service, ticket, now, &whose)) {
		check_login(&whose);
		(void)state_unredeem(shared, service, ticket, now, &whose);
	}
}

static void
fail(int64_t now, const char *user)
{
	uint64_t delay =
	    state_failure(shared, "192.0.2.1", user, "eve", now, MOST_MS);

	ensure(delay >= 500 && delay <= MOST_MS);
	/* the next is not answered sooner */
	ensure(state_failure(shared, "192.0.2.1", user, "eve", now, MOST_MS) >=
	    delay);
}

static void
ask(int64_t now, uint64_t *question)
{
	struct state_limits limits = { .most = STATE_QUESTIONS_MAX,
		.most_of_one = 10,
		.ends = now + 1000 };
	unsigned int count;
	enum state_room room =
	    state_ask(shared, "192.0.2.1", now, &limits, question, &count);

	ensure(count <= STATE_QUESTIONS_MAX);
	ensure(room != STATE_ROOM || count < limits.most_of_one);
}

static void
act(struct span *in, int64_t now)
{
	static char ticket[TICKET_TEXT_MAX];
	static uint64_t question;
	uint64_t step = scribbled_number(in, 1);
	const char *service = services[step >> 7];

	switch (step & 7) {
	case 0:
		issue_and_redeem(now, service);
		break;
	case 1:
		(void)state_issue(shared, service, "bob", "", now, ticket);
		break;
	case 2:
		redeem(now, service, ticket);
		break;
	case 3:
		fail(now, service);
		break;
	case 4:
		ask(now, &question);
		break;
	case 5:
		state_answered(shared, question);
		break;
	case 6:
		scribbled_write(in);
		break;
	case 7: /* one more process begins, and another ends */
		state_close(&shared);
		shared = state_open(scribbled.folder);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	int64_t now = NOW;

	if (shared == NULL) {
		log_threshold(LEVEL_FATAL);
		shared = state_open(scribbled_folder("auth_state"));
		scribbled_map(SIZE_MAX);
	}
	scribbled_restore();
	for (int i = 0; i < STEPS_MAX && in.n > 0; i++) {
		act(&in, now);
		now += 1 << (i % 20);
	}
	return 0;
}
