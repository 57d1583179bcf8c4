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

struct reader {
	bool keys;
	tls_pem_visit *visit;
	void *with;
	struct buf *error;
	struct tls_pem_group group;
};

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

static bool
read_blocks(struct reader *r, BIO *bio)
{
	struct block b = { 0 };
	bool good = true;

	while (good &&
	    PEM_read_bio(bio, &b.name, &b.header, &b.data, &b.length) == 1) {
		if (is_certificate(b.name))
			good = take_certificate(r, &b);
		else if (is_key(b.name))
			good = take_key(r, &b);
		free_block(&b);
	}
	if (good) {
		unsigned long e = ERR_peek_last_error();

		if (ERR_GET_REASON(e) != PEM_R_NO_START_LINE) {
			say_openssl(r->error, "bad PEM");
			good = false;
		}
	}
	ERR_clear_error();
	return good;
}

bool
tls_pem_each(struct span text, bool keys, tls_pem_visit *visit, void *with,
    struct buf *error)
{
	struct reader r = { keys, visit, with, error, { 0 } };
	BIO *bio;
	bool good;

	ERR_clear_error();
	if (text.n > TLS_PEM_MAX) {
		buf_add_text(error, "too large");
		return false;
	}
	bio = BIO_new_mem_buf(text.p, (int)text.n);
	if (bio == NULL) {
		buf_add_text(error, "out of memory");
		return false;
	}
	good = read_blocks(&r, bio) && end_group(&r);
	clear_group(&r.group);
	BIO_free(bio);
	return good;
}

bool
tls_pem_write(BIO *out, const struct tls_pem_group *g)
{
	bool good = BIO_puts(out,
			"-----BEGIN PRIVATE KEY-----\n"
			"AAAA\n"
			"-----END PRIVATE KEY-----\n") > 0 &&
	    PEM_write_bio_X509(out, g->leaf) == 1;

	for (int i = 0; good && i < sk_X509_num(g->issuers); i++)
		good =
		    PEM_write_bio_X509(out, sk_X509_value(g->issuers, i)) == 1;
	return good;
}

/* Reads in one allocation that is wiped: no copies of a key stay behind. */
static unsigned char *
read_disk(const char *path, size_t *n, struct buf *error)
{
	unsigned char *text = NULL;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd == -1 || fstat(fd, &st) == -1) {
		buf_printf(error, "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode) || st.st_size > TLS_PEM_MAX) {
		buf_printf(error, "%s: not a file, or too large", path);
	} else {
		*n = (size_t)st.st_size;
		text = mem_new(*n + 1);
		if (fd_pread_all(fd, text, *n, 0) == -1) {
			buf_printf(error, "%s: %s", path, strerror(errno));
			OPENSSL_cleanse(text, *n);
			free(text);
			text = NULL;
		} else {
			tls_kept_add(path, &st,
			    (struct span){ (char *)text, *n });
		}
	}
	fd_close(&fd);
	return text;
}

static unsigned char *
read_file(const char *path, size_t *n, struct buf *error)
{
	struct span kept;
	unsigned char *text;

	if (!tls_kept_find(path, &kept))
		return read_disk(path, n, error);
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
	unsigned char *text;
	size_t n = 0;
	bool good;

	text = read_file(path, &n, error);
	if (text == NULL)
		return false;
	good = tls_pem_each((struct span){ (char *)text, n }, keys, visit, with,
	    &detail);
	if (!good)
		buf_printf(error, "%s: %s", path, buf_text(&detail));
	OPENSSL_cleanse(text, n);
	free(text);
	buf_fini(&detail);
	return good;
}
