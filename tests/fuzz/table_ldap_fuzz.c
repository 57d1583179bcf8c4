/* SPDX-License-Identifier: ISC */
/*
 * ldap: tables behind a client library that fails wherever it may, and gives
 * what a server may have said: entries that lead to others, errors, nothing.
 * All that it gave out is given back once. URLs are the real library's.
 *
 * The input: settings, a host, keys, and what the library does at each call.
 */
#include <ldap.h>
#include <sasl/sasl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "tests/fuzz/module_asker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the library has given out. */
static struct {
	size_t connections, messages, entries, lists, texts;
} alive;

struct ldap {
	bool bound;
};

struct ldapmsg {
	struct ldapmsg *next; /* of a message: its first entry */
	int code;
};

static int
any_code(void)
{
	static const int codes[] = { LDAP_SERVER_DOWN, LDAP_TIMEOUT,
		LDAP_NO_SUCH_OBJECT, LDAP_REFERRAL, LDAP_BUSY, LDAP_OTHER,
		LDAP_INVALID_CREDENTIALS, LDAP_SIZELIMIT_EXCEEDED,
		LDAP_NO_MEMORY, LDAP_DECODING_ERROR, LDAP_LOCAL_ERROR,
		LDAP_PARAM_ERROR, LDAP_FILTER_ERROR, LDAP_NO_RESULTS_RETURNED };

	if (!asker_chance(32))
		return LDAP_SUCCESS;
	return codes[asker_byte() % (sizeof(codes) / sizeof(codes[0]))];
}

static int
fake_initialize(LDAP **ld, const char *uri)
{
	int code = any_code();

	ensure(uri != NULL);
	*ld = NULL;
	if (code == LDAP_SUCCESS) {
		*ld = mem_new(sizeof(**ld));
		alive.connections++;
	}
	return code;
}

static int
fake_unbind_ext(LDAP *ld, LDAPControl **server, LDAPControl **client)
{
	(void)server, (void)client;
	ensure(ld != NULL);
	alive.connections--;
	free(ld);
	return LDAP_SUCCESS;
}

static int
fake_set_option(LDAP *ld, int option, const void *value)
{
	(void)ld, (void)option;
	ensure(value != NULL || option == LDAP_OPT_REFERRALS);
	return any_code();
}

static int
fake_get_option(LDAP *ld, int option, void *value)
{
	ensure(ld != NULL);
	if (option == LDAP_OPT_RESULT_CODE) {
		*(int *)value = any_code();
		return LDAP_SUCCESS;
	}
	ensure(option == LDAP_OPT_DIAGNOSTIC_MESSAGE);
	if (!asker_chance(128))
		return LDAP_OPT_ERROR;
	*(char **)value = asker_text(ASKER_TEXT_MOST, NULL);
	alive.texts++;
	return LDAP_OPT_SUCCESS;
}

static void
fake_memfree(void *text)
{
	alive.texts -= text != NULL;
	free(text);
}

static int
fake_connect(LDAP *ld)
{
	ensure(ld != NULL);
	return any_code();
}

static int
fake_start_tls_s(LDAP *ld, LDAPControl **server, LDAPControl **client)
{
	(void)server, (void)client;
	ensure(ld != NULL);
	return any_code();
}

static int
fake_sasl_bind(LDAP *ld, const char *dn, const char *mechanism,
    struct berval *secret, LDAPControl **server, LDAPControl **client, int *id)
{
	(void)mechanism, (void)server, (void)client;
	ensure(ld != NULL && dn != NULL && secret->bv_val != NULL);
	*id = 1;
	return any_code();
}

static int
fake_sasl_interactive_bind_s(LDAP *ld, const char *dn, const char *mechanisms,
    LDAPControl **server, LDAPControl **client, unsigned int flags,
    LDAP_SASL_INTERACT_PROC *ask, void *with)
{
	static const unsigned long ids[] = { SASL_CB_GETREALM, SASL_CB_AUTHNAME,
		SASL_CB_USER, SASL_CB_PASS, SASL_CB_ECHOPROMPT,
		SASL_CB_NOECHOPROMPT };
	enum { KINDS = sizeof(ids) / sizeof(ids[0]), QUESTIONS = 4 };
	sasl_interact_t questions[QUESTIONS + 1];
	size_t n = asker_byte() % (QUESTIONS + 1);

	(void)dn, (void)mechanisms, (void)server, (void)client;
	for (size_t i = 0; i < n; i++)
		questions[i] =
		    (sasl_interact_t){ .id = ids[asker_byte() % KINDS],
			    .defresult = asker_chance(128) ? "usual" : NULL };
	questions[n] = (sasl_interact_t){ .id = SASL_CB_LIST_END };
	ensure(ask(ld, flags, with, questions) == LDAP_SUCCESS);
	for (size_t i = 0; i < n; i++)
		ensure(questions[i].result != NULL &&
		    strlen(questions[i].result) == questions[i].len);
	return any_code();
}

static int
fake_search_ext(LDAP *ld, const char *base, int scope, const char *filter,
    char **names, int names_only, LDAPControl **server, LDAPControl **client,
    struct timeval *left, int most, int *id)
{
	(void)scope, (void)names_only, (void)server, (void)client, (void)most;
	ensure(ld != NULL && base != NULL && names != NULL);
	ensure(filter != NULL && filter[0] != '\0');
	ensure(left->tv_sec > 0 || left->tv_usec > 0);
	*id = 2;
	return any_code();
}

static int
fake_abandon_ext(LDAP *ld, int id, LDAPControl **server, LDAPControl **client)
{
	(void)server, (void)client;
	ensure(ld != NULL && id > 0);
	return LDAP_SUCCESS;
}

static int
fake_result(LDAP *ld, int id, int all, struct timeval *left, LDAPMessage **out)
{
	unsigned int what = asker_byte();

	ensure(ld != NULL && id > 0 && all == LDAP_MSG_ALL && left != NULL);
	*out = NULL;
	if (what >= 240)
		return what % 2 - 1; /* the time is over, or it failed */
	*out = mem_new(sizeof(**out));
	alive.messages++;
	(*out)->code = any_code();
	for (unsigned int i = 0; i < what % 4; i++) {
		LDAPMessage *entry = mem_new(sizeof(*entry));

		alive.entries++;
		entry->next = (*out)->next;
		(*out)->next = entry;
	}
	return LDAP_RES_SEARCH_RESULT;
}

static int
fake_msgfree(LDAPMessage *m)
{
	LDAPMessage *next;

	ensure(m != NULL);
	alive.messages--;
	for (LDAPMessage *e = m->next; e != NULL; e = next) {
		next = e->next;
		alive.entries--;
		free(e);
	}
	free(m);
	return LDAP_RES_SEARCH_RESULT;
}

/* As the real one: it gives nothing back where there is no result in it. */
static int
fake_parse_result(LDAP *ld, LDAPMessage *m, int *code, char **matched,
    char **text, char ***referrals, LDAPControl ***controls, int free_it)
{
	int parsed = any_code();

	ensure(ld != NULL && m != NULL && matched == NULL && text == NULL &&
	    referrals == NULL && controls == NULL);
	if (parsed == LDAP_SUCCESS)
		*code = m->code;
	if (free_it && parsed != LDAP_NO_RESULTS_RETURNED)
		fake_msgfree(m);
	return parsed;
}

static LDAPMessage *
fake_first_entry(LDAP *ld, LDAPMessage *m)
{
	ensure(ld != NULL);
	return m->next;
}

static LDAPMessage *
fake_next_entry(LDAP *ld, LDAPMessage *entry)
{
	ensure(ld != NULL);
	return entry->next;
}

static struct berval **
fake_get_values_len(LDAP *ld, LDAPMessage *entry, const char *name)
{
	unsigned int n = asker_byte() % 5;
	struct berval **values;
	size_t length;

	ensure(ld != NULL && entry != NULL && name[0] != '\0');
	if (n == 0)
		return NULL;
	/* also a list of none */
	values = mem_array(n, sizeof(*values));
	alive.lists++;
	for (unsigned int i = 0; i + 1 < n; i++) {
		values[i] = mem_new(sizeof(**values));
		values[i]->bv_val = asker_text(ASKER_TEXT_MOST, &length);
		values[i]->bv_len = length;
	}
	return values;
}

static void
fake_value_free_len(struct berval **values)
{
	for (struct berval **v = values; *v != NULL; v++) {
		free((*v)->bv_val);
		free(*v);
	}
	free(values);
	alive.lists--;
}

#define ldap_initialize fake_initialize
#define ldap_unbind_ext fake_unbind_ext
#define ldap_set_option fake_set_option
#define ldap_get_option fake_get_option
#define ldap_memfree fake_memfree
#define ldap_connect fake_connect
#define ldap_start_tls_s fake_start_tls_s
#define ldap_sasl_bind fake_sasl_bind
#define ldap_sasl_interactive_bind_s fake_sasl_interactive_bind_s
#define ldap_search_ext fake_search_ext
#define ldap_abandon_ext fake_abandon_ext
#define ldap_result fake_result
#define ldap_msgfree fake_msgfree
#define ldap_parse_result fake_parse_result
#define ldap_first_entry fake_first_entry
#define ldap_next_entry fake_next_entry
#define ldap_get_values_len fake_get_values_len
#define ldap_value_free_len fake_value_free_len

#include "table_modules/table_ldap.c"

static void
choose(struct module_asker *a)
{
	static const char *const attributes[][4] = {
		{ "maildrop", "", "", "" },
		{ "mail, maildrop", "member labeledURI", "", "" },
		{ "mail", "member", "end", "leaf" },
		{ "", "member", "", "maildrop" },
	};
	static const char *const binds[] = { "no", "yes", "sasl", "none" };
	static const char *const scopes[] = { "sub", "base", "one" };
	static const char *const bases[] = { "dc=x", "ou=%d,dc=x", "%%" };
	unsigned int bits = asker_byte();

	for (int role = 0; role < ROLES; role++)
		asker_set(a, role_settings[role], attributes[bits % 4][role]);
	asker_set(a, "bind", binds[bits / 4 % 4]);
	asker_set(a, "start_tls", bits & 16 ? "yes" : "no");
	asker_set(a, "tls_require_cert", bits & 32 ? "yes" : "never");
	asker_set(a, "search_base", bases[bits / 64 % 3]);
	bits = asker_byte();
	asker_set(a, "scope", scopes[bits % 3]);
	asker_set(a, "chase_referrals", bits & 4 ? "yes" : "no");
	asker_set(a, "tls_ca_cert_file", bits & 8 ? "/ca" : "");
	asker_set(a, "sasl_realm", bits & 16 ? "realm" : "");
	asker_set(a, "recursion_limit", bits & 32 ? "3" : "50");
	if (bits & 64)
		a->patience = 4 + asker_byte();
	if (bits & 128)
		a->most = 1 + asker_byte();
}

static unsigned int
hex(char c)
{
	ensure((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
	return (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Nothing special is left in it, and it means the key. */
static void
check_quoting(enum module_place place, const char *special, struct span key)
{
	size_t room = 4 * key.n + 1, k = 0;
	char *to = mem_new(room);
	size_t length = quote(NULL, place, to, room, key.p, key.n);

	ensure(length < room);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)to[i];

		ensure(k < key.n && c >= ' ' && c < 0x7f);
		if (c == '\\') {
			ensure(i + 2 < length);
			c = (unsigned char)(hex(to[i + 1]) << 4 |
			    hex(to[i + 2]));
			i += 2;
		} else {
			ensure(strchr(special, c) == NULL);
		}
		ensure(c == (unsigned char)key.p[k++]);
	}
	ensure(k == key.n);
	free(to);
}

static void
check_key(struct span key)
{
	check_quoting(MODULE_QUERY, "*()", key);
	check_quoting(MODULE_BASE, ",+\"<>;=# ", key);
}

static void
check_given_back(bool closed)
{
	ensure(alive.messages == 0 && alive.entries == 0);
	ensure(alive.lists == 0 && alive.texts == 0);
	ensure(!closed || alive.connections == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct asker_trial trial = {
		.module = &table_module,
		.query = "(&(mail=%s)(x=%u*))",
		.base_setting = "search_base",
		.choose = choose,
		.check_key = check_key,
		.check_given_back = check_given_back,
	};

	asker_try(&trial, data, size);
	return 0;
}
