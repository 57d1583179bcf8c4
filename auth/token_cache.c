/* SPDX-License-Identifier: ISC */
#include "auth/token_cache.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/ensure.h"

enum { WAYS = 8, SETS = TOKENS_KEPT / WAYS, KEY_TEXT_MAX = 16384 };

static struct kept {
	unsigned char key[TOKEN_KEY];
	int64_t until; /* 0: free */
	char user[TOKEN_USER_MAX];
} cache[SETS][WAYS];

/* Texts have no NUL in them: where one ends is certain. */
void
token_cache_key(const char *protocol, const char *client, const char *user,
    struct span token, unsigned char key[TOKEN_KEY])
{
	struct buf all = BUF_INIT(KEY_TEXT_MAX);

	buf_add(&all, protocol, strlen(protocol) + 1);
	buf_add(&all, client, strlen(client) + 1);
	buf_add(&all, user, strlen(user) + 1);
	buf_add_span(&all, token);
	ensure(!all.overflow);
	ensure(EVP_Digest(all.p, all.n, key, NULL, EVP_sha256(), NULL) == 1);
	OPENSSL_cleanse(all.p, all.n);
	buf_fini(&all);
}

static struct kept *
set_of(const unsigned char key[TOKEN_KEY])
{
	return cache[((size_t)key[0] << 8 | key[1]) % SETS];
}

void
token_cache_add(const unsigned char key[TOKEN_KEY], const char *user,
    int64_t now, int64_t until)
{
	struct kept *set = set_of(key), *place = set;

	if (until <= now || strlen(user) >= TOKEN_USER_MAX)
		return;
	for (size_t i = 0; i < WAYS; i++) {
		if (CRYPTO_memcmp(set[i].key, key, TOKEN_KEY) == 0) {
			place = &set[i];
			break;
		}
		if (set[i].until < place->until)
			place = &set[i];
	}
	memset(place, 0, sizeof(*place));
	memcpy(place->key, key, TOKEN_KEY);
	memcpy(place->user, user, strlen(user));
	place->until = until;
}

bool
token_cache_find(const unsigned char key[TOKEN_KEY], int64_t now,
    char user[TOKEN_USER_MAX])
{
	const struct kept *set = set_of(key);

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].until > now &&
		    CRYPTO_memcmp(set[i].key, key, TOKEN_KEY) == 0) {
			memcpy(user, set[i].user, TOKEN_USER_MAX);
			return true;
		}
	return false;
}
