/* SPDX-License-Identifier: ISC */
/*
 * pgsql: tables behind a client library that waits, fails and answers as the
 * input says, in every order. All that it gave out is given back once.
 *
 * The input: settings, a host, keys, and what the library does at each call.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "tests/fuzz/module_asker.h"

#include "table_modules/table_pgsql.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 3 };

/* What the library has given out. */
static struct {
	size_t connections, results;
} alive;

static int ready = -1; /* a descriptor that is so at any time */

struct pg_conn {
	char *text; /* of its last error */
	bool asked; /* results are due */
};

struct pg_result {
	ExecStatusType status;
	int rows, fields;
	char *values[FIELDS]; /* of each row */
	size_t lengths[FIELDS];
	char *state, *text;
};

PGconn *
PQconnectStartParams(const char *const *names, const char *const *values,
    int expand)
{
	PGconn *db;

	for (size_t i = 0; names[i] != NULL; i++)
		ensure(values[i] != NULL && values[i][0] != '\0');
	ensure(expand == 1);
	if (asker_chance(8))
		return NULL;
	alive.connections++;
	db = mem_new(sizeof(*db));
	db->text = asker_text(ASKER_TEXT_MOST, NULL);
	return db;
}

void
PQfinish(PGconn *db)
{
	ensure(db != NULL && alive.results == 0);
	alive.connections--;
	free(db->text);
	free(db);
}

PostgresPollingStatusType
PQconnectPoll(PGconn *db)
{
	static const PostgresPollingStatusType next[] = { PGRES_POLLING_READING,
		PGRES_POLLING_WRITING, PGRES_POLLING_FAILED,
		PGRES_POLLING_ACTIVE };

	ensure(db != NULL);
	return asker_chance(128) ? next[asker_byte() % 4] : PGRES_POLLING_OK;
}

int
PQsocket(const PGconn *db)
{
	ensure(db != NULL);
	return ready;
}

ConnStatusType
PQstatus(const PGconn *db)
{
	ensure(db != NULL);
	/* not without a reason */
	return db->text[0] != '\0' && asker_chance(32) ? CONNECTION_BAD :
							 CONNECTION_OK;
}

char *
PQerrorMessage(const PGconn *db)
{
	return db->text;
}

PGVerbosity
PQsetErrorVerbosity(PGconn *db, PGVerbosity verbosity)
{
	ensure(db != NULL);
	return verbosity;
}

PQnoticeReceiver
PQsetNoticeReceiver(PGconn *db, PQnoticeReceiver receive, void *with)
{
	ensure(db != NULL);
	receive(with, NULL);
	return NULL;
}

/* As the real one: never more than 2 n + 1. */
size_t
PQescapeStringConn(PGconn *db, char *to, const char *from, size_t n, int *error)
{
	char *end = to;

	ensure(db != NULL);
	*error = asker_chance(16);
	for (size_t i = 0; i < n; i++) {
		if (from[i] == '\'' || from[i] == '\\')
			*end++ = from[i];
		*end++ = from[i];
	}
	*end = '\0';
	return (size_t)(end - to);
}

int
PQsetnonblocking(PGconn *db, int on)
{
	ensure(db != NULL && on == 1);
	return asker_chance(8) ? -1 : 0;
}

int
PQsendQuery(PGconn *db, const char *query)
{
	ensure(query != NULL);
	db->asked = !asker_chance(16);
	return db->asked;
}

int
PQsetSingleRowMode(PGconn *db)
{
	ensure(db->asked);
	return !asker_chance(8);
}

int
PQflush(PGconn *db)
{
	ensure(db != NULL);
	return asker_chance(64) ? 1 : asker_chance(16) ? -1 : 0;
}

int
PQconsumeInput(PGconn *db)
{
	ensure(db != NULL);
	return !asker_chance(16);
}

int
PQisBusy(PGconn *db)
{
	ensure(db != NULL);
	return asker_chance(96);
}

PGresult *
PQgetResult(PGconn *db)
{
	static const ExecStatusType statuses[] = { PGRES_SINGLE_TUPLE,
		PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE, PGRES_COMMAND_OK,
		PGRES_EMPTY_QUERY, PGRES_COPY_OUT, PGRES_COPY_IN,
		PGRES_COPY_BOTH, PGRES_BAD_RESPONSE, PGRES_NONFATAL_ERROR,
		PGRES_FATAL_ERROR, PGRES_FATAL_ERROR };
	PGresult *r;

	ensure(db != NULL);
	if (!asker_chance(200))
		return NULL;
	alive.results++;
	r = mem_new(sizeof(*r));
	r->status =
	    statuses[asker_byte() % (sizeof(statuses) / sizeof(statuses[0]))];
	r->rows = (int)asker_byte() % 3;
	r->fields = (int)asker_byte() % (FIELDS + 1);
	for (int i = 0; i < r->fields; i++)
		r->values[i] = asker_text(ASKER_TEXT_MOST, &r->lengths[i]);
	r->state = asker_chance(128) ? asker_text(STATE_N, NULL) : NULL;
	r->text = asker_text(ASKER_TEXT_MOST, NULL);
	return r;
}

void
PQclear(PGresult *r)
{
	ensure(r != NULL);
	for (int i = 0; i < r->fields; i++)
		free(r->values[i]);
	free(r->state);
	free(r->text);
	free(r);
	alive.results--;
}

ExecStatusType
PQresultStatus(const PGresult *r)
{
	return r->status;
}

char *
PQresultErrorMessage(const PGresult *r)
{
	return r->text;
}

char *
PQresultErrorField(const PGresult *r, int field)
{
	ensure(field == PG_DIAG_SQLSTATE);
	return r->state;
}

int
PQntuples(const PGresult *r)
{
	return r->rows;
}

int
PQnfields(const PGresult *r)
{
	return r->fields;
}

int
PQgetlength(const PGresult *r, int row, int field)
{
	ensure(row < r->rows && field < r->fields);
	return (int)r->lengths[field];
}

int
PQgetisnull(const PGresult *r, int row, int field)
{
	ensure(row < r->rows && field < r->fields);
	return (row + field) % 4 == 3;
}

char *
PQgetvalue(const PGresult *r, int row, int field)
{
	ensure(row < r->rows && field < r->fields);
	return r->values[field];
}

static void
choose(struct module_asker *a)
{
	unsigned int bits = asker_byte();

	asker_set(a, "user", bits & 1 ? "mail" : "");
	asker_set(a, "dbname", bits & 2 ? "mail" : "");
	asker_set(a, "tls_mode", bits & 4 ? "verify-full" : "");
	if (bits & 64)
		a->patience = asker_byte();
	if (bits & 128)
		a->most = 1 + asker_byte();
}

static void
check_given_back(bool closed)
{
	ensure(alive.results == 0 && (!closed || alive.connections == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct asker_trial trial = {
		.module = &table_module,
		.query = "select a from b where c='%s' or d='%u'",
		.choose = choose,
		.check_given_back = check_given_back,
	};

	if (ready < 0)
		ready = open("/dev/null", O_RDWR | O_CLOEXEC);
	asker_try(&trial, data, size);
	return 0;
}
