/* SPDX-License-Identifier: ISC */
#include "lib/store/maildir_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/hash_table.h"
#include "lib/store/folder_uids.h"
#include "lib/store/uidl_format.h"

enum { NOTES_MAX = 256 << 20, NAME_MAX_HERE = 255 };
/* A name without flags that has room for these and for a UID. */
enum { STEM_MAX = 200 };

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
 * mailbox_sync gives every message a UID that can have one. What has none came
 * behind its back, and is told in the next session, by the UID it has then.
 */
static bool
is_too_new(const struct maildir_list *l, const struct maildir_message *m)
{
	return l->ids != NULL && l->ids->format->wants_uid && m->uid == 0 &&
	    m->stem <= STEM_MAX;
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
	if (is_too_new(l, &m))
		return;
	if (m.stem <= STEM_MAX && renameat(maildir, from, maildir, to) == 0) {
		l->took = true;
		return; /* cur is read next */
	}
	m.in_new = true;
	m.name = arena_text(l->memory, name);
	add(l, &m);
}

static int
empty_new(int maildir, struct maildir_list *l)
{
	int result = read_folder(maildir, "new", take_new, l);
	int error = errno;

	/* in cur they are, whatever the disk says */
	if (l->took)
		(void)file_system_settle_folder(maildir, "cur");
	errno = error;
	return result;
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
			m->imported = uidl_fits(note.pop3_name);
			m->guid.p = arena_span(l->memory, note.guid);
			m->guid.n = note.guid.n;
			m->unique = m->imported ?
			    arena_span(l->memory, note.pop3_name) :
			    l->ids != NULL ?
			    NULL :
			    dovecot_name(l->memory, note.uid, validity);
			if (m->size == UINT64_MAX)
				m->size = note.size;
		}
	buf_fini(&text);
}

/* UIDs that are neither in names nor Dovecot's, for ids that are made of them.
 */
static void
take_own_uids(int maildir, struct maildir_list *l, struct index *table)
{
	struct buf text = BUF_INIT(NOTES_MAX);
	uint64_t validity = 0;
	struct maildir_note note;
	struct span rest, line;

	if (l->ids == NULL || !l->ids->format->wants_uid)
		return;
	read_notes(maildir, FOLDER_UIDS_NAME, &text);
	rest = buf_span(&text);
	if (span_cut(&rest, "\n", false, &line) &&
	    maildir_uidlist_header(line, &validity) &&
	    validity == l->ids->uidvalidity)
		while (span_cut(&rest, "\n", false, &line)) {
			struct maildir_message *m;

			if (maildir_uidlist_line(line, &note) &&
			    (m = index_find(table, note.base)) != NULL &&
			    m->named_uid == 0)
				m->named_uid = (uint32_t)note.uid;
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

static const char *
formatted(struct maildir_list *l, const struct maildir_message *m)
{
	char out[STORE_UNIQUE_MAX];
	struct uidl_parts parts = {
		.uid = m->uid,
		.base = { m->name, m->base },
		.guid = m->guid,
	};

	if (l->ids == NULL || (l->ids->format->wants_uid && m->uid == 0)) {
		uidl_own_name(parts.base, out);
	} else {
		parts.uidvalidity = l->ids->uidvalidity;
		uidl_format_make(l->ids->format, &parts, out);
	}
	return arena_text(l->memory, out);
}

/* What dovecot-uidlist does not say. */
static void
name_all(struct maildir_list *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++) {
		struct maildir_message *m = &l->messages[i];

		if (l->ids != NULL && l->ids->format->wants_uid && m->uid == 0)
			m->uid = m->named_uid;
		if (is_too_new(l, m))
			continue;
		if (m->unique == NULL)
			m->unique = formatted(l, m);
		l->messages[kept++] = *m;
	}
	l->count = kept;
}

/* By unique id: the first to have it. */
struct owner {
	struct maildir_message *message;
	UT_hash_handle hh;
};

static void
claim(struct maildir_list *l, struct owner **table, struct owner *entry,
    struct maildir_message *m)
{
	struct span base = { m->name, m->base };
	char digest[STORE_UNIQUE_MAX];
	struct owner *found;

	HASH_FIND_STR(*table, m->unique, found);
	if (found != NULL) {
		uidl_digest(base, digest);
		m->unique = arena_text(l->memory, digest);
	}
	entry->message = m;
	HASH_ADD_KEYPTR(hh, *table, m->unique, strlen(m->unique), entry);
}

/*
 * Imported ids and made ones, or two imported ones, may be the same: of these
 * the first imported one stays, then the oldest. The others get a digest of
 * their names, which never is one of them.
 */
static void
part_equals(struct maildir_list *l)
{
	struct owner *table = NULL, *all;

	all = arena_alloc(l->memory, (l->count + 1) * sizeof(*all));
	for (int made = 0; made < 2; made++)
		for (size_t i = 0; i < l->count; i++)
			if (l->messages[i].imported == (made == 0))
				claim(l, &table, &all[i], &l->messages[i]);
	HASH_CLEAR(hh, table);
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
maildir_list_read(int maildir, int lists, const struct store_ids *ids,
    struct maildir_list *out)
{
	struct maildir_list l = { .memory = arena_new(), .ids = ids };
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
	take_own_uids(maildir, &l, table);
	take_sizes(maildir, table);
	HASH_CLEAR(hh, table);
	name_all(&l);
	if (l.count > 0)
		qsort(l.messages, l.count, sizeof(*l.messages), compare);
	part_equals(&l);
	l.ids = NULL;
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
