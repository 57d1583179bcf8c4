/* SPDX-License-Identifier: ISC */
/* What a message is: its row, its file, and what only reading it tells. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mailbox_internal.h"
#include "lib/store/mailbox_kind.h"
#include "lib/store/maildir_list.h"
#include "lib/store/maildir_packed.h"
#include "lib/store/maildir_trailer.h"

enum { CHUNK = 65536, FINDS = 3 /* of a file that is renamed again */ };

/* ---- its file ---- */

struct place {
	char name[MAILDIR_FILE_MAX];
	bool in_new;
	uint64_t stored; /* S= of the name, or UINT64_MAX */
};

static void
place_of(const struct mail_index_message *row, struct place *out)
{
	struct maildir_file file;

	memcpy(out->name, row->name.p, row->name.n);
	out->name[row->name.n] = '\0';
	out->in_new = (row->have & IN_NEW) != 0;
	out->stored = UINT64_MAX;
	if (maildir_file_parse(row->name, &file))
		out->stored = file.stored;
}

/* Opens it, where another program has renamed it as well. */
static int
open_place(struct mailbox *m, struct place *p, int flags)
{
	struct mailbox_folder *f = m->folder;
	int fd = maildir_folder_open_file(&f->files, p->in_new, p->name, flags);
	struct maildir_file file;

	for (unsigned int attempt = 0; fd == -1 && attempt < FINDS; attempt++) {
		if (errno != ENOENT ||
		    !maildir_file_parse(span_of(p->name), &file) ||
		    !mailbox_find_file(m, file.base, p->name, &p->in_new))
			return -1;
		fd = maildir_folder_open_file(&f->files, p->in_new, p->name,
		    flags);
	}
	return fd;
}

static enum mail_result
open_failed(struct why *why)
{
	if (errno == ENOENT)
		return MAIL_GONE;
	return mailbox_disk_failed("cannot read the message", why);
}

/* The queue's trailer goes, if there is one. */
static void
cut_trailer(struct mailbox *m, struct place *p, int fd, struct stat *st)
{
	int writable;

	if (!maildir_trailer_follows(fd, p->stored, st->st_size))
		return;
	writable = open_place(m, p, O_WRONLY);
	maildir_trailer_cut(&writable, p->name, p->stored, st);
}

/* One that is open: *fd is closed or another when it cannot be had as it is. */
static enum mail_result
examine(struct mailbox *m, struct place *p, int *fd, struct stat *st,
    struct why *why)
{
	if (fstat(*fd, st) == -1 || !S_ISREG(st->st_mode)) {
		fd_close(fd);
		why_set(why, "4.2.0", "the message is not a regular file");
		return MAIL_FAILED;
	}
	cut_trailer(m, p, *fd, st);
	if (maildir_unpack(m->folder->files.dir, fd, p->stored, st, why))
		return MAIL_OK;
	log_warning("%s: %s: %s", m->folder->name, p->name, why->text);
	fd_close(fd);
	return MAIL_FAILED;
}

static enum mail_result
open_message(struct mailbox *m, struct place *p, int *fd, struct stat *st,
    struct why *why)
{
	*fd = open_place(m, p, O_RDONLY);
	return *fd == -1 ? open_failed(why) : examine(m, p, fd, st, why);
}

/* ---- what reading it tells ---- */

struct measure {
	uint64_t size; /* with CRLF line ends */
	bool crlf;
	char last;
	EVP_MD_CTX *digest; /* over it as it is sent */
};

static void
measure_part(struct measure *m, const char *p, size_t n)
{
	size_t from = 0;

	for (size_t i = 0; i < n; i++) {
		const char *end = memchr(p + i, '\n', n - i);

		if (end == NULL)
			break;
		i = (size_t)(end - p);
		if ((i > 0 ? p[i - 1] : m->last) == '\r')
			continue;
		m->crlf = false;
		m->size++;
		EVP_DigestUpdate(m->digest, p + from, i - from);
		EVP_DigestUpdate(m->digest, "\r", 1);
		from = i;
	}
	EVP_DigestUpdate(m->digest, p + from, n - from);
	m->size += n;
	m->last = p[n - 1];
}

/* Reads it once: size, form, and an id made of what is in it. */
static enum mail_result
read_message(struct mailbox *m, struct place *p, struct mail_index_message *row,
    struct why *why)
{
	struct measure all = { .crlf = true, .last = '\n' };
	unsigned char digest[EVP_MAX_MD_SIZE];
	enum mail_result r;
	struct stat st;
	char *chunk;
	ssize_t n;
	int fd;

	r = open_message(m, p, &fd, &st, why);
	if (r != MAIL_OK)
		return r;
	all.digest = EVP_MD_CTX_new();
	ensure(all.digest != NULL &&
	    EVP_DigestInit_ex(all.digest, EVP_sha256(), NULL) == 1);
	chunk = mem_new(CHUNK);
	while ((n = read(fd, chunk, CHUNK)) > 0)
		measure_part(&all, chunk, (size_t)n);
	if (n < 0)
		r = mailbox_disk_failed("cannot read the message", why);
	ensure(EVP_DigestFinal_ex(all.digest, digest, NULL) == 1);
	EVP_MD_CTX_free(all.digest);
	free(chunk);
	fd_close(&fd);
	if (r != MAIL_OK)
		return r;
	row->size = all.size;
	row->have |= HAVE_SIZE | HAVE_FORM | HAVE_ID;
	row->have &= ~(uint32_t)CRLF_FORM;
	if (all.crlf)
		row->have |= CRLF_FORM;
	memcpy(row->email_id, digest, MAIL_INDEX_ID);
	return MAIL_OK;
}

static void
note_date(struct mail_index_message *row, const struct stat *st)
{
	row->date = st->st_mtim.tv_sec;
	if (row->save_date == 0)
		row->save_date = st->st_ctim.tv_sec;
	row->have |= HAVE_DATE;
}

static enum mail_result
stat_message(struct mailbox *m, struct place *p, struct mail_index_message *row,
    struct why *why)
{
	struct stat st;

	/* where it is, in most cases without opening it */
	if (p->in_new ||
	    fstatat(m->folder->files.cur, p->name, &st, AT_SYMLINK_NOFOLLOW) ==
		-1) {
		int fd = open_place(m, p, O_RDONLY);

		if (fd == -1 || fstat(fd, &st) == -1) {
			enum mail_result r = open_failed(why);

			fd_close(&fd);
			return r;
		}
		fd_close(&fd);
	}
	note_date(row, &st);
	return MAIL_OK;
}

/* ---- the public form ---- */

static void
put_id(const unsigned char id[MAIL_INDEX_ID], char out[MAIL_ID_MAX])
{
	static const char digits[] = "0123456789abcdef";
	char *p = out;

	*p++ = 'M';
	for (size_t i = 0; i < MAIL_INDEX_ID; i++) {
		*p++ = digits[id[i] >> 4];
		*p++ = digits[id[i] & 15];
	}
	*p = '\0';
}

static void
give(const struct mail_index_message *row, struct mail_message *out)
{
	out->uid = row->uid;
	out->flags = row->flags & MAIL_SYSTEM_FLAGS;
	out->keywords = row->keywords;
	out->modseq = row->modseq;
	out->internal_date = row->date;
	out->save_date = row->save_date;
	out->size = row->size;
	out->crlf = (row->have & CRLF_FORM) != 0;
	out->email_id[0] = '\0';
	if ((row->have & HAVE_ID) != 0)
		put_id(row->email_id, out->email_id);
}

static uint32_t
lacking(uint32_t have, unsigned int wants)
{
	uint32_t need = 0;

	if ((wants & WANT_DATE) != 0)
		need |= HAVE_DATE;
	if ((wants & WANT_SIZE) != 0)
		need |= HAVE_SIZE;
	if ((wants & WANT_FORM) != 0)
		need |= HAVE_FORM;
	if ((wants & WANT_ID) != 0)
		need |= HAVE_ID;
	return need & ~have;
}

enum mail_result
mailbox_message_learn(struct mailbox *m, struct mail_index_message *row,
    uint32_t lacks, struct why *why)
{
	struct place p;
	enum mail_result r = MAIL_OK;

	place_of(row, &p);
	if ((lacks & HAVE_DATE) != 0)
		r = stat_message(m, &p, row, why);
	if (r == MAIL_OK && (lacks & (HAVE_SIZE | HAVE_FORM | HAVE_ID)) != 0)
		r = read_message(m, &p, row, why);
	if (r == MAIL_OK)
		mail_index_note(m->account->index, m->folder->row.number, row);
	return r;
}

enum mail_result
mailbox_message(struct mailbox *m, uint32_t uid, unsigned int wants,
    struct mail_message *out, struct why *why)
{
	struct mail_index *x = m->account->index;
	struct mail_index_message row;
	enum mail_result r;
	uint32_t lacks;

	r = mailbox_hold_rows(m, why);
	if (r != MAIL_OK)
		return r;
	r = mailbox_row(m, uid, &row, why);
	if (r == MAIL_OK && (lacks = lacking(row.have, wants)) != 0)
		r = m->account->kind->learn(m, &row, lacks, why);
	if (r == MAIL_OK)
		give(&row, out);
	mail_index_release(x);
	return r;
}

static void
blob_of(const struct mail_index_message *row, int fd, int64_t length,
    struct store_blob *out)
{
	*out = (struct store_blob){ .fd = fd, .length = length };
	/* the name of a file in CRLF form says both sizes */
	out->crlf =
	    (row->have & CRLF_FORM) != 0 && (uint64_t)length == row->size;
}

static enum mail_result
find_message(struct mailbox *m, uint32_t uid, struct mail_index_message *row,
    struct place *p, struct why *why)
{
	struct mail_index *x = m->account->index;
	enum mail_result r;

	r = mailbox_hold_rows(m, why);
	if (r != MAIL_OK)
		return r;
	r = mailbox_row(m, uid, row, why);
	if (r == MAIL_OK)
		place_of(row, p);
	mail_index_release(x);
	return r;
}

static enum mail_result
give_message(struct mailbox *m, struct mail_index_message *row, struct place *p,
    int fd, struct store_blob *out, struct why *why)
{
	struct stat st;
	enum mail_result r = examine(m, p, &fd, &st, why);

	if (r != MAIL_OK)
		return r;
	/* who opens it first need not look for its date again */
	if ((row->have & HAVE_DATE) == 0) {
		note_date(row, &st);
		mail_index_note(m->account->index, m->folder->row.number, row);
	}
	blob_of(row, fd, st.st_size, out);
	return MAIL_OK;
}

enum mail_result
mailbox_message_open(struct mailbox *m, uint32_t uid, struct store_blob *out,
    struct why *why)
{
	struct span none;

	return mailbox_message_start(m, uid, out, NULL, 0, &none, why);
}

/* Has it been read already, as its name says that it is? */
static bool
start_ahead(struct mailbox *m, struct mail_index_message *row,
    const struct place *p, struct store_blob *out, size_t room,
    struct span *text)
{
	struct read_ahead_file file;
	struct stat st = { 0 };

	if (m->ahead == NULL || p->in_new || p->stored >= room ||
	    !read_ahead_take(m->ahead, p->name, &file) ||
	    file.text.n != p->stored ||
	    /* it was known when the file was put, and was forgotten since */
	    ((row->have & HAVE_DATE) == 0 && !file.times))
		return false;
	*text = file.text;
	m->ahead_made = file.made;
	if ((row->have & HAVE_DATE) == 0) {
		st.st_mtim = file.modified;
		st.st_ctim = file.changed;
		note_date(row, &st);
		mail_index_note(m->account->index, m->folder->row.number, row);
	}
	blob_of(row, -1, (int64_t)p->stored, out);
	out->next = out->length;
	return true;
}

/*
 * Of one that is as long as its name says, and no longer than there is room,
 * a single reading tells all: it is no device or directory then, nothing is
 * behind it, and it is not compressed.
 */
enum mail_result
mailbox_message_start(struct mailbox *m, uint32_t uid, struct store_blob *out,
    char *to, size_t room, struct span *text, struct why *why)
{
	struct mail_index_message row;
	struct place p;
	enum mail_result r = find_message(m, uid, &row, &p, why);
	int fd;

	m->ahead_made = SPAN("");
	if (r != MAIL_OK || start_ahead(m, &row, &p, out, room, text))
		return r;
	fd = open_place(m, &p, O_RDONLY);
	if (fd == -1)
		return open_failed(why);
	if ((row.have & HAVE_DATE) == 0 || p.stored >= room ||
	    pread(fd, to, (size_t)p.stored + 1, 0) != (ssize_t)p.stored)
		return give_message(m, &row, &p, fd, out, why);
	blob_of(&row, fd, (int64_t)p.stored, out);
	out->next = out->length;
	*text = (struct span){ to, (size_t)p.stored };
	return MAIL_OK;
}

/* ---- those that come next ---- */

struct going_ahead {
	struct mailbox *m;
	size_t room;
	bool put, full;
};

static bool
read_row_ahead(void *with, const struct mail_index_message *row)
{
	struct going_ahead *g = with;
	struct place p;

	place_of(row, &p);
	if (!p.in_new && p.stored < g->room) {
		g->full = !read_ahead_put(g->m->ahead, p.name, (size_t)p.stored,
		    (row->have & HAVE_DATE) == 0);
		g->put = g->put || !g->full;
	}
	if (!g->full)
		g->m->ahead_last = row->uid;
	return !g->full && read_ahead_waiting(g->m->ahead) < READ_AHEAD_AIM;
}

/* Have some come without a gap, and is there a thread? */
static bool
goes_ahead(struct mailbox *m, const uint32_t *uids, size_t count)
{
	if (count < 2)
		return false;
	m->ahead_run = uids[0] == m->ahead_next ? m->ahead_run + 1 : 0;
	m->ahead_next = uids[1];
	if (m->ahead_run < READ_AHEAD_RUN)
		return false;
	if (m->ahead == NULL && !m->ahead_refused && m->folder->mbox == NULL &&
	    count >= READ_AHEAD_LEAST) {
		m->ahead = read_ahead_new(m->folder->files.cur, &m->ahead_work);
		m->ahead_refused = m->ahead == NULL;
		m->ahead_last = 0;
	}
	/* some were left out, and all that were put are among them */
	if (m->ahead != NULL && uids[0] > m->ahead_last)
		read_ahead_forget(m->ahead);
	return m->ahead != NULL &&
	    read_ahead_waiting(m->ahead) < READ_AHEAD_FEW;
}

void
mailbox_read_ahead(struct mailbox *m, const uint32_t *uids, size_t count,
    size_t room)
{
	struct going_ahead g = { .m = m,
		.room =
		    room < READ_AHEAD_FILE_MAX ? room : READ_AHEAD_FILE_MAX };
	struct mail_index *x = m->account->index;
	struct uid_set next = { 0 };
	struct why ignored;

	if (!goes_ahead(m, uids, count))
		return;
	for (size_t i = 0, n = 0; i < count && n < READ_AHEAD_AIM; i++)
		if (uids[i] > m->ahead_last) {
			uid_set_add(&next, uids[i]);
			n++;
		}
	if (next.count > 0 && mailbox_hold_rows(m, &ignored) == MAIL_OK) {
		(void)mail_index_walk_set(x, m->folder->row.number, &next,
		    read_row_ahead, &g);
		mail_index_release(x);
		if (g.put)
			read_ahead_go(m->ahead);
	}
	uid_set_fini(&next);
}

void
mailbox_read_ahead_end(struct mailbox *m)
{
	read_ahead_free(&m->ahead);
	m->ahead_work = (struct read_ahead_work){ 0 };
	m->ahead_made = SPAN("");
	m->ahead_next = m->ahead_run = 0;
	m->ahead_refused = false;
}

void
mailbox_read_ahead_work(struct mailbox *m, const struct read_ahead_work *work)
{
	m->ahead_work = *work;
}

struct span
mailbox_read_ahead_made(const struct mailbox *m)
{
	return m->ahead_made;
}

/* ---- sizes of all ---- */

struct sizes {
	struct mailbox *m;
	uint64_t all, deleted;
	uint32_t unknown; /* the first message whose size is not known */
};

static bool
add_size(void *with, const struct mail_index_message *row)
{
	struct sizes *s = with;

	if ((row->have & HAVE_SIZE) == 0) {
		s->unknown = row->uid;
		return false;
	}
	s->all += row->size;
	if ((row->flags & MAIL_DELETED) != 0)
		s->deleted += row->size;
	return true;
}

enum mail_result
mailbox_sizes(struct mailbox *m, uint64_t *all, uint64_t *deleted,
    struct why *why)
{
	struct mail_index *x = m->account->index;
	struct sizes s = { .m = m };
	struct mail_message message;
	enum mail_result r = MAIL_OK;
	uint32_t from = 0;
	bool walked;

	do {
		s.unknown = 0;
		r = mailbox_hold_rows(m, why);
		if (r != MAIL_OK)
			return r;
		walked = mail_index_walk(x, m->folder->row.number, from,
		    add_size, &s);
		mail_index_release(x);
		if (!walked)
			return mailbox_index_failed(m, why);
		if (s.unknown == 0)
			break;
		from = s.unknown + 1;
		r = mailbox_message(m, s.unknown, WANT_SIZE, &message, why);
		if (r == MAIL_OK) {
			s.all += message.size;
			if ((message.flags & MAIL_DELETED) != 0)
				s.deleted += message.size;
		}
	} while (r == MAIL_OK || r == MAIL_GONE);
	*all = s.all;
	*deleted = s.deleted;
	return r == MAIL_GONE ? MAIL_OK : r;
}

/* ---- sets of UIDs ---- */

enum mail_result
mailbox_uids(struct mailbox *m, uint32_t from, struct uid_set *out,
    struct why *why)
{
	struct mail_index *x = m->account->index;
	enum mail_result r;
	bool done;

	if (from == UINT32_MAX)
		return MAIL_OK;
	r = mailbox_hold_rows(m, why);
	if (r != MAIL_OK)
		return r;
	done = mail_index_uids(x, m->folder->row.number, from + 1, UINT32_MAX,
	    out);
	mail_index_release(x);
	return done ? MAIL_OK : mailbox_index_failed(m, why);
}

struct choice {
	uint32_t flags;
	uint64_t keywords;
	uint64_t since;
	bool have;
	struct uid_set *out;
};

static bool
choose_flags(void *with, const struct mail_index_message *row)
{
	struct choice *c = with;
	bool has =
	    (row->flags & c->flags) != 0 || (row->keywords & c->keywords) != 0;

	if (has == c->have)
		uid_set_add(c->out, row->uid);
	return true;
}

static bool
choose_changed(void *with, const struct mail_index_message *row)
{
	struct choice *c = with;

	if (row->modseq > c->since)
		uid_set_add(c->out, row->uid);
	return true;
}

enum mail_result
mailbox_with_flags(struct mailbox *m, const struct uid_set *among,
    uint32_t flags, uint64_t keywords, bool have, struct uid_set *out,
    struct why *why)
{
	struct mail_index *x = m->account->index;
	struct choice c = { flags, keywords, 0, have, out };
	enum mail_result r = mailbox_hold_rows(m, why);
	bool done;

	if (r != MAIL_OK)
		return r;
	done = among == NULL ?
	    mail_index_walk(x, m->folder->row.number, 0, choose_flags, &c) :
	    mail_index_walk_set(x, m->folder->row.number, among, choose_flags,
		&c);
	mail_index_release(x);
	return done ? MAIL_OK : mailbox_index_failed(m, why);
}

/* What there is of these UIDs; few of them cost little. */
static bool
still_there(struct mailbox *m, const struct uid_set *uids, struct uid_set *out)
{
	struct mail_index *x = m->account->index;
	uint32_t number = m->folder->row.number;
	bool good = true;

	if (uids->count > 64) {
		good = mail_index_uids(x, number, uids->ranges[0].first,
		    UINT32_MAX, out);
		uid_set_intersect(out, uids);
		return good;
	}
	for (size_t i = 0; good && i < uids->count; i++)
		good = mail_index_uids(x, number, uids->ranges[i].first,
		    uids->ranges[i].last, out);
	return good;
}

enum mail_result
mailbox_changed(struct mailbox *m, uint64_t since, struct uid_set *out,
    struct why *why)
{
	struct mail_index *x = m->account->index;
	struct choice c = { .since = since, .out = out };
	struct uid_set there = { 0 }, changed = { 0 };
	bool complete, found;
	enum mail_result r;

	r = mailbox_hold_rows(m, why);
	if (r != MAIL_OK)
		return r;
	r = mailbox_look(m, &found, why);
	/* one that was never told here tells nothing: all may have changed */
	if (r == MAIL_OK && since > m->folder->row.highest_modseq)
		c.since = 0;
	if (r == MAIL_OK && since != m->folder->row.highest_modseq &&
	    !mail_index_history(x, &m->folder->row, HISTORY_CHANGES, since,
		&changed, &complete))
		r = mailbox_index_failed(m, why);
	else if (r == MAIL_OK && since != m->folder->row.highest_modseq) {
		if (!(complete ? still_there(m, &changed, &there) :
				 mail_index_walk(x, m->folder->row.number, 0,
				     choose_changed, &c)))
			r = mailbox_index_failed(m, why);
	}
	mail_index_release(x);
	if (r == MAIL_OK)
		uid_set_add_set(out, &there);
	uid_set_fini(&there);
	uid_set_fini(&changed);
	return r;
}

enum mail_result
mailbox_expunged(struct mailbox *m, uint64_t since, struct uid_set *out,
    bool *complete, struct why *why)
{
	struct mail_index *x = m->account->index;
	enum mail_result r;
	bool found;

	r = mailbox_hold_rows(m, why);
	if (r != MAIL_OK)
		return r;
	r = mailbox_look(m, &found, why);
	if (r == MAIL_OK &&
	    !mail_index_history(x, &m->folder->row, HISTORY_REMOVALS, since,
		out, complete))
		r = mailbox_index_failed(m, why);
	mail_index_release(x);
	return r;
}

/* ---- what is computed from it ---- */

void
mailbox_hold(struct mailbox *m)
{
	struct why ignored;

	/* what is asked then fails, and says so */
	m->holds += mailbox_hold_rows(m, &ignored) == MAIL_OK;
}

void
mailbox_release(struct mailbox *m)
{
	if (m->holds == 0)
		return;
	m->holds--;
	mail_index_release(m->account->index);
}

void
mailbox_rest(struct mailbox *m)
{
	mail_index_rest(m->account->index);
}

struct span
mailbox_cached(struct mailbox *m, uint32_t uid, enum cache_slot slot)
{
	if (m->holds == 0)
		return (struct span){ NULL, 0 };
	return mail_index_cached(m->account->index, m->folder->row.number, uid,
	    slot);
}

void
mailbox_cache(struct mailbox *m, uint32_t uid, enum cache_slot slot,
    struct span value)
{
	if (value.n <= CACHE_VALUE_MAX && mailbox_is_current(m))
		mail_index_cache(m->account->index, m->folder->row.number, uid,
		    slot, value);
}
