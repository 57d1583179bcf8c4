/* SPDX-License-Identifier: ISC */
#include "keyd/keyring.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keyd/signable.h"
#include "lib/tls/tls_key.h"

static struct keyring *
ring_with(EVP_PKEY *key, char id[TLS_KEY_ID_MAX])
{
	char path[] = "/tmp/keyring_test.XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	struct keyring *ring = keyring_new();
	struct buf error = BUF_INIT(500);

	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	assert_true(keyring_load(ring, path, KEY_SMTPD, &error));
	assert_int_equal(keyring_count(ring), 1);
	assert_true(keyring_load(ring, path, KEY_SMTPD, &error));
	assert_int_equal(keyring_count(ring), 1);
	unlink(path);
	assert_true(tls_key_id(key, id));
	return ring;
}

/* The PSS encoding that OpenSSL itself makes: sign, then undo with the
 * public key. */
static void
pss_encoding(EVP_PKEY *key, const EVP_MD *md, unsigned char *em, size_t *n)
{
	unsigned char sig[1024], digest[64];
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
	size_t length = sizeof(sig);

	RAND_bytes(digest, sizeof(digest));
	EVP_PKEY_sign_init(c);
	EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING);
	EVP_PKEY_CTX_set_signature_md(c, md);
	EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST);
	assert_int_equal(EVP_PKEY_sign(c, sig, &length, digest,
			     (size_t)EVP_MD_get_size(md)),
	    1);
	EVP_PKEY_CTX_free(c);
	c = EVP_PKEY_CTX_new(key, NULL);
	EVP_PKEY_verify_recover_init(c);
	EVP_PKEY_CTX_set_rsa_padding(c, RSA_NO_PADDING);
	assert_int_equal(EVP_PKEY_verify_recover(c, em, n, sig, length), 1);
	EVP_PKEY_CTX_free(c);
}

static void
test_pss_shape(void **state)
{
	/* 2041 bits (or 2040 or so): the encoding is one byte shorter than the
	 * modulus */
	const unsigned int sizes[] = { 1024, 2048, 2041, 3071 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		EVP_PKEY *key = EVP_RSA_gen(sizes[i]);
		unsigned char em[1024];
		size_t n = sizeof(em);
		unsigned int bits = (unsigned int)EVP_PKEY_get_bits(key);
		struct span s;

		pss_encoding(key, EVP_sha256(), em, &n);
		s = (struct span){ (char *)em, n };
		assert_true(signable_pss(s, bits));
		pss_encoding(key, EVP_sha384(), em, &n);
		assert_true(signable_pss(s, bits));
		em[2] ^= 1; /* the zeros in front, under the mask */
		assert_false(signable_pss(s, bits));
		s.n--;
		assert_false(signable_pss(s, bits));
		EVP_PKEY_free(key);
	}
}

static void
test_rsa(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	char id[TLS_KEY_ID_MAX];
	struct keyring *ring = ring_with(key, id);
	struct buf sig = BUF_INIT(2048), error = BUF_INIT(500);
	unsigned char em[1024], noise[256];
	size_t n = sizeof(em);

	(void)state;
	pss_encoding(key, EVP_sha256(), em, &n);
	assert_true(keyring_sign(ring, id, KEY_SMTPD, 0, RSA_NO_PADDING,
	    (struct span){ (char *)em, n }, &sig, &error));
	assert_int_equal(sig.n, 256);
	/* a ciphertext to decrypt looks like this */
	RAND_bytes(noise, sizeof(noise));
	noise[0] = 0;
	assert_false(keyring_sign(ring, id, KEY_SMTPD, 0, RSA_NO_PADDING,
	    (struct span){ (char *)noise, 256 }, &sig, &error));
	assert_false(keyring_sign(ring, id, KEY_SMTPD, 0, RSA_PKCS1_PADDING,
	    (struct span){ (char *)noise, 51 }, &sig, &error));
	assert_false(
	    keyring_sign(ring, id, KEY_SMTPD, 0, RSA_PKCS1_OAEP_PADDING,
		(struct span){ (char *)em, n }, &sig, &error));
	assert_false(keyring_sign(ring, id, KEY_SMTPD, 1, 0,
	    (struct span){ (char *)noise, 32 }, &sig, &error));
	assert_false(keyring_sign(ring, "sha256:00", KEY_SMTPD, 0,
	    RSA_NO_PADDING, (struct span){ (char *)em, n }, &sig, &error));
	assert_non_null(strstr(buf_text(&error), "no such key"));
	buf_fini(&sig);
	buf_fini(&error);
	keyring_free(&ring);
	EVP_PKEY_free(key);
}

static void
test_digest_info(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	char id[TLS_KEY_ID_MAX];
	struct keyring *ring = ring_with(key, id);
	struct buf sig = BUF_INIT(2048), error = BUF_INIT(500);
	char info[51] = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04"
			"\x02\x01\x05\x00\x04\x20";

	(void)state;
	assert_true(keyring_sign(ring, id, KEY_SMTPD, 0, RSA_PKCS1_PADDING,
	    (struct span){ info, 51 }, &sig, &error));
	assert_false(keyring_sign(ring, id, KEY_SMTPD, 0, RSA_PKCS1_PADDING,
	    (struct span){ info, 50 }, &sig, &error));
	info[14] = 9;
	assert_false(keyring_sign(ring, id, KEY_SMTPD, 0, RSA_PKCS1_PADDING,
	    (struct span){ info, 51 }, &sig, &error));
	buf_fini(&sig);
	buf_fini(&error);
	keyring_free(&ring);
	EVP_PKEY_free(key);
}

static void
test_ecdsa(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char id[TLS_KEY_ID_MAX], digest[64] = "digest";
	struct keyring *ring = ring_with(key, id);
	struct buf sig = BUF_INIT(2048), error = BUF_INIT(500);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);

	(void)state;
	assert_true(keyring_sign(ring, id, KEY_SMTPD, 1, 0,
	    (struct span){ digest, 32 }, &sig, &error));
	EVP_PKEY_verify_init(c);
	assert_int_equal(EVP_PKEY_verify(c, (unsigned char *)sig.p, sig.n,
			     (unsigned char *)digest, 32),
	    1);
	assert_false(keyring_sign(ring, id, KEY_SMTPD, 1, 0,
	    (struct span){ digest, 31 }, &sig, &error));
	assert_false(keyring_sign(ring, id, KEY_SMTPD, 0, RSA_PKCS1_PADDING,
	    (struct span){ digest, 36 }, &sig, &error));
	EVP_PKEY_CTX_free(c);
	buf_fini(&sig);
	buf_fini(&error);
	keyring_free(&ring);
	EVP_PKEY_free(key);
}

/* What keyd(8) warns of: nobody sees of what it is a digest. */
static void
test_digest_of_a_request_to_an_authority(void **state)
{
	static const unsigned char request[] = "{\"alg\":\"ES256\"}.{}";
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char id[TLS_KEY_ID_MAX];
	struct keyring *ring = ring_with(key, id);
	struct buf sig = BUF_INIT(2048), error = BUF_INIT(500);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	unsigned char digest[32];

	(void)state;
	assert_int_equal(EVP_Digest(request, sizeof(request), digest, NULL,
			     EVP_sha256(), NULL),
	    1);
	assert_true(keyring_sign(ring, id, KEY_SMTPD, 1, 0,
	    (struct span){ (char *)digest, sizeof(digest) }, &sig, &error));
	EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, key);
	assert_int_equal(EVP_DigestVerify(c, (unsigned char *)sig.p, sig.n,
			     request, sizeof(request)),
	    1);
	EVP_MD_CTX_free(c);
	buf_fini(&sig);
	buf_fini(&error);
	keyring_free(&ring);
	EVP_PKEY_free(key);
}

static bool
signs_for(const struct keyring *ring, const char *id, unsigned int users)
{
	struct buf sig = BUF_INIT(2048), error = BUF_INIT(500);
	char digest[32] = "digest";
	bool done = keyring_sign(ring, id, users, 1, 0,
	    (struct span){ digest, 32 }, &sig, &error);

	if (!done)
		assert_true(strstr(buf_text(&error), "of other programs") ||
		    strstr(buf_text(&error), "no such key"));
	buf_fini(&sig);
	buf_fini(&error);
	return done;
}

static void
test_users(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char id[TLS_KEY_ID_MAX];
	struct keyring *ring = ring_with(key, id); /* smtpd's, twice */
	struct buf error = BUF_INIT(500);

	(void)state;
	assert_true(signs_for(ring, id, KEY_SMTPD));
	assert_false(signs_for(ring, id, KEY_SMTP));
	assert_false(signs_for(ring, id, KEY_POP3D | KEY_IMAPD));
	assert_false(signs_for(ring, id, 0));
	assert_true(signs_for(ring, id, KEY_ALL));
	assert_true(keyring_hold(ring, key, KEY_SERVERS, id, &error));
	assert_true(signs_for(ring, id, KEY_IMAPD));
	assert_false(signs_for(ring, id, KEY_SMTP));
	keyring_drop(ring, id, KEY_SERVERS);
	assert_false(signs_for(ring, id, KEY_IMAPD));
	assert_true(signs_for(ring, id, KEY_SMTPD));
	keyring_drop(ring, id, KEY_SMTPD);
	keyring_drop(ring, id, KEY_SMTPD);
	assert_int_equal(keyring_count(ring), 0);
	assert_false(signs_for(ring, id, KEY_ALL));
	keyring_free(&ring);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pss_shape),
		cmocka_unit_test(test_rsa),
		cmocka_unit_test(test_digest_info),
		cmocka_unit_test(test_ecdsa),
		cmocka_unit_test(test_digest_of_a_request_to_an_authority),
		cmocka_unit_test(test_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
