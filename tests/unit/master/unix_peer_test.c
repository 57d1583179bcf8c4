/* SPDX-License-Identifier: ISC */
#include "master/unix_peer.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void
only_whole_words_count(void **state)
{
	static const struct {
		const char *value;
		const char *name;
		bool found;
	} rows[] = {
		{ "lmtp:unix:private/store", "unix:private/store", true },
		{ "unix:private/store", "unix:private/store", true },
		{ "a, lmtp:unix:/run/x b", "unix:/run/x", true },
		{ "inline:{a.test=lmtp:unix:/run/x}", "unix:/run/x", true },
		{ "virtual_transport=lmtp:unix:/run/x", "unix:/run/x", true },
		{ "lmtp:unix:/run/xy", "unix:/run/x", false },
		{ "lmtp:unix:/run/xy lmtp:unix:/run/x", "unix:/run/x", true },
		{ "lmtp:unix:/run/x/y", "unix:/run/x", false },
		{ "noteunix:/run/x", "unix:/run/x", false },
		{ "/run/x", "unix:/run/x", false },
		{ "unix:", "unix:", false },
		{ "lookup", "lookup", false },
		{ "", "unix:/run/x", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (unix_peer_in_value(rows[i].value, rows[i].name) !=
		    rows[i].found)
			fail_msg("%s in %s", rows[i].name, rows[i].value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_whole_words_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
