/* SPDX-License-Identifier: ISC */
/*
 * A stored password as a server's table may hold it, a NUL, and what somebody
 * says it is. What costs time is played here: it is asked for no more than a
 * few seconds of it.
 */
#include "lib/sasl/password.h"

#include <crypt.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/ensure.h"
#include "lib/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	ROUNDS_MOST = 10000000,
	BCRYPT_MOST = 16,
};

static unsigned int dear_calls;

/* As in libcrypto. */
int
PKCS5_PBKDF2_HMAC(const char *password, int n, const unsigned char *salt,
    int salt_n, int rounds, const EVP_MD *digest, int key_n, unsigned char *key)
{
	ensure(n > 0 && n <= PASSWORD_MAX && strlen(password) == (size_t)n);
	ensure(salt_n >= 0 && (salt_n == 0 || salt != NULL));
	ensure(rounds > 0 && rounds <= ROUNDS_MOST);
	ensure(key_n == EVP_MD_get_size(digest) && key_n <= EVP_MAX_MD_SIZE);
	memset(key, rounds & 0xff, (size_t)key_n);
	dear_calls++;
	return 1;
}

/* What stands behind such a begin is bearable. */
static void
bearable(const char *setting, const char *begin, unsigned long most)
{
	size_t n = strlen(begin);

	if (strncmp(setting, begin, n) == 0)
		ensure(strtoul(setting + n, NULL, 10) <= most);
}

/* As in libcrypt; two hashes of three are right. */
char *
crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
	size_t n = strlen(setting);

	ensure(phrase[0] != '\0' && strlen(phrase) <= PASSWORD_MAX);
	ensure(size == (int)sizeof(struct crypt_data));
	bearable(setting, "$5$rounds=", ROUNDS_MOST);
	bearable(setting, "$6$rounds=", ROUNDS_MOST);
	bearable(setting, "$md5,rounds=", ROUNDS_MOST);
	bearable(setting, "$sha1$", ROUNDS_MOST);
	bearable(setting, "$2a$", BCRYPT_MOST);
	bearable(setting, "$2b$", BCRYPT_MOST);
	bearable(setting, "$2y$", BCRYPT_MOST);
	dear_calls++;
	if (n % 3 == 0 || n >= (size_t)size)
		return NULL;
	memset(data, 'x', n);
	((char *)data)[n] = '\0';
	if (n % 3 == 1)
		memcpy(data, setting, n);
	return data;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct span hash = span_take(in, span_find(in, '\0'));
	struct span password = span_skip(in, hash.n + 1), plain;
	char *stored = mem_span_text(hash);
	struct buf error = BUF_INIT(4096);
	enum password_result r;

	dear_calls = 0;
	r = password_verify(stored, password, &error);
	ensure(dear_calls <= 1);
	/* says what is wrong when something is */
	ensure((r == PASSWORD_BROKEN) == (error.n > 0));
	ensure(r != PASSWORD_RIGHT ||
	    (password.n > 0 && password.n <= PASSWORD_MAX &&
		span_find(password, '\0') == password.n));
	if (password_plain(stored, &plain)) {
		ensure(plain.n <= hash.n && dear_calls == 0);
		ensure((r == PASSWORD_RIGHT) ==
		    (password.n > 0 && password.n <= PASSWORD_MAX &&
			span_equal(plain, password)));
	}
	buf_fini(&error);
	free(stored);
	return 0;
}
