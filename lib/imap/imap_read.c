/* SPDX-License-Identifier: ISC */
#include "lib/imap/imap_read.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/imap/imap_parse.h"

enum {
	TAG_MAX = 255,
	NAME_MAX_BYTES = 64,
	TAIL_MAX = 32, /* the longest "~{n+}" and the CR */
	EMPTY_MAX = 1000, /* lines without a command between them */
};

const struct imap_limits imap_limits_login = {
	.line = 16384, /* a SASL initial response: tokens are long */
	.literal = 4096,
	.total = 32768,
	.args = 64,
	.depth = 4,
	.utf8 = true,
};

const struct imap_limits imap_limits_session = {
	.line = 65536,
	.literal = 512 * 1024,
	.total = 2 * 1024 * 1024,
	.args = 16384,
	.depth = 64,
	.utf8 = true,
};

/* What announces a literal at the end of a line. */
struct literal {
	enum {
		LITERAL_NONE,
		LITERAL_WAITS, /* "{n}": nothing comes before our "+" */
		LITERAL_COMES, /* "{n+}" */
		LITERAL_UNKNOWN, /* it comes, but who knows how long it is */
	} kind;
	bool binary;
	uint64_t size;
	size_t at; /* where in the line it begins */
};

struct imap_reader {
	struct stream *io;
	const struct imap_limits *limits;
	size_t (*streams)(struct span name);
	imap_reader_say *say;
	void *with;

	/* one command */
	struct arena *arena; /* tag, name, the first tree */
	struct arena *more; /* a tree of imap_read_more */
	struct buf partial; /* a line that did not come at once */
	struct imap_parse parse;
	size_t lines; /* bytes */
	size_t total;
	size_t first; /* arguments that are read, then it takes its literals
		       * by itself; 0: it does not */
	enum io status; /* of the stream, where that ended it */
	struct literal literal; /* of the last line */
	/* the PENDING literal */
	bool pending; /* and the line behind it is unread */
	bool wait;
	uint64_t left; /* not yet asked for */
	size_t handed; /* given out, still in the stream */
};

struct imap_reader *
imap_reader_new(struct stream *io, const struct imap_limits *limits)
{
	struct imap_reader *r = mem_new(sizeof(*r));

	r->io = io;
	r->limits = limits;
	buf_init(&r->partial, 0);
	return r;
}

/* A session that waits for its client's next command keeps nothing of it. */
static void
forget(struct imap_reader *r)
{
	imap_parse_fini(&r->parse);
	buf_fini(&r->partial);
	arena_free(&r->more);
	arena_free(&r->arena);
}

void
imap_reader_free(struct imap_reader **rp)
{
	struct imap_reader *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	forget(r);
	free(r);
}

void
imap_reader_limits(struct imap_reader *r, const struct imap_limits *limits)
{
	r->limits = limits;
}

void
imap_reader_streaming(struct imap_reader *r,
    size_t (*streams)(struct span name))
{
	r->streams = streams;
}

void
imap_reader_before_wait(struct imap_reader *r, imap_reader_say *say, void *with)
{
	r->say = say;
	r->with = with;
}

static enum io
will_wait(struct imap_reader *r, size_t have)
{
	if (r->say == NULL || stream_buffered(r->io) > have ||
	    r->say(r->with, NULL))
		return r->status = IO_OK;
	return r->status = IO_ERROR;
}

/* The client waits for it. */
static enum io
invite(struct imap_reader *r)
{
	static const char text[] = "+ OK\r\n";

	if (r->say == NULL)
		r->status = stream_text(r->io, text);
	else
		r->status = r->say(r->with, text) ? IO_OK : IO_ERROR;
	return r->status;
}

static enum io
peek(struct imap_reader *r, struct span *bytes)
{
	if (will_wait(r, 0) != IO_OK)
		return r->status;
	return r->status = stream_peek(r->io, bytes);
}

static enum io
skip_bytes(struct imap_reader *r, uint64_t n)
{
	struct span bytes;
	enum io io;

	while (n > 0) {
		if ((io = peek(r, &bytes)) != IO_OK)
			return io;
		if (bytes.n > n)
			bytes.n = (size_t)n;
		stream_consume(r->io, bytes.n);
		n -= bytes.n;
	}
	return IO_OK;
}

/* The end of a line: is a literal announced there? */
static struct literal
literal_of(struct span line)
{
	struct literal l = { .kind = LITERAL_NONE, .at = line.n };
	struct span number;
	size_t open;

	if (line.n == 0 || line.p[line.n - 1] != '}')
		return l;
	open = span_rfind(line, '{');
	if (open == line.n)
		return l;
	number = (struct span){ line.p + open + 1, line.n - open - 2 };
	l.kind = LITERAL_WAITS;
	if (number.n > 0 && number.p[number.n - 1] == '+') {
		l.kind = LITERAL_COMES;
		number.n--;
	}
	if (!span_u64(number, INT64_MAX, &l.size))
		l.kind =
		    l.kind == LITERAL_COMES ? LITERAL_UNKNOWN : LITERAL_NONE;
	l.binary = open > 0 && line.p[open - 1] == '~';
	l.at = open - l.binary;
	return l;
}

static struct span
without_cr(struct span line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/* The rest of a line that nobody wants; "tail": what of it is read. */
static enum io
skip_line(struct imap_reader *r, struct span tail, struct literal *l)
{
	struct buf keep = BUF_INIT(2 * TAIL_MAX);
	size_t skipped = 0, n;
	struct span bytes;
	enum io io;

	buf_add_span(&keep,
	    span_skip(tail, tail.n > TAIL_MAX ? tail.n - TAIL_MAX : 0));
	for (;;) {
		if ((io = peek(r, &bytes)) != IO_OK)
			break;
		n = span_find(bytes, '\n');
		tail = span_take(bytes, n);
		if (tail.n >= TAIL_MAX)
			buf_reset(&keep);
		else if (keep.n > TAIL_MAX)
			buf_drop(&keep, keep.n - TAIL_MAX);
		buf_add_span(&keep,
		    span_skip(tail, tail.n > TAIL_MAX ? tail.n - TAIL_MAX : 0));
		stream_consume(r->io, n < bytes.n ? n + 1 : n);
		if (n < bytes.n)
			break;
		if ((skipped += n) > r->limits->total) {
			io = IO_LONG;
			break;
		}
	}
	*l = literal_of(without_cr(buf_span(&keep)));
	buf_fini(&keep);
	return io;
}

/*
 * One line. With IO_LONG *line is its start, and the rest has been skipped;
 * *fatal: and that could not be done.
 */
static enum io
take_line(struct imap_reader *r, struct arena *arena, size_t limit,
    struct span *line, struct literal *l, bool *fatal)
{
	struct span bytes;
	enum io io;
	size_t n;

	buf_fini(&r->partial);
	r->partial.max = limit + 1; /* a CR */
	for (;;) {
		if ((io = peek(r, &bytes)) != IO_OK)
			return io;
		n = span_find(bytes, '\n');
		if (n + r->partial.n > limit + 1) {
			*line = buf_span(&r->partial);
			if (line->n == 0)
				*line = span_take(bytes, TAG_MAX + 1);
			line->p = arena_span(arena, *line);
			*fatal = skip_line(r, *line, l) != IO_OK;
			return IO_LONG;
		}
		if (n < bytes.n)
			break;
		buf_add_span(&r->partial, bytes);
		stream_consume(r->io, bytes.n);
	}
	*line = span_take(bytes, n);
	if (r->partial.n > 0) {
		buf_add_span(&r->partial, *line);
		*line = buf_span(&r->partial);
	}
	*line = without_cr(*line);
	line->p = line->n > 0 ? arena_span(arena, *line) : "";
	stream_consume(r->io, n + 1);
	buf_fini(&r->partial);
	*l = literal_of(*line);
	return IO_OK;
}

/*
 * After an error: what else belongs to the command and comes without being
 * asked for must not be taken for commands. False: where it ends is not known,
 * or it is more than we care to skip.
 */
static bool
skip_rest(struct imap_reader *r, struct literal l, uint64_t most)
{
	while (l.kind == LITERAL_COMES) {
		if (l.size > most)
			return false;
		most -= l.size;
		if (skip_bytes(r, l.size) != IO_OK ||
		    skip_line(r, SPAN(""), &l) != IO_OK)
			return false;
	}
	return l.kind != LITERAL_UNKNOWN;
}

static enum imap_read
too_much(struct imap_reader *r, const char **error)
{
	*error = "[TOOBIG] This is too long";
	return r->status == IO_OK ? IMAP_READ_FATAL : IMAP_READ_END;
}

static enum imap_read
bad(struct imap_reader *r, const char **error, const char *text)
{
	*error = text;
	if (skip_rest(r, r->literal, r->limits->total))
		return IMAP_READ_BAD;
	return too_much(r, error);
}

/* A literal that belongs into the tree. */
static enum imap_read
read_literal(struct imap_reader *r, struct arena *arena, const char **error)
{
	size_t n = (size_t)r->literal.size;
	char *text;

	if (r->literal.size > r->limits->literal ||
	    r->literal.size > r->limits->total - r->total)
		return bad(r, error, "[TOOBIG] A literal is too long");
	if ((r->literal.kind == LITERAL_WAITS && invite(r) != IO_OK) ||
	    will_wait(r, n > 0 ? n - 1 : 0) != IO_OK)
		return IMAP_READ_END;
	text = arena_alloc(arena, n + 1);
	if ((r->status = stream_read(r->io, text, n)) != IO_OK)
		return IMAP_READ_END;
	r->total += n;
	if (imap_parse_literal(&r->parse, (struct span){ text, n },
		r->literal.binary))
		return IMAP_READ_OK;
	if (skip_line(r, SPAN(""), &r->literal) != IO_OK)
		return too_much(r, error);
	return bad(r, error, r->parse.error);
}

static enum imap_read
read_line(struct imap_reader *r, struct arena *arena, struct span *line,
    const char **error)
{
	bool fatal = false;
	enum io io;

	io = take_line(r, arena, r->limits->line - r->lines, line, &r->literal,
	    &fatal);
	if (io == IO_LONG && fatal)
		return too_much(r, error);
	if (io == IO_LONG)
		return bad(r, error, "[LIMIT] The command is too long");
	if (io != IO_OK)
		return IMAP_READ_END;
	r->lines += line->n;
	r->total += line->n;
	if (line->n > 0 && memchr(line->p, '\0', line->n) != NULL)
		return bad(r, error, "There is a NUL in the command");
	return IMAP_READ_OK;
}

/* The literal that the command itself will take. */
static enum imap_read
pause_before_literal(struct imap_reader *r, const struct imap_arg **args,
    size_t *count, const char **error)
{
	struct imap_arg pending = {
		.size = r->literal.size,
		.wait = r->literal.kind == LITERAL_WAITS,
		.binary = r->literal.binary,
	};

	if (!imap_parse_pause(&r->parse, &pending, args, count))
		return bad(r, error, r->parse.error);
	r->pending = true;
	r->wait = pending.wait;
	r->left = pending.size;
	r->handed = 0;
	return IMAP_READ_OK;
}

/*
 * Arguments from what is left of a line on, up to the end or a PENDING.
 */
static enum imap_read
read_arguments(struct imap_reader *r, struct arena *arena, struct span line,
    size_t taken, const struct imap_arg **args, size_t *count,
    const char **error)
{
	enum imap_read result;
	bool literal;

	for (;; taken = 0) {
		struct span part = { line.p + taken, r->literal.at - taken };

		literal = r->literal.kind != LITERAL_NONE;
		if (!imap_parse_line(&r->parse, part, literal))
			return bad(r, error, r->parse.error);
		if (!literal)
			break;
		if (r->literal.kind == LITERAL_UNKNOWN)
			return too_much(r, error);
		if (r->first > 0 &&
		    (r->parse.args >= r->first || arena == r->more))
			return pause_before_literal(r, args, count, error);
		result = read_literal(r, arena, error);
		if (result == IMAP_READ_OK)
			result = read_line(r, arena, &line, error);
		if (result != IMAP_READ_OK)
			return result;
	}
	if (imap_parse_end(&r->parse, args, count))
		return IMAP_READ_OK;
	*error = r->parse.error;
	return IMAP_READ_BAD;
}

static bool
is_tag(struct span tag)
{
	for (size_t i = 0; i < tag.n; i++)
		if (tag.p[i] <= ' ' || tag.p[i] == 0x7f ||
		    strchr("(){%*\"\\+", tag.p[i]) != NULL)
			return false;
	return tag.n > 0 && tag.n <= TAG_MAX;
}

/* The word at *at, which then is at the space behind it, or the end. */
static struct span
word(struct span line, size_t *at)
{
	struct span rest = span_skip(line, *at), w;

	w = span_take(rest, span_find(rest, ' '));
	*at += w.n;
	return w;
}

static bool
is_name(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!isalnum((unsigned char)name.p[i]) &&
		    strchr("._-=", name.p[i]) == NULL)
			return false;
	return name.n > 0 && name.n <= NAME_MAX_BYTES;
}

static struct span
upper(struct arena *arena, struct span name)
{
	char *text = arena_span(arena, name);

	for (size_t i = 0; i < name.n; i++)
		if (text[i] >= 'a' && text[i] <= 'z')
			text[i] = (char)(text[i] - 'a' + 'A');
	return (struct span){ text, name.n };
}

static void
read_tag(struct span line, struct imap_command *out, size_t *at)
{
	struct span tag = word(line, at);

	*at = tag.n;
	if (is_tag(tag))
		out->tag = tag;
}

/* "UID FETCH" and such; the rest of the line is arguments. */
static bool
read_name(struct imap_reader *r, struct span line, struct imap_command *out,
    size_t *at)
{
	struct span name;

	for (;;) {
		while (*at < line.n && line.p[*at] == ' ')
			++*at;
		name = word(line, at);
		if (!is_name(name))
			return false;
		if (out->uid || !span_is_nocase(name, "UID"))
			break;
		out->uid = true;
	}
	out->name = upper(r->arena, name);
	return true;
}

static void
begin(struct imap_reader *r, struct imap_command *out)
{
	static const struct imap_arg none = { .type = IMAP_END };

	forget(r);
	*out = (struct imap_command){ .tag = SPAN(""), .name = SPAN("") };
	out->args = &none;
	r->lines = r->total = 0;
	r->first = 0;
	r->status = IO_OK;
}

static enum imap_read
read_command(struct imap_reader *r, struct imap_command *out,
    const char **error)
{
	enum imap_read result;
	struct span line;
	size_t at = 0, empty = 0;

	do {
		if (empty++ > EMPTY_MAX) {
			*error = "Too many empty lines";
			return IMAP_READ_FATAL;
		}
		r->lines = 0;
		result = read_line(r, r->arena, &line, error);
	} while (result == IMAP_READ_OK && line.n == 0);
	if (result == IMAP_READ_END)
		return result;
	read_tag(line, out, &at);
	if (result != IMAP_READ_OK)
		return result;
	if (out->tag.n == 0)
		return bad(r, error, "This is no tag");
	if (!read_name(r, line, out, &at) || at > r->literal.at)
		return bad(r, error, "This is no command");
	r->first = r->streams != NULL ? r->streams(out->name) : 0;
	return read_arguments(r, r->arena, line, at, &out->args, &out->count,
	    error);
}

enum imap_read
imap_read_command(struct imap_reader *r, struct imap_command *out,
    const char **error, enum io *io)
{
	enum imap_read result;
	struct span bytes;

	*error = "";
	*io = IO_OK;
	if (r->pending && !imap_skip_command(r)) {
		result = too_much(r, error);
		begin(r, out);
		return result;
	}
	begin(r, out);
	if (peek(r, &bytes) != IO_OK) {
		*io = r->status;
		return IMAP_READ_END;
	}
	r->arena = arena_new();
	imap_parse_init(&r->parse, r->arena, r->limits);
	result = read_command(r, out, error);
	*io = r->status;
	return result;
}

enum imap_read
imap_read_more(struct imap_reader *r, const struct imap_arg **args,
    size_t *count, const char **error, enum io *io)
{
	enum imap_read result;
	struct span line;

	ensure(r->pending && r->left == 0 && r->handed == 0);
	r->pending = false;
	arena_free(&r->more);
	r->more = arena_new();
	r->lines = r->total = 0;
	imap_parse_resume(&r->parse, r->more);
	result = read_line(r, r->more, &line, error);
	if (result == IMAP_READ_OK)
		result =
		    read_arguments(r, r->more, line, 0, args, count, error);
	*io = r->status;
	return result;
}

enum io
imap_read_literal(struct imap_reader *r, struct span *bytes)
{
	enum io io;

	ensure(r->pending);
	*bytes = SPAN("");
	stream_consume(r->io, r->handed);
	r->handed = 0;
	if (r->wait) {
		r->wait = false;
		if ((io = invite(r)) != IO_OK)
			return io;
	}
	if (r->left == 0)
		return IO_OK;
	if ((io = peek(r, bytes)) != IO_OK)
		return io;
	if (bytes->n > r->left)
		bytes->n = (size_t)r->left;
	r->handed = bytes->n;
	r->left -= bytes->n;
	return IO_OK;
}

bool
imap_reader_pending(const struct imap_reader *r)
{
	return r->pending;
}

bool
imap_skip_command(struct imap_reader *r)
{
	struct literal l;

	if (!r->pending)
		return true;
	r->pending = false;
	stream_consume(r->io, r->handed);
	r->handed = 0;
	if (r->wait)
		return true; /* for a "+" that will not come */
	return skip_bytes(r, r->left) == IO_OK &&
	    skip_line(r, SPAN(""), &l) == IO_OK && skip_rest(r, l, INT64_MAX);
}

enum io
imap_read_line(struct imap_reader *r, struct span *line)
{
	bool fatal = false;
	enum io io;

	arena_free(&r->more);
	r->more = arena_new();
	r->literal = (struct literal){ .kind = LITERAL_NONE };
	io = take_line(r, r->more, r->limits->line, line, &r->literal, &fatal);
	if (fatal)
		r->literal.kind = LITERAL_UNKNOWN;
	return io;
}

bool
imap_skip_line(struct imap_reader *r)
{
	return skip_rest(r, r->literal, r->limits->total);
}
