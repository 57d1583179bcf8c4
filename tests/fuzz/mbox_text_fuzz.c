/* SPDX-License-Identifier: ISC */
/*
 * Messages of mbox files as IMAP has them: what is shown has the size that was
 * promised; what is changed in place is the same message; what is appended is
 * one message, whatever is in it.
 */
#include "lib/store/mbox_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/store/mbox_notes.h"

#define FROM "From a@b Sat Nov 21 13:25:01 2026\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
file_of(const void *p, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	ensure(fd != -1 && (n == 0 || fd_pwrite_all(fd, p, n, 0) == 0));
	return fd;
}

struct scanned {
	struct arena *names;
	struct mbox_scan *scan;
	const struct mbox_message *all;
	size_t count;
};

static bool
scan(struct scanned *s, const char *p, size_t n)
{
	bool good;

	s->names = arena_new();
	s->scan = mbox_scan_new(s->names);
	good =
	    (n == 0 || mbox_scan_feed(s->scan, p, n)) && mbox_scan_end(s->scan);
	s->all = mbox_scan_messages(s->scan, &s->count);
	return good;
}

static void
scan_fini(struct scanned *s)
{
	mbox_scan_free(&s->scan);
	arena_free(&s->names);
}

static void
check_shown(int file, const struct mbox_message *m)
{
	int out = file_of("", 0);
	int64_t n = mbox_text_copy(file, m, out);
	char *text = mem_new((size_t)n + 1);

	ensure(n >= 0 && (uint64_t)n == m->size - m->hidden);
	ensure(fd_pread_all(out, text, (size_t)n, 0) == 0);
	for (int64_t i = 0; i < n; i++)
		ensure(text[i] != '\n' || (i > 0 && text[i - 1] == '\r'));
	ensure(n == 0 || text[n - 1] == '\n');
	free(text);
	fd_close(&out);
}

static void
check_in_place(const char *p, size_t size, const struct mbox_message *m)
{
	const struct mbox_noting n = { .uid = m->notes.uid,
		.flags = m->notes.flags ^ (MBOX_READ | MBOX_FLAGGED),
		.keywords = "x" };
	size_t at = (size_t)m->notes.at, room = m->notes.room;
	char *copy = mem_new(size);
	struct scanned s;

	memcpy(copy, p, size);
	if (room > 0 && mbox_notes_fit(&n, copy + at, room)) {
		ensure(scan(&s, copy, size));
		for (size_t i = 0; i < s.count; i++)
			if (s.all[i].start == m->start) {
				ensure(memcmp(s.all[i].digest, m->digest,
					   MBOX_DIGEST_SIZE) == 0);
				ensure(s.all[i].notes.uid == n.uid);
				ensure(s.all[i].notes.flags == n.flags);
				ensure(
				    strcmp(s.all[i].notes.keywords, "x") == 0);
			}
		scan_fini(&s);
	}
	free(copy);
}

/* What is written at the header's end is in the header. */
static void
check_noted(const struct buf *message, size_t end)
{
	struct buf noted = BUF_INIT(64 << 20);
	struct scanned s;

	buf_add_span(&noted, span_take(buf_span(message), end));
	buf_add_text(&noted, "X-UID: 7\n");
	buf_add_span(&noted, span_skip(buf_span(message), end));
	ensure(scan(&s, noted.p, noted.n) && s.count == 1);
	ensure(s.all[0].notes.uid == 7);
	scan_fini(&s);
	buf_fini(&noted);
}

static void
check_new(const char *p, size_t n, size_t piece)
{
	struct buf out = BUF_INIT(64 << 20);
	struct mbox_filter f;
	struct scanned s;

	buf_add_text(&out, FROM);
	mbox_filter_init(&f, MBOX_NEW);
	for (size_t at = 0; at < n; at += piece)
		mbox_filter_feed(&f,
		    (struct span){ p + at, n - at < piece ? n - at : piece },
		    &out);
	mbox_filter_end(&f, &out);
	ensure(f.out == out.n - strlen(FROM));
	ensure(f.header_end >= 0 && (uint64_t)f.header_end <= f.out);
	buf_add_char(&out, '\n');
	ensure(scan(&s, out.p, out.n) && s.count == 1 && s.all[0].hidden == 0);
	scan_fini(&s);
	check_noted(&out, strlen(FROM) + (size_t)f.header_end);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct scanned s;
	int file;

	if (size == 0)
		return 0;
	check_new(p, size, 1 + data[size - 1] % 50);
	file = file_of(data, size);
	if (scan(&s, p, size))
		for (size_t i = 0; i < s.count && i < 20; i++) {
			check_shown(file, &s.all[i]);
			check_in_place(p, size, &s.all[i]);
		}
	scan_fini(&s);
	fd_close(&file);
	return 0;
}
