/* SPDX-License-Identifier: ISC */
#include "lib/store/mail_acl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/store/mail_folder_tree.h"
#include "lib/store/mailbox_internal.h"

static const char file_name[] = "dovecot-acl";
static const char entry_name[] = "/acl";

static enum mail_result
failed(struct why *why, const char *what)
{
	why_errno(why, "4.3.0", "%s: %s", file_name, what);
	return mail_result_of(errno);
}

static bool
collect(void *with, const char *entry, struct span value)
{
	if (!span_is(span_of(entry), entry_name))
		return true;
	buf_add_span(with, value);
	return false;
}

enum mail_result
mail_acl_open(struct mail_account *a, struct span folder, int *directory,
    struct why *why)
{
	char *name = NULL;
	enum mail_result r;

	r = mail_account_open_folder(a, folder, directory, &name, why);
	free(name);
	return r;
}

/* -1 with ENOENT where the folder has none. */
static int
open_file(int directory)
{
	return openat(directory, file_name,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

enum mail_result
mail_acl_read_at(struct mail_account *a, int directory, struct span folder,
    struct buf *out, struct why *why)
{
	enum mail_result r = MAIL_OK;
	int fd = open_file(directory);

	buf_reset(out);
	if (fd == -1)
		r = errno == ENOENT ?
		    mail_metadata_each(a, folder, collect, out, why) :
		    failed(why, "cannot be opened");
	else if (fd_read_whole(fd, out) == -1)
		r = failed(why, "cannot be read");
	fd_close(&fd);
	return r;
}

enum mail_result
mail_acl_read(struct mail_account *a, struct span folder, struct buf *out,
    struct why *why)
{
	enum mail_result r;
	int directory = -1;

	r = mail_acl_open(a, folder, &directory, why);
	if (r == MAIL_OK)
		r = mail_acl_read_at(a, directory, folder, out, why);
	fd_close(&directory);
	return r;
}

enum mail_result
mail_acl_read_open(struct mailbox *m, struct buf *out, struct why *why)
{
	struct mailbox_folder *f = m->folder;

	if (f->deleted) {
		why_set(why, "5.2.0", "there is no such folder");
		return MAIL_NONEXISTENT;
	}
	return mail_acl_read_at(m->account, f->files.dir, span_of(f->name), out,
	    why);
}

/* Whole or not at all: a new file takes the name over. */
static bool
replace_file(int directory, struct span text)
{
	static const char temporary[] = "dovecot-acl.posthaste";
	bool good;
	int fd;

	(void)unlinkat(directory, temporary, 0);
	fd = openat(directory, temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return false;
	good = fd_write_all(fd, text.p, text.n) == 0 && fsync(fd) == 0 &&
	    renameat(directory, temporary, directory, file_name) == 0 &&
	    fsync(directory) == 0;
	fd_close(&fd);
	return good;
}

enum mail_result
mail_acl_lock(struct mail_account *a, struct why *why)
{
	return mail_tree_lock(a->tree, why);
}

void
mail_acl_unlock(struct mail_account *a)
{
	mail_tree_unlock(a->tree);
}

static bool
remove_file(int directory)
{
	return (unlinkat(directory, file_name, 0) == 0 || errno == ENOENT) &&
	    fsync(directory) == 0;
}

/* The file counts; but once it is removed the entry would count again. */
static enum mail_result
forget_entry(struct mail_account *a, struct span folder, struct why *why)
{
	struct buf old = BUF_INIT(MAIL_ACL_MAX);
	enum mail_result r;

	r = mail_metadata_each(a, folder, collect, &old, why);
	if (r == MAIL_OK && old.n > 0)
		r = mail_metadata_set(a, folder, entry_name,
		    (struct span){ NULL, 0 }, why);
	buf_fini(&old);
	return r;
}

enum mail_result
mail_acl_write_at(struct mail_account *a, int directory, struct span folder,
    struct span text, struct why *why)
{
	if (text.n > MAIL_ACL_MAX)
		return MAIL_LIMIT;
	if (text.n > 0 ? replace_file(directory, text) : remove_file(directory))
		return forget_entry(a, folder, why);
	return failed(why, "cannot be written");
}

enum mail_result
mail_acl_write(struct mail_account *a, struct span folder, struct span text,
    struct why *why)
{
	enum mail_result r;
	int directory = -1;

	r = mail_acl_open(a, folder, &directory, why);
	if (r == MAIL_OK)
		r = mail_acl_write_at(a, directory, folder, text, why);
	fd_close(&directory);
	return r;
}
