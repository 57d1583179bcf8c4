/* SPDX-License-Identifier: ISC */
/*
 * The journal: two slots for a head, a tail for each, then the bytes that
 * move. A head is worth something only if its own digest and those of its tail
 * and of the bytes are right; of two such the later one counts. Emptied, it
 * says that nothing is to be done.
 *
 * The tail is what is in the mailbox behind the place where it will be cut, to
 * the end of that block. A file system may write zeros there before the file is
 * shorter, so that behind a power cut it has its old length, and a part of that
 * or all of it is gone.
 *
 * SECURITY: the journal is the owner's, and so is the mailbox: what they hold
 * can do no more than the owner could. All numbers are checked all the same.
 */
#include "lib/store/mbox_rewrite.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mbox_end.h"

enum {
	SLOT_SIZE = 512,
	TAIL_AT = 4096,
	TAIL_MAX = 65536, /* no file system here has larger blocks */
	DATA_AT = TAIL_AT + 2 * TAIL_MAX,
	CHUNK = 262144,
	DIGEST = 32,
};

/* The mailbox becomes shorter, or it does not. */
static const char magic[16] = "POSTHASTE-MBOX3\n";
static const char growing[16] = "POSTHASTE-MBOX4\n";

struct head {
	char magic[16];
	uint64_t number; /* the later of two counts */
	int64_t from; /* place in the mailbox that the bytes go to */
	int64_t bytes; /* how many */
	int64_t size; /* of the mailbox before */
	unsigned char data[DIGEST]; /* of the bytes */
	/*
	 * Of what is in the mailbox behind them until it is cut, first to the
	 * end of the block, then from there on: they tell whether it has
	 * been. Growing: the second is of what they will be written over.
	 */
	unsigned char tail[DIGEST];
	unsigned char rest[DIGEST];
	unsigned char self[DIGEST]; /* of all above */
};

struct copy {
	EVP_MD_CTX *digest;
	char *chunk;
};

static void
copy_begin(struct copy *c)
{
	c->digest = EVP_MD_CTX_new();
	c->chunk = mem_resize(NULL, CHUNK);
	ensure(c->digest != NULL);
	ensure(EVP_DigestInit_ex(c->digest, EVP_sha256(), NULL) == 1);
}

static void
copy_end(struct copy *c, unsigned char out[DIGEST])
{
	ensure(EVP_DigestFinal_ex(c->digest, out, NULL) == 1);
	EVP_MD_CTX_free(c->digest);
	free(c->chunk);
}

/* To nowhere: "to" -1. A file that ends early is EIO. */
static int
copy_range(struct copy *c, int from, int64_t at, int64_t end, int to,
    int64_t *to_at)
{
	while (at < end) {
		size_t n = end - at < CHUNK ? (size_t)(end - at) : CHUNK;

		if (fd_pread_all(from, c->chunk, n, at) == -1)
			return -1;
		ensure(EVP_DigestUpdate(c->digest, c->chunk, n) == 1);
		if (to != -1 && fd_pwrite_all(to, c->chunk, n, *to_at) == -1)
			return -1;
		if (to != -1)
			*to_at += (int64_t)n;
		at += (int64_t)n;
	}
	return 0;
}

static int
digest_of(int file, int64_t at, int64_t end, unsigned char out[DIGEST])
{
	struct copy c;
	int result;

	copy_begin(&c);
	result = copy_range(&c, file, at, end, -1, NULL);
	copy_end(&c, out);
	return result;
}

static bool
grows(const struct head *h)
{
	return memcmp(h->magic, growing, sizeof(growing)) == 0;
}

static void
digest_self(const struct head *h, unsigned char out[DIGEST])
{
	ensure(EVP_Digest(h, offsetof(struct head, self), out, NULL,
		   EVP_sha256(), NULL) == 1);
}

static int64_t
place_of_cut(const struct head *h)
{
	return h->from + h->bytes;
}

static int64_t
tail_end(const struct head *h)
{
	int64_t last = place_of_cut(h) + TAIL_MAX - 1;

	last -= last % TAIL_MAX;
	return last < h->size ? last : h->size;
}

static int64_t
tail_at(const struct head *h)
{
	return TAIL_AT + (int64_t)(h->number % 2) * TAIL_MAX;
}

/* What tells later whether the mailbox was cut. */
static int
save_end(int file, int journal, struct head *h)
{
	int64_t to = tail_at(h);
	struct copy c;
	int result;

	copy_begin(&c);
	result =
	    copy_range(&c, file, place_of_cut(h), tail_end(h), journal, &to);
	copy_end(&c, h->tail);
	return result == 0 ? digest_of(file, tail_end(h), h->size, h->rest) :
			     -1;
}

static int64_t
size_of(int file)
{
	struct stat st;

	return fstat(file, &st) == 0 ? (int64_t)st.st_size : -1;
}

static int
empty(int journal)
{
	return ftruncate(journal, 0) == 0 && fsync(journal) == 0 ? 0 : -1;
}

/* Behind the last flush of the mailbox, which is written by us just now. */
static int
takes_changes(int file)
{
	return file_system_takes_changes(file, 0, FILE_TIME_WRITTEN);
}

/* The commit: from here on a crash is followed by the whole of it. */
static int
write_head(int journal, struct head *h)
{
	digest_self(h, h->self);
	if (fd_pwrite_all(journal, h, sizeof(*h),
		(off_t)(h->number % 2 * SLOT_SIZE)) == -1)
		return -1;
	return fsync(journal);
}

static bool
same(int file, int64_t at, int64_t end, const unsigned char wanted[DIGEST])
{
	unsigned char digest[DIGEST];

	return digest_of(file, at, end, digest) == 0 &&
	    memcmp(digest, wanted, DIGEST) == 0;
}

static bool
read_slot(int journal, int slot, int64_t mailbox_max, struct head *out)
{
	unsigned char digest[DIGEST];
	int64_t have = size_of(journal);
	struct head h;

	if (fd_pread_all(journal, &h, sizeof(h), slot * SLOT_SIZE) == -1 ||
	    (memcmp(h.magic, magic, sizeof(magic)) != 0 && !grows(&h)))
		return false;
	digest_self(&h, digest);
	if (memcmp(h.self, digest, DIGEST) != 0 || h.from < 0 || h.bytes < 0 ||
	    h.size > mailbox_max || (h.bytes > 0 && h.bytes > have - DATA_AT) ||
	    (grows(&h) ? h.from > h.size || h.from < h.size - h.bytes :
			 h.from > h.size - h.bytes))
		return false;
	if (!same(journal, DATA_AT, DATA_AT + h.bytes, h.data) ||
	    (!grows(&h) &&
		!same(journal, tail_at(&h),
		    tail_at(&h) + tail_end(&h) - place_of_cut(&h), h.tail)))
		return false;
	*out = h;
	return true;
}

static bool
read_head(int journal, struct head *out)
{
	struct head h;
	bool found = false;

	for (int slot = 0; slot < 2; slot++)
		if (read_slot(journal, slot, INT64_MAX / 4, &h) &&
		    (!found || h.number > out->number)) {
			*out = h;
			found = true;
		}
	return found;
}

/*
 * First what lies behind the old end, then what lies before it: as long as
 * that is as it was, nothing of it has been overwritten.
 */
static int
redo_growing(int file, int journal, const struct head *h)
{
	int64_t kept = h->size - h->from, to = h->size;
	unsigned char digest[DIGEST];
	struct copy c;
	int result;

	copy_begin(&c);
	result = copy_range(&c, journal, DATA_AT + kept, DATA_AT + h->bytes,
	    file, &to);
	if (result == 0 && h->bytes > kept)
		result = fsync(file);
	if (result == -1) { /* of a full disk: it is as it was */
		int error = errno;

		copy_end(&c, digest);
		if (ftruncate(file, (off_t)h->size) == 0 && fsync(file) == 0)
			(void)empty(journal);
		errno = error;
		return -1;
	}
	to = h->from;
	result = copy_range(&c, journal, DATA_AT, DATA_AT + kept, file, &to);
	copy_end(&c, digest);
	if (result == -1 || (kept > 0 && fsync(file) == -1) ||
	    takes_changes(file) == -1)
		return -1;
	return empty(journal);
}

/* The bytes to their place, then the cut, then the journal's end. */
static int
redo(int file, int journal, const struct head *h)
{
	unsigned char digest[DIGEST];
	int64_t to = h->from;
	struct copy c;
	int result;

	if (grows(h))
		return redo_growing(file, journal, h);
	copy_begin(&c);
	result =
	    copy_range(&c, journal, DATA_AT, DATA_AT + h->bytes, file, &to);
	copy_end(&c, digest);
	if (result == -1 || (h->bytes > 0 && fsync(file) == -1) ||
	    ftruncate(file, (off_t)to) == -1 || fsync(file) == -1 ||
	    takes_changes(file) == -1)
		return -1;
	return empty(journal);
}

static int
fails(struct why *why, const char *what)
{
	(void)why_errno(why, "4.3.0", "%s", what);
	return -1;
}

static int
copy_text(struct copy *c, struct span text, int to, int64_t *to_at)
{
	if (text.n == 0)
		return 0;
	ensure(EVP_DigestUpdate(c->digest, text.p, text.n) == 1);
	if (fd_pwrite_all(to, text.p, text.n, (off_t)*to_at) == -1)
		return -1;
	*to_at += (int64_t)text.n;
	return 0;
}

/*
 * What will be there from the first one's start on, into the journal.
 */
static int
fill_journal(int file, int journal, const struct mbox_edit *e, size_t count,
    struct head *h)
{
	int64_t to = DATA_AT;
	struct copy c;
	int result = 0;

	copy_begin(&c);
	for (size_t i = 0; i < count && result == 0; i++) {
		result = copy_text(&c, e[i].text, journal, &to);
		if (result == 0 && e[i].n > 0)
			result = copy_range(&c, e[i].fd, e[i].at,
			    e[i].at + e[i].n, journal, &to);
		if (result == 0)
			result = copy_range(&c, file, e[i].end,
			    i + 1 < count ? e[i + 1].start : h->size, journal,
			    &to);
	}
	copy_end(&c, h->data);
	h->from = e[0].start;
	h->bytes = to - DATA_AT;
	memcpy(h->magic, h->from + h->bytes <= h->size ? magic : growing,
	    sizeof(h->magic));
	if (result == 0)
		result = grows(h) ? digest_of(file, h->from, h->size, h->rest) :
				    save_end(file, journal, h);
	return result;
}

int
mbox_remove(int file, int journal, const struct mbox_range *ranges,
    size_t count, struct why *why)
{
	struct mbox_edit *edits = mem_array(count + 1, sizeof(*edits));
	int result;

	for (size_t i = 0; i < count; i++) {
		edits[i].start = ranges[i].start;
		edits[i].end = ranges[i].end;
	}
	result = mbox_edit(file, journal, edits, count, why);
	free(edits);
	return result;
}

int
mbox_edit(int file, int journal, const struct mbox_edit *edits, size_t count,
    struct why *why)
{
	struct head h = { .number = 0, .size = size_of(file) };
	struct why second;

	if (count == 0)
		return 0;
	if (h.size == -1)
		return fails(why, "cannot stat the mailbox");
	if (edits[count - 1].end > h.size) {
		errno = ESTALE; /* somebody does not care for locks */
		return fails(why, "the mailbox has shrunk");
	}
	/* a cut between two blocks alone is whole at any moment */
	if (count == 1 && edits[0].end == h.size && edits[0].text.n == 0 &&
	    edits[0].n == 0 && edits[0].start % TAIL_MAX == 0)
		return ftruncate(file, (off_t)edits[0].start) == 0 &&
			fsync(file) == 0 && takes_changes(file) == 0 ?
		    0 :
		    fails(why, "cannot cut the mailbox");
	if (ftruncate(journal, 0) == -1 ||
	    fill_journal(file, journal, edits, count, &h) == -1 ||
	    (h.bytes > 0 && fsync(journal) == -1) ||
	    write_head(journal, &h) == -1) {
		fails(why, "cannot write the journal of the mailbox");
		/* else it would be done later, which nobody was promised */
		if (empty(journal) == -1)
			fails(&second, "cannot empty the journal");
		return -1;
	}
	if (redo(file, journal, &h) == -1)
		return fails(why, "cannot update the mailbox");
	return 0;
}

/*
 * Mail has come since the crash, behind what was there: it moves with the
 * rest. The head that says so takes the other slot, so that a crash in
 * between leaves the first one.
 */
static int
take_new_mail(int file, int journal, struct head *h, int64_t size)
{
	int64_t to = DATA_AT + h->bytes;
	struct copy c;
	unsigned char digest[DIGEST];
	int result;

	copy_begin(&c);
	result = copy_range(&c, file, h->size, size, journal, &to);
	copy_end(&c, digest);
	if (result == -1)
		return -1;
	h->number++;
	h->bytes = to - DATA_AT;
	h->size = size;
	if (digest_of(journal, DATA_AT, to, h->data) == -1 ||
	    save_end(file, journal, h) == -1 || fsync(journal) == -1)
		return -1;
	return write_head(journal, h);
}

/* The same, for what grows: it is from "mail" on, behind a part of ours. */
static int
take_mail_behind(int file, int journal, struct head *h, int64_t mail,
    int64_t size)
{
	int64_t to = DATA_AT + h->bytes;
	unsigned char digest[DIGEST];
	struct copy c;
	int result;

	copy_begin(&c);
	result = copy_range(&c, file, mail, size, journal, &to);
	copy_end(&c, digest);
	if (result == -1)
		return -1;
	h->number++;
	h->bytes = to - DATA_AT;
	h->size = size;
	if (digest_of(journal, DATA_AT, to, h->data) == -1 ||
	    digest_of(file, h->from, size, h->rest) == -1 ||
	    fsync(journal) == -1)
		return -1;
	return write_head(journal, h);
}

/* An empty line behind the last message, if there is none. */
static int
end_last_message(int file, int64_t *size)
{
	char last[2] = "\n\n";
	size_t have = *size < 2 ? (size_t)*size : 2, n;

	if (fd_pread_all(file, last + 2 - have, have,
		(off_t)(*size - (int64_t)have)) == -1)
		return -1;
	n = *size == 0 ? 0 : last[1] != '\n' ? 2 : last[0] != '\n' ? 1 : 0;
	if (n > 0 && fd_pwrite_all(file, "\n\n", n, (off_t)*size) == -1)
		return -1;
	*size += (int64_t)n;
	return 0;
}

/*
 * Another program has written the mailbox anew since the crash, from what it
 * found there. Which messages it has kept nobody can know: all of ours come
 * again, behind its own.
 */
static int
append_all(int file, int journal, const struct head *h, int64_t size)
{
	unsigned char digest[DIGEST];
	off_t before = mbox_end_mend(file, size);
	struct copy c;
	int result;

	size = before;
	log_warning("the mailbox was changed after a crash: %lld bytes of the"
		    " journal are appended, messages may be there twice",
	    (long long)h->bytes);
	if (end_last_message(file, &size) == -1)
		return -1;
	copy_begin(&c);
	result =
	    copy_range(&c, journal, DATA_AT, DATA_AT + h->bytes, file, &size);
	copy_end(&c, digest);
	if (result == -1 || fsync(file) == -1 || takes_changes(file) == -1) {
		int error = errno;

		(void)!mbox_end_cut(file, before);
		errno = error;
		return -1;
	}
	return empty(journal);
}

/*
 * How many bytes there are the same, or zeros where those may be what was not
 * written yet, or was cut off; -1 with errno.
 */
static int64_t
common(int file, int64_t at, int64_t end, int journal, int64_t from, bool zeros)
{
	char *left = mem_resize(NULL, CHUNK), *right = mem_resize(NULL, CHUNK);
	int64_t start = at;
	bool same = true;

	while (same && at < end) {
		size_t n = end - at < CHUNK ? (size_t)(end - at) : CHUNK, i;

		if (fd_pread_all(file, left, n, (off_t)at) == -1 ||
		    fd_pread_all(journal, right, n,
			(off_t)(from + at - start)) == -1) {
			start = at + 1;
			break;
		}
		for (i = 0; i < n &&
		     (left[i] == right[i] || (zeros && left[i] == '\0'));
		     i++)
			;
		same = i == n;
		at += (int64_t)i;
	}
	free(left);
	free(right);
	return at - start;
}

/*
 * Where the line begins that another program has written behind "at": a part
 * of its "From " may be what ours has there too.
 */
static int64_t
line_start(int file, int64_t at, int64_t lowest)
{
	int64_t start = at;
	char c, word[5];

	for (int i = 0; i < SLOT_SIZE && start > lowest; i++, start--)
		if (fd_pread_all(file, &c, 1, (off_t)start - 1) == -1 ||
		    c == '\n')
			break;
	/* what is ours and stands in front of it may be a part of a line */
	return fd_pread_all(file, word, sizeof(word), (off_t)start) == 0 &&
		memcmp(word, "From ", sizeof(word)) == 0 ?
	    start :
	    at;
}

static int
recover_growing(int file, int journal, struct head *h, int64_t size)
{
	int64_t end = h->from + h->bytes, there, mail;
	int64_t last = size < end ? size : end;
	int64_t behind = DATA_AT + h->size - h->from;

	if (size >= h->size) {
		there = common(file, h->size, last, journal, behind, false);
		if (there == -1)
			return -1;
		/* what is behind the old end is whole, so that what comes
		 * before it may be in the middle of it */
		if (end > h->size && there == end - h->size)
			return redo_growing(file, journal, h);
		if (same(file, h->from, h->size, h->rest)) {
			there =
			    common(file, h->size, last, journal, behind, true);
			if (there == -1)
				return -1;
			mail = h->size + there;
			if (mail == size)
				return redo_growing(file, journal, h);
			mail = line_start(file, mail, h->size);
			if (take_mail_behind(file, journal, h, mail, size) ==
			    -1)
				return -1;
			return redo_growing(file, journal, h);
		}
	}
	if (size >= end && same(file, h->from, end, h->data))
		return empty(journal);
	return append_all(file, journal, h, size);
}

/* As it was but for bytes that were zeroed for the cut. */
static bool
is_uncut(int file, int journal, const struct head *h)
{
	int64_t at = place_of_cut(h), end = tail_end(h);

	return common(file, at, end, journal, tail_at(h), true) == end - at &&
	    same(file, end, h->size, h->rest);
}

int
mbox_recover(int file, int journal, struct why *why)
{
	int64_t have = size_of(journal), size = size_of(file);
	struct head h;
	int result;

	if (have == -1 || size == -1)
		return fails(why, "cannot stat the mailbox");
	if (have == 0) {
		result = 0;
	} else if (!read_head(journal, &h)) {
		/* not committed: nothing in the mailbox has been touched */
		result = empty(journal);
	} else if (grows(&h)) {
		result = recover_growing(file, journal, &h, size);
	} else if (size >= h.size && is_uncut(file, journal, &h)) {
		result =
		    size > h.size ? take_new_mail(file, journal, &h, size) : 0;
		if (result == 0)
			result = redo(file, journal, &h);
	} else if (h.bytes == 0 ||
	    (size >= place_of_cut(&h) &&
		same(file, h.from, place_of_cut(&h), h.data))) {
		result = empty(journal); /* all was done but this */
	} else {
		result = append_all(file, journal, &h, size);
	}
	if (result != 0)
		return fails(why, "cannot repair the mailbox");
	/* by now what the journal speaks of is there, and counts no more */
	(void)mbox_end_mend(file, size_of(file));
	return 0;
}
