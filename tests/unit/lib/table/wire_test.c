/* SPDX-License-Identifier: ISC */
/*
 * When the name service is asked for a table's server. It is this file that
 * answers: getaddrinfo() of a program comes before the C library's.
 */
#include "lib/table/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"

static struct {
	int numeric, names; /* how often it was asked */
	bool dead;
} service;

int
getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
    struct addrinfo **out)
{
	struct addrinfo *found;
	struct sockaddr_in *to;
	bool numeric = hints->ai_flags == AI_NUMERICHOST;

	service.numeric += numeric;
	service.names += !numeric;
	if (numeric && strcmp(name, "127.0.0.1") != 0)
		return EAI_NONAME;
	if (!numeric && service.dead)
		return EAI_AGAIN;
	found = mem_new(sizeof(*found));
	to = mem_new(sizeof(*to));
	to->sin_family = AF_INET;
	to->sin_port = htons((uint16_t)atoi(port));
	to->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	found->ai_addr = (struct sockaddr *)to;
	found->ai_addrlen = sizeof(*to);
	*out = found;
	return 0;
}

void
freeaddrinfo(struct addrinfo *list)
{
	free(list->ai_addr);
	free(list);
}

/* Nothing listens there: each question connects anew, and is refused. */
static void
ask(struct wire *w)
{
	struct buf why = BUF_INIT(1024);

	w->servers.servers[0].down_until = 0;
	assert_false(wire_ask(w, SPAN("x"), NULL, NULL, &why));
	buf_fini(&why);
}

static void
open_wire(struct wire *w, const char *endpoint)
{
	struct buf error = BUF_INIT(1024);

	memset(&service, 0, sizeof(service));
	assert_true(wire_init(w, span_of(endpoint), 2000, 1000, &error));
	buf_fini(&error);
}

static void
numbers_need_no_name_service(void **state)
{
	struct wire w;

	(void)state;
	open_wire(&w, "inet:127.0.0.1:1");
	ask(&w);
	assert_int_equal(service.numeric, 1);
	assert_int_equal(service.names, 0);
	wire_fini(&w);
}

static void
names_are_asked_for_now_and_then(void **state)
{
	struct wire w;

	(void)state;
	open_wire(&w, "inet:localhost:1");
	ask(&w);
	ask(&w);
	assert_int_equal(service.names, 1);
	w.host.found -= WIRE_FRESH_MS;
	ask(&w);
	assert_int_equal(service.names, 2);
	wire_fini(&w);
}

static void
a_dead_name_service_is_survived_for_a_while(void **state)
{
	struct wire w;

	(void)state;
	open_wire(&w, "inet:localhost:1");
	ask(&w);
	service.dead = true;
	w.host.found -= WIRE_FRESH_MS;
	ask(&w);
	assert_int_equal(service.names, 2);
	assert_string_equal(buf_text(&w.error), strerror(ECONNREFUSED));
	w.host.found -= WIRE_KEPT_MS;
	ask(&w);
	assert_non_null(strstr(buf_text(&w.error), "localhost: "));
	wire_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_need_no_name_service),
		cmocka_unit_test(names_are_asked_for_now_and_then),
		cmocka_unit_test(a_dead_name_service_is_survived_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
