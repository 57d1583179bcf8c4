/* SPDX-License-Identifier: ISC */
/*
 * Every setting that Postfix has or had is known here, with one verdict, and
 * those that are honoured have Postfix's default and bounds, or compat.def
 * says why not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/fdio.h"
#include "lib/conf/conf_parts.h"
#include "lib/conf/logical_lines.h"

enum { COLUMNS = 5 };

/* A line of tests/data/postfix_settings. */
struct row {
	struct span name, type, least, most, fallback;
};

static struct buf text;
static struct row *rows;
static size_t row_count;

static void
read_row(struct span line)
{
	struct span column[COLUMNS] = { { 0 } };

	for (size_t i = 0; i < COLUMNS; i++) {
		size_t n = i == COLUMNS - 1 ? line.n : span_find(line, '\t');

		column[i] = span_take(line, n);
		line = span_skip(line, n + 1);
	}
	rows = mem_resize(rows, (row_count + 1) * sizeof(*rows));
	rows[row_count++] = (struct row){ column[0], column[1], column[2],
		column[3], column[4] };
}

static int
read_rows(void **state)
{
	const char *top = getenv("srcdir");
	char *path = mem_printf("%s/tests/data/postfix_settings",
	    top != NULL ? top : ".");
	struct buf error = BUF_INIT(1024);
	struct span rest, line;

	(void)state;
	buf_init(&text, 1 << 20);
	if (!logical_file_read(path, &text, &error))
		fail_msg("%s", buf_text(&error));
	free(path);
	buf_fini(&error);
	rest = buf_span(&text);
	while (span_cut(&rest, "\n", true, &line))
		if (line.n > 0 && line.p[0] != '#')
			read_row(line);
	assert_true(row_count > 950);
	return 0;
}

static int
forget_rows(void **state)
{
	(void)state;
	buf_fini(&text);
	free(rows);
	return 0;
}

static bool
is_type(const struct row *r, const char *type)
{
	return span_is(r->type, type);
}

static struct conf *
with(const char *main_cf)
{
	struct buf errors = BUF_INIT(65536);
	struct conf *c = conf_new("/nowhere");

	conf_parse(c, span_of(main_cf), "main.cf", &errors, NULL);
	assert_string_equal(buf_text(&errors), "");
	buf_fini(&errors);
	return c;
}

static size_t
compat_times(struct span name)
{
	size_t count, times = 0;
	const struct compat *all = compat_rows(&count);

	for (size_t i = 0; i < count; i++)
		times += span_is(name, all[i].name);
	return times;
}

static void
test_each_has_one_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		struct span name = rows[i].name;
		size_t times = compat_times(name) + (param_find(name) != NULL);

		if (is_type(&rows[i], "read-only"))
			continue;
		if (is_type(&rows[i], "family")) {
			char *one = mem_printf("slow_%.*s", SPAN_ARG(name));

			assert_non_null(conf_family_find(span_of(one)));
			free(one);
		} else if (times != 1) {
			fail_msg("%.*s: %zu verdicts", SPAN_ARG(name), times);
		}
	}
}

static const struct row *
find_row(const char *name)
{
	for (size_t i = 0; i < row_count; i++)
		if (span_is(rows[i].name, name) && !is_type(&rows[i], "family"))
			return &rows[i];
	return NULL;
}

/* What compat.def says is said of names that there are, in whole words. */
static void
test_rows_of_compat(void **state)
{
	size_t count;
	const struct compat *all = compat_rows(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct row *r = find_row(all[i].name);

		if (r == NULL && strncmp(all[i].name, "virtual_", 8) != 0)
			fail_msg("%s: Postfix has no such setting",
			    all[i].name);
		if (all[i].verdict == COMPAT_HONOURED)
			assert_string_equal(all[i].reason, "");
		else if (strlen(all[i].reason) < 5 ||
		    strstr(all[i].reason, "not honoured") != NULL)
			fail_msg("%s: \"%s\" is no reason", all[i].name,
			    all[i].reason);
		if (r == NULL || is_type(r, "older") || is_type(r, "read-only"))
			continue;
		if (!span_is(r->fallback, all[i].fallback))
			fail_msg("%s: default \"%s\", Postfix's is \"%.*s\"",
			    all[i].name, all[i].fallback,
			    SPAN_ARG(r->fallback));
	}
}

static bool
type_fits(const struct row *r, enum param_type type)
{
	static const struct {
		const char *theirs;
		const enum param_type ours[5];
	} types[] = {
		{ "BOOL", { PARAM_BOOL, PARAM_BOOL } },
		{ "NBOOL", { PARAM_BOOL, PARAM_BOOL } },
		{ "INT", { PARAM_COUNT, PARAM_SIZE } },
		{ "NINT", { PARAM_COUNT, PARAM_SIZE } },
		{ "LONG", { PARAM_COUNT, PARAM_SIZE } },
		{ "TIME", { PARAM_TIME, PARAM_TIME } },
		{ "STR",
		    { PARAM_TEXT, PARAM_WORD, PARAM_TABLES, PARAM_RAW,
			PARAM_COUNT } },
		{ "RAW", { PARAM_RAW, PARAM_RAW } },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		for (size_t k = 0; is_type(r, types[i].theirs) && k < 5; k++)
			if (types[i].ours[k] == type)
				return true;
	return is_type(r, "-");
}

/* "" is 0: no bound. */
static int64_t
bound_of(const struct param *p, const char *bound)
{
	const struct param plain = { .name = p->name,
		.type = p->type == PARAM_TIME ? PARAM_TIME : PARAM_COUNT,
		.fallback = "0s",
		.min = "",
		.max = "" };
	struct buf wrong = BUF_INIT(1024);
	int64_t value = 0;

	if (bound[0] != '\0' && !conf_read_value(&plain, bound, &value, &wrong))
		fail_msg("%s: bound \"%s\" %s", p->name, bound,
		    buf_text(&wrong));
	buf_fini(&wrong);
	return value;
}

static bool
bounds_fit(const struct row *r, const struct param *p)
{
	uint64_t least = 0, most = 0;

	if (p->type == PARAM_WORD || p->type == PARAM_BOOL || is_type(r, "-"))
		return true;
	if (!span_u64(r->least, UINT32_MAX, &least) ||
	    !span_u64(r->most, UINT32_MAX, &most))
		return false;
	if (is_type(r, "STR") && p->type == PARAM_COUNT)
		return false;
	return bound_of(p, p->min) == (int64_t)least &&
	    bound_of(p, p->max) == (int64_t)most;
}

static void
test_honoured_ones_are_alike(void **state)
{
	struct conf *c = with("");

	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		const struct row *r = &rows[i];
		const struct param *p = param_find(r->name);
		bool alike, differs = compat_difference(r->name)[0] != '\0';

		if (p == NULL || is_type(r, "family"))
			continue;
		assert_true(type_fits(r, p->type) || differs);
		alike = bounds_fit(r, p) &&
		    (span_is(r->fallback, p->fallback) ||
			span_is(r->fallback, "*"));
		if (alike == differs)
			fail_msg("%s is%s like Postfix's, and compat.def "
				 "says%s that it differs",
			    p->name, alike ? "" : " not",
			    differs ? "" : " not");
	}
	conf_free(&c);
}

/* With any value: check warns, and start starts. */
static void
test_older_names_stop_nobody(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		struct buf errors = BUF_INIT(65536), warnings = BUF_INIT(65536);
		char *line = mem_printf("%.*s = 1\n", SPAN_ARG(rows[i].name));
		struct conf *c = with(line);

		if (is_type(&rows[i], "older")) {
			assert_true(conf_check(c, &errors, &warnings));
			assert_non_null(
			    strstr(buf_text(&warnings), "main.cf: line 1: "));
		}
		conf_free(&c);
		free(line);
		buf_fini(&errors);
		buf_fini(&warnings);
	}
}

static const struct {
	const char *main_cf;
	const char *name;
	enum verdict_kind kind;
	bool idle;
} cases[] = {
	{ "mydestination = a\n", "mydestination", VERDICT_HONOURED, false },
	{ "account_domain = a\n", "account_domain", VERDICT_HONOURED, false },
	{ "biff = yes\n", "biff", VERDICT_HARMLESS, true },
	{ "biff = no\n", "biff", VERDICT_HARMLESS, false },
	{ "content_filter =\n", "content_filter", VERDICT_PLANNED, true },
	{ "content_filter = scan:\n", "content_filter", VERDICT_REFUSED,
	    false },
	{ "mime_header_checks = $header_checks\n", "mime_header_checks",
	    VERDICT_PLANNED, true },
	{ "content_filter = scan:\nmissing_protection = warn\n",
	    "content_filter", VERDICT_PLANNED, false },
	{ "smtp_tls_per_site = hash:/x\nmissing_protection = warn\n",
	    "smtp_tls_per_site", VERDICT_REFUSED, false },
	{ "postscreen_greet_action = drop\n", "postscreen_greet_action",
	    VERDICT_PLANNED, false },
	{ "process_name = x\n", "process_name", VERDICT_REFUSED, false },
	{ "slow_destination_rate_delay = 1s\n", "slow_destination_rate_delay",
	    VERDICT_HONOURED, false },
	{ "slow_delivery_slot_cost = 9\n", "slow_delivery_slot_cost",
	    VERDICT_HARMLESS, false },
	{ "smtpd_restriction_classes = strict\nstrict = reject\n", "strict",
	    VERDICT_OWN, false },
	{ "strict = reject\nsmtpd_banner = ${strict?x}\n", "strict",
	    VERDICT_OWN, false },
	{ "alias_maps = ldap:people\npeople_server_host = x\n",
	    "people_server_host", VERDICT_OWN, false },
	{ "mydestinatoin = a\n", "mydestinatoin", VERDICT_UNKNOWN, false },
};

static void
test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf *c = with(cases[i].main_cf);
		struct verdict_of_setting v = conf_verdict(c, cases[i].name);

		if (v.kind != cases[i].kind || v.idle != cases[i].idle)
			fail_msg("%s: verdict %d, idle %d: %s",
			    cases[i].main_cf, (int)v.kind, v.idle, v.reason);
		conf_free(&c);
	}
}

static void
test_services(void **state)
{
	struct conf *c = with("slow_destination_rate_delay = 1s\n"
			      "slow_time_limit = 1s\nfast_time_limit = 2s\n"
			      "smtpd_recipient_limit = 5\n"
			      "postscreen_greet_action = drop\n"
			      "nobody_recipient_limit = 5\n");

	(void)state;
	conf_service(c, "slow", "smtp");
	conf_service(c, "fast", "pipe");
	conf_service(c, "smtp", "postscreen");
	assert_int_equal(conf_verdict(c, "slow_destination_rate_delay").kind,
	    VERDICT_HONOURED);
	assert_int_equal(conf_verdict(c, "slow_time_limit").kind,
	    VERDICT_HARMLESS);
	assert_int_equal(conf_verdict(c, "fast_time_limit").kind,
	    VERDICT_HONOURED);
	assert_int_equal(conf_verdict(c, "smtpd_recipient_limit").kind,
	    VERDICT_HONOURED);
	assert_int_equal(conf_verdict(c, "nobody_recipient_limit").kind,
	    VERDICT_HARMLESS);
	assert_int_equal(conf_verdict(c, "postscreen_greet_action").kind,
	    VERDICT_REFUSED);
	conf_free(&c);
}

static const struct {
	const char *main_cf;
	bool fine;
	const char *errors, *warnings;
} told[] = {
	{ "mydestinatoin = a\n", false,
	    "main.cf: line 1: mydestinatoin: no setting has this name; did you "
	    "mean \"mydestination\"? (\"unknown_parameters = warn\" in main.cf "
	    "lets such names pass)\n",
	    "" },
	{ "unknown_parameters = warn\nqwxzk = a\n", true, "",
	    "main.cf: line 2: qwxzk: no setting has this name\n" },
	{ "body_checks = pcre:/x\n", false,
	    "main.cf: line 1: body_checks: content inspection comes later: "
	    "until then mail would pass uninspected (\"missing_protection = "
	    "warn\" in main.cf starts without it)\n",
	    "" },
	{ "body_checks = pcre:/x\nmissing_protection = warn\n", true, "",
	    "main.cf: line 1: body_checks: content inspection comes later: "
	    "until then mail would pass uninspected\n" },
	{ "unknown_parameters = perhaps\n", false,
	    "main.cf: line 1: unknown_parameters: \"perhaps\" is none of: "
	    "refuse warn\n",
	    "" },
	{ "biff = yes\nreadme_directory = no\n", true, "", "" },
};

static void
test_what_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		struct buf errors = BUF_INIT(65536), warnings = BUF_INIT(65536);
		struct conf *c = with(told[i].main_cf);

		assert_int_equal(conf_check(c, &errors, &warnings),
		    told[i].fine);
		assert_string_equal(buf_text(&errors), told[i].errors);
		assert_string_equal(buf_text(&warnings), told[i].warnings);
		conf_free(&c);
		buf_fini(&errors);
		buf_fini(&warnings);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_has_one_verdict),
		cmocka_unit_test(test_rows_of_compat),
		cmocka_unit_test(test_honoured_ones_are_alike),
		cmocka_unit_test(test_older_names_stop_nobody),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_what_is_told),
	};

	return cmocka_run_group_tests(tests, read_rows, forget_rows);
}
