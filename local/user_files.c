/* SPDX-License-Identifier: ISC */
/*
 * Files of users that say where mail goes: ~/.forward and :include:.
 *
 * SECURITY: opened with the user's rights, never following a link at the
 * end, never waiting for a FIFO; owner, kind and mode are looked at on the
 * open descriptor. A file that others may write is not read.
 */
#include "local/local_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/sandbox/identity.h"

enum { FILE_MAX = 4 << 20 };

static int
open_as(const struct person *person, const char *path)
{
	int fd, error;

	identity_become(person->uid != 0 ? person->name : NULL, person->uid,
	    person->gid);
	fd = open(path,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	error = errno;
	identity_restore();
	errno = error;
	return fd;
}

static bool
read_text(struct plan *p, int fd, const char **text)
{
	struct buf content = BUF_INIT(FILE_MAX);
	bool ok = fd_read_whole(fd, &content) == 0;

	/* a NUL would hide the rest */
	if (ok && content.n > 0 && memchr(content.p, '\0', content.n) != NULL) {
		errno = EINVAL;
		ok = false;
	}
	if (ok)
		*text = arena_text(p->r->arena, buf_text(&content));
	buf_fini(&content);
	return ok;
}

/* A word about what is wrong with it, or NULL. */
static const char *
unsafe(const struct stat *st, const struct person *person)
{
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (person != NULL && st->st_uid != 0 && st->st_uid != person->uid)
		return "has bad ownership";
	if (st->st_mode & S_IWOTH)
		return "is world writable";
	return NULL;
}

static enum verdict
read_forward(struct plan *p, const struct person *person, const char *path,
    const char **text)
{
	const char *wrong = NULL;
	enum verdict v = OK;
	struct stat st;
	int fd = open_as(person, path);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return OK;
	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == ELOOP))
		wrong =
		    errno == ELOOP ? "is not a regular file" : "cannot be read";
	else if (fd < 0 || fstat(fd, &st) != 0)
		v = why_errno(p->why, "4.3.0", "open %s", path);
	else if ((wrong = unsafe(&st, person)) == NULL &&
	    !read_text(p, fd, text))
		v = why_errno(p->why, "4.3.0", "read %s", path);
	if (wrong != NULL)
		log_warning("file %s %s", path, wrong);
	fd_close(&fd);
	return v;
}

/* Mail must not bypass a .forward that is on a disk not mounted yet. */
static enum verdict
check_home(struct plan *p, const struct person *person)
{
	struct stat st;
	enum verdict v = OK;

	if (!p->r->agent->own.require_home_directory)
		return OK;
	identity_become(person->uid != 0 ? person->name : NULL, person->uid,
	    person->gid);
	if (stat(person->home, &st) != 0)
		v = why_errno(p->why, "4.3.0",
		    "cannot access home "
		    "directory %s",
		    person->home);
	else if (!S_ISDIR(st.st_mode))
		v = why_set(p->why, "4.3.0",
		    "home directory %s is no "
		    "directory",
		    person->home);
	identity_restore();
	return v;
}

enum verdict
forward_file_read(struct plan *p, const struct person *person,
    const char **text, bool *for_extension)
{
	const struct local_params *own = &p->r->agent->own;
	struct span rest = span_of(own->forward_path), item;
	enum verdict v = check_home(p, person);

	*text = NULL;
	while (v == OK && *text == NULL && conf_list_next(&rest, &item)) {
		struct buf path = BUF_INIT(4096);
		char *template = arena_span(p->r->arena, item);

		if (!plan_expand(p, person, template,
			own->forward_expansion_filter, &path))
			v = why_set(p->why, "4.3.5",
			    "mail system configuration error: forward_path");
		else if (buf_text(&path)[0] == '/')
			v = read_forward(p, person, buf_text(&path), text);
		*for_extension = *text != NULL && p->extension != NULL &&
		    strstr(template, "extension") != NULL;
		buf_fini(&path);
	}
	return v;
}

/* An include file of root's alias file: its owner's rights apply to it. */
static void
take_owner(struct plan *p, uid_t uid, const struct person **person)
{
	const struct person *owner = NULL;

	if (uid != 0)
		owner = person_by_uid(p->r->arena, uid);
	*person = owner != NULL ? owner : p->state->default_person;
}

enum verdict
include_file_read(struct plan *p, const char *path,
    const struct person **person, bool *users, const char **text)
{
	static const struct person root = { .name = "root",
		.home = "/",
		.shell = "/bin/sh" };
	const char *wrong = NULL;
	enum verdict v = OK;
	struct stat st;
	int fd = open_as(*person != NULL ? *person : &root, path);

	if (fd < 0 || fstat(fd, &st) != 0)
		v = why_errno(p->why,
		    errno == ENOENT || errno == EACCES || errno == ELOOP ?
			"4.2.4" :
			"4.3.0",
		    "cannot open include file %s", path);
	else if ((wrong = unsafe(&st, NULL)) != NULL)
		v = why_set(p->why, "4.2.4", "include file %s %s", path, wrong);
	else if (!read_text(p, fd, text))
		v = why_errno(p->why, "4.2.4", "cannot read include file %s",
		    path);
	fd_close(&fd);
	*users = v == OK && st.st_uid != 0;
	if (v == OK && (*person == NULL || (*person)->uid == 0))
		take_owner(p, st.st_uid, person);
	return v;
}
