/* SPDX-License-Identifier: ISC */
#include "lib/base/keyed_hash.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/ensure.h"

struct sip {
	uint64_t a, b, c, d;
};

static uint64_t
turn(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

static void
mix(struct sip *v)
{
	v->a += v->b;
	v->b = turn(v->b, 13) ^ v->a;
	v->a = turn(v->a, 32);
	v->c += v->d;
	v->d = turn(v->d, 16) ^ v->c;
	v->a += v->d;
	v->d = turn(v->d, 21) ^ v->a;
	v->c += v->b;
	v->b = turn(v->b, 17) ^ v->c;
	v->c = turn(v->c, 32);
}

static void
take(struct sip *v, uint64_t word)
{
	v->d ^= word;
	mix(v);
	mix(v);
	v->a ^= word;
}

uint64_t
keyed_hash_with(const struct keyed_hash_key *key, const void *bytes, size_t n)
{
	/* "somepseudorandomlygeneratedbytes" */
	struct sip v = {
		UINT64_C(0x736f6d6570736575) ^ key->half[0],
		UINT64_C(0x646f72616e646f6d) ^ key->half[1],
		UINT64_C(0x6c7967656e657261) ^ key->half[0],
		UINT64_C(0x7465646279746573) ^ key->half[1],
	};
	const char *p = bytes;
	uint64_t word, last = (uint64_t)n << 56;

	for (; n >= sizeof(word); n -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		p += sizeof(word);
		take(&v, le64toh(word));
	}
	word = 0;
	if (n > 0)
		memcpy(&word, p, n);
	take(&v, last | le64toh(word));
	v.c ^= 0xff;
	for (int i = 0; i < 4; i++)
		mix(&v);
	return v.a ^ v.b ^ v.c ^ v.d;
}

uint64_t
keyed_hash(const void *bytes, size_t n)
{
	static struct keyed_hash_key key;
	static bool made;

	if (!made) {
		/* few bytes come whole, once the kernel has any */
		ensure(getrandom(&key, sizeof(key), 0) == sizeof(key));
		made = true;
	}
	return keyed_hash_with(&key, bytes, n);
}
