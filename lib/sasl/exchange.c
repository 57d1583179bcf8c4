/* SPDX-License-Identifier: ISC */
#include "lib/sasl/exchange.h"

#include <openssl/crypto.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/sasl/bearer.h"

enum { GIVEN_NAME_MAX = 1024 };

typedef int any_callback(void); /* libsasl2's word for all of them */

struct exchange {
	sasl_conn_t *sasl; /* NULL: PLAIN or LOGIN, which are done here */
	sasl_callback_t callbacks[5];
	char mechanism[32];
	void *with;
	struct buf name; /* the first word of LOGIN, as it was given */
	bool named;
	enum exchange_check check; /* of the last password that was tried */
	bool checked;
	char user[EXCHANGE_USER_MAX];
	char why[256];
};

static const struct exchange_accounts *accounts;
/*
 * Whose step is being made: plugins are told no more than a name. Where the
 * caller's functions wait, another task may make one: who goes on says again
 * whose it is.
 */
static struct exchange *running;
static struct buf mechanism_list = { NULL, 0, 0, 1024, false };

/*
 * Mechanisms that make sense here. Others of libsasl2's are too old (NTLM,
 * OTP, DIGEST-MD5: parsers with a history), want other infrastructure, or
 * let anybody in.
 */
static const char *const known[] = {
#define MECHANISM(name) name,
#include "lib/sasl/mechanisms.def"
#undef MECHANISM
};

/* Names that may stand in the setting, and are the caller's business. */
static bool
is_elsewhere(struct span name)
{
	enum bearer_kind kind;

	return bearer_kind_of(name, &kind);
}

/* Options of the library, in place of its configuration file. */
static int
option(void *context, const char *plugin, const char *name, const char **result,
    unsigned int *length)
{
	static const struct {
		const char *name;
		const char *value;
	} options[] = {
		{ "auxprop_plugin", "posthaste" },
		/* no such verifier: ours has decided before it is asked */
		{ "pwcheck_method", "none" },
		{ "auto_transition", "no" },
		{ "log_level", "1" },
	};

	(void)context, (void)plugin;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(name, options[i].name) != 0)
			continue;
		*result = options[i].value;
		if (length != NULL)
			*length = (unsigned int)strlen(*result);
		return SASL_OK;
	}
	if (strcmp(name, "mech_list") != 0)
		return SASL_FAIL;
	*result = buf_text(&mechanism_list);
	if (length != NULL)
		*length = (unsigned int)mechanism_list.n;
	return SASL_OK;
}

/* What the library has to say may hold names; never passwords at level 1. */
static int
library_log(void *context, int level, const char *message)
{
	(void)context;
	if (message != NULL && level <= SASL_LOG_ERR)
		log_debug("libsasl2: %s", message);
	return SASL_OK;
}

/* Some versions of the library free it, some do not: never used again. */
static int
configuration_path(void *context, char **path)
{
	static char *volatile kept;

	(void)context;
	kept = mem_text("/nonexistent");
	*path = kept;
	return SASL_OK;
}

static int
verify_file(void *context, const char *file, sasl_verify_type_t type)
{
	(void)context, (void)file;
	return type == SASL_VRFY_CONF ? SASL_CONTINUE : SASL_OK;
}

/* The plugin knows but "no password": why there is none, failed() says. */
static enum exchange_check
password_of(struct exchange *x, const char *name, struct buf *password)
{
	enum exchange_check r;

	buf_reset(password);
	r = accounts->plain(x->with, name, password);
	running = x;
	if (r == CHECK_LATER) {
		x->check = r;
		x->checked = true;
	}
	return r;
}

/* What SCRAM and CRAM-MD5 need to know of a user. */
static int
lookup(void *context, sasl_server_params_t *params, unsigned int flags,
    const char *user, unsigned int n)
{
	const struct propval *p = params->utils->prop_get(params->propctx);
	struct buf password = BUF_INIT(1024);
	struct exchange *x = running;
	char name[EXCHANGE_USER_MAX];

	(void)context, (void)flags;
	if (x == NULL || n >= sizeof(name))
		return SASL_OK;
	memcpy(name, user, n);
	name[n] = '\0';
	for (; p != NULL && p->name != NULL; p++)
		if (strcmp(p->name, SASL_AUX_PASSWORD) == 0 &&
		    password_of(x, name, &password) == CHECK_RIGHT)
			params->utils->prop_set(params->propctx, p->name,
			    password.p, (int)password.n);
	if (password.p != NULL)
		OPENSSL_cleanse(password.p, password.room);
	buf_fini(&password);
	return SASL_OK;
}

static int
auxprop_init(const sasl_utils_t *utils, int max_version, int *version,
    sasl_auxprop_plug_t **plugin, const char *name)
{
	static char plugin_name[] = "posthaste";
	static sasl_auxprop_plug_t ours = {
		.auxprop_lookup = lookup,
		.name = plugin_name,
	};

	(void)utils, (void)name;
	if (max_version < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	*version = SASL_AUXPROP_PLUG_VERSION;
	*plugin = &ours;
	return SASL_OK;
}

bool
exchange_known(struct span name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_is_nocase(name, known[i]))
			return true;
	return is_elsewhere(name);
}

static bool
collect(const char *mechanisms, struct buf *error)
{
	struct span rest = span_of(mechanisms), word;

	while (span_cut(&rest, ", \t\r\n", true, &word)) {
		if (word.n == 0)
			continue;
		if (!exchange_known(word)) {
			buf_printf(error,
			    "SASL mechanism \"%.*s\" is not"
			    " supported",
			    SPAN_ARG(word));
			return false;
		}
		if (is_elsewhere(word))
			continue;
		if (mechanism_list.n > 0)
			buf_add_char(&mechanism_list, ' ');
		for (size_t i = 0; i < word.n; i++)
			buf_add_char(&mechanism_list,
			    word.p[i] >= 'a' && word.p[i] <= 'z' ?
				(char)(word.p[i] - 'a' + 'A') :
				word.p[i]);
	}
	return true;
}

/* Does the library have a plugin for each of them? */
static bool
all_installed(struct buf *error)
{
	const char **have = sasl_global_listmech();
	struct span rest = buf_span(&mechanism_list), word;

	while (span_cut(&rest, " ", true, &word)) {
		bool found = false;

		for (size_t i = 0; have != NULL && have[i] != NULL; i++)
			found = found || span_is(word, have[i]);
		if (!found) {
			buf_printf(error,
			    "SASL mechanism %.*s is not"
			    " installed (Debian package libsasl2-modules)",
			    SPAN_ARG(word));
			return false;
		}
	}
	return true;
}

#define CALLBACK(function) ((any_callback *)(uintptr_t)(function))

bool
exchange_setup(const char *mechanisms,
    const struct exchange_accounts *with_accounts, struct buf *error)
{
	static const sasl_callback_t callbacks[] = {
		{ SASL_CB_GETOPT, CALLBACK(option), NULL },
		{ SASL_CB_LOG, CALLBACK(library_log), NULL },
		{ SASL_CB_GETCONFPATH, CALLBACK(configuration_path), NULL },
		{ SASL_CB_VERIFYFILE, CALLBACK(verify_file), NULL },
		{ SASL_CB_LIST_END, NULL, NULL },
	};
	int result;

	accounts = with_accounts;
	if (!collect(mechanisms, error))
		return false;
	sasl_auxprop_add_plugin("posthaste", auxprop_init);
	result = sasl_server_init(callbacks, "posthaste");
	if (result != SASL_OK) {
		buf_printf(error, "libsasl2: %s",
		    sasl_errstring(result, NULL, NULL));
		return false;
	}
	return all_installed(error);
}

const char *
exchange_mechanisms(void)
{
	return buf_text(&mechanism_list);
}

bool
exchange_has(const char *mechanism)
{
	struct span rest = buf_span(&mechanism_list), word;

	while (span_cut(&rest, " ", true, &word))
		if (span_is(word, mechanism))
			return true;
	return false;
}

/* Not to be known now: whatever the mechanism makes of it, failed() says. */
static enum exchange_check
canonical_name(struct exchange *x, struct span given,
    char out[EXCHANGE_USER_MAX])
{
	enum exchange_check r = accounts->canonical(x->with, given, out);

	if (r == CHECK_LATER) {
		x->check = r;
		x->checked = true;
	}
	return r;
}

static int
canonical(sasl_conn_t *c, void *context, const char *in, unsigned int n,
    unsigned int flags, const char *realm, char *out, unsigned int most,
    unsigned int *length)
{
	struct exchange *x = context;
	char name[EXCHANGE_USER_MAX] = "";
	enum exchange_check r;

	(void)c, (void)realm;
	r = canonical_name(x, (struct span){ in, n }, name);
	running = x;
	if (r == CHECK_WRONG || strlen(name) > most)
		return SASL_BADPROT;
	if ((flags & SASL_CU_AUTHID) != 0)
		memcpy(x->user, name, sizeof(x->user));
	if (r == CHECK_LATER)
		return SASL_UNAVAIL;
	*length = (unsigned int)strlen(name);
	memcpy(out, name, *length + (*length < most));
	return SASL_OK;
}

static int
check_password(sasl_conn_t *c, void *context, const char *user,
    const char *password, unsigned int n, struct propctx *properties)
{
	struct exchange *x = context;

	(void)c, (void)properties;
	x->check = accounts->check(x->with, user, (struct span){ password, n });
	running = x;
	x->checked = true;
	if (x->check == CHECK_RIGHT)
		return SASL_OK;
	return x->check == CHECK_LATER ? SASL_UNAVAIL : SASL_BADAUTH;
}

/* Nobody acts for another one. Both names are canonical here. */
static int
may_act_for(sasl_conn_t *c, void *context, const char *wanted,
    unsigned int wanted_length, const char *is, unsigned int is_length,
    const char *realm, unsigned int realm_length, struct propctx *properties)
{
	(void)c, (void)context, (void)realm, (void)realm_length;
	(void)properties;
	if (span_equal((struct span){ wanted, wanted_length },
		(struct span){ is, is_length }))
		return SASL_OK;
	return SASL_NOAUTHZ;
}

static bool
is_login(const struct exchange *x)
{
	return strcmp(x->mechanism, "LOGIN") == 0;
}

struct exchange *
exchange_new(const char *service, const char *mechanism, const char *server,
    void *with)
{
	static const sasl_security_properties_t properties = {
		.security_flags = SASL_SEC_NOANONYMOUS,
	};
	struct exchange *x;

	if (!exchange_has(mechanism))
		return NULL;
	x = mem_new(sizeof(*x));
	x->with = with;
	snprintf(x->mechanism, sizeof(x->mechanism), "%s", mechanism);
	x->name = BUF_INIT(GIVEN_NAME_MAX);
	if (is_login(x) || strcmp(mechanism, "PLAIN") == 0)
		return x;
	x->callbacks[0] =
	    (sasl_callback_t){ SASL_CB_CANON_USER, CALLBACK(canonical), x };
	x->callbacks[1] = (sasl_callback_t){ SASL_CB_SERVER_USERDB_CHECKPASS,
		CALLBACK(check_password), x };
	x->callbacks[2] =
	    (sasl_callback_t){ SASL_CB_PROXY_POLICY, CALLBACK(may_act_for), x };
	x->callbacks[3] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
	if (sasl_server_new(service, server[0] == '\0' ? NULL : server, NULL,
		NULL, NULL, x->callbacks, 0, &x->sasl) != SASL_OK ||
	    sasl_setprop(x->sasl, SASL_SEC_PROPS, &properties) != SASL_OK)
		exchange_free(&x);
	return x;
}

void
exchange_free(struct exchange **x)
{
	if (*x == NULL)
		return;
	if ((*x)->sasl != NULL)
		sasl_dispose(&(*x)->sasl);
	buf_fini(&(*x)->name);
	free(*x);
	*x = NULL;
}

static enum exchange_result
failed(struct exchange *x, int result)
{
	if (x->checked && x->check == CHECK_LATER) {
		snprintf(x->why, sizeof(x->why), "accounts unavailable");
		return EXCHANGE_LATER;
	}
	if (x->checked && x->check == CHECK_WRONG)
		snprintf(x->why, sizeof(x->why), "authentication failure");
	else
		snprintf(x->why, sizeof(x->why), "%s",
		    sasl_errstring(result, NULL, NULL));
	return EXCHANGE_FAILED;
}

/*
 * The names as they were given; "as" is empty where the user acts for nobody
 * else. The password is looked at in any case, so that time tells nothing.
 */
static enum exchange_result
by_password(struct exchange *x, struct span user, struct span as,
    struct span password)
{
	char other[EXCHANGE_USER_MAX] = "", acting[EXCHANGE_USER_MAX];
	enum exchange_check allowed = CHECK_RIGHT;

	if (span_find(password, '\0') < password.n ||
	    canonical_name(x, user, x->user) != CHECK_RIGHT ||
	    (as.n > 0 && canonical_name(x, as, other) != CHECK_RIGHT))
		return failed(x, SASL_BADPROT);
	if (other[0] != '\0' && strcmp(other, x->user) != 0) {
		allowed = accounts->acting(x->with, x->user, other, acting);
		if (allowed == CHECK_RIGHT)
			memcpy(x->user, acting, sizeof(x->user));
	}
	x->check = accounts->check(x->with, x->user, password);
	if (allowed == CHECK_LATER)
		x->check = allowed;
	x->checked = true;
	if (x->check != CHECK_RIGHT)
		return failed(x, SASL_BADAUTH);
	return allowed == CHECK_RIGHT ? EXCHANGE_DONE : failed(x, SASL_NOAUTHZ);
}

/*
 * PLAIN (RFC 4616) is what nearly everybody uses, and three words; libsasl2
 * makes a connection object with tables of plugins for it.
 */
static enum exchange_result
plain(struct exchange *x, struct span message)
{
	size_t first = span_find(message, '\0'), second;
	struct span rest;

	if (first == message.n)
		return failed(x, SASL_BADPROT);
	rest = span_skip(message, first + 1);
	second = span_find(rest, '\0');
	if (second == rest.n)
		return failed(x, SASL_BADPROT);
	return by_password(x, span_take(rest, second),
	    span_take(message, first), span_skip(rest, second + 1));
}

/*
 * LOGIN is two questions (draft-murchison-sasl-login). libsasl2's, up to
 * 2.1.28, keeps the password of each attempt for ever whose name is refused.
 */
static enum exchange_result
login(struct exchange *x, struct span answer, struct span *out)
{
	if (x->named)
		return by_password(x, buf_span(&x->name), SPAN(""), answer);
	x->named = true;
	if (!buf_add(&x->name, answer.p, answer.n))
		return failed(x, SASL_BADPROT);
	*out = SPAN("Password:");
	return EXCHANGE_MORE;
}

static enum exchange_result
own_step(struct exchange *x, struct span answer, struct span *out)
{
	return is_login(x) ? login(x, answer, out) : plain(x, answer);
}

/* An initial response of LOGIN that is empty names nobody yet. */
static enum exchange_result
own_start(struct exchange *x, const struct span *initial, struct span *out)
{
	if (is_login(x) && (initial == NULL || initial->n == 0)) {
		*out = SPAN("Username:");
		return EXCHANGE_MORE;
	}
	return initial == NULL ? EXCHANGE_MORE : own_step(x, *initial, out);
}

/*
 * The user is who libsasl2 says, which may_act_for has made one with whose
 * password was right.
 */
static enum exchange_result
succeed(struct exchange *x)
{
	const void *name = NULL;

	if (sasl_getprop(x->sasl, SASL_USERNAME, &name) != SASL_OK ||
	    name == NULL || strlen(name) >= sizeof(x->user)) {
		snprintf(x->why, sizeof(x->why), "no user name");
		return EXCHANGE_FAILED;
	}
	snprintf(x->user, sizeof(x->user), "%s", (const char *)name);
	return EXCHANGE_DONE;
}

static enum exchange_result
judge(struct exchange *x, int result, const char *data, unsigned int n,
    struct span *out)
{
	*out = (struct span){ data == NULL ? "" : data, data == NULL ? 0 : n };
	if (result == SASL_CONTINUE)
		return EXCHANGE_MORE;
	if (result == SASL_OK)
		return succeed(x);
	return failed(x, result);
}

enum exchange_result
exchange_start(struct exchange *x, const struct span *initial, struct span *out)
{
	const char *data = NULL;
	unsigned int n = 0;
	int result;

	*out = SPAN("");
	if (x->sasl == NULL)
		return own_start(x, initial, out);
	running = x;
	result = sasl_server_start(x->sasl, x->mechanism,
	    initial == NULL     ? NULL :
		initial->n == 0 ? "" :
				  initial->p,
	    initial == NULL ? 0 : (unsigned int)initial->n, &data, &n);
	running = NULL;
	return judge(x, result, data, n, out);
}

enum exchange_result
exchange_step(struct exchange *x, struct span response, struct span *out)
{
	const char *data = NULL;
	unsigned int n = 0;
	int result;

	*out = SPAN("");
	if (x->sasl == NULL)
		return own_step(x, response, out);
	running = x;
	result = sasl_server_step(x->sasl, response.n == 0 ? "" : response.p,
	    (unsigned int)response.n, &data, &n);
	running = NULL;
	return judge(x, result, data, n, out);
}

const char *
exchange_user(const struct exchange *x)
{
	return x->user;
}

const char *
exchange_why(const struct exchange *x)
{
	return x->why;
}
