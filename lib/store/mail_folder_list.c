/* SPDX-License-Identifier: ISC */
#include "lib/store/mail_folder_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/store/mail_metadata.h"

static struct mail_folder *
add(struct mail_folder_list *l, const char *name)
{
	struct mail_folder *f;

	if (l->count == l->room) {
		l->room = l->room == 0 ? 32 : 2 * l->room;
		l->all = mem_resize(l->all, l->room * sizeof(*l->all));
	}
	f = &l->all[l->count++];
	*f = (struct mail_folder){ .name = arena_text(l->memory, name) };
	return f;
}

static void
found(struct mail_folder_list *l, const char *path, const char *name,
    bool selectable)
{
	struct mail_folder *f;

	if (l->visitor != NULL) {
		l->visitor->folder(l->visitor->with, path);
		return;
	}
	f = add(l, name);
	f->exists = true;
	f->selectable = selectable;
}

static bool
is_link(int at, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_LNK;
	return fstatat(at, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode);
}

static struct dirent *
next_entry(struct mail_folder_list *l, DIR *d)
{
	if (l->visitor != NULL && !l->visitor->entry(l->visitor->with))
		return NULL;
	return readdir(d);
}

/* Links to directories count: shared folders are made so. */
static bool
is_directory(int at, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_LNK && e->d_type != DT_UNKNOWN)
		return e->d_type == DT_DIR;
	return fstatat(at, e->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static DIR *
open_below(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d == NULL)
		fd_close(&fd);
	return d;
}

static void
tell_odd(struct mail_folder_list *l, const char *path)
{
	if (l->odd != NULL)
		l->odd(l->odd_with, path);
}

/* ".Sent.2024" below the root. */
static int
list_plus(struct mail_tree *t, struct mail_folder_list *l)
{
	struct buf name = BUF_INIT(2 * FOLDER_PATH_MAX);
	DIR *d = open_below(t->root, ".");
	struct dirent *e;

	if (d == NULL)
		return -1;
	while ((e = next_entry(l, d)) != NULL) {
		if (e->d_name[0] != '.' || strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 || !is_directory(dirfd(d), e))
			continue;
		if (!folder_name_of(&t->at.naming, span_of(e->d_name), &name)) {
			tell_odd(l, e->d_name);
			continue;
		}
		found(l, e->d_name, buf_text(&name), true);
	}
	closedir(d);
	buf_fini(&name);
	return 0;
}

/*
 * Directories that are reached by links, in one walk: links that lead to links,
 * or up, make more of them than anybody could list, 2^32 of 64 links.
 */
enum { LINKED_MAX = 10000 };

/* A walk through directories in directories. */
struct walk {
	struct mail_tree *tree;
	struct mail_folder_list *list;
	struct buf path; /* where we are, "" at the root */
	struct buf name; /* room */
	unsigned int links; /* that lead to where we are */
	unsigned int linked; /* directories behind links so far */
};

static bool
is_part(const char *name)
{
	return strcmp(name, "cur") == 0 || strcmp(name, "new") == 0 ||
	    strcmp(name, "tmp") == 0;
}

static void walk_directory(struct walk *w, size_t depth);

static void
walk_inside(struct walk *w, size_t depth)
{
	const char *path = buf_text(&w->path);

	if (strcmp(path, "INBOX") != 0) {
		if (depth > FOLDER_LEVELS_MAX ||
		    !folder_name_of(&w->tree->at.naming, span_of(path),
			&w->name)) {
			tell_odd(w->list, path);
			return;
		}
		found(w->list, path, buf_text(&w->name), false);
	}
	walk_directory(w, depth);
}

/* The directory w->path, an entry of the one above. */
static void
walk_into(struct walk *w, size_t depth, bool link)
{
	w->links += link;
	if (w->links > 0 && w->linked == LINKED_MAX) {
		tell_odd(w->list, buf_text(&w->path));
	} else {
		w->linked += w->links > 0;
		walk_inside(w, depth);
	}
	w->links -= link;
}

static void
add_mbox(struct walk *w)
{
	if (!folder_name_of(&w->tree->at.naming, buf_span(&w->path),
		&w->name)) {
		tell_odd(w->list, buf_text(&w->path));
		return;
	}
	found(w->list, buf_text(&w->path), buf_text(&w->name), true);
}

/* A file or directory in w->path. */
static void
see_mbox(struct walk *w, int at, const struct dirent *e, size_t depth)
{
	size_t length = w->path.n;
	struct stat st;

	if (mail_tree_mbox_skips(e->d_name, length == 0) ||
	    fstatat(at, e->d_name, &st, 0) == -1)
		return;
	if (length > 0)
		buf_add_char(&w->path, '/');
	buf_add_text(&w->path, e->d_name);
	if (!w->path.overflow && S_ISDIR(st.st_mode))
		walk_into(w, depth + 1, is_link(at, e));
	else if (!w->path.overflow && S_ISREG(st.st_mode))
		add_mbox(w);
	w->path.overflow = false;
	w->path.n = length;
	if (w->path.p != NULL)
		w->path.p[length] = '\0';
}

static void
walk_directory(struct walk *w, size_t depth)
{
	DIR *d = open_below(w->tree->root, w->path.n == 0 ? "." : w->path.p);
	size_t self = w->list->count, length = w->path.n;
	struct dirent *e;

	while (d != NULL && (e = next_entry(w->list, d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (w->tree->at.mbox) {
			see_mbox(w, dirfd(d), e, depth);
			continue;
		}
		if (!is_directory(dirfd(d), e))
			continue;
		if (is_part(e->d_name)) {
			if (length > 0 && e->d_name[0] == 'c' && self > 0 &&
			    strcmp(w->path.p, "INBOX") != 0)
				w->list->all[self - 1].selectable = true;
			continue;
		}
		if (length > 0)
			buf_add_char(&w->path, '/');
		buf_add_text(&w->path, e->d_name);
		if (!w->path.overflow)
			walk_into(w, depth + 1, is_link(dirfd(d), e));
		w->path.overflow = false;
		w->path.n = length;
		if (w->path.p != NULL)
			w->path.p[length] = '\0';
	}
	if (d != NULL)
		closedir(d);
}

static int
list_fs(struct mail_tree *t, struct mail_folder_list *l)
{
	struct walk w = { .tree = t, .list = l };

	buf_init(&w.path, FOLDER_PATH_MAX);
	buf_init(&w.name, 2 * FOLDER_PATH_MAX);
	walk_directory(&w, 0);
	buf_fini(&w.path);
	buf_fini(&w.name);
	return 0;
}

/* INBOX first; below that a folder's children follow it at once. */
static int
compare_names(const char *a, const char *b, char separator)
{
	bool inbox_a =
	    strncmp(a, "INBOX", 5) == 0 && (a[5] == '\0' || a[5] == separator);
	bool inbox_b =
	    strncmp(b, "INBOX", 5) == 0 && (b[5] == '\0' || b[5] == separator);
	int left, right;

	if (inbox_a != inbox_b)
		return inbox_a ? -1 : 1;
	while (*a == *b && *a != '\0')
		a++, b++;
	left = *a == separator ? 1 : (unsigned char)*a;
	right = *b == separator ? 1 : (unsigned char)*b;
	return left - right;
}

static int
compare(const void *left, const void *right, void *separator)
{
	const struct mail_folder *a = left, *b = right;

	return compare_names(a->name, b->name, *(char *)separator);
}

static void
sort(struct mail_tree *t, struct mail_folder_list *l)
{
	qsort_r(l->all, l->count, sizeof(*l->all), compare,
	    &t->at.naming.separator);
}

/* What stands twice becomes one; a second directory of a name is odd. */
static void
merge(struct mail_folder_list *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++) {
		struct mail_folder *f = &l->all[i], *last;

		last = kept == 0 ? NULL : &l->all[kept - 1];
		if (last == NULL || strcmp(last->name, f->name) != 0) {
			l->all[kept++] = *f;
			continue;
		}
		if (last->exists && f->exists)
			tell_odd(l, f->name);
		last->exists |= f->exists;
		last->selectable |= f->selectable;
		last->has_children |= f->has_children;
		last->subscribed |= f->subscribed;
	}
	l->count = kept;
}

/* Each that exists makes its parents known. */
static void
add_parents(struct mail_tree *t, struct mail_folder_list *l)
{
	size_t count = l->count;

	for (size_t i = 0; i < count; i++) {
		struct span name = span_of(l->all[i].name);

		while ((name = folder_name_parent(&t->at.naming, name)).n > 0) {
			char *text = mem_span_text(name);

			add(l, text)->has_children = true;
			free(text);
		}
	}
}

static void
add_subscribed(struct mail_tree *t, struct mail_folder_list *l)
{
	for (size_t i = 0; i < t->subscriptions.count; i++)
		if (t->subscriptions.all[i].name != NULL)
			add(l, t->subscriptions.all[i].name)->subscribed = true;
}

static enum mail_result
list_directories(struct mail_tree *t, struct mail_folder_list *l,
    struct why *why)
{
	if ((t->at.naming.fs ? list_fs(t, l) : list_plus(t, l)) == 0)
		return MAIL_OK;
	why_errno(why, "4.2.0", "cannot list the folders");
	return MAIL_FAILED;
}

enum mail_result
mail_tree_visit(struct mail_tree *t, const struct mail_tree_visitor *visitor,
    struct why *why)
{
	struct mail_folder_list none = { .visitor = visitor };

	return list_directories(t, &none, why);
}

enum mail_result
mail_tree_list(struct mail_tree *t, struct mail_folder_list *out,
    struct why *why)
{
	struct mail_folder *inbox;
	enum mail_result r;

	out->memory = arena_new();
	out->all = NULL;
	out->count = out->room = 0;
	if ((r = mail_subscriptions_read(t, why)) != MAIL_OK ||
	    (r = mail_metadata_read(t->metadata, t->control, why)) != MAIL_OK ||
	    (r = list_directories(t, out, why)) != MAIL_OK)
		return r;
	inbox = add(out, "INBOX");
	inbox->exists = inbox->selectable = true;
	add_parents(t, out);
	add_subscribed(t, out);
	sort(t, out);
	merge(out);
	for (size_t i = 0; i < out->count; i++)
		if (out->all[i].exists)
			out->all[i].special = mail_metadata_special(t->metadata,
			    out->all[i].name);
	return MAIL_OK;
}

void
mail_folder_list_fini(struct mail_folder_list *l)
{
	arena_free(&l->memory);
	free(l->all);
	l->all = NULL;
	l->count = l->room = 0;
}

bool
mail_tree_has_children(struct mail_tree *t, const struct mail_place *p)
{
	struct mail_folder_list l = { 0 };
	bool found = false;
	struct why why;

	if (mail_tree_list(t, &l, &why) == MAIL_OK)
		for (size_t i = 0; i < l.count && !found; i++)
			found = (l.all[i].exists || l.all[i].has_children) &&
			    folder_name_below(&t->at.naming,
				span_of(l.all[i].name), span_of(p->name));
	mail_folder_list_fini(&l);
	return found;
}
