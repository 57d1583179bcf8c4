/* SPDX-License-Identifier: ISC */
/* Certificates, keys and authorities: everything that is read from files. */
#include "lib/tls/tls_context.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/tls/tls_kept.h"
#include "lib/tls/tls_key.h"

struct loading {
	struct tls_context *context;
	SSL *session; /* NULL: for all of the context's */
	tls_sign_function *sign;
	EVP_PKEY *key; /* from a file of its own */
	unsigned int count;
};

static void
note_end(struct tls_context *c, X509 *x)
{
	struct tm tm;
	int64_t end;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
		return;
	end = (int64_t)timegm(&tm);
	if (c->expires == 0 || end < c->expires)
		c->expires = end;
}

static bool
use(struct loading *l, const struct tls_pem_group *g, EVP_PKEY *key,
    struct buf *error)
{
	bool taken;

	ERR_clear_error();
	taken = l->session != NULL ?
	    SSL_use_cert_and_key(l->session, g->leaf, key, g->issuers, 1) == 1 :
	    SSL_CTX_use_cert_and_key(l->context->ssl, g->leaf, key, g->issuers,
		1) == 1;
	if (!taken) {
		char text[256];

		ERR_error_string_n(ERR_get_error(), text, sizeof(text));
		ERR_clear_error();
		buf_printf(error, "certificate and key are refused: %s", text);
		return false;
	}
	if (l->context != NULL)
		note_end(l->context, g->leaf);
	l->count++;
	return true;
}

/* The last one counts: it stands before its certificate. */
static bool
take_key(void *with, const struct tls_pem_group *g, struct buf *error)
{
	struct loading *l = with;

	(void)error;
	if (g->key != NULL) {
		EVP_PKEY_up_ref(g->key);
		EVP_PKEY_free(l->key);
		l->key = g->key;
	}
	return true;
}

static bool
load_group(void *with, const struct tls_pem_group *g, struct buf *error)
{
	struct loading *l = with;
	EVP_PKEY *key;
	bool good;

	if (g->leaf == NULL) /* the key of a certificate in another file */
		return take_key(l, g, error);
	if (l->sign != NULL) {
		key = tls_remote_key(g->leaf, l->sign, error);
		good = key != NULL && use(l, g, key, error);
		EVP_PKEY_free(key);
		return good;
	}
	key = g->key != NULL ? g->key : l->key;
	if (key == NULL) {
		buf_add_text(error, "no private key for the certificate");
		return false;
	}
	return use(l, g, key, error);
}

static bool
load_text(struct loading *l, struct span pem, bool keys, struct buf *error)
{
	bool good = tls_pem_each(pem, keys, load_group, l, error);

	EVP_PKEY_free(l->key);
	if (good && l->count == 0)
		buf_add_text(error, "no certificate found");
	return good && l->count > 0;
}

bool
tls_context_load_text(struct tls_context *c, struct span pem,
    tls_sign_function *sign, struct buf *error)
{
	struct loading l = { .context = c, .sign = sign };

	return load_text(&l, pem, sign == NULL, error);
}

bool
tls_session_load_text(SSL *ssl, struct span pem, tls_sign_function *sign,
    struct buf *error)
{
	struct loading l = { .session = ssl, .sign = sign };

	SSL_certs_clear(ssl);
	return load_text(&l, pem, false, error);
}

/* One file of certificates; its key is in it or in key_file. */
static bool
load_file(struct tls_context *c, const char *path, const char *key_file,
    tls_sign_function *sign, struct buf *error)
{
	struct loading l = { .context = c, .sign = sign };
	bool good = true;

	if (sign == NULL && key_file != NULL && key_file[0] != '\0' &&
	    strcmp(path, key_file) != 0)
		good = tls_pem_file(key_file, true, take_key, &l, error);
	good = good && tls_pem_file(path, sign == NULL, load_group, &l, error);
	if (good && l.count == 0) {
		buf_printf(error, "%s: no certificate found", path);
		good = false;
	}
	EVP_PKEY_free(l.key);
	return good;
}

static bool
is_set(const char *text)
{
	return text != NULL && text[0] != '\0' && strcmp(text, "none") != 0;
}

/* Each key stands before its certificate, in one file or in two. */
static bool
load_chain_files(struct tls_context *c, const char *files,
    tls_sign_function *sign, struct buf *error)
{
	struct loading l = { .context = c, .sign = sign };
	struct span rest = span_of(files), word;
	bool good = true;

	while (good && span_cut(&rest, ", \t\r\n", true, &word)) {
		char *path;

		if (word.n == 0)
			continue;
		path = mem_span_text(word);
		good = tls_pem_file(path, sign == NULL, load_group, &l, error);
		free(path);
	}
	if (good && l.count == 0) {
		buf_printf(error, "%s: no certificate found", files);
		good = false;
	}
	EVP_PKEY_free(l.key);
	return good;
}

bool
tls_context_load_files(struct tls_context *c, const struct tls_files *files,
    tls_sign_function *sign, struct buf *error)
{
	bool good = true;

	if (files->chain_files != NULL &&
	    span_trim(span_of(files->chain_files)).n > 0)
		return load_chain_files(c, files->chain_files, sign, error);
	if (is_set(files->cert_file))
		good = load_file(c, files->cert_file, files->key_file, sign,
		    error);
	if (good && is_set(files->eccert_file))
		good = load_file(c, files->eccert_file, files->eckey_file, sign,
		    error);
	return good;
}

/* "5ed36f99.0": how c_rehash names a certificate. */
static bool
is_hashed(const char *name)
{
	size_t n = strspn(name, "0123456789abcdef");

	return n == 8 && name[n] == '.' && name[n + 1] >= '0' &&
	    name[n + 1] <= '9';
}

/*
 * A directory of authorities is read whole now: OpenSSL would look into it
 * at each handshake, when this process can open nothing any more.
 */
bool
tls_trust_directory(X509_STORE *store, const char *path, struct buf *error)
{
	struct dirent *e;
	DIR *d = opendir(path);

	if (d == NULL) {
		buf_printf(error, "%s: %s", path, strerror(errno));
		return false;
	}
	while ((e = readdir(d)) != NULL) {
		char *file;

		if (!is_hashed(e->d_name))
			continue;
		file = mem_printf("%s/%s", path, e->d_name);
		/* one bad file must not take the others along */
		if (X509_STORE_load_file(store, file) != 1)
			ERR_clear_error();
		free(file);
	}
	closedir(d);
	return true;
}

bool
tls_trust_file(X509_STORE *store, const char *path, struct buf *error)
{
	size_t n = 0;
	char *text = tls_pem_read(path, &n, error);
	bool good;

	if (text == NULL)
		return false;
	good = tls_pem_authorities((struct span){ text, n }, store);
	OPENSSL_cleanse(text, n);
	free(text);
	if (good)
		tls_kept_good(path);
	else
		buf_printf(error, "%s: no certificates can be read from it",
		    path);
	return good;
}

static void
trust_system(X509_STORE *store)
{
	const char *const bundles[] = {
		X509_get_default_cert_file(),
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
		"/etc/ssl/cert.pem",
	};
	struct buf ignored = BUF_INIT(1024);

	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++)
		if (access(bundles[i], R_OK) == 0 &&
		    X509_STORE_load_file(store, bundles[i]) == 1)
			return;
	/* a machine without authorities verifies nobody, and says so then */
	tls_trust_directory(store, X509_get_default_cert_dir(), &ignored);
	buf_fini(&ignored);
	ERR_clear_error();
}

bool
tls_context_trust(struct tls_context *c, const char *ca_file,
    const char *ca_directory, bool system_too, struct buf *error)
{
	X509_STORE *store = SSL_CTX_get_cert_store(c->ssl);
	bool own = is_set(ca_file) || is_set(ca_directory);
	struct buf why = BUF_INIT(1024);

	if (!own || system_too)
		trust_system(store);
	if (is_set(ca_directory) &&
	    !tls_trust_directory(store, ca_directory, &why))
		log_warning("%s; no authority is taken from there",
		    buf_text(&why));
	buf_fini(&why);
	return !is_set(ca_file) || tls_trust_file(store, ca_file, error);
}

/* Of a public key there is no name, and no end, to look at. */
static bool
has_bare_key(const char *path)
{
	static const char name[] = "-----BEGIN PUBLIC KEY-----";
	struct buf ignored = BUF_INIT(1024);
	size_t n = 0;
	char *text = tls_pem_read(path, &n, &ignored);
	bool found;

	buf_fini(&ignored);
	if (text == NULL) /* who reads it next says why */
		return false;
	found = memmem(text, n, name, sizeof(name) - 1) != NULL;
	OPENSSL_cleanse(text, n);
	free(text);
	return found;
}

bool
tls_trust_anchors(X509_STORE *store, const char *files, struct buf *error)
{
	struct span rest = span_of(files), word;
	bool good = true;

	/* a chain may end with one that is no root */
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	while (good && span_cut(&rest, ", \t\r\n", true, &word)) {
		struct arena *a = arena_new();
		const char *path = arena_span(a, word);

		if (word.n > 0 && has_bare_key(path)) {
			buf_printf(error,
			    "%s: a public key alone is no trust anchor here: "
			    "put its certificate there",
			    path);
			good = false;
		} else if (word.n > 0) {
			good = tls_trust_file(store, path, error);
		}
		arena_free(&a);
	}
	return good;
}
