/* SPDX-License-Identifier: ISC */
#include "smtp/hosts.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static uint32_t state_of_noise;

static uint32_t
noise(void)
{
	state_of_noise = state_of_noise * 1664525 + 1013904223;
	return state_of_noise >> 8;
}

/* "10a 20B": preference and name; capitals have IPv6 addresses. */
static size_t
make(const char *text, struct host *list)
{
	static char names[16][8];
	struct span rest = span_of(text), word;
	size_t n = 0;

	while (span_cut(&rest, " ", true, &word)) {
		bool six = word.p[2] < 'a';

		memset(&list[n], 0, sizeof(list[n]));
		snprintf(names[n], sizeof(names[n]), "%.*s", SPAN_ARG(word));
		list[n].name = names[n];
		list[n].preference = (unsigned int)(word.p[0] - '0') * 10 +
		    (unsigned int)(word.p[1] - '0');
		assert_true(
		    address_parse_ip(six ? SPAN("::1") : SPAN("127.0.0.1"), 25,
			&list[n].address));
		n++;
	}
	return n;
}

static const char *
show(const struct host *list, size_t n)
{
	static char text[200];
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "%s%s", i > 0 ? " " : "", list[i].name);
	return text;
}

static void
preference_then_family(void **state)
{
	struct host list[16];
	size_t n;

	(void)state;
	n = make("20a 10b 10C 30d 10E", list);
	hosts_order(list, n, AF_INET6, false, noise);
	assert_string_equal(show(list, n), "10C 10E 10b 20a 30d");
	n = make("20a 10B 10c", list);
	hosts_order(list, n, AF_INET, false, noise);
	assert_string_equal(show(list, n), "10c 10B 20a");
}

static void
equals_are_shuffled(void **state)
{
	unsigned int first[3] = { 0, 0, 0 };
	struct host list[16];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		size_t n = make("10a 10b 10c 20d", list);

		hosts_order(list, n, AF_INET, true, noise);
		assert_string_equal(list[3].name, "20d");
		first[list[0].name[2] - 'a']++;
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(first[i], 850, 1150);
}

static void
limits_keep_both_families(void **state)
{
	struct host list[16];
	size_t n;

	(void)state;
	n = make("10a 10b 10c 10D 10E", list);
	assert_int_equal(hosts_limit(list, n, 3, true), 3);
	assert_string_equal(show(list, 3), "10a 10b 10D");
	n = make("10a 10b 10c 10D", list);
	assert_int_equal(hosts_limit(list, n, 3, false), 3);
	assert_string_equal(show(list, 3), "10a 10b 10c");
	assert_int_equal(hosts_limit(list, n, 0, true), 4);
	assert_int_equal(hosts_limit(list, n, 1, true), 1);
	n = make("10a 10B 10c 10D", list);
	assert_int_equal(hosts_limit(list, n, 2, true), 2);
	assert_string_equal(show(list, 2), "10a 10B");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(preference_then_family),
		cmocka_unit_test(equals_are_shuffled),
		cmocka_unit_test(limits_keep_both_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
