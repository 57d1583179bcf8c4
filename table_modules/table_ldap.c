/* SPDX-License-Identifier: ISC */
/*
 * ldap: tables.
 *
 * Results may lead to other entries (special_result_attribute: a DN or a URL),
 * which are then searched in turn, to a depth and a number that are bounded.
 */
#include <errno.h>
#include <ldap.h>
#include <stdio.h>
#include <strings.h>

#include <sasl/sasl.h>

#include "table_modules/module.h"

static const struct module_setting settings[] = {
	SETTING_TEXT("server_host", "localhost"),
	SETTING_COUNT("server_port", "389", 1, 65535),
	SETTING_TEXT("search_base", ""),
	SETTING_TEXT("query_filter", "(mailacceptinggeneralid=%s)"),
	SETTING_TEXT("result_filter", "%s"),
	SETTING_TEXT("result_attribute", "maildrop"),
	SETTING_TEXT("special_result_attribute", ""),
	SETTING_TEXT("terminal_result_attribute", ""),
	SETTING_TEXT("leaf_result_attribute", ""),
	SETTING_WORD("scope", "sub", "sub base one"),
	SETTING_WORD("bind", "yes", "yes no none simple sasl"),
	SETTING_TEXT("bind_dn", ""),
	SETTING_TEXT("bind_pw", ""),
	SETTING_TEXT("sasl_mechs", ""),
	SETTING_TEXT("sasl_realm", ""),
	SETTING_TEXT("sasl_authz_id", ""),
	SETTING_COUNT("sasl_minssf", "0", 0, 4096),
	/* of releases long gone; there is no cache */
	SETTING_BOOL("cache", "no"),
	SETTING_LIMIT("cache_expiry", "30", 0, INT32_MAX),
	SETTING_LIMIT("cache_size", "32768", 0, INT32_MAX),
	/* each level is some 2 KB of stack */
	SETTING_LIMIT("recursion_limit", "1000", 1, 1000),
	SETTING_LIMIT("size_limit", "0", 0, INT32_MAX),
	SETTING_COUNT("dereference", "0", 0, 3),
	SETTING_BOOL("chase_referrals", "no"),
	SETTING_COUNT("version", "3", 2, 3),
	SETTING_COUNT("debuglevel", "0", 0, 65535),
	SETTING_BOOL("start_tls", "no"),
	SETTING_TEXT("tls_ca_cert_file", ""),
	SETTING_TEXT("tls_ca_cert_dir", ""),
	SETTING_TEXT("tls_cert", ""),
	SETTING_TEXT("tls_key", ""),
	SETTING_WORD("tls_require_cert", "no",
	    "no yes never allow try demand hard"),
	SETTING_TEXT("tls_random_file", ""),
	SETTING_TEXT("tls_cipher_suite", ""),
	SETTINGS_END,
};

enum {
	ATTRIBUTES_MAX = 64,
	SEARCHES_MAX = 10000,
	/*
	 * Bytes of the answers to one question; the library would take
	 * whatever a server sends, and keep it until the last entry has come.
	 */
	ANSWER_MAX = 4 << 20,
	/*
	 * One message may claim more, so that what is too long is known by
	 * what comes: beyond this it is no LDAP, or a server gone mad.
	 */
	CLAIM_MAX = 4 * ANSWER_MAX,
	/* beside the library's codes: there was more than that */
	TOO_LONG = -1000,
};

enum role { RESULT, SPECIAL, TERMINAL, LEAF, ROLES };

static const char *const role_settings[] = { "result_attribute",
	"special_result_attribute", "terminal_result_attribute",
	"leaf_result_attribute" };

/* The attributes that are asked for, and what each is for. */
struct wanted {
	char *text; /* the names themselves */
	char *names[ATTRIBUTES_MAX + 1];
	enum role roles[ATTRIBUTES_MAX];
	size_t count;
};

struct session {
	LDAP *ld;
	struct wanted wanted;
	struct ldap_conncb bounding; /* of each of its connections */
	size_t have; /* bytes of the answers so far */
};

/* One question. */
struct search {
	struct module_call *call;
	struct session *session;
	int64_t searches;
	bool enough;
};

static enum module_result
judge(int code)
{
	switch (code) {
	case LDAP_SERVER_DOWN:
	case LDAP_TIMEOUT:
	case LDAP_CONNECT_ERROR:
	case LDAP_UNAVAILABLE:
	case LDAP_LOCAL_ERROR:
	case LDAP_ENCODING_ERROR:
	case LDAP_DECODING_ERROR:
	case LDAP_NO_MEMORY:
	case TOO_LONG: /* and the connection is of no more use */
		return MODULE_DOWN;
	case LDAP_BUSY:
	case LDAP_TIMELIMIT_EXCEEDED:
	case LDAP_ADMINLIMIT_EXCEEDED:
	case LDAP_OPERATIONS_ERROR:
	case LDAP_OTHER:
		return MODULE_LATER;
	default:
		return MODULE_WRONG;
	}
}

static enum module_result
failed(struct module_call *c, LDAP *ld, const char *what, int code)
{
	char *more = NULL;

	if (code == TOO_LONG) {
		c->fail(c,
		    "%s: the answer is longer than %d bytes: narrow "
		    "query_filter or search_base, or name fewer attributes",
		    what, ANSWER_MAX);
		return judge(code);
	}
	if (ld != NULL)
		(void)ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
	c->fail(c, "%s: %s%s%s", what, ldap_err2string(code),
	    more != NULL && *more != '\0' ? ": " : "",
	    more != NULL ? more : "");
	ldap_memfree(more);
	return judge(code);
}

/*
 * How an operation has ended, right behind it. The library calls each
 * connection that it gives up a server that is down; errno is its own for one
 * message, and that of read_counted() for many.
 */
static int
ended(int code)
{
	return code == LDAP_SERVER_DOWN && errno == ERANGE ? TOO_LONG : code;
}

static int
begin_counting(Sockbuf_IO_Desc *d, void *session)
{
	d->sbiod_pvt = session;
	return 0;
}

static int
end_counting(Sockbuf_IO_Desc *d)
{
	d->sbiod_pvt = NULL;
	return 0;
}

static int
pass_control(Sockbuf_IO_Desc *d, int option, void *argument)
{
	return LBER_SBIOD_CTRL_NEXT(d, option, argument);
}

/* An error, once there is too much: the connection is of no more use. */
static ber_slen_t
read_counted(Sockbuf_IO_Desc *d, void *to, ber_len_t room)
{
	struct session *s = d->sbiod_pvt;
	ber_slen_t n;

	if (s->have > ANSWER_MAX) {
		errno = ERANGE;
		return -1;
	}
	n = LBER_SBIOD_READ_NEXT(d, to, room);
	if (n > 0)
		s->have += (size_t)n;
	return n;
}

static ber_slen_t
pass_written(Sockbuf_IO_Desc *d, void *from, ber_len_t n)
{
	return LBER_SBIOD_WRITE_NEXT(d, from, n);
}

static Sockbuf_IO counting = {
	.sbi_setup = begin_counting,
	.sbi_remove = end_counting,
	.sbi_ctrl = pass_control,
	.sbi_read = read_counted,
	.sbi_write = pass_written,
};

/* A new connection, to the server or to where a referral leads. */
static int
bound_connection(LDAP *ld, Sockbuf *connection, LDAPURLDesc *url,
    struct sockaddr *address, struct ldap_conncb *with)
{
	ber_len_t most = CLAIM_MAX;

	(void)ld;
	(void)url;
	(void)address;
	(void)ber_sockbuf_ctrl(connection, LBER_SB_OPT_SET_MAX_INCOMING, &most);
	return ber_sockbuf_add_io(connection, &counting,
	    LBER_SBIOD_LEVEL_APPLICATION, with->lc_arg);
}

static void
unbound_connection(LDAP *ld, Sockbuf *connection, struct ldap_conncb *with)
{
	(void)ld;
	(void)connection;
	(void)with;
}

static int
bound_answers(struct session *s)
{
	s->bounding =
	    (struct ldap_conncb){ bound_connection, unbound_connection, s };
	return ldap_set_option(s->ld, LDAP_OPT_CONNECT_CB, &s->bounding);
}

static struct timeval
time_left(const struct module_call *c)
{
	int ms = c->left_ms(c);

	return (struct timeval){ ms / 1000, ms % 1000 * 1000 };
}

static void
add_names(struct wanted *w, char *list, enum role role)
{
	char *rest = list;

	for (char *name = strtok_r(list, ", \t\r\n", &rest);
	     name != NULL && w->count < ATTRIBUTES_MAX;
	     name = strtok_r(NULL, ", \t\r\n", &rest)) {
		w->names[w->count] = name;
		w->roles[w->count++] = role;
	}
}

/* All four settings in one text that the names point into. */
static bool
read_wanted(struct module_call *c, struct wanted *w)
{
	size_t room = 0;
	char *to;

	for (int role = 0; role < ROLES; role++)
		room += strlen(c->setting(c, role_settings[role])) + 1;
	to = w->text = malloc(room);
	if (to == NULL)
		return false;
	for (int role = 0; role < ROLES; role++) {
		const char *from = c->setting(c, role_settings[role]);
		size_t n = strlen(from) + 1;

		memcpy(to, from, n);
		add_names(w, to, (enum role)role);
		to += n;
	}
	w->names[w->count] = NULL;
	return true;
}

static const char *
uri_of(struct module_call *c, const char *host, char *to, size_t room)
{
	const char *colon = strrchr(host, ':');
	bool has_port = colon != NULL && strchr(colon, ']') == NULL;

	if (strstr(host, "://") != NULL)
		return host;
	if (has_port)
		snprintf(to, room, "ldap://%s", host);
	else
		snprintf(to, room, "ldap://%s:%lld", host,
		    (long long)c->number(c, "server_port"));
	return to;
}

static int
set_text(LDAP *ld, int option, const char *text)
{
	return is_given(text) ? ldap_set_option(ld, option, text) :
				LDAP_SUCCESS;
}

static int
requirement(const char *word)
{
	static const struct {
		const char *word;
		int value;
	} words[] = {
		{ "no", LDAP_OPT_X_TLS_NEVER },
		{ "never", LDAP_OPT_X_TLS_NEVER },
		{ "allow", LDAP_OPT_X_TLS_ALLOW },
		{ "try", LDAP_OPT_X_TLS_TRY },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(word, words[i].word) == 0)
			return words[i].value;
	return LDAP_OPT_X_TLS_DEMAND;
}

static int
set_tls(struct module_call *c, LDAP *ld, int require)
{
	static const struct {
		const char *setting;
		int option;
	} texts[] = {
		{ "tls_ca_cert_file", LDAP_OPT_X_TLS_CACERTFILE },
		{ "tls_ca_cert_dir", LDAP_OPT_X_TLS_CACERTDIR },
		{ "tls_cert", LDAP_OPT_X_TLS_CERTFILE },
		{ "tls_key", LDAP_OPT_X_TLS_KEYFILE },
		{ "tls_random_file", LDAP_OPT_X_TLS_RANDOM_FILE },
		{ "tls_cipher_suite", LDAP_OPT_X_TLS_CIPHER_SUITE },
	};
	int client = 0;
	int r = ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &require);

	for (size_t i = 0;
	     r == LDAP_SUCCESS && i < sizeof(texts) / sizeof(texts[0]); i++)
		/* GnuTLS knows no file of random bytes, and needs none */
		if (texts[i].option != LDAP_OPT_X_TLS_RANDOM_FILE)
			r = set_text(ld, texts[i].option,
			    c->setting(c, texts[i].setting));
	if (r == LDAP_SUCCESS)
		r = ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client);
	return r;
}

static int
set_options(struct module_call *c, LDAP *ld, int require)
{
	struct timeval left = time_left(c);
	int version = (int)c->number(c, "version");
	int dereference = (int)c->number(c, "dereference");
	int size = (int)c->number(c, "size_limit");
	int debug = (int)c->number(c, "debuglevel");
	bool chase = c->number(c, "chase_referrals") != 0;
	int r = ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);

	if (r == LDAP_SUCCESS)
		r = ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &left);
	if (r == LDAP_SUCCESS)
		r = ldap_set_option(ld, LDAP_OPT_TIMEOUT, &left);
	if (r == LDAP_SUCCESS)
		r = ldap_set_option(ld, LDAP_OPT_DEREF, &dereference);
	if (r == LDAP_SUCCESS)
		r = ldap_set_option(ld, LDAP_OPT_SIZELIMIT, &size);
	if (r == LDAP_SUCCESS)
		r = ldap_set_option(ld, LDAP_OPT_REFERRALS,
		    chase ? LDAP_OPT_ON : LDAP_OPT_OFF);
	if (r == LDAP_SUCCESS && debug != 0)
		r = ldap_set_option(NULL, LDAP_OPT_DEBUG_LEVEL, &debug);
	return r == LDAP_SUCCESS ? set_tls(c, ld, require) : r;
}

/* The result of one operation; LDAP_TIMEOUT when the time is over. */
static int
wait_result(struct module_call *c, LDAP *ld, int id, LDAPMessage **message)
{
	struct timeval left = time_left(c);
	int code = LDAP_OTHER, kind;

	errno = 0;
	kind = ldap_result(ld, id, LDAP_MSG_ALL, &left, message);
	if (kind > 0)
		return LDAP_SUCCESS;
	if (kind == 0) {
		(void)ldap_abandon_ext(ld, id, NULL, NULL);
		return LDAP_TIMEOUT;
	}
	(void)ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &code);
	return ended(code == LDAP_SUCCESS ? LDAP_SERVER_DOWN : code);
}

static int
bind_simple(struct module_call *c, LDAP *ld)
{
	const char *password = c->setting(c, "bind_pw");
	char *copy = strdup(password);
	struct berval secret = { strlen(password), copy };
	LDAPMessage *message = NULL;
	int id = 0, code = LDAP_NO_MEMORY, r = code;

	if (copy != NULL)
		r = ldap_sasl_bind(ld, c->setting(c, "bind_dn"),
		    LDAP_SASL_SIMPLE, &secret, NULL, NULL, &id);
	if (r == LDAP_SUCCESS)
		r = wait_result(c, ld, id, &message);
	if (r == LDAP_SUCCESS)
		r = ldap_parse_result(ld, message, &code, NULL, NULL, NULL,
		    NULL, 0);
	/* ours, whatever the library found in it */
	if (message != NULL)
		(void)ldap_msgfree(message);
	free(copy);
	return r == LDAP_SUCCESS ? code : r;
}

/* What the SASL library asks for. */
static int
interact(LDAP *ld, unsigned int flags, void *with, void *questions)
{
	struct module_call *c = with;

	(void)ld;
	(void)flags;
	for (sasl_interact_t *q = questions; q->id != SASL_CB_LIST_END; q++) {
		const char *answer = NULL;

		if (q->id == SASL_CB_GETREALM)
			answer = c->setting(c, "sasl_realm");
		else if (q->id == SASL_CB_AUTHNAME)
			answer = c->setting(c, "bind_dn");
		else if (q->id == SASL_CB_USER)
			answer = c->setting(c, "sasl_authz_id");
		else if (q->id == SASL_CB_PASS)
			answer = c->setting(c, "bind_pw");
		if (answer == NULL || !is_given(answer))
			answer = q->defresult != NULL ? q->defresult : "";
		q->result = answer;
		q->len = (unsigned int)strlen(answer);
	}
	return LDAP_SUCCESS;
}

static int
bind_sasl(struct module_call *c, LDAP *ld)
{
	char security[64];
	int r;

	snprintf(security, sizeof(security), "minssf=%lld",
	    (long long)c->number(c, "sasl_minssf"));
	r = ldap_set_option(ld, LDAP_OPT_X_SASL_SECPROPS, security);
	if (r != LDAP_SUCCESS)
		return r;
	errno = 0;
	return ended(ldap_sasl_interactive_bind_s(ld, NULL,
	    or_null(c->setting(c, "sasl_mechs")), NULL, NULL, LDAP_SASL_QUIET,
	    interact, c));
}

static int
reach(struct module_call *c, LDAP *ld)
{
	int r;

	errno = 0;
	r = ldap_connect(ld);
	if (r == LDAP_SUCCESS && c->number(c, "start_tls") != 0)
		r = ldap_start_tls_s(ld, NULL, NULL);
	return ended(r);
}

/*
 * The library does not tell a certificate that nobody vouches for from a
 * server that is not there. Where one can be reached by who wants no proof,
 * that is it. Nothing is said to it.
 */
static bool
is_unproven(struct module_call *c, const char *uri, int require)
{
	struct session s = { .ld = NULL };
	bool reached = require != LDAP_OPT_X_TLS_NEVER &&
	    ldap_initialize(&s.ld, uri) == LDAP_SUCCESS &&
	    bound_answers(&s) == LDAP_SUCCESS &&
	    set_options(c, s.ld, LDAP_OPT_X_TLS_NEVER) == LDAP_SUCCESS &&
	    reach(c, s.ld) == LDAP_SUCCESS;

	if (s.ld != NULL)
		(void)ldap_unbind_ext(s.ld, NULL, NULL);
	return reached;
}

static enum module_result
introduce(struct module_call *c, LDAP *ld, const char *uri, int require)
{
	const char *how = c->setting(c, "bind");
	const char *what =
	    c->number(c, "start_tls") != 0 ? "STARTTLS" : "connect";
	int r = reach(c, ld);

	if (r != LDAP_SUCCESS) {
		(void)failed(c, ld, what, r);
		if (r != TOO_LONG && is_unproven(c, uri, require))
			c->fail(c,
			    "%s: the server's certificate proves nothing: see "
			    "tls_ca_cert_file and tls_require_cert",
			    what);
		return MODULE_DOWN;
	}
	if (strcasecmp(how, "no") == 0 || strcasecmp(how, "none") == 0)
		return MODULE_OK;
	r = strcasecmp(how, "sasl") == 0 ? bind_sasl(c, ld) :
					   bind_simple(c, ld);
	return r == LDAP_SUCCESS ? MODULE_OK : failed(c, ld, "bind", r);
}

static void
hang_up(void *connection)
{
	struct session *s = connection;

	if (s->ld != NULL)
		(void)ldap_unbind_ext(s->ld, NULL, NULL);
	free(s->wanted.text);
	free(s);
}

static enum module_result
connect_server(struct module_call *c, const char *host, void **connection)
{
	struct session *s = calloc(1, sizeof(*s));
	enum module_result result;
	char text[512];
	const char *uri = uri_of(c, host, text, sizeof(text));
	int require = requirement(c->setting(c, "tls_require_cert"));
	int r;

	if (s == NULL || !read_wanted(c, &s->wanted)) {
		free(s);
		c->fail(c, "out of memory");
		return MODULE_DOWN;
	}
	r = ldap_initialize(&s->ld, uri);
	if (r == LDAP_SUCCESS)
		r = bound_answers(s);
	if (r == LDAP_SUCCESS)
		r = set_options(c, s->ld, require);
	if (r != LDAP_SUCCESS) {
		(void)failed(c, s->ld, "settings", r);
		result = MODULE_WRONG;
	} else {
		result = introduce(c, s->ld, uri, require);
	}
	if (result == MODULE_OK)
		*connection = s;
	else
		hang_up(s);
	return result == MODULE_LATER ? MODULE_DOWN : result;
}

/*
 * RFC 4515 section 3 for the filter, RFC 4514 section 2.4 for the base: both
 * know \XX for any byte.
 */
static size_t
quote(void *connection, enum module_place place, char *to, size_t room,
    const char *from, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const char *special = place == MODULE_BASE ? ",+\"\\<>;=# " : "*()\\";
	char *end = to;

	(void)connection;
	(void)room; /* 4 n + 1 */
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)from[i];

		if (c >= ' ' && c < 0x7f && strchr(special, c) == NULL) {
			*end++ = (char)c;
			continue;
		}
		*end++ = '\\';
		*end++ = digits[c >> 4];
		*end++ = digits[c & 15];
	}
	return (size_t)(end - to);
}

static const char any_object[] = "(objectclass=*)";

static enum module_result search(struct search *s, const char *base, int scope,
    const char *filter, char **names, int64_t depth);

/* Attributes that are both in the URL and among ours. */
static void
narrow(const struct wanted *w, char **of_url, char **names)
{
	size_t count = 0;

	for (size_t i = 0; i < w->count; i++)
		for (char **u = of_url; *u != NULL; u++)
			if (strcasecmp(*u, w->names[i]) == 0) {
				names[count++] = w->names[i];
				break;
			}
	names[count] = NULL;
}

/* What it leaves out is not for the library to find in this machine's files. */
static enum module_result
search_url(struct search *s, const LDAPURLDesc *url, char **names,
    int64_t depth)
{
	return search(s, url->lud_dn != NULL ? url->lud_dn : "", url->lud_scope,
	    url->lud_filter != NULL ? url->lud_filter : any_object, names,
	    depth);
}

static enum module_result
follow_url(struct search *s, const char *text, int64_t depth)
{
	struct wanted *w = &s->session->wanted;
	char *names[ATTRIBUTES_MAX + 1];
	enum module_result r = MODULE_OK;
	LDAPURLDesc *url;

	if (ldap_url_parse(text, &url) != LDAP_URL_SUCCESS)
		return MODULE_OK;
	if (url->lud_attrs != NULL)
		narrow(w, url->lud_attrs, names);
	if (url->lud_attrs == NULL)
		r = search_url(s, url, w->names, depth);
	else if (names[0] != NULL)
		r = search_url(s, url, names, depth);
	ldap_free_urldesc(url);
	return r;
}

static enum module_result
follow(struct search *s, const struct berval *value, int64_t depth)
{
	if (depth >= s->call->number(s->call, "recursion_limit")) {
		s->call->fail(s->call, "recursion limit exceeded at \"%.200s\"",
		    value->bv_val);
		return MODULE_WRONG;
	}
	if (ldap_is_ldap_url(value->bv_val))
		return follow_url(s, value->bv_val, depth + 1);
	return search(s, value->bv_val, LDAP_SCOPE_BASE, any_object,
	    s->session->wanted.names, depth + 1);
}

static enum module_result
take_values(struct search *s, struct berval **values, enum role role,
    int64_t depth)
{
	enum module_result r = MODULE_OK;

	for (size_t i = 0; values[i] != NULL && !s->enough && r == MODULE_OK;
	     i++) {
		if (values[i]->bv_len == 0)
			continue;
		if (role == SPECIAL)
			r = follow(s, values[i], depth);
		else
			s->enough = !s->call->value(s->call, values[i]->bv_val,
			    values[i]->bv_len, true);
	}
	return r;
}

static bool
asked_for(char **names, const char *name)
{
	while (*names != NULL && *names != name)
		names++;
	return *names != NULL;
}

/* Terminal attributes silence all others, special ones the leaf's. */
static enum module_result
take_entry(struct search *s, LDAPMessage *entry, char **names, int64_t depth)
{
	const struct wanted *w = &s->session->wanted;
	struct berval **values[ATTRIBUTES_MAX] = { NULL };
	bool has[ROLES] = { false };
	enum module_result r = MODULE_OK;

	for (size_t i = 0; i < w->count; i++) {
		if (!asked_for(names, w->names[i]))
			continue;
		values[i] =
		    ldap_get_values_len(s->session->ld, entry, w->names[i]);
		if (values[i] != NULL && values[i][0] != NULL)
			has[w->roles[i]] = true;
	}
	for (size_t i = 0; i < w->count; i++) {
		bool silent = has[TERMINAL] ?
		    w->roles[i] != TERMINAL :
		    w->roles[i] == LEAF && has[SPECIAL];

		if (values[i] != NULL && !silent && r == MODULE_OK)
			r = take_values(s, values[i], w->roles[i], depth);
		if (values[i] != NULL)
			ldap_value_free_len(values[i]);
	}
	return r;
}

/* Has it a part of the key in it, so that it may name what is not there? */
static bool
varies(const char *base)
{
	for (const char *p = strchr(base, '%'); p != NULL;
	     p = strchr(p + 2, '%'))
		if (p[1] != '%')
			return p[1] != '\0';
	return false;
}

/*
 * An entry that others lead to may be gone, and a base that is made of the key
 * may name none. Else the base is a mistake, or the server's data are not all
 * there: to take that for "not found" would bounce mail.
 */
static enum module_result
no_such_object(struct search *s, const char *base, int64_t depth)
{
	if (depth > 0 || varies(s->call->setting(s->call, "search_base")))
		return MODULE_OK;
	s->call->fail(s->call, "search base \"%.200s\" not found", base);
	return MODULE_LATER;
}

static enum module_result
take_result(struct search *s, LDAPMessage *message, char **names,
    const char *base, int64_t depth)
{
	LDAP *ld = s->session->ld;
	enum module_result r = MODULE_OK;
	int code = LDAP_SUCCESS, parsed;

	parsed =
	    ldap_parse_result(ld, message, &code, NULL, NULL, NULL, NULL, 0);
	if (parsed != LDAP_SUCCESS)
		code = parsed;
	if (code == LDAP_NO_SUCH_OBJECT)
		return no_such_object(s, base, depth);
	if (code == LDAP_REFERRAL) {
		/* it is elsewhere, and nobody has looked there */
		s->call->fail(s->call, "\"%.200s\": referral to another server",
		    base);
		return MODULE_LATER;
	}
	if (code != LDAP_SUCCESS)
		return failed(s->call, ld, base, code);
	for (LDAPMessage *e = ldap_first_entry(ld, message);
	     e != NULL && r == MODULE_OK && !s->enough;
	     e = ldap_next_entry(ld, e))
		r = take_entry(s, e, names, depth);
	return r;
}

static enum module_result
search(struct search *s, const char *base, int scope, const char *filter,
    char **names, int64_t depth)
{
	struct module_call *c = s->call;
	LDAP *ld = s->session->ld;
	struct timeval left = time_left(c);
	LDAPMessage *message = NULL;
	enum module_result result;
	int id = 0, r;
	bool much;

	if (++s->searches > SEARCHES_MAX) {
		c->fail(c, "more than %d searches", SEARCHES_MAX);
		return MODULE_WRONG;
	}
	c->debug(c, "search %s for %s", base, filter);
	r = ldap_search_ext(ld, base, scope, filter, names, 0, NULL, NULL,
	    &left, (int)c->number(c, "size_limit"), &id);
	if (r == LDAP_SUCCESS)
		r = wait_result(c, ld, id, &message);
	much = r != LDAP_SUCCESS && s->session->have > ANSWER_MAX;
	if (much)
		r = TOO_LONG; /* on a connection that a referral has made */
	if (r != LDAP_SUCCESS)
		result = failed(c, ld, base, r);
	else
		result = take_result(s, message, names, base, depth);
	if (much)
		result = MODULE_TOO_MUCH;
	if (message != NULL)
		(void)ldap_msgfree(message);
	return result;
}

static int
scope_of(const char *word)
{
	if (strcasecmp(word, "base") == 0)
		return LDAP_SCOPE_BASE;
	return strcasecmp(word, "one") == 0 ? LDAP_SCOPE_ONELEVEL :
					      LDAP_SCOPE_SUBTREE;
}

static enum module_result
ask(struct module_call *c, void *connection, const struct module_question *q)
{
	struct search s = { .call = c, .session = connection };

	s.session->have = 0;
	return search(&s, q->base, scope_of(c->setting(c, "scope")), q->query,
	    s.session->wanted.names, 0);
}

TABLE_MODULE = {
	.abi = TABLE_MODULE_ABI,
	.type = "ldap",
	.settings = settings,
	.hosts = "server_host",
	.query = "query_filter",
	.base = "search_base",
	.connect = connect_server,
	.quote = quote,
	.ask = ask,
	.close = hang_up,
};
