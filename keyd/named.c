/* SPDX-License-Identifier: ISC */
#include "keyd/named.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/hash_table.h"
#include "lib/base/mem.h"
#include "lib/table/table.h"
#include "lib/tls/tls_key.h"

enum { DIGEST = 32, KEYS_MAX = 8, CHAIN_MAX = 262144 };

/* What a table's value was made into, found by the value's digest. */
struct made {
	unsigned char digest[DIGEST];
	char *chain;
	size_t chain_length;
	char ids[KEYS_MAX][TLS_KEY_ID_MAX];
	size_t id_count;
	UT_hash_handle hh;
};

struct named {
	struct keyring *ring;
	struct table_list *tables; /* NULL: none are set */
	struct made *all; /* the one that was asked for last is the last */
};

/* While one value is made into certificates. */
struct making {
	struct named *named;
	struct made *made;
	BIO *out;
	X509 **leaves;
	size_t leaf_count;
};

struct named *
named_new(struct keyring *ring, const char *tables, struct buf *error)
{
	struct named *n = mem_new(sizeof(*n));

	n->ring = ring;
	if (span_trim(span_of(tables)).n == 0)
		return n;
	n->tables = table_list_open_flags(tables, TABLE_CONTENTS, error);
	if (n->tables != NULL && table_promises()[0] != '\0')
		buf_add_text(error,
		    "private keys are not asked of a server: "
		    "a table in a file is wanted");
	if (n->tables == NULL || error->n > 0)
		named_free(&n);
	return n;
}

static void
unmake(struct named *n, struct made *m)
{
	for (size_t i = 0; i < m->id_count; i++)
		keyring_drop(n->ring, m->ids[i], KEY_SERVERS);
	free(m->chain);
	free(m);
}

void
named_free(struct named **np)
{
	struct named *n = *np;

	if (n == NULL)
		return;
	*np = NULL;
	while (n->all != NULL) {
		struct made *first = n->all;

		HASH_DEL(n->all, first);
		unmake(n, first);
	}
	table_list_free(&n->tables);
	free(n);
}

static bool
take_group(void *with, const struct tls_pem_group *g, struct buf *error)
{
	struct making *k = with;
	struct made *m = k->made;

	if (g->key != NULL) {
		if (m->id_count == KEYS_MAX) {
			buf_printf(error, "more than %d keys", KEYS_MAX);
			return false;
		}
		if (!keyring_hold(k->named->ring, g->key, KEY_SERVERS,
			m->ids[m->id_count], error))
			return false;
		m->id_count++;
	}
	if (g->leaf == NULL)
		return true;
	if (k->leaf_count == KEYS_MAX) {
		buf_printf(error, "more than %d certificates", KEYS_MAX);
		return false;
	}
	X509_up_ref(g->leaf);
	k->leaves[k->leaf_count++] = g->leaf;
	return tls_pem_write(k->out, g);
}

/* A certificate that nothing could be signed for is of no use to anybody. */
static bool
all_have_keys(const struct making *k, struct buf *error)
{
	for (size_t i = 0; i < k->leaf_count; i++) {
		char id[TLS_KEY_ID_MAX];

		if (!tls_key_id(X509_get0_pubkey(k->leaves[i]), id) ||
		    !keyring_has(k->named->ring, id)) {
			buf_add_text(error,
			    "no private key for the certificate");
			return false;
		}
	}
	if (k->leaf_count == 0)
		buf_add_text(error, "no certificate in it");
	return k->leaf_count > 0;
}

static bool
keep_text(struct making *k, struct buf *error)
{
	char *text;
	long n = BIO_get_mem_data(k->out, &text);

	if (n <= 0 || n > CHAIN_MAX) {
		buf_add_text(error, "too many certificates");
		return false;
	}
	k->made->chain = mem_span_text((struct span){ text, (size_t)n });
	k->made->chain_length = (size_t)n;
	return true;
}

/* NULL with *error. */
static struct made *
make(struct named *n, struct span pem, struct buf *error)
{
	X509 *leaves[KEYS_MAX];
	struct making k = { n, mem_new(sizeof(struct made)),
		BIO_new(BIO_s_mem()), leaves, 0 };
	bool good = k.out != NULL &&
	    tls_pem_each(pem, true, take_group, &k, error) &&
	    all_have_keys(&k, error) && keep_text(&k, error);

	for (size_t i = 0; i < k.leaf_count; i++)
		X509_free(leaves[i]);
	BIO_free(k.out);
	if (!good) {
		unmake(n, k.made);
		return NULL;
	}
	return k.made;
}

static struct made *
decode(struct named *n, struct span value, struct buf *error)
{
	struct buf pem = BUF_INIT(TABLE_VALUE_MAX);
	struct made *m = NULL;

	if (!base64_decode(value, &pem))
		buf_add_text(error,
		    "no base64 of files: is the table made with postmap -F?");
	else
		m = make(n, buf_span(&pem), error);
	if (pem.p != NULL)
		OPENSSL_cleanse(pem.p, pem.room);
	buf_fini(&pem);
	return m;
}

/* What was asked for last is thrown away last. */
static struct made *
made_of(struct named *n, struct span value, struct buf *error)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct made *m = NULL;

	if (EVP_Digest(value.p, value.n, digest, NULL, EVP_sha256(), NULL) != 1)
		return NULL;
	HASH_FIND(hh, n->all, digest, DIGEST, m);
	if (m != NULL) {
		HASH_DEL(n->all, m);
	} else {
		m = decode(n, value, error);
		if (m == NULL)
			return NULL;
		memcpy(m->digest, digest, DIGEST);
	}
	HASH_ADD(hh, n->all, digest, DIGEST, m);
	if (HASH_COUNT(n->all) > NAMED_MAX) {
		struct made *oldest = n->all;

		HASH_DEL(n->all, oldest);
		unmake(n, oldest);
	}
	return m;
}

/* "mx.a.test", then ".a.test", then ".test". */
static enum table_result
look_up(struct named *n, const char *name, struct buf *value)
{
	enum table_result r = TABLE_NONE;

	for (const char *key = name; key != NULL && r == TABLE_NONE;
	     key = strchr(key + 1, '.')) {
		if (key[0] == '.' && key[1] == '\0')
			break;
		r = table_list_lookup(n->tables, span_of(key), value);
	}
	return r;
}

enum named_result
named_find(struct named *n, const char *name, struct buf *chain,
    struct buf *error)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	enum named_result result = NAMED_LATER;
	const struct made *m;
	enum table_result r;

	if (n->tables == NULL)
		return NAMED_UNUSED;
	r = name[0] == '\0' ? TABLE_NONE : look_up(n, name, &value);
	if (r == TABLE_NONE) {
		result = NAMED_NONE;
	} else if (r != TABLE_FOUND) {
		buf_add_span(error, buf_span(&value));
	} else if ((m = made_of(n, buf_span(&value), error)) != NULL &&
	    buf_add(chain, m->chain, m->chain_length)) {
		result = NAMED_FOUND;
	}
	if (value.p != NULL)
		OPENSSL_cleanse(value.p, value.room);
	buf_fini(&value);
	return result;
}
