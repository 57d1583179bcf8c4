/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: the file lies in a directory of another user's. It is opened
 * without following links, and who reads it believes nothing in it but texts
 * to print, which are cleaned.
 */
#include "auth/app_use.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

enum {
	MAGIC = 0x70686175,
	SETS = 4096,
	WAYS = 8,
	OFTEN_S = 60,
	PAGE = 4096, /* so that no entry lies across two */
};

/* 128 bytes */
struct entry {
	unsigned char digest[APP_PASSWORD_DIGEST];
	int64_t when; /* 0: free */
	char protocol[8];
	char client[48];
	char unused[32];
};

struct table {
	uint32_t magic;
	uint32_t size;
	char unused[PAGE - 8];
	struct entry entries[SETS][WAYS];
};

struct app_use {
	int fd;
	struct table *table;
};

/* Digests are evenly spread. */
static size_t
set_of(const unsigned char digest[APP_PASSWORD_DIGEST])
{
	return ((size_t)digest[0] << 8 | digest[1]) % SETS;
}

static bool
is_own(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_uid == geteuid() &&
	    st->st_nlink == 1;
}

static bool
map(struct app_use *u)
{
	struct stat st;

	if (fstat(u->fd, &st) == -1)
		return false;
	if (!is_own(&st)) {
		errno = EPERM;
		return false;
	}
	if (fd_reserve(u->fd, sizeof(*u->table)) == -1)
		return false;
	u->table = mmap(NULL, sizeof(*u->table), PROT_READ | PROT_WRITE,
	    MAP_SHARED, u->fd, 0);
	if (u->table == MAP_FAILED)
		return false;
	if (u->table->magic != MAGIC || u->table->size != sizeof(*u->table)) {
		if (st.st_size > 0) /* a new file reads as zeros */
			memset(u->table, 0, sizeof(*u->table));
		u->table->size = sizeof(*u->table);
		u->table->magic = MAGIC;
	}
	return true;
}

static char *
path_in(const char *directory)
{
	return mem_printf("%s/app_password_use", directory);
}

/* One that another user left (a suite once run without root) is removed. */
static int
open_own(const char *path)
{
	enum { FLAGS = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW };
	int fd = open(path, FLAGS, 0600);
	struct stat st;

	if (fd == -1 || (fstat(fd, &st) == 0 && is_own(&st)))
		return fd;
	fd_close(&fd);
	(void)unlink(path);
	return open(path, FLAGS, 0600);
}

struct app_use *
app_use_open(const char *directory)
{
	struct app_use *u = mem_new(sizeof(*u));
	char *path = path_in(directory);

	u->table = MAP_FAILED;
	u->fd = open_own(path);
	if (u->fd == -1 || flock(u->fd, LOCK_EX) == -1 || !map(u)) {
		log_warning("%s: %s: uses of app passwords are not noted", path,
		    strerror(errno));
		app_use_close(&u);
	} else {
		(void)flock(u->fd, LOCK_UN);
	}
	free(path);
	return u;
}

void
app_use_close(struct app_use **u)
{
	if (*u == NULL)
		return;
	if ((*u)->table != MAP_FAILED)
		munmap((*u)->table, sizeof(*(*u)->table));
	fd_close(&(*u)->fd);
	free(*u);
	*u = NULL;
}

static struct entry *
find(struct entry set[WAYS], const unsigned char digest[APP_PASSWORD_DIGEST])
{
	struct entry *oldest = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (CRYPTO_memcmp(set[i].digest, digest, APP_PASSWORD_DIGEST) ==
		    0)
			return &set[i];
		if (set[i].when < oldest->when)
			oldest = &set[i];
	}
	return oldest;
}

static bool
is_known(const struct entry *e, const unsigned char digest[APP_PASSWORD_DIGEST],
    const char *protocol, const char *client, int64_t now_s)
{
	return CRYPTO_memcmp(e->digest, digest, APP_PASSWORD_DIGEST) == 0 &&
	    e->when <= now_s && e->when > now_s - OFTEN_S &&
	    strncmp(e->protocol, protocol, sizeof(e->protocol)) == 0 &&
	    strncmp(e->client, client, sizeof(e->client)) == 0;
}

void
app_use_note(struct app_use *u, const unsigned char digest[APP_PASSWORD_DIGEST],
    const char *protocol, const char *client, int64_t now_s)
{
	struct entry *e;

	if (u == NULL)
		return;
	e = find(u->table->entries[set_of(digest)], digest);
	if (is_known(e, digest, protocol, client, now_s))
		return;
	while (flock(u->fd, LOCK_EX) == -1)
		if (errno != EINTR)
			return;
	e = find(u->table->entries[set_of(digest)], digest);
	memset(e, 0, sizeof(*e));
	memcpy(e->digest, digest, APP_PASSWORD_DIGEST);
	snprintf(e->protocol, sizeof(e->protocol), "%s", protocol);
	snprintf(e->client, sizeof(e->client), "%s", client);
	e->when = now_s;
	(void)flock(u->fd, LOCK_UN);
}

static void
clean_copy(char *to, const char *from, size_t n)
{
	size_t i = 0;

	for (; i + 1 < n && from[i] != '\0'; i++)
		to[i] = from[i] > ' ' && from[i] < 0x7f ? from[i] : '?';
	to[i] = '\0';
}

static bool
is_table(int fd)
{
	uint32_t head[2];
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size == sizeof(struct table) &&
	    fd_pread_all(fd, head, sizeof(head), 0) == 0 && head[0] == MAGIC &&
	    head[1] == sizeof(struct table);
}

bool
app_use_find(const char *directory,
    const unsigned char digest[APP_PASSWORD_DIGEST], struct app_used *out)
{
	enum { FLAGS = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK };
	char *path = path_in(directory);
	int fd = open(path, FLAGS);
	struct entry set[WAYS] = { 0 };
	const struct entry *e;
	off_t at = (off_t)(PAGE + set_of(digest) * sizeof(set));
	bool found;

	free(path);
	found = fd != -1 && is_table(fd) &&
	    fd_pread_all(fd, set, sizeof(set), at) == 0;
	e = find(set, digest);
	found = found && e->when != 0 &&
	    CRYPTO_memcmp(e->digest, digest, APP_PASSWORD_DIGEST) == 0;
	if (found) {
		out->when = e->when;
		clean_copy(out->protocol, e->protocol, sizeof(e->protocol));
		clean_copy(out->client, e->client, sizeof(e->client));
	}
	fd_close(&fd);
	return found;
}
