/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cdb.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/table.h"

enum {
	CHANGE_COUNTS_US = 1050 * 1000, /* a second, and a little */
	LOOKED_AT_US = 650 * 1000, /* once more, by then */
};

/* A folder of its own, the working directory of each test. */
static char folder[] = "/tmp/table_test.XXXXXX";

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* So that what is changed next is another second's business. */
static void
age(const char *name, int seconds)
{
	struct timespec t[2];

	clock_gettime(CLOCK_REALTIME, &t[0]);
	t[0].tv_sec -= seconds;
	t[1] = t[0];
	assert_int_equal(utimensat(AT_FDCWD, name, t, 0), 0);
}

static void
put_cdb(const char *name, const char *key, const char *value)
{
	struct cdb_make m;
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	cdb_make_start(&m, fd);
	cdb_make_add(&m, key, (unsigned int)strlen(key), value,
	    (unsigned int)strlen(value));
	cdb_make_finish(&m);
	close(fd);
}

static const char *const names[] = { "found", "none", "again", "broken" };

/* "found:value", "none", "again:why", "broken:why"; to be freed. */
static char *
ask(struct table *t, const char *key)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	enum table_result r = table_lookup(t, span_of(key), &value);
	char *answer = mem_printf("%s%s%s", names[r],
	    r == TABLE_NONE ? "" : ":", buf_text(&value));

	buf_fini(&value);
	return answer;
}

static void
expect(struct table *t, const char *key, const char *answer)
{
	char *real = ask(t, key);

	assert_string_equal(real, answer);
	free(real);
}

static void
expect_starts(struct table *t, const char *key, const char *answer)
{
	char *real = ask(t, key);

	if (strncmp(real, answer, strlen(answer)) != 0)
		fail_msg("%s: \"%s\" does not begin with \"%s\"", key, real,
		    answer);
	free(real);
}

static struct table *
open_ok(const char *spec)
{
	struct buf error = BUF_INIT(1024);
	struct table *t = table_open(span_of(spec), &error);

	if (t == NULL)
		fail_msg("%s: %s", spec, buf_text(&error));
	buf_fini(&error);
	return t;
}

/* One question to a table that is opened for it. */
static void
row(const char *spec, const char *key, const char *answer)
{
	struct table *t = open_ok(spec);

	expect(t, key, answer);
	table_free(&t);
}

static void
refused(const char *spec)
{
	struct buf error = BUF_INIT(1024);

	assert_null(table_open(span_of(spec), &error));
	assert_true(error.n > 0);
	buf_fini(&error);
}

static void
bad_specs_are_refused(void **state)
{
	(void)state;
	refused("");
	refused("noway");
	refused(":x");
	refused("mongodb:/etc/x");
	refused("hash:");
	refused("inline:a=b");
	refused("inline:{}");
	refused("inline:{ab}");
	refused("inline:{a=b, c = d}");
	refused("unix:shadow.byname");
	refused("pipemap:{}");
	refused("unionmap:{static:a, nonsense:b}");
}

static void
inline_static_fail(void **state)
{
	(void)state;
	row("inline:{a=b, {C = d e}}", "A", "found:b");
	row("inline:{a=b, {C = d e}}", "c", "found:d e");
	row("inline:{a=b, {C = d e}}", "x", "none");
	row("inline:{a=b=c}", "A", "found:b=c");
	row("inline:{a=1 a=2}", "a", "found:2");
	row("static:OK", "whatever", "found:OK");
	row("static:{two words}", "whatever", "found:two words");
	row("static:OK", "", "none");
	row("fail:x", "whatever", "again:table fail:x fails on purpose");
	row("proxy:static:OK", "whatever", "found:OK");
}

static void
environ_and_unix(void **state)
{
	(void)state;
	setenv("TABLE_TEST", "value", 1);
	row("environ:x", "TABLE_TEST", "found:value");
	row("environ:x", "table_test", "none");
	{
		struct table *t = open_ok("unix:passwd.byname");

		expect_starts(t, "ROOT", "found:root:x:0:0:");
		expect(t, "no-such-user", "none");
		table_free(&t);
		t = open_ok("proxy:unix:group.byname");
		expect_starts(t, "root", "found:root:x:0:");
		expect(t, "no-such-group", "none");
		table_free(&t);
	}
}

static void
groups_of_tables(void **state)
{
	(void)state;
	row("unionmap:{inline:{a=1}, inline:{a=2 b=3}}", "a", "found:1,2");
	row("unionmap:{inline:{a=1}, inline:{a=2 b=3}}", "b", "found:3");
	row("unionmap:{inline:{a=1}, inline:{a=2 b=3}}", "c", "none");
	row("unionmap:{inline:{a=1}, fail:x}", "a",
	    "again:table fail:x fails on purpose");
	row("pipemap:{inline:{a=b}, inline:{b=c}}", "a", "found:c");
	row("pipemap:{inline:{a=b}, inline:{x=c}}", "a", "none");
	row("pipemap:{inline:{a=b}, fail:x}", "z", "none");
	row("randmap:{only}", "a", "found:only");
}

static void
texthash_source(void **state)
{
	struct table *t;

	(void)state;
	put("map",
	    "# comment\n\nKey value\n  and more\n# within\n\tlast\n"
	    "key second\nnovalue\n\"a b\"@c quoted\nunbalanced\" x\n"
	    "end fin");
	t = open_ok("texthash:map");
	expect(t, "key", "found:value  and more\tlast");
	expect(t, "KEY", "found:value  and more\tlast");
	expect(t, "novalue", "none");
	expect(t, "\"A b\"@c", "found:quoted");
	expect(t, "end", "found:fin");
	expect(t, "#", "none");
	table_free(&t);
}

static void
missing_file_is_again(void **state)
{
	(void)state;
	row("texthash:nowhere", "a",
	    "again:open database nowhere: No such file or directory");
	row("hash:nowhere", "a",
	    "again:open database nowhere.cdb: No such file or directory");
	row("cdb:nowhere", "a",
	    "again:open database nowhere.cdb: No such file or directory");
	row("pcre:nowhere", "a",
	    "again:open nowhere: No such file or directory");
	row("regexp:nowhere", "a",
	    "again:open nowhere: No such file or directory");
	row("cidr:nowhere", "192.0.2.1",
	    "again:open nowhere: No such file or directory");
	row("texthash:/", "a", "again:open database /: Is a directory");
	row("unionmap:{texthash:nowhere}", "a",
	    "again:open database nowhere: No such file or directory");
}

static void
change_is_seen(void **state)
{
	struct table *t;

	(void)state;
	put("moving", "a 1\n");
	t = open_ok("texthash:moving");
	expect(t, "a", "found:1");
	put("moving.new", "a 2\n");
	rename("moving.new", "moving");
	usleep(CHANGE_COUNTS_US);
	expect(t, "a", "found:2");
	/* in place, same size, within the same tick of the clock maybe */
	put("moving", "a 3\n");
	usleep(CHANGE_COUNTS_US);
	expect(t, "a", "found:3");
	unlink("moving");
	usleep(CHANGE_COUNTS_US);
	expect_starts(t, "a", "again:");
	put("moving", "a 4\n");
	usleep(CHANGE_COUNTS_US);
	expect(t, "a", "found:4");
	table_free(&t);
}

/* Opened and changed before the file system's clock moves on. */
static void
change_within_a_tick_is_seen(void **state)
{
	struct table *t;

	(void)state;
	put("tick", "a 1\n");
	t = open_ok("texthash:tick");
	put("tick", "a 2\n");
	usleep(LOOKED_AT_US);
	expect(t, "a", "found:2");
	table_free(&t);
}

/* Half-written files are not read: false where the machine was too slow. */
static bool
half_a_file_is_not_read(void)
{
	struct table *t;
	char *empty, *half;
	int64_t begin;
	bool soon;
	int fd;

	put("slow", "a 1\n");
	age("slow", 10);
	t = open_ok("texthash:slow");
	expect(t, "a", "found:1");
	usleep(LOOKED_AT_US);
	begin = clock_ms();
	fd = open("slow", O_WRONLY | O_TRUNC);
	empty = ask(t, "a");
	assert_int_equal(write(fd, "b 2\n", 4), 4);
	usleep(100 * 1000); /* not quiet yet */
	half = ask(t, "a");
	soon = clock_ms() < begin + 240;
	if (soon) {
		assert_string_equal(empty, "found:1");
		assert_string_equal(half, "found:1");
	}
	free(empty);
	free(half);
	assert_int_equal(write(fd, "a 3\n", 4), 4);
	close(fd);
	usleep(LOOKED_AT_US);
	expect(t, "a", "found:3");
	table_free(&t);
	return soon;
}

/* An editor that empties a file and fills it again must cost no mail. */
static void
file_being_written_waits(void **state)
{
	bool judged = false;

	(void)state;
	for (int i = 0; i < 20 && !judged; i++)
		judged = half_a_file_is_not_read();
	assert_true(judged);
}

static void
hash_prefers_what_is_newer(void **state)
{
	struct table *t;

	(void)state;
	put("h", "a text\n");
	age("h", 10);
	put_cdb("h.cdb", "a", "database");
	row("hash:h", "a", "found:database");
	row("btree:h", "a", "found:database");
	row("cdb:h", "a", "found:database");
	t = open_ok("hash:h");
	expect(t, "a", "found:database");
	age("h.cdb", 20);
	usleep(CHANGE_COUNTS_US);
	expect(t, "a", "found:text");
	put_cdb("h.cdb.new", "a", "new database");
	rename("h.cdb.new", "h.cdb");
	usleep(CHANGE_COUNTS_US);
	expect(t, "a", "found:new database");
	unlink("h");
	unlink("h.cdb");
	usleep(CHANGE_COUNTS_US);
	expect_starts(t, "a", "again:");
	table_free(&t);
	/* without a database the text serves; without the text, the database */
	put("h", "A text\n");
	row("hash:h", "a", "found:text");
	row("cdb:h", "a",
	    "again:open database h.cdb: No such file or directory");
	put_cdb("only.cdb", "a", "database");
	row("hash:only", "a", "found:database");
	/* a damaged one */
	put("h.cdb", "this is no database");
	row("hash:h", "a", "found:text");
}

static void
keys_with_null_bytes(void **state)
{
	struct cdb_make m;
	int fd = open("n.cdb", O_RDWR | O_CREAT | O_TRUNC, 0644);

	(void)state;
	cdb_make_start(&m, fd);
	cdb_make_add(&m, "a", 2, "one", 4);
	cdb_make_finish(&m);
	close(fd);
	row("cdb:n", "A", "found:one");
}

static void
aliases_are_guessed(void **state)
{
	(void)state;
	put("al", "# who\nRoot: bob,\n\talice\n\"odd name\" : x\npost:root\n");
	row("hash:al", "root", "found:bob, alice");
	row("hash:al", "odd name", "found:x");
	row("hash:al", "post", "found:root");
	put("v6", "2001:db8::1 OK\n2001:db8::2 REJECT\nfe80:: REJECT\n");
	row("hash:v6", "2001:db8::1", "found:OK");
	row("hash:v6", "FE80::", "found:REJECT");
	/* one line that is wrong does not turn the file into another kind */
	put("al", "root: bob\nbroken alias here\npostmaster: root\n");
	row("hash:al", "root", "found:bob");
	row("hash:al", "broken", "none");
}

static void
folding_is_unicode(void **state)
{
	(void)state;
	put("u", "\xc3\x84rger@example.com yes\n\xff\xfe@x raw\n");
	row("texthash:u", "\xc3\xa4RGER@Example.com", "found:yes");
}

/* Neither a key nor a value, unless the table is one of bytes. */
static void
what_is_not_utf8(void **state)
{
	struct buf error = BUF_INIT(1000);
	struct table *t;

	(void)state;
	put("u", "\xff\xfe@x raw\na \xff\n");
	row("texthash:u", "\xff\xfe@X", "none");
	row("texthash:u", "a", "none");
	row("static:\xff", "a",
	    "broken:static:\xff: key \"a\": non-UTF-8 value");
	row("regexp:{{/./ y}}", "a\xff", "none");
	t = table_open_flags(span_of("texthash:u"), TABLE_ASCII, &error);
	assert_non_null(t);
	expect(t, "\xff\xfe@X", "found:raw");
	expect(t, "a", "found:\xff");
	table_free(&t);
	table_utf8(false);
	row("regexp:{{/./ y}}", "a\xff", "found:y");
	table_utf8(true);
	buf_fini(&error);
}

static void
empty_keys_only_where_asked_for(void **state)
{
	struct buf error = BUF_INIT(1000);
	struct table *t;

	(void)state;
	row("regexp:{{/^$/ y}}", "", "none");
	t = table_open_flags(span_of("regexp:{{/^$/ y}}"), TABLE_EMPTY_KEYS,
	    &error);
	assert_non_null(t);
	expect(t, "", "found:y");
	table_free(&t);
	buf_fini(&error);
}

static void
debug_and_internal(void **state)
{
	(void)state;
	row("debug:inline:{a=b}", "A", "found:b");
	row("debug:inline:{a=b}", "c", "none");
	row("internal:x", "a", "none");
}

/* A type that is not to be had names what to do instead. */
static void
absent_types(void **state)
{
	static const char *const each[] = { "dbm:x", "sdbm:x", "nis:x",
		"mongodb:x" };
	struct buf error = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		buf_reset(&error);
		assert_null(table_open(span_of(each[i]), &error));
		assert_non_null(
		    strstr(buf_text(&error), "unsupported dictionary type"));
		assert_non_null(strchr(buf_text(&error), '('));
	}
	buf_fini(&error);
}

static void
groups_of_patterns_are_patterns(void **state)
{
	static const struct {
		const char *spec;
		bool partial;
	} each[] = {
		{ "unionmap:{regexp:{{/a/ b}}}", false },
		{ "unionmap:{regexp:{{/a/ b}},pcre:{{/a/ b}}}", false },
		{ "unionmap:{regexp:{{/a/ b}},static:x}", true },
		{ "pipemap:{static:x,regexp:{{/a/ b}}}", true },
		{ "debug:regexp:{{/a/ b}}", false },
		{ "debug:static:a", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		struct table *t = open_ok(each[i].spec);

		assert_int_equal(table_takes_partial(t), each[i].partial);
		table_free(&t);
	}
}

static void
same_spec_is_one_table(void **state)
{
	struct table *a = open_ok("inline:{a=b}");
	struct table *b = open_ok("proxy:inline:{a=b}");

	(void)state;
	assert_ptr_equal(a, b);
	table_free(&a);
	expect(b, "a", "found:b");
	table_free(&b);
}

static void
overlong_keys_are_never_found(void **state)
{
	char key[TABLE_KEY_MAX + 2];

	(void)state;
	memset(key, 'a', sizeof(key));
	key[sizeof(key) - 1] = '\0';
	row("inline:{a=b}", key, "none");
	row("regexp:{{/^a*$/ OK}}", key, "found:OK");
	key[TABLE_KEY_MAX] = '\0';
	row("static:OK", key, "found:OK");
}

static void
folder_that_cannot_be_entered_later(void **state)
{
	struct table *t;

	(void)state;
	if (geteuid() != 0)
		skip();
	mkdir("closed", 0700);
	mkdir("closed/etc", 0755);
	put("closed/etc/map", "a 1\n");
	t = open_ok("texthash:closed/etc/map");
	expect(t, "a", "found:1");
	assert_int_equal(seteuid(65534), 0);
	usleep(CHANGE_COUNTS_US);
	expect(t, "a", "found:1");
	assert_int_equal(seteuid(0), 0);
	put("closed/etc/map", "a 22\n");
	assert_int_equal(seteuid(65534), 0);
	usleep(CHANGE_COUNTS_US);
	expect(t, "a", "found:22");
	assert_int_equal(seteuid(0), 0);
	assert_false(table_restart_wanted());
	/* readable for root only: the old content stays, and a restart */
	put("closed/etc/map", "a 333\n");
	chmod("closed/etc/map", 0600);
	assert_int_equal(seteuid(65534), 0);
	table_free(&t);
	assert_int_equal(seteuid(0), 0);
	t = open_ok("texthash:closed/etc/map");
	put("closed/etc/map", "a 4444\n");
	assert_int_equal(seteuid(65534), 0);
	usleep(CHANGE_COUNTS_US);
	expect(t, "a", "found:333");
	assert_true(table_restart_wanted());
	assert_int_equal(seteuid(0), 0);
	table_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_specs_are_refused),
		cmocka_unit_test(inline_static_fail),
		cmocka_unit_test(environ_and_unix),
		cmocka_unit_test(groups_of_tables),
		cmocka_unit_test(texthash_source),
		cmocka_unit_test(missing_file_is_again),
		cmocka_unit_test(change_is_seen),
		cmocka_unit_test(change_within_a_tick_is_seen),
		cmocka_unit_test(file_being_written_waits),
		cmocka_unit_test(hash_prefers_what_is_newer),
		cmocka_unit_test(keys_with_null_bytes),
		cmocka_unit_test(aliases_are_guessed),
		cmocka_unit_test(folding_is_unicode),
		cmocka_unit_test(what_is_not_utf8),
		cmocka_unit_test(empty_keys_only_where_asked_for),
		cmocka_unit_test(debug_and_internal),
		cmocka_unit_test(absent_types),
		cmocka_unit_test(groups_of_patterns_are_patterns),
		cmocka_unit_test(same_spec_is_one_table),
		cmocka_unit_test(overlong_keys_are_never_found),
		cmocka_unit_test(folder_that_cannot_be_entered_later),
	};
	char command[64];
	int failed;

	log_threshold(LEVEL_PANIC);
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(chdir(folder), 0);
	failed = cmocka_run_group_tests_name("table", tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) == 0 ? failed : 1;
}
