/* SPDX-License-Identifier: ISC */
#include "lib/tls/ticket_root.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

enum { SECRET = 32, INFO_MAX = 1024, LOCK_WAIT_MS = 100 };

/*
 * SECURITY: each keyd writes here, and one that was taken over what it likes:
 * numbers and secrets, which are copied and looked at before use, and nothing
 * that is followed. Neither does it hold up the others: the lock is the
 * kernel's, and nobody waits for it for long.
 */
struct memory {
	_Atomic int64_t began; /* of this hour, clock_ms(); 0: not yet */
	_Atomic uint32_t has_former;
	unsigned char secret[SECRET];
	unsigned char former[SECRET];
};

/* What is there, in memory of our own. */
struct hours {
	int64_t began;
	bool has_former;
	unsigned char secret[SECRET];
	unsigned char former[SECRET];
};

struct ticket_root {
	struct memory *m;
	int fd; /* an open file of our own, which has the lock */
	bool told;
};

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

int
ticket_root_create(void)
{
	int fd = memfd_create("tickets", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 &&
	    (ftruncate(fd, sizeof(struct memory)) < 0 ||
		fcntl(fd, F_ADD_SEALS, SEALS) < 0))
		fd_close(&fd);
	return fd;
}

/* By what nobody can change: not by what is written there. */
static bool
is_ours(int fd)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &st) == 0 &&
	    st.st_size == (off_t)sizeof(struct memory);
}

/*
 * The descriptor is of the one open file that all have from master, whose
 * locks are everybody's.
 */
static int
open_anew(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDWR | O_CLOEXEC);
}

struct ticket_root *
ticket_root_open(int fd)
{
	struct ticket_root *r = mem_new(sizeof(*r));
	void *m = MAP_FAILED;

	r->fd = -1;
	if (!is_ours(fd))
		errno = EINVAL;
	else if ((r->fd = open_anew(fd)) >= 0)
		m = mmap(NULL, sizeof(*r->m), PROT_READ | PROT_WRITE,
		    MAP_SHARED, r->fd, 0);
	fd_close(&fd);
	if (m == MAP_FAILED) {
		fd_close(&r->fd);
		free(r);
		return NULL;
	}
	/* no core file; no swap, as long as anybody has it like this */
	(void)madvise(m, sizeof(*r->m), MADV_DONTDUMP);
	(void)mlock(m, sizeof(*r->m));
	r->m = m;
	return r;
}

void
ticket_root_close(struct ticket_root **r)
{
	if (*r == NULL)
		return;
	munmap((*r)->m, sizeof(*(*r)->m));
	fd_close(&(*r)->fd);
	free(*r);
	*r = NULL;
}

/*
 * Held for microseconds, and gone with a process that is killed. Without it
 * two that turn the hour in the same moment may go apart: full handshakes for
 * an hour, no more.
 */
static void
lock(struct ticket_root *r)
{
	int64_t end = clock_ms() + (r->told ? 0 : LOCK_WAIT_MS);

	while (!fd_lock_byte(r->fd, 0)) {
		if (clock_ms() > end) {
			if (!r->told)
				log_warning("a process keeps the lock of the "
					    "memory for session tickets: we "
					    "go on without it");
			r->told = true;
			return;
		}
		(void)sched_yield();
	}
}

static void
load(const struct memory *m, struct hours *h)
{
	h->began = atomic_load(&m->began);
	h->has_former = atomic_load(&m->has_former) != 0;
	memcpy(h->secret, m->secret, SECRET);
	memcpy(h->former, m->former, SECRET);
}

/* One that is killed in the middle leaves no hour, and the next makes one. */
static void
store(struct memory *m, const struct hours *h)
{
	atomic_store(&m->began, 0);
	atomic_thread_fence(memory_order_seq_cst);
	atomic_store(&m->has_former, h->has_former);
	memcpy(m->secret, h->secret, SECRET);
	memcpy(m->former, h->former, SECRET);
	atomic_thread_fence(memory_order_seq_cst);
	atomic_store(&m->began, h->began);
}

/* Older than this hour and the one before: nothing of it is of use. */
static bool
is_over(const struct hours *h, int64_t now)
{
	return h->began <= 0 || h->began > now ||
	    now - h->began >= 2 * TICKET_ROOT_HOUR_MS;
}

/* This hour's secret, and the former one's if it was the hour before. */
static bool
turn(struct hours *h, int64_t now)
{
	h->has_former = !is_over(h, now);
	if (h->has_former)
		memcpy(h->former, h->secret, SECRET);
	else
		OPENSSL_cleanse(h->former, SECRET);
	OPENSSL_cleanse(h->secret, SECRET);
	h->began = h->has_former ? h->began + TICKET_ROOT_HOUR_MS : now;
	if (RAND_bytes(h->secret, SECRET) == 1)
		return true;
	h->began = 0;
	return false;
}

/* The hour that is now, in memory of ours. */
static bool
take_hours(struct ticket_root *r, int64_t now, struct hours *h)
{
	bool good = true;

	lock(r);
	load(r->m, h);
	if (is_over(h, now) || now - h->began >= TICKET_ROOT_HOUR_MS) {
		good = turn(h, now);
		store(r->m, h);
	}
	fd_unlock_byte(r->fd, 0);
	return good;
}

void
ticket_root_wipe_old(struct ticket_root *r, int64_t now)
{
	struct hours h;

	if (!fd_lock_byte(r->fd, 0))
		return;
	load(r->m, &h);
	if (is_over(&h, now)) {
		OPENSSL_cleanse(&h, sizeof(h));
		store(r->m, &h);
	} else if (now - h.began >= TICKET_ROOT_HOUR_MS && h.has_former) {
		h.has_former = false;
		OPENSSL_cleanse(h.former, SECRET);
		store(r->m, &h);
	}
	fd_unlock_byte(r->fd, 0);
	OPENSSL_cleanse(&h, sizeof(h));
}

/* HKDF, RFC 5869 */
static bool
derive(const unsigned char secret[SECRET], const struct buf *info,
    unsigned char out[TLS_TICKET_SECRET])
{
	char digest[] = "SHA256";
	unsigned char key[SECRET];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest,
		    0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key,
		    SECRET),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info->p,
		    info->n),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	EVP_KDF_CTX *c = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	bool good;

	memcpy(key, secret, SECRET);
	good =
	    c != NULL && EVP_KDF_derive(c, out, TLS_TICKET_SECRET, params) == 1;
	OPENSSL_cleanse(key, SECRET);
	EVP_KDF_CTX_free(c);
	EVP_KDF_free(kdf);
	return good;
}

/* Each part with its end, so that no two askers' parts run together. */
static void
describe(struct buf *info, const char *program, const char *service,
    struct span context)
{
	buf_add_text(info, "posthaste session tickets");
	buf_add(info, "", 1);
	buf_add(info, program, strlen(program) + 1);
	buf_add(info, service, strlen(service) + 1);
	buf_add_span(info, context);
	ensure(!info->overflow);
}

bool
ticket_root_keys(struct ticket_root *r, const char *program,
    const char *service, struct span context, int64_t now,
    struct tls_ticket_secrets *out)
{
	struct buf info = BUF_INIT(INFO_MAX);
	struct hours h;
	bool good;

	describe(&info, program, service, context);
	memset(out, 0, sizeof(*out));
	good = take_hours(r, now, &h) && derive(h.secret, &info, out->now) &&
	    (!h.has_former || derive(h.former, &info, out->former));
	out->has_former = good && h.has_former;
	out->left_ms = h.began + TICKET_ROOT_HOUR_MS - now;
	OPENSSL_cleanse(&h, sizeof(h));
	buf_fini(&info);
	return good;
}
