/* SPDX-License-Identifier: ISC */
/*
 * Whatever a message says, an mbox gives back what was delivered into it, as
 * one message.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/store/deliver_copy.h"
#include "lib/store/mbox_scan.h"

enum { CONTENT_MAX = 1 << 22 };

static const char from[] = "From a@b  Sat Nov 21 13:25:01 2026\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As cleanup stores it: lines that end with CRLF, and no other CR or LF. */
static void
make_content(const uint8_t *data, size_t size, struct buf *out)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] == '\n')
			buf_add_text(out, "\r\n");
		else if (data[i] != '\r')
			buf_add_char(out, (char)data[i]);
	if (size > 0 && data[size - 1] != '\n')
		buf_add_text(out, "\r\n");
}

/* What an mbox's reader is shown of it: line by line, with nothing clever. */
static void
mark_fields(const struct buf *content, struct buf *out)
{
	static const char *const names[] = { "status", "x-status", "x-keywords",
		"x-uid", "x-imap", "x-imapbase" };
	struct span rest = buf_span(content), line;
	bool header = true;

	while (rest.n > 0) {
		size_t n = span_find(rest, '\n'), name;

		line = span_take(rest, n + 1);
		header = header && !span_is(line, "\r\n");
		for (name = 0;
		     name < line.n && memchr(": \t", line.p[name], 3) == NULL;)
			name++;
		for (size_t i = 0; header && i < 6; i++)
			if (name < line.n &&
			    span_is_nocase(span_take(line, name), names[i]))
				buf_add_text(out, "X-Sender-");
		buf_add(out, line.p, line.n);
		rest = span_skip(rest, line.n);
	}
}

static void
deliver(const struct buf *content, struct buf *box)
{
	struct deliver_source s = { .size = (off_t)content->n };
	int to = memfd_create("box", 0);

	s.fd = memfd_create("content", 0);
	ensure(s.fd >= 0 && to >= 0);
	ensure(fd_write_all(s.fd, content->p, content->n) == 0);
	ensure(fd_write_all(to, from, sizeof(from) - 1) == 0);
	ensure(deliver_copy(&s, DELIVER_MBOX, 0, to) == 0);
	ensure(fd_write_all(to, "\n", 1) == 0);
	ensure(lseek(to, 0, SEEK_SET) == 0 && fd_read_whole(to, box) == 0);
	fd_close(&s.fd);
	fd_close(&to);
}

static void
read_text(const struct mbox_message *m, const struct buf *box, size_t piece,
    struct buf *out)
{
	struct mbox_unquote u = { .kept = 0 };
	char *room = mem_new(MBOX_UNQUOTE_ROOM + piece), last = '\n';
	size_t at = (size_t)m->text, end = (size_t)m->text_end;

	while (at < end) {
		size_t n = end - at < piece ? end - at : piece;
		struct span got;

		memcpy(room + MBOX_UNQUOTE_ROOM, box->p + at, n);
		at += n;
		got = mbox_unquote(&u, room, n, at == end);
		for (size_t i = 0; i < got.n; i++) {
			if (got.p[i] == '\n' && last != '\r')
				buf_add_char(out, '\r');
			buf_add_char(out, last = got.p[i]);
		}
	}
	free(room);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf content = BUF_INIT(CONTENT_MAX);
	struct buf shown = BUF_INIT(2 * CONTENT_MAX);
	struct buf box = BUF_INIT(2 * CONTENT_MAX);
	struct buf text = BUF_INIT(2 * CONTENT_MAX);
	struct arena *names = arena_new();
	struct mbox_scan *s = mbox_scan_new(names);
	const struct mbox_message *m;
	size_t count;

	make_content(data, size, &content);
	deliver(&content, &box);
	ensure(mbox_scan_feed(s, box.p, box.n) && mbox_scan_end(s));
	m = mbox_scan_messages(s, &count);
	ensure(count == 1 && m->end == (int64_t)box.n);
	read_text(m, &box, size > 0 ? 1 + data[0] % 33 : 1, &text);
	mark_fields(&content, &shown);
	ensure(m->size == text.n && text.n == shown.n);
	ensure(text.n == 0 || memcmp(text.p, shown.p, text.n) == 0);
	mbox_scan_free(&s);
	arena_free(&names);
	buf_fini(&content);
	buf_fini(&shown);
	buf_fini(&box);
	buf_fini(&text);
	return 0;
}
