/* SPDX-License-Identifier: ISC */
/*
 * mbox files: the pieces they come in make no difference, messages lie side
 * by side, and what is read of one has the size that was promised.
 */
#include "lib/store/mbox_scan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"

enum { PIECES_MAX = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mbox_scan *
scan(struct arena *names, const char *p, size_t n, size_t piece, bool *good)
{
	struct mbox_scan *s = mbox_scan_new(names);

	*good = true;
	for (size_t at = 0; at < n && *good; at += piece)
		*good =
		    mbox_scan_feed(s, p + at, n - at < piece ? n - at : piece);
	*good = *good && mbox_scan_end(s);
	ensure(*good == (mbox_scan_error(s) == NULL));
	return s;
}

/* The bytes as a client receives them, dots left alone. */
static uint64_t
sent_size(const char *p, size_t n, size_t piece)
{
	struct mbox_unquote u = { .kept = 0 };
	char *room = mem_new(MBOX_UNQUOTE_ROOM + piece);
	uint64_t total = 0;
	char last = '\n';

	for (size_t at = 0; at < n; at += piece) {
		size_t part = n - at < piece ? n - at : piece;
		struct span out;

		memcpy(room + MBOX_UNQUOTE_ROOM, p + at, part);
		out = mbox_unquote(&u, room, part, at + part == n);
		for (size_t i = 0; i < out.n; i++) {
			total += 1 + (out.p[i] == '\n' && last != '\r');
			last = out.p[i];
		}
	}
	free(room);
	if (last != '\n')
		total += last == '\r' ? 1 : 2;
	return total;
}

static void
check_message(const char *p, const struct mbox_message *m, size_t piece)
{
	ensure(m->start < m->text && m->text <= m->text_end);
	ensure(m->text_end <= m->end && m->end - m->text_end <= 2);
	ensure(memcmp(p + m->start, "From ", 5) == 0);
	ensure(p[m->text - 1] == '\n');
	ensure(m->uidl == NULL ||
	    (m->uidl[0] != '\0' && strlen(m->uidl) <= MBOX_UIDL_MAX));
	ensure(sent_size(p + m->text, (size_t)(m->text_end - m->text), piece) ==
	    m->size);
}

/* Alone, it is the same message. */
static void
check_alone(struct arena *names, const char *p, const struct mbox_message *m)
{
	const struct mbox_message *again;
	struct mbox_scan *s;
	size_t count;
	bool good;

	s = scan(names, p + m->start, (size_t)(m->end - m->start), 4096, &good);
	again = mbox_scan_messages(s, &count);
	ensure(good && count == 1 && again->size == m->size);
	ensure(memcmp(again->digest, m->digest, MBOX_DIGEST_SIZE) == 0);
	mbox_scan_free(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *names = arena_new();
	const char *p = (const char *)data;
	const struct mbox_message *all, *other;
	size_t count, others, piece = size > 0 ? 1 + data[size - 1] % 17 : 1;
	bool good, good_too;
	struct mbox_scan *a = scan(names, p, size, size + 1, &good);
	struct mbox_scan *b = scan(names, p, size, piece, &good_too);

	all = mbox_scan_messages(a, &count);
	other = mbox_scan_messages(b, &others);
	ensure(good == good_too && count == others);
	for (size_t i = 0; good && i < count; i++) {
		ensure(all[i].start == (i == 0 ? 0 : all[i - 1].end));
		ensure(memcmp(all[i].digest, other[i].digest,
			   MBOX_DIGEST_SIZE) == 0);
		ensure(all[i].size == other[i].size &&
		    all[i].text_end == other[i].text_end &&
		    all[i].internal == other[i].internal);
		if (i >= PIECES_MAX)
			continue;
		check_message(p, &all[i], piece);
		check_alone(names, p, &all[i]);
	}
	ensure(!good || count == 0 || all[count - 1].end == (int64_t)size);
	mbox_scan_free(&a);
	mbox_scan_free(&b);
	arena_free(&names);
	return 0;
}
