/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lib/conf/conf_parts.h"
#include "lib/conf/master_cf.h"

static struct master_cf *
parsed(const char *main_cf, const char *text, struct buf *errors,
    struct buf *warnings)
{
	struct conf *c = conf_new("/nowhere");
	struct master_cf *m;

	conf_parse(c, span_of(main_cf), "main.cf", errors, warnings);
	m = master_cf_parse(span_of(text), "master.cf", c, errors, warnings);
	conf_free(&c);
	return m;
}

static void
test_columns(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct master_cf *m = parsed("default_process_limit = 7\n",
	    "# c\nsmtp inet n - y - - smtpd\n"
	    "127.0.0.1:2525 inet n - n - 0 smtpd -v\n"
	    "pickup unix n - - 60? 1 pickup\n"
	    "x pass - n - 300 - y\n",
	    &errors, NULL);

	(void)state;
	assert_string_equal(buf_text(&errors), "");
	assert_int_equal(m->count, 4);
	assert_string_equal(m->entries[0].name, "smtp");
	assert_int_equal(m->entries[0].type, SERVICE_INET);
	assert_false(m->entries[0].private_service);
	assert_true(m->entries[0].chroot);
	assert_int_equal(m->entries[0].maxproc, 7);
	assert_int_equal(m->entries[0].line, 2);
	assert_int_equal(m->entries[1].maxproc, 0);
	assert_string_equal(m->entries[1].arguments[0], "-v");
	assert_null(m->entries[1].arguments[1]);
	assert_null(m->entries[1].overrides[0]);
	assert_int_equal(m->entries[2].wakeup_s, 60);
	assert_true(m->entries[2].wakeup_if_used);
	assert_true(m->entries[3].private_service);
	assert_false(m->entries[3].unprivileged);
	assert_int_equal(m->entries[3].wakeup_s, 300);
	assert_false(m->entries[3].wakeup_if_used);
	master_cf_free(&m);
	buf_fini(&errors);
}

static void
test_arguments(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct master_cf *m = parsed("",
	    "maildrop unix - n n - - pipe\n"
	    "  -o a=b -oc=$d -o { e = f, g } -o{h=i}\n"
	    "  flags=DRXhu user=vmail { argv=/usr/bin/x -d ${recipient} }\n",
	    &errors, NULL);
	struct master_entry *e;

	(void)state;
	assert_non_null(strstr(buf_text(&errors), "-o {h: not the name"));
	assert_int_equal(m->count, 0);
	master_cf_free(&m);
	buf_reset(&errors);
	m = parsed("",
	    "maildrop unix - n n - - pipe\n"
	    "  -o a=b -oc=$d -o { e = f, g }\n"
	    "  # not this\n"
	    "  flags=DRXhu user=vmail { argv=/usr/bin/x -d ${recipient} }\n"
	    "  spamc -o i=j -oi\n",
	    &errors, NULL);
	assert_string_equal(buf_text(&errors), "");
	e = &m->entries[0];
	assert_string_equal(e->arguments[1], "user=vmail");
	assert_string_equal(e->arguments[2], "argv=/usr/bin/x -d ${recipient}");
	/* options of the command's */
	assert_string_equal(e->arguments[3], "spamc");
	assert_string_equal(e->arguments[4], "-o");
	assert_string_equal(e->arguments[5], "i=j");
	assert_string_equal(e->arguments[6], "-oi");
	assert_null(e->arguments[7]);
	assert_string_equal(e->overrides[0], "a=b");
	assert_string_equal(e->overrides[1], "c=$d");
	assert_string_equal(e->overrides[2], "e=f, g");
	assert_null(e->overrides[3]);
	master_cf_free(&m);
	buf_fini(&errors);
}

static const struct {
	const char *line;
	const char *complaint;
} bad_lines[] = {
	{ "smtp inet n - n -", "\"maxproc\" is missing" },
	{ "smtp inet n - n - -", "\"command\" is missing" },
	{ "smtp ipx n - n - - smtpd", "no service type \"ipx\"" },
	{ "smtp inet y - n - - smtpd", "cannot be private" },
	{ "smtp inet n - x - - smtpd", "y, n or -" },
	{ "smtp inet n - n 1x - smtpd", "\"wakeup\" holds" },
	{ "smtp inet n - n - -1 smtpd", "\"maxproc\" holds" },
	{ "smtp inet n - n - - ../smtpd", "not the name of a program" },
	{ "smtp inet n - n - - /bin/sh", "not the name of a program" },
	{ "../x unix n - n - - smtpd", "cannot be the name of a service" },
	{ "smtp inet n - n - - smtpd -o", "behind -o" },
	{ "smtp inet n - n - - smtpd -o a", "name=value" },
	{ "smtp inet n - n - - smtpd -o { a = b", "\"}\" is missing" },
	{ "smtp inet n - n - - smtpd -o a.b=c", "not the name of" },
	{ " smtp inet n - n - - smtpd", "must not start with" },
};

static void
test_bad_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_lines) / sizeof(bad_lines[0]); i++) {
		struct buf errors = BUF_INIT(65536);
		struct master_cf *m =
		    parsed("", bad_lines[i].line, &errors, NULL);

		if (strstr(buf_text(&errors), bad_lines[i].complaint) == NULL)
			fail_msg("\"%s\" said \"%s\"", bad_lines[i].line,
			    buf_text(&errors));
		assert_non_null(
		    strstr(buf_text(&errors), "master.cf: line 1: "));
		master_cf_free(&m);
		buf_fini(&errors);
	}
}

static void
test_duplicates_and_disabled(void **state)
{
	struct buf errors = BUF_INIT(65536), warnings = BUF_INIT(65536);
	struct master_cf *m =
	    parsed("master_service_disable = !smtp/inet, inet, relay/unix\n",
		"smtp inet n - n - - smtpd\nsmtp unix - - n - - smtp\n"
		"25 inet n - n - - smtpd\nrelay unix - - n - - smtp\n"
		"smtp inet n - n - 5 other\n",
		&errors, &warnings);

	(void)state;
	assert_int_equal(m->count, 4);
	assert_string_equal(m->entries[0].command, "other");
	assert_false(m->entries[0].disabled);
	assert_false(m->entries[1].disabled);
	assert_true(m->entries[2].disabled);
	assert_true(m->entries[3].disabled);
	assert_non_null(strstr(buf_text(&warnings), "line 5: replaces"));
	master_cf_free(&m);
	buf_fini(&errors);
	buf_fini(&warnings);
}

static const struct {
	const char *list;
	const char
	    *state; /* of smtp/inet, smtp/unix, a.b:25/inet: - disabled */
	const char *complaint;
} disabling[] = {
	{ "", "+++", "" },
	{ "inet", "-+-", "" },
	{ "smtp.unix", "+-+", "" },
	{ "smtp/inet smtp.inet", "-++", "" },
	{ "a.b:25.inet", "++-", "" },
	{ "!smtp.inet inet", "++-", "" },
	{ "inet, !smtp/inet", "-+-", "" },
	{ "all", "+++", "\"all\" is neither" },
	{ "*", "+++", "\"*\" is neither" },
	{ "smtp", "+++", "\"smtp\" is neither" },
	{ "smtp/tcp", "+++", "\"smtp/tcp\" is neither" },
	{ "/etc/inet", "+++", "\"/etc/inet\" is neither" },
	{ "texthash:/x inet", "-+-", "\"texthash:/x\" is neither" },
	{ "!", "+++", "\"!\" is neither" },
	{ ".inet", "+++", "\".inet\" is neither" },
	{ "smpt/inet", "+++", "has no service \"smpt/inet\"" },
};

static void
test_what_is_disabled(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(disabling) / sizeof(disabling[0]); i++) {
		struct buf said = BUF_INIT(65536);
		char text[200];
		struct master_cf *m;

		snprintf(text, sizeof(text), "master_service_disable = %s\n",
		    disabling[i].list);
		m = parsed(text,
		    "smtp inet n - n - - smtpd\nsmtp unix - - n - - smtp\n"
		    "a.b:25 inet n - n - - smtpd\n",
		    &said, &said);
		for (size_t k = 0; k < 3; k++)
			if (m->entries[k].disabled !=
			    (disabling[i].state[k] == '-'))
				fail_msg("\"%s\": service %zu",
				    disabling[i].list, k);
		if (strstr(buf_text(&said), disabling[i].complaint) == NULL ||
		    (disabling[i].complaint[0] == '\0') != (said.n == 0))
			fail_msg("\"%s\" said \"%s\"", disabling[i].list,
			    buf_text(&said));
		master_cf_free(&m);
		buf_fini(&said);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_duplicates_and_disabled),
		cmocka_unit_test(test_what_is_disabled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
