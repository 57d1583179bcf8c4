/* SPDX-License-Identifier: ISC */
#include "lib/store/folder_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct folder_naming plus = { .separator = '/' };
static const struct folder_naming plus_dot = { .separator = '.' };
static const struct folder_naming fs = { .separator = '/', .fs = true };
static const struct folder_naming fs_dot = { .separator = '.', .fs = true };
static const struct folder_naming plus_utf8 = { .separator = '/',
	.utf8 = true };

/* Names and their directories, both ways. */
static void
test_directories(void **state)
{
	static const struct {
		const struct folder_naming *n;
		const char *name, *path;
	} rows[] = {
		{ &plus, "Sent", ".Sent" },
		{ &plus, "Sent/2024", ".Sent.2024" },
		{ &plus_dot, "Sent.2024", ".Sent.2024" },
		{ &fs, "Sent/2024", "Sent/2024" },
		{ &fs_dot, "Sent.2024", "Sent/2024" },
		{ &plus, "INBOX/kid", ".INBOX.kid" },
		{ &plus, "a\303\244b", ".a&AOQ-b" },
		{ &plus, "R&D", ".R&-D" },
		{ &plus, "\345\217\260\345\214\227/\346\227\245",
		    ".&U,BTFw-.&ZeU-" },
		{ &plus, "\360\237\230\200", ".&2D3eAA-" },
		{ &plus_utf8, "\303\244/R&D", ".\303\244.R&D" },
		/* what would mean something */
		{ &plus, "v1.2", ".v1\\2e2" },
		{ &fs, "v1.2", "v1.2" },
		{ &fs, ".profile", "\\2eprofile" },
		{ &plus_dot, "a/b", ".a\\2fb" },
		{ &fs_dot, "a/b", "a\\2fb" },
		{ &plus, "~t/~u", ".\\7et.~u" },
		{ &plus, "back\\x", ".back\\x" },
		{ &plus, "v1\\2e2", ".v1\\5c2e2" },
		{ &fs, "cur/new", "\\63ur/\\6eew" },
		{ &plus, "cur", ".cur" },
		{ &fs, "x/dovecot-uidlist", "x/\\64ovecot-uidlist" },
		{ &fs, "subscriptions", "\\73ubscriptions" },
		/* as listescape and others leave them */
		{ &plus, "tail\\", ".tail\\5c" },
		{ &plus, "v1&AC4-2", ".v1&AC4-2" },
		{ &plus, "&AGE-x", ".&AGE-x" },
		{ &plus, "\303\251", ".\303\251" },
		{ &fs, ".dot", ".dot" },
		{ &fs, "a/..x", "a/..x" },
	};
	struct buf out = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool found = false;

		print_message("%s\n", rows[i].path);
		assert_true(
		    folder_name_of(rows[i].n, span_of(rows[i].path), &out));
		assert_string_equal(buf_text(&out), rows[i].name);
		for (enum folder_form f = 0; f < FOLDER_FORMS; f++)
			if (folder_name_path(rows[i].n, span_of(rows[i].name),
				f, &out) &&
			    strcmp(buf_text(&out), rows[i].path) == 0)
				found = true;
		assert_true(found);
	}
	buf_fini(&out);
}

/* Those above the mark in the rows are what we write ourselves. */
static void
test_our_form(void **state)
{
	struct buf out = BUF_INIT(4096);

	(void)state;
	assert_true(folder_name_path(&plus, SPAN("v1.2"), 0, &out));
	assert_string_equal(buf_text(&out), ".v1\\2e2");
	assert_true(folder_name_path(&plus, SPAN("a&AC4-"), 0, &out));
	assert_string_equal(buf_text(&out), ".a&-AC4-");
	assert_true(folder_name_path(&fs, SPAN(".dot"), 0, &out));
	assert_string_equal(buf_text(&out), "\\2edot");
	buf_fini(&out);
}

static void
test_clean(void **state)
{
	static const struct {
		const struct folder_naming *n;
		const char *from, *to;
	} rows[] = {
		{ &plus, "inbox", "INBOX" },
		{ &plus, "iNbOx/a", "INBOX/a" },
		{ &plus, "a/inbox", "a/inbox" },
		{ &plus, "a/", "a" },
		{ &plus, "a//", NULL },
		{ &plus, "/", NULL },
		{ &plus, "", NULL },
		{ &plus, "a\314\210", "\303\244" }, /* NFD to NFC */
		{ &plus, "a.b", "a.b" },
		{ &plus_dot, "a.b.", "a.b" },
		{ &plus_dot, "a..b", NULL },
	};
	struct buf out = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("%s\n", rows[i].from);
		assert_int_equal(folder_name_clean(rows[i].n,
				     span_of(rows[i].from), &out),
		    rows[i].to != NULL);
		if (rows[i].to != NULL)
			assert_string_equal(buf_text(&out), rows[i].to);
	}
	buf_fini(&out);
}

/* No name leads out of the account, to a file of it, or to nothing. */
static const char *const traversal[] = {
	"..",
	".",
	"../x",
	"a/..",
	"a/../b",
	"a/./b",
	"/etc/passwd",
	"//x",
	"a//b",
	"/",
	"",
	"./a",
	"a\nb",
	"a\rb",
	"a\177",
	"a\tb",
	"\302\205x",
	"a\342\200\250b",
	"\300\256\300\256/x",
	"\300\257etc",
	"a\xff",
	"\355\240\200",
	"\xf4\x90\x80\x80",
	"a\342\202",
	"a/../../b",
	"..//",
};

static void
test_no_way_out(void **state)
{
	static const struct folder_naming *const all[] = { &plus, &fs,
		&plus_utf8 };
	struct buf out = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof(traversal) / sizeof(*traversal); i++)
		for (size_t k = 0; k < 3; k++) {
			print_message("%s\n", traversal[i]);
			assert_false(folder_name_clean(all[k],
			    span_of(traversal[i]), &out));
		}
	assert_false(
	    folder_name_clean(&plus, (struct span){ "a\0b", 3 }, &out));
	buf_fini(&out);
}

/* What every path must be, whoever asks for it. */
static void
check_path(const struct folder_naming *n, struct span path)
{
	struct span rest = path, part;

	assert_true(path.n > 0 && path.p[0] != '/');
	assert_true(path.n <= FOLDER_PATH_MAX);
	assert_int_not_equal(path.p[path.n - 1], '/');
	while (span_cut(&rest, "/", false, &part)) {
		assert_true(part.n > 0 && part.n <= FOLDER_LEVEL_MAX);
		assert_false(span_is(part, ".") || span_is(part, ".."));
		assert_false(n->fs && span_is(part, "cur"));
	}
	if (!n->fs) {
		assert_int_equal(span_find(path, '/'), path.n);
		assert_true(path.n > 1 && path.p[0] == '.' && path.p[1] != '.');
	}
}

/*
 * Random texts of the characters that mean something: never a path out, and
 * our own form leads back to the name.
 */
static void
test_random(void **state)
{
	static const char *const bits[] = { "a", ".", "/", "\\", "2e", "2f",
		"5c", "&", "-", "~", "..", "cur", "AC4", "\303\244", "INBOX",
		"\360\237\230\200", ",", " ", "%", "*", "\"", "dovecot.",
		"\\7e", "inbox" };
	static const struct folder_naming *const all[] = { &plus, &plus_dot,
		&fs, &fs_dot, &plus_utf8 };
	struct buf name = BUF_INIT(4096), path = BUF_INIT(8192);
	struct buf clean = BUF_INIT(4096), back = BUF_INIT(8192);
	size_t seen = 0;

	(void)state;
	srandom(7);
	for (int i = 0; i < 200000; i++) {
		const struct folder_naming *n = all[i % 5];

		buf_reset(&name);
		for (long k = random() % 7; k >= 0; k--)
			buf_add_text(&name,
			    bits[(size_t)random() %
				(sizeof(bits) / sizeof(*bits))]);
		if (!folder_name_clean(n, buf_span(&name), &clean))
			continue;
		for (enum folder_form f = 0; f < FOLDER_FORMS; f++)
			if (folder_name_path(n, buf_span(&clean), f, &path)) {
				check_path(n, buf_span(&path));
				seen++;
			}
		if (strcmp(buf_text(&clean), "INBOX") == 0)
			continue;
		assert_true(folder_name_path(n, buf_span(&clean), 0, &path));
		assert_true(folder_name_of(n, buf_span(&path), &back));
		assert_string_equal(buf_text(&back), buf_text(&clean));
	}
	assert_true(seen > 10000);
	buf_fini(&name);
	buf_fini(&path);
	buf_fini(&clean);
	buf_fini(&back);
}

/* Directories that are no folders. */
static void
test_no_folders(void **state)
{
	static const struct {
		const struct folder_naming *n;
		const char *path;
	} rows[] = {
		{ &plus, "." },
		{ &plus, ".." },
		{ &plus, "..x" },
		{ &plus, "x" },
		{ &plus, ".a..b" },
		{ &plus, ".a." },
		{ &plus, ".INBOX" },
		{ &plus, ".inbox" },
		{ &plus, ".inbox.kid" },
		{ &plus, ".a\nb" },
		{ &plus, ".\xff" },
		{ &plus, ".&" },
		{ &fs, "cur" },
		{ &fs, "INBOX" },
		{ &fs, "a/cur" },
		{ &fs_dot, "a.b" },
	};
	struct buf out = BUF_INIT(4096);
	bool odd;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("%s\n", rows[i].path);
		odd = folder_name_of(rows[i].n, span_of(rows[i].path), &out);
		/* a lone '&' is shown as it is */
		assert_int_equal(odd, strcmp(rows[i].path, ".&") == 0);
	}
	buf_fini(&out);
}

static void
test_utf7(void **state)
{
	static const char *const bad[] = { "&AGE-", "&", "a&b", "&AC4-",
		"&2D0-", "&3gA-", "&2D0AYQ-", "\303\244", "&AOR-", "&A-",
		"&AOQA5A-&AOQ-", "&====-" };
	struct buf out = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		print_message("%s\n", bad[i]);
		assert_false(folder_name_from_utf7(span_of(bad[i]), &out));
		assert_int_equal(out.n, 0);
	}
	buf_fini(&out);
}

static void
test_family(void **state)
{
	(void)state;
	assert_true(folder_name_below(&plus, SPAN("a/b"), SPAN("a")));
	assert_false(folder_name_below(&plus, SPAN("ab"), SPAN("a")));
	assert_false(folder_name_below(&plus, SPAN("a"), SPAN("a")));
	assert_int_equal(folder_name_parent(&plus, SPAN("a/b/c")).n, 3);
	assert_int_equal(folder_name_parent(&plus, SPAN("a")).n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_our_form),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_no_way_out),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_no_folders),
		cmocka_unit_test(test_utf7),
		cmocka_unit_test(test_family),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
