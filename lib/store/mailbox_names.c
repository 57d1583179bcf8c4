/* SPDX-License-Identifier: ISC */
/*
 * Files that other programs have renamed, by their base names. A program that
 * marks a whole folder leaves thousands of them: the directory is read once
 * for all, not once for each.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/keyed_hash.h"
#include "lib/base/mem.h"
#include "lib/store/mailbox_scan.h"

struct mailbox_names {
	struct scan_names all; /* keys are digests of base names */
	unsigned int foreign; /* as the folder had counted then */
	bool watched; /* so that this counts all */
};

static uint32_t
digest(struct span base)
{
	return (uint32_t)keyed_hash(base.p, base.n);
}

static bool
add_cur(void *with, const struct maildir_file *file)
{
	scan_names_add(with, file->name, digest(file->base), SCAN_IN_CUR);
	return true;
}

static bool
add_new(void *with, const struct maildir_file *file)
{
	scan_names_add(with, file->name, digest(file->base), SCAN_IN_NEW);
	return true;
}

void
mailbox_names_free(struct mailbox_folder *f)
{
	if (f->names == NULL)
		return;
	scan_names_fini(&f->names->all);
	free(f->names);
	f->names = NULL;
}

/* new first: what is on its way from there to cur is in one of them. */
static bool
read_names(struct mailbox_folder *f)
{
	struct mailbox_names *n = mem_new(sizeof(*n));

	mailbox_names_free(f);
	mail_account_heed(f->account);
	f->names = n;
	scan_names_init(&n->all, f->files.dir);
	n->watched = f->watch_cur != -1;
	n->foreign = f->foreign;
	if (maildir_folder_scan(&f->files, "new", add_new, &n->all) == 0 &&
	    maildir_folder_scan(&f->files, "cur", add_cur, &n->all) == 0)
		scan_names_sort(&n->all);
	else
		mailbox_names_free(f);
	return f->names != NULL;
}

/* Nobody else has changed cur since. */
static bool
current(struct mailbox_folder *f)
{
	if (f->names == NULL || !f->names->watched || f->watch_cur == -1)
		return false;
	mail_account_heed(f->account);
	return f->names->foreign == f->foreign;
}

static size_t
first_of(const struct scan_names *s, uint32_t key)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->names[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* One of that base name that is called otherwise. */
static bool
look_up(const struct scan_names *s, struct span base,
    char name[MAILDIR_FILE_MAX], bool *in_new)
{
	uint32_t key = digest(base);

	for (size_t i = first_of(s, key);
	     i < s->count && s->names[i].key == key; i++) {
		enum scan_mark mark;
		const char *text = scan_name_text(s, i, &mark);
		struct maildir_file file;

		if (!maildir_file_parse(span_of(text), &file) ||
		    !span_equal(file.base, base) ||
		    (strcmp(text, name) == 0 &&
			*in_new == (mark == SCAN_IN_NEW)))
			continue;
		memcpy(name, text, file.name.n + 1);
		*in_new = mark == SCAN_IN_NEW;
		return true;
	}
	return false;
}

static bool
is_there(const struct mailbox_folder *f, const char *name, bool in_new)
{
	char path[MAILDIR_FILE_MAX + 8];

	snprintf(path, sizeof(path), "%s/%s", in_new ? "new" : "cur", name);
	return faccessat(f->files.dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool
mailbox_find_file(struct mailbox *m, struct span base,
    char name[MAILDIR_FILE_MAX], bool *in_new)
{
	struct mailbox_folder *f = m->folder;
	char copy[MAILDIR_FILE_MAX];
	bool known;

	mailbox_doubt(f);
	/* it may lie in the very name that is exchanged */
	memcpy(copy, base.p, base.n);
	base.p = copy;
	if (f->names != NULL && look_up(&f->names->all, base, name, in_new) &&
	    is_there(f, name, *in_new))
		return true;
	/* to ask what has changed leaves an errno of its own */
	known = current(f);
	if (!known && !read_names(f))
		return false;
	errno = ENOENT;
	return !known && look_up(&f->names->all, base, name, in_new);
}
