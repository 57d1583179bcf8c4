/* SPDX-License-Identifier: ISC */
/*
 * Making and removing folders. A folder is made complete in tmp and renamed to
 * its place; it is removed by a rename to tmp, so that it is there or not,
 * whenever the process is killed. doc/DURABILITY.md has the steps.
 */
#include "lib/store/mail_folder_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/base/process.h"
#include "lib/store/beneath.h"
#include "lib/store/mail_metadata.h"

enum { SWEEP_MAX = 10000, ASIDE_NAME_MAX = 100 };

static const char removed[] = "posthaste-removed.";
static const char uidlist_name[] = "dovecot-uidlist";

static enum mail_result
failed(struct why *why, const char *what)
{
	why_errno(why, "4.2.0", "cannot %s", what);
	return mail_result_of(errno);
}

static bool
may_exist(int result)
{
	return result == 0 || errno == EEXIST;
}

/*
 * Dovecot keeps a list of the folders, which it believes for ever (seen with
 * 2.3.19) but makes anew when it is missing: without that a site that goes
 * back would see folders that are gone.
 */
static void
drop_foreign_list(struct mail_tree *t)
{
	static const char *const names[] = { "dovecot.list.index",
		"dovecot.list.index.log", "dovecot.list.index.log.2" };
	int at = t->at.index == NULL ?
	    t->root :
	    openat(t->base, t->at.index, O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		(void)!unlinkat(at, names[i], 0);
	if (at != t->root)
		fd_close(&at);
}

int
mail_tree_flush(struct mail_tree *t, const char *path)
{
	const char *slash = strrchr(path, '/');
	int fd, result;
	char *above;

	drop_foreign_list(t);
	if (slash == NULL)
		return fsync(t->root);
	above = mem_span_text((struct span){ path, (size_t)(slash - path) });
	fd = openat(t->root, above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(above);
	result = fd < 0 ? -1 : fsync(fd);
	fd_close(&fd);
	return result;
}

/*
 * A name in tmp that nobody has. What is left of a killed process is removed
 * by mail_tree_sweep, for which new folders look like removed ones.
 */
static bool
aside_name(struct mail_tree *t, char out[ASIDE_NAME_MAX])
{
	static unsigned int number;

	if (!may_exist(mkdirat(t->root, "tmp", 0700)))
		return false;
	snprintf(out, ASIDE_NAME_MAX, "tmp/%s%lld.%ld.%u", removed,
	    (long long)clock_wall_us(), (long)process_id(), number++);
	return true;
}

static int
make_empty_file(int at, const char *name)
{
	int fd =
	    openat(at, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int result = fd < 0 ? -1 : 0;

	fd_close(&fd);
	return result;
}

static int
make_parts(int at, bool plus)
{
	/* under fs the last one makes a folder of it */
	static const char *const parts[] = { "tmp", "new", "cur" };

	for (size_t i = 0; i < 3; i++)
		if (!may_exist(mkdirat(at, parts[i], 0700)))
			return -1;
	/* "maildirfolder": this is none that mail is delivered to by default */
	return plus ? make_empty_file(at, "maildirfolder") : 0;
}

/* Has INBOX a list of UIDs? */
static bool
has_uidlists(struct mail_tree *t)
{
	char *path;
	bool found;

	if (t->control == t->root)
		return faccessat(t->inbox, uidlist_name, F_OK,
			   AT_SYMLINK_NOFOLLOW) == 0;
	path = mem_printf("%s/%s", mail_tree_control_path(t, ""), uidlist_name);
	found = faccessat(t->control, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	free(path);
	return found;
}

static int
write_uidlist(struct mail_tree *t, int at)
{
	unsigned char id[16];
	char text[96];
	int fd, n, result;

	ensure(getrandom(id, sizeof(id), 0) == sizeof(id));
	n = snprintf(text, sizeof(text), "3 V%u N1 G",
	    mail_tree_new_uidvalidity(t));
	for (size_t i = 0; i < sizeof(id); i++)
		n +=
		    snprintf(text + n, sizeof(text) - (size_t)n, "%02x", id[i]);
	text[n++] = '\n';
	fd = openat(at, uidlist_name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	result = fd < 0 ? -1 : fd_write_all(fd, text, (size_t)n);
	fd_close(&fd);
	return result;
}

/*
 * Where Dovecot was, new folders have its list of UIDs too: it goes on from
 * there, should it come back. "at" is the folder to be.
 */
static int
make_uidlist(struct mail_tree *t, int at, const char *path)
{
	int control, result;

	if (!has_uidlists(t))
		return 0;
	if (t->control == t->root)
		return write_uidlist(t, at);
	if (beneath_make(t->control, path, 0700) != 0)
		return -1;
	control = openat(t->control, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	result = control < 0 ? -1 : write_uidlist(t, control);
	fd_close(&control);
	return result;
}

static int
rename_new(int root, const char *from, const char *to)
{
	if (renameat2(root, from, root, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return renameat(root, from, root, to);
}

static int
make_aside(struct mail_tree *t, const char *path)
{
	char aside[ASIDE_NAME_MAX];
	int fd, result = -1;

	if (!aside_name(t, aside) || mkdirat(t->root, aside, 0700) != 0)
		return -1;
	fd = openat(t->root, aside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && make_uidlist(t, fd, path) == 0 &&
	    make_parts(fd, !t->at.naming.fs) == 0)
		result = rename_new(t->root, aside, path);
	fd_close(&fd);
	return result;
}

/* Entries of a directory under fs that are the folder's and no children. */
static bool
belongs(int at, const char *name)
{
	struct stat st;

	if (strcmp(name, "new") == 0 || strcmp(name, "tmp") == 0 ||
	    strcmp(name, "cur") == 0)
		return true;
	return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode);
}

/* Moves the folder out of a directory that stays. cur goes first: from then
 * on it is no folder. */
static int
move_parts_aside(struct mail_tree *t, const char *path)
{
	char aside[ASIDE_NAME_MAX];
	int from = -1, to = -1, result = -1;
	struct dirent *e;
	DIR *d = NULL;

	if (!aside_name(t, aside) || mkdirat(t->root, aside, 0700) != 0)
		return -1;
	from = openat(t->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	to = openat(t->root, aside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0 || to < 0 ||
	    (renameat(from, "cur", to, "cur") != 0 && errno != ENOENT) ||
	    (d = fdopendir(from)) == NULL)
		goto out;
	result = 0;
	while ((e = readdir(d)) != NULL)
		if (belongs(dirfd(d), e->d_name) &&
		    renameat(dirfd(d), e->d_name, to, e->d_name) != 0)
			result = -1;
	closedir(d);
	from = -1;
out:
	fd_close(&from);
	fd_close(&to);
	return result;
}

/*
 * A directory that had children only becomes a folder. What a removal that
 * was cut short has left in it is not taken for new mail.
 */
static int
make_of_parent(struct mail_tree *t, const char *path)
{
	int fd, result;

	if (move_parts_aside(t, path) != 0)
		return -1;
	fd = openat(t->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	result = -1;
	if (fd >= 0 && make_uidlist(t, fd, path) == 0)
		result = make_parts(fd, false);
	fd_close(&fd);
	return result;
}

/* Files of a control directory of its own; what stays is children. */
static void
clear_control(struct mail_tree *t, const char *path)
{
	int fd;
	struct dirent *e;
	DIR *d;

	if (t->control == t->root)
		return;
	fd = openat(t->control, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (d == NULL) {
		fd_close(&fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (belongs(dirfd(d), e->d_name))
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	unlinkat(t->control, path, AT_REMOVEDIR);
}

/* Metadata of a name that is new, or gone. */
static enum mail_result
forget_metadata(struct mail_tree *t, const char *name, struct why *why)
{
	enum mail_result r = mail_metadata_read(t->metadata, t->control, why);

	if (r == MAIL_OK && mail_metadata_forget(t->metadata, name))
		r = mail_metadata_write(t->metadata, t->control, why);
	return r;
}

static enum mail_result
make_one(struct mail_tree *t, struct mail_place *p, struct why *why)
{
	enum mail_result r = forget_metadata(t, p->name, why);
	int made;

	if (r != MAIL_OK)
		return r;
	clear_control(t, p->path);
	made = p->kind == PLACE_PARENT ? make_of_parent(t, p->path) :
					 make_aside(t, p->path);
	if (made != 0 && (errno == EEXIST || errno == ENOTEMPTY))
		return MAIL_EXISTS;
	/* of a directory with two names e2fsck takes one: not that in tmp */
	if (made != 0 || mail_tree_flush(t, p->path) != 0 ||
	    file_system_settle_folder(t->root, "tmp") != 0)
		return failed(why, "create the folder");
	p->kind = PLACE_FOLDER;
	return MAIL_OK;
}

/*
 * A file has no children, and a directory no messages: parents are directories
 * alone.
 */
static enum mail_result
make_parents(struct mail_tree *t, const char *path, struct why *why)
{
	char *part = mem_text(path);
	enum mail_result r = MAIL_OK;

	for (char *slash = strchr(part, '/'); r == MAIL_OK && slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mail_tree_mbox_make(t, part, false) != 0 &&
		    errno == ENOTDIR) {
			why_set(why, "5.2.0",
			    "%s is a file, and cannot have children", part);
			r = MAIL_NOT_ALLOWED;
		} else if (mail_tree_mbox_kind(t, part) != PLACE_PARENT) {
			r = failed(why, "create the folder");
		}
		*slash = '/';
	}
	free(part);
	return r;
}

static enum mail_result
make_mbox(struct mail_tree *t, struct mail_place *p, struct why *why)
{
	enum mail_result r;

	if (t->inbox_alone) {
		why_set(why, "5.2.0", "there is no place for other folders");
		return MAIL_NOT_ALLOWED;
	}
	if (p->kind == PLACE_PARENT)
		return MAIL_EXISTS;
	r = forget_metadata(t, p->name, why);
	if (r == MAIL_OK)
		r = make_parents(t, p->path, why);
	if (r != MAIL_OK)
		return r;
	clear_control(t, p->path);
	if (mail_tree_mbox_make(t, p->path, true) != 0 ||
	    mail_tree_flush(t, p->path) != 0)
		return errno == EEXIST ? MAIL_EXISTS :
					 failed(why, "create the folder");
	p->kind = PLACE_FOLDER;
	return MAIL_OK;
}

enum mail_result
mail_tree_make(struct mail_tree *t, struct mail_place *p, struct why *why)
{
	struct span above = folder_name_parent(&t->at.naming, span_of(p->name));
	enum mail_result r = MAIL_OK;
	struct mail_place parent;

	if (p->kind == PLACE_FOLDER)
		return MAIL_OK;
	if (t->at.mbox)
		return make_mbox(t, p, why);
	if (above.n > 0) {
		r = mail_place_find(t, above, &parent);
		if (r == MAIL_OK)
			r = mail_tree_make(t, &parent, why);
		/* children of INBOX lie in a directory that is no folder */
		if (r == MAIL_OK && parent.path[0] == '\0' && t->at.naming.fs &&
		    !may_exist(mkdirat(t->root, "INBOX", 0700)))
			r = failed(why, "create the folder");
		mail_place_fini(&parent);
	}
	return r == MAIL_OK ? make_one(t, p, why) : r;
}

enum mail_result
mail_tree_create(struct mail_tree *t, struct span name, struct why *why)
{
	struct mail_place p = { 0 };
	enum mail_result r = mail_tree_lock(t, why);

	if (r != MAIL_OK)
		return r;
	r = mail_place_find(t, name, &p);
	if (r == MAIL_OK && p.kind == PLACE_FOLDER)
		r = MAIL_EXISTS;
	if (r == MAIL_OK)
		r = mail_tree_make(t, &p, why);
	mail_place_fini(&p);
	mail_tree_unlock(t);
	return r;
}

/* Has the directory others in it that are no part of the folder? */
static bool
holds_others(struct mail_tree *t, const char *path)
{
	int fd = openat(t->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	bool found = false;
	struct dirent *e;

	if (d == NULL) {
		fd_close(&fd);
		return false;
	}
	while (!found && (e = readdir(d)) != NULL)
		found = strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0 &&
		    !belongs(dirfd(d), e->d_name);
	closedir(d);
	return found;
}

/* A link to somebody's folder goes, not what it leads to. */
static int
move_aside(struct mail_tree *t, const char *path)
{
	char aside[ASIDE_NAME_MAX];
	struct stat st;

	if (fstatat(t->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		return unlinkat(t->root, path, 0);
	if (t->at.naming.fs && holds_others(t, path))
		return move_parts_aside(t, path);
	return aside_name(t, aside) ? renameat(t->root, path, t->root, aside) :
				      -1;
}

static enum mail_result
remove_place(struct mail_tree *t, const struct mail_place *p, struct why *why)
{
	if (p->path[0] == '\0') {
		why_set(why, "5.2.0", "INBOX cannot be deleted");
		return MAIL_NOT_ALLOWED;
	}
	if (p->kind != PLACE_FOLDER && mail_tree_has_children(t, p)) {
		why_set(why, "5.2.0", "it has children");
		return MAIL_HAS_CHILDREN;
	}
	if (p->kind == PLACE_NONE) {
		why_set(why, "5.2.0", "there is no such folder");
		return MAIL_NONEXISTENT;
	}
	if ((t->at.mbox ? mail_tree_mbox_remove(t, p) :
			  move_aside(t, p->path)) != 0 ||
	    mail_tree_flush(t, p->path) != 0)
		return failed(why, "delete the folder");
	clear_control(t, p->path);
	return forget_metadata(t, p->name, why);
}

enum mail_result
mail_tree_remove(struct mail_tree *t, struct span name, struct why *why)
{
	struct mail_place p = { 0 };
	enum mail_result r = mail_tree_lock(t, why);

	if (r != MAIL_OK)
		return r;
	r = mail_place_find(t, name, &p);
	if (r == MAIL_OK)
		r = remove_place(t, &p, why);
	mail_place_fini(&p);
	mail_tree_unlock(t);
	return r;
}

/* Depth first, within the budget; false: something is left. */
static bool
sweep_into(int at, const char *name, unsigned int depth, unsigned int *budget)
{
	int fd =
	    openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (d == NULL) {
		fd_close(&fd);
		return false;
	}
	while (*budget > 0 && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		--*budget;
		if (unlinkat(dirfd(d), e->d_name, 0) != 0 && depth > 0)
			sweep_into(dirfd(d), e->d_name, depth - 1, budget);
	}
	closedir(d);
	return unlinkat(at, name, AT_REMOVEDIR) == 0;
}

/*
 * Under the lock, so that no folder is removed that another process is about
 * to put in its place.
 */
bool
mail_tree_sweep(struct mail_tree *t)
{
	unsigned int budget = SWEEP_MAX;
	bool done = true;
	struct dirent *e;
	struct why why;
	DIR *d;
	int fd;

	if (t->at.mbox) /* it may be anybody's */
		return true;
	fd = openat(t->root, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (d == NULL) {
		fd_close(&fd);
		return true;
	}
	if (mail_tree_lock(t, &why) == MAIL_OK) {
		while ((e = readdir(d)) != NULL)
			if (strncmp(e->d_name, removed, strlen(removed)) == 0)
				done = sweep_into(dirfd(d), e->d_name,
					   FOLDER_LEVELS_MAX, &budget) &&
				    done;
		mail_tree_unlock(t);
	}
	closedir(d);
	return done;
}
