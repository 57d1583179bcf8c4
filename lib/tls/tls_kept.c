/* SPDX-License-Identifier: ISC */
#include "lib/tls/tls_kept.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/hash_table.h"
#include "lib/base/mem.h"
#include "lib/tls/tls_key.h"

enum {
	SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL,
	FORMER_MAX = 512, /* files */
};

struct file {
	char *path;
	char *text; /* mapped */
	size_t length;
	int error; /* why it could not be read; 0: it was */
	uint64_t stamp; /* when it was read; 0: there was none */
	unsigned int users; /* of its private keys */
	bool good; /* of authorities */
	struct file *next; /* of former ones: replaced before */
	int64_t until; /* a former one's end */
	UT_hash_handle hh;
};

struct tls_kept {
	struct file *files; /* in the order in which they came */
	int without_keys; /* for others, made when it is asked for; or -1 */
	struct file *former; /* replaced, with private keys; the last first */
};

static struct tls_kept *in_use;
static const struct tls_kept *in_force;

/* A record of the file in memory: this, the path, the text. */
struct record {
	uint32_t path;
	uint32_t text;
	uint32_t users;
	uint32_t error;
};

static uint64_t
mix(uint64_t stamp, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++)
		stamp = (stamp ^ p[i]) * UINT64_C(1099511628211);
	return stamp;
}

static uint64_t
stamp_of(const struct stat *st)
{
	uint64_t stamp = UINT64_C(14695981039346656037);

	stamp = mix(stamp, &st->st_ino, sizeof(st->st_ino));
	stamp = mix(stamp, &st->st_size, sizeof(st->st_size));
	return mix(stamp, &st->st_mtim, sizeof(st->st_mtim));
}

/* A mapping has at least one byte. */
static char *
secret_copy(struct span text)
{
	char *p = mmap(NULL, text.n + 1, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ensure(p != MAP_FAILED && "out of memory");
	(void)madvise(p, text.n + 1, MADV_DONTDUMP);
	(void)madvise(p, text.n + 1, MADV_WIPEONFORK);
	(void)mlock(p, text.n + 1);
	if (text.n > 0)
		memcpy(p, text.p, text.n);
	return p;
}

static struct span
text_of(const struct file *f)
{
	return (struct span){ f->text, f->length };
}

static void
free_file(struct file *f)
{
	OPENSSL_cleanse(f->text, f->length);
	munmap(f->text, f->length + 1);
	free(f->path);
	free(f);
}

/* This one and those that were replaced before. */
static void
free_former(struct file **link)
{
	while (*link != NULL) {
		struct file *f = *link;

		*link = f->next;
		free_file(f);
	}
}

static struct file *
add(struct tls_kept *k, const char *path, uint64_t stamp, struct span text,
    int error)
{
	struct file *f = mem_new(sizeof(*f));

	fd_close(&k->without_keys);
	f->path = mem_text(path);
	f->text = secret_copy(text);
	f->length = text.n;
	f->error = error;
	f->stamp = stamp;
	HASH_ADD_KEYPTR(hh, k->files, f->path, strlen(f->path), f);
	return f;
}

struct tls_kept *
tls_kept_new(const struct tls_kept *like)
{
	struct tls_kept *k = mem_new(sizeof(*k));
	const struct file *f = like == NULL ? NULL : like->files;

	k->without_keys = -1;
	for (; f != NULL; f = f->hh.next)
		(void)add(k, f->path, f->stamp, text_of(f), f->error);
	return k;
}

void
tls_kept_free(struct tls_kept **kp)
{
	struct tls_kept *k = *kp;

	*kp = NULL;
	if (k == NULL)
		return;
	ensure(k != in_use);
	while (k->files != NULL) {
		struct file *f = k->files;

		HASH_DEL(k->files, f);
		free_file(f);
	}
	fd_close(&k->without_keys);
	free_former(&k->former);
	free(k);
}

void
tls_kept_use(struct tls_kept *k)
{
	in_use = k;
}

static struct file *
find_in(const struct tls_kept *k, const char *path)
{
	struct file *f = NULL;

	if (k != NULL)
		HASH_FIND_STR(k->files, path, f);
	return f;
}

static struct file *
find(const char *path)
{
	return find_in(in_use, path);
}

void
tls_kept_in_force(const struct tls_kept *k)
{
	in_force = k;
}

bool
tls_kept_was_good(const char *path)
{
	const struct file *f = find_in(in_force, path);

	return f != NULL && f->good;
}

void
tls_kept_good(const char *path)
{
	struct file *f = find(path);

	if (f != NULL)
		f->good = true;
}

bool
tls_kept_find(const char *path, struct span *text, int *error)
{
	const struct file *f = find(path);

	if (f == NULL)
		return false;
	*text = text_of(f);
	*error = f->error;
	return true;
}

void
tls_kept_add(const char *path, const struct stat *st, struct span text)
{
	if (in_use != NULL)
		(void)add(in_use, path, stamp_of(st), text, 0);
}

void
tls_kept_add_missing(const char *path, const struct stat *st, int error)
{
	if (in_use != NULL)
		(void)add(in_use, path, st == NULL ? 0 : stamp_of(st),
		    (struct span){ NULL, 0 }, error);
}

void
tls_kept_for(const char *path, unsigned int users)
{
	struct file *f = find(path);

	if (f != NULL)
		f->users |= users;
}

void
tls_kept_each_used(tls_kept_visit *visit, void *with)
{
	const struct file *f = in_use == NULL ? NULL : in_use->files;

	for (; f != NULL; f = f->hh.next)
		if (f->users != 0)
			visit(with, f->path, f->users);
}

uint64_t
tls_kept_stamp(const struct tls_kept *k)
{
	uint64_t all = 0;

	for (const struct file *f = k->files; f != NULL; f = f->hh.next)
		all = mix(all, &f->stamp, sizeof(f->stamp));
	return all;
}

uint64_t
tls_kept_stamp_on_disk(const struct tls_kept *k)
{
	uint64_t all = 0;

	for (const struct file *f = k->files; f != NULL; f = f->hh.next) {
		uint64_t stamp = 0;
		struct stat st;

		if (stat(f->path, &st) == 0)
			stamp = stamp_of(&st);
		all = mix(all, &stamp, sizeof(stamp));
	}
	return all;
}

/* Between processes. */

static bool
write_record(int fd, const char *path, int error, struct span text,
    unsigned int users)
{
	struct record r = { (uint32_t)strlen(path), (uint32_t)text.n, users,
		(uint32_t)error };

	return fd_write_all(fd, &r, sizeof(r)) == 0 &&
	    fd_write_all(fd, path, r.path) == 0 &&
	    (text.n == 0 || fd_write_all(fd, text.p, text.n) == 0);
}

/* Keys are not read: what OpenSSL makes of them leaves copies behind. */
static bool
write_public(int fd, const struct file *f)
{
	BIO *out = BIO_new(BIO_s_mem());
	bool good = out != NULL && tls_pem_write_public(out, text_of(f));
	char *text = NULL;

	if (good) {
		long n = BIO_get_mem_data(out, &text);

		good = write_record(fd, f->path, f->error,
		    (struct span){ text, (size_t)n }, 0);
	} else {
		errno = ENOMEM;
	}
	BIO_free(out);
	return good;
}

static bool
write_whole(int fd, const struct file *f, const char *path)
{
	return write_record(fd, path, f->error, text_of(f), f->users);
}

/* Under names that no file has, beside those that have their names now. */
static bool
write_former(int fd, const struct file *f)
{
	bool good = true;

	for (size_t i = 0; good && f != NULL; f = f->next) {
		char *path = mem_printf("former:%zu:%s", i++, f->path);

		good = write_whole(fd, f, path);
		free(path);
	}
	return good;
}

static int
write_all(const struct tls_kept *k, bool keys)
{
	int fd = memfd_create("certificates", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool good = fd >= 0;

	for (const struct file *f = k->files; good && f != NULL; f = f->hh.next)
		good = keys ? write_whole(fd, f, f->path) : write_public(fd, f);
	if (keys && good)
		good = write_former(fd, k->former);
	if (!good || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		fd_close(&fd);
	return fd;
}

int
tls_kept_write(struct tls_kept *k, bool keys)
{
	if (keys)
		return write_all(k, true);
	if (k->without_keys < 0)
		k->without_keys = write_all(k, false);
	return k->without_keys < 0 ? -1 :
				     fcntl(k->without_keys, F_DUPFD_CLOEXEC, 0);
}

/* Can what is signed with its private keys not be had from the other set? */
static bool
is_replaced(const struct file *f, const struct tls_kept *by)
{
	const struct file *now = find_in(by, f->path);

	if (f->users == 0 || f->error != 0)
		return false;
	return now == NULL || (f->users & ~now->users) != 0 ||
	    !span_equal(text_of(f), text_of(now));
}

static void
bound_former(struct tls_kept *k)
{
	struct file **link = &k->former;

	for (int i = 0; i < FORMER_MAX && *link != NULL; i++)
		link = &(*link)->next;
	free_former(link);
}

void
tls_kept_follow(struct tls_kept *k, struct tls_kept **old, int64_t until)
{
	struct tls_kept *before = *old;
	struct file *f, *next;

	ensure(k->former == NULL);
	k->former = before->former;
	before->former = NULL;
	HASH_ITER (hh, before->files, f, next) {
		if (!is_replaced(f, k))
			continue;
		HASH_DEL(before->files, f);
		f->until = until;
		f->next = k->former;
		k->former = f;
	}
	bound_former(k);
	tls_kept_free(old);
}

bool
tls_kept_forget_former(struct tls_kept *k, int64_t now)
{
	struct file **link = &k->former;

	while (*link != NULL && (*link)->until > now)
		link = &(*link)->next;
	if (*link == NULL)
		return false;
	free_former(link);
	return true;
}

static bool
take_record(struct tls_kept *k, struct span *rest)
{
	struct record r;
	struct file *f;
	char *path;

	if (rest->n < sizeof(r))
		return false;
	memcpy(&r, rest->p, sizeof(r));
	*rest = span_skip(*rest, sizeof(r));
	if (rest->n < r.path || rest->n - r.path < r.text)
		return false;
	path = mem_span_text(span_take(*rest, r.path));
	f = add(k, path, 0, span_take(span_skip(*rest, r.path), r.text),
	    (int)r.error);
	f->users = r.users;
	free(path);
	*rest = span_skip(*rest, (size_t)r.path + r.text);
	return true;
}

bool
tls_kept_take(int fd)
{
	struct tls_kept *k = tls_kept_new(NULL);
	struct span rest = { NULL, 0 };
	void *mapped = MAP_FAILED;
	struct stat st = { 0 };
	size_t n = 0;
	bool good;

	good = fstat(fd, &st) == 0;
	if (good && S_ISREG(st.st_mode) && st.st_size > 0) {
		n = (size_t)st.st_size;
		mapped = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
		good = mapped != MAP_FAILED;
		rest = (struct span){ mapped, n };
	}
	while (good && rest.n > 0)
		good = take_record(k, &rest);
	if (mapped != MAP_FAILED)
		munmap(mapped, n);
	fd_close(&fd);
	tls_kept_use(k);
	return good;
}

void
tls_kept_drop(void)
{
	struct tls_kept *k = in_use;

	tls_kept_use(NULL);
	tls_kept_free(&k);
}
