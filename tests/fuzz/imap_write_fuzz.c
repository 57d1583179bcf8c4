/* SPDX-License-Identifier: ISC */
/* What is written is read back as the same text, and as one argument. */
#include "lib/imap/imap_write.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/imap/imap_parse.h"
#include "lib/mail/mail_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1 << 20 };

static struct imap_limits limits;

/* The one argument of a line with at most one literal at its end. */
static void
read_back(const struct buf *wire, struct imap_arg *out, struct arena *arena)
{
	const struct imap_arg *args;
	struct imap_parse p;
	size_t count;
	char *text = arena_span(arena, buf_span(wire));
	const char *literal =
	    wire->n > 0 && text[0] == '{' ? strchr(text, '\n') + 1 : NULL;

	limits = imap_limits_session;
	imap_parse_init(&p, arena, &limits);
	if (literal != NULL)
		ensure(imap_parse_literal(&p,
		    (struct span){ literal,
			wire->n - (size_t)(literal - text) },
		    false));
	else
		ensure(
		    imap_parse_line(&p, (struct span){ text, wire->n }, false));
	ensure(imap_parse_end(&p, &args, &count) && count == 1);
	if (literal != NULL)
		ensure(strtoull(text + 1, NULL, 10) == args[0].text.n);
	*out = args[0];
	imap_parse_fini(&p);
}

static void
same(struct span got, struct span text)
{
	ensure(got.n == text.n);
	for (size_t i = 0; i < text.n; i++)
		ensure(
		    got.p[i] == (text.p[i] == '\0' ? (char)0x80 : text.p[i]));
}

static void
strings(struct span text, bool utf8)
{
	struct arena *arena = arena_new();
	struct buf wire = BUF_INIT(OUT_MAX);
	struct imap_arg arg;
	struct span got;

	imap_write_string(&wire, text, utf8);
	read_back(&wire, &arg, arena);
	ensure(imap_arg_string(&arg, &got));
	same(got, text);
	ensure(utf8 || arg.type != IMAP_QUOTED || span_is_ascii(got));
	buf_reset(&wire);
	imap_write_astring(&wire, text, utf8);
	read_back(&wire, &arg, arena);
	ensure(arg.type != IMAP_NIL && imap_arg_astring(&arg, &got));
	same(got, text);
	buf_fini(&wire);
	arena_free(&arena);
}

static void
names(const char *name, bool utf8)
{
	struct arena *arena = arena_new();
	struct buf wire = BUF_INIT(OUT_MAX), back = BUF_INIT(OUT_MAX);
	struct imap_arg arg;
	struct span got;

	imap_write_mailbox(&wire, name, utf8);
	read_back(&wire, &arg, arena);
	ensure(imap_arg_astring(&arg, &got));
	ensure(utf8 || span_is_ascii(got));
	if (imap_mailbox_name(got, utf8, &back) &&
	    !span_is_nocase(span_of(name), "INBOX"))
		ensure(!mail_is_utf8(span_of(name)) ||
		    span_is(buf_span(&back), name));
	buf_fini(&wire);
	buf_fini(&back);
	arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	char *name = mem_span_text(text);
	struct buf shown = BUF_INIT(OUT_MAX);

	for (int utf8 = 0; utf8 < 2; utf8++) {
		strings(text, utf8 != 0);
		if (strlen(name) < 500)
			names(name, utf8 != 0);
	}
	imap_write_text(&shown, name);
	ensure(!span_has_break(buf_span(&shown)));
	buf_fini(&shown);
	free(name);
	return 0;
}
