/* SPDX-License-Identifier: ISC */
#include "keyd/keyring.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "keyd/signable.h"
#include "lib/base/mem.h"
#include "lib/tls/tls_key.h"

struct entry {
	char id[TLS_KEY_ID_MAX];
	EVP_PKEY *key;
};

struct keyring {
	struct entry *entries;
	size_t count;
};

struct keyring *
keyring_new(void)
{
	return mem_new(sizeof(struct keyring));
}

void
keyring_free(struct keyring **k)
{
	if (*k == NULL)
		return;
	for (size_t i = 0; i < (*k)->count; i++)
		EVP_PKEY_free((*k)->entries[i].key);
	free((*k)->entries);
	free(*k);
	*k = NULL;
}

size_t
keyring_count(const struct keyring *k)
{
	return k->count;
}

static EVP_PKEY *
find(const struct keyring *k, const char *id)
{
	for (size_t i = 0; i < k->count; i++)
		if (strcmp(k->entries[i].id, id) == 0)
			return k->entries[i].key;
	return NULL;
}

struct adding {
	struct keyring *ring;
	size_t found;
};

static bool
add(void *with, const struct tls_pem_group *g, struct buf *error)
{
	struct adding *a = with;
	struct keyring *k = a->ring;
	struct entry *e;
	char id[TLS_KEY_ID_MAX];

	if (g->key == NULL)
		return true;
	a->found++;
	if (!tls_key_id(g->key, id)) {
		buf_add_text(error, "a key without a public part");
		return false;
	}
	if (find(k, id) != NULL)
		return true;
	if (k->count == KEYRING_MAX) {
		buf_printf(error, "more than %d keys", KEYRING_MAX);
		return false;
	}
	k->entries = mem_resize(k->entries, (k->count + 1) * sizeof(*e));
	e = &k->entries[k->count++];
	memcpy(e->id, id, sizeof(id));
	EVP_PKEY_up_ref(g->key);
	e->key = g->key;
	return true;
}

bool
keyring_load(struct keyring *k, const char *path, size_t *found,
    struct buf *error)
{
	struct adding a = { k, 0 };
	bool good = tls_pem_file(path, true, add, &a, error);

	*found = a.found;
	return good;
}

static bool
allowed(EVP_PKEY *key, uint64_t operation, uint64_t padding, struct span data)
{
	int type = EVP_PKEY_get_base_id(key);

	if (operation == TLS_KEY_ECDSA_SIGN)
		return type == EVP_PKEY_EC && signable_digest(data);
	if (operation != TLS_KEY_RSA_SIGN || type != EVP_PKEY_RSA)
		return false;
	if (padding == RSA_PKCS1_PADDING)
		return signable_digest_info(data);
	return padding == RSA_NO_PADDING &&
	    signable_pss(data, (unsigned int)EVP_PKEY_get_bits(key));
}

static bool
sign(EVP_PKEY *key, uint64_t padding, struct span data, struct buf *signature)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
	size_t n = (size_t)EVP_PKEY_get_size(key);
	char *out = buf_reserve(signature, n);
	bool good;

	good = c != NULL && out != NULL && EVP_PKEY_sign_init(c) == 1;
	if (good && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		good = EVP_PKEY_CTX_set_rsa_padding(c, (int)padding) == 1;
	good = good &&
	    EVP_PKEY_sign(c, (unsigned char *)out, &n,
		(const unsigned char *)data.p, data.n) == 1;
	if (good)
		buf_added(signature, n);
	EVP_PKEY_CTX_free(c);
	ERR_clear_error();
	return good;
}

bool
keyring_sign(const struct keyring *k, const char *id, uint64_t operation,
    uint64_t padding, struct span data, struct buf *signature,
    struct buf *error)
{
	EVP_PKEY *key = find(k, id);

	if (key == NULL)
		buf_printf(error, "no such key: %s", id);
	else if (!allowed(key, operation, padding, data))
		buf_printf(error,
		    "not the input of a TLS signature"
		    " (operation %u, padding %u, %zu bytes)",
		    (unsigned int)operation, (unsigned int)padding, data.n);
	else if (!sign(key, padding, data, signature))
		buf_add_text(error, "OpenSSL failed to sign");
	else
		return true;
	return false;
}
