/* SPDX-License-Identifier: ISC */
#include "lib/store/maildir_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "lib/base/buf.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/store/store.h"

enum { NOTES_MAX = 256 << 20, NAME_MAX_HERE = 255 };

static DIR *
open_folder(int maildir, const char *name)
{
	int fd = openat(maildir, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d;

	if (fd == -1)
		return NULL;
	d = fdopendir(fd);
	if (d == NULL)
		fd_close(&fd);
	return d;
}

static struct maildir_message *
add(struct maildir_list *l, const struct maildir_message *m)
{
	if (l->count == l->room) {
		l->room = l->room == 0 ? 64 : 2 * l->room;
		l->messages =
		    mem_resize(l->messages, l->room * sizeof(*l->messages));
	}
	l->messages[l->count] = *m;
	return &l->messages[l->count++];
}

typedef void take_name(int maildir, struct maildir_list *l, const char *name);

static int
read_folder(int maildir, const char *folder, take_name *take,
    struct maildir_list *l)
{
	DIR *d = open_folder(maildir, folder);
	struct dirent *e;
	int error;

	if (d == NULL)
		return -1;
	while ((errno = 0, e = readdir(d)) != NULL)
		take(maildir, l, e->d_name);
	error = errno;
	closedir(d);
	errno = error;
	return error == 0 ? 0 : -1;
}

static void
take_cur(int maildir, struct maildir_list *l, const char *name)
{
	struct maildir_message m;

	(void)maildir;
	if (strlen(name) > NAME_MAX_HERE ||
	    !maildir_name_parse(span_of(name), &m))
		return;
	m.name = arena_text(l->memory, name);
	add(l, &m);
}

/*
 * A message that is in new goes to cur, as the Maildir convention wants a
 * reader to do. Where that fails (no rights, no room, too long a name) it is
 * read where it is.
 */
static void
take_new(int maildir, struct maildir_list *l, const char *name)
{
	char from[NAME_MAX_HERE + 8], to[NAME_MAX_HERE + 8], next[256];
	struct maildir_message m;

	if (strlen(name) > NAME_MAX_HERE ||
	    !maildir_name_parse(span_of(name), &m))
		return;
	maildir_name_with(name, m.stem, "", next);
	snprintf(from, sizeof(from), "new/%s", name);
	snprintf(to, sizeof(to), "cur/%s", next);
	if (m.stem <= 200 && renameat(maildir, from, maildir, to) == 0)
		return; /* cur is read next */
	m.in_new = true;
	m.name = arena_text(l->memory, name);
	add(l, &m);
}

static int
empty_new(int maildir, struct maildir_list *l)
{
	return read_folder(maildir, "new", take_new, l);
}

/* By base name, to bring notes and messages together. */
struct index {
	struct maildir_message *message;
	UT_hash_handle hh;
};

static struct index *
index_new(struct maildir_list *l)
{
	struct index *table = NULL, *entry, *all;

	all = arena_alloc(l->memory, (l->count + 1) * sizeof(*all));
	for (size_t i = 0; i < l->count; i++) {
		struct maildir_message *m = &l->messages[i];

		entry = &all[i];
		entry->message = m;
		HASH_ADD_KEYPTR(hh, table, m->name, m->base, entry);
	}
	return table;
}

static struct maildir_message *
index_find(struct index *table, struct span base)
{
	struct index *found;

	HASH_FIND(hh, table, base.p, base.n, found);
	return found == NULL ? NULL : found->message;
}

/* A file of lines beside the mail; empty when it is not there. */
static void
read_notes(int maildir, const char *name, struct buf *text)
{
	int fd = openat(maildir, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    fd_read_whole(fd, text) == -1)
		buf_reset(text);
	fd_close(&fd);
}

static bool
printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '!' || s.p[i] > '~')
			return false;
	return s.n > 0 && s.n < STORE_UNIQUE_MAX;
}

/* As Dovecot's default pop3_uidl_format, %08Xu%08Xv, so that nobody who
 * comes from there downloads everything again. */
static const char *
dovecot_name(struct arena *a, uint64_t uid, uint64_t validity)
{
	return arena_printf(a, "%08llx%08llx", (unsigned long long)uid,
	    (unsigned long long)validity);
}

static void
take_uidlist(int maildir, struct maildir_list *l, struct index *table)
{
	struct buf text = BUF_INIT(NOTES_MAX);
	uint64_t validity = 0;
	struct maildir_note note;
	struct span rest, line;

	read_notes(maildir, "dovecot-uidlist", &text);
	rest = buf_span(&text);
	if (span_cut(&rest, "\n", false, &line) &&
	    maildir_uidlist_header(line, &validity))
		while (span_cut(&rest, "\n", false, &line)) {
			struct maildir_message *m;

			if (!maildir_uidlist_line(line, &note) ||
			    (m = index_find(table, note.base)) == NULL)
				continue;
			m->uid = note.uid;
			m->unique = printable(note.pop3_name) ?
			    arena_span(l->memory, note.pop3_name) :
			    dovecot_name(l->memory, note.uid, validity);
			if (m->size == UINT64_MAX)
				m->size = note.size;
		}
	buf_fini(&text);
}

static void
take_sizes(int maildir, struct index *table)
{
	struct buf text = BUF_INIT(NOTES_MAX);
	struct maildir_note note;
	struct span rest, line;

	read_notes(maildir, "posthaste-sizes", &text);
	rest = buf_span(&text);
	while (span_cut(&rest, "\n", false, &line)) {
		struct maildir_message *m;

		if (!maildir_sizes_line(line, &note) ||
		    (m = index_find(table, note.base)) == NULL ||
		    m->size != UINT64_MAX)
			continue;
		m->size = note.size;
		m->measured = true;
	}
	buf_fini(&text);
}

/*
 * The base name without its fields, if it fits; else its digest. Either is
 * the same for as long as the file keeps its name.
 */
static const char *
own_name(struct maildir_list *l, const struct maildir_message *m)
{
	struct span base = { m->name, m->base };
	struct span first = span_take(base, span_find(base, ','));
	unsigned char digest[EVP_MAX_MD_SIZE];
	char *out;

	if (printable(first))
		return arena_span(l->memory, first);
	ensure(
	    EVP_Digest(base.p, base.n, digest, NULL, EVP_sha256(), NULL) == 1);
	out = arena_alloc(l->memory, 65);
	for (size_t i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return out;
}

/* Those with a UID first, in its order; the rest by time, then by name. */
static int
compare(const void *left, const void *right)
{
	const struct maildir_message *a = left, *b = right;

	if ((a->uid == 0) != (b->uid == 0))
		return a->uid == 0 ? 1 : -1;
	if (a->uid != b->uid)
		return a->uid < b->uid ? -1 : 1;
	if (a->seconds != b->seconds)
		return a->seconds < b->seconds ? -1 : 1;
	return strcmp(a->name, b->name);
}

int
maildir_list_read(int maildir, int lists, struct maildir_list *out)
{
	struct maildir_list l = { .memory = arena_new() };
	struct index *table;

	if (empty_new(maildir, &l) == -1 ||
	    read_folder(maildir, "cur", take_cur, &l) == -1) {
		int error = errno;

		maildir_list_free(&l);
		errno = error;
		return -1;
	}
	table = index_new(&l);
	take_uidlist(lists, &l, table);
	take_sizes(maildir, table);
	HASH_CLEAR(hh, table);
	for (size_t i = 0; i < l.count; i++)
		if (l.messages[i].unique == NULL)
			l.messages[i].unique = own_name(&l, &l.messages[i]);
	if (l.count > 0)
		qsort(l.messages, l.count, sizeof(*l.messages), compare);
	*out = l;
	return 0;
}

void
maildir_list_free(struct maildir_list *l)
{
	arena_free(&l->memory);
	free(l->messages);
	memset(l, 0, sizeof(*l));
}

bool
maildir_list_find_again(int maildir, struct maildir_list *l,
    struct maildir_message *m)
{
	static const char *const folders[] = { "cur", "new" };
	struct span base = { m->name, m->base };
	struct dirent *e;

	for (size_t i = 0; i < 2; i++) {
		DIR *d = open_folder(maildir, folders[i]);
		bool found = false;

		while (d != NULL && !found && (e = readdir(d)) != NULL) {
			struct span name = span_of(e->d_name);
			uint64_t uid;

			if (!span_equal(maildir_name_base(name, &uid), base))
				continue;
			m->name = arena_text(l->memory, e->d_name);
			m->in_new = i == 1;
			found = true;
		}
		if (d != NULL)
			closedir(d);
		if (found)
			return true;
	}
	return false;
}
