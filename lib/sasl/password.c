/* SPDX-License-Identifier: ISC */
#include "lib/sasl/password.h"

#include <crypt.h>
#include <dlfcn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/buf.h"
#include "lib/base/hex.h"
#include "lib/base/mem.h"
#include "lib/sasl/password_cost.h"

enum { HASH_MAX = 1024 }; /* stored hash, decoded */

struct check {
	const struct scheme *scheme;
	struct span hash; /* behind the scheme */
	struct span password; /* terminated at its end, no NUL inside */
	struct buf *error;
};

struct scheme {
	const char *name;
	enum password_result (*verify)(const struct check *c);
	const char *digest; /* of bytes, or for derivation */
	bool salted; /* salt behind the digest */
	int argon2; /* libargon2's type */
};

bool
password_equal(struct span a, struct span b)
{
	unsigned char difference = a.n != b.n;

	/* runs over all of b, which is the secret one */
	for (size_t i = 0; i < b.n; i++)
		difference |= (unsigned char)((i < a.n ? a.p[i] : 0) ^ b.p[i]);
	return difference == 0;
}

static enum password_result
outcome(bool equal)
{
	return equal ? PASSWORD_RIGHT : PASSWORD_WRONG;
}

static enum password_result
broken(const struct check *c, const char *what)
{
	buf_printf(c->error, "stored password of scheme %s: %s",
	    c->scheme->name, what);
	return PASSWORD_BROKEN;
}

static enum password_result
too_dear(const struct check *c)
{
	return broken(c, "to compare with it costs more than is allowed");
}

static enum password_result
verify_plain(const struct check *c)
{
	return outcome(password_equal(c->password, c->hash));
}

static enum password_result
verify_crypt(const struct check *c)
{
	static struct crypt_data *data; /* 32 KiB, wiped after use */
	char *setting;
	const char *made;
	bool equal, usable;

	if (!password_cost_bearable(c->hash))
		return too_dear(c);
	setting = mem_span_text(c->hash);
	if (data == NULL)
		data = mem_new(sizeof(*data));
	made = crypt_rn(c->password.p, setting, data, sizeof(*data));
	usable = made != NULL;
	equal = usable && password_equal(span_of(made), c->hash);
	OPENSSL_cleanse(data, sizeof(*data));
	free(setting);
	if (!usable)
		return broken(c, "crypt(3) does not know this kind of hash");
	return outcome(equal);
}

/* libargon2's argon2_verify. */
typedef int
argon2_function(const char *encoded, const void *password, size_t n, int type);
static argon2_function *argon2_verify;

void
password_init(void)
{
	void *library = dlopen("libargon2.so.1", RTLD_NOW | RTLD_LOCAL);

	if (library != NULL)
		argon2_verify = (argon2_function *)(uintptr_t)dlsym(library,
		    "argon2_verify");
}

static enum password_result
verify_argon2(const struct check *c)
{
	enum { ARGON2_MISMATCH = -35 };
	int type = c->scheme->argon2;
	char *encoded;
	int result;

	if (!password_cost_bearable(c->hash))
		return too_dear(c);
	if (argon2_verify == NULL)
		return broken(c, "libargon2.so.1 is not installed");
	if (span_starts(c->hash, "$argon2id$"))
		type = 2;
	else if (span_starts(c->hash, "$argon2i$"))
		type = 1;
	encoded = mem_span_text(c->hash);
	result = argon2_verify(encoded, c->password.p, c->password.n, type);
	free(encoded);
	if (result != 0 && result != ARGON2_MISMATCH)
		return broken(c, "libargon2 cannot use it");
	return outcome(result == 0);
}

static bool
hex_decode(struct span text, struct buf *out)
{
	for (size_t i = 0; i + 1 < text.n; i += 2) {
		int high = hex_digit(text.p[i]), low = hex_digit(text.p[i + 1]);

		if (high == -1 || low == -1)
			return false;
		buf_add_char(out, (char)(high << 4 | low));
	}
	return text.n > 0 && text.n % 2 == 0 && !out->overflow;
}

/* Unsalted ones are told by their length, as Dovecot does. */
static bool
hash_bytes(struct span text, size_t size, bool salted, struct buf *out)
{
	bool hex = !salted && text.n == 2 * size;

	return hex ? hex_decode(text, out) : base64_decode(text, out);
}

static enum password_result
verify_digest(const struct check *c)
{
	const EVP_MD *md = EVP_get_digestbyname(c->scheme->digest);
	size_t size = (size_t)EVP_MD_get_size(md);
	unsigned char made[EVP_MAX_MD_SIZE];
	struct buf stored = BUF_INIT(HASH_MAX);
	EVP_MD_CTX *x = EVP_MD_CTX_new();
	bool valid, equal;

	valid = hash_bytes(c->hash, size, c->scheme->salted, &stored) &&
	    (c->scheme->salted ? stored.n > size : stored.n == size);
	equal = valid && x != NULL && EVP_DigestInit_ex(x, md, NULL) == 1 &&
	    EVP_DigestUpdate(x, c->password.p, c->password.n) == 1 &&
	    EVP_DigestUpdate(x, stored.p + size, stored.n - size) == 1 &&
	    EVP_DigestFinal_ex(x, made, NULL) == 1 &&
	    CRYPTO_memcmp(made, stored.p, size) == 0;
	EVP_MD_CTX_free(x);
	buf_fini(&stored);
	if (!valid)
		return broken(c, "not a hash of its length");
	return outcome(equal);
}

static bool
derive(const struct check *c, struct span salt, uint64_t rounds,
    const EVP_MD *md, unsigned char *out)
{
	return PKCS5_PBKDF2_HMAC(c->password.p, (int)c->password.n,
		   (const unsigned char *)salt.p, (int)salt.n, (int)rounds, md,
		   EVP_MD_get_size(md), out) == 1;
}

/* "$1$SALT$ROUNDS$HEX": SHA-1 */
static enum password_result
verify_pbkdf2(const struct check *c)
{
	const EVP_MD *md = EVP_sha1();
	size_t size = (size_t)EVP_MD_get_size(md);
	struct span rest = c->hash, version, salt, rounds_text, empty;
	unsigned char made[EVP_MAX_MD_SIZE];
	struct buf stored = BUF_INIT(HASH_MAX);
	uint64_t rounds = 0;
	bool valid, equal;

	valid = span_cut(&rest, "$", false, &empty) && empty.n == 0 &&
	    span_cut(&rest, "$", false, &version) && span_is(version, "1") &&
	    span_cut(&rest, "$", false, &salt) && salt.n > 0 &&
	    span_cut(&rest, "$", false, &rounds_text) &&
	    span_u64(rounds_text, PASSWORD_ROUNDS_MAX, &rounds) && rounds > 0 &&
	    hex_decode(rest, &stored) && stored.n == size;
	equal = valid && derive(c, salt, rounds, md, made) &&
	    CRYPTO_memcmp(made, stored.p, size) == 0;
	buf_fini(&stored);
	return valid ? outcome(equal) : broken(c, "malformed");
}

/* "ROUNDS,SALT,STOREDKEY,SERVERKEY" in base 64, RFC 5802 section 3. */
static enum password_result
verify_scram(const struct check *c)
{
	const EVP_MD *md = EVP_get_digestbyname(c->scheme->digest);
	size_t size = (size_t)EVP_MD_get_size(md);
	struct span rest = c->hash, rounds_text, salt_text, key_text;
	unsigned char salted[EVP_MAX_MD_SIZE], client[EVP_MAX_MD_SIZE];
	unsigned char made[EVP_MAX_MD_SIZE];
	struct buf salt = BUF_INIT(HASH_MAX), stored = BUF_INIT(HASH_MAX);
	uint64_t rounds = 0;
	bool valid, equal;

	valid = span_cut(&rest, ",", false, &rounds_text) &&
	    span_u64(rounds_text, PASSWORD_ROUNDS_MAX, &rounds) && rounds > 0 &&
	    span_cut(&rest, ",", false, &salt_text) &&
	    base64_decode(salt_text, &salt) &&
	    span_cut(&rest, ",", false, &key_text) &&
	    base64_decode(key_text, &stored) && stored.n == size;
	equal = valid && derive(c, buf_span(&salt), rounds, md, salted) &&
	    HMAC(md, salted, (int)size, (const unsigned char *)"Client Key", 10,
		client, NULL) != NULL &&
	    EVP_Digest(client, size, made, NULL, md, NULL) == 1 &&
	    CRYPTO_memcmp(made, stored.p, size) == 0;
	buf_fini(&salt);
	buf_fini(&stored);
	return valid ? outcome(equal) : broken(c, "malformed");
}

static const struct scheme schemes[] = {
	{ .name = "PLAIN", .verify = verify_plain },
	{ .name = "CLEAR", .verify = verify_plain },
	{ .name = "CLEARTEXT", .verify = verify_plain },
	{ .name = "CRYPT", .verify = verify_crypt },
	{ .name = "DES-CRYPT", .verify = verify_crypt },
	{ .name = "MD5-CRYPT", .verify = verify_crypt },
	{ .name = "MD5", .verify = verify_crypt },
	{ .name = "SHA256-CRYPT", .verify = verify_crypt },
	{ .name = "SHA512-CRYPT", .verify = verify_crypt },
	{ .name = "BLF-CRYPT", .verify = verify_crypt },
	{ .name = "YESCRYPT", .verify = verify_crypt },
	{ .name = "ARGON2", .verify = verify_argon2, .argon2 = 2 },
	{ .name = "ARGON2I", .verify = verify_argon2, .argon2 = 1 },
	{ .name = "ARGON2ID", .verify = verify_argon2, .argon2 = 2 },
	{ .name = "SHA", .verify = verify_digest, .digest = "SHA1" },
	{ .name = "SHA1", .verify = verify_digest, .digest = "SHA1" },
	{ .name = "SSHA",
	    .verify = verify_digest,
	    .digest = "SHA1",
	    .salted = true },
	{ .name = "SHA256", .verify = verify_digest, .digest = "SHA256" },
	{ .name = "SSHA256",
	    .verify = verify_digest,
	    .digest = "SHA256",
	    .salted = true },
	{ .name = "SHA384", .verify = verify_digest, .digest = "SHA384" },
	{ .name = "SHA512", .verify = verify_digest, .digest = "SHA512" },
	{ .name = "SSHA512",
	    .verify = verify_digest,
	    .digest = "SHA512",
	    .salted = true },
	{ .name = "PLAIN-MD5", .verify = verify_digest, .digest = "MD5" },
	{ .name = "LDAP-MD5", .verify = verify_digest, .digest = "MD5" },
	{ .name = "SMD5",
	    .verify = verify_digest,
	    .digest = "MD5",
	    .salted = true },
	{ .name = "PBKDF2", .verify = verify_pbkdf2 },
	{ .name = "SCRAM-SHA-1", .verify = verify_scram, .digest = "SHA1" },
	{ .name = "SCRAM-SHA-256", .verify = verify_scram, .digest = "SHA256" },
};

static const struct scheme *
find(struct span name)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (span_is_nocase(name, schemes[i].name))
			return &schemes[i];
	return NULL;
}

/* Parts "{NAME.ENCODING}hash"; the encoding shows in the hash itself. */
static const struct scheme *
part(const char *stored, struct span *name, struct span *hash)
{
	struct span s = span_of(stored);
	size_t end;

	*name = SPAN("CRYPT");
	*hash = s;
	if (s.n > 0 && s.p[0] == '{' && (end = span_find(s, '}')) < s.n) {
		*name = span_take(span_skip(s, 1), end - 1);
		*hash = span_skip(s, end + 1);
	}
	if (span_ends_nocase(*name, ".B64") || span_ends_nocase(*name, ".HEX"))
		name->n -= 4;
	return find(*name);
}

bool
password_plain(const char *stored, struct span *plain)
{
	struct span name, hash;
	const struct scheme *s = part(stored, &name, &hash);

	if (s == NULL || s->verify != verify_plain)
		return false;
	*plain = hash;
	return true;
}

enum password_result
password_verify(const char *stored, struct span password, struct buf *error)
{
	struct span name, hash;
	const struct scheme *s = part(stored, &name, &hash);
	struct check c = { s, hash, { NULL, 0 }, error };
	enum password_result result;
	char *text;

	if (s == NULL) {
		buf_printf(error, "unknown password scheme {%.*s}",
		    SPAN_ARG(name));
		return PASSWORD_BROKEN;
	}
	/* crypt(3) stops at a NUL, so a longer password would be the same */
	if (password.n > PASSWORD_MAX || password.n == 0 ||
	    memchr(password.p, '\0', password.n) != NULL)
		return PASSWORD_WRONG;
	text = mem_span_text(password);
	c.password = (struct span){ text, password.n };
	result = s->verify(&c);
	OPENSSL_cleanse(text, password.n);
	free(text);
	return result;
}
