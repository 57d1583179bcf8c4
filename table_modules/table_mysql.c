/* SPDX-License-Identifier: ISC */
/*
 * mysql: tables, of MariaDB and MySQL servers. The client library is used
 * without its waiting, whose bounds are for each read alone: every wait is
 * poll(2) within the time that the question has.
 */
#include <errno.h>
#include <mysql.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

#include "table_modules/module.h"

struct server {
	MYSQL *db;
	bool utf8; /* texts on this connection are UTF-8 */
};

static const struct module_setting settings[] = {
	SETTING_TEXT("hosts", "localhost"),
	SETTING_TEXT("user", ""),
	SETTING_TEXT("password", ""),
	SETTING_TEXT("dbname", ""),
	SETTING_TEXT("charset", "utf8mb4"),
	SETTING_TEXT("option_file", ""),
	SETTING_TEXT("option_group", "client"),
	SETTING_TEXT("tls_cert_file", ""),
	SETTING_TEXT("tls_key_file", ""),
	SETTING_TEXT("tls_CAfile", ""),
	SETTING_TEXT("tls_CApath", ""),
	SETTING_TEXT("tls_ciphers", ""),
	/* "": the library's own default, which differs between releases */
	SETTING_WORD("tls_verify_cert", "", "yes no"),
	SETTING_BOOL("require_result_set", "yes"),
	SETTINGS_END,
};

/* Below it errors are the server's, above the client library's. */
enum { CLIENT_ERRORS = 2000, CLIENT_ERRORS_END = 3000 };

static bool
among(unsigned int code, const unsigned int *codes)
{
	for (; *codes != 0; codes++)
		if (code == *codes)
			return true;
	return false;
}

/* Who can mend it? */
static enum module_result
judge(unsigned int code)
{
	/*
	 * too many connections, shutdown (four), host blocked, network (four),
	 * connection killed
	 */
	static const unsigned int gone[] = { 1040, 1053, 1077, 1079, 1080, 1129,
		1158, 1159, 1160, 1161, 1927, 0 };
	/*
	 * out of memory or disk, users' limits, locks, deadlock, time limit,
	 * unready cluster node
	 */
	static const unsigned int later[] = { 1021, 1037, 1041, 1047, 1135,
		1203, 1205, 1213, 1226, 1317, 1969, 3024, 0 };

	if ((code >= CLIENT_ERRORS && code < CLIENT_ERRORS_END) ||
	    among(code, gone))
		return MODULE_DOWN;
	return among(code, later) ? MODULE_LATER : MODULE_WRONG;
}

static enum module_result
time_is_over(struct module_call *c, MYSQL *db)
{
	/* what mysql_close() says to it does not wait for such a server */
	(void)shutdown(mysql_get_socket(db), SHUT_RDWR);
	c->fail(c, "no answer from the server in time");
	return MODULE_DOWN;
}

/* *what: for what the library waits, then what of it has come. */
static bool
wait_for(struct module_call *c, MYSQL *db, int *what)
{
	struct pollfd p = { .fd = mysql_get_socket(db) };
	int left = c->left_ms(c), most = left, n;

	/* timeouts of an option file */
	if ((*what & MYSQL_WAIT_TIMEOUT) != 0 &&
	    mysql_get_timeout_value_ms(db) < (unsigned int)left)
		most = (int)mysql_get_timeout_value_ms(db);
	p.events = (short)((*what & MYSQL_WAIT_READ ? POLLIN : 0) |
	    (*what & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
	    (*what & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
	do
		n = left <= 1 ? 0 : poll(&p, 1, most);
	while (n < 0 && errno == EINTR);
	if (n <= 0 && most == left)
		return false;
	if (n <= 0)
		*what = MYSQL_WAIT_TIMEOUT;
	else if ((p.revents & (POLLERR | POLLHUP)) != 0)
		*what &= ~MYSQL_WAIT_TIMEOUT; /* it finds out */
	else
		*what = (p.revents & POLLIN ? MYSQL_WAIT_READ : 0) |
		    (p.revents & POLLOUT ? MYSQL_WAIT_WRITE : 0) |
		    (p.revents & POLLPRI ? MYSQL_WAIT_EXCEPT : 0);
	return true;
}

static enum module_result
failed(struct module_call *c, MYSQL *db)
{
	unsigned int code = mysql_errno(db);

	c->fail(c, "%s (%u)", mysql_error(db), code);
	return judge(code);
}

/* What connecting needs, in the form that the library likes. */
struct place {
	char *copy;
	const char *host;
	const char *socket;
	unsigned int port;
};

/* "unix:/path", "inet:host:port", "[v6]:port", "host". */
static bool
find_place(const char *text, struct place *p)
{
	char *end, *colon, *host;

	*p = (struct place){ .copy = strdup(text) };
	if (p->copy == NULL)
		return false;
	host = p->copy;
	if (strncmp(host, "unix:", 5) == 0) {
		p->socket = host + 5;
		return true;
	}
	if (strncmp(host, "inet:", 5) == 0)
		host += 5;
	colon = strrchr(host, ':');
	if (host[0] == '[' && (end = strchr(host, ']')) != NULL) {
		*end = '\0';
		host++;
		colon = end[1] == ':' ? end + 1 : NULL;
	}
	if (colon != NULL) {
		*colon = '\0';
		p->port = (unsigned int)strtoul(colon + 1, &end, 10);
		if (*end != '\0' || p->port == 0 || p->port > 65535)
			return false;
	}
	p->host = host;
	return true;
}

static bool
wants_tls(const struct module_call *c)
{
	static const char *const names[] = { "tls_cert_file", "tls_key_file",
		"tls_CAfile", "tls_CApath", "tls_ciphers" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is_given(c->setting(c, names[i])))
			return true;
	return strcasecmp(c->setting(c, "tls_verify_cert"), "yes") == 0;
}

static void
set_tls(struct module_call *c, MYSQL *db)
{
	const char *key = or_null(c->setting(c, "tls_key_file"));
	const char *cert = or_null(c->setting(c, "tls_cert_file"));
	const char *file = or_null(c->setting(c, "tls_CAfile"));
	const char *path = or_null(c->setting(c, "tls_CApath"));
	const char *ciphers = or_null(c->setting(c, "tls_ciphers"));
	const char *word = c->setting(c, "tls_verify_cert");
	my_bool verify = strcasecmp(word, "yes") == 0, enforce = 1;

	if (key || cert || file || path || ciphers)
		(void)mysql_ssl_set(db, key, cert, file, path, ciphers);
	if (is_given(word))
		(void)mysql_options(db, MYSQL_OPT_SSL_VERIFY_SERVER_CERT,
		    &verify);
	/* else who sits between could have it all in clear text */
	if (wants_tls(c))
		(void)mysql_options(db, MYSQL_OPT_SSL_ENFORCE, &enforce);
}

static MYSQL *
prepare(struct module_call *c)
{
	MYSQL *db = mysql_init(NULL);
	const char *file = c->setting(c, "option_file");

	if (db == NULL)
		return NULL;
	(void)mysql_options(db, MYSQL_OPT_NONBLOCK, NULL);
	(void)mysql_options(db, MYSQL_SET_CHARSET_NAME,
	    c->setting(c, "charset"));
	if (is_given(file)) {
		(void)mysql_options(db, MYSQL_READ_DEFAULT_FILE, file);
		(void)mysql_options(db, MYSQL_READ_DEFAULT_GROUP,
		    c->setting(c, "option_group"));
	}
	set_tls(c, db);
	return db;
}

/*
 * The library goes on without TLS, in spite of MYSQL_OPT_SSL_ENFORCE, where
 * the server, or who sits between, says that it has none. Nobody sits between
 * the ends of a UNIX socket.
 */
static bool
tls_was_stripped(struct module_call *c, MYSQL *db)
{
	const char *way = mysql_get_host_info(db);

	return wants_tls(c) && mysql_get_ssl_cipher(db) == NULL &&
	    (way == NULL || strstr(way, "UNIX socket") == NULL);
}

static enum module_result
establish(struct module_call *c, MYSQL *db, const struct place *p)
{
	MYSQL *done = NULL;
	int what = mysql_real_connect_start(&done, db, p->host,
	    or_null(c->setting(c, "user")), or_null(c->setting(c, "password")),
	    or_null(c->setting(c, "dbname")), p->port, p->socket,
	    CLIENT_MULTI_RESULTS);

	while (what != 0) {
		if (!wait_for(c, db, &what))
			return time_is_over(c, db);
		what = mysql_real_connect_cont(&done, db, what);
	}
	return done != NULL ? MODULE_OK : failed(c, db);
}

static enum module_result
connect_server(struct module_call *c, const char *host, void **connection)
{
	struct server *s = calloc(1, sizeof(*s));
	struct place p = { NULL, NULL, NULL, 0 };
	enum module_result r = MODULE_OK;

	if (s == NULL || (s->db = prepare(c)) == NULL) {
		c->fail(c, "out of memory");
		r = MODULE_DOWN;
	} else if (!find_place(host, &p)) {
		c->fail(c, "no host and port");
		r = MODULE_WRONG;
	} else if ((r = establish(c, s->db, &p)) != MODULE_OK) {
		/* it has said why */
	} else if (tls_was_stripped(c, s->db)) {
		c->fail(c, "SSL is wanted, the server has none");
		r = MODULE_WRONG;
	}
	free(p.copy);
	if (r == MODULE_OK) {
		s->utf8 =
		    strncmp(mysql_character_set_name(s->db), "utf8", 4) == 0;
		*connection = s;
		return r;
	}
	if (s != NULL && s->db != NULL)
		mysql_close(s->db);
	free(s);
	return r == MODULE_LATER ? MODULE_DOWN : r;
}

/* RFC 3629. */
static bool
is_utf8(const unsigned char *p, size_t n)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };

	for (size_t i = 0, more; i < n; i += more + 1) {
		uint32_t code = p[i];

		more = code < 0x80 ? 0 :
		    code >= 0xf0   ? 3 :
		    code >= 0xe0   ? 2 :
		    code >= 0xc2   ? 1 :
				     4;
		if (more == 4 || more >= n - i || code > 0xf4)
			return false;
		code &= more == 0 ? 0x7f : 0x3fu >> more;
		for (size_t k = 1; k <= more; k++) {
			if ((p[i + k] & 0xc0) != 0x80)
				return false;
			code = code << 6 | (p[i + k] & 0x3f);
		}
		if (code < least[more] || code > 0x10ffff ||
		    (code >= 0xd800 && code < 0xe000))
			return false;
	}
	return true;
}

static size_t
quote(void *connection, enum module_place place, char *to, size_t room,
    const char *from, size_t n)
{
	struct server *s = connection;
	unsigned long length;

	(void)place;
	if (room < 2 * n + 1 ||
	    (s->utf8 && !is_utf8((const unsigned char *)from, n)))
		return SIZE_MAX;
	length = mysql_real_escape_string(s->db, to, from, (unsigned long)n);
	return length == (unsigned long)-1 ? SIZE_MAX : length;
}

/* False: no more of them is wanted. */
static bool
take_row(struct module_call *c, MYSQL_RES *rows, MYSQL_ROW row)
{
	unsigned int fields = mysql_num_fields(rows);
	const unsigned long *lengths = mysql_fetch_lengths(rows);
	bool more = true;

	for (unsigned int i = 0; more && i < fields; i++)
		if (row[i] != NULL && lengths[i] > 0)
			more = c->value(c, row[i], lengths[i], true);
	return more;
}

/*
 * Row by row, so that an answer of a million takes the memory of one. *enough:
 * no more of them is wanted.
 */
static enum module_result
take_rows(struct module_call *c, MYSQL *db, MYSQL_RES *rows, bool *enough)
{
	MYSQL_ROW row;

	do {
		int what = mysql_fetch_row_start(&row, rows);

		while (what != 0) {
			if (!wait_for(c, db, &what))
				return time_is_over(c, db);
			what = mysql_fetch_row_cont(&row, rows, what);
		}
		*enough = row != NULL && !take_row(c, rows, row);
	} while (row != NULL && !*enough);
	return *enough || mysql_errno(db) == 0 ? MODULE_OK : failed(c, db);
}

/*
 * What the server still has to say is told to nobody, and nothing waits for
 * it. The next question finds the connection closed, and makes it anew.
 */
static void
stop_listening(MYSQL *db)
{
	(void)shutdown(mysql_get_socket(db), SHUT_RDWR);
}

static enum module_result
take_set(struct module_call *c, MYSQL *db, size_t *sets, bool *enough)
{
	MYSQL_RES *rows = mysql_use_result(db);
	enum module_result r;

	if (rows == NULL)
		return mysql_field_count(db) > 0 ? failed(c, db) : MODULE_OK;
	++*sets;
	r = take_rows(c, db, rows, enough);
	if (*enough)
		stop_listening(db);
	mysql_free_result(rows);
	return r;
}

/* *more: there is another set. */
static enum module_result
go_on(struct module_call *c, MYSQL *db, bool *more)
{
	int next = 0, what = mysql_next_result_start(&next, db);

	while (what != 0) {
		if (!wait_for(c, db, &what))
			return time_is_over(c, db);
		what = mysql_next_result_cont(&next, db, what);
	}
	*more = next == 0;
	return next > 0 ? failed(c, db) : MODULE_OK;
}

/* A procedure gives several result sets, of which the last has none. */
static enum module_result
take_results(struct module_call *c, MYSQL *db)
{
	enum module_result r = MODULE_OK;
	size_t sets = 0;
	bool more = true, enough = false;

	while (r == MODULE_OK && more && !enough) {
		r = take_set(c, db, &sets, &enough);
		if (r == MODULE_OK && !enough)
			r = go_on(c, db, &more);
	}
	if (r == MODULE_OK && sets == 0 &&
	    c->number(c, "require_result_set") != 0) {
		c->fail(c, "the query has no result set");
		r = MODULE_WRONG;
	}
	return r;
}

static enum module_result
ask(struct module_call *c, void *connection, const struct module_question *q)
{
	MYSQL *db = ((struct server *)connection)->db;
	int error = 0,
	    what = mysql_real_query_start(&error, db, q->query,
		(unsigned long)q->query_n);

	while (what != 0) {
		if (!wait_for(c, db, &what))
			return time_is_over(c, db);
		what = mysql_real_query_cont(&error, db, what);
	}
	return error != 0 ? failed(c, db) : take_results(c, db);
}

static void
hang_up(void *connection)
{
	struct server *s = connection;

	mysql_close(s->db);
	free(s);
}

static void
start_library(void)
{
	(void)mysql_library_init(0, NULL, NULL);
}

TABLE_MODULE = {
	.abi = TABLE_MODULE_ABI,
	.type = "mysql",
	.settings = settings,
	.hosts = "hosts",
	.sql = true,
	.prepare = start_library,
	.connect = connect_server,
	.quote = quote,
	.ask = ask,
	.close = hang_up,
};
