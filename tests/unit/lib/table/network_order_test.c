/* SPDX-License-Identifier: ISC */
#include "lib/table/network_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static unsigned int
any(unsigned int below)
{
	static uint64_t seed = 4;

	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(seed >> 33) % below;
}

/* Few bits differ, so that they lie within each other; and the ends are in. */
static struct network
random_address(void)
{
	struct network n = { .length = any(2) ? 4 : 16 };
	uint8_t filler = any(4) == 0 ? 0xff : 0;

	memset(n.bytes, filler, n.length);
	for (unsigned int i = any(3); i > 0; i--)
		n.bytes[any(n.length)] ^= (uint8_t)(1u << any(8));
	n.bits = n.length * 8;
	return n;
}

static struct network
random_network(void)
{
	struct network n = random_address();

	n.bits = any(n.length * 8 + 1);
	for (unsigned int i = n.bits; i < n.length * 8; i++)
		n.bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
	return n;
}

static size_t
one_by_one(const struct network *all, size_t count,
    const struct network *address)
{
	for (size_t i = 0; i < count; i++)
		if (network_has(&all[i], address))
			return i;
	return NETWORK_NONE;
}

/* The address before or behind. */
static void
step(struct network *n, int by)
{
	for (unsigned int i = n->length; i-- > 0;) {
		n->bytes[i] = (uint8_t)(n->bytes[i] + by);
		if (n->bytes[i] != (by > 0 ? 0 : 0xff))
			return;
	}
}

static void
compare(const struct network_order *o, const struct network *all, size_t count,
    const struct network *address)
{
	assert_int_equal(network_order_first(o, address),
	    one_by_one(all, count, address));
}

static void
as_one_by_one(void **state)
{
	enum { MOST = 60, TABLES = 2000, ADDRESSES = 60 };
	struct network all[MOST];

	(void)state;
	for (int t = 0; t < TABLES; t++) {
		size_t count = any(MOST);
		struct network_order *o;

		for (size_t i = 0; i < count; i++)
			all[i] = random_network();
		o = network_order_new(all, count);
		for (int i = 0; i < ADDRESSES; i++) {
			struct network a = random_address();

			compare(o, all, count, &a);
		}
		/* around where each begins */
		for (size_t i = 0; i < count; i++) {
			struct network a = all[i];

			compare(o, all, count, &a);
			step(&a, -1);
			compare(o, all, count, &a);
			step(&a, 2);
			compare(o, all, count, &a);
		}
		network_order_free(&o);
		assert_null(o);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_one_by_one),
	};

	return cmocka_run_group_tests_name("network_order", tests, NULL, NULL);
}
