/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounce/template.h"

static struct conf *conf;
static struct arena *arena;

static int
set_up(void **state)
{
	char dir[] = "/tmp/template_test.XXXXXX";
	struct buf errors = BUF_INIT(4096);
	char path[64];
	FILE *f;

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/main.cf", dir);
	f = fopen(path, "w");
	if (f == NULL)
		return -1;
	fputs("myhostname = mx.test\nmaximal_queue_lifetime = 2\n"
	      "delay_warning_time = 90m\n",
	    f);
	fclose(f);
	arena = arena_new();
	conf = conf_read(dir, &errors, NULL);
	unlink(path);
	rmdir(dir);
	buf_fini(&errors);
	return conf == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	conf_free(&conf);
	arena_free(&arena);
	return 0;
}

static void
takes_postfix_templates(void **state)
{
	static const char text[] = "# comment\n\n"
				   "failure_template = <<EOF\n"
				   "Charset: utf-8\n"
				   "From: Post at $myhostname\n"
				   "Subject: Alas\n"
				   "Postmaster-Subject: Alas for $$5\n"
				   "\n"
				   "At ${myhostname}.\n"
				   "\n"
				   "After $maximal_queue_lifetime_days days, "
				   "$delay_warning_time_minutes minutes.\n"
				   "EOF\n"
				   "delay_template = <<END\n"
				   "Subject: Late\n"
				   "\n"
				   "EOF\n"
				   "END\n";
	struct compose_words w[COMPOSE_KINDS] = { 0 };
	struct buf error = BUF_INIT(256);

	(void)state;
	if (!template_parse(span_of(text), conf, arena, w, &error))
		fail_msg("%s", buf_text(&error));
	assert_string_equal(w[COMPOSE_FAILURE].charset, "utf-8");
	assert_string_equal(w[COMPOSE_FAILURE].from, "Post at mx.test");
	assert_string_equal(w[COMPOSE_FAILURE].subject, "Alas");
	assert_string_equal(w[COMPOSE_FAILURE].postmaster_subject,
	    "Alas for $5");
	assert_string_equal(w[COMPOSE_FAILURE].text,
	    "At mx.test.\r\n\r\nAfter 2 days, 90 minutes.\r\n");
	assert_string_equal(w[COMPOSE_DELAY].text, "EOF\r\n");
	assert_null(w[COMPOSE_SUCCESS].text);
}

static void
refuses_whole_what_is_wrong_in_part(void **state)
{
	static const struct {
		const char *text;
		const char *error;
	} rows[] = {
		{ "x\n", "line 1: not NAME_template = <<END" },
		{ "failure_template = EOF\n", "line 1: not" },
		{ "failure_template = <<\n", "line 1: not" },
		{ "other_template = <<EOF\nEOF\n", "line 1: not" },
		{ "failure_template = <<EOF\nSubject: x\n\ntext\n",
		    "line 4: template without an end" },
		{ "failure_template = <<EOF\nTo: x\n\nEOF\n",
		    "line 2: bad header" },
		{ "failure_template = <<EOF\nSubject: x\n\n$nosuch\nEOF\n",
		    "line 4: bad $name" },
		{ "failure_template = <<EOF\nSubject: x\n\n${myhostname\n",
		    "line 4: bad $name" },
		{ "failure_template = <<EOF\nSubject: x\n\ncost: 5 $\n",
		    "line 4: bad $name" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct compose_words w[COMPOSE_KINDS] = { 0 };
		struct buf error = BUF_INIT(256);

		assert_false(template_parse(span_of(rows[i].text), conf, arena,
		    w, &error));
		assert_memory_equal(buf_text(&error), rows[i].error,
		    strlen(rows[i].error));
		assert_null(w[COMPOSE_FAILURE].subject);
		buf_fini(&error);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_postfix_templates),
		cmocka_unit_test(refuses_whole_what_is_wrong_in_part),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
