/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/conf/common.h"
#include "lib/conf/conf_parts.h"

static struct conf *
parsed(const char *text, struct buf *errors, struct buf *warnings)
{
	struct conf *c = conf_new("/nowhere");

	conf_parse(c, span_of(text), "main.cf", errors, warnings);
	return c;
}

static const struct expansion_row {
	const char *text;
	const char *result; /* NULL: an error */
} expansions[] = {
	{ "plain", "plain" },
	{ "$a", "one" },
	{ "${a}", "one" },
	{ "$(a)", "one" },
	{ "x${ a }y", "xoney" },
	{ "$a.$a", "one.one" },
	{ "$$a", "$a" },
	{ "$nobody", "" },
	{ "${a?yes}", "yes" },
	{ "${empty?yes}", "" },
	{ "${a:no}", "" },
	{ "${empty:no}", "no" },
	{ "${empty:{ no }}", " no " }, /* the blanks count */
	{ "${empty: no }", " no " },
	{ "${{ a } == {a} ? {y} : {n}}", "n" },
	{ "${empty ? {y} : {n}}", "n" },
	{ "${nothing?{y}:{n}}", "y" }, /* what it expands to does not */
	{ "${loop?{y}:{n}}", "y" },
	{ "${ }", "" },
	{ "${a?{y}:{n}}", "y" },
	{ "${empty?{y}:{n}}", "n" },
	{ "${empty?{y}:n}", "n" },
	{ "${a?{<$a>}:{$loop}}", "<one>" },
	{ "${{$a} == {one} ? {same} : {other}}", "same" },
	{ "${{$a} != {one} ? {same} : {other}}", "other" },
	{ "${{9} < {10} ? {number} : {text}}", "number" },
	{ "${{a9} < {a10} ? {number} : {text}}", "text" },
	{ "${{007} == {7} ? {y} : {n}}", "y" },
	{ "${{2} >= {2} ? {y}}", "y" },
	{ "${{3} <= {2} ? {y}}", "" },
	{ "${{3} <= {2} : {n}}", "n" },
	{ "${{3.10} >level {3.9} ? {y} : {n}}", "y" },
	{ "${{3.6} <level {3.6} ? {y} : {n}}", "n" },
	{ "${{3} ==level {3.0.0} ? {y} : {n}}", "y" },
	{ "${{$compatibility_level} <level {2} ? {old} : {new}}", "old" },
	{ "${{a} == {a}}", "true" },
	{ "$loop", NULL },
	{ "${a", NULL },
	{ "$", NULL },
	{ "${}", NULL },
	{ "${a!b}", NULL },
	{ "${{a} ~ {b} ? {c}}", NULL },
	{ "${{x} <level {2} ? {c}}", NULL },
	{ "${a?{y}:{n}z}", NULL },
};

static void
test_expansion(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct conf *c = parsed("a = one\nempty =\nloop = $loop2\n"
				"loop2 = x$loop\nnothing = $empty\n",
	    &errors, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(expansions) / sizeof(expansions[0]);
	     i++) {
		const char *got = conf_expand(c, expansions[i].text, &errors);

		if ((got == NULL) != (expansions[i].result == NULL) ||
		    (got != NULL && strcmp(got, expansions[i].result) != 0))
			fail_msg("%s gave %s, not %s", expansions[i].text,
			    got ? got : "an error",
			    expansions[i].result ? expansions[i].result :
						   "an error");
	}
	assert_non_null(strstr(buf_text(&errors), "macro call nesting"));
	conf_free(&c);
	buf_fini(&errors);
}

static void
test_lines(void **state)
{
	struct buf errors = BUF_INIT(65536), warnings = BUF_INIT(65536);
	struct conf *c =
	    parsed("# comment\n\nfirst = a,\n  # inside\n"
		   "\n\tb\nsecond=2\r\n   third   =   3   \nno_equals\n"
		   "second = again\n= nothing\nlast = x",
		&errors, &warnings);

	(void)state;
	assert_string_equal(conf_value(c, "first"), "a,\tb");
	assert_string_equal(conf_value(c, "second"), "again");
	assert_string_equal(conf_origin(c, "second"), "main.cf: line 10");
	assert_string_equal(conf_origin(c, "first"), "main.cf: line 3");
	assert_null(conf_raw(c, "third"));
	assert_string_equal(conf_value(c, "last"), "x");
	assert_non_null(
	    strstr(buf_text(&errors), "main.cf: line 9: missing '='"));
	assert_non_null(strstr(buf_text(&errors), "main.cf: line 11: "));
	assert_non_null(strstr(buf_text(&warnings),
	    "main.cf: line 10: "
	    "overriding earlier entry: second="));
	conf_free(&c);
	buf_fini(&errors);
	buf_fini(&warnings);
}

static void
test_line_limit(void **state)
{
	struct buf text = BUF_INIT(4 << 20), errors = BUF_INIT(65536);
	struct conf *c;

	(void)state;
	buf_add_text(&text, "long =");
	for (int i = 0; i < 1 << 17; i++)
		buf_add_text(&text, " more\n    ");
	buf_add_text(&text, "\nnext = 1\n");
	c = parsed(buf_text(&text), &errors, NULL);
	assert_null(conf_raw(c, "long"));
	assert_string_equal(conf_value(c, "next"), "1");
	assert_non_null(strstr(buf_text(&errors), "longer than"));
	conf_free(&c);
	buf_fini(&errors);
	buf_fini(&text);
}

/* Ten times ten times ... must end at the size limit, and soon. */
static void
test_expansion_limit(void **state)
{
	struct buf text = BUF_INIT(65536), errors = BUF_INIT(65536);
	struct conf *c;

	(void)state;
	buf_add_text(&text, "a0 = 0123456789\n");
	for (int i = 1; i < 20; i++)
		buf_printf(&text, "a%d = $a%d$a%d$a%d$a%d$a%d$a%d$a%d$a%d\n", i,
		    i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	for (int i = 1; i < 100; i++)
		buf_printf(&text, "d%d = ${d%d}\n", i, i - 1);
	buf_add_text(&text, "d0 = x\n");
	c = parsed(buf_text(&text), &errors, NULL);
	assert_string_equal(buf_text(&errors), "");
	assert_null(conf_expand(c, "$a19", &errors));
	assert_non_null(strstr(buf_text(&errors), "too long"));
	assert_null(conf_expand(c, "$d99", &errors));
	assert_non_null(strstr(buf_text(&errors), "macro call nesting"));
	conf_free(&c);
	buf_fini(&errors);
	buf_fini(&text);
}

static void
test_fill(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct common_params p;
	struct conf *c =
	    parsed("max_idle = 2m\nmyhostname = mx.example.com\n"
		   "message_size_limit = ten\nhash_queue_depth = 9\n"
		   "mynetworks_style = planet\nipc_timeout = 5\n",
		&errors, NULL);

	(void)state;
	assert_false(conf_fill(c, &common_param_group, &p, &errors));
	assert_int_equal(p.max_idle, 120);
	assert_int_equal(p.ipc_timeout, 5);
	assert_string_equal(p.mydomain, "example.com");
	assert_string_equal(p.myorigin, "mx.example.com");
	assert_int_equal(p.message_size_limit, 10240000);
	assert_int_equal(p.hash_queue_depth, 1);
	assert_string_equal(p.mynetworks_style, "subnet");
	assert_string_equal(p.config_directory, "/nowhere");
	assert_non_null(strstr(buf_text(&errors),
	    "main.cf: line 3: "
	    "message_size_limit: \"ten\" is not a number"));
	assert_non_null(strstr(buf_text(&errors),
	    "line 4: hash_queue_depth: "
	    "\"9\" is above the most allowed, 3"));
	assert_non_null(strstr(buf_text(&errors), "mynetworks_style"));
	conf_free(&c);
	buf_fini(&errors);
}

static void
test_snapshot(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct conf *c = parsed("a = one\nmynetworks = 192.0.2.0/24\n"
				"b = ${a}${c}\n",
			&errors, NULL),
		    *d;
	int fd = conf_snapshot(c, "*", NULL);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), -1);
	d = conf_read_snapshot(fd);
	assert_string_equal(conf_directory(d), "/nowhere");
	assert_string_equal(conf_value(d, "b"), "one");
	assert_string_equal(conf_value(d, "mynetworks"), "192.0.2.0/24");
	assert_string_equal(conf_value(d, "myhostname"),
	    conf_value(c, "myhostname"));
	assert_string_equal(conf_origin(d, "b"), "main.cf: line 3");
	assert_true(conf_override(d, "c = two", &errors));
	assert_true(conf_override(d, "myhostname=a.b.example", &errors));
	assert_string_equal(conf_value(d, "b"), "onetwo");
	assert_string_equal(conf_value(d, "mydomain"), "b.example");
	assert_string_equal(conf_origin(d, "c"), "-o option");
	assert_false(conf_override(d, "novalue", &errors));
	close(fd);
	conf_free(&c);
	conf_free(&d);
	buf_fini(&errors);
}

static const struct shared_row {
	const char *share;
	const char *name;
	bool given;
} shared_rows[] = {
	{ "smtpd", "myhostname", true },
	{ "smtpd", "smtpd_banner", true },
	{ "smtpd", "referred", true },
	{ "smtpd", "deeper", true },
	{ "smtpd", "smtp_helo_name", true },
	{ "smtpd", "strict", true },
	{ "smtpd", "of_class", true },
	{ "smtpd", "in_option", true },
	{ "smtpd", "slow_time_limit", true },
	{ "smtpd", "smtp_sasl_password_maps", false },
	{ "smtpd", "password", false },
	{ "smtpd", "not_referred", false },
	{ "smtp", "smtp_sasl_password_maps", true },
	{ "smtp", "password", true },
	{ "smtp", "smtpd_banner", false },
	{ "smtp", "strict", false },
	{ "", "smtp_sasl_password_maps", false },
	{ "smtp_sasl_password_maps", "password", true },
	{ "smtp_sasl_password_maps", "smtp_helo_name", false },
	{ "of-servers lookup", "people_bind_pw", true },
	{ "lookup", "people_bind_pw", false },
	{ "*", "people_bind_pw", true },
	{ "*", "password", true },
	{ "*", "not_referred", true },
};

static void
test_a_program_is_told_what_it_needs(void **state)
{
	char option[] = "smtpd_helo_required=${in_option?yes}";
	char *const texts[] = { option, NULL };
	struct buf errors = BUF_INIT(65536);
	struct conf *c =
	    parsed("smtp_sasl_password_maps = static:$password\n"
		   "password = me:secret\nnot_referred = a\n"
		   "smtpd_banner = $(referred) $$not_referred ${ "
		   "smtp_helo_name }\n"
		   "referred = ${deeper?x}\ndeeper = 1\nsmtp_helo_name = b\n"
		   "smtpd_restriction_classes = strict\nstrict = $of_class\n"
		   "of_class = reject\nin_option = 1\nslow_time_limit = 5\n"
		   "virtual_alias_maps = ldap:people\n"
		   "people_bind_pw = geheim\n",
		&errors, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(shared_rows) / sizeof(shared_rows[0]);
	     i++) {
		const struct shared_row *row = &shared_rows[i];
		int fd = conf_snapshot(c, row->share, texts);
		struct conf *d = conf_read_snapshot(fd);
		struct setting *s = conf_setting(d, span_of(row->name));

		if ((s->raw != NULL) != row->given &&
		    strcmp(row->name, "myhostname") != 0)
			fail_msg("\"%s\": %s", row->share, row->name);
		if (s->withheld !=
		    (!row->given && param_find(span_of(row->name)) != NULL))
			fail_msg("withheld: \"%s\": %s", row->share, row->name);
		close(fd);
		conf_free(&d);
	}
	conf_free(&c);
	buf_fini(&errors);
}

static void
test_unknown_names(void **state)
{
	struct buf errors = BUF_INIT(65536), warnings = BUF_INIT(65536);
	struct conf *c =
	    parsed("my_own = 1\nmyorigin = x$my_own\n"
		   "mydestinatoin = a\nsmtpd_restriction_classes = strict\n"
		   "strict = reject\nslow_destination_concurrency_limit = 1\n"
		   "slow_time_limit = tomorrow\nbiff = no\n",
		&errors, &warnings);

	(void)state;
	assert_false(conf_check(c, &errors, &warnings));
	assert_non_null(strstr(buf_text(&errors),
	    "main.cf: line 3: "
	    "mydestinatoin: no setting has this name; did you mean "
	    "\"mydestination\"?"));
	assert_non_null(strstr(buf_text(&errors),
	    "main.cf: line 7: "
	    "slow_time_limit"));
	assert_null(strstr(buf_text(&errors), "my_own"));
	assert_null(strstr(buf_text(&errors), "line 5"));
	assert_null(strstr(buf_text(&errors), "line 6"));
	assert_non_null(strstr(buf_text(&warnings), "line 8: biff: "));
	conf_free(&c);
	buf_fini(&errors);
	buf_fini(&warnings);
}

static void
test_names_that_settings_use(void **state)
{
	struct buf errors = BUF_INIT(65536), warnings = BUF_INIT(65536);
	struct conf *c =
	    parsed("own = a$own_too\nown_too = b$own\n"
		   "smtpd_banner = $myhostnam $own ${own?x} $$x $(mydomain)\n"
		   "myorigin = ${{$mydomai} == {a} ? {b} : {$own_too}}\n"
		   "forward_path = $home/.forward\n"
		   "relayhost = ${\nmynetworks = $\n",
		&errors, &warnings);

	(void)state;
	(void)conf_check(c, &errors, &warnings);
	assert_string_equal(buf_text(&warnings),
	    "main.cf: line 3: smtpd_banner: no setting has the name "
	    "\"myhostnam\"; did you mean \"myhostname\"?\n"
	    "main.cf: line 4: myorigin: no setting has the name "
	    "\"mydomai\"; did you mean \"mydomain\"?\n");
	conf_free(&c);
	buf_fini(&errors);
	buf_fini(&warnings);
}

/* A setting is a row of exactly one group. */
static void
test_one_row_each(void **state)
{
	(void)state;
	for (const struct param_group *const *g = param_groups; *g; g++)
		for (size_t i = 0; i < (*g)->count; i++)
			if (param_find(span_of((*g)->params[i].name)) !=
			    &(*g)->params[i])
				fail_msg("%s is in two groups, one is %s",
				    (*g)->params[i].name, (*g)->name);
}

static const char *
only_user(void *with, struct span name)
{
	return span_is(name, "user") ? with : NULL;
}

static void
test_resolver(void **state)
{
	struct buf errors = BUF_INIT(65536), out = BUF_INIT(100);
	struct conf *c = parsed("user = wrong\nother = $user\n", &errors, NULL);

	(void)state;
	assert_true(conf_expand_with(c,
	    "$user${extension?+$extension} "
	    "$other",
	    only_user, (void *)(uintptr_t) "joe", &out, &errors));
	/* settings keep their own names */
	assert_string_equal(buf_text(&out), "joe wrong");
	conf_free(&c);
	buf_fini(&errors);
	buf_fini(&out);
}

/* A text with a stranger's words in it learns nothing of settings. */
static void
test_names_alone(void **state)
{
	struct buf errors = BUF_INIT(65536), out = BUF_INIT(1000);

	(void)state;
	assert_true(conf_expand_names("$user-$myhostname-${queue_directory?yes}"
				      "-${user?{yes}}-"
				      "${{$user} == {joe} ? {same}}-$$1",
	    only_user, (void *)(uintptr_t) "joe", &out, &errors));
	assert_string_equal(buf_text(&out), "joe---yes-same-$1");
	assert_int_equal(errors.n, 0);
	assert_false(conf_expand_names("${user", only_user,
	    (void *)(uintptr_t) "joe", &out, &errors));
	assert_string_equal(buf_text(&errors),
	    "truncated macro reference: \"${user\"\n");
	buf_fini(&errors);
	buf_fini(&out);
}

/* What ships must be valid by itself. */
static void
test_defaults(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct conf *c = parsed("", &errors, NULL);

	(void)state;
	if (!conf_check(c, &errors, NULL))
		fail_msg("%s", buf_text(&errors));
	assert_non_null(strstr(conf_value(c, "mynetworks"), "127.0.0."));
	conf_free(&c);
	buf_fini(&errors);
}

static void
test_family(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct conf *c = parsed("slow_destination_concurrency_limit = 3\n"
				"slow_time_limit = 2h\n",
	    &errors, NULL);

	(void)state;
	assert_int_equal(conf_family_number(c, "slow",
			     "destination_concurrency_limit", PARAM_COUNT, 20),
	    3);
	assert_int_equal(conf_family_number(c, "fast",
			     "destination_concurrency_limit", PARAM_COUNT, 20),
	    20);
	assert_int_equal(conf_family_number(c, "slow", "time_limit", PARAM_TIME,
			     1),
	    7200);
	conf_free(&c);
	buf_fini(&errors);
}

static void
test_lists(void **state)
{
	static const char *const want[] = { "a", "b", "c, d", "e:{f g}h", "",
		"i" };
	struct span rest = span_of(" a,b\n{ c, d } ,e:{f g}h {} i "), item;
	size_t n = 0;

	(void)state;
	while (conf_list_next(&rest, &item)) {
		assert_true(n < 6);
		assert_true(span_is(item, want[n]));
		n++;
	}
	assert_int_equal(n, 6);
}

static void
test_times(void **state)
{
	int64_t t = -1;

	(void)state;
	assert_true(conf_parse_time("5d", 's', &t) && t == 432000);
	assert_true(conf_parse_time("2", 'h', &t) && t == 7200);
	assert_true(conf_parse_time("1w", 's', &t) && t == 604800);
	assert_false(conf_parse_time("", 's', &t));
	assert_false(conf_parse_time("s", 's', &t));
	assert_false(conf_parse_time("1y", 's', &t));
	assert_false(conf_parse_time("99999999999999999999", 's', &t));
	assert_false(conf_parse_time("9223372036854775807w", 's', &t));
}

/* As what has a field is read: in any case of letters. */
static void
test_yes(void **state)
{
	static const struct {
		const char *text;
		bool is;
	} values[] = { { "yes", true }, { "YES", true }, { "Yes", true },
		{ "no", false }, { "NO", false }, { "", false },
		{ "yess", false }, { "ye", false } };

	(void)state;
	assert_false(conf_yes(NULL));
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct buf errors = BUF_INIT(1000), text = BUF_INIT(1000);
		struct conf *c;

		buf_printf(&text, "smtputf8_enable = %s\n", values[i].text);
		c = parsed(buf_text(&text), &errors, NULL);
		assert_int_equal(conf_yes(values[i].text), values[i].is);
		assert_int_equal(conf_is_yes(c, "smtputf8_enable"),
		    values[i].is);
		conf_free(&c);
		buf_fini(&errors);
		buf_fini(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expansion),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_line_limit),
		cmocka_unit_test(test_expansion_limit),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_unknown_names),
		cmocka_unit_test(test_names_that_settings_use),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_one_row_each),
		cmocka_unit_test(test_resolver),
		cmocka_unit_test(test_names_alone),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_a_program_is_told_what_it_needs),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_yes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
