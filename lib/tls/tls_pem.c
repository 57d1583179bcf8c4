/* SPDX-License-Identifier: ISC */
#include "lib/tls/tls_key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/tls/tls_kept.h"

/* One block between BEGIN and END. */
struct block {
	char *name;
	char *header;
	unsigned char *data;
	long length;
};

typedef bool block_visit(void *with, const struct block *b);

struct reader {
	bool keys;
	tls_pem_visit *visit;
	void *with;
	struct buf *error;
	struct tls_pem_group group;
};

/* In the place of a private key. */
static const char no_key[] = "-----BEGIN PRIVATE KEY-----\n"
			     "AAAA\n"
			     "-----END PRIVATE KEY-----\n";

static void
say_openssl(struct buf *error, const char *what)
{
	char text[256];

	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	ERR_clear_error();
	buf_printf(error, "%s: %s", what, text);
}

static void
clear_group(struct tls_pem_group *g)
{
	X509_free(g->leaf);
	sk_X509_pop_free(g->issuers, X509_free);
	EVP_PKEY_free(g->key);
	memset(g, 0, sizeof(*g));
}

/* Hands the group over, if there is anything in it. */
static bool
end_group(struct reader *r)
{
	bool good = true;

	if (r->group.leaf != NULL || r->group.key != NULL)
		good = r->visit(r->with, &r->group, r->error);
	clear_group(&r->group);
	return good;
}

static bool
is_certificate(const char *name)
{
	return strcmp(name, PEM_STRING_X509) == 0 ||
	    strcmp(name, PEM_STRING_X509_OLD) == 0;
}

static bool
is_key(const char *name)
{
	struct span s = span_of(name);

	return span_ends_nocase(s, "PRIVATE KEY");
}

static bool
take_certificate(struct reader *r, const struct block *b)
{
	const unsigned char *p = b->data;
	X509 *x = d2i_X509(NULL, &p, b->length);

	if (x == NULL) {
		say_openssl(r->error, "bad certificate");
		return false;
	}
	if (r->group.leaf == NULL) {
		r->group.leaf = x;
		return true;
	}
	if (r->group.issuers == NULL)
		r->group.issuers = sk_X509_new_null();
	if (r->group.issuers == NULL ||
	    sk_X509_push(r->group.issuers, x) <= 0) {
		X509_free(x);
		buf_add_text(r->error, "out of memory");
		return false;
	}
	return true;
}

static bool
take_key(struct reader *r, const struct block *b)
{
	const unsigned char *p = b->data;
	const char *name = b->name;

	if ((r->group.leaf != NULL || r->group.key != NULL) && !end_group(r))
		return false;
	if (!r->keys)
		return true;
	if (span_starts(span_of(name), "ENCRYPTED") || b->header[0] != '\0') {
		buf_add_text(r->error,
		    "the private key is encrypted: store it"
		    " without a pass phrase, in a file only root can read");
		return false;
	}
	/* PKCS#8 and the older forms, told apart by their structure. */
	r->group.key = d2i_AutoPrivateKey(NULL, &p, b->length);
	if (r->group.key == NULL) {
		say_openssl(r->error, "bad private key");
		return false;
	}
	return true;
}

static void
free_block(struct block *b)
{
	OPENSSL_free(b->name);
	OPENSSL_free(b->header);
	OPENSSL_clear_free(b->data, b->data == NULL ? 0 : (size_t)b->length);
	memset(b, 0, sizeof(*b));
}

/* READ_STOPPED: visit said false. */
enum read { READ_ALL, READ_STOPPED, READ_BROKEN };

/* What is wrong with a broken one is in OpenSSL's queue of errors. */
static enum read
read_blocks(struct span text, block_visit *visit, void *with)
{
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	struct block b = { 0 };
	bool good = true;

	ERR_clear_error();
	while (good && bio != NULL &&
	    PEM_read_bio(bio, &b.name, &b.header, &b.data, &b.length) == 1) {
		good = visit(with, &b);
		free_block(&b);
	}
	BIO_free(bio);
	if (!good)
		return READ_STOPPED;
	return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ?
	    READ_ALL :
	    READ_BROKEN;
}

static bool
take_block(void *with, const struct block *b)
{
	if (is_certificate(b->name))
		return take_certificate(with, b);
	return !is_key(b->name) || take_key(with, b);
}

bool
tls_pem_each(struct span text, bool keys, tls_pem_visit *visit, void *with,
    struct buf *error)
{
	struct reader r = { keys, visit, with, error, { 0 } };
	enum read read;

	if (text.n > TLS_PEM_MAX) {
		buf_add_text(error, "too large");
		return false;
	}
	read = read_blocks(text, take_block, &r);
	if (read == READ_BROKEN)
		say_openssl(error, "bad PEM");
	ERR_clear_error();
	if (read == READ_ALL && !end_group(&r))
		read = READ_STOPPED;
	clear_group(&r.group);
	return read == READ_ALL;
}

bool
tls_pem_write(BIO *out, const struct tls_pem_group *g)
{
	bool good =
	    BIO_puts(out, no_key) > 0 && PEM_write_bio_X509(out, g->leaf) == 1;

	for (int i = 0; good && i < sk_X509_num(g->issuers); i++)
		good =
		    PEM_write_bio_X509(out, sk_X509_value(g->issuers, i)) == 1;
	return good;
}

static bool
is_public(const char *name)
{
	return is_certificate(name) ||
	    strcmp(name, PEM_STRING_X509_TRUSTED) == 0 ||
	    strcmp(name, PEM_STRING_X509_CRL) == 0 ||
	    strcmp(name, PEM_STRING_PUBLIC) == 0;
}

static bool
write_block(void *with, const struct block *b)
{
	if (is_key(b->name))
		return BIO_puts(with, no_key) > 0;
	return !is_public(b->name) ||
	    PEM_write_bio(with, b->name, b->header, b->data, b->length) > 0;
}

bool
tls_pem_write_public(BIO *out, struct span text)
{
	static const char broken[] = "-----BEGIN CERTIFICATE-----\n";
	enum read read = read_blocks(text, write_block, out);

	ERR_clear_error();
	return read == READ_ALL ||
	    (read == READ_BROKEN && BIO_puts(out, broken) > 0);
}

struct authorities {
	X509_STORE *store;
	size_t count;
};

static bool
add_authority(struct authorities *a, X509 *x)
{
	bool good = x != NULL && X509_STORE_add_cert(a->store, x) == 1;

	X509_free(x);
	a->count++;
	return good;
}

static bool
add_revoked(struct authorities *a, X509_CRL *list)
{
	bool good = list != NULL && X509_STORE_add_crl(a->store, list) == 1;

	X509_CRL_free(list);
	a->count++;
	return good;
}

static bool
take_authority(void *with, const struct block *b)
{
	const unsigned char *p = b->data;

	if (is_certificate(b->name))
		return add_authority(with, d2i_X509(NULL, &p, b->length));
	if (strcmp(b->name, PEM_STRING_X509_TRUSTED) == 0)
		return add_authority(with, d2i_X509_AUX(NULL, &p, b->length));
	return strcmp(b->name, PEM_STRING_X509_CRL) != 0 ||
	    add_revoked(with, d2i_X509_CRL(NULL, &p, b->length));
}

bool
tls_pem_authorities(struct span text, X509_STORE *store)
{
	struct authorities a = { store, 0 };
	bool good = read_blocks(text, take_authority, &a) == READ_ALL;

	ERR_clear_error();
	return good && a.count > 0;
}

static char *
say_missing(const char *path, int error, struct buf *to)
{
	buf_printf(to, "%s: %s", path,
	    error == EFBIG ? "not a file, or too large" : strerror(error));
	return NULL;
}

/* One allocation, which is wiped: no copies of a key stay behind. */
static char *
read_open(int fd, struct stat *st)
{
	size_t n;
	char *text;

	if (fstat(fd, st) == -1)
		return NULL;
	if (!S_ISREG(st->st_mode) || st->st_size > TLS_PEM_MAX) {
		errno = EFBIG;
		return NULL;
	}
	n = (size_t)st->st_size;
	text = mem_new(n + 1);
	if (fd_pread_all(fd, text, n, 0) == -1) {
		int error = errno;

		OPENSSL_cleanse(text, n);
		free(text);
		errno = error;
		return NULL;
	}
	return text;
}

static char *
read_disk(const char *path, size_t *n, struct buf *error)
{
	struct stat st;
	/* first: a file that comes behind this is another than none */
	bool there = stat(path, &st) == 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *text = fd == -1 ? NULL : read_open(fd, &st);
	int why = errno;

	fd_close(&fd);
	if (text == NULL) {
		tls_kept_add_missing(path, there ? &st : NULL, why);
		return say_missing(path, why, error);
	}
	*n = (size_t)st.st_size;
	tls_kept_add(path, &st, (struct span){ text, *n });
	return text;
}

char *
tls_pem_read(const char *path, size_t *n, struct buf *error)
{
	struct span kept;
	char *text;
	int why;

	if (!tls_kept_find(path, &kept, &why))
		return read_disk(path, n, error);
	if (why != 0)
		return say_missing(path, why, error);
	*n = kept.n;
	text = mem_new(*n + 1);
	memcpy(text, kept.p, *n);
	return text;
}

bool
tls_pem_file(const char *path, bool keys, tls_pem_visit *visit, void *with,
    struct buf *error)
{
	struct buf detail = BUF_INIT(1024);
	char *text;
	size_t n = 0;
	bool good;

	text = tls_pem_read(path, &n, error);
	if (text == NULL)
		return false;
	good =
	    tls_pem_each((struct span){ text, n }, keys, visit, with, &detail);
	if (!good)
		buf_printf(error, "%s: %s", path, buf_text(&detail));
	OPENSSL_cleanse(text, n);
	free(text);
	buf_fini(&detail);
	return good;
}
