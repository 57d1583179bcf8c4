/* SPDX-License-Identifier: ISC */
#include "auth/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/net/address.h"
#include "lib/sasl/password.h"

struct login {
	struct exchange *exchange;
	char service[33];
	char client[65];
	char why[256];
};

static struct accounts *accounts;
static login_pam_function *ask_pam;

/*
 * A name without account gets the form it would have, so that the dialogue
 * goes on to the password.
 */
static bool
canonical(void *with, struct span given, char out[EXCHANGE_USER_MAX])
{
	struct account account;

	(void)with;
	if (!account_name_valid(given) || given.n >= EXCHANGE_USER_MAX)
		return false;
	if (accounts_find(accounts, given, &account) == ACCOUNT_FOUND) {
		snprintf(out, EXCHANGE_USER_MAX, "%s", account.user);
		return true;
	}
	for (size_t i = 0; i < given.n; i++)
		out[i] = given.p[i] >= 'A' && given.p[i] <= 'Z' ?
		    (char)(given.p[i] - 'A' + 'a') :
		    given.p[i];
	out[given.n] = '\0';
	return true;
}

static enum exchange_check
check_stored(const char *user, const char *stored, struct span password)
{
	struct buf error = BUF_INIT(256);
	enum password_result r = password_verify(stored, password, &error);

	if (r == PASSWORD_BROKEN)
		log_warning("account %s: %s", user, buf_text(&error));
	buf_fini(&error);
	if (r == PASSWORD_RIGHT)
		return CHECK_RIGHT;
	return r == PASSWORD_WRONG ? CHECK_WRONG : CHECK_LATER;
}

static enum exchange_check
check_system(const struct login *l, const struct account *account,
    struct span password)
{
	switch (
	    ask_pam(account->pam_service, account->user, l->client, password)) {
	case OK:
		return CHECK_RIGHT;
	case LATER:
		return CHECK_LATER;
	case NEVER:
		break;
	}
	return CHECK_WRONG;
}

/*
 * Somebody's hash is computed, so that the time does not tell; PAM does the
 * same for names it does not know.
 */
static void
waste_time(const struct login *l, const char *user, struct span password)
{
	struct buf error = BUF_INIT(256);
	const char *service = accounts_pam(accounts);

	if (service != NULL)
		(void)ask_pam(service, user, l->client, password);
	(void)password_verify(accounts_sample(accounts), password, &error);
	buf_fini(&error);
}

static enum exchange_check
check(void *with, const char *user, struct span password)
{
	struct account account;

	switch (accounts_find(accounts, span_of(user), &account)) {
	case ACCOUNT_LATER:
		return CHECK_LATER;
	case ACCOUNT_NONE:
		waste_time(with, user, password);
		return CHECK_WRONG;
	case ACCOUNT_FOUND:
		break;
	}
	if (account.pam_service != NULL)
		return check_system(with, &account, password);
	return check_stored(account.user, account.password, password);
}

static bool
plain(void *with, const char *user, struct buf *password)
{
	struct account account;
	struct span text;

	(void)with;
	return accounts_find(accounts, span_of(user), &account) ==
	    ACCOUNT_FOUND &&
	    password_plain(account.password, &text) &&
	    buf_add_span(password, text);
}

bool
login_setup(const char *mechanisms, struct accounts *with_accounts,
    login_pam_function *pam, struct buf *error)
{
	static const struct exchange_accounts hooks = {
		.canonical = canonical,
		.check = check,
		.plain = plain,
	};

	accounts = with_accounts;
	ask_pam = pam;
	password_init();
	return exchange_setup(mechanisms, &hooks, error);
}

struct login *
login_new(const char *service, const char *mechanism, const char *client,
    const char *server)
{
	struct login *l = mem_new(sizeof(*l));

	snprintf(l->service, sizeof(l->service), "%s", service);
	snprintf(l->client, sizeof(l->client), "%s", client);
	l->exchange = exchange_new(service, mechanism, server, l);
	if (l->exchange == NULL)
		login_free(&l);
	return l;
}

void
login_free(struct login **l)
{
	if (*l == NULL)
		return;
	exchange_free(&(*l)->exchange);
	free(*l);
	*l = NULL;
}

/* "192.0.2.0/24, 2001:db8::/32"; what cannot be parsed matches nobody. */
static bool
in_networks(const char *client, const char *networks)
{
	struct span rest = span_of(networks), word;
	struct address a;
	bool valid;

	if (!address_parse_ip(span_of(client), 0, &a))
		return false;
	while (span_cut(&rest, ", \t", true, &word))
		if (word.n > 0 && address_in_network(&a, word, &valid))
			return true;
	return false;
}

/* The password is right; does the rest allow it? */
static enum exchange_result
admit(struct login *l)
{
	const char *user = exchange_user(l->exchange);
	struct account account;

	switch (accounts_find(accounts, span_of(user), &account)) {
	case ACCOUNT_LATER:
		return EXCHANGE_LATER;
	case ACCOUNT_NONE:
		snprintf(l->why, sizeof(l->why), "account is gone");
		return EXCHANGE_FAILED;
	case ACCOUNT_FOUND:
		break;
	}
	if (account.nologin)
		snprintf(l->why, sizeof(l->why), "account has nologin");
	else if (account.allow_nets[0] != '\0' &&
	    !in_networks(l->client, account.allow_nets))
		snprintf(l->why, sizeof(l->why),
		    "address is not in the account's allow_nets");
	else
		return EXCHANGE_DONE;
	return EXCHANGE_FAILED;
}

enum exchange_result
login_start(struct login *l, const struct span *initial, struct span *out)
{
	enum exchange_result r = exchange_start(l->exchange, initial, out);

	return r == EXCHANGE_DONE ? admit(l) : r;
}

enum exchange_result
login_step(struct login *l, struct span response, struct span *out)
{
	enum exchange_result r = exchange_step(l->exchange, response, out);

	return r == EXCHANGE_DONE ? admit(l) : r;
}

const char *
login_service(const struct login *l)
{
	return l->service;
}

const char *
login_client(const struct login *l)
{
	return l->client;
}

const char *
login_user(const struct login *l)
{
	return exchange_user(l->exchange);
}

const char *
login_why(const struct login *l)
{
	return l->why[0] != '\0' ? l->why : exchange_why(l->exchange);
}
