/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: runs with the rights of the mailbox's owner, whose own links and
 * odd files may lie anywhere in the tree; none leads further than his rights.
 * Names come through folder_name.c alone.
 */
#include "lib/store/mail_folder_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/store/beneath.h"
#include "lib/store/mail_metadata.h"

enum { LOCK_WAIT_MS = 10000, LOCK_STEP_MS = 20 };

static int
open_directory(int at, const char *path)
{
	return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* mkdir -p, then open. */
static int
make_and_open(int base, const char *path)
{
	char *part = mem_text(path);
	int fd = -1;

	for (char *slash = strchr(part + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(base, part, 0700) != 0 && errno != EEXIST)
			goto out;
		*slash = '/';
	}
	if (mkdirat(base, part, 0700) == 0 || errno == EEXIST)
		fd = open_directory(base, part);
out:
	free(part);
	return fd;
}

static int
open_path(int base, const char *path, bool create)
{
	int fd = open_directory(base, path);

	return fd < 0 && errno == ENOENT && create ? make_and_open(base, path) :
						     fd;
}

/* One of the directories that may have a path of its own. */
static int
open_other(const struct mail_tree *t, const char *path, bool create)
{
	return path == NULL ? t->root : open_path(t->base, path, create);
}

static bool
open_all(struct mail_tree *t, bool create)
{
	t->root = open_path(t->base, t->at.path, create);
	if (t->root < 0)
		return false;
	t->inbox = open_other(t, t->at.inbox, create);
	t->control = open_other(t, t->at.control, create);
	return t->inbox >= 0 && t->control >= 0;
}

static bool
was_begun(const struct mail_tree *t)
{
	return faccessat(t->control, "posthaste-renames", F_OK,
		   AT_SYMLINK_NOFOLLOW) == 0;
}

enum mail_result
mail_tree_open(int base, struct mail_location *at, char separator, bool create,
    struct mail_tree *out, struct why *why)
{
	enum mail_result r = MAIL_OK;

	memset(out, 0, sizeof(*out));
	out->base = base;
	out->at = *at;
	memset(at, 0, sizeof(*at));
	out->at.naming.separator = separator;
	out->root = out->inbox = out->control = out->lock = -1;
	out->metadata = mail_metadata_new();
	if (!open_all(out, create)) {
		r = errno == ENOENT ? MAIL_NONEXISTENT : mail_result_of(errno);
		why_errno(why, "4.2.0", "cannot open the mailbox %s",
		    out->at.path);
	} else if (create && was_begun(out)) {
		r = mail_tree_rename_redo(out, why);
	}
	if (r != MAIL_OK)
		mail_tree_close(out);
	return r;
}

void
mail_tree_close(struct mail_tree *t)
{
	if (t->control != t->root)
		fd_close(&t->control);
	if (t->inbox != t->root)
		fd_close(&t->inbox);
	fd_close(&t->lock);
	fd_close(&t->root);
	mail_subscriptions_fini(&t->subscriptions);
	mail_metadata_free(&t->metadata);
	free(t->found);
	mail_location_fini(&t->at);
}

/*
 * Processes exclude each other by flock(2): it goes with its process. Tasks
 * of one process need nothing, because nothing here waits while it changes
 * the tree; so the wait itself is the process's, and short in all but a
 * pathological case.
 */
static enum mail_result
take_lock(struct mail_tree *t, struct why *why)
{
	int64_t deadline = clock_ms() + LOCK_WAIT_MS;

	if (t->lock < 0)
		t->lock = openat(t->control, "posthaste-tree.lock",
		    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		    0600);
	while (t->lock >= 0) {
		if (flock(t->lock, LOCK_EX | LOCK_NB) == 0)
			return MAIL_OK;
		if (errno != EWOULDBLOCK || clock_ms() >= deadline)
			break;
		usleep(LOCK_STEP_MS * 1000);
	}
	why_errno(why, "4.2.0", "cannot lock the folders");
	return t->lock >= 0 && errno == EWOULDBLOCK ? MAIL_IN_USE :
						      mail_result_of(errno);
}

enum mail_result
mail_tree_lock(struct mail_tree *t, struct why *why)
{
	enum mail_result r;

	if (t->locked > 0) {
		t->locked++;
		return MAIL_OK;
	}
	r = take_lock(t, why);
	if (r != MAIL_OK)
		return r;
	t->locked = 1;
	/* of one that was killed, or that failed */
	if (was_begun(t) && (r = mail_tree_rename_redo(t, why)) != MAIL_OK)
		mail_tree_unlock(t);
	return r;
}

void
mail_tree_unlock(struct mail_tree *t)
{
	if (--t->locked == 0)
		flock(t->lock, LOCK_UN);
}

static bool
is_directory(int at, const char *path)
{
	struct stat st;

	return fstatat(at, path, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static enum mail_place_kind
kind_of(const struct mail_tree *t, const char *path)
{
	char *cur;
	bool folder;

	if (t->at.mbox)
		return mail_tree_mbox_kind(t, path);
	if (!is_directory(t->root, path))
		return PLACE_NONE;
	if (!t->at.naming.fs)
		return PLACE_FOLDER;
	cur = mem_printf("%s/cur", path);
	folder = is_directory(t->root, cur);
	free(cur);
	return folder ? PLACE_FOLDER : PLACE_PARENT;
}

/* True where something is. The first form is remembered for what is not. */
static bool
try_forms(struct mail_tree *t, struct span name, struct mail_place *out)
{
	struct buf path = BUF_INIT(2 * FOLDER_PATH_MAX);
	bool found = false;

	for (enum folder_form f = 0; f < FOLDER_FORMS && !found; f++) {
		enum mail_place_kind kind;

		if (!folder_name_path(&t->at.naming, name, f, &path) ||
		    (out->path != NULL &&
			strcmp(out->path, buf_text(&path)) == 0))
			continue;
		kind = kind_of(t, buf_text(&path));
		found = kind != PLACE_NONE;
		if (out->path != NULL && !found)
			continue;
		free(out->path);
		free(out->name);
		out->path = mem_text(buf_text(&path));
		out->name = mem_span_text(name);
		out->kind = kind;
	}
	buf_fini(&path);
	return found;
}

enum mail_result
mail_place_find(struct mail_tree *t, struct span name, struct mail_place *out)
{
	struct buf clean = BUF_INIT(2 * FOLDER_NAME_MAX);
	struct mail_place other = { 0 };

	memset(out, 0, sizeof(*out));
	if (folder_name_clean(&t->at.naming, name, &clean)) {
		if (span_is(buf_span(&clean), "INBOX"))
			*out = (struct mail_place){ mem_text("INBOX"),
				mem_text(""), PLACE_FOLDER };
		else
			try_forms(t, buf_span(&clean), out);
	}
	/* others may have made it in another normal form */
	if (out->kind == PLACE_NONE && !span_is_ascii(name) &&
	    folder_name_check(&t->at.naming, name, &clean) &&
	    try_forms(t, buf_span(&clean), &other)) {
		mail_place_fini(out);
		*out = other;
	} else {
		mail_place_fini(&other);
	}
	buf_fini(&clean);
	return out->path == NULL ? MAIL_BAD_NAME : MAIL_OK;
}

void
mail_place_fini(struct mail_place *p)
{
	free(p->name);
	free(p->path);
	memset(p, 0, sizeof(*p));
}

static bool
complete(int mail)
{
	static const char *const parts[] = { "cur", "new", "tmp" };

	for (size_t i = 0; i < 3; i++)
		if (mkdirat(mail, parts[i], 0700) != 0 && errno != EEXIST)
			return false;
	return true;
}

const char *
mail_tree_control_path(const struct mail_tree *t, const char *path)
{
	if (path[0] != '\0')
		return path;
	return t->at.naming.fs ? "INBOX" : ".INBOX";
}

static bool
open_control(struct mail_tree *t, const struct mail_place *p, int *control)
{
	const char *path = mail_tree_control_path(t, p->path);

	if (t->control == t->root)
		return true;
	(void)beneath_make(t->control, path, 0700);
	*control = open_directory(t->control, path);
	return *control >= 0;
}

static enum mail_result
open_failed(struct mail_directories *d, struct why *why)
{
	enum mail_result r =
	    errno == ENOENT ? MAIL_NONEXISTENT : mail_result_of(errno);

	why_errno(why, "4.2.0", "cannot open the folder");
	mail_directories_close(d);
	return r;
}

enum mail_result
mail_place_open(struct mail_tree *t, const struct mail_place *p,
    struct mail_directories *out, struct why *why)
{
	*out = (struct mail_directories){ -1, -1 };
	if (p->kind != PLACE_FOLDER) {
		why_set(why, "5.2.0", "there is no such folder");
		return MAIL_NONEXISTENT;
	}
	if (t->at.mbox) {
		if (open_control(t, p, &out->mail))
			return MAIL_OK;
		return open_failed(out, why);
	}
	out->mail = p->path[0] == '\0' ? open_directory(t->inbox, ".") :
					 open_directory(t->root, p->path);
	if (out->mail >= 0 &&
	    (faccessat(out->mail, "tmp", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
		complete(out->mail)) &&
	    open_control(t, p, &out->control))
		return MAIL_OK;
	return open_failed(out, why);
}

void
mail_directories_close(struct mail_directories *d)
{
	fd_close(&d->mail);
	fd_close(&d->control);
}
