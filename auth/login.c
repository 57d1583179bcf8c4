/* SPDX-License-Identifier: ISC */
#include "auth/login_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/app_passwords.h"
#include "auth/app_use.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/net/address.h"
#include "lib/sasl/password.h"
#include "lib/table/table.h"

/*
 * Names as they pass through an exchange: an account's, or with ACTS in it,
 * which is in no account's name, "bob*support".
 */
enum { ACTS = '*' };

static struct {
	const struct auth_params *params;
	struct accounts *accounts;
	struct accounts *masters; /* NULL: there are none */
	struct app_passwords *app_passwords; /* NULL: no file is named */
	unsigned int app_only; /* protocols, account_app_password_only */
	struct app_use *use;
	login_pam_function *ask_pam;
	char separator; /* NUL: masters have no names of two parts */
} the;

/*
 * A name without account gets the form it would have, so that the dialogue
 * goes on to the password. One that cannot be looked for is nobody's: what it
 * looks like may be another's name.
 */
static enum exchange_check
canonical_in(struct accounts *source, struct span given,
    char out[EXCHANGE_USER_MAX])
{
	struct account account;
	enum accounts_result r;

	if (!account_name_valid(given) || given.n >= EXCHANGE_USER_MAX)
		return CHECK_WRONG;
	r = accounts_find(source, given, &account);
	if (r == ACCOUNT_FOUND) {
		snprintf(out, EXCHANGE_USER_MAX, "%s", account.user);
		return CHECK_RIGHT;
	}
	for (size_t i = 0; i < given.n; i++)
		out[i] = given.p[i] >= 'A' && given.p[i] <= 'Z' ?
		    (char)(given.p[i] - 'A' + 'a') :
		    given.p[i];
	out[given.n] = '\0';
	return r == ACCOUNT_LATER ? CHECK_LATER : CHECK_RIGHT;
}

enum exchange_check
login_canonical(enum login_names names, struct span given,
    char out[EXCHANGE_USER_MAX])
{
	struct accounts *source =
	    names == LOGIN_MASTERS ? the.masters : the.accounts;

	return source == NULL ? CHECK_WRONG : canonical_in(source, given, out);
}

/* "bob@example.test*support" */
static bool
join(const char *user, const char *master, char out[EXCHANGE_USER_MAX])
{
	size_t n = strlen(user), m = strlen(master);

	if (n + 1 + m >= EXCHANGE_USER_MAX)
		return false;
	memcpy(out, user, n);
	out[n] = ACTS;
	memcpy(out + n + 1, master, m + 1);
	return true;
}

/* False: the name is of one part. */
static bool
part(const char *name, char user[EXCHANGE_USER_MAX],
    char master[EXCHANGE_USER_MAX])
{
	const char *at = strchr(name, ACTS);

	if (at == NULL) {
		snprintf(user, EXCHANGE_USER_MAX, "%s", name);
		master[0] = '\0';
		return false;
	}
	memcpy(user, name, (size_t)(at - name));
	user[at - name] = '\0';
	snprintf(master, EXCHANGE_USER_MAX, "%s", at + 1);
	return true;
}

static enum exchange_check
both_canonical(struct span name, struct span master,
    char out[EXCHANGE_USER_MAX])
{
	char user[EXCHANGE_USER_MAX], who[EXCHANGE_USER_MAX];
	enum exchange_check r = canonical_in(the.accounts, name, user);
	enum exchange_check acts = r == CHECK_WRONG ?
	    CHECK_WRONG :
	    canonical_in(the.masters, master, who);

	if (acts == CHECK_WRONG || !join(user, who, out))
		return CHECK_WRONG;
	return r == CHECK_RIGHT ? acts : r;
}

/* libsasl2 asks twice: the answer is the answer's canonical form as well. */
static enum exchange_check
canonical(void *with, struct span given, char out[EXCHANGE_USER_MAX])
{
	size_t at = given.n;

	(void)with;
	if (the.masters != NULL && the.separator != '\0') {
		at = span_find(given, the.separator);
		if (at == given.n)
			at = span_find(given, ACTS);
	}
	if (at == given.n)
		return canonical_in(the.accounts, given, out);
	return both_canonical(span_take(given, at), span_skip(given, at + 1),
	    out);
}

static enum exchange_check
acting(void *with, const char *user, const char *as,
    char out[EXCHANGE_USER_MAX])
{
	char master[EXCHANGE_USER_MAX];
	enum exchange_check r;

	(void)with;
	/* one who has said it by name need not say another one */
	if (the.masters == NULL || strchr(user, ACTS) != NULL ||
	    strchr(as, ACTS) != NULL)
		return CHECK_WRONG;
	r = canonical_in(the.masters, span_of(user), master);
	return r == CHECK_WRONG || join(as, master, out) ? r : CHECK_WRONG;
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

/*
 * Not by accounts of the past: another process is to ask then, and it may be
 * the system that locks users out, after so many wrong passwords.
 */
static enum verdict
ask_system(struct login *l, const char *service, const char *user,
    struct span password)
{
	if (table_restart_wanted())
		return LATER;
	l->system_asked = true;
	return the.ask_pam(service, user, l->client, password);
}

static enum exchange_check
check_system(struct login *l, const struct account *account,
    struct span password)
{
	char user[EXCHANGE_USER_MAX];

	/* the account is gone as soon as this task waits */
	snprintf(user, sizeof(user), "%s", account->user);
	switch (ask_system(l, account->pam_service, user, password)) {
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
waste_time(struct login *l, struct accounts *source, const char *user,
    struct span password)
{
	struct buf error = BUF_INIT(256);
	const char *service = accounts_pam(source);

	if (service != NULL)
		(void)ask_system(l, service, user, password);
	(void)password_verify(accounts_sample(source), password, &error);
	buf_fini(&error);
}

/* The password that the account itself has. */
static enum exchange_check
check_ordinary(struct login *l, struct accounts *source, const char *user,
    struct span password)
{
	struct account account;

	switch (accounts_find(source, span_of(user), &account)) {
	case ACCOUNT_LATER:
		return CHECK_LATER;
	case ACCOUNT_NONE:
		waste_time(l, source, user, password);
		return CHECK_WRONG;
	case ACCOUNT_FOUND:
		break;
	}
	if (account.pam_service != NULL)
		return check_system(l, &account, password);
	return check_stored(account.user, account.password, password);
}

/*
 * Looked at first: it costs a digest, and only for what has the form of one.
 * Whether the account is there shows in admit.
 */
static enum app_passwords_result
check_app(struct login *l, const char *user, struct span password)
{
	const struct app_password *which;
	int64_t now = clock_wall_us() / 1000000;
	enum app_passwords_result r;

	if (the.app_passwords == NULL)
		return APP_PASSWORD_NONE;
	r = app_passwords_check(the.app_passwords, user, password,
	    app_password_protocol(span_of(l->service)), now, &which);
	if (r == APP_PASSWORD_NOT_HERE)
		snprintf(l->why, sizeof(l->why), "app password \"%s\" is %s",
		    which->label,
		    which->expires != 0 && which->expires <= now ?
			"expired" :
			"not for this protocol");
	if (r != APP_PASSWORD_RIGHT)
		return r;
	snprintf(l->label, sizeof(l->label), "%s", which->label);
	app_use_note(the.use, which->digest, l->service, l->client, now);
	return r;
}

static enum exchange_check
check(void *with, const char *name, struct span password)
{
	char user[EXCHANGE_USER_MAX], master[EXCHANGE_USER_MAX];
	struct login *l = with;
	enum app_passwords_result app;
	enum exchange_check ordinary;

	if (part(name, user, master))
		return check_ordinary(l, the.masters, master, password);
	app = check_app(l, user, password);
	if (app == APP_PASSWORD_RIGHT)
		return CHECK_RIGHT;
	ordinary = check_ordinary(l, the.accounts, user, password);
	if (ordinary == CHECK_WRONG && app == APP_PASSWORD_LATER)
		return CHECK_LATER;
	return ordinary;
}

/* Is the account's own password not good here, since it has others? */
static enum exchange_check
ordinary_allowed(const struct login *l, const char *user)
{
	bool known, any;

	if ((the.app_only & app_password_protocol(span_of(l->service))) == 0 ||
	    the.app_passwords == NULL)
		return CHECK_RIGHT;
	any = app_passwords_any(the.app_passwords, user, &known);
	if (!known)
		return CHECK_LATER;
	return any ? CHECK_WRONG : CHECK_RIGHT;
}

/*
 * For SCRAM and CRAM-MD5, whose dialogue itself says that a password was
 * right: one that would not be good is not told.
 */
static enum exchange_check
plain(void *with, const char *name, struct buf *password)
{
	char user[EXCHANGE_USER_MAX], master[EXCHANGE_USER_MAX];
	bool acts = part(name, user, master);
	enum exchange_check allowed =
	    acts ? CHECK_RIGHT : ordinary_allowed(with, user);
	struct account account;
	struct span text;

	if (allowed != CHECK_RIGHT)
		return allowed;
	switch (accounts_find(acts ? the.masters : the.accounts,
	    span_of(acts ? master : user), &account)) {
	case ACCOUNT_LATER:
		return CHECK_LATER;
	case ACCOUNT_NONE:
		return CHECK_WRONG;
	case ACCOUNT_FOUND:
		break;
	}
	return password_plain(account.password, &text) &&
		buf_add_span(password, text) ?
	    CHECK_RIGHT :
	    CHECK_WRONG;
}

static bool
setup_masters(const struct auth_params *p, struct buf *error)
{
	static struct auth_params with_masters;

	if (span_trim(span_of(p->account_master_files)).n == 0)
		return true;
	with_masters = *p;
	with_masters.account_files = p->account_master_files;
	the.masters = accounts_new(&with_masters, error);
	the.separator = p->auth_master_user_separator[0];
	if (the.masters != NULL && accounts_pam(the.masters) != NULL) {
		buf_printf(error, "account_master_files: pam is not for it");
		return false;
	}
	return the.masters != NULL;
}

bool
login_setup(const struct login_config *config, struct buf *error)
{
	static const struct exchange_accounts hooks = {
		.canonical = canonical,
		.acting = acting,
		.check = check,
		.plain = plain,
	};
	const struct auth_params *p = config->params;
	struct span bad;

	the.params = p;
	the.accounts = config->accounts;
	the.ask_pam = config->pam;
	the.use = config->use;
	if (!app_password_protocols(span_of(p->account_app_password_only),
		&the.app_only, &bad)) {
		buf_printf(error,
		    "account_app_password_only: \"%.*s\" is no protocol",
		    SPAN_ARG(bad));
		return false;
	}
	if (p->account_app_password_file[0] != '\0')
		the.app_passwords =
		    app_passwords_new(p->account_app_password_file,
			the.app_only != 0 || config->app_file_named);
	if (!setup_masters(p, error))
		return false;
	password_init();
	login_bearer_setup(p, config->plaintext);
	return exchange_setup(p->auth_mechanisms, &hooks, error);
}

struct login *
login_new(const char *service, const char *mechanism, const char *client,
    const char *server, bool tls)
{
	struct login *l = mem_new(sizeof(*l));

	snprintf(l->service, sizeof(l->service), "%s", service);
	snprintf(l->client, sizeof(l->client), "%s", client);
	l->bearer = login_bearer_new(mechanism, tls);
	if (l->bearer == NULL)
		l->exchange = exchange_new(service, mechanism, server, l);
	if (l->bearer == NULL && l->exchange == NULL)
		login_free(&l);
	return l;
}

void
login_free(struct login **l)
{
	if (*l == NULL)
		return;
	exchange_free(&(*l)->exchange);
	login_bearer_free(&(*l)->bearer);
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

enum exchange_result
login_refuse(struct login *l, const char *why)
{
	snprintf(l->why, sizeof(l->why), "%s", why);
	return EXCHANGE_FAILED;
}

enum exchange_result
login_later(struct login *l)
{
	(void)login_refuse(l, "accounts unavailable");
	return EXCHANGE_LATER;
}

/* What an account's entry says about logins. */
static enum exchange_result
admit_account(struct login *l, struct accounts *source, const char *name,
    bool from_here)
{
	struct account account;

	switch (accounts_find(source, span_of(name), &account)) {
	case ACCOUNT_LATER:
		return login_later(l);
	case ACCOUNT_NONE:
		return login_refuse(l, "no such account");
	case ACCOUNT_FOUND:
		break;
	}
	if (account.nologin)
		return login_refuse(l, "account has nologin");
	if (from_here && account.allow_nets[0] != '\0' &&
	    !in_networks(l->client, account.allow_nets))
		return login_refuse(l,
		    "address is not in the account's allow_nets");
	return EXCHANGE_DONE;
}

/* A master comes from the master's networks, not from the user's. */
static enum exchange_result
admit_master(struct login *l)
{
	enum exchange_result r;

	if (strcmp(l->service, "smtp") == 0)
		return login_refuse(l, "masters do not send mail as others");
	r = admit_account(l, the.masters, l->master, true);
	return r == EXCHANGE_DONE ?
	    admit_account(l, the.accounts, l->user, false) :
	    r;
}

enum exchange_result
login_admit(struct login *l)
{
	enum exchange_result r = l->master[0] != '\0' ?
	    admit_master(l) :
	    admit_account(l, the.accounts, l->user, true);

	if (r != EXCHANGE_DONE || l->master[0] != '\0' || l->label[0] != '\0' ||
	    l->bearer != NULL)
		return r;
	switch (ordinary_allowed(l, l->user)) {
	case CHECK_RIGHT:
		return EXCHANGE_DONE;
	case CHECK_LATER:
		return login_later(l);
	case CHECK_WRONG:
		break;
	}
	return login_refuse(l,
	    "the account has app passwords, its own is not"
	    " accepted here (account_app_password_only)");
}

void
login_note_behind(struct login *l)
{
	if (l->master[0] != '\0')
		snprintf(l->behind, sizeof(l->behind), ", master=<%s>",
		    l->master);
	else if (l->label[0] != '\0')
		snprintf(l->behind, sizeof(l->behind), ", app_password=<%s>",
		    l->label);
}

static enum exchange_result
judge(struct login *l, enum exchange_result r)
{
	if (r != EXCHANGE_MORE) {
		(void)part(exchange_user(l->exchange), l->user, l->master);
		login_note_behind(l);
	}
	return r == EXCHANGE_DONE ? login_admit(l) : r;
}

enum exchange_result
login_start(struct login *l, const struct span *initial, struct span *out)
{
	if (l->bearer != NULL)
		return login_bearer_step(l, initial, out);
	return judge(l, exchange_start(l->exchange, initial, out));
}

enum exchange_result
login_step(struct login *l, struct span response, struct span *out)
{
	if (l->bearer != NULL)
		return login_bearer_step(l, &response, out);
	return judge(l, exchange_step(l->exchange, response, out));
}

bool
login_system_asked(const struct login *l)
{
	return l->system_asked;
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
	return l->user;
}

const char *
login_master(const struct login *l)
{
	return l->master;
}

const char *
login_behind(const struct login *l)
{
	return l->behind;
}

const char *
login_why(const struct login *l)
{
	return l->why[0] != '\0' || l->exchange == NULL ?
	    l->why :
	    exchange_why(l->exchange);
}
