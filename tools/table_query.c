/* SPDX-License-Identifier: ISC */
/* Questions to tables, and how answers are printed. */
#include "tools/table_tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unistr.h>

#include "lib/base/base64.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/source.h"
#include "tools/message_keys.h"

enum { MESSAGE_MAX = 1 << 30 };

struct asking {
	const struct table_wishes *w;
	struct table **tables;
	size_t count;
	bool found;
};

static void
put_json(struct span text)
{
	const bool valid = u8_check((const uint8_t *)text.p, text.n) == NULL;

	putchar('"');
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c == 0x7f)
			printf("\\u%04X", c);
		else if (c >= 0x80 && !valid)
			fputs("\\uFFFD", stdout);
		else
			putchar(c);
	}
	putchar('"');
}

static void
put(struct span text)
{
	if (text.n > 0)
		fwrite(text.p, 1, text.n, stdout);
}

static void
put_entry(const struct table_wishes *w, struct span key, struct span value)
{
	if (w->json) {
		putchar('{');
		put_json(key);
		fputs(": ", stdout);
		put_json(value);
		fputs("}\n", stdout);
		return;
	}
	put(key);
	fputs(w->kind == TABLE_TOOL_ALIAS ? ":\t" : "\t", stdout);
	put(value);
	putchar('\n');
}

bool
table_tool_print(const struct table_wishes *w, struct span key,
    struct span value)
{
	struct buf decoded = BUF_INIT(TABLE_VALUE_MAX);
	bool good = true;

	if (w->contents) {
		good = base64_decode(value, &decoded);
		value = buf_span(&decoded);
	}
	if (good)
		put_entry(w, key, value);
	buf_fini(&decoded);
	return good;
}

void
table_tool_flush(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		fatal_status(TABLE_TOOL_NONE, "write error");
}

bool
table_tool_line(char **line, size_t *room, struct span *text)
{
	ssize_t n = getline(line, room, stdin);

	if (n < 0)
		return false;
	*text = (struct span){ *line, (size_t)n };
	if (n > 0 && text->p[n - 1] == '\n')
		text->n--;
	return true;
}

static struct table *
open_table(const struct table_wishes *w, const char *spec)
{
	struct buf error = BUF_INIT(4096);
	unsigned int flags = TABLE_EMPTY_KEYS |
	    (w->contents ? TABLE_CONTENTS : 0) |
	    (w->build.fold ? 0 : TABLE_KEEP_CASE) |
	    (w->build.ascii ? TABLE_ASCII : 0) |
	    (w->kind == TABLE_TOOL_ALIAS ? TABLE_ALIASES : 0);
	struct table *t = table_open_flags(span_of(spec), flags, &error);

	if (t == NULL)
		fatal_status(TABLE_TOOL_NONE, "%s", buf_text(&error));
	buf_fini(&error);
	return t;
}

/* A table that cannot be opened is no failed question. */
static noreturn void
failed_query(const struct table *t, struct buf *why)
{
	if (span_starts(buf_span(why), "open "))
		fatal_status(TABLE_TOOL_NONE, "%s", buf_text(why));
	fatal_status(TABLE_TOOL_NONE, "table %s: query error: %s",
	    table_name(t), buf_text(why));
}

/* Types whose values are stored as -F writes them; others name the files. */
static bool
stores_contents(const struct table *t)
{
	struct span name = span_of(table_name(t));
	char *type = mem_span_text(span_take(name, span_find(name, ':')));
	bool stores = table_can_build(type) || strcmp(type, "texthash") == 0;

	free(type);
	return stores;
}

/* -F: the value becomes what it stands for. */
static void
take_contents(const struct table *t, struct span key, struct buf *value)
{
	struct buf result = BUF_INIT(TABLE_VALUE_MAX);
	struct buf error = BUF_INIT(4096);

	if (stores_contents(t)) {
		if (!base64_decode(buf_span(value), &result)) {
			log_warning("table %s: key %.*s: malformed BASE64 "
				    "value: %s",
			    table_name(t), SPAN_ARG(key), buf_text(value));
			buf_add_text(&error, "the value is not what -F stores");
			failed_query(t, &error);
		}
	} else if (!source_contents(buf_span(value), &result, &error)) {
		failed_query(t, &error);
	}
	buf_reset(value);
	buf_add_span(value, buf_span(&result));
	buf_fini(&result);
	buf_fini(&error);
}

static void
warn_empty(const struct table *t, struct span key)
{
	log_warning("table %s: key %.*s: empty string result is not allowed",
	    table_name(t), SPAN_ARG(key));
	log_warning("table %s should return NO RESULT in case of NOT FOUND",
	    table_name(t));
}

/* Asks one table after the other, until one has the key. */
static bool
ask(const struct asking *a, struct span key, struct buf *value)
{
	for (size_t i = 0; i < a->count; i++) {
		struct table *t = a->tables[i];
		enum table_result r = table_lookup(t, key, value);

		if (r == TABLE_AGAIN || r == TABLE_BROKEN)
			failed_query(t, value);
		if (r != TABLE_FOUND)
			continue;
		if (a->w->contents)
			take_contents(t, key, value);
		if (value->n == 0)
			warn_empty(t, key);
		return true;
	}
	return false;
}

static void
ask_one(struct asking *a, struct span key)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);

	a->found = ask(a, key, &value);
	if (a->found && a->w->json) {
		put_entry(a->w, key, buf_span(&value));
	} else if (a->found) {
		put(buf_span(&value));
		putchar('\n');
	}
	buf_fini(&value);
}

static void
ask_each(void *with, struct span key)
{
	struct asking *a = with;
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);

	if (ask(a, key, &value)) {
		a->found = true;
		put_entry(a->w, key, buf_span(&value));
	}
	buf_fini(&value);
}

static void
ask_message(struct asking *a)
{
	struct message_keys k = {
		.headers = a->w->headers,
		.bodies = a->w->bodies,
		.mime = a->w->mime,
		.key = ask_each,
		.with = a,
	};
	struct buf message = BUF_INIT(MESSAGE_MAX);

	if (fd_read_whole(STDIN_FILENO, &message) < 0)
		fatal_status(TABLE_TOOL_NONE, "cannot read the message");
	message_keys(&k, buf_span(&message));
	buf_fini(&message);
}

static void
ask_lines(struct asking *a)
{
	char *line = NULL;
	size_t room = 0;
	struct span key;

	while (table_tool_line(&line, &room, &key))
		ask_each(a, key);
	free(line);
}

int
table_tool_query(const struct table_wishes *w, char **specs, size_t count)
{
	struct asking a = {
		.w = w,
		.tables = mem_array(count, sizeof(struct table *)),
		.count = count,
	};

	for (size_t i = 0; i < count; i++)
		a.tables[i] = open_table(w, specs[i]);
	if (strcmp(w->query, "-") != 0)
		ask_one(&a, span_of(w->query));
	else if (w->headers || w->bodies)
		ask_message(&a);
	else
		ask_lines(&a);
	table_tool_flush();
	for (size_t i = 0; i < count; i++)
		table_free(&a.tables[i]);
	free(a.tables);
	return a.found ? EXIT_SUCCESS : TABLE_TOOL_NONE;
}
