/* SPDX-License-Identifier: ISC */
/*
 * tcp:host:port: "get KEY" and a line with a number and a text.
 *
 * SECURITY. As socketmap: not for tables that give rights.
 */
#include "lib/table/wire_answers.h"

#include <stdlib.h>

#include "lib/base/hex.h"
#include "lib/base/mem.h"
#include "lib/table/type.h"
#include "lib/table/wire.h"

enum {
	TIMEOUT_MS = 10000,
	IDLE_MS = 60000,
	REPLY_MAX = 4096, /* with the newline */
};

struct tcp {
	struct wire wire;
	struct buf question, answer;
};

void
tcp_encode(struct span text, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c > ' ' && c < 0x7f && c != '%') {
			buf_add_char(out, (char)c);
			continue;
		}
		buf_add_char(out, '%');
		buf_add_char(out, digits[c >> 4]);
		buf_add_char(out, digits[c & 15]);
	}
}

bool
tcp_decode(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != '%') {
			buf_add_char(out, text.p[i]);
			continue;
		}
		if (i + 2 >= text.n || hex_digit(text.p[i + 1]) < 0 ||
		    hex_digit(text.p[i + 2]) < 0)
			return false;
		buf_add_char(out,
		    (char)(hex_digit(text.p[i + 1]) * 16 +
			hex_digit(text.p[i + 2])));
		i += 2;
	}
	return true;
}

int
tcp_answer(struct span line, struct buf *value)
{
	struct span code = span_take(line, span_find(line, ' '));
	struct span text = span_skip(line, code.n + 1);

	if (!tcp_decode(text, value))
		return -1;
	if (span_is(code, "200"))
		return TABLE_FOUND;
	if (span_is(code, "400"))
		return TABLE_AGAIN;
	if (!span_is(code, "500"))
		return -1;
	buf_reset(value);
	return TABLE_NONE;
}

static enum io
read_answer(struct stream *s, void *with)
{
	struct tcp *x = with;
	struct span line;
	enum io r = stream_line(s, REPLY_MAX, &line, NULL);

	buf_reset(&x->answer);
	if (r == IO_OK)
		buf_add_span(&x->answer, line);
	return r;
}

static enum table_result
lookup(struct table *t, struct span key, struct buf *value)
{
	struct tcp *x = t->state;
	int r;

	buf_reset(&x->question);
	buf_add_text(&x->question, "get ");
	tcp_encode(key, &x->question);
	buf_add_char(&x->question, '\n');
	t->down =
	    !wire_ask(&x->wire, buf_span(&x->question), read_answer, x, value);
	if (t->down)
		return TABLE_AGAIN;
	r = tcp_answer(buf_span(&x->answer), value);
	if (r >= 0)
		return (enum table_result)r;
	buf_reset(value);
	buf_printf(value, "%s: malformed answer", t->name);
	return TABLE_AGAIN;
}

static bool
open_tcp(struct table *t, struct span argument, struct buf *error)
{
	struct tcp *x = mem_new(sizeof(*x));
	char *endpoint = mem_printf("inet:%.*s", SPAN_ARG(argument));
	bool fine =
	    wire_init(&x->wire, span_of(endpoint), TIMEOUT_MS, IDLE_MS, error);

	free(endpoint);
	if (!fine) {
		free(x);
		return false;
	}
	buf_init(&x->question, (size_t)TABLE_KEY_MAX * 12 + 16);
	buf_init(&x->answer, REPLY_MAX);
	t->state = x;
	return true;
}

static void
close_tcp(struct table *t)
{
	struct tcp *x = t->state;

	wire_fini(&x->wire);
	buf_fini(&x->question);
	buf_fini(&x->answer);
	free(x);
}

const struct table_ops table_tcp_ops = {
	.folds = true,
	.partial = false,
	.server = true,
	.unproven = true,
	.open = open_tcp,
	.lookup = lookup,
	.close = close_tcp,
};
