/* SPDX-License-Identifier: ISC */
/*
 * sqlite: tables, with the real library and a file in which nothing is. The
 * input: settings of time, which question, and the key. A key that a question
 * quotes is what its answer says, and is no part of the SQL.
 */
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "tests/fuzz/module_asker.h"

#include "table_modules/table_sqlite.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEY_MOST = 8192 };

/* What is heard is the key so often, where anything is. */
static const struct {
	const char *query;
	size_t times;
} questions[] = {
	{ "select '%s'", 1 },
	{ "select '%s', null, '', '%s'", 2 },
	{ "select '%s' union all select '%s' union all select '%s'", 3 },
	{ "select '%s' where '%s' = ''", 0 },
	{ "select '' || '%s' where 'a%sb' = 'a' || '%s' || 'b'", 1 },
	{ "select null; select '%s'", 0 },
	{ "select '%s' from nowhere", 0 },
	{ "nonsense '%s'", 0 },
	{ "  ", 0 },
	{ "with recursive r(n) as (select 1 union all select n + 1 from r) "
	  "select '' from r where '%s' = n || ''",
	    0 },
};

static void
make_empty(char *name)
{
	int fd = mkostemp(name, O_CLOEXEC);

	ensure(fd >= 0);
	close(fd);
}

static void
check_heard(const struct module_asker *a, size_t times, struct span key)
{
	struct span heard = buf_span(&a->heard);

	ensure(heard.n == times * key.n);
	for (size_t i = 0; i < times; i++) {
		ensure(span_equal(span_take(heard, key.n), key));
		heard = span_skip(heard, key.n);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct module_asker a;
	char file[] = "/tmp/posthaste-fuzz-XXXXXX";
	enum module_result r;
	void *connection;
	struct span key;
	size_t which;

	if (size > KEY_MOST)
		return 0;
	asker_input = (struct span){ (const char *)data, size };
	asker_init(&a, &table_module);
	make_empty(file);
	asker_set(&a, "dbpath", file);
	ensure(table_module.check(&a.call) == MODULE_OK);
	connection = asker_connect(&a, "");
	ensure(connection != NULL);
	which = asker_byte() % (sizeof(questions) / sizeof(questions[0]));
	a.patience = 2 + asker_byte() % 8;
	key = asker_input;
	r = asker_ask(&a, connection, questions[which].query, "", key);
	/* a key with a NUL in it is asked for nowhere */
	if (r == MODULE_OK && key.n > 0 && span_find(key, '\0') == key.n)
		check_heard(&a, questions[which].times, key);
	table_module.close(connection);
	(void)unlink(file);
	asker_fini(&a);
	return 0;
}
