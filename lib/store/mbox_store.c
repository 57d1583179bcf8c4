/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: the file is written by deliveries of strangers' mail and by its
 * owner's programs, and can change, shrink or vanish between any two calls.
 */
#include "lib/store/mbox_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/hash_table.h"
#include "lib/base/mem.h"
#include "lib/store/mbox_lock.h"
#include "lib/store/mbox_rewrite.h"
#include "lib/store/mbox_scan.h"
#include "lib/store/store_kind.h"
#include "lib/task/task.h"

enum {
	CHUNK = 262144,
	LOCK_WAIT_MS = 10000,
	LOCK_PAUSE_MS = 100,
	/*
	 * A file that was written less than this before it was listed may be
	 * written again without its times telling.
	 */
	RACY_MS = 1000,
};

/* A message, by what it is: the so-many-th of those that are the same. */
struct identity {
	unsigned char digest[MBOX_DIGEST_SIZE];
	uint32_t copy;
};

struct item {
	struct mbox_message m;
	struct identity identity;
	const char *unique;
	bool gone;
	bool expunged;
};

/* What a pass over the file has found. */
struct listing {
	struct arena *names;
	struct mbox_scan *scan;
	const struct mbox_message *messages;
	size_t count;
};

/* Open for as long as the store or a text needs it. */
struct open_file {
	int fd;
	unsigned int users;
};

struct mbox_store {
	struct store store;
	struct mbox_access *access;
	bool exclusive;
	struct open_file *file; /* NULL: there is none */
	struct stat st; /* of the file when "items" were right */
	bool racy;
	struct arena *memory;
	struct item *items;
	size_t count;
	bool expunged; /* some are */
};

static struct mbox_store *
ours(struct store *base)
{
	return (struct mbox_store *)base;
}

static struct item *
item(const struct mbox_store *s, size_t i)
{
	ensure(i < s->count);
	return &s->items[i];
}

static void
file_leave(struct open_file **file)
{
	struct open_file *f = *file;

	*file = NULL;
	if (f == NULL || --f->users > 0)
		return;
	fd_close(&f->fd);
	free(f);
}

static struct open_file *
file_of(int fd)
{
	struct open_file *f = mem_new(sizeof(*f));

	f->fd = fd;
	f->users = 1;
	return f;
}

static int
fd_of(const struct mbox_store *s)
{
	return s->file == NULL ? -1 : s->file->fd;
}

/* Locks. */

static bool
pause_before(int64_t deadline)
{
	return clock_ms() < deadline &&
	    wait_until(clock_ms() + LOCK_PAUSE_MS) != WAIT_CANCELLED;
}

static int
lock_kernel(struct mbox_store *s, int64_t deadline)
{
	while (mbox_kernel_lock(s->file->fd, s->access->locks) == -1) {
		if (errno != EAGAIN && errno != EINTR)
			return -1;
		if (!pause_before(deadline)) {
			errno = EAGAIN;
			return -1;
		}
	}
	return 0;
}

static void
unlock(struct mbox_store *s)
{
	if (s->file == NULL)
		return;
	mbox_kernel_unlock(s->file->fd, s->access->locks);
	s->access->unlock(s->access->with);
}

static enum store_result
lock_failed(struct why *why)
{
	if (errno == EAGAIN) {
		why_set(why, "4.2.0",
		    "the mailbox is locked by another program");
		return STORE_IN_USE;
	}
	why_errno(why, "4.2.0", "cannot open the mailbox");
	return STORE_FAILED;
}

/*
 * The file as it is under its name now, locked; s->file is NULL when there is
 * none.
 */
static enum store_result
lock(struct mbox_store *s, struct why *why)
{
	int64_t deadline = clock_ms() + LOCK_WAIT_MS;
	int error, fd;

	file_leave(&s->file);
	while ((fd = s->access->open(s->access->with)) == -1) {
		if (errno == ENOENT)
			return STORE_OK;
		if (errno != EAGAIN || !pause_before(deadline))
			return lock_failed(why);
	}
	s->file = file_of(fd);
	if (lock_kernel(s, deadline) == 0)
		return STORE_OK;
	error = errno;
	s->access->unlock(s->access->with);
	file_leave(&s->file);
	errno = error;
	return lock_failed(why);
}

/* Listing. */

static void
listing_free(struct listing *l)
{
	mbox_scan_free(&l->scan);
	arena_free(&l->names);
}

static enum store_result
scan_failed(const struct listing *l, struct why *why)
{
	if (mbox_scan_error(l->scan) != NULL)
		why_set(why, "4.2.0", "the mailbox %s",
		    mbox_scan_error(l->scan));
	else
		why_errno(why, "4.2.0", "cannot read the mailbox");
	return STORE_FAILED;
}

static enum store_result
listing_read(int file, struct listing *l, struct why *why)
{
	char *chunk = mem_resize(NULL, CHUNK);
	ssize_t n = 0;
	off_t at = 0;
	bool good = true;

	l->names = arena_new();
	l->scan = mbox_scan_new(l->names);
	while (good && file != -1 && (n = pread(file, chunk, CHUNK, at)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		good = n > 0 && mbox_scan_feed(l->scan, chunk, (size_t)n);
		at += n;
	}
	free(chunk);
	if (!good || !mbox_scan_end(l->scan))
		return scan_failed(l, why);
	l->messages = mbox_scan_messages(l->scan, &l->count);
	return STORE_OK;
}

/* How many of a digest there were so far. */
struct tally {
	unsigned char digest[MBOX_DIGEST_SIZE];
	uint32_t count;
	UT_hash_handle hh;
};

struct tallies {
	struct tally *table;
	struct tally *all;
	size_t used;
};

static void
tallies_begin(struct tallies *t, size_t most)
{
	t->table = NULL;
	t->all = mem_array(most + 1, sizeof(*t->all));
	t->used = 0;
}

static void
tallies_end(struct tallies *t)
{
	HASH_CLEAR(hh, t->table);
	free(t->all);
}

static struct identity
identify(struct tallies *t, const struct mbox_message *m)
{
	struct identity id = { .copy = 0 };
	struct tally *found;

	memcpy(id.digest, m->digest, MBOX_DIGEST_SIZE);
	HASH_FIND(hh, t->table, m->digest, MBOX_DIGEST_SIZE, found);
	if (found == NULL) {
		found = &t->all[t->used++];
		memcpy(found->digest, m->digest, MBOX_DIGEST_SIZE);
		HASH_ADD(hh, t->table, digest, MBOX_DIGEST_SIZE, found);
	}
	id.copy = found->count++;
	return id;
}

/* Unique ids. */

struct name {
	const char *text;
	UT_hash_handle hh;
};

static const char *
digest_name(struct arena *a, const struct identity *id, uint32_t copy)
{
	char hex[2 * MBOX_DIGEST_SIZE + 1];

	for (size_t i = 0; i < MBOX_DIGEST_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", id->digest[i]);
	return copy == 0 ? arena_text(a, hex) :
			   arena_printf(a, "%s-%u", hex, (unsigned)copy);
}

/*
 * Names we give to copies are no sender's to take: of many messages each would
 * have to look for a free one past all others.
 */
static bool
is_name_of_copy(const char *uidl)
{
	size_t hex = strspn(uidl, "0123456789abcdef");

	return hex == (size_t)2 * MBOX_DIGEST_SIZE && uidl[hex] == '-';
}

/* X-UIDL's, unless another message has it: a sender may write what he likes. */
static void
name_items(struct mbox_store *s)
{
	struct name *table = NULL, *found, *all;

	all = mem_array(s->count + 1, sizeof(*all));
	for (size_t i = 0; i < s->count; i++) {
		struct item *it = &s->items[i];
		uint32_t copy = it->identity.copy;

		it->unique =
		    it->m.uidl != NULL && !is_name_of_copy(it->m.uidl) ?
		    arena_text(s->memory, it->m.uidl) :
		    digest_name(s->memory, &it->identity, copy);
		for (;;) {
			HASH_FIND_STR(table, it->unique, found);
			if (found == NULL)
				break;
			it->unique =
			    digest_name(s->memory, &it->identity, copy++);
		}
		all[i].text = it->unique;
		HASH_ADD_KEYPTR(hh, table, it->unique, strlen(it->unique),
		    &all[i]);
	}
	HASH_CLEAR(hh, table);
	free(all);
}

/* The session's list: the first listing, less what is no mail. */
static void
take_listing(struct mbox_store *s, const struct listing *l)
{
	struct tallies t;

	s->memory = arena_new();
	s->items = mem_array(l->count + 1, sizeof(*s->items));
	tallies_begin(&t, l->count);
	for (size_t i = 0; i < l->count; i++) {
		struct item *it = &s->items[s->count];

		it->identity = identify(&t, &l->messages[i]);
		it->m = l->messages[i];
		s->count += !it->m.internal;
	}
	tallies_end(&t);
	name_items(s);
	for (size_t i = 0; i < s->count; i++)
		s->items[i].m.uidl = NULL; /* ends with the listing */
}

/* Changes by others. */

static void
note_state(struct mbox_store *s)
{
	int64_t now = clock_wall_us() / 1000, written;

	if (s->file == NULL || fstat(s->file->fd, &s->st) == -1) {
		memset(&s->st, 0, sizeof(s->st));
		return;
	}
	written = (int64_t)s->st.st_ctim.tv_sec * 1000 +
	    s->st.st_ctim.tv_nsec / 1000000;
	s->racy = written > now - RACY_MS;
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
unchanged(const struct mbox_store *s)
{
	struct stat now;

	return s->file != NULL && fstat(s->file->fd, &now) == 0 &&
	    now.st_dev == s->st.st_dev && now.st_ino == s->st.st_ino &&
	    now.st_size == s->st.st_size &&
	    same_time(now.st_mtim, s->st.st_mtim) &&
	    same_time(now.st_ctim, s->st.st_ctim);
}

struct place {
	struct identity identity;
	const struct mbox_message *message;
	UT_hash_handle hh;
};

/* Where our messages are in the new listing, if they are. */
static void
find_again(struct mbox_store *s, const struct listing *l)
{
	struct place *table = NULL, *all, *found;
	struct tallies t;

	all = mem_array(l->count + 1, sizeof(*all));
	tallies_begin(&t, l->count);
	for (size_t i = 0; i < l->count; i++) {
		all[i].identity = identify(&t, &l->messages[i]);
		all[i].message = &l->messages[i];
		HASH_ADD(hh, table, identity, sizeof(struct identity), &all[i]);
	}
	tallies_end(&t);
	for (size_t i = 0; i < s->count; i++) {
		struct item *it = &s->items[i];

		HASH_FIND(hh, table, &it->identity, sizeof(struct identity),
		    found);
		it->gone |= found == NULL;
		if (found == NULL)
			continue;
		it->m = *found->message;
		it->m.uidl = NULL;
	}
	HASH_CLEAR(hh, table);
	free(all);
}

/* Locked: makes the items right again. */
static enum store_result
list_again(struct mbox_store *s, struct why *why)
{
	struct listing l = { .count = 0 };
	enum store_result r;

	if (s->file != NULL &&
	    mbox_recover(s->file->fd, s->access->journal, why))
		return STORE_FAILED;
	r = listing_read(fd_of(s), &l, why);
	if (r == STORE_OK) {
		find_again(s, &l);
		note_state(s);
	}
	listing_free(&l);
	return r;
}

static enum store_result
catch_up(struct mbox_store *s, struct why *why)
{
	enum store_result r;

	if (unchanged(s))
		return STORE_OK;
	r = lock(s, why);
	if (r != STORE_OK)
		return STORE_FAILED;
	r = list_again(s, why);
	unlock(s);
	return r;
}

/* Text. */

struct mbox_text {
	struct store_text text;
	struct open_file *file;
	struct mbox_message m;
	int64_t at; /* from the "From " line to the next one */
	struct mbox_unquote unquote;
	struct arena *names;
	struct mbox_scan *check; /* hears every byte of it */
};

/* All was read: was it the message that was asked for? */
static bool
is_right(struct mbox_text *t)
{
	const struct mbox_message *m;
	size_t count;

	if (!mbox_scan_end(t->check))
		return false;
	m = mbox_scan_messages(t->check, &count);
	return count == 1 &&
	    memcmp(m->digest, t->m.digest, MBOX_DIGEST_SIZE) == 0;
}

/*
 * The next n bytes, and what of them is text, with its quoting undone. The
 * end is not told before the check was right, so that nobody takes a changed
 * message for a whole one.
 */
static bool
read_piece(struct mbox_text *t, char *bytes, size_t n, struct span *out)
{
	int64_t from = t->at, to, end;
	size_t skip;

	if ((int64_t)n > t->m.end - from)
		n = (size_t)(t->m.end - from);
	if (fd_pread_all(t->file->fd, bytes + MBOX_UNQUOTE_ROOM, n, from) ==
		-1 ||
	    !mbox_scan_feed(t->check, bytes + MBOX_UNQUOTE_ROOM, n))
		return false;
	t->at += (int64_t)n;
	if (t->at == t->m.end && !is_right(t))
		return false;
	end = t->at < t->m.text_end ? t->at : t->m.text_end;
	to = from > t->m.text ? from : t->m.text;
	skip = to < end ? (size_t)(to - from) : 0;
	*out = mbox_unquote(&t->unquote, bytes + skip,
	    to < end ? (size_t)(end - to) : 0, t->at == t->m.end);
	return true;
}

static int64_t
text_read(struct store_text *base, void *to, size_t n)
{
	struct mbox_text *t = (struct mbox_text *)base;
	struct span out = { NULL, 0 };

	ensure(n > MBOX_UNQUOTE_ROOM);
	while (out.n == 0 && t->at < t->m.end)
		if (!read_piece(t, to, n - MBOX_UNQUOTE_ROOM, &out)) {
			errno = ESTALE;
			return -1;
		}
	if (out.n > 0)
		memmove(to, out.p, out.n);
	return (int64_t)out.n;
}

static void
text_close(struct store_text *base)
{
	struct mbox_text *t = (struct mbox_text *)base;

	mbox_scan_free(&t->check);
	arena_free(&t->names);
	file_leave(&t->file);
	free(t);
}

static struct store_text *
text_open(const struct mbox_store *s, const struct item *it)
{
	struct mbox_text *t = mem_new(sizeof(*t));

	t->text.read = text_read;
	t->text.close = text_close;
	t->file = s->file;
	t->file->users++;
	t->m = it->m;
	t->at = it->m.start;
	t->names = arena_new();
	t->check = mbox_scan_new(t->names);
	return &t->text;
}

/* The interface. */

static void
close_store(struct store *base)
{
	struct mbox_store *s = ours(base);

	if (s->exclusive) {
		(void)flock(s->access->journal, LOCK_UN);
		s->access->busy = false;
	}
	file_leave(&s->file);
	arena_free(&s->memory);
	free(s->items);
	free(s);
}

static size_t
count(const struct store *base)
{
	return ((const struct mbox_store *)base)->count;
}

static const char *
unique(const struct store *base, size_t i)
{
	return item((const struct mbox_store *)base, i)->unique;
}

static enum store_result
size_of(struct store *base, size_t i, uint64_t *size, struct why *why)
{
	(void)why;
	*size = item(ours(base), i)->m.size;
	return STORE_OK;
}

static enum store_result
fetch(struct store *base, size_t i, struct store_blob *out, struct why *why)
{
	struct mbox_store *s = ours(base);
	struct item *it = item(s, i);
	enum store_result r = catch_up(s, why);

	if (r != STORE_OK)
		return r;
	if (it->gone)
		return STORE_GONE;
	out->length = it->m.text_end - it->m.text;
	out->text = text_open(s, it);
	return STORE_OK;
}

/* A mail program's notes are not ours to write. */
static enum store_result
add_flags(struct store *base, size_t i, unsigned int flags, struct why *why)
{
	(void)base, (void)i, (void)flags, (void)why;
	return STORE_OK;
}

static enum store_result
expunge(struct store *base, size_t i, struct why *why)
{
	struct mbox_store *s = ours(base);
	struct item *it = item(s, i);

	(void)why;
	if (it->gone || it->expunged)
		return STORE_GONE;
	it->expunged = s->expunged = true;
	return STORE_OK;
}

static int
by_place(const void *left, const void *right)
{
	const struct mbox_range *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

/* What goes, in order, neighbours made one. */
static struct mbox_range *
ranges_of(const struct mbox_store *s, size_t *count_out)
{
	struct mbox_range *r = mem_array(s->count + 1, sizeof(*r));
	size_t n = 0, to = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].expunged && !s->items[i].gone)
			r[n++] = (struct mbox_range){ s->items[i].m.start,
				s->items[i].m.end };
	if (n > 1)
		qsort(r, n, sizeof(*r), by_place);
	for (size_t i = 0; i < n; i++)
		if (to > 0 && r[to - 1].end == r[i].start)
			r[to - 1].end = r[i].end;
		else
			r[to++] = r[i];
	*count_out = to;
	return r;
}

static enum store_result
remove_expunged(struct mbox_store *s, struct why *why)
{
	struct mbox_range *r;
	size_t n;
	int result;

	r = ranges_of(s, &n);
	result = mbox_remove(s->file->fd, s->access->journal, r, n, why);
	free(r);
	return result == 0 ? STORE_OK : STORE_FAILED;
}

static enum store_result
commit(struct store *base, struct why *why)
{
	struct mbox_store *s = ours(base);
	enum store_result r;
	bool right;

	if (!s->expunged)
		return STORE_OK;
	r = lock(s, why);
	if (r != STORE_OK)
		return STORE_FAILED;
	right = unchanged(s) && !s->racy;
	if (!right)
		r = list_again(s, why);
	if (r == STORE_OK && s->file != NULL)
		r = remove_expunged(s, why);
	unlock(s);
	if (r != STORE_OK)
		return r;
	for (size_t i = 0; i < s->count; i++)
		s->items[i].gone |= s->items[i].expunged;
	s->expunged = false;
	/* what is left lies elsewhere now: the next fetch looks */
	memset(&s->st, 0, sizeof(s->st));
	return STORE_OK;
}

static const struct store_kind kind = {
	.close = close_store,
	.count = count,
	.unique = unique,
	.size = size_of,
	.fetch = fetch,
	.add_flags = add_flags,
	.expunge = expunge,
	.commit = commit,
};

static enum store_result
begin(struct mbox_store *s, struct why *why)
{
	struct listing l = { .count = 0 };
	enum store_result r = lock(s, why);

	if (r != STORE_OK)
		return r;
	if (s->file != NULL &&
	    mbox_recover(s->file->fd, s->access->journal, why)) {
		r = STORE_FAILED;
	} else {
		r = listing_read(fd_of(s), &l, why);
		if (r == STORE_OK)
			take_listing(s, &l);
		listing_free(&l);
		note_state(s);
	}
	unlock(s);
	return r;
}

enum store_result
mbox_store_open(struct mbox_access *access, bool exclusive, struct store **out,
    struct why *why)
{
	struct mbox_store *s;
	enum store_result r;

	why_clear(why);
	*out = NULL;
	if (exclusive &&
	    (access->busy || flock(access->journal, LOCK_EX | LOCK_NB) == -1)) {
		why_set(why, "4.2.0", "another session has the mailbox");
		return STORE_IN_USE;
	}
	s = mem_new(sizeof(*s));
	s->store.kind = &kind;
	s->access = access;
	s->exclusive = exclusive;
	access->busy |= exclusive;
	r = begin(s, why);
	*out = &s->store;
	if (r != STORE_OK)
		store_close(out);
	return r;
}
