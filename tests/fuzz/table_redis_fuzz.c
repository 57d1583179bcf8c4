/* SPDX-License-Identifier: ISC */
/*
 * redis: tables with the real client library, and a server that says anything.
 * The input: how many values are enough, a key, and what the server says to all
 * questions; then it closes. A key is never more than a part of its word.
 */
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "tests/fuzz/module_asker.h"

#include "table_modules/table_redis.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	KEY_MOST = 200,
	INPUT_MOST = 32768, /* a socket takes it without a reader */
	QUESTIONS = 4,
};

/* The words that are sent are those of the setting, whatever the key. */
static void
check_words(const char *key, size_t n)
{
	char *quoted = mem_new(4 * n + 1), *text;
	size_t length = quote(NULL, MODULE_QUERY, quoted, 4 * n + 1, key, n);
	const char *words[WORDS_MAX];
	size_t lengths[WORDS_MAX];

	ensure(length <= 4 * n);
	text = mem_printf("GET a:%.*s:b last", (int)length, quoted);
	ensure(strlen(text) == length + strlen("GET a::b last"));
	ensure(split(text, words, lengths) == 3);
	ensure(lengths[0] == 3 && memcmp(words[0], "GET", 3) == 0);
	ensure(lengths[1] == n + 4 && memcmp(words[1], "a:", 2) == 0);
	ensure(memcmp(words[1] + 2, key, n) == 0);
	ensure(memcmp(words[1] + 2 + n, ":b", 2) == 0);
	ensure(lengths[2] == 4 && memcmp(words[2], "last", 4) == 0);
	free(quoted);
	free(text);
}

/* Its server has said all that, and closed. */
static redisContext *
connection_that_hears(struct span said, int *server)
{
	int ends[2];
	redisContext *db;

	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	ensure(said.n == 0 ||
	    send(ends[1], said.p, said.n, MSG_NOSIGNAL) == (ssize_t)said.n);
	shutdown(ends[1], SHUT_WR);
	*server = ends[1];
	db = redisConnectFd(ends[0]);
	ensure(db != NULL && db->err == 0);
	bound_arrays(db);
	return db;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum module_result r = MODULE_OK;
	struct module_asker a;
	redisContext *db;
	int server;
	char *key;
	size_t n;

	if (size > INPUT_MOST)
		return 0;
	signal(SIGPIPE, SIG_IGN);
	asker_input = (struct span){ (const char *)data, size };
	asker_init(&a, &table_module);
	a.most = 1 + asker_byte();
	a.patience = 50;
	key = asker_text(KEY_MOST, &n);
	check_words(key, n);
	db = connection_that_hears(asker_input, &server);
	for (int i = 0; i < QUESTIONS && r != MODULE_DOWN; i++)
		r = asker_ask(&a, db, "GET alias:%s", "",
		    (struct span){ key, n });
	table_module.close(db);
	close(server);
	free(key);
	asker_fini(&a);
	return 0;
}
