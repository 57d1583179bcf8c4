/* SPDX-License-Identifier: ISC */
/* Name service against a server of its own, in a child process. */
#include "lib/dns/dns.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/nameser.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/dns/dns_answer.h"
#include "lib/dns/dns_hosts.h"
#include "lib/dns/dns_names.h"
#include "lib/task/task.h"

enum { SAY_SERVFAIL = -1, SAY_NOTHING = -2, SAY_EMPTY = -3, SAY_FORMERR = -4 };

static const struct row {
	const char *name;
	int type; /* or what to do instead, for any type */
	const char *value; /* MX: "10 host" */
} rows[] = {
	{ "mail.test", ns_t_mx, "20 b.mail.test" },
	{ "mail.test", ns_t_mx, "10 a.mail.test" },
	{ "mail.test", ns_t_mx, "20 c.mail.test" },
	{ "null.test", ns_t_mx, "0 " },
	{ "halfnull.test", ns_t_mx, "0 " },
	{ "halfnull.test", ns_t_mx, "5 a.mail.test" },
	{ "badmx.test", ns_t_mx, "5 bad host.test" },
	{ "halfbad.test", ns_t_mx, "20 a.mail.test" },
	{ "halfbad.test", ns_t_mx, "5 bad host.test" },
	{ "a.mail.test", ns_t_a, "192.0.2.1" },
	{ "a.mail.test", ns_t_a, "192.0.2.2" },
	{ "a.mail.test", ns_t_aaaa, "2001:db8::1" },
	{ "only6.test", ns_t_aaaa, "2001:db8::6" },
	{ "alias.test", ns_t_cname, "a.mail.test" },
	{ "circle.test", ns_t_cname, "circle2.test" },
	{ "circle2.test", ns_t_cname, "circle.test" },
	{ "fail.test", SAY_SERVFAIL, "" },
	{ "formerr.test", SAY_FORMERR, "" },
	{ "silent.test", SAY_NOTHING, "" },
	{ "empty.test", SAY_EMPTY, "" },
	{ "1.2.0.192.in-addr.arpa", ns_t_ptr, "a.mail.test" },
	{ "9.2.0.192.in-addr.arpa", ns_t_ptr, "a.mail.test" },
	{ "8.2.0.192.in-addr.arpa", ns_t_ptr, "no such.test" },
	{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
	  ".ip6.arpa",
	    ns_t_ptr, "a.mail.test" },
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void
add_name(struct buf *out, const char *name)
{
	struct span rest = span_of(name), label;

	while (span_cut(&rest, ".", true, &label)) {
		buf_add_char(out, (char)label.n);
		buf_add_span(out, label);
	}
	buf_add_char(out, '\0');
}

static void
add_u16(struct buf *out, unsigned int n)
{
	buf_add_char(out, (char)(n >> 8));
	buf_add_char(out, (char)n);
}

static void
add_record(struct buf *out, const struct row *row)
{
	struct buf data = BUF_INIT(1000);
	struct address a;

	switch (row->type) {
	case ns_t_mx:
		add_u16(&data, (unsigned int)atoi(row->value));
		add_name(&data, strchr(row->value, ' ') + 1);
		break;
	case ns_t_a:
		address_parse_ip(span_of(row->value), 0, &a);
		buf_add(&data, &a.v4.sin_addr, 4);
		break;
	case ns_t_aaaa:
		address_parse_ip(span_of(row->value), 0, &a);
		buf_add(&data, &a.v6.sin6_addr, 16);
		break;
	default:
		add_name(&data, row->value);
	}
	add_name(out, row->name);
	add_u16(out, (unsigned int)row->type);
	add_u16(out, ns_c_in);
	add_u16(out, 0);
	add_u16(out, 5);
	add_u16(out, (unsigned int)data.n);
	buf_add(out, data.p, data.n);
	buf_fini(&data);
}

/* Takes the question's name apart; the type comes back. */
static int
read_question(const unsigned char *q, char name[256], size_t *end)
{
	size_t at = 12, n = 0;

	while (q[at] != 0) {
		memcpy(name + n, q + at + 1, q[at]);
		n += q[at];
		name[n++] = '.';
		at += q[at] + 1U;
	}
	name[n > 0 ? n - 1 : 0] = '\0';
	*end = at + 5;
	return q[at + 1] << 8 | q[at + 2];
}

enum { ODD_LENGTH_MAX = 40 };

/*
 * "odd-FILL-LENGTH.test": one record of whatever type is asked for, of so many
 * bytes, and no byte behind it.
 */
static bool
add_odd_record(struct buf *out, const char *name, int type)
{
	unsigned int fill, length;

	if (sscanf(name, "odd-%u-%u.test", &fill, &length) != 2)
		return false;
	add_name(out, name);
	add_u16(out, (unsigned int)type);
	add_u16(out, ns_c_in);
	add_u16(out, 0);
	add_u16(out, 5);
	add_u16(out, length);
	for (unsigned int i = 0; i < length; i++)
		buf_add_char(out, (char)fill);
	return true;
}

/* False: no answer at all. */
static bool
answer(const unsigned char *question, struct buf *out)
{
	char name[256];
	size_t end;
	int type = read_question(question, name, &end), count = 0, code = 3;
	struct buf records = BUF_INIT(4000);

	if (add_odd_record(&records, name, type)) {
		code = 0;
		count = 1;
	}
	(void)sscanf(name, "code-%d.test", &code);
	for (size_t i = 0; i < ROWS; i++) {
		if (strcasecmp(rows[i].name, name) != 0)
			continue;
		if (rows[i].type == SAY_NOTHING)
			return false;
		code = rows[i].type == SAY_SERVFAIL ? 2 :
		    rows[i].type == SAY_FORMERR     ? 1 :
						      0;
		if (rows[i].type == type || rows[i].type == ns_t_cname) {
			add_record(&records, &rows[i]);
			count++;
		}
	}
	buf_add(out, question, 2);
	add_u16(out, 0x8180U | (unsigned int)code);
	add_u16(out, 1);
	add_u16(out, (unsigned int)count);
	add_u16(out, 0);
	add_u16(out, 0);
	buf_add(out, question + 12, end - 12);
	buf_add(out, records.p, records.n);
	buf_fini(&records);
	return true;
}

static void
serve(int fd)
{
	for (;;) {
		unsigned char question[600];
		struct address from = { .length = sizeof(from.v6) };
		struct buf out = BUF_INIT(4000);

		if (recvfrom(fd, question, sizeof(question), 0, &from.any,
			&from.length) < 0)
			_exit(1);
		if (answer(question, &out))
			sendto(fd, out.p, out.n, 0, &from.any, from.length);
		buf_fini(&out);
	}
}

static pid_t server;

static void
start_server(void)
{
	struct address at = { .length = sizeof(at.v4) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char text[64];

	at.v4.sin_family = AF_INET;
	at.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, &at.any, at.length), 0);
	assert_int_equal(getsockname(fd, &at.any, &at.length), 0);
	server = fork();
	if (server == 0)
		serve(fd);
	close(fd);
	snprintf(text, sizeof(text), "127.0.0.1:%u", address_port(&at));
	dns_open(text, DNS_PATIENCE_MS);
}

static void
mx_sorted_by_preference(void *unused)
{
	struct arena *a = arena_new();
	struct dns_mx *mx = NULL;
	size_t n = 0;

	(void)unused;
	assert_int_equal(dns_mx(NULL, a, "mail.test", clock_in(60), &mx, &n),
	    DNS_OK);
	assert_int_equal(n, 3);
	assert_string_equal(mx[0].host, "a.mail.test");
	assert_int_equal(mx[0].preference, 10);
	assert_int_equal(mx[2].preference, 20);
	assert_int_equal(dns_mx(NULL, a, "null.test", clock_in(60), &mx, &n),
	    DNS_OK);
	assert_int_equal(n, 1);
	assert_string_equal(mx[0].host, "");
	/* "." beside real hosts is not the null MX, nor any other host */
	assert_int_equal(dns_mx(NULL, a, "halfnull.test", clock_in(60), &mx,
			     &n),
	    DNS_OK);
	assert_int_equal(n, 2);
	assert_string_equal(mx[0].host, "");
	assert_int_equal(mx[0].preference, 0);
	assert_string_equal(mx[1].host, "a.mail.test");
	assert_int_equal(dns_mx(NULL, a, "halfbad.test", clock_in(60), &mx, &n),
	    DNS_OK);
	assert_int_equal(n, 2);
	assert_string_equal(mx[0].host, "");
	assert_int_equal(mx[0].preference, 5);
	assert_string_equal(mx[1].host, "a.mail.test");
	assert_int_equal(dns_mx(NULL, a, "badmx.test", clock_in(60), &mx, &n),
	    DNS_BAD);
	arena_free(&a);
}

static void
failures_told_apart(void *unused)
{
	struct arena *a = arena_new();
	struct dns_mx *mx = NULL;
	struct address *list = NULL;
	size_t n = 0;
	int64_t start;

	(void)unused;
	assert_int_equal(dns_mx(NULL, a, "nobody.test", clock_in(60), &mx, &n),
	    DNS_NO_NAME);
	assert_int_equal(dns_mx(NULL, a, "a.mail.test", clock_in(60), &mx, &n),
	    DNS_NO_DATA);
	assert_int_equal(dns_mx(NULL, a, "empty.test", clock_in(60), &mx, &n),
	    DNS_NO_DATA);
	assert_int_equal(dns_mx(NULL, a, "fail.test", clock_in(60), &mx, &n),
	    DNS_AGAIN);
	assert_int_equal(dns_mx(NULL, a, "formerr.test", clock_in(60), &mx, &n),
	    DNS_AGAIN);
	assert_int_equal(dns_addresses(NULL, a, "circle.test", AF_INET, 25,
			     clock_in(60), &list, &n),
	    DNS_NO_DATA);
	start = clock_ms();
	assert_int_equal(dns_mx(NULL, a, "silent.test", start + 50, &mx, &n),
	    DNS_AGAIN);
	assert_in_range(clock_ms() - start, 50, 30000);
	assert_int_equal(dns_mx(NULL, a, "with\\.escape.test", clock_in(60),
			     &mx, &n),
	    DNS_BAD);
	assert_int_equal(dns_mx(NULL, a, "", clock_in(60), &mx, &n), DNS_BAD);
	assert_int_equal(dns_mx(NULL, a, "a..test", clock_in(60), &mx, &n),
	    DNS_BAD);
	assert_null(mx);
	arena_free(&a);
}

/* A server that cannot answer has not said that there is nothing. */
static void
codes_of_servers(void *unused)
{
	struct arena *a = arena_new();

	(void)unused;
	for (unsigned int code = 0; code < 16; code++) {
		enum dns_result expected = code == ns_r_noerror ? DNS_NO_DATA :
		    code == ns_r_nxdomain                       ? DNS_NO_NAME :
								  DNS_AGAIN;
		struct address *list;
		struct dns_mx *mx;
		char name[64];
		size_t n;

		snprintf(name, sizeof(name), "code-%u.test", code);
		assert_int_equal(dns_mx(NULL, a, name, clock_in(60), &mx, &n),
		    expected);
		assert_int_equal(dns_addresses(NULL, a, name, AF_UNSPEC, 25,
				     clock_in(60), &list, &n),
		    expected);
	}
	arena_free(&a);
}

static void
addresses_of_both_families(void *unused)
{
	struct arena *a = arena_new();
	char host[ADDRESS_TEXT_MAX];
	struct address *list = NULL;
	size_t n = 0;

	(void)unused;
	assert_int_equal(dns_addresses(NULL, a, "a.mail.test", AF_UNSPEC, 2525,
			     clock_in(60), &list, &n),
	    DNS_OK);
	assert_int_equal(n, 3);
	assert_int_equal(address_port(&list[0]), 2525);
	address_host(&list[2], host);
	assert_string_equal(host, "2001:db8::1");
	assert_int_equal(dns_addresses(NULL, a, "a.mail.test", AF_INET6, 25,
			     clock_in(60), &list, &n),
	    DNS_OK);
	assert_int_equal(n, 1);
	/* the server gives the CNAME only; we go on */
	assert_int_equal(dns_addresses(NULL, a, "alias.test", AF_INET, 25,
			     clock_in(60), &list, &n),
	    DNS_OK);
	assert_int_equal(n, 2);
	assert_int_equal(dns_addresses(NULL, a, "only6.test", AF_INET, 25,
			     clock_in(60), &list, &n),
	    DNS_NO_DATA);
	assert_int_equal(dns_addresses(NULL, a, "only6.test", AF_UNSPEC, 25,
			     clock_in(60), &list, &n),
	    DNS_OK);
	assert_int_equal(n, 1);
	assert_int_equal(dns_addresses(NULL, a, "nobody.test", AF_UNSPEC, 25,
			     clock_in(60), &list, &n),
	    DNS_NO_NAME);
	assert_int_equal(dns_addresses(NULL, a, "fail.test", AF_UNSPEC, 25,
			     clock_in(60), &list, &n),
	    DNS_AGAIN);
	assert_int_equal(dns_addresses(NULL, a, "mx.LOCALHOST.", AF_INET, 25,
			     clock_in(60), &list, &n),
	    DNS_OK);
	assert_true(address_is_loopback(&list[0]));
	arena_free(&a);
}

static void
client_names(void *unused)
{
	static const struct {
		const char *address;
		enum dns_result result;
		const char *name;
		const char *unverified;
	} clients[] = {
		{ "192.0.2.1", DNS_OK, "a.mail.test", "a.mail.test" },
		{ "2001:db8::1", DNS_OK, "a.mail.test", "a.mail.test" },
		{ "192.0.2.9", DNS_NO_NAME, NULL, "a.mail.test" },
		{ "192.0.2.8", DNS_BAD, NULL, NULL },
		{ "192.0.2.7", DNS_NO_NAME, NULL, NULL },
		{ "127.0.0.1", DNS_OK, "localhost", "localhost" },
	};
	struct arena *a = arena_new();

	(void)unused;
	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
		const char *name, *unverified;
		struct address c;

		address_parse_ip(span_of(clients[i].address), 25, &c);
		assert_int_equal(dns_client_name(NULL, a, &c, clock_in(60),
				     &name, &unverified),
		    clients[i].result);
		assert_int_equal(name != NULL, clients[i].name != NULL);
		if (name != NULL)
			assert_string_equal(name, clients[i].name);
		assert_int_equal(unverified != NULL,
		    clients[i].unverified != NULL);
	}
	arena_free(&a);
}

static void
hosts(void **state)
{
	(void)state;
	assert_true(dns_host_valid("mx-1.example_x.test"));
	assert_false(dns_host_valid(""));
	assert_false(dns_host_valid(".test"));
	assert_false(dns_host_valid("a..test"));
	assert_false(dns_host_valid("test."));
	assert_false(dns_host_valid("a b"));
	assert_false(dns_host_valid("a\n250 x"));
	assert_false(dns_host_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				    "aaaaaaaaaaaaaaaaaaaaaaaaaaa.test"));
}

static void
hosts_file(void **state)
{
	struct arena *a = arena_new();
	char name[] = "/tmp/hosts-XXXXXX", host[ADDRESS_TEXT_MAX];
	int fd = mkstemp(name);
	struct address *list = NULL;
	size_t n = 0;

	(void)state;
	dprintf(fd,
	    "# a comment\n192.0.2.7\tSmart.Host smart # x y\n"
	    "2001:db8::7 smart\nnonsense smart\n192.0.2.8 smart");
	dns_hosts_read(name);
	assert_int_equal(dns_hosts(a, "SMART", AF_UNSPEC, 26, &list, &n),
	    DNS_OK);
	assert_int_equal(n, 3);
	address_host(&list[2], host);
	assert_string_equal(host, "192.0.2.8");
	assert_int_equal(address_port(&list[1]), 26);
	assert_int_equal(dns_hosts(a, "smart.host", AF_INET, 26, &list, &n),
	    DNS_OK);
	assert_int_equal(n, 1);
	assert_int_equal(dns_hosts(a, "smart.host", AF_INET6, 26, &list, &n),
	    DNS_NO_NAME);
	assert_int_equal(dns_hosts(a, "x", AF_UNSPEC, 26, &list, &n),
	    DNS_NO_NAME);
	/* what cannot be read may have it */
	dns_hosts_read("/");
	assert_int_equal(dns_hosts(a, "smart", AF_UNSPEC, 26, &list, &n),
	    DNS_AGAIN);
	dns_hosts_read("/nonexistent");
	assert_int_equal(dns_hosts(a, "smart", AF_UNSPEC, 26, &list, &n),
	    DNS_NO_NAME);
	close(fd);
	unlink(name);
	arena_free(&a);
}

/* Bytes of a record: zeros, a label's length, text, a pointer's first. */
static const unsigned int fills[] = { 0, 1, 3, 63, 'x', 0xc0, 0xff };

/* Records of every length, for their type too short or too long. */
static void
records_of_odd_lengths(void *unused)
{
	struct address *list;
	struct dns_mx *mx;
	size_t n;

	(void)unused;
	for (unsigned int i = 0;
	     i < sizeof(fills) / sizeof(fills[0]) * (ODD_LENGTH_MAX + 1); i++) {
		unsigned int fill = fills[i / (ODD_LENGTH_MAX + 1)];
		unsigned int length = i % (ODD_LENGTH_MAX + 1);
		struct arena *a = arena_new();
		char name[64];

		snprintf(name, sizeof(name), "odd-%u-%u.test", fill, length);
		/* nothing but a preference, and the root or a name */
		n = 0;
		if (dns_mx(NULL, a, name, clock_in(60), &mx, &n) == DNS_OK)
			assert_true(length >= 3 && fill <= 1);
		n = 0;
		dns_addresses(NULL, a, name, AF_INET, 25, clock_in(60), &list,
		    &n);
		assert_int_equal(n, length == 4);
		n = 0;
		dns_addresses(NULL, a, name, AF_INET6, 25, clock_in(60), &list,
		    &n);
		assert_int_equal(n, length == 16);
		arena_free(&a);
	}
}

static task_function *const all[] = { mx_sorted_by_preference,
	failures_told_apart, codes_of_servers, addresses_of_both_families,
	client_names, records_of_odd_lengths };

/* Twice each, all at once. */
static void
all_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(all) / sizeof(all[0]); i++)
		task_start(all[i / 2], NULL);
	task_loop();
}

static void
asks_silent(void *argument)
{
	struct arena *a = arena_new();
	struct dns_mx *mx;
	size_t n;

	assert_int_equal(dns_mx(NULL, a, "silent.test", clock_in(60), &mx, &n),
	    DNS_AGAIN);
	*(bool *)argument = task_cancelled();
	arena_free(&a);
}

static void
cancels(void *argument)
{
	wait_until(clock_ms() + 5);
	task_cancel(argument);
}

static void
a_cancelled_question_is_left(void **state)
{
	bool cancelled = false;

	(void)state;
	task_start(cancels, task_start(asks_silent, &cancelled));
	task_start(mx_sorted_by_preference, NULL);
	/* the question still in flight does not hold the loop up for ever */
	while (!cancelled)
		task_loop();
}

/* "count" records, of which the first has no preference, the best the last. */
static void
add_many_mx(struct buf *out, int count)
{
	char value[32];

	add_u16(out, 1);
	add_u16(out, 0x8180U);
	add_u16(out, 0);
	add_u16(out, (unsigned int)count);
	add_u16(out, 0);
	add_u16(out, 0);
	add_name(out, "many.test");
	add_u16(out, ns_t_mx);
	add_u16(out, ns_c_in);
	add_u16(out, 0);
	add_u16(out, 5);
	add_u16(out, 1);
	add_name(out, "");
	for (int i = count - 1; i > 0; i--) {
		snprintf(value, sizeof(value), "%d a%d.many.test", i * 300, i);
		add_record(out, &(struct row){ "many.test", ns_t_mx, value });
	}
}

static void
the_best_of_many_mx_are_kept(void **state)
{
	enum { MANY = 3 * DNS_RECORDS_MAX };
	struct dns_record records[DNS_RECORDS_MAX];
	struct buf message = BUF_INIT(20000);
	bool seen[DNS_RECORDS_MAX + 1] = { false };
	struct dns_answer answered;

	(void)state;
	add_many_mx(&message, MANY);
	assert_true(dns_answer_open(&answered, (const unsigned char *)message.p,
	    (int)message.n, "many.test"));
	assert_int_equal(dns_answer_records(&answered, ns_t_mx, records),
	    DNS_RECORDS_MAX);
	for (size_t i = 0; i < DNS_RECORDS_MAX; i++) {
		size_t n =
		    (size_t)(records[i].data[0] << 8 | records[i].data[1]) /
		    300;

		assert_in_range(n, 1, DNS_RECORDS_MAX);
		assert_false(seen[n]);
		seen[n] = true;
	}
	buf_fini(&message);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts),
		cmocka_unit_test(hosts_file),
		cmocka_unit_test(the_best_of_many_mx_are_kept),
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(a_cancelled_question_is_left),
	};
	int failed;

	start_server();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return failed;
}
