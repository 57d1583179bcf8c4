/* SPDX-License-Identifier: ISC */
/*
 * pgsql: tables. libpq is used without its waiting: every wait is poll(2)
 * within the time that the question has.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "table_modules/module.h"

static const struct module_setting settings[] = {
	SETTING_TEXT("hosts", "localhost"),
	SETTING_TEXT("user", ""),
	SETTING_TEXT("password", ""),
	SETTING_TEXT("dbname", ""),
	SETTING_TEXT("encoding", "UTF8"),
	SETTING_TEXT("tls_mode", ""),
	SETTING_TEXT("tls_CAfile", ""),
	SETTING_TEXT("tls_cert_file", ""),
	SETTING_TEXT("tls_key_file", ""),
	SETTINGS_END,
};

enum { STATE_N = 5, PARAMETERS_MAX = 16 };

static bool
in_class(const char *state, const char *const *classes)
{
	for (; *classes != NULL; classes++)
		if (strncmp(state, *classes, strlen(*classes)) == 0)
			return true;
	return false;
}

/* From an SQLSTATE: who can mend it? */
static enum module_result
judge(const char *state)
{
	/* connection, resources, shut down, intervention, system error */
	static const char *const gone[] = { "08", "57P", NULL };
	static const char *const later[] = { "40", "53", "55", "57", "58",
		"25006", NULL };

	if (in_class(state, gone))
		return MODULE_DOWN;
	return in_class(state, later) ? MODULE_LATER : MODULE_WRONG;
}

/*
 * While connecting there is no other way to learn the SQLSTATE than from the
 * verbose text: "FATAL:  28P01: password authentication failed". Without one
 * the server was not reached.
 */
static enum module_result
judge_text(const char *text)
{
	for (const char *p = strstr(text, ":  "); p != NULL;
	     p = strstr(p + 1, ":  ")) {
		const char *state = p + 3;

		if (strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
			STATE_N &&
		    state[STATE_N] == ':') {
			enum module_result r = judge(state);

			return r == MODULE_LATER ? MODULE_DOWN : r;
		}
	}
	return MODULE_DOWN;
}

/* False: the time is over. */
static bool
wait_for(struct module_call *c, PGconn *db, short events)
{
	struct pollfd p = { .fd = PQsocket(db), .events = events };
	int left = c->left_ms(c), n;

	/* one that never stops to speak is no better than a silent one */
	do
		n = left <= 1 ? 0 : poll(&p, 1, left);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

struct parameters {
	const char *names[PARAMETERS_MAX + 1];
	const char *values[PARAMETERS_MAX + 1];
	size_t count;
};

static void
add(struct parameters *p, const char *name, const char *value)
{
	if (value == NULL || value[0] == '\0' || p->count == PARAMETERS_MAX)
		return;
	p->names[p->count] = name;
	p->values[p->count++] = value;
}

/*
 * "unix:/dir", "unix:/dir/.s.PGSQL.5432", "inet:host:port", "[v6]:port",
 * "host"; the text is written to.
 */
static void
add_host(struct parameters *p, char *host)
{
	char *end = strstr(host, "/.s.PGSQL.");
	char *colon;

	if (strncmp(host, "unix:", 5) == 0 || host[0] == '/') {
		if (end != NULL) {
			add(p, "port", end + strlen("/.s.PGSQL."));
			*end = '\0';
		}
		add(p, "host", host[0] == '/' ? host : host + 5);
		return;
	}
	if (strncmp(host, "inet:", 5) == 0)
		host += 5;
	if (host[0] == '[' && (end = strchr(host, ']')) != NULL) {
		*end = '\0';
		host++;
		colon = end[1] == ':' ? end + 1 : NULL;
	} else {
		colon = strrchr(host, ':');
		if (colon != NULL)
			*colon = '\0';
	}
	add(p, "host", host);
	if (colon != NULL)
		add(p, "port", colon + 1);
}

static PGconn *
start(struct module_call *c, const char *host)
{
	struct parameters p = { .count = 0 };
	char *copy = strdup(host);
	PGconn *db;

	if (copy == NULL)
		return NULL;
	/* a connection URI comes first, so that the others add to it */
	if (strncmp(host, "postgresql://", 13) == 0 ||
	    strncmp(host, "postgres://", 11) == 0)
		add(&p, "dbname", host);
	else
		add_host(&p, copy);
	if (p.count == 0 || strcmp(p.names[0], "dbname") != 0)
		add(&p, "dbname", c->setting(c, "dbname"));
	add(&p, "user", c->setting(c, "user"));
	add(&p, "password", c->setting(c, "password"));
	add(&p, "client_encoding", c->setting(c, "encoding"));
	add(&p, "sslmode", c->setting(c, "tls_mode"));
	add(&p, "sslrootcert", c->setting(c, "tls_CAfile"));
	add(&p, "sslcert", c->setting(c, "tls_cert_file"));
	add(&p, "sslkey", c->setting(c, "tls_key_file"));
	add(&p, "application_name", "posthaste");
	/* no tickets of whoever started us */
	add(&p, "gssencmode", "disable");
	db = PQconnectStartParams(p.names, p.values, 1);
	free(copy);
	return db;
}

static bool
establish(struct module_call *c, PGconn *db)
{
	PostgresPollingStatusType s = PGRES_POLLING_WRITING;

	while (s != PGRES_POLLING_OK && s != PGRES_POLLING_FAILED) {
		if (!wait_for(c, db,
			s == PGRES_POLLING_READING ? POLLIN : POLLOUT)) {
			c->fail(c, "no answer while connecting");
			return false;
		}
		s = PQconnectPoll(db);
	}
	if (s == PGRES_POLLING_FAILED)
		c->fail(c, "%s", PQerrorMessage(db));
	return s == PGRES_POLLING_OK;
}

static void
say_nothing(void *with, const PGresult *notice)
{
	(void)with;
	(void)notice;
}

static enum module_result
connect_server(struct module_call *c, const char *host, void **connection)
{
	PGconn *db = start(c, host);
	enum module_result r;

	if (db == NULL) {
		c->fail(c, "out of memory");
		return MODULE_DOWN;
	}
	(void)PQsetErrorVerbosity(db, PQERRORS_VERBOSE);
	(void)PQsetNoticeReceiver(db, say_nothing, NULL);
	if (PQstatus(db) != CONNECTION_BAD && establish(c, db)) {
		(void)PQsetErrorVerbosity(db, PQERRORS_TERSE);
		*connection = db;
		return MODULE_OK;
	}
	if (PQerrorMessage(db)[0] != '\0')
		c->fail(c, "%s", PQerrorMessage(db));
	r = judge_text(PQerrorMessage(db));
	PQfinish(db);
	return r;
}

/* Fails for what is no text in the connection's encoding. */
static size_t
quote(void *connection, enum module_place place, char *to, size_t room,
    const char *from, size_t n)
{
	int error = 0;
	size_t length;

	(void)place;
	if (room < 2 * n + 1)
		return SIZE_MAX;
	length = PQescapeStringConn(connection, to, from, n, &error);
	return error != 0 ? SIZE_MAX : length;
}

static bool
take_rows(struct module_call *c, const PGresult *r)
{
	for (int row = 0; row < PQntuples(r); row++)
		for (int field = 0; field < PQnfields(r); field++) {
			int n = PQgetlength(r, row, field);

			if (!PQgetisnull(r, row, field) && n > 0 &&
			    !c->value(c, PQgetvalue(r, row, field), (size_t)n,
				true))
				return false;
		}
	return true;
}

/* *enough: no more of them is wanted. */
static enum module_result
take_result(struct module_call *c, PGconn *db, const PGresult *r, bool *enough)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

	switch (PQresultStatus(r)) {
	case PGRES_SINGLE_TUPLE:
	case PGRES_TUPLES_OK:
		*enough = !take_rows(c, r);
		return MODULE_OK;
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
		c->fail(c, "the query has no result set");
		return MODULE_WRONG;
	case PGRES_COPY_OUT:
	case PGRES_COPY_IN:
	case PGRES_COPY_BOTH:
		c->fail(c, "COPY is no query");
		return MODULE_WRONG;
	default:
		c->fail(c, "%s", PQresultErrorMessage(r));
		if (PQstatus(db) == CONNECTION_BAD || state == NULL)
			return MODULE_DOWN;
		return judge(state);
	}
}

static bool
send_all(struct module_call *c, PGconn *db)
{
	int more;

	while ((more = PQflush(db)) > 0)
		if (!wait_for(c, db, POLLIN | POLLOUT) || !PQconsumeInput(db))
			return false;
	return more == 0;
}

/* NULL at the end of the answer; *late: the time is over. */
static PGresult *
next_result(struct module_call *c, PGconn *db, bool *late)
{
	while (PQisBusy(db)) {
		if (!wait_for(c, db, POLLIN)) {
			*late = true;
			return NULL;
		}
		/* an error of it is in the result that follows */
		if (!PQconsumeInput(db))
			break;
	}
	return PQgetResult(db);
}

static enum module_result
ask(struct module_call *c, void *connection, const struct module_question *q)
{
	PGconn *db = connection;
	enum module_result result = MODULE_OK;
	bool late = false, enough = false;
	PGresult *r;

	/* row by row: an answer of a million takes the memory of one */
	if (PQsetnonblocking(db, 1) != 0 || !PQsendQuery(db, q->query) ||
	    !PQsetSingleRowMode(db) || !send_all(c, db)) {
		c->fail(c, "%s", PQerrorMessage(db));
		return MODULE_DOWN;
	}
	while (!enough && (r = next_result(c, db, &late)) != NULL) {
		/* the first failure counts; the rest has to be read */
		if (result == MODULE_OK)
			result = take_result(c, db, r, &enough);
		PQclear(r);
	}
	/*
	 * What the server still has to say is told to nobody. The next
	 * question finds the connection closed, and makes it anew.
	 */
	if (enough)
		(void)shutdown(PQsocket(db), SHUT_RDWR);
	if (late) {
		c->fail(c, "no answer to the query");
		return MODULE_DOWN;
	}
	return result;
}

static void
hang_up(void *connection)
{
	PQfinish(connection);
}

TABLE_MODULE = {
	.abi = TABLE_MODULE_ABI,
	.type = "pgsql",
	.settings = settings,
	.hosts = "hosts",
	.sql = true,
	.connect = connect_server,
	.quote = quote,
	.ask = ask,
	.close = hang_up,
};
