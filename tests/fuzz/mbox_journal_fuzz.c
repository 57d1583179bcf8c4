/* SPDX-License-Identifier: ISC */
/*
 * The journal beside an mbox, as its owner may have written it: numbers that
 * lead anywhere, with digests that are right. Nothing is repaired twice, the
 * mailbox stays what it was where no head is good, and grows by no more than
 * the journal holds.
 *
 * The input: for each slot a byte of "ways" and its three numbers, the number
 * of bytes in the mailbox, those, and what the journal has moved.
 */
#include "lib/store/mbox_rewrite.c"

#include <stdint.h>
#include <sys/mman.h>

#include "lib/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	WITHOUT = 1, /* no head in this slot */
	GROWS = 2,
	FALSE_SELF = 4, /* with a digest that is wrong */
	FALSE_DATA = 8,
	TRUE_REST = 16,
	HUGE = 32, /* numbers of eight bytes, not of one */
	SLOTS = 2,
	MOST = 16384,
};

static int64_t
number(struct span *in, bool huge)
{
	struct span bytes = span_take(*in, huge ? 8 : 1);
	uint64_t n = 0;

	*in = span_skip(*in, bytes.n);
	for (size_t i = 0; i < bytes.n; i++)
		n = n << 8 | (unsigned char)bytes.p[i];
	return (int64_t)n;
}

struct ways {
	unsigned int bits;
	int64_t from, bytes, size;
};

static struct ways
read_ways(struct span *in)
{
	struct ways w = { .bits = (unsigned int)number(in, false) };

	w.from = number(in, w.bits & HUGE);
	w.bytes = number(in, w.bits & HUGE);
	w.size = number(in, w.bits & HUGE);
	return w;
}

static void
put_head(int file, int journal, int slot, const struct ways *w)
{
	struct head h = { .number = (uint64_t)slot + 1,
		.from = w->from,
		.bytes = w->bytes,
		.size = w->size };
	int64_t moved = size_of(journal) - DATA_AT;

	memcpy(h.magic, w->bits & GROWS ? growing : magic, sizeof(h.magic));
	if (w->bytes >= 0 && w->bytes <= moved && !(w->bits & FALSE_DATA))
		ensure(digest_of(journal, DATA_AT, DATA_AT + w->bytes,
			   h.data) == 0);
	if ((w->bits & TRUE_REST) && w->from >= 0 && w->bytes >= 0 &&
	    w->size <= size_of(file) && w->from <= w->size &&
	    w->bytes <= w->size - w->from)
		(void)digest_of(file,
		    w->bits & GROWS ? w->from : w->from + w->bytes, w->size,
		    h.rest);
	digest_self(&h, h.self);
	h.self[0] ^= w->bits & FALSE_SELF ? 1 : 0;
	ensure(fd_pwrite_all(journal, &h, sizeof(h), slot * SLOT_SIZE) == 0);
}

static void
read_all(int file, struct buf *into)
{
	ensure(lseek(file, 0, SEEK_SET) == 0);
	ensure(fd_read_whole(file, into) == 0);
}

static void
recover(int file, int journal, struct span before, int64_t moved, bool good)
{
	struct buf once = BUF_INIT(1 << 20), twice = BUF_INIT(1 << 20);
	struct why why = { .dsn = "" };

	if (mbox_recover(file, journal, &why) == 0) {
		ensure(size_of(journal) == 0);
		read_all(file, &once);
		/* and a line's end before what is appended */
		ensure((int64_t)once.n <= (int64_t)before.n + moved + 2);
		ensure(good || span_equal(buf_span(&once), before));
		ensure(mbox_recover(file, journal, &why) == 0);
		read_all(file, &twice);
		ensure(span_equal(buf_span(&once), buf_span(&twice)));
	} else {
		ensure(why.dsn[0] == '4');
	}
	buf_fini(&once);
	buf_fini(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size }, mail;
	struct ways ways[SLOTS];
	bool good = false;
	int file, journal;
	size_t most;

	if (size > MOST)
		return 0;
	log_threshold(LEVEL_PANIC);
	file = memfd_create("mbox", MFD_CLOEXEC);
	journal = memfd_create("journal", MFD_CLOEXEC);
	ensure(file >= 0 && journal >= 0);
	for (int i = 0; i < SLOTS; i++)
		ways[i] = read_ways(&in);
	most = (size_t)number(&in, false);
	mail = span_take(in, most);
	in = span_skip(in, mail.n);
	ensure(fd_write_all(file, mail.p, mail.n) == 0);
	ensure(fd_pwrite_all(journal, in.p, in.n, DATA_AT) == 0);
	for (int i = 0; i < SLOTS; i++)
		if (!(ways[i].bits & WITHOUT)) {
			put_head(file, journal, i, &ways[i]);
			good |= !(ways[i].bits & FALSE_SELF);
		}
	recover(file, journal, mail, (int64_t)in.n, good);
	close(file);
	close(journal);
	return 0;
}
