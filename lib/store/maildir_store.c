/* SPDX-License-Identifier: ISC */
/*
 * Maildirs for readers. What is hostile here: the owner's own files (links,
 * FIFOs, names that lie), never more dangerous than the rights we have, which
 * are the owner's.
 */
#include "lib/store/store_kind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/maildir_list.h"
#include "lib/store/maildir_packed.h"
#include "lib/store/maildir_size.h"
#include "lib/store/maildir_trailer.h"

static const char lock_name[] = "posthaste-pop3.lock";

struct maildir_store {
	struct store store;
	int maildir; /* -1: there is none yet */
	int lock; /* -1: not exclusive */
	bool learned; /* sizes that are not noted yet */
	bool renamed; /* messages, for their flags */
	struct maildir_list list;
	/* what was removed, for the account's quota: maildir_size_add */
	int64_t removed, removed_bytes;
};

/*
 * flock(2) on a file of its own: it is there for as long as a process has it
 * open, so a crash leaves no stale lock, and nothing ever breaks one. Two
 * sessions of one process are two openings, so they exclude each other too.
 */
static enum store_result
take_lock(struct maildir_store *s, struct why *why)
{
	s->lock = openat(s->maildir, lock_name,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (s->lock == -1) {
		why_errno(why, "4.2.0", "cannot lock the mailbox");
		return STORE_FAILED;
	}
	if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
		return STORE_OK;
	if (errno == EWOULDBLOCK) {
		why_set(why, "4.2.0", "another session has the mailbox");
		return STORE_IN_USE;
	}
	why_errno(why, "4.2.0", "cannot lock the mailbox");
	return STORE_FAILED;
}

static enum store_result
open_maildir(struct maildir_store *s, const char *path, const char *lists,
    bool exclusive, const struct store_ids *ids, struct why *why)
{
	enum store_result r;
	int control = -1, read;

	s->maildir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->maildir == -1 && errno == ENOENT)
		return STORE_OK;
	if (s->maildir == -1) {
		why_errno(why, "4.2.0", "cannot open the mailbox");
		return STORE_FAILED;
	}
	if (exclusive && (r = take_lock(s, why)) != STORE_OK)
		return r;
	if (lists != NULL)
		control = open(lists, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	read = maildir_list_read(s->maildir,
	    control == -1 ? s->maildir : control, ids, &s->list);
	fd_close(&control);
	/* a directory without new and cur is no Maildir yet */
	if (read == -1 && errno != ENOENT) {
		why_errno(why, "4.2.0", "cannot read the mailbox");
		return STORE_FAILED;
	}
	return STORE_OK;
}

/* Sizes that cost reading a file, for the next time. */
static void
note_sizes(struct maildir_store *s)
{
	static const char temporary[] = "posthaste-sizes.new";
	struct buf text = BUF_INIT(256 << 20);
	int fd;

	for (size_t i = 0; i < s->list.count; i++) {
		const struct maildir_message *m = &s->list.messages[i];

		if (m->measured)
			buf_printf(&text, "%llu %.*s\n",
			    (unsigned long long)m->size, (int)m->base, m->name);
	}
	/* only a cache: what goes wrong costs time, not mail */
	fd = openat(s->maildir, temporary,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0600);
	if (fd != -1 && fd_write_all(fd, buf_text(&text), text.n) == 0)
		(void)!renameat(s->maildir, temporary, s->maildir,
		    "posthaste-sizes");
	fd_close(&fd);
	buf_fini(&text);
}

static struct maildir_store *
ours(struct store *base)
{
	return (struct maildir_store *)base;
}

static void
close_store(struct store *base)
{
	struct maildir_store *s = ours(base);

	if (s->learned)
		note_sizes(s);
	maildir_list_free(&s->list);
	fd_close(&s->lock);
	fd_close(&s->maildir);
	free(s);
}

static size_t
count(const struct store *base)
{
	return ((const struct maildir_store *)base)->list.count;
}

static struct maildir_message *
message(const struct maildir_store *s, size_t i)
{
	ensure(i < s->list.count);
	return &s->list.messages[i];
}

static const char *
unique(const struct store *base, size_t i)
{
	return message((const struct maildir_store *)base, i)->unique;
}

static void
file_name(const struct maildir_message *m, char out[264])
{
	snprintf(out, 264, "%s/%s", m->in_new ? "new" : "cur", m->name);
}

/*
 * Calls with the file's name, and again with its new one if another program
 * has renamed it meanwhile (a changed flag).
 */
static int
with_file(struct maildir_store *s, struct maildir_message *m,
    int (*call)(struct maildir_store *s, const char *name, void *with),
    void *with)
{
	char name[264];
	int result;

	file_name(m, name);
	result = call(s, name, with);
	if (result != -1 || errno != ENOENT)
		return result;
	if (!maildir_list_find_again(s->maildir, &s->list, m)) {
		errno = ENOENT;
		return -1;
	}
	file_name(m, name);
	return call(s, name, with);
}

static enum store_result
failed(const char *what, struct why *why)
{
	if (errno == ENOENT)
		return STORE_GONE;
	why_errno(why, "4.2.0", "%s", what);
	return STORE_FAILED;
}

static int
call_open(struct maildir_store *s, const char *name, void *with)
{
	int *mode = with;

	return fd_open_unnoted(s->maildir, name,
	    *mode | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* The queue's trailer goes, if there is one. */
static void
cut_trailer(struct maildir_store *s, struct maildir_message *m, int fd,
    struct stat *st)
{
	int mode = O_WRONLY, writable;

	if (!maildir_trailer_follows(fd, m->stored, st->st_size))
		return;
	writable = with_file(s, m, call_open, &mode);
	maildir_trailer_cut(&writable, m->name, m->stored, st);
}

static enum store_result
fetch(struct store *base, size_t i, struct store_blob *out, struct why *why)
{
	struct maildir_store *s = ours(base);
	struct maildir_message *m = message(s, i);
	int mode = O_RDONLY, fd = with_file(s, m, call_open, &mode);
	struct stat st;

	if (fd == -1)
		return failed("cannot open the message", why);
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		fd_close(&fd);
		why_set(why, "4.2.0", "the message is not a regular file");
		return STORE_FAILED;
	}
	cut_trailer(s, m, fd, &st);
	if (!maildir_unpack(s->maildir, &fd, m->stored, &st, why)) {
		log_warning("%s: %s", m->name, why->text);
		fd_close(&fd);
		return STORE_FAILED;
	}
	out->fd = fd;
	out->length = st.st_size;
	/* as our own delivery names a file in CRLF form */
	out->crlf = m->stored != UINT64_MAX && m->stored == m->size &&
	    (uint64_t)st.st_size == m->stored;
	return STORE_OK;
}

/* Each LF that no CR precedes will be sent with one. */
static int
measure(struct store_blob *b, uint64_t *size)
{
	char *chunk = mem_new(65536);
	uint64_t total = 0;
	char last = '\n';
	int64_t n;

	while ((n = store_blob_read(b, chunk, 65536)) > 0) {
		for (int64_t i = 0; i < n; i++) {
			total += chunk[i] == '\n' && last != '\r';
			last = chunk[i];
		}
		total += (uint64_t)n;
	}
	free(chunk);
	/* what has no line end at its end gets one when it is sent */
	if (last != '\n')
		total += last == '\r' ? 1 : 2;
	*size = total;
	return n < 0 ? -1 : 0;
}

static enum store_result
size_of(struct store *base, size_t i, uint64_t *size, struct why *why)
{
	struct maildir_store *s = ours(base);
	struct maildir_message *m = message(s, i);
	struct store_blob b;
	enum store_result r;

	if (m->size == UINT64_MAX) {
		r = store_fetch(base, i, &b, why);
		if (r != STORE_OK)
			return r;
		if (measure(&b, &m->size) == -1) {
			m->size = UINT64_MAX;
			r = failed("cannot read the message", why);
		} else {
			m->measured = s->learned = true;
		}
		store_blob_close(&b);
		if (r != STORE_OK)
			return r;
	}
	*size = m->size;
	return STORE_OK;
}

static int
call_rename(struct maildir_store *s, const char *name, void *with)
{
	return renameat(s->maildir, name, s->maildir, with);
}

static int
call_unlink(struct maildir_store *s, const char *name, void *with)
{
	(void)with;
	return unlinkat(s->maildir, name, 0);
}

static enum store_result
add_flags(struct store *base, size_t i, unsigned int flags, struct why *why)
{
	struct maildir_store *s = ours(base);
	struct maildir_message *m = message(s, i);
	char next[256], to[264];

	if ((flags & STORE_SEEN) == 0 || m->stem > 200 ||
	    maildir_name_has(m->name, 'S'))
		return STORE_OK;
	maildir_name_with(m->name, m->stem, "S", next);
	snprintf(to, sizeof(to), "cur/%s", next);
	if (with_file(s, m, call_rename, to) == -1)
		return failed("cannot set flags", why);
	m->name = arena_text(s->list.memory, next);
	m->in_new = false;
	s->renamed = true;
	return STORE_OK;
}

static enum store_result
expunge(struct store *base, size_t i, struct why *why)
{
	struct maildir_store *s = ours(base);
	struct maildir_message *m = message(s, i);

	if (with_file(s, m, call_unlink, NULL) == -1)
		return failed("cannot remove the message", why);
	m->measured = false;
	s->removed--;
	if (m->stored == UINT64_MAX)
		s->removed_bytes = INT64_MIN;
	else if (s->removed_bytes != INT64_MIN)
		s->removed_bytes -= (int64_t)m->stored;
	return STORE_OK;
}

static enum store_result
commit(struct store *base, struct why *why)
{
	struct maildir_store *s = ours(base);

	maildir_size_add(s->maildir, s->removed_bytes, s->removed);
	s->removed = s->removed_bytes = 0;
	if (s->renamed && file_system_settle_folder(s->maildir, "cur") != 0)
		return failed("cannot write flags to the disk", why);
	s->renamed = false;
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

enum store_result
maildir_store_open(const char *path, const char *lists, bool exclusive,
    const struct store_ids *ids, struct store **out, struct why *why)
{
	struct maildir_store *s = mem_new(sizeof(*s));
	enum store_result r;

	s->store.kind = &kind;
	s->maildir = s->lock = -1;
	r = open_maildir(s, path, lists, exclusive, ids, why);
	*out = &s->store;
	if (r != STORE_OK)
		store_close(out);
	return r;
}
