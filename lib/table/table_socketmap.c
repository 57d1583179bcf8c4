/* SPDX-License-Identifier: ISC */
/*
 * socketmap:inet:host:port:name and socketmap:unix:/path:name: a question
 * and an answer, each a netstring.
 *
 * SECURITY. Neither side is proven to the other: not for tables that give
 * rights. Answers are bounded.
 */
#include "lib/table/wire_answers.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/table/main_setting.h"
#include "lib/table/type.h"
#include "lib/table/wire.h"

enum {
	TIMEOUT_MS = 10000,
	IDLE_MS = 10000,
	QUERY_MAX = 10000, /* defaults of the settings */
	REPLY_MAX = 100000,
	LENGTH_DIGITS = 9,
};

struct socketmap {
	struct wire wire;
	char *name;
	size_t query_max, reply_max;
	struct buf question, answer;
};

enum io
netstring_read(struct stream *s, size_t limit, struct buf *out)
{
	size_t n = 0;
	char c = 0;
	enum io r = IO_OK;

	for (int digits = 0; r == IO_OK; digits++) {
		r = stream_read(s, &c, 1);
		if (r != IO_OK || (c == ':' && digits > 0))
			break;
		if (c < '0' || c > '9' || digits == LENGTH_DIGITS)
			return IO_LONG;
		n = n * 10 + (size_t)(c - '0');
	}
	if (r == IO_OK && (n > limit || buf_reserve(out, n + 1) == NULL))
		return IO_LONG;
	if (r == IO_OK && n > 0)
		r = stream_read(s, out->p + out->n, n);
	if (r == IO_OK)
		r = stream_read(s, &c, 1);
	if (r != IO_OK)
		return r;
	if (c != ',')
		return IO_LONG;
	buf_added(out, n);
	return IO_OK;
}

static const struct {
	const char *word;
	int result;
	const char *reason;
} words[] = {
	{ "OK", TABLE_FOUND, "" },
	{ "NOTFOUND", TABLE_NONE, "" },
	{ "TEMP", TABLE_AGAIN, "temporary error" },
	{ "TIMEOUT", TABLE_AGAIN, "timeout" },
	{ "PERM", TABLE_BROKEN, "permanent error" },
};

int
socketmap_answer(struct span text, struct buf *value)
{
	struct span word = span_take(text, span_find(text, ' '));
	struct span rest = span_skip(text, word.n + 1);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!span_is(word, words[i].word))
			continue;
		if (words[i].result == TABLE_FOUND) {
			buf_add_span(value, rest);
		} else if (words[i].reason[0] != '\0') {
			buf_printf(value, "%s: ", words[i].reason);
			buf_add_span(value, rest);
		}
		return words[i].result;
	}
	return -1;
}

static enum io
read_answer(struct stream *s, void *with)
{
	struct socketmap *m = with;

	buf_reset(&m->answer);
	return netstring_read(s, m->reply_max, &m->answer);
}

static enum table_result
lookup(struct table *t, struct span key, struct buf *value)
{
	struct socketmap *m = t->state;
	size_t n = span_of(m->name).n + 1 + key.n;
	int r;

	if (n > m->query_max)
		return TABLE_NONE;
	buf_reset(&m->question);
	buf_printf(&m->question, "%zu:%s ", n, m->name);
	buf_add_span(&m->question, key);
	buf_add_char(&m->question, ',');
	t->down =
	    !wire_ask(&m->wire, buf_span(&m->question), read_answer, m, value);
	if (t->down)
		return TABLE_AGAIN;
	r = socketmap_answer(buf_span(&m->answer), value);
	if (r >= 0)
		return (enum table_result)r;
	buf_printf(value, "%s: malformed answer", t->name);
	return TABLE_AGAIN;
}

static bool
open_socketmap(struct table *t, struct span argument, struct buf *error)
{
	struct socketmap *m = mem_new(sizeof(*m));
	size_t colon = span_rfind(argument, ':');
	struct span name = span_skip(argument, colon + 1);

	if (name.n == 0) {
		buf_printf(error, "%s: a name is wanted behind the last colon",
		    t->name);
		free(m);
		return false;
	}
	if (!wire_init(&m->wire, span_take(argument, colon), TIMEOUT_MS,
		IDLE_MS, error)) {
		free(m);
		return false;
	}
	m->name = mem_span_text(name);
	m->query_max =
	    (size_t)main_setting_number("socketmap_max_query_size", QUERY_MAX);
	m->reply_max =
	    (size_t)main_setting_number("socketmap_max_reply_size", REPLY_MAX);
	buf_init(&m->question, m->query_max + 64);
	buf_init(&m->answer, m->reply_max + 64);
	t->state = m;
	return true;
}

static void
close_socketmap(struct table *t)
{
	struct socketmap *m = t->state;

	wire_fini(&m->wire);
	buf_fini(&m->question);
	buf_fini(&m->answer);
	free(m->name);
	free(m);
}

const struct table_ops table_socketmap_ops = {
	.folds = true,
	.partial = false,
	.server = true,
	.unproven = true,
	.open = open_socketmap,
	.lookup = lookup,
	.close = close_socketmap,
};
