/* SPDX-License-Identifier: ISC */
#include "lib/sasl/password_cost.h"

#include <stdint.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The number at its begin, which something else follows. */
static bool
number(struct span *s, uint64_t most, uint64_t *out)
{
	size_t n = 0;

	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (n == 0 || !span_u64(span_take(*s, n), most, out))
		return false;
	*s = span_skip(*s, n);
	return true;
}

static bool
has_number(struct span s, uint64_t most)
{
	uint64_t n;

	return number(&s, most, &n);
}

/* What a letter of crypt(3)'s base 64 stands for; -1: none. */
static int
letter(char c)
{
	static const char letters[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz";
	const char *at = c != '\0' ? strchr(letters, c) : NULL;

	return at != NULL ? (int)(at - letters) : -1;
}

/*
 * yescrypt: "j", the logarithm of N less one, r less one. crypt_gensalt(3)
 * knows nothing else; 128 * N * r bytes, at most 1 GiB.
 */
static bool
is_usual_yescrypt(struct span s)
{
	return s.n > 3 && s.p[0] == 'j' && s.p[3] == '$' &&
	    letter(s.p[1]) >= 0 && letter(s.p[1]) < 18 && letter(s.p[2]) >= 0 &&
	    letter(s.p[2]) < 32;
}

/* scrypt: the logarithm of N, then r = 32 and p = 1, as crypt_gensalt(3). */
static bool
is_usual_scrypt(struct span s)
{
	return s.n > 0 && letter(s.p[0]) >= 0 && letter(s.p[0]) <= 18 &&
	    span_starts(span_skip(s, 1), "U..../....");
}

/* "v=19$" or nothing, "m=KIB,t=PASSES,p=LANES$". */
static bool
is_bearable_argon2(struct span s)
{
	uint64_t version, memory = 0, passes = 0;

	if (span_starts(s, "v=")) {
		s = span_skip(s, 2);
		if (!number(&s, UINT32_MAX, &version) || !span_starts(s, "$"))
			return false;
		s = span_skip(s, 1);
	}
	if (!span_starts(s, "m="))
		return false;
	s = span_skip(s, 2);
	if (!number(&s, PASSWORD_MEMORY_MAX_KIB, &memory) ||
	    !span_starts(s, ",t="))
		return false;
	s = span_skip(s, 3);
	return number(&s, PASSWORD_FILLED_MAX_KIB, &passes) &&
	    memory * passes <= PASSWORD_FILLED_MAX_KIB;
}

static const struct {
	const char *begin;
	uint64_t most; /* of the number behind it; 0: see the next */
	bool (*bearable)(struct span rest);
} kinds[] = {
	{ "$2a$", PASSWORD_BCRYPT_MAX, NULL },
	{ "$2b$", PASSWORD_BCRYPT_MAX, NULL },
	{ "$2x$", PASSWORD_BCRYPT_MAX, NULL },
	{ "$2y$", PASSWORD_BCRYPT_MAX, NULL },
	{ "$5$rounds=", PASSWORD_ROUNDS_MAX, NULL },
	{ "$6$rounds=", PASSWORD_ROUNDS_MAX, NULL },
	{ "$sha1$", PASSWORD_ROUNDS_MAX, NULL },
	{ "$md5,rounds=", PASSWORD_ROUNDS_MAX, NULL },
	{ "$md5$rounds=", PASSWORD_ROUNDS_MAX, NULL },
	{ "$y$", 0, is_usual_yescrypt },
	{ "$gy$", 0, is_usual_yescrypt },
	{ "$7$", 0, is_usual_scrypt },
	{ "$argon2d$", 0, is_bearable_argon2 },
	{ "$argon2i$", 0, is_bearable_argon2 },
	{ "$argon2id$", 0, is_bearable_argon2 },
};

bool
password_cost_bearable(struct span hash)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct span rest = span_skip(hash, strlen(kinds[i].begin));

		if (!span_starts(hash, kinds[i].begin))
			continue;
		return kinds[i].bearable != NULL ?
		    kinds[i].bearable(rest) :
		    has_number(rest, kinds[i].most);
	}
	return true;
}
