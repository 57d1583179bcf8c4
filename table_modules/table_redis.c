/* SPDX-License-Identifier: ISC */
/*
 * redis: tables. "query" is a command whose words are told apart before the
 * key comes in, so that a key is never more than a part of one word.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <sys/time.h>

#include "table_modules/module.h"

static const struct module_setting settings[] = {
	SETTING_TEXT("hosts", "localhost"),
	SETTING_TEXT("user", ""),
	SETTING_TEXT("password", ""),
	SETTING_COUNT("database", "0", 0, 65535),
	SETTING_TEXT("query", "GET %s"),
	SETTINGS_END,
};

/* Of arrays; their bounds are said in texts, too. */
#define ELEMENTS_MAX 262144
#define DEPTH_MAX 7 /* arrays in arrays; version 0.14's own is one more */
#define TEXT_OF(number) TEXT_OF_NUMBER(number)
#define TEXT_OF_NUMBER(number) #number

enum {
	PORT = 6379,
	WORDS_MAX = 32,
	/* of an answer; the library would take whatever a server sends */
	ANSWER_MAX = 4 << 20,
	/* ours among the codes of the library */
	TOO_LONG = -1000,
};

/* the library's own type, which its version 1.0 changed */
#if HIREDIS_MAJOR < 1
typedef int element_count;
#else
typedef size_t element_count;
#endif

/* The library's functions, but for one: of the process. */
static redisReplyObjectFunctions bounded;
static void *(*library_array)(const redisReadTask *task, element_count count);
/* The bound that the answer being read has hit, or NULL. */
static const char *refused;

/* Errors begin with a word. */
static enum module_result
judge(const char *error)
{
	static const char *const later[] = { "LOADING", "BUSY", "CLUSTERDOWN",
		"MASTERDOWN", "TRYAGAIN", "READONLY", "OOM", "MISCONF",
		"-MAXCLIENTS", NULL };

	for (const char *const *word = later; *word != NULL; word++)
		if (strncmp(error, *word, strlen(*word)) == 0)
			return MODULE_LATER;
	if (strstr(error, "max number of clients") != NULL)
		return MODULE_DOWN;
	return MODULE_WRONG;
}

static struct timeval
time_left(const struct module_call *c)
{
	int ms = c->left_ms(c);

	return (struct timeval){ ms / 1000, ms % 1000 * 1000 };
}

/* "unix:/path", "inet:host:port", "[v6]:port", "host". */
static redisContext *
dial(struct module_call *c, const char *place)
{
	struct timeval left = time_left(c);
	char *copy, *host, *colon, *end;
	redisContext *db;
	int port = PORT;

	if (strncmp(place, "unix:", 5) == 0)
		return redisConnectUnixWithTimeout(place + 5, left);
	copy = strdup(place);
	if (copy == NULL)
		return NULL;
	host = strncmp(copy, "inet:", 5) == 0 ? copy + 5 : copy;
	colon = strrchr(host, ':');
	if (host[0] == '[' && (end = strchr(host, ']')) != NULL) {
		*end = '\0';
		host++;
		colon = end[1] == ':' ? end + 1 : NULL;
	}
	if (colon != NULL) {
		*colon = '\0';
		port = atoi(colon + 1);
	}
	db = redisConnectWithTimeout(host, port, left);
	free(copy);
	return db;
}

static int
depth_of(const redisReadTask *task)
{
	int depth = 0;

	while (task != NULL && depth <= DEPTH_MAX) {
		task = task->parent;
		depth++;
	}
	return depth;
}

/*
 * A length that is claimed is memory before the first element has come; arrays
 * in each other are stack when the library frees them.
 */
static void *
create_array(const redisReadTask *task, element_count count)
{
	if (count > ELEMENTS_MAX)
		refused = "more than " TEXT_OF(ELEMENTS_MAX) " elements";
	else if (depth_of(task) > DEPTH_MAX)
		refused =
		    "arrays in each other deeper than " TEXT_OF(DEPTH_MAX);
	return refused == NULL ? library_array(task, count) : NULL;
}

static void
bound_arrays(redisContext *db)
{
	if (library_array == NULL) {
		bounded = *db->reader->fn;
		library_array = bounded.createArray;
		bounded.createArray = create_array;
	}
	db->reader->fn = &bounded;
}

/* What has come, counted in *have. */
static bool
take_in(redisContext *db, size_t *have)
{
	size_t before = db->reader->len;

	if (redisBufferRead(db) != REDIS_OK)
		return false;
	*have += db->reader->len - before;
	if (*have <= ANSWER_MAX)
		return true;
	db->err = TOO_LONG;
	snprintf(db->errstr, sizeof(db->errstr),
	    "the answer is longer than %d bytes", ANSWER_MAX);
	return false;
}

/* The library's own bound is for each read alone, of which there may be many.
 */
static bool
read_more(struct module_call *c, redisContext *db, size_t *have)
{
	struct pollfd p = { .fd = db->fd, .events = POLLIN };
	int left = c->left_ms(c), n;

	do
		n = left <= 1 ? 0 : poll(&p, 1, left);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return take_in(db, have);
	db->err = REDIS_ERR_IO;
	snprintf(db->errstr, sizeof(db->errstr), "no answer in time");
	return false;
}

/* *reply stays NULL as long as there is more to come. */
static bool
parse(redisContext *db, void **reply)
{
	refused = NULL;
	if (redisGetReplyFromReader(db, reply) == REDIS_OK)
		return true;
	if (refused != NULL) { /* the library says that memory is */
		db->err = TOO_LONG;
		snprintf(db->errstr, sizeof(db->errstr), "the answer has %s",
		    refused);
	}
	return false;
}

/* NULL, with db->errstr: the connection is of no more use. */
static redisReply *
tell(struct module_call *c, redisContext *db, int count, const char **words,
    const size_t *lengths)
{
	struct timeval left = time_left(c);
	void *reply = NULL;
	size_t have = 0;
	int sent = 0;

	if (redisSetTimeout(db, left) != REDIS_OK ||
	    redisAppendCommandArgv(db, count, words, lengths) != REDIS_OK)
		return NULL;
	while (sent == 0)
		if (redisBufferWrite(db, &sent) != REDIS_OK)
			return NULL;
	while (reply == NULL)
		if (!read_more(c, db, &have) || !parse(db, &reply))
			return NULL;
	return reply;
}

/* A command at the beginning of a connection that has to succeed. */
static enum module_result
demand(struct module_call *c, redisContext *db, int count, const char **words)
{
	redisReply *r = tell(c, db, count, words, NULL);
	enum module_result result = MODULE_OK;

	if (r == NULL) {
		c->fail(c, "%s", db->errstr);
		return MODULE_DOWN;
	}
	if (r->type == REDIS_REPLY_ERROR) {
		c->fail(c, "%s", r->str);
		result = judge(r->str);
	}
	freeReplyObject(r);
	return result;
}

static enum module_result
introduce(struct module_call *c, redisContext *db)
{
	const char *user = c->setting(c, "user");
	const char *password = c->setting(c, "password");
	const char *full[] = { "AUTH", user, password };
	const char *brief[] = { "AUTH", password };
	const char *select[] = { "SELECT", c->setting(c, "database") };
	enum module_result r = MODULE_OK;

	if (is_given(user))
		r = demand(c, db, 3, full);
	else if (is_given(password))
		r = demand(c, db, 2, brief);
	if (r == MODULE_OK && c->number(c, "database") != 0)
		r = demand(c, db, 2, select);
	return r == MODULE_LATER ? MODULE_DOWN : r;
}

static enum module_result
connect_server(struct module_call *c, const char *host, void **connection)
{
	redisContext *db = dial(c, host);
	enum module_result r;

	if (db == NULL || db->err != 0) {
		c->fail(c, "%s", db == NULL ? "out of memory" : db->errstr);
		if (db != NULL)
			redisFree(db);
		return MODULE_DOWN;
	}
	bound_arrays(db);
	r = introduce(c, db);
	if (r == MODULE_OK)
		*connection = db;
	else
		redisFree(db);
	return r;
}

/* \XX for what would end a word, and for the backslash. */
static size_t
quote(void *connection, enum module_place place, char *to, size_t room,
    const char *from, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char *end = to;

	(void)connection;
	(void)place;
	(void)room; /* 4 n + 1 */
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)from[i];

		if (c > ' ' && c != '\\') {
			*end++ = (char)c;
			continue;
		}
		*end++ = '\\';
		*end++ = digits[c >> 4];
		*end++ = digits[c & 15];
	}
	return (size_t)(end - to);
}

static int
digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

/* In place; the length. */
static size_t
unquote(char *word, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++) {
		if (word[i] == '\\' && i + 2 < n && digit(word[i + 1]) >= 0 &&
		    digit(word[i + 2]) >= 0) {
			word[to++] = (char)(digit(word[i + 1]) * 16 +
			    digit(word[i + 2]));
			i += 2;
		} else {
			word[to++] = word[i];
		}
	}
	return to;
}

/* The words of the question; 0: none, or too many. */
static int
split(char *text, const char **words, size_t *lengths)
{
	int count = 0;

	for (char *p = text; *p != '\0';) {
		size_t n = strcspn(p, " \t\r\n");
		char *end = p + n + (p[n] != '\0');

		if (n > 0 && count == WORDS_MAX)
			return 0;
		if (n > 0) {
			words[count] = p;
			lengths[count++] = unquote(p, n);
		}
		p = end;
	}
	return count;
}

static bool
take(struct module_call *c, const redisReply *r)
{
	char number[32];
	bool more = true;

	switch (r->type) {
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		return r->len == 0 || c->value(c, r->str, r->len, true);
	case REDIS_REPLY_INTEGER:
		snprintf(number, sizeof(number), "%lld", r->integer);
		return c->value(c, number, strlen(number), true);
	case REDIS_REPLY_ARRAY:
		for (size_t i = 0; more && i < r->elements; i++)
			/* one level: what commands that read give */
			more = r->element[i]->type == REDIS_REPLY_ARRAY ||
			    take(c, r->element[i]);
		return more;
	default:
		return true;
	}
}

static enum module_result
ask(struct module_call *c, void *connection, const struct module_question *q)
{
	redisContext *db = connection;
	const char *words[WORDS_MAX];
	size_t lengths[WORDS_MAX];
	enum module_result result = MODULE_OK;
	char *text = strdup(q->query);
	redisReply *r = NULL;
	int count = text == NULL ? 0 : split(text, words, lengths);

	if (count > 0)
		r = tell(c, db, count, words, lengths);
	if (count == 0) {
		c->fail(c, "the query is no command");
		result = MODULE_WRONG;
	} else if (r == NULL) {
		c->fail(c, "%s", db->errstr);
		result = db->err == TOO_LONG ? MODULE_TOO_MUCH : MODULE_DOWN;
	} else if (r->type == REDIS_REPLY_ERROR) {
		c->fail(c, "%s", r->str);
		result = judge(r->str);
	} else {
		(void)take(c, r);
	}
	if (r != NULL)
		freeReplyObject(r);
	free(text);
	return result;
}

static void
hang_up(void *connection)
{
	redisFree(connection);
}

TABLE_MODULE = {
	.abi = TABLE_MODULE_ABI,
	.type = "redis",
	.settings = settings,
	.hosts = "hosts",
	.query = "query",
	.connect = connect_server,
	.quote = quote,
	.ask = ask,
	.close = hang_up,
};
