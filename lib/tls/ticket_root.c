/* SPDX-License-Identifier: ISC */
#include "lib/tls/ticket_root.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"

enum { SECRET = 32, INFO_MAX = 1024, MAGIC = 0x7469636b };

struct memory {
	uint32_t magic;
	uint32_t size;
	/* of the processes of keyd; let go of when one is killed */
	pthread_mutex_t lock;
	int64_t began; /* of this hour, clock_ms(); 0: not yet */
	bool has_former;
	unsigned char secret[SECRET];
	unsigned char former[SECRET];
};

struct ticket_root {
	struct memory *m;
};

static void
begin(struct memory *m)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	ensure(pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED) == 0);
	ensure(pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST) == 0);
	ensure(pthread_mutex_init(&m->lock, &a) == 0);
	pthread_mutexattr_destroy(&a);
	m->size = sizeof(*m);
	m->magic = MAGIC;
}

static struct memory *
map(int fd)
{
	struct memory *m =
	    mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return m == MAP_FAILED ? NULL : m;
}

int
ticket_root_create(void)
{
	enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };
	int fd = memfd_create("tickets", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct memory *m = NULL;

	if (fd >= 0 && ftruncate(fd, sizeof(*m)) == 0 &&
	    fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		m = map(fd);
	if (m == NULL) {
		fd_close(&fd);
		return -1;
	}
	begin(m);
	munmap(m, sizeof(*m));
	return fd;
}

struct ticket_root *
ticket_root_open(int fd)
{
	struct ticket_root *r = NULL;
	struct memory *m = NULL;
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_size == (off_t)sizeof(*m))
		m = map(fd);
	else
		errno = EINVAL;
	fd_close(&fd);
	if (m == NULL)
		return NULL;
	if (m->magic != MAGIC || m->size != sizeof(*m)) {
		munmap(m, sizeof(*m));
		errno = EINVAL;
		return NULL;
	}
	/* no core file, and no swap if we may ask for that */
	(void)madvise(m, sizeof(*m), MADV_DONTDUMP);
	r = mem_new(sizeof(*r));
	r->m = m;
	return r;
}

void
ticket_root_close(struct ticket_root **r)
{
	if (*r == NULL)
		return;
	munmap((*r)->m, sizeof(*(*r)->m));
	free(*r);
	*r = NULL;
}

/* Who was killed with the lock left an hour that may be half turned. */
static void
lock(struct memory *m)
{
	int error = pthread_mutex_lock(&m->lock);

	if (error == EOWNERDEAD) {
		m->began = 0;
		error = pthread_mutex_consistent(&m->lock);
	}
	ensure(error == 0);
}

/* This hour's secret, and the former one's if it was the hour before. */
static bool
turn(struct memory *m, int64_t now)
{
	int64_t age = now - m->began;

	if (m->began != 0 && age >= 0 && age < TICKET_ROOT_HOUR_MS)
		return true;
	m->has_former =
	    m->began != 0 && age >= 0 && age < 2 * TICKET_ROOT_HOUR_MS;
	if (m->has_former)
		memcpy(m->former, m->secret, SECRET);
	else
		OPENSSL_cleanse(m->former, SECRET);
	OPENSSL_cleanse(m->secret, SECRET);
	m->began = m->has_former ? m->began + TICKET_ROOT_HOUR_MS : now;
	if (RAND_bytes(m->secret, SECRET) == 1)
		return true;
	m->began = 0;
	return false;
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
	struct memory *m = r->m;
	bool good;

	describe(&info, program, service, context);
	memset(out, 0, sizeof(*out));
	lock(m);
	good = turn(m, now) && derive(m->secret, &info, out->now) &&
	    (!m->has_former || derive(m->former, &info, out->former));
	out->has_former = good && m->has_former;
	out->left_ms = m->began + TICKET_ROOT_HOUR_MS - now;
	pthread_mutex_unlock(&m->lock);
	buf_fini(&info);
	return good;
}
