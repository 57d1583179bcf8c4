/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_LIB_IMAP_SCRIPT_H
#define TESTS_UNIT_LIB_IMAP_SCRIPT_H

/*
 * What a reader makes of a script, as text: for comparing.
 */

#include <string.h>

#include "lib/base/buf.h"
#include "lib/imap/imap_read.h"

static inline void
script_put_arg(struct buf *out, const struct imap_arg *a)
{
	static const char *const names[] = { "END", "A", "NIL", "Q", "L", "L8",
		"", "PENDING", "CLOSE" };

	if (a->type == IMAP_LIST) {
		size_t n = 0;

		buf_add_char(out, '(');
		for (a = a->list; a->type != IMAP_END; a++, n++)
			script_put_arg(out, a);
		buf_printf(out, ")%zu ", n);
	} else if (a->type == IMAP_PENDING) {
		buf_printf(out, "PENDING%s%s:%llu ", a->wait ? "-wait" : "",
		    a->binary ? "-8" : "", (unsigned long long)a->size);
	} else {
		buf_printf(out, "%s:", names[a->type]);
		buf_add_span(out, a->text);
		buf_add_char(out, ' ');
	}
}

static inline bool
script_put_args(struct buf *out, const struct imap_arg *args, size_t count)
{
	bool pending = false;

	for (size_t i = 0; i < count; i++) {
		script_put_arg(out, &args[i]);
		/* a PENDING in a list is the last of all */
		for (const struct imap_arg *a = &args[i];; a = a->list) {
			if (a->type == IMAP_LIST && a->count > 0) {
				size_t n = a->count;

				a = &a->list[n - 1];
				if (a->type == IMAP_PENDING)
					pending = true;
				if (a->type != IMAP_LIST)
					break;
				continue;
			}
			if (a->type == IMAP_PENDING)
				pending = true;
			break;
		}
	}
	return pending;
}

static inline size_t
script_streams(struct span name)
{
	return span_is(name, "APPEND") ? 1 : 0;
}

static inline enum imap_read
script_literals(struct imap_reader *r, struct buf *out, const char **error,
    enum io *io)
{
	const struct imap_arg *args;
	enum imap_read result;
	struct span bytes;
	size_t count;
	bool pending;

	do {
		buf_add_text(out, "<");
		while ((*io = imap_read_literal(r, &bytes)) == IO_OK &&
		    bytes.n > 0)
			buf_add_span(out, bytes);
		if (*io != IO_OK)
			return IMAP_READ_END;
		buf_add_text(out, "> ");
		result = imap_read_more(r, &args, &count, error, io);
		if (result != IMAP_READ_OK)
			return result;
		pending = script_put_args(out, args, count);
	} while (pending);
	return IMAP_READ_OK;
}

/*
 * Reads commands to the end of the stream; one line for each in *out. Literals
 * of APPEND are taken, but for those to a mailbox called "skip".
 */
static inline void
script_run(struct stream *io, const struct imap_limits *limits, struct buf *out)
{
	struct imap_reader *r = imap_reader_new(io, limits);
	enum imap_read result;
	struct imap_command c;
	const char *error;
	enum io why;

	imap_reader_streaming(r, script_streams);
	do {
		result = imap_read_command(r, &c, &error, &why);
		if (result == IMAP_READ_END)
			break;
		buf_printf(out, "%.*s %s%.*s ", SPAN_ARG(c.tag),
		    c.uid ? "UID " : "", SPAN_ARG(c.name));
		if (result == IMAP_READ_OK &&
		    script_put_args(out, c.args, c.count) &&
		    !imap_arg_is(&c.args[0], "skip"))
			result = script_literals(r, out, &error, &why);
		if (result == IMAP_READ_BAD)
			buf_printf(out, "BAD %s", error);
		buf_add_text(out, "\n");
	} while (result == IMAP_READ_OK || result == IMAP_READ_BAD);
	buf_printf(out, "%s %s\n", result == IMAP_READ_END ? "end" : "fatal",
	    result == IMAP_READ_END ? io_name(why) : error);
	imap_reader_free(&r);
}

#endif
