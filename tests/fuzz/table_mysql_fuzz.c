/* SPDX-License-Identifier: ISC */
/*
 * mysql: tables behind a client library that waits, fails and answers as the
 * input says, in every order. All that it gave out is given back once.
 *
 * The input: settings, a host, keys, and what the library does at each call.
 */
#include <fcntl.h>
#include <stdint.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/mail/mail_address.h"
#include "tests/fuzz/module_asker.h"

#include "table_modules/table_mysql.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 4 };

/* What the library has given out; one connection at a time. */
static struct {
	size_t connections, results;
} alive;

static struct {
	int socket; /* ready for all at any time */
	unsigned int code;
	bool utf8;
	char *text; /* of the error */
	char *row[FIELDS];
	unsigned long lengths[FIELDS];
	unsigned int fields;
} library = { .socket = -1 };

static int
wait_more(void)
{
	static const int what[] = { MYSQL_WAIT_READ, MYSQL_WAIT_WRITE,
		MYSQL_WAIT_EXCEPT | MYSQL_WAIT_TIMEOUT,
		MYSQL_WAIT_READ | MYSQL_WAIT_TIMEOUT };

	return asker_chance(96) ? what[asker_byte() % 4] : 0;
}

/* Does it fail? */
static bool
fails(void)
{
	static const unsigned int codes[] = { 1040, 1205, 1045, 1064, 2002,
		2006, 2013, 3024 };

	library.code = asker_chance(40) ? codes[asker_byte() % 8] : 0;
	return library.code != 0;
}

int
mysql_server_init(int argc, char **argv, char **groups)
{
	(void)argc, (void)argv, (void)groups;
	return 0;
}

MYSQL *
mysql_init(MYSQL *db)
{
	ensure(db == NULL);
	if (asker_chance(8))
		return NULL;
	alive.connections++;
	return mem_new(sizeof(*db));
}

void
mysql_close(MYSQL *db)
{
	ensure(db != NULL && alive.results == 0);
	alive.connections--;
	free(db);
}

int
mysql_options(MYSQL *db, enum mysql_option option, const void *value)
{
	(void)option, (void)value;
	ensure(db != NULL);
	return 0;
}

int
mysql_ssl_set(MYSQL *db, const char *key, const char *cert, const char *ca,
    const char *path, const char *ciphers)
{
	(void)key, (void)cert, (void)ca, (void)path, (void)ciphers;
	ensure(db != NULL);
	return 0;
}

my_socket
mysql_get_socket(MYSQL *db)
{
	ensure(db != NULL);
	return library.socket;
}

unsigned int
mysql_get_timeout_value_ms(const MYSQL *db)
{
	ensure(db != NULL);
	return asker_byte() % 2; /* nothing is ever exceptional */
}

unsigned int
mysql_errno(MYSQL *db)
{
	ensure(db != NULL);
	return library.code;
}

const char *
mysql_error(MYSQL *db)
{
	ensure(db != NULL);
	free(library.text);
	library.text = asker_text(ASKER_TEXT_MOST, NULL);
	return library.text;
}

int
mysql_real_connect_start(MYSQL **out, MYSQL *db, const char *host,
    const char *user, const char *password, const char *name, unsigned int port,
    const char *path, unsigned long flags)
{
	(void)user, (void)password, (void)name, (void)flags;
	ensure(db != NULL && port <= 65535);
	ensure((host != NULL) != (path != NULL));
	return mysql_real_connect_cont(out, db, 0);
}

int
mysql_real_connect_cont(MYSQL **out, MYSQL *db, int status)
{
	int more = wait_more();

	(void)status;
	if (more == 0)
		*out = fails() ? NULL : db;
	return more;
}

char *
mysql_get_host_info(MYSQL *db)
{
	static char local[] = "Localhost via UNIX socket";

	ensure(db != NULL);
	return asker_chance(128) ? local : NULL;
}

const char *
mysql_get_ssl_cipher(MYSQL *db)
{
	ensure(db != NULL);
	return asker_chance(128) ? "TLS_AES_256_GCM_SHA384" : NULL;
}

const char *
mysql_character_set_name(MYSQL *db)
{
	ensure(db != NULL);
	library.utf8 = !asker_chance(64);
	return library.utf8 ? "utf8mb4" : "latin1";
}

/* As the real one where backslashes escape: never more than 2 n + 1. */
unsigned long
mysql_real_escape_string(MYSQL *db, char *to, const char *from, unsigned long n)
{
	char *end = to;

	ensure(db != NULL);
	/* what is no text would come through in halves */
	ensure(!library.utf8 || mail_is_utf8((struct span){ from, n }));
	if (asker_chance(16))
		return (unsigned long)-1;
	for (unsigned long i = 0; i < n; i++) {
		if (from[i] == '\'' || from[i] == '"' || from[i] == '\\')
			*end++ = '\\';
		*end++ = from[i];
	}
	*end = '\0';
	return (unsigned long)(end - to);
}

int
mysql_real_query_start(int *out, MYSQL *db, const char *query, unsigned long n)
{
	ensure(strlen(query) == n);
	return mysql_real_query_cont(out, db, 0);
}

int
mysql_real_query_cont(int *out, MYSQL *db, int status)
{
	int more = wait_more();

	(void)status;
	ensure(db != NULL);
	if (more == 0)
		*out = fails();
	return more;
}

MYSQL_RES *
mysql_use_result(MYSQL *db)
{
	ensure(db != NULL && alive.results == 0);
	library.fields = asker_byte() % (FIELDS + 1);
	if (library.fields == 0 || fails())
		return NULL;
	alive.results++;
	return mem_new(sizeof(MYSQL_RES));
}

unsigned int
mysql_field_count(MYSQL *db)
{
	ensure(db != NULL);
	return library.fields;
}

unsigned int
mysql_num_fields(MYSQL_RES *rows)
{
	ensure(rows != NULL);
	return library.fields;
}

static void
drop_row(void)
{
	for (size_t i = 0; i < FIELDS; i++) {
		free(library.row[i]);
		library.row[i] = NULL;
	}
}

int
mysql_fetch_row_start(MYSQL_ROW *out, MYSQL_RES *rows)
{
	ensure(rows != NULL);
	drop_row();
	return mysql_fetch_row_cont(out, rows, 0);
}

int
mysql_fetch_row_cont(MYSQL_ROW *out, MYSQL_RES *rows, int status)
{
	int more = wait_more();

	(void)status;
	ensure(rows != NULL);
	if (more != 0)
		return more;
	*out = NULL;
	if (fails() || !asker_chance(160))
		return 0;
	for (unsigned int i = 0; i < library.fields; i++) {
		size_t n = 0;

		if (!asker_chance(32))
			library.row[i] = asker_text(ASKER_TEXT_MOST, &n);
		library.lengths[i] = n;
	}
	*out = library.row;
	return 0;
}

unsigned long *
mysql_fetch_lengths(MYSQL_RES *rows)
{
	ensure(rows != NULL);
	return library.lengths;
}

void
mysql_free_result(MYSQL_RES *rows)
{
	ensure(rows != NULL);
	drop_row();
	alive.results--;
	free(rows);
}

int
mysql_next_result_start(int *out, MYSQL *db)
{
	return mysql_next_result_cont(out, db, 0);
}

int
mysql_next_result_cont(int *out, MYSQL *db, int status)
{
	int more = wait_more();

	(void)status;
	ensure(db != NULL && alive.results == 0);
	if (more == 0)
		*out = fails() ? 1 : asker_chance(96) ? 0 : -1;
	return more;
}

static void
choose(struct module_asker *a)
{
	unsigned int bits = asker_byte();

	asker_set(a, "user", bits & 1 ? "mail" : "");
	asker_set(a, "tls_CAfile", bits & 2 ? "/ca" : "");
	asker_set(a, "tls_verify_cert", bits & 4 ? "yes" : "");
	asker_set(a, "option_file", bits & 8 ? "/file" : "");
	asker_set(a, "require_result_set", bits & 16 ? "no" : "yes");
	if (bits & 64)
		a->patience = asker_byte();
	if (bits & 128)
		a->most = 1 + asker_byte();
}

static void
check_key(struct span key)
{
	ensure(
	    is_utf8((const unsigned char *)key.p, key.n) == mail_is_utf8(key));
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
		.query = "select a from b where c='%s' or d=\"%u\"",
		.choose = choose,
		.check_key = check_key,
		.check_given_back = check_given_back,
	};

	if (library.socket < 0)
		library.socket = open("/dev/null", O_RDWR | O_CLOEXEC);
	asker_try(&trial, data, size);
	free(library.text);
	library.text = NULL;
	return 0;
}
