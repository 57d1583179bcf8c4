/* SPDX-License-Identifier: ISC */
/* Hashes of "posthaste", made with Python's hashlib and crypt, and argon2. */
#include "lib/sasl/password.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "lib/base/buf.h"

static const char *const stored[] = {
	"{PLAIN}posthaste",
	"{cleartext}posthaste",
	"{SHA}eTbDPzqVzDdffWznZ3p0xs3faXE=",
	"{SHA.HEX}7936c33f3a95cc375f7d6ce7677a74c6cddf6971",
	"{SHA1.b64}eTbDPzqVzDdffWznZ3p0xs3faXE=",
	"{SSHA}QKi/ViNR8LXuCtW/N0x2GVyzuYpzYWx0c2FsdA==",
	"{SHA256}lcD5L51RFaXmpPpmVo5vNgJMiDxP/12ukuYuicVX+zg=",
	"{SSHA256}Sy33Bb0tOe0bO9zCNzl3PIQF5rJsDpx5STV1Rpr37/1zYWx0c2FsdA==",
	"{SHA512}jKqCxYfh3smPgEplEBw0JLZcznsbLvTgtFh8UMfOUw3FjGV+bWYNhzJ+mYRC"
	"x4tW0xCYdnY5zVkmdXgMtDFvsw==",
	"{SSHA512}OPt0tTQ5/y9JPeOQ5ECqdJtguUr3SHdxAQ6zc+QCADwhqlEU9AwjxABT15dy"
	"vzHo8yR6duN/5Od4+TagsBsUHnNhbHRzYWx0",
	"{PLAIN-MD5}fc53717109971ac24f95b8b5d906e71c",
	"{LDAP-MD5}/FNxcQmXGsJPlbi12QbnHA==",
	"{SMD5}Vya0z1YntW6+8XMlW7ML+3NhbHRzYWx0",
	"{PBKDF2}$1$saltsalt$5000$528f84ed953af768dbe4aa54f54236da5485d249",
	"{SCRAM-SHA-256}4096,c2FsdHNhbHQ=,8ucrBkiR4hi8yEQU6WWjoohaFxgjew9Z9FLa"
	"j4z0D8o=,3ndcTdjiQdSZZuzl4m4eYHhZkkvKMRJ3ReTblGe+LMM=",
	"{MD5-CRYPT}$1$saltsalt$TU5AP8qPSbFH7xY8UHY9Q.",
	"{SHA256-CRYPT}$5$saltsalt$uCrbPnFY5NIj4HsFMtlIN7yJJJytlEVNv3ibguvQbh8",
	"{SHA512-CRYPT}$6$saltsalt$3PUsv/Y7WCMDxCMrlDYbseQMavkFPUSGsk5IpVlI2zXm"
	"XAV2s/0ZlRTNoZypUFpMcisB38mB.HWJQaVDW83cA.",
	"{CRYPT}$6$saltsalt$3PUsv/Y7WCMDxCMrlDYbseQMavkFPUSGsk5IpVlI2zXmXAV2s/"
	"0ZlRTNoZypUFpMcisB38mB.HWJQaVDW83cA.",
	"$1$saltsalt$TU5AP8qPSbFH7xY8UHY9Q.",
	"{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuud92FJuvu/XO2YXrCtmEJVEuOtmq7QB"
	"i",
	"{CRYPT}$y$j75$saltsalt$cdePxMpi5pIOSNgrsPScE8kBL1Vl7aye4KzaKUvvxDB",
	"{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$WrY347XjWe"
	"DieAdzjiC7Fxvqy2x8nmXwQQlGAhOkQZ4",
	"{ARGON2I}$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$6oWu/lwC+tPw"
	"KTRPihByLkxRauDND+hzQVIe0SgwrLo",
};

static enum password_result
verify(const char *hash, const char *password, size_t n)
{
	struct buf error = BUF_INIT(500);
	enum password_result r;

	r = password_verify(hash, (struct span){ password, n }, &error);
	assert_int_equal(r == PASSWORD_BROKEN, error.n > 0);
	assert_null(strstr(buf_text(&error), "secret"));
	buf_fini(&error);
	return r;
}

static void
test_schemes(void **state)
{
	(void)state;
	password_init();
	for (size_t i = 0; i < sizeof(stored) / sizeof(stored[0]); i++) {
		assert_int_equal(verify(stored[i], "posthaste", 9),
		    PASSWORD_RIGHT);
		assert_int_equal(verify(stored[i], "posthastf", 9),
		    PASSWORD_WRONG);
		assert_int_equal(verify(stored[i], "posthast", 8),
		    PASSWORD_WRONG);
		assert_int_equal(verify(stored[i], "posthaste\0x", 11),
		    PASSWORD_WRONG);
		assert_int_equal(verify(stored[i], "", 0), PASSWORD_WRONG);
	}
}

static void
test_broken(void **state)
{
	static const char *const rows[] = {
		"{NONE}secret",
		"{",
		"*",
		"!",
		"",
		"{CRYPT}!",
		"{CRYPT}*",
		"{SHA256}c2VjcmV0",
		"{SSHA}eTbDPzqVzDdffWznZ3p0xs3faXE=", /* no salt */
		"{SSHA}secret",
		"{PBKDF2}$1$salt$99999999999$00",
		"{PBKDF2}$2$salt$5000$00",
		"{SCRAM-SHA-256}4096,c2FsdHNhbHQ=",
		"{ARGON2ID}secret",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(verify(rows[i], "posthaste", 9),
		    PASSWORD_BROKEN);
	/* what locks an account must not let the lock in as a password */
	assert_int_equal(verify("{CRYPT}*", "*", 1), PASSWORD_BROKEN);
	assert_int_equal(verify("*", "*", 1), PASSWORD_BROKEN);
	assert_int_equal(verify("{PLAIN}", "", 0), PASSWORD_WRONG);
}

/* Hours, or all the memory there is, for one comparison. */
static void
test_dear(void **state)
{
	static const char *const rows[] = {
		"{CRYPT}$6$rounds=999999999$saltsalt$x",
		"$5$rounds=10000001$saltsalt$x",
		"{SHA512-CRYPT}$6$rounds=99999999999999999999$saltsalt$x",
		"{BLF-CRYPT}$2y$31$abcdefghijklmnopqrstuud92FJuvu/XO2YXrCtmEJV"
		"EuOtmq7QBi",
		"{CRYPT}$sha1$4294967295$saltsalt$x",
		"{CRYPT}$md5,rounds=4294967295$saltsalt$x",
		"{YESCRYPT}$y$jGT$saltsalt$x",
		"{YESCRYPT}$y$jFTzzzzzzz$saltsalt$x",
		"{CRYPT}$gy$jFU$saltsalt$x",
		"{CRYPT}$7$HU..../....saltsalt$x",
		"{CRYPT}$7$CU....zzzzzsaltsalt$x",
		"{ARGON2ID}$argon2id$v=19$m=1048577,t=1,p=1$c2FsdHNhbHQ$x",
		"{ARGON2I}$argon2i$m=1048576,t=9,p=1$c2FsdHNhbHQ$x",
		"{ARGON2}$argon2id$v=19$m=8,t=4294967295,p=1$c2FsdHNhbHQ$x",
	};
	struct buf error = BUF_INIT(500);

	(void)state;
	password_init();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&error);
		assert_int_equal(password_verify(rows[i], SPAN("posthaste"),
				     &error),
		    PASSWORD_BROKEN);
		assert_non_null(strstr(buf_text(&error), "costs more"));
	}
	buf_fini(&error);
}

/* Sees eight characters only; old files have it. */
static void
test_des(void **state)
{
	(void)state;
	assert_int_equal(verify("{CRYPT}saBZN6HCFqtlA", "posthaste", 9),
	    PASSWORD_RIGHT);
	assert_int_equal(verify("saBZN6HCFqtlA", "posthasf", 8),
	    PASSWORD_WRONG);
}

static void
test_plain(void **state)
{
	struct span plain;

	(void)state;
	assert_true(password_plain("{PLAIN}pa{ss}", &plain));
	assert_true(span_is(plain, "pa{ss}"));
	assert_false(password_plain("{CRYPT}$1$a$b", &plain));
	assert_true(password_equal(SPAN("abc"), SPAN("abc")));
	assert_false(password_equal(SPAN("abcd"), SPAN("abc")));
	assert_false(password_equal(SPAN("ab"), SPAN("abc")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schemes),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_dear),
		cmocka_unit_test(test_des),
		cmocka_unit_test(test_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
