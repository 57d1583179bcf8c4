/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/module_asker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/table/key_format.h"

enum { QUERY_MAX = 1 << 18, HEARD_MAX = 1 << 24, LEFT_MS = 1000 };

struct span asker_input;

unsigned int
asker_byte(void)
{
	unsigned int byte = 0;

	if (asker_input.n > 0)
		byte = (unsigned char)asker_input.p[0];
	asker_input = span_skip(asker_input, 1);
	return byte;
}

bool
asker_chance(unsigned int of)
{
	return asker_input.n > 0 && asker_byte() >= 256 - of;
}

char *
asker_text(size_t most, size_t *n)
{
	size_t wanted = asker_byte();
	struct span text =
	    span_take(asker_input, wanted < most ? wanted : most);

	asker_input = span_skip(asker_input, text.n);
	if (n != NULL)
		*n = text.n;
	return mem_span_text(text);
}

static struct module_asker *
asker_of(const struct module_call *c)
{
	return (struct module_asker *)(uintptr_t)c;
}

static const struct module_setting *
find_setting(const struct module_asker *a, const char *name)
{
	const struct module_setting *s = a->module->settings;

	while (s->name != NULL && strcmp(s->name, name) != 0)
		s++;
	ensure(s->name != NULL);
	return s;
}

static const char *
setting(const struct module_call *c, const char *name)
{
	const struct module_asker *a = asker_of(c);
	const char *value = find_setting(a, name)->fallback;

	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->set[i].name, name) == 0)
			value = a->set[i].value;
	return value;
}

static int64_t
number(const struct module_call *c, const char *name)
{
	const char *value = setting(c, name);

	if (find_setting(asker_of(c), name)->kind == MODULE_BOOL)
		return strcmp(value, "yes") == 0;
	return strtoll(value, NULL, 10);
}

static int
left_ms(const struct module_call *c)
{
	struct module_asker *a = asker_of(c);

	if (a->patience > 0)
		a->patience--;
	return a->patience > 0 ? LEFT_MS : 1;
}

static bool
value(struct module_call *c, const char *text, size_t n, bool with_format)
{
	struct module_asker *a = asker_of(c);

	(void)with_format;
	ensure(!a->enough && n > 0);
	buf_add(&a->heard, text, n);
	a->enough = ++a->values >= a->most;
	return !a->enough;
}

static void
fail(struct module_call *c, const char *format, ...)
{
	struct module_asker *a = asker_of(c);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(a->why, sizeof(a->why), format, arguments);
	va_end(arguments);
	a->failed = true;
}

static void
debug(struct module_call *c, const char *format, ...)
{
	char text[ASKER_WHY_MAX];
	va_list arguments;

	(void)c;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
}

void
asker_init(struct module_asker *a, const struct table_module *m)
{
	*a = (struct module_asker){
		.call = { setting, number, left_ms, value, fail, debug },
		.module = m,
		.patience = 10000,
		.most = 1000,
		.heard = BUF_INIT(HEARD_MAX),
	};
}

void
asker_fini(struct module_asker *a)
{
	buf_fini(&a->heard);
}

void
asker_set(struct module_asker *a, const char *name, const char *to)
{
	ensure(a->count < ASKER_SET_MAX && find_setting(a, name) != NULL);
	a->set[a->count].name = name;
	a->set[a->count++].value = to;
}

void *
asker_connect(struct module_asker *a, const char *host)
{
	void *connection = NULL;
	enum module_result r;

	a->failed = false;
	r = a->module->connect(&a->call, host, &connection);
	ensure((r == MODULE_OK) == (connection != NULL));
	ensure(r == MODULE_OK || (a->failed && r != MODULE_LATER));
	return connection;
}

struct quoting {
	const struct module_asker *asker;
	void *connection;
	enum module_place place;
};

/* Room and not a byte more, so that a quote that is too long shows. */
static size_t
quote(void *with, char *to, size_t room, struct span from)
{
	const struct quoting *q = with;
	size_t exact = 4 * from.n + 1, n;
	char *quoted = mem_new(exact);

	ensure(room >= exact);
	n = q->asker->module->quote(q->connection, q->place, quoted, exact,
	    from.p, from.n);
	ensure(n == SIZE_MAX || n <= exact);
	if (n != SIZE_MAX)
		memcpy(to, quoted, n);
	free(quoted);
	return n;
}

enum module_result
asker_ask(struct module_asker *a, void *connection, const char *query,
    const char *base, struct span key)
{
	struct buf text = BUF_INIT(QUERY_MAX), place = BUF_INIT(QUERY_MAX);
	struct quoting q = { a, connection, MODULE_QUERY };
	enum module_result r = MODULE_OK;

	a->failed = a->enough = false;
	a->values = 0;
	buf_reset(&a->heard);
	if (key_format_expand(query, key, NULL, quote, &q, &text) ==
	    KEY_FORMATTED) {
		q.place = MODULE_BASE;
		if (key_format_expand(base, key, NULL, quote, &q, &place) ==
		    KEY_FORMATTED)
			r = a->module->ask(&a->call, connection,
			    &(struct module_question){ buf_text(&text), text.n,
				buf_text(&place) });
	}
	ensure((r != MODULE_OK) == a->failed);
	buf_fini(&text);
	buf_fini(&place);
	return r;
}

static void
ask_for_one(struct module_asker *a, const struct asker_trial *t,
    void *connection)
{
	struct span key;
	char *text = asker_text(ASKER_KEY_MOST, &key.n);

	key.p = text;
	if (t->check_key != NULL)
		t->check_key(key);
	(void)asker_ask(a, connection, t->query,
	    t->base_setting == NULL ? "" : setting(&a->call, t->base_setting),
	    key);
	free(text);
	t->check_given_back(false);
}

void
asker_try(const struct asker_trial *t, const uint8_t *data, size_t size)
{
	struct module_asker a;
	char *host;
	void *connection;

	if (size > ASKER_INPUT_MOST)
		return;
	asker_input = (struct span){ (const char *)data, size };
	asker_init(&a, t->module);
	t->choose(&a);
	host = asker_text(ASKER_TEXT_MOST, NULL);
	connection = asker_connect(&a, host);
	while (connection != NULL && asker_input.n > 0)
		ask_for_one(&a, t, connection);
	if (connection != NULL)
		t->module->close(connection);
	t->check_given_back(true);
	free(host);
	asker_fini(&a);
}
