/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: paths come from tables that others fill, and folders belong to
 * users. A place is opened below its base, where no link leads out; a name
 * is believed later only if it still leads to that very folder.
 */
#include "lib/store/maildir_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/base/fdio.h"
#include "lib/base/hash_table.h"
#include "lib/base/mem.h"
#include "lib/store/beneath.h"
#include "lib/store/maildir_deliver.h"

struct place {
	struct maildir_place known;
	char *key; /* the owner's number, then the name */
	const char *name; /* "BASE/PATH/new" */
	uid_t owner;
	ino_t inode;
	struct place *prev, *next; /* used before; used after */
	UT_hash_handle hh;
};

static struct {
	struct place *by_key;
	struct place *oldest;
	unsigned int count;
} places;

static void
forget(struct place *p)
{
	HASH_DEL(places.by_key, p);
	DL_DELETE(places.oldest, p);
	places.count--;
	fd_close(&p->known.new);
	free(p->key);
	free(p);
}

static bool
is_owners(const struct stat *st, uid_t owner)
{
	return S_ISDIR(st->st_mode) && st->st_uid == owner;
}

static bool
still_there(const struct place *p)
{
	struct stat st;

	return stat(p->name, &st) == 0 && is_owners(&st, p->owner) &&
	    st.st_ino == p->inode && st.st_dev == p->known.device;
}

/* -1 with errno. */
static int
open_new(const char *base, const char *path)
{
	int below = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int maildir = below < 0 ? -1 : maildir_open(below, path, false);
	int new = maildir < 0 ?
	    -1 :
	    openat(maildir, "new",
		O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int error = errno;

	fd_close(&below);
	fd_close(&maildir);
	errno = error;
	return new;
}

static struct place *
keep(int new, char **key, const char *name, const struct stat *st)
{
	struct place *p = mem_new(sizeof(*p));

	if (places.count == MAILDIR_PLACES_MAX)
		forget(places.oldest);
	p->known = (struct maildir_place){ new, st->st_dev };
	p->key = *key;
	p->name = name;
	p->owner = st->st_uid;
	p->inode = st->st_ino;
	*key = NULL;
	HASH_ADD_KEYPTR(hh, places.by_key, p->key, strlen(p->key), p);
	DL_APPEND(places.oldest, p);
	places.count++;
	return p;
}

static struct place *
find(const char *key)
{
	struct place *p;

	HASH_FIND_STR(places.by_key, key, p);
	if (p == NULL)
		return NULL;
	if (!still_there(p)) {
		forget(p);
		return NULL;
	}
	DL_DELETE(places.oldest, p);
	DL_APPEND(places.oldest, p);
	return p;
}

static struct place *
find_anew(const char *base, const char *path, uid_t owner, char **key)
{
	int new = open_new(base, path);
	struct stat st;

	if (new < 0)
		return NULL;
	if (fstat(new, &st) != 0 || !is_owners(&st, owner)) {
		fd_close(&new);
		errno = EPERM;
		return NULL;
	}
	return keep(new, key, strchr(*key, '/'), &st);
}

const struct maildir_place *
maildir_place(const char *base, const char *path, uid_t owner)
{
	char *key =
	    mem_printf("%lu %s/%s/new", (unsigned long)owner, base, path);
	struct place *p = base[0] == '/' ? find(key) : NULL;
	int error = EINVAL;

	if (p == NULL && base[0] == '/') {
		p = find_anew(base, path, owner, &key);
		error = errno;
	}
	free(key);
	errno = error;
	return p == NULL ? NULL : &p->known;
}
