/* SPDX-License-Identifier: ISC */
/* Folders that are open, and their handles. */
#include "lib/store/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mail_folder_tree.h"
#include "lib/store/mailbox_internal.h"
#include "lib/store/mailbox_kind.h"
#include "lib/store/mailbox_state.h"

enum mail_result
mailbox_disk_failed(const char *what, struct why *why)
{
	why_errno(why, errno == ENOSPC || errno == EDQUOT ? "4.2.2" : "4.2.0",
	    "%s", what);
	return mail_result_of(errno);
}

enum mail_result
mailbox_index_failed(struct mailbox *m, struct why *why)
{
	mail_index_why(m->account->index, why);
	return mail_index_full(m->account->index) ? MAIL_NO_ROOM : MAIL_FAILED;
}

void
mail_account_prepare(void)
{
	mail_index_prepare();
}

/* ---- open folders ---- */

static void
folder_free(struct mailbox_folder *f)
{
	(void)begun_flush_end(&f->begun);
	mailbox_unwatch(f);
	mailbox_keywords_free(f);
	mailbox_names_free(f);
	f->account->kind->close(f);
	folder_state_fini(&f->state);
	uid_set_fini(&f->changed);
	uid_set_fini(&f->removed);
	uid_set_fini(&f->arrived);
	buf_fini(&f->uidlist_lines);
	free(f->told);
	free(f->name);
	free(f);
}

static void
folder_leave(struct mailbox_folder *f)
{
	struct mailbox_folder **at = &f->account->folders;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	mailbox_flushed_keep(f);
	folder_free(f);
}

static enum mail_result
open_files(struct mailbox_folder *f, int directory, struct why *why)
{
	enum mail_result r = f->account->kind->open(f, directory, why);

	if (r == MAIL_OK && mailbox_state_read(f) == -1)
		r = mailbox_disk_failed("cannot open the mailbox", why);
	return r;
}

static enum mail_result
folder_open(struct mail_account *a, int directory, char *name,
    struct mailbox_folder **out, struct why *why)
{
	struct mailbox_folder *f = mem_new(sizeof(*f));
	enum mail_result r;
	struct stat st;

	f->account = a;
	f->name = name;
	f->watch_cur = f->watch_new = -1;
	f->files.dir = f->files.cur = f->files.control = -1;
	buf_init(&f->uidlist_lines, 256 << 20);
	r = fstat(directory, &st) == 0 ?
	    open_files(f, directory, why) :
	    mailbox_disk_failed("cannot open the mailbox", why);
	if (r != MAIL_OK) {
		folder_free(f);
		return r;
	}
	f->device = st.st_dev;
	f->inode = st.st_ino;
	f->next = a->folders;
	a->folders = f;
	*out = f;
	return MAIL_OK;
}

/* ---- by directory, whatever its name ---- */

/* As long as it is open no other directory has its numbers. */
static bool
is_directory(const struct mailbox_folder *f, const struct stat *st)
{
	return !f->deleted && f->device == st->st_dev && f->inode == st->st_ino;
}

static struct mailbox_folder *
find_open(struct mail_account *a, int directory)
{
	struct mailbox_folder *f = NULL;
	struct stat st;

	if (fstat(directory, &st) == 0)
		for (f = a->folders; f != NULL && !is_directory(f, &st);)
			f = f->next;
	return f;
}

static struct mailbox_folder *
find_at(struct mail_account *a, const char *name)
{
	struct mailbox_folder *f;
	struct why ignored;
	char *canonical;
	int directory;

	if (mail_account_open_folder(a, span_of(name), &directory, &canonical,
		&ignored) != MAIL_OK)
		return NULL;
	f = find_open(a, directory);
	fd_close(&directory);
	free(canonical);
	return f;
}

static bool
has_name(struct mail_account *a, const char *name)
{
	for (struct mailbox_folder *f = a->folders; f != NULL; f = f->next)
		if (!f->deleted && strcmp(f->name, name) == 0)
			return true;
	return false;
}

static void
take_name(struct mailbox_folder *f, const char *name)
{
	char *copy = mem_text(name);

	free(f->name);
	free(f->told);
	f->told = NULL;
	f->name = copy;
	f->lost = false;
}

static void
end_folder(struct mailbox_folder *f)
{
	f->deleted = true;
	f->account->changes++;
	f->unflushed = f->unflushed_state = false;
	mailbox_unwatch(f);
	if (f->handles == 0)
		folder_leave(f);
}

static bool
take_listed(void *with, const struct mail_folder *folder)
{
	struct mail_account *a = with;
	struct mailbox_folder *f =
	    folder->exists ? find_at(a, folder->name) : NULL;

	if (f != NULL && f->lost)
		take_name(f, folder->name);
	return true;
}

/* While the tree is locked: what is in it is not between two names. */
static void
find_lost(struct mail_account *a)
{
	struct mailbox_folder *f, *next;
	bool whole;
	struct why why;

	if (mail_tree_lock(a->tree, &why) != MAIL_OK)
		return;
	whole = mail_folder_each(a, take_listed, a, &why) == MAIL_OK;
	mail_tree_unlock(a->tree);
	for (f = a->folders; whole && f != NULL; f = next) {
		next = f->next;
		if (f->lost)
			end_folder(f);
	}
}

/* Which of those that are open are not where they were? */
static void
follow_all(struct mail_account *a)
{
	bool lost = false;

	for (struct mailbox_folder *f = a->folders; f != NULL; f = f->next) {
		f->lost = !f->deleted && find_at(a, f->name) != f;
		lost = lost || f->lost;
	}
	if (lost)
		find_lost(a);
}

void
mailbox_follow(struct mailbox *m)
{
	if (!m->folder->deleted &&
	    find_at(m->account, m->folder->name) != m->folder)
		follow_all(m->account);
}

/* ---- kept for the next who opens it ---- */

enum { KEPT = 4 };

/*
 * Others have changed cur since we looked. Where our own stamp of it is still
 * the directory's, it says nothing: who opens it next is to read the names.
 */
static void
disown(struct mailbox_folder *f)
{
	struct mailbox m = { .account = f->account, .folder = f };
	struct mail_stamp cur;
	struct why why;

	if (f->deleted || !f->dirty_cur ||
	    f->account->kind->stamp(f, &cur) == -1 ||
	    !mail_stamp_equal(&cur, &f->row.cur) ||
	    mailbox_begin_unloaded(&m, &why) != MAIL_OK)
		return;
	memset(&f->row.cur, 0, sizeof(f->row.cur));
	(void)mailbox_commit(&m, &why);
}

/* The watch goes on until nothing can happen that the stamp does not tell. */
static void
let_go(struct mailbox_folder *f)
{
	static const struct timespec tick = { .tv_nsec = 5000000 };

	if (f->watch_cur != -1 && !mail_stamp_settled(&f->row.cur))
		(void)nanosleep(&tick, NULL);
	mail_account_heed(f->account);
	disown(f);
	folder_leave(f);
}

/*
 * The last few that were closed stay open, and watched: a client that files
 * message after message in one folder opens it each time.
 */
static void
keep(struct mailbox_folder *f)
{
	struct mailbox_folder *oldest = NULL;
	unsigned int kept = 0;

	if (f->deleted) {
		folder_leave(f);
		return;
	}
	f->closed = ++f->account->closings;
	for (f = f->account->folders; f != NULL; f = f->next) {
		if (f->handles > 0)
			continue;
		kept++;
		if (oldest == NULL || f->closed < oldest->closed)
			oldest = f;
	}
	if (kept > KEPT)
		let_go(oldest);
}

/* ---- handles ---- */

const char *
mailbox_name_now(struct mailbox *m)
{
	mailbox_follow(m);
	return mailbox_name(m);
}

bool
mailbox_is_deleted(const struct mailbox *m)
{
	return m->folder->deleted;
}

enum mail_result
mailbox_open(struct mail_account *a, struct span name, struct mailbox **out,
    struct why *why)
{
	struct mailbox_folder *f;
	struct mailbox *m;
	char *canonical;
	int directory;
	enum mail_result r =
	    mail_account_open_folder(a, name, &directory, &canonical, why);

	*out = NULL;
	if (r != MAIL_OK)
		return r;
	f = find_open(a, directory);
	/* ours from here on: what is not found when others have renamed
	 * something is given up, and freed where nobody has a handle */
	if (f != NULL)
		f->handles++;
	if (f == NULL ? has_name(a, canonical) : strcmp(f->name, canonical))
		follow_all(a);
	if (f != NULL) {
		fd_close(&directory);
		free(canonical);
	} else if ((r = folder_open(a, directory, canonical, &f, why)) !=
	    MAIL_OK) {
		return r;
	} else {
		f->handles++;
	}
	/* a network's file system tells a watch of nothing */
	if (f->watchers == 0)
		f->unproven = true;
	m = mem_new(sizeof(*m));
	m->account = a;
	m->folder = f;
	r = mailbox_sync(m, why);
	if (r != MAIL_OK)
		mailbox_close(&m);
	*out = m;
	return r;
}

void
mailbox_close(struct mailbox **mp)
{
	struct mailbox *m = *mp;
	struct why why;

	*mp = NULL;
	if (m == NULL)
		return;
	/* what was read of it may be told yet; a failure is remembered */
	if (m->folder->handles == 1)
		(void)mail_account_settle(m->account, &why);
	mailbox_read_ahead_end(m);
	mailbox_watch(m, false);
	while (m->holds > 0)
		mailbox_release(m);
	if (--m->folder->handles == 0)
		keep(m->folder);
	free(m);
}

struct mail_account *
mailbox_account(const struct mailbox *m)
{
	return m->account;
}

const char *
mailbox_name(const struct mailbox *m)
{
	struct mailbox_folder *f = m->folder;

	if (m->account->prefix == NULL)
		return f->name;
	if (f->told == NULL)
		f->told = mem_printf("%s%s", m->account->prefix, f->name);
	return f->told;
}

void
mailbox_folder_renamed(struct mail_account *a, const char *from, const char *to)
{
	size_t n = strlen(from);

	for (struct mailbox_folder *f = a->folders; f != NULL; f = f->next) {
		char *name;

		if (f->deleted || strncmp(f->name, from, n) != 0 ||
		    (f->name[n] != '\0' && f->name[n] != a->separator))
			continue;
		name = mem_printf("%s%s", to, f->name + n);
		take_name(f, name);
		free(name);
	}
	follow_all(a);
}

void
mailbox_folder_deleted(struct mail_account *a, const struct stat *directory)
{
	struct mailbox_folder *f = a->folders;

	while (f != NULL && !is_directory(f, directory))
		f = f->next;
	if (f == NULL)
		return;
	if (mail_index_begin(a->index, NULL)) {
		(void)mail_index_folder_remove(a->index, f->state.id);
		(void)mail_index_commit(a->index, NULL);
	}
	end_folder(f);
}

void
mailbox_account_closing(struct mail_account *a)
{
	struct why why;

	(void)mail_account_settle(a, &why);
	while (a->folders != NULL) {
		ensure(a->folders->handles == 0);
		let_go(a->folders);
	}
	mailbox_watch_free(a);
}
