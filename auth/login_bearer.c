/* SPDX-License-Identifier: ISC */
/*
 * Logins by token: OAUTHBEARER and XOAUTH2.
 *
 * The token says who somebody is; the name that the client claims must be the
 * same account, or the token's must be a master. A refusal is told in a
 * challenge, which the client has to answer before it is over.
 */
#include "auth/login_internal.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/token_cache.h"
#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/sasl/bearer.h"

enum { REFUSAL_MAX = 4096, MECHANISMS_MAX = 1024 };

enum phase { LISTENS, ASKS, SAYS_NO, ENDED };

struct login_bearer {
	enum bearer_kind kind;
	enum phase phase;
	char claimed[EXCHANGE_USER_MAX]; /* canonical; "": nobody */
	struct buf token;
	unsigned char key[TOKEN_KEY];
	struct buf refusal;
};

static struct {
	const struct auth_params *params;
	bool plaintext;
} the;

void
login_bearer_setup(const struct auth_params *p, bool plaintext)
{
	the.params = p;
	the.plaintext = plaintext;
}

static bool
offered(bool tls)
{
	return (tls || the.plaintext) &&
	    the.params->auth_token_checker[0] != '\0';
}

void
login_bearer_names(bool tls, struct buf *out)
{
	static const char *const names[] = { "OAUTHBEARER", "XOAUTH2" };
	struct span rest = span_of(the.params->auth_mechanisms), word;
	enum bearer_kind kind;

	while (offered(tls) && span_cut(&rest, ", \t\r\n", true, &word))
		if (bearer_kind_of(word, &kind))
			buf_printf(out, "%s%s", out->n > 0 ? " " : "",
			    names[kind]);
}

static bool
is_listed(const char *mechanism, bool tls)
{
	struct buf names = BUF_INIT(MECHANISMS_MAX);
	struct span rest, word;
	bool found = false;

	login_bearer_names(tls, &names);
	rest = buf_span(&names);
	while (!found && span_cut(&rest, " ", true, &word))
		found = span_is(word, mechanism);
	buf_fini(&names);
	return found;
}

struct login_bearer *
login_bearer_new(const char *mechanism, bool tls)
{
	struct login_bearer *b;

	if (!is_listed(mechanism, tls))
		return NULL;
	b = mem_new(sizeof(*b));
	(void)bearer_kind_of(span_of(mechanism), &b->kind);
	buf_init(&b->token, BEARER_TOKEN_MAX);
	buf_init(&b->refusal, REFUSAL_MAX);
	return b;
}

void
login_bearer_free(struct login_bearer **b)
{
	if (*b == NULL)
		return;
	if ((*b)->token.p != NULL)
		OPENSSL_cleanse((*b)->token.p, (*b)->token.room);
	buf_fini(&(*b)->token);
	buf_fini(&(*b)->refusal);
	free(*b);
	*b = NULL;
}

static enum exchange_result
say_no(struct login *l, const char *status, struct span *out)
{
	struct login_bearer *b = l->bearer;

	b->phase = SAYS_NO;
	bearer_refusal(b->kind, status, the.params->auth_token_scope,
	    the.params->auth_token_configuration, &b->refusal);
	*out = buf_span(&b->refusal);
	return EXCHANGE_MORE;
}

/* The token is not of who is claimed. */
static enum exchange_result
admit_other(struct login *l, const char *whose)
{
	switch (login_canonical(LOGIN_MASTERS, span_of(whose), l->master)) {
	case CHECK_RIGHT:
		return login_admit(l);
	case CHECK_LATER:
		return login_later(l);
	case CHECK_WRONG:
		break;
	}
	return login_refuse(l, "the token is somebody else's");
}

/* Whose the token is decides; what is claimed can only be less. */
static enum exchange_result
conclude(struct login *l, const char *whose, struct span *out)
{
	struct login_bearer *b = l->bearer;
	char own[EXCHANGE_USER_MAX];
	enum exchange_result r;

	b->phase = ENDED;
	switch (login_canonical(LOGIN_ACCOUNTS, span_of(whose), own)) {
	case CHECK_RIGHT:
		break;
	case CHECK_LATER:
		return login_later(l);
	case CHECK_WRONG:
		(void)login_refuse(l, "the token's user can be no account");
		return say_no(l, "invalid_token", out);
	}
	snprintf(l->user, sizeof(l->user), "%s",
	    b->claimed[0] == '\0' ? own : b->claimed);
	r = strcmp(l->user, own) == 0 ? login_admit(l) : admit_other(l, whose);
	login_note_behind(l);
	return r == EXCHANGE_FAILED ? say_no(l, "invalid_token", out) : r;
}

static enum exchange_check
take_words(struct login *l, struct span words)
{
	struct login_bearer *b = l->bearer;
	enum exchange_check r = CHECK_RIGHT;
	struct bearer found;
	const char *error;

	if (!bearer_parse(b->kind, words, &found, &error)) {
		(void)login_refuse(l, error);
		return CHECK_WRONG;
	}
	if (found.user[0] != '\0')
		r = login_canonical(LOGIN_ACCOUNTS, span_of(found.user),
		    b->claimed);
	if (r == CHECK_WRONG) {
		(void)login_refuse(l, "malformed: a name that can be none");
		return r;
	}
	/* for the log, until it is known better */
	snprintf(l->user, sizeof(l->user), "%s", b->claimed);
	buf_add_span(&b->token, found.token);
	ensure(!b->token.overflow);
	return r;
}

enum exchange_result
login_bearer_step(struct login *l, const struct span *words, struct span *out)
{
	int64_t now = clock_wall_us() / 1000000;
	struct login_bearer *b = l->bearer;
	char whose[TOKEN_USER_MAX];

	*out = SPAN("");
	if (b->phase == SAYS_NO) {
		b->phase = ENDED;
		return EXCHANGE_FAILED;
	}
	if (b->phase != LISTENS)
		return login_refuse(l, "words where none are expected");
	if (words == NULL)
		return EXCHANGE_MORE;
	switch (take_words(l, *words)) {
	case CHECK_RIGHT:
		break;
	case CHECK_LATER:
		b->phase = ENDED;
		return login_later(l);
	case CHECK_WRONG:
		return say_no(l, "invalid_request", out);
	}
	token_cache_key(l->service, l->client, b->claimed, buf_span(&b->token),
	    b->key);
	if (token_cache_find(b->key, now, whose))
		return conclude(l, whose, out);
	b->phase = ASKS;
	return EXCHANGE_ASKS;
}

void
login_question(const struct login *l, struct login_question *out)
{
	ensure(l->bearer != NULL && l->bearer->phase == ASKS);
	out->user = l->bearer->claimed;
	out->token = buf_span(&l->bearer->token);
}

/* Good ones are remembered for a moment, and not beyond their end. */
static enum exchange_result
good(struct login *l, const struct login_answer *a, struct span *out)
{
	int64_t now = clock_wall_us() / 1000000;
	int64_t until = now + the.params->auth_token_cache_time;

	if (a->expires != 0 && a->expires <= (uint64_t)now) {
		(void)login_refuse(l, "the token has expired");
		return say_no(l, "invalid_token", out);
	}
	if (a->expires != 0 && a->expires < (uint64_t)until)
		until = (int64_t)a->expires;
	token_cache_add(l->bearer->key, a->user, now, until);
	return conclude(l, a->user, out);
}

enum exchange_result
login_answered(struct login *l, const struct login_answer *a, struct span *out)
{
	*out = SPAN("");
	ensure(l->bearer != NULL && l->bearer->phase == ASKS);
	switch (a->verdict) {
	case OK:
		return good(l, a, out);
	case LATER:
		break;
	case NEVER:
		(void)login_refuse(l,
		    a->text[0] == '\0' ? "the token is not good" : a->text);
		return say_no(l, a->status, out);
	}
	l->bearer->phase = ENDED;
	(void)login_refuse(l, a->text);
	return EXCHANGE_LATER;
}

bool
login_is_lost(const struct login *l)
{
	return l->bearer != NULL && l->bearer->phase == SAYS_NO;
}

const char *
login_mechanisms(bool tls)
{
	static struct buf names = { NULL, 0, 0, MECHANISMS_MAX, false };

	buf_reset(&names);
	buf_add_text(&names, exchange_mechanisms());
	login_bearer_names(tls, &names);
	return buf_text(&names);
}
