/* SPDX-License-Identifier: ISC */
/*
 * An account: its tree of folders with its index. What the tree does on disk
 * is in mail_folder_*.c; here folders that are open and the index learn of
 * it.
 */
#include "lib/store/mail_account_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/store/folder_claims.h"
#include "lib/store/mail_account_special.h"
#include "lib/store/mail_folder_tree.h"
#include "lib/store/mail_metadata.h"
#include "lib/store/mail_quota.h"
#include "lib/store/mailbox_copy_journal.h"
#include "lib/store/mailbox_internal.h"
#include "lib/store/mailbox_kind.h"
#include "lib/store/mbox_folder.h"
#include "lib/store/mbox_lock.h"

static const char index_name[] = "posthaste.index";

/* INDEX= may be a directory that is not there yet. */
static enum mail_result
open_index(struct mail_account *a, struct why *why)
{
	const struct mail_location *at = &a->tree->at;
	const char *directory = at->index == NULL ? at->path : at->index;
	char *path;

	if (at->index != NULL && mkdirat(a->tree->base, at->index, 0700) != 0 &&
	    errno != EEXIST) {
		why_errno(why, "4.2.0", "cannot make %s", at->index);
		return mail_result_of(errno);
	}
	path = mem_printf("%s/%s", directory, index_name);
	a->index = mail_index_open_at(a->tree->base, path, why);
	free(path);
	return a->index == NULL ? MAIL_FAILED : MAIL_OK;
}

static int
base_of(const struct mail_account_settings *settings)
{
	return settings->within ? settings->directory : AT_FDCWD;
}

/* What is ours lies in a directory that is no folder by its name. */
static void
take_mbox(struct mail_account *a, struct mail_location *at)
{
	free(at->control);
	free(at->index);
	free(at->inbox);
	at->control = mem_printf("%s/" MBOX_DIRECTORY, at->path);
	at->index = mem_text(at->control);
	at->inbox = NULL;
	a->kind = mailbox_kind_mbox();
	a->quota_bytes = a->quota_messages = 0;
}

static enum mail_result
open_tree(struct mail_account *a, const struct mail_account_settings *settings,
    struct why *why)
{
	struct mail_location at;
	enum mail_result r;

	if (!mail_location_parse(settings->location, &at, why))
		return MAIL_FAILED;
	if (at.mbox)
		take_mbox(a, &at);
	r = mail_tree_open(base_of(settings), &at, settings->separator, true,
	    a->tree, why);
	a->tree->inbox_alone = a->mbox.alone;
	a->tree->shared = settings->shared;
	if (r == MAIL_OK)
		/* among mbox files nothing of ours is looked for */
		a->root = a->tree->at.mbox ? a->tree->control : a->tree->root;
	else
		mail_tree_close(a->tree);
	return r;
}

enum mail_result
mail_account_open(const struct mail_account_settings *settings,
    struct mail_account **out, struct why *why)
{
	struct mail_account *a = mem_new(sizeof(*a));
	enum mail_result r;

	why_clear(why);
	*out = a;
	a->kind = mailbox_kind_maildir();
	a->root = -1;
	a->separator = settings->separator;
	if (settings->prefix != NULL)
		a->prefix = mem_text(settings->prefix);
	a->flush_flags = settings->flush_flags;
	a->uidl = settings->uidl;
	a->quota_bytes = settings->quota_bytes;
	a->quota_messages = settings->quota_messages;
	a->mbox = settings->mbox;
	if (a->mbox.locks == 0)
		a->mbox.locks = MBOX_FCNTL | MBOX_DOTLOCK;
	a->tree = mem_new(sizeof(*a->tree));
	r = open_tree(a, settings, why);
	/* a name with other letters is one that may be lost with the old one */
	if (r == MAIL_OK && file_system_is_loose(a->root))
		a->flush_flags = true;
	if (r == MAIL_OK)
		r = open_index(a, why);
	if (r == MAIL_OK)
		arriving_recover(a);
	if (r == MAIL_OK && settings->special != NULL && !a->mbox.alone)
		r = mail_account_adopt(a->tree, settings->special, why);
	if (r != MAIL_OK)
		mail_account_close(out);
	return r;
}

void
mail_account_close(struct mail_account **out)
{
	struct mail_account *a = *out;

	*out = NULL;
	if (a == NULL)
		return;
	if (a->index != NULL)
		mailbox_account_closing(a);
	mail_index_close(&a->index);
	if (a->root >= 0) {
		if (a->tree->removed)
			mail_tree_sweep(a->tree);
		mail_tree_close(a->tree);
	}
	free(a->tree);
	uid_set_fini(&a->full);
	folder_claims_free(&a->claims);
	free(a->prefix);
	free(a);
}

uint64_t
mail_account_changes(const struct mail_account *a)
{
	return a->changes;
}

char
mail_account_separator(const struct mail_account *a)
{
	return a->separator;
}

enum mail_result
mail_account_open_folder(struct mail_account *a, struct span name,
    int *directory, char **canonical, struct why *why)
{
	struct mail_directories d = { -1, -1 };
	struct mail_place p;
	enum mail_result r = mail_place_find(a->tree, name, &p);

	*directory = -1;
	*canonical = NULL;
	if (r == MAIL_BAD_NAME)
		why_set(why, "5.2.0", "this can be no folder's name");
	else
		r = mail_place_open(a->tree, &p, &d, why);
	if (r == MAIL_OK) {
		*directory = d.mail;
		*canonical = mem_text(p.name);
		d.mail = -1;
	}
	mail_directories_close(&d);
	mail_place_fini(&p);
	return r;
}

int
mail_account_open_control(struct mail_account *a, const char *canonical,
    enum mail_result *result, struct why *why)
{
	struct mail_directories d = { -1, -1 };
	struct mail_place p;

	*result = MAIL_OK;
	if (a->tree->control == a->tree->root)
		return -1;
	*result = mail_place_find(a->tree, span_of(canonical), &p);
	if (*result == MAIL_OK)
		*result = mail_place_open(a->tree, &p, &d, why);
	fd_close(&d.mail);
	mail_place_fini(&p);
	return d.control;
}

uint32_t
mail_account_new_uidvalidity(struct mail_account *a)
{
	return mail_tree_new_uidvalidity(a->tree);
}

enum mail_result
mail_folder_each(struct mail_account *a, mail_folder_visit *visit, void *with,
    struct why *why)
{
	struct mail_folder_list l = { 0 };
	enum mail_result r = mail_tree_list(a->tree, &l, why);

	for (size_t i = 0; r == MAIL_OK && i < l.count; i++)
		if (!visit(with, &l.all[i]))
			break;
	mail_folder_list_fini(&l);
	return r;
}

static enum mail_result
tell_folder(struct mail_account *a, const struct mail_place *p,
    struct mail_folder *out)
{
	struct mail_folder_list l = { 0 };
	enum mail_result r;
	struct why why;

	r = mail_tree_list(a->tree, &l, &why);
	for (size_t i = 0; r == MAIL_OK && i < l.count; i++)
		if (strcmp(l.all[i].name, p->name) == 0) {
			*out = l.all[i];
			free(a->tree->found);
			out->name = a->tree->found = mem_text(p->name);
			r = out->exists || out->has_children ? MAIL_OK :
							       MAIL_NONEXISTENT;
			mail_folder_list_fini(&l);
			return r;
		}
	mail_folder_list_fini(&l);
	return r == MAIL_OK ? MAIL_NONEXISTENT : r;
}

enum mail_result
mail_folder_find(struct mail_account *a, struct span name,
    struct mail_folder *out)
{
	struct mail_place p;
	enum mail_result r = mail_place_find(a->tree, name, &p);

	if (r == MAIL_OK && out != NULL)
		r = tell_folder(a, &p, out);
	else if (r == MAIL_OK && p.kind == PLACE_NONE &&
	    !mail_tree_has_children(a->tree, &p))
		r = MAIL_NONEXISTENT;
	mail_place_fini(&p);
	return r;
}

static enum mail_result
mark(struct mail_account *a, const char *name, unsigned int special,
    struct why *why)
{
	struct buf text = BUF_INIT(256);
	struct mail_tree *t = a->tree;
	enum mail_result r;

	special_use_text(special, &text);
	r = mail_metadata_put(t->metadata, name, METADATA_SPECIAL_USE,
	    buf_span(&text), why);
	if (r == MAIL_OK)
		r = mail_metadata_write(t->metadata, t->control, why);
	buf_fini(&text);
	return r;
}

static enum mail_result
use_is_free(struct mail_account *a, unsigned int special, struct why *why)
{
	struct mail_tree *t = a->tree;
	enum mail_result r = mail_metadata_read(t->metadata, t->control, why);
	const char *owner;

	if (r != MAIL_OK)
		return r;
	owner = mail_metadata_special_owner(t->metadata, special);
	if (owner == NULL)
		return MAIL_OK;
	why_set(why, "5.2.0", "%s has that special use", owner);
	return MAIL_NOT_ALLOWED;
}

static enum mail_result
create(struct mail_account *a, struct span name, unsigned int special,
    struct why *why)
{
	struct mail_place p = { 0 };
	enum mail_result r = MAIL_OK;

	if (special != 0)
		r = use_is_free(a, special, why);
	if (r == MAIL_OK)
		r = mail_tree_create(a->tree, name, why);
	if (r == MAIL_OK && special != 0 &&
	    (r = mail_place_find(a->tree, name, &p)) == MAIL_OK)
		r = mark(a, p.name, special, why);
	mail_place_fini(&p);
	return r;
}

enum mail_result
mail_folder_create(struct mail_account *a, struct span name,
    unsigned int special, struct why *why)
{
	enum mail_result r = mail_tree_lock(a->tree, why);

	if (r != MAIL_OK)
		return r;
	r = create(a, name, special, why);
	mail_tree_unlock(a->tree);
	return r;
}

/* What a folder is known by, open or not. */
struct known {
	unsigned char id[MAIL_INDEX_ID]; /* to the index */
	struct stat directory; /* to those who have it open */
};

static bool
know(struct mail_account *a, const struct mail_place *p, struct known *out)
{
	struct mail_directories d;
	struct folder_state state;
	bool found = false;
	struct why why;

	memset(out, 0, sizeof(*out));
	if (p->kind != PLACE_FOLDER ||
	    mail_place_open(a->tree, p, &d, &why) != MAIL_OK)
		return false;
	if (fstat(d.mail, &out->directory) == 0 &&
	    folder_state_read(d.mail, &state) == 0) {
		memcpy(out->id, state.id, MAIL_INDEX_ID);
		folder_state_fini(&state);
		found = true;
	}
	mail_directories_close(&d);
	return found;
}

/* Not a failure of the removal: rows of nothing are never asked for. */
static void
forget_rows(struct mail_account *a, const unsigned char id[MAIL_INDEX_ID])
{
	struct why why;

	if (!mail_index_begin(a->index, &why))
		return;
	(void)mail_index_folder_remove(a->index, id);
	(void)mail_index_commit(a->index, &why);
}

/*
 * Folders go, or get other names, while nobody brings messages into one: the
 * journal of who was killed at that goes by names (mailbox_copy_journal.h).
 * Where there is no room for a transaction there is none for a journal either.
 */
static bool
begin_quiet(struct mail_account *a)
{
	struct why why;

	if (!mail_index_begin(a->index, &why))
		return false;
	if (mail_index_outermost(a->index))
		arriving_heed(a);
	return true;
}

static void
end_quiet(struct mail_account *a, bool begun)
{
	struct why why;

	if (begun)
		(void)mail_index_commit(a->index, &why);
}

/* Has this directory the name, now? */
static bool
is_there(struct mail_account *a, const struct mail_place *p, int directory)
{
	struct stat st, now;

	return fstat(directory, &st) == 0 &&
	    (p->path[0] == '\0' ?
		    fstat(a->tree->inbox, &now) :
		    fstatat(a->tree->root, p->path, &now, 0)) == 0 &&
	    st.st_dev == now.st_dev && st.st_ino == now.st_ino;
}

static enum mail_result
ask(struct mail_account *a, const struct mail_place *p,
    const struct mail_permit *permit, struct why *why)
{
	struct mail_directories d;
	enum mail_result r;

	if (permit == NULL)
		return MAIL_OK;
	r = mail_place_open(a->tree, p, &d, why);
	if (r != MAIL_OK)
		return r;
	r = permit->may(permit->with, d.mail, why);
	/* of an mbox it is the directory of what we keep of it */
	if (r == MAIL_OK && !a->tree->at.mbox && !is_there(a, p, d.mail)) {
		why_set(why, "5.2.0", "another folder has that name now");
		r = MAIL_NONEXISTENT;
	}
	mail_directories_close(&d);
	return r;
}

static enum mail_result
delete_locked(struct mail_account *a, struct span name,
    const struct mail_permit *permit, struct why *why)
{
	struct known folder = { 0 };
	struct mail_place p;
	enum mail_result r = mail_place_find(a->tree, name, &p);
	bool known = r == MAIL_OK && know(a, &p, &folder);

	if (r == MAIL_OK)
		r = ask(a, &p, permit, why);
	if (r == MAIL_OK)
		r = mail_tree_remove(a->tree, name, why);
	if (r == MAIL_OK) {
		if (folder.directory.st_ino != 0)
			mailbox_folder_deleted(a, &folder.directory);
		if (known)
			forget_rows(a, folder.id);
	}
	mail_place_fini(&p);
	return r;
}

/* The index first, then the tree: so all do that need both. */
enum mail_result
mail_folder_delete_if(struct mail_account *a, struct span name,
    const struct mail_permit *permit, struct why *why)
{
	bool quiet = begin_quiet(a);
	enum mail_result r = mail_tree_lock(a->tree, why);

	if (r == MAIL_OK) {
		r = delete_locked(a, name, permit, why);
		mail_tree_unlock(a->tree);
	}
	end_quiet(a, quiet);
	if (r == MAIL_OK) {
		a->tree->removed = !mail_tree_sweep(a->tree);
		mail_quota_forget(a->root);
	}
	return r;
}

enum mail_result
mail_folder_delete(struct mail_account *a, struct span name, struct why *why)
{
	return mail_folder_delete_if(a, name, NULL, why);
}

static enum mail_result
rename_place(struct mail_account *a, const struct mail_place *from,
    const struct mail_place *to, const struct mail_permit *permit,
    struct why *why)
{
	bool quiet = begin_quiet(a);
	enum mail_result r = mail_tree_lock(a->tree, why);

	if (r == MAIL_OK) {
		r = ask(a, from, permit, why);
		if (r == MAIL_OK)
			r = mail_tree_rename(a->tree, span_of(from->name),
			    span_of(to->name), why);
		mail_tree_unlock(a->tree);
	}
	if (r == MAIL_OK)
		mailbox_folder_renamed(a, from->name, to->name);
	end_quiet(a, quiet);
	return r;
}

/* RFC 9051 section 6.3.6: what is in INBOX moves, and INBOX stays. */
static enum mail_result
move_inbox(struct mail_account *a, struct mailbox *inbox, struct mailbox *to,
    struct why *why)
{
	const struct mail_copying move = { .move = true };
	struct mail_copies copies = { 0 };
	struct uid_set all = { 0 };
	enum mail_result r = mailbox_uids(inbox, 0, &all, why);

	(void)a;
	if (r == MAIL_OK && !uid_set_empty(&all))
		r = mailbox_copy(inbox, &all, to, &move, &copies, why);
	mail_copies_fini(&copies);
	uid_set_fini(&all);
	return r;
}

/* Asked while the tree is locked, and so is the new folder made. */
static enum mail_result
rename_inbox(struct mail_account *a, const struct mail_place *from,
    struct span to, const struct mail_permit *permit, struct why *why)
{
	struct mailbox *inbox = NULL, *target = NULL;
	enum mail_result r = mail_tree_lock(a->tree, why);

	if (r != MAIL_OK)
		return r;
	r = ask(a, from, permit, why);
	if (r == MAIL_OK)
		r = create(a, to, 0, why);
	mail_tree_unlock(a->tree);
	if (r != MAIL_OK)
		return r;
	r = mailbox_open(a, SPAN("INBOX"), &inbox, why);
	if (r == MAIL_OK)
		r = mailbox_open(a, to, &target, why);
	if (r == MAIL_OK)
		r = move_inbox(a, inbox, target, why);
	mailbox_close(&target);
	mailbox_close(&inbox);
	return r;
}

enum mail_result
mail_folder_rename(struct mail_account *a, struct span from, struct span to,
    struct why *why)
{
	return mail_folder_rename_if(a, from, to, NULL, why);
}

enum mail_result
mail_folder_rename_if(struct mail_account *a, struct span from, struct span to,
    const struct mail_permit *permit, struct why *why)
{
	struct mail_place old = { 0 }, new = { 0 };
	enum mail_result r = mail_place_find(a->tree, from, &old);
	bool inbox = r == MAIL_OK && old.path[0] == '\0';

	if (inbox && a->prefix != NULL) {
		why_set(why, "5.2.0", "the INBOX of another stays as it is");
		r = MAIL_NOT_ALLOWED;
	}
	if (r == MAIL_OK)
		r = mail_place_find(a->tree, to, &new);
	if (r == MAIL_OK)
		r = inbox ?
		    rename_inbox(a, &old, span_of(new.name), permit, why) :
		    rename_place(a, &old, &new, permit, why);
	mail_place_fini(&old);
	mail_place_fini(&new);
	return r;
}

enum mail_result
mail_folder_subscribe(struct mail_account *a, struct span name, bool subscribed,
    struct why *why)
{
	return mail_subscriptions_set(a->tree, name, subscribed, why);
}

enum mail_result
mail_account_quota(struct mail_account *a, struct mail_quota *out,
    struct why *why)
{
	struct mail_quota limits = mail_account_limits(a);

	memset(out, 0, sizeof(*out));
	if (a->tree->at.mbox)
		return MAIL_OK; /* none is counted */
	return mail_quota_use(a->tree, &limits, out, why);
}
