/* SPDX-License-Identifier: ISC */
/*
 * memcache:/file: values that a memcached keeps, maybe in front of another
 * table ("backup"), whose values are put there as they are asked for.
 *
 * SECURITY. Whoever reaches the server can change what it holds: not for
 * tables that give rights. A key cannot end the line it stands in.
 */
#include "lib/table/wire_answers.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/client_config.h"
#include "lib/table/key_format.h"
#include "lib/table/loaded.h"
#include "lib/table/table_settings.h"
#include "lib/table/type.h"
#include "lib/table/wire.h"
#include "lib/task/task.h"

enum {
	KEY_MAX = 250, /* of the protocol */
	IDLE_MS = 60000,
	QUESTION_MAX = TABLE_VALUE_MAX + 1024,
};

static const struct module_setting rows[] = {
	{ "memcache", MODULE_TEXT, "inet:localhost:11211", 0, 0, NULL },
	{ "backup", MODULE_TEXT, "", 0, 0, NULL },
	{ "flags", MODULE_COUNT, "0", 0, UINT32_MAX, NULL },
	{ "ttl", MODULE_COUNT, "3600", 0, INT32_MAX, NULL },
	{ "key_format", MODULE_TEXT, "%s", 0, 0, NULL },
	{ "domain", MODULE_TEXT, "", 0, 0, NULL },
	{ "data_size_limit", MODULE_LIMIT, "10240", 1, TABLE_VALUE_MAX, NULL },
	{ "line_size_limit", MODULE_LIMIT, "1024", 64, 65536, NULL },
	{ "max_try", MODULE_LIMIT, "2", 1, 10, NULL },
	{ "retry_pause", MODULE_TIME, "1", 0, 10, NULL },
	{ "timeout", MODULE_TIME, "2", 1, 600, NULL },
	{ NULL, MODULE_TEXT, NULL, 0, 0, NULL },
};

/* The file's content; the connection ends with it. */
struct cache {
	struct table_settings *settings;
	struct settings_told told;
	bool mentioned; /* warnings, in the log */
	struct wire wire;
	struct match_list *domain;
	struct table *backup;
	bool down; /* for want of a server the last question failed */
	struct memcache_limits limits;
};

struct memcache {
	struct loaded file;
	struct table *table;
};

/* One question. */
struct asking {
	struct cache *cache;
	struct span key;
	bool storing;
	bool found;
	struct buf *value;
	struct buf refusal;
};

static bool
is_error(struct span line)
{
	return span_is(line, "ERROR") || span_starts(line, "CLIENT_ERROR") ||
	    span_starts(line, "SERVER_ERROR");
}

/* "VALUE key flags bytes"; false for anything else. */
static bool
value_line(struct span line, struct span key, uint64_t limit, uint64_t *size)
{
	struct span word, of;

	return span_cut(&line, " ", false, &word) && span_is(word, "VALUE") &&
	    span_cut(&line, " ", false, &of) && span_equal(of, key) &&
	    span_cut(&line, " ", false, &word) &&
	    span_u64(word, UINT32_MAX, size) &&
	    span_cut(&line, " ", false, &word) && span_u64(word, limit, size);
}

enum io
memcache_read(struct stream *s, const struct memcache_limits *limits,
    struct span key, bool *found, struct buf *value, struct buf *why)
{
	struct span line;
	uint64_t size = 0;
	char end[2];
	enum io r = stream_line(s, limits->line, &line, NULL);

	*found = false;
	if (r != IO_OK || span_is(line, "END"))
		return r;
	if (is_error(line)) {
		buf_add_span(why, line);
		return IO_ERROR;
	}
	if (!value_line(line, key, limits->data, &size) ||
	    buf_reserve(value, size + 1) == NULL)
		return IO_LONG;
	r = stream_read(s, value->p + value->n, size);
	if (r == IO_OK)
		r = stream_read(s, end, sizeof(end));
	if (r == IO_OK)
		r = stream_line(s, limits->line, &line, NULL);
	if (r != IO_OK)
		return r;
	if (memcmp(end, "\r\n", 2) != 0 || !span_is(line, "END"))
		return IO_LONG;
	buf_added(value, size);
	*found = true;
	return IO_OK;
}

static enum io
read_stored(struct stream *s, struct asking *a)
{
	struct span line;
	enum io r = stream_line(s, a->cache->limits.line, &line, NULL);

	if (r == IO_OK && !span_is(line, "STORED")) {
		buf_add_span(&a->refusal, line);
		r = IO_ERROR;
	}
	return r;
}

static enum io
read_answer(struct stream *s, void *with)
{
	struct asking *a = with;

	buf_reset(&a->refusal);
	if (a->storing)
		return read_stored(s, a);
	buf_reset(a->value);
	return memcache_read(s, &a->cache->limits, a->key, &a->found, a->value,
	    &a->refusal);
}

static bool
converse(struct asking *a, struct span question, struct buf *why)
{
	const struct table_settings *s = a->cache->settings;
	int64_t tries = table_settings_number(s, "max_try");
	int64_t pause = table_settings_number(s, "retry_pause") * 1000;

	for (int64_t i = 0; i < tries; i++) {
		if (i > 0)
			(void)wait_until(clock_ms() + pause);
		buf_reset(why);
		if (wire_ask(&a->cache->wire, question, read_answer, a, why))
			return true;
		if (a->refusal.n > 0) {
			buf_reset(why);
			buf_add_span(why, buf_span(&a->refusal));
		} else {
			/* nobody there: no second time */
			a->cache->down = true;
			return false;
		}
	}
	return false;
}

/* Blanks and control characters cannot be part of a key. */
static bool
is_key(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f)
			return false;
	return text.n > 0 && text.n <= KEY_MAX;
}

static void
store(struct asking *a)
{
	const struct table_settings *s = a->cache->settings;
	struct buf question = BUF_INIT(QUESTION_MAX), why = BUF_INIT(1024);

	if (a->value->n > a->cache->limits.data)
		return;
	a->storing = true;
	buf_printf(&question, "set %.*s %lld %lld %zu\r\n", SPAN_ARG(a->key),
	    (long long)table_settings_number(s, "flags"),
	    (long long)table_settings_number(s, "ttl"), a->value->n);
	buf_add_span(&question, buf_span(a->value));
	buf_add_text(&question, "\r\n");
	if (!converse(a, buf_span(&question), &why))
		log_warning("memcache: cannot store: %s", buf_text(&why));
	buf_fini(&question);
	buf_fini(&why);
}

static enum table_result
fetch(struct asking *a, struct buf *value)
{
	struct buf question = BUF_INIT(KEY_MAX + 64), why = BUF_INIT(1024);
	enum table_result r = TABLE_AGAIN;

	buf_printf(&question, "get %.*s\r\n", SPAN_ARG(a->key));
	if (converse(a, buf_span(&question), &why)) {
		r = a->found ? TABLE_FOUND : TABLE_NONE;
	} else {
		buf_reset(value);
		buf_add_span(value, buf_span(&why));
	}
	buf_fini(&question);
	buf_fini(&why);
	return r;
}

static enum table_result
ask(struct cache *c, struct span key, struct buf *value)
{
	struct buf text = BUF_INIT((size_t)TABLE_KEY_MAX * 12);
	struct asking a = { .cache = c,
		.value = value,
		.refusal = BUF_INIT(1024) };
	enum table_result r = TABLE_NONE;
	bool fit =
	    key_format_expand(table_settings_text(c->settings, "key_format"),
		key, NULL, NULL, NULL, &text) == KEY_FORMATTED;
	bool down = false;

	a.key = buf_span(&text);
	c->down = false;
	fit = fit && is_key(a.key);
	if (fit) {
		r = fetch(&a, value);
		down = r == TABLE_AGAIN;
	}
	if (r != TABLE_FOUND && c->backup != NULL) {
		r = table_lookup(c->backup, key, value);
		c->down = table_server_down(c->backup);
		if (r == TABLE_FOUND && fit && !down)
			store(&a);
	}
	buf_fini(&a.refusal);
	buf_fini(&text);
	return r;
}

static void
finish(struct cache *c, const char *path, unsigned int flags)
{
	const struct table_settings *s = c->settings;
	const char *backup = table_settings_text(s, "backup");
	const char *domain = table_settings_text(s, "domain");
	struct buf why = BUF_INIT(1024);

	if (!wire_init(&c->wire, span_of(table_settings_text(s, "memcache")),
		table_settings_number(s, "timeout") * 1000, IDLE_MS, &why))
		buf_printf(&c->told.errors, "%s: memcache: %s\n", path,
		    buf_text(&why));
	buf_reset(&why);
	if (!key_format_valid(table_settings_text(s, "key_format"), &why))
		buf_printf(&c->told.errors, "%s: key_format: %s\n", path,
		    buf_text(&why));
	buf_reset(&why);
	if (*backup != '\0' &&
	    (c->backup = table_open_flags(span_of(backup), flags, &why)) ==
		NULL)
		buf_printf(&c->told.errors, "%s: backup: %s\n", path,
		    buf_text(&why));
	buf_reset(&why);
	if (*domain != '\0' &&
	    (c->domain = match_list_open(domain, MATCH_TEXT, &why)) == NULL)
		buf_printf(&c->told.errors, "%s: domain: %s\n", path,
		    buf_text(&why));
	buf_fini(&why);
	c->limits = (struct memcache_limits){
		(size_t)table_settings_number(s, "line_size_limit"),
		(size_t)table_settings_number(s, "data_size_limit"),
	};
}

static void *
parse(const char *path, struct span text, void *with)
{
	static const struct module_setting *const lists[] = { rows, NULL };
	const struct memcache *m = with;
	struct cache *c = mem_new(sizeof(*c));

	settings_told_init(&c->told);
	c->settings = table_settings_parse(path, text, lists, &c->told);
	finish(c, path, m->table->flags);
	return c;
}

static void
release(void *data)
{
	struct cache *c = data;

	wire_fini(&c->wire);
	match_list_free(&c->domain);
	table_free(&c->backup);
	table_settings_free(&c->settings);
	settings_told_fini(&c->told);
	free(c);
}

static enum table_result
lookup(struct table *t, struct span key, struct buf *value)
{
	struct memcache *m = t->state;
	enum table_result r = loaded_look(&m->file, value);
	struct cache *c = m->file.data;

	if (r != TABLE_FOUND)
		return r;
	if (c->told.errors.n > 0) {
		buf_add_span(value, span_trim(buf_span(&c->told.errors)));
		return TABLE_BROKEN;
	}
	settings_told_mention(&c->told, &c->mentioned);
	r = client_domain_concerns(c->domain, key, value);
	if (r != TABLE_FOUND)
		return r;
	r = ask(c, key, value);
	t->down = r == TABLE_AGAIN && c->down;
	return r;
}

static enum table_result
check(struct table *t, struct settings_told *told)
{
	struct memcache *m = t->state;
	enum table_result r = loaded_look(&m->file, &told->errors);
	const struct cache *c = m->file.data;

	if (r != TABLE_FOUND)
		return r;
	settings_told_add(told, &c->told);
	return told->errors.n > 0 ? TABLE_BROKEN : TABLE_NONE;
}

/* As of table_client.c: what works is not given up for what cannot. */
static void *
renew(const char *path, struct span text, void *with, void *old)
{
	struct cache *before = old, *now = parse(path, text, with);

	if (now->told.errors.n == 0 || before->told.errors.n > 0) {
		release(before);
		return now;
	}
	settings_told_kept(&now->told, path);
	release(now);
	return before;
}

static bool
open_memcache(struct table *t, struct span argument, struct buf *error)
{
	struct memcache *m;
	char *path;
	bool good;

	m = mem_new(sizeof(*m));
	m->table = t;
	m->file.parse = parse;
	m->file.renew = renew;
	m->file.release = release;
	m->file.with = m;
	t->state = m;
	path = mem_span_text(argument);
	good = loaded_open(&m->file, path, error);
	free(path);
	if (!good)
		free(m);
	return good;
}

static void
close_memcache(struct table *t)
{
	struct memcache *m = t->state;

	loaded_close(&m->file);
	free(m);
}

const struct table_ops table_memcache_ops = {
	.folds = true,
	.partial = true,
	.server = true,
	.unproven = true,
	.open = open_memcache,
	.lookup = lookup,
	.check = check,
	.close = close_memcache,
};
