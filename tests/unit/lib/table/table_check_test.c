/* SPDX-License-Identifier: ISC */
#include "lib/table/table_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log/log.h"

static char folder[] = "/tmp/table_check_test.XXXXXX";

static const struct {
	const char *setting;
	const char *error; /* NULL: none */
	const char *warning; /* NULL: none */
} rows[] = {
	{ "mydestination = a.test, b.test, /dev/null", NULL, NULL },
	{ "mydestination = a.test, !/no/where",
	    "main.cf: line 1: mydestination: /no/where: No such file or "
	    "directory",
	    NULL },
	{ "mynetworks = 127.0.0.0/8, [::1]/128, 2001:db8::/32", NULL, NULL },
	{ "transport_maps = texthash:main.cf, inline:{a=b}", NULL, NULL },
	{ "transport_maps = mongodb:/etc/x",
	    "main.cf: line 1: transport_maps: unsupported dictionary type: "
	    "mongodb (no module for it exists)",
	    NULL },
	{ "transport_maps = proxy:mongodb:/etc/x",
	    "main.cf: line 1: transport_maps: unsupported dictionary type: "
	    "mongodb (no module for it exists)",
	    NULL },
	{ "transport_maps = /etc/x",
	    "main.cf: line 1: transport_maps: \"/etc/x\" is no table: "
	    "type:name is wanted",
	    NULL },
	{ "mydestination = hsah:/etc/x",
	    "main.cf: line 1: mydestination: unsupported dictionary type: "
	    "hsah; did you mean \"hash\"?",
	    NULL },
	{ "transport_maps = inline:{ab}",
	    "main.cf: line 1: transport_maps: missing '=' after attribute "
	    "name: \"inline:{ab}\"; need \"inline:{name=value...}\"",
	    NULL },
	{ "transport_maps = unionmap:{mongodb:x}",
	    "main.cf: line 1: transport_maps: unsupported dictionary type: "
	    "mongodb (no module for it exists)",
	    NULL },
	{ "transport_maps = hash:",
	    "main.cf: line 1: transport_maps: a file name is wanted behind "
	    "the table's type",
	    NULL },
	{ "transport_maps = hash:/no/where", NULL,
	    "main.cf: line 1: transport_maps: /no/where: No such file or "
	    "directory: mail that needs this table waits" },
	{ "transport_maps = pipemap:{cdb:/no/where}", NULL,
	    "main.cf: line 1: transport_maps: /no/where.cdb: No such file or "
	    "directory: mail that needs this table waits" },
	{ "transport_maps = hash:main.cf", NULL, NULL },
	{ "transport_maps = pcre:{{/a b/ smtp:}}", NULL, NULL },
	{ "authorized_submit_users = root, mysql:/etc/x",
	    "main.cf: line 1: authorized_submit_users: tables of type mysql "
	    "are not available to set-gid commands, which ask this: names or "
	    "a table in a file are wanted",
	    NULL },
	{ "authorized_mailq_users = unionmap:{ldap:/etc/x}",
	    "main.cf: line 1: authorized_mailq_users: tables of type ldap "
	    "are not available to set-gid commands, which ask this: names or "
	    "a table in a file are wanted",
	    NULL },
	{ "authorized_flush_users = !proxy:sqlite:/etc/x",
	    "main.cf: line 1: authorized_flush_users: tables of type sqlite "
	    "are not available to set-gid commands, which ask this: names or "
	    "a table in a file are wanted",
	    NULL },
	{ "authorized_flush_users = texthash:main.cf", NULL, NULL },
	{ "default_database_type = pcre",
	    "main.cf: line 1: default_database_type: a type that postmap can "
	    "build is wanted: hash, cdb",
	    NULL },
};

/* The lines of one setting; what others have to say is not at stake. */
static void
expect(size_t row, const char *kind, const struct buf *lines, const char *line)
{
	char *expected = NULL;

	assert_true(asprintf(&expected, "%s%s", line ? line : "",
			line ? "\n" : "") >= 0);
	if (strcmp(buf_text(lines), expected) != 0)
		fail_msg("%s: %s \"%s\"", rows[row].setting, kind,
		    buf_text(lines));
	free(expected);
}

static void
each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf errors = BUF_INIT(4096);
		struct buf warnings = BUF_INIT(4096);
		FILE *f = fopen("main.cf", "w");
		struct conf *c;

		fprintf(f, "%s\n", rows[i].setting);
		fclose(f);
		c = conf_read(".", &errors, NULL);
		assert_non_null(c);
		assert_int_equal(errors.n, 0);
		assert_int_equal(table_check_settings(c, &errors, &warnings),
		    rows[i].error == NULL);
		expect(i, "error", &errors, rows[i].error);
		expect(i, "warning", &warnings, rows[i].warning);
		conf_free(&c);
		buf_fini(&errors);
		buf_fini(&warnings);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_row) };
	char command[64];
	int failed;

	log_threshold(LEVEL_PANIC);
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	failed = cmocka_run_group_tests_name("table_check", tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) == 0 ? failed : 1;
}
