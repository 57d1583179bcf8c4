/* SPDX-License-Identifier: ISC */
#include "keyd/signable.h"

#include <openssl/evp.h>
#include <string.h>

enum { PSS_MAX = 2048 };

/* DigestInfo up to the digest, RFC 8017 section 9.2 note 1. */
static const struct prefix {
	const char *bytes;
	size_t n;
	size_t digest;
} prefixes[] = {
	{ "\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14", 15,
	    20 },
	{ "\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04\x05\x00"
	  "\x04\x1c",
	    19, 28 },
	{ "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00"
	  "\x04\x20",
	    19, 32 },
	{ "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00"
	  "\x04\x30",
	    19, 48 },
	{ "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00"
	  "\x04\x40",
	    19, 64 },
};

bool
signable_digest_info(struct span data)
{
	if (data.n == 36)
		return true;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (data.n == prefixes[i].n + prefixes[i].digest &&
		    memcmp(data.p, prefixes[i].bytes, prefixes[i].n) == 0)
			return true;
	return false;
}

bool
signable_digest(struct span data)
{
	return data.n == 20 || data.n == 28 || data.n == 32 || data.n == 48 ||
	    data.n == 64;
}

/* XORs MGF1(seed) into the bytes, RFC 8017 appendix B.2.1. */
static bool
unmask(unsigned char *bytes, size_t n, const unsigned char *seed,
    size_t seed_length, const EVP_MD *md)
{
	unsigned char input[EVP_MAX_MD_SIZE + 4], block[EVP_MAX_MD_SIZE];
	unsigned int length;

	memcpy(input, seed, seed_length);
	for (size_t at = 0, counter = 0; at < n; counter++) {
		input[seed_length] = (unsigned char)(counter >> 24);
		input[seed_length + 1] = (unsigned char)(counter >> 16);
		input[seed_length + 2] = (unsigned char)(counter >> 8);
		input[seed_length + 3] = (unsigned char)counter;
		if (EVP_Digest(input, seed_length + 4, block, &length, md,
			NULL) != 1)
			return false;
		for (unsigned int i = 0; i < length && at < n; i++)
			bytes[at++] ^= block[i];
	}
	return true;
}

/* Steps 4 to 10 of RFC 8017 section 9.1.2 for one hash. */
static bool
pss_with(const unsigned char *em, size_t n, unsigned int spare_bits,
    const EVP_MD *md)
{
	unsigned char db[PSS_MAX];
	size_t h = (size_t)EVP_MD_get_size(md);
	size_t db_length, zeros;

	if (n < 2 * h + 2 || em[n - 1] != 0xbc ||
	    em[0] >> (8 - spare_bits) != 0)
		return false;
	db_length = n - h - 1;
	memcpy(db, em, db_length);
	if (!unmask(db, db_length, em + db_length, h, md))
		return false;
	db[0] &= (unsigned char)(0xff >> spare_bits);
	zeros = db_length - h - 1;
	for (size_t i = 0; i < zeros; i++)
		if (db[i] != 0)
			return false;
	return db[zeros] == 1;
}

bool
signable_pss(struct span data, unsigned int modulus_bits)
{
	const EVP_MD *hashes[] = { EVP_sha256(), EVP_sha384(), EVP_sha512() };
	const unsigned char *em = (const unsigned char *)data.p;
	unsigned int em_bits = modulus_bits - 1;
	size_t n = data.n;

	if (modulus_bits < 512 || n != (modulus_bits + 7) / 8 || n > PSS_MAX)
		return false;
	if (em_bits % 8 == 0) {
		/* the encoded message is one byte shorter than the modulus */
		if (em[0] != 0)
			return false;
		em++, n--;
	}
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		if (pss_with(em, n, (unsigned int)(8 * n - em_bits), hashes[i]))
			return true;
	return false;
}
