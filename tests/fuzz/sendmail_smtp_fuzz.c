/* SPDX-License-Identifier: ISC */
/*
 * The whole dialogue of sendmail -bs. The first byte says in pieces of which
 * size the client's words come, the second what postdrop makes of messages.
 * Answers are replies; no command is without one; and as many messages are
 * "queued" as postdrop has read to their end.
 */
#include "tools/sendmail_smtp.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/mail/reply.h"
#include "tests/fuzz/defaults.h"
#include "tools/drop_pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	HEAD = 2, /* bytes before the client's */
	PIECES = 60, /* the rest comes in one */
	MOST = 65536,
	LINE_MOST = 4096,
	SAID_MAX = 64 << 20,
};

/* In place of tools/drop_pipe.c. */
static struct {
	int status; /* for what came whole */
	size_t queued;
} postdrop;

bool
drop_pipe_start(struct drop_pipe *p, const char *command_directory,
    const struct drop_envelope *e)
{
	(void)command_directory;
	*p = (struct drop_pipe){ .fd = memfd_create("drop", MFD_CLOEXEC) };
	ensure(p->fd >= 0);
	buf_init(&p->out, SAID_MAX);
	/* nothing is taken from the client that postdrop refuses */
	ensure(drop_put_envelope(&p->out, e));
	return true;
}

void
drop_pipe_add(struct drop_pipe *p, struct span content)
{
	ensure(content.n <= DROP_CHUNK_MAX);
	ensure(content.n == 0 || drop_put_chunk(&p->out, content.p, content.n));
}

/* As postdrop reads it. */
static void
read_back(int fd)
{
	struct drop_reader *r = drop_reader_new(fd);
	struct arena *a = arena_new();
	struct drop_envelope e;
	enum drop_read result;
	struct span chunk;

	ensure(lseek(fd, 0, SEEK_SET) == 0);
	ensure(drop_read_envelope(r, a, &e) == DROP_OK);
	ensure(e.recipient_count > 0);
	do
		result = drop_read_chunk(r, &chunk);
	while (result == DROP_OK);
	ensure(result == DROP_ENDED);
	drop_reader_free(&r);
	arena_free(&a);
}

int
drop_pipe_finish(struct drop_pipe *p, bool whole)
{
	if (whole) {
		ensure(drop_put_chunk(&p->out, NULL, 0));
		ensure(fd_write_all(p->fd, p->out.p, p->out.n) == 0);
		read_back(p->fd);
		postdrop.queued += postdrop.status == EX_OK;
	}
	close(p->fd);
	buf_fini(&p->out);
	return whole ? postdrop.status : EX_TEMPFAIL;
}

/* A descriptor from which all that is read, each piece by itself. */
static int
said_in_pieces(struct span text, size_t piece)
{
	int ends[2];

	ensure(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	for (size_t i = 0; text.n > 0; i++) {
		struct span part =
		    span_take(text, piece > 0 && i < PIECES ? piece : text.n);

		ensure(send(ends[1], part.p, part.n, MSG_NOSIGNAL) ==
		    (ssize_t)part.n);
		text = span_skip(text, part.n);
	}
	close(ends[1]);
	return ends[0];
}

/* Commands, where all is that: no content, no end, no line that is too long. */
static size_t
count_commands(struct span text, bool *all)
{
	size_t n = 0, lf;

	*all = true;
	for (; text.n > 0; n++) {
		struct span line = span_take(text, lf = span_find(text, '\n'));

		*all &= lf < text.n && lf <= LINE_MOST &&
		    !span_starts_nocase(span_trim(line), "DATA") &&
		    !span_starts_nocase(span_trim(line), "QUIT");
		text = span_skip(text, lf + 1);
	}
	return n;
}

/* Whole replies, and how many of them are a message's acceptance. */
static size_t
count_replies(struct span said, size_t *queued)
{
	struct reply_line line;
	size_t n = 0;

	*queued = 0;
	while (said.n > 0) {
		size_t lf = span_find(said, '\n');

		ensure(lf > 0 && lf < said.n && said.p[lf - 1] == '\r');
		ensure(lf + 1 <= REPLY_LINE_MAX);
		ensure(reply_parse_line(span_take(said, lf - 1), &line));
		ensure(!span_has_break(line.text));
		n += !line.more;
		*queued +=
		    line.code == 250 && span_is(line.text, "2.0.0 Ok: queued");
		said = span_skip(said, lf + 1);
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = { EX_OK, EX_UNAVAILABLE, EX_DATAERR,
		EX_TEMPFAIL };
	static struct common_params common;
	struct buf said = BUF_INIT(SAID_MAX);
	struct span text;
	size_t replies, queued, commands;
	int from, to;
	bool all;

	if (size < HEAD || size > MOST)
		return 0;
	if (common.myhostname == NULL)
		defaults_fill(&common_param_group, &common);
	text = (struct span){ (const char *)data + HEAD, size - HEAD };
	postdrop.status = statuses[data[1] % 4];
	postdrop.queued = 0;
	from = said_in_pieces(text, data[0]);
	to = memfd_create("said", MFD_CLOEXEC);
	ensure(to >= 0 && sendmail_smtp(&common, from, to) == EX_OK);
	ensure(lseek(to, 0, SEEK_SET) == 0 && fd_read_whole(to, &said) == 0);
	replies = count_replies(buf_span(&said), &queued);
	ensure(queued == postdrop.queued);
	commands = count_commands(text, &all);
	ensure(!all || replies == 1 + commands);
	close(from);
	close(to);
	buf_fini(&said);
	return 0;
}
