/* SPDX-License-Identifier: ISC */
/*
 * SASL exchanges: the first byte says which mechanism, and whether the first
 * of the lines behind it is an initial response. Nobody gets in but by a
 * password that was found right; SCRAM and CRAM-MD5, where each challenge is
 * another, let nobody in.
 */
#include "lib/sasl/exchange.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/log/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const mechanisms[] = {
#define MECHANISM(name) name,
#include "lib/sasl/mechanisms.def"
#undef MECHANISM
};

enum {
	MECHANISMS = sizeof(mechanisms) / sizeof(mechanisms[0]),
	BY_PASSWORD = 2, /* the first ones */
	STEPS_MAX = 20,
};

struct asked {
	bool right, later;
	bool refused; /* to act as another */
	char user[EXCHANGE_USER_MAX]; /* whose password was looked at */
};

static enum exchange_check
canonical(void *with, struct span given, char out[EXCHANGE_USER_MAX])
{
	struct asked *asked = with;

	out[0] = '\0';
	if (given.n == 0 || given.n >= EXCHANGE_USER_MAX ||
	    memchr(given.p, '\0', given.n) != NULL || span_has_break(given))
		return CHECK_WRONG;
	snprintf(out, EXCHANGE_USER_MAX, "%.*s", SPAN_ARG(given));
	if (!span_is(given, "later"))
		return CHECK_RIGHT;
	asked->later = true;
	return CHECK_LATER;
}

static enum exchange_check
acting(void *with, const char *user, const char *as,
    char out[EXCHANGE_USER_MAX])
{
	struct asked *asked = with;

	ensure(user[0] != '\0' && as[0] != '\0' && strcmp(user, as) != 0);
	asked->refused = strcmp(user, "master") != 0;
	if (asked->refused)
		return CHECK_WRONG;
	snprintf(out, EXCHANGE_USER_MAX, "master");
	return CHECK_RIGHT;
}

static enum exchange_check
check(void *with, const char *user, struct span password)
{
	struct asked *asked = with;

	ensure(user[0] != '\0' && strlen(user) < EXCHANGE_USER_MAX);
	ensure(password.n <= EXCHANGE_DATA_MAX);
	snprintf(asked->user, sizeof(asked->user), "%s", user);
	asked->right = span_is(password, "secret");
	return asked->right ? CHECK_RIGHT : CHECK_WRONG;
}

static enum exchange_check
plain(void *with, const char *user, struct buf *password)
{
	(void)with;
	if (strcmp(user, "bob") != 0)
		return CHECK_WRONG;
	return buf_add_text(password, "secret") ? CHECK_RIGHT : CHECK_WRONG;
}

static void
prepare(void)
{
	static const struct exchange_accounts accounts = { canonical, acting,
		check, plain };
	struct buf error = BUF_INIT(1000);

	log_threshold(LEVEL_PANIC);
	ensure(exchange_setup("plain login scram-sha-256 scram-sha-1 cram-md5",
	    &accounts, &error));
}

/* With the lines that follow. */
static enum exchange_result
go_on(struct exchange *x, bool initial, struct span lines)
{
	enum exchange_result r;
	struct span line = { NULL, 0 }, out = { NULL, 0 };

	if (initial)
		(void)span_cut(&lines, "\n", false, &line);
	r = exchange_start(x, initial ? &line : NULL, &out);
	for (size_t i = 0; i < STEPS_MAX && r == EXCHANGE_MORE; i++) {
		ensure(out.n <= EXCHANGE_DATA_MAX);
		if (!span_cut(&lines, "\n", false, &line))
			break;
		r = exchange_step(x, line, &out);
	}
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct asked asked = { 0 };
	struct exchange *x;
	enum exchange_result r;
	size_t which;

	if (size == 0 || size > EXCHANGE_DATA_MAX)
		return 0;
	if (!ready)
		prepare();
	ready = true;
	which = (data[0] & 0x7f) % MECHANISMS;
	x = exchange_new("imap", mechanisms[which], "mx.test", &asked);
	ensure(x != NULL);
	r = go_on(x, data[0] & 0x80,
	    (struct span){ (const char *)data + 1, size - 1 });
	ensure(r != EXCHANGE_ASKS);
	if (r == EXCHANGE_DONE) {
		ensure(which < BY_PASSWORD && asked.right);
		ensure(!asked.refused && exchange_user(x)[0] != '\0' &&
		    strcmp(exchange_user(x), asked.user) == 0);
	}
	ensure(r != EXCHANGE_LATER || asked.later);
	ensure(r != EXCHANGE_FAILED || exchange_why(x)[0] != '\0');
	ensure(!span_has_break(span_of(exchange_user(x))));
	exchange_free(&x);
	return 0;
}
