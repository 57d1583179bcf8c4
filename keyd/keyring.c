/* SPDX-License-Identifier: ISC */
#include "keyd/keyring.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "keyd/signable.h"
#include "lib/base/hash_table.h"
#include "lib/base/mem.h"
#include "lib/tls/tls_key.h"

enum { USERS = 4 };

struct entry {
	char id[TLS_KEY_ID_MAX];
	EVP_PKEY *key;
	unsigned int holders[USERS]; /* for each of enum key_users */
	UT_hash_handle hh;
};

struct keyring {
	struct entry *entries;
};

struct keyring *
keyring_new(void)
{
	return mem_new(sizeof(struct keyring));
}

static void
take_out(struct keyring *k, struct entry *e)
{
	HASH_DEL(k->entries, e);
	EVP_PKEY_free(e->key);
	free(e);
}

void
keyring_free(struct keyring **k)
{
	if (*k == NULL)
		return;
	while ((*k)->entries != NULL)
		take_out(*k, (*k)->entries);
	free(*k);
	*k = NULL;
}

size_t
keyring_count(const struct keyring *k)
{
	return HASH_COUNT(k->entries);
}

static struct entry *
find(const struct keyring *k, const char *id)
{
	struct entry *e = NULL;

	HASH_FIND_STR(k->entries, id, e);
	return e;
}

bool
keyring_has(const struct keyring *k, const char *id)
{
	return find(k, id) != NULL;
}

static unsigned int
users_of(const struct entry *e)
{
	unsigned int users = 0;

	for (unsigned int i = 0; i < USERS; i++)
		if (e->holders[i] > 0)
			users |= 1U << i;
	return users;
}

static void
count(struct entry *e, unsigned int users, unsigned int by)
{
	for (unsigned int i = 0; i < USERS; i++)
		if (users & 1U << i)
			e->holders[i] += by;
}

bool
keyring_hold(struct keyring *k, EVP_PKEY *key, unsigned int users,
    char id[TLS_KEY_ID_MAX], struct buf *error)
{
	struct entry *e;

	if (!tls_key_id(key, id)) {
		buf_add_text(error, "a key without a public part");
		return false;
	}
	e = find(k, id);
	if (e == NULL) {
		if (HASH_COUNT(k->entries) == KEYRING_MAX) {
			buf_printf(error, "more than %d keys", KEYRING_MAX);
			return false;
		}
		e = mem_new(sizeof(*e));
		memcpy(e->id, id, TLS_KEY_ID_MAX);
		EVP_PKEY_up_ref(key);
		e->key = key;
		HASH_ADD_STR(k->entries, id, e);
	}
	count(e, users, 1);
	return true;
}

void
keyring_drop(struct keyring *k, const char *id, unsigned int users)
{
	struct entry *e = find(k, id);

	if (e == NULL)
		return;
	count(e, users, -1U);
	if (users_of(e) == 0)
		take_out(k, e);
}

struct adding {
	struct keyring *ring;
	unsigned int users;
};

static bool
add(void *with, const struct tls_pem_group *g, struct buf *error)
{
	struct adding *a = with;
	char id[TLS_KEY_ID_MAX];

	if (g->key == NULL)
		return true;
	return keyring_hold(a->ring, g->key, a->users, id, error);
}

bool
keyring_load(struct keyring *k, const char *path, unsigned int users,
    struct buf *error)
{
	struct adding a = { k, users };

	return tls_pem_file(path, true, add, &a, error);
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
keyring_sign(const struct keyring *k, const char *id, unsigned int users,
    uint64_t operation, uint64_t padding, struct span data,
    struct buf *signature, struct buf *error)
{
	const struct entry *e = find(k, id);
	EVP_PKEY *key = e == NULL ? NULL : e->key;

	if (key == NULL)
		buf_printf(error, "no such key: %s", id);
	else if ((users_of(e) & users) == 0)
		buf_printf(error, "a key of other programs: %s", id);
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
