/* SPDX-License-Identifier: ISC */
#include "lib/store/mail_folder_tree.h"

#include <stdio.h>

#include "lib/store/mail_account_special.h"
#include "lib/store/mail_metadata.h"
#include "lib/store/mail_quota.h"
#include "tests/unit/lib/store/folder.h"

static struct mail_tree tree;
static struct why why;

static void
open_tree(const char *location, char separator)
{
	struct mail_location at;

	assert_true(mail_location_parse(location, &at, &why));
	assert_int_equal(mail_tree_open(AT_FDCWD, &at, separator, true, &tree,
			     &why),
	    MAIL_OK);
}

/* "name[flags]" of all, in order: x exists, s selectable, c has children, +
 * subscribed. */
static const char *
listing(void)
{
	static char text[4096];
	struct buf out = BUF_INIT(sizeof(text) - 1);
	struct mail_folder_list l = { 0 };

	assert_int_equal(mail_tree_list(&tree, &l, &why), MAIL_OK);
	for (size_t i = 0; i < l.count; i++)
		buf_printf(&out, "%s%s[%s%s%s%s]", i > 0 ? " " : "",
		    l.all[i].name, l.all[i].exists ? "x" : "",
		    l.all[i].selectable ? "s" : "",
		    l.all[i].has_children ? "c" : "",
		    l.all[i].subscribed ? "+" : "");
	mail_folder_list_fini(&l);
	memcpy(text, buf_text(&out), out.n + 1);
	buf_fini(&out);
	return text;
}

/* Two links in each of so many directories lead to the next one: 2^22 ways. */
static void
test_links_to_links(void **state)
{
	enum { LEVELS = 22, MOST = 10000 + LEVELS };
	struct mail_folder_list l = { 0 };
	char name[64], to[64];
	size_t real = 0, existing = 0;

	(void)state;
	assert_int_equal(mkdir("m", 0700), 0);
	for (int n = 0; n < LEVELS; n++) {
		snprintf(name, sizeof(name), "m/d%d", n);
		assert_int_equal(mkdir(name, 0700), 0);
		snprintf(to, sizeof(to), "../d%d", n + 1);
		snprintf(name, sizeof(name), "m/d%d/a", n);
		assert_int_equal(symlink(to, name), 0);
		snprintf(name, sizeof(name), "m/d%d/b", n);
		assert_int_equal(symlink(to, name), 0);
	}
	open_tree("maildir:m:LAYOUT=fs", '/');
	assert_int_equal(mail_tree_list(&tree, &l, &why), MAIL_OK);
	for (size_t i = 0; i < l.count; i++) {
		existing += l.all[i].exists;
		real += l.all[i].exists && strchr(l.all[i].name, '/') == NULL;
	}
	/* with INBOX */
	assert_int_equal(real, LEVELS + 1);
	assert_in_range(existing, MOST / 2, MOST + 1);
	mail_folder_list_fini(&l);
	mail_tree_close(&tree);
}

static enum mail_result
create(const char *name)
{
	return mail_tree_create(&tree, span_of(name), &why);
}

static enum mail_result
removes(const char *name)
{
	return mail_tree_remove(&tree, span_of(name), &why);
}

static enum mail_result
renames(const char *from, const char *to)
{
	return mail_tree_rename(&tree, span_of(from), span_of(to), &why);
}

static bool
there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void
test_plus(void **state)
{
	(void)state;
	open_tree("maildir:m", '/');
	assert_string_equal(listing(), "INBOX[xs]");
	assert_int_equal(create("Sent/2024/May"), MAIL_OK);
	assert_true(there("m/.Sent.2024.May/cur"));
	assert_true(there("m/.Sent.2024.May/maildirfolder"));
	assert_string_equal(listing(),
	    "INBOX[xs] Sent[xsc] Sent/2024[xsc] Sent/2024/May[xs]");
	assert_int_equal(create("Sent/2024/"), MAIL_EXISTS);
	assert_int_equal(create("inbox"), MAIL_EXISTS);
	assert_int_equal(create("a/../b"), MAIL_BAD_NAME);
	assert_int_equal(removes("INBOX"), MAIL_NOT_ALLOWED);
	/* a parent that goes is no folder any more, and cannot go again */
	assert_int_equal(removes("Sent/2024"), MAIL_OK);
	assert_string_equal(listing(),
	    "INBOX[xs] Sent[xsc] Sent/2024[c] Sent/2024/May[xs]");
	assert_int_equal(removes("Sent/2024"), MAIL_HAS_CHILDREN);
	assert_int_equal(create("Sent/2024"), MAIL_OK);
	assert_int_equal(removes("Sent/2024/May"), MAIL_OK);
	assert_int_equal(removes("Sent/2024/May"), MAIL_NONEXISTENT);
	assert_true(mail_tree_sweep(&tree));
	assert_string_equal(only_entry("m/tmp"), "");
	mail_tree_close(&tree);
}

static void
test_fs(void **state)
{
	(void)state;
	open_tree("maildir:m:LAYOUT=fs", '/');
	assert_int_equal(create("Sent/2024/v1.2"), MAIL_OK);
	assert_true(there("m/Sent/2024/v1.2/cur"));
	assert_true(there("m/Sent/cur"));
	assert_int_equal(create("INBOX/kid"), MAIL_OK);
	assert_string_equal(listing(),
	    "INBOX[xsc] INBOX/kid[xs] Sent[xsc] Sent/2024[xsc]"
	    " Sent/2024/v1.2[xs]");
	file_put("m/Sent/2024/cur/1.x:2,", "text");
	file_put("m/Sent/2024/new/2.x", "text");
	assert_int_equal(removes("Sent/2024"), MAIL_OK);
	assert_string_equal(listing(),
	    "INBOX[xsc] INBOX/kid[xs] Sent[xsc] Sent/2024[xc]"
	    " Sent/2024/v1.2[xs]");
	assert_false(there("m/Sent/2024/new"));
	assert_int_equal(removes("Sent/2024"), MAIL_HAS_CHILDREN);
	assert_int_equal(create("Sent/2024"), MAIL_OK);
	assert_string_equal(only_entry("m/Sent/2024/cur"), "");
	assert_int_equal(renames("Sent", "Old/Sent"), MAIL_OK);
	assert_string_equal(listing(),
	    "INBOX[xsc] INBOX/kid[xs] Old[xsc] Old/Sent[xsc]"
	    " Old/Sent/2024[xsc] Old/Sent/2024/v1.2[xs]");
	assert_int_equal(create("cur/tmp"), MAIL_OK);
	assert_int_equal(removes("cur/tmp"), MAIL_OK);
	assert_int_equal(removes("cur"), MAIL_OK);
	mail_tree_close(&tree);
}

static void
test_rename(void **state)
{
	(void)state;
	open_tree("maildir:m", '.');
	assert_int_equal(create("a.b.c"), MAIL_OK);
	assert_int_equal(create("ab"), MAIL_OK);
	assert_int_equal(mail_subscriptions_set(&tree, SPAN("a.b"), true, &why),
	    MAIL_OK);
	file_put("m/.a.b/cur/1.x:2,S", "text");
	assert_int_equal(renames("a", "a.x"), MAIL_NOT_ALLOWED);
	assert_int_equal(renames("a", "ab"), MAIL_EXISTS);
	assert_int_equal(renames("none", "x"), MAIL_NONEXISTENT);
	assert_int_equal(renames("INBOX", "x"), MAIL_NOT_ALLOWED);
	assert_int_equal(renames("a", "inbox"), MAIL_EXISTS);
	assert_int_equal(renames("a", "n.a"), MAIL_OK);
	/* what was subscribed to stays so, by its name (RFC 9051 6.3.6) */
	assert_string_equal(listing(),
	    "INBOX[xs] a.b[+] ab[xs] n[xsc] n.a[xsc] n.a.b[xsc] n.a.b.c[xs]");
	assert_true(there("m/.n.a.b/cur/1.x:2,S"));
	assert_false(there("m/posthaste-renames"));
	/* a child in the way */
	assert_int_equal(create("q.b"), MAIL_OK);
	assert_int_equal(removes("q"), MAIL_OK);
	assert_int_equal(renames("n.a", "q"), MAIL_EXISTS);
	/* a parent that is no folder */
	assert_int_equal(removes("n.a"), MAIL_OK);
	assert_int_equal(renames("n.a", "z"), MAIL_OK);
	assert_string_equal(listing(),
	    "INBOX[xs] a.b[+] ab[xs] n[xs] q[c]"
	    " q.b[xs] z[c] z.b[xsc] z.b.c[xs]");
	mail_tree_close(&tree);
}

/* One that was killed in the middle; the rest is done at the next opening. */
static void
test_rename_begun(void **state)
{
	(void)state;
	open_tree("maildir:m", '/');
	assert_int_equal(create("a/b/c"), MAIL_OK);
	mail_tree_close(&tree);
	file_put("m/posthaste-renames",
	    "posthaste-renames 1\nname\ta\tz\nmail\t.a\t.z\nmail\t.a.b\t.z.b\n"
	    "mail\t.a.b.c\t.z.b.c\nmail\t../x\t.z.y\nend\n");
	assert_int_equal(rename("m/.a", "m/.z"), 0);
	open_tree("maildir:m", '/');
	assert_string_equal(listing(), "INBOX[xs] z[xsc] z/b[xsc] z/b/c[xs]");
	assert_false(there("m/posthaste-renames"));
	mail_tree_close(&tree);
}

static void
test_subscriptions(void **state)
{
	(void)state;
	open_tree("maildir:m", '/');
	assert_int_equal(create("a/b"), MAIL_OK);
	file_put("m/subscriptions",
	    "V\t2\n\na\tb\n&AOQ-\nbad\001line\nINBOX\n");
	assert_string_equal(listing(),
	    "INBOX[xs+] a[xsc] a/b[xs+] \303\244[+]");
	assert_int_equal(mail_subscriptions_set(&tree, SPAN("v1.2/x"), true,
			     &why),
	    MAIL_OK);
	assert_int_equal(mail_subscriptions_set(&tree, SPAN("a/b"), false,
			     &why),
	    MAIL_OK);
	assert_string_equal(file_get("m/subscriptions"),
	    "V\t2\n\n&AOQ-\nbad\001line\nINBOX\nv1\\2e2\tx\n");
	/* version 1 stays so */
	file_put("m/subscriptions", "a.b\n");
	assert_string_equal(listing(), "INBOX[xs] a[xsc] a/b[xs+]");
	assert_int_equal(mail_subscriptions_set(&tree, SPAN("a"), true, &why),
	    MAIL_OK);
	assert_string_equal(file_get("m/subscriptions"), "a.b\na\n");
	mail_tree_close(&tree);
	open_tree("maildir:n:LAYOUT=fs:SUBSCRIPTIONS=subs", '.');
	assert_int_equal(mail_subscriptions_set(&tree, SPAN("x.y"), true, &why),
	    MAIL_OK);
	assert_string_equal(file_get("n/subs"), "V\t2\n\nx\ty\n");
	mail_tree_close(&tree);
}

static void
test_locations(void **state)
{
	static const char *const bad[] = { "maildir:", "maildir", "mbx:/x",
		"maildir:/x:LAYOUT=index", "maildir:/x:DIRNAME=d",
		"maildir:/x:INDEX=MEMORY", "maildir:/x:SUBSCRIPTIONS=../s",
		"maildir:/x:BROKENCHAR=#", "" };
	struct mail_location at;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		print_message("%s\n", bad[i]);
		assert_false(mail_location_parse(bad[i], &at, &why));
		assert_int_not_equal(why.text[0], '\0');
	}
	assert_non_null(
	    strstr((mail_location_parse("maildir:/x:NEW=1", &at, &why),
		       why.text),
		"NEW"));
	assert_true(mail_location_parse("maildir:/x/:LAYOUT=fs:INBOX=/i:"
					"INDEX=/n:CONTROL=/c:VOLATILEDIR=/v",
	    &at, &why));
	assert_string_equal(at.path, "/x");
	assert_string_equal(at.inbox, "/i");
	assert_string_equal(at.control, "/c");
	assert_true(at.naming.fs);
	mail_location_fini(&at);
}

/* What a session with the mailbox as its root directory makes of it. */
static void
test_confined(void **state)
{
	static const struct {
		const char *location, *directory, *inside, *inbox;
	} rows[] = {
		{ "maildir:/m", "/m", "maildir:.", "maildir:." },
		{ "maildir:/m/:LAYOUT=fs:UTF-8:SUBSCRIPTIONS=s", "/m",
		    "maildir:.:LAYOUT=fs:UTF-8:SUBSCRIPTIONS=s",
		    "maildir:.:LAYOUT=fs:UTF-8:SUBSCRIPTIONS=s" },
		{ "maildir:/m:INDEX=/var/i", "/m", "maildir:.", "maildir:." },
		{ "maildir:/m:INDEX=/m/i:CONTROL=/m/c", "/m",
		    "maildir:.:INDEX=i:CONTROL=c",
		    "maildir:.:INDEX=i:CONTROL=c" },
		{ "maildir:/m:INBOX=/m/in", "/m", "maildir:.:INBOX=in",
		    "maildir:.:INBOX=in" },
		{ "maildir:/m:INBOX=/m", "/m", "maildir:.:INBOX=.",
		    "maildir:.:INBOX=." },
		{ "maildir:/m:INBOX=/n", "/n", NULL, "maildir:." },
		{ "maildir:/m:CONTROL=/c", NULL, NULL, NULL },
		{ "maildir:/m:CONTROL=/mc", NULL, NULL, NULL },
		{ "maildir:/m:CONTROL=/m/../c", NULL, NULL, NULL },
		{ "mbox:/m", NULL, "mbox:.", "mbox:." },
		{ "mbox:/m:INBOX=/spool/bob:SUBSCRIPTIONS=s", "/m",
		    "mbox:.:SUBSCRIPTIONS=s", "mbox:.:SUBSCRIPTIONS=s" },
	};
	char *directory, *inside;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("%s\n", rows[i].location);
		assert_int_equal(mail_location_confine(rows[i].location,
				     &directory, &inside, &why),
		    rows[i].inside != NULL);
		if (rows[i].inside != NULL) {
			if (rows[i].directory == NULL)
				assert_null(directory);
			else
				assert_string_equal(directory,
				    rows[i].directory);
			assert_string_equal(inside, rows[i].inside);
			free(directory);
			free(inside);
		}
		assert_int_equal(mail_location_confine_inbox(rows[i].location,
				     &directory, &inside, &why),
		    rows[i].inbox != NULL);
		if (rows[i].inbox == NULL)
			continue;
		assert_string_equal(inside, rows[i].inbox);
		free(directory);
		free(inside);
	}
}

/* A directory of its own for UID lists follows the folders. */
static void
test_control(void **state)
{
	struct mail_directories d;
	struct mail_place p;

	(void)state;
	open_tree("maildir:m:CONTROL=c:INBOX=i", '/');
	assert_int_equal(create("a/b"), MAIL_OK);
	assert_int_equal(mail_place_find(&tree, SPAN("a/b"), &p), MAIL_OK);
	assert_int_equal(mail_place_open(&tree, &p, &d, &why), MAIL_OK);
	assert_true(d.control >= 0);
	mail_directories_close(&d);
	mail_place_fini(&p);
	file_put("c/.a.b/dovecot-uidlist", "3 V1 N1\n");
	assert_int_equal(renames("a", "x"), MAIL_OK);
	assert_true(there("c/.x.b/dovecot-uidlist"));
	assert_int_equal(removes("x/b"), MAIL_OK);
	assert_false(there("c/.x.b"));
	assert_int_equal(mail_place_find(&tree, SPAN("INBOX"), &p), MAIL_OK);
	assert_int_equal(mail_place_open(&tree, &p, &d, &why), MAIL_OK);
	assert_true(there("i/cur"));
	mail_directories_close(&d);
	mail_place_fini(&p);
	mail_tree_close(&tree);
}

static void
test_metadata(void **state)
{
	struct span value = { "a\0\n\t%\303\244", 7 };
	struct span got;

	(void)state;
	open_tree("maildir:m", '/');
	assert_int_equal(create("a/b"), MAIL_OK);
	assert_int_equal(mail_metadata_read(tree.metadata, tree.control, &why),
	    MAIL_OK);
	assert_int_equal(mail_metadata_put(tree.metadata, "a/b",
			     "/private/comment", value, &why),
	    MAIL_OK);
	assert_int_equal(mail_metadata_write(tree.metadata, tree.control, &why),
	    MAIL_OK);
	assert_string_equal(file_get("m/posthaste-metadata"),
	    "posthaste-metadata 1\n"
	    "a/b\t/private/comment\ta%00%0A%09%25%C3%A4\n");
	assert_int_equal(renames("a", "c"), MAIL_OK);
	mail_tree_close(&tree);
	open_tree("maildir:m", '/');
	assert_int_equal(mail_metadata_read(tree.metadata, tree.control, &why),
	    MAIL_OK);
	got = mail_metadata_get(tree.metadata, "c/b", "/private/comment");
	assert_int_equal(got.n, 7);
	assert_memory_equal(got.p, value.p, 7);
	assert_int_equal(removes("c/b"), MAIL_OK);
	assert_null(
	    mail_metadata_get(tree.metadata, "c/b", "/private/comment").p);
	/* what we do not know is not thrown away */
	file_put("m/posthaste-metadata", "posthaste-metadata 2\nx\n");
	assert_int_equal(mail_metadata_read(tree.metadata, tree.control, &why),
	    MAIL_OK);
	assert_int_equal(mail_metadata_write(tree.metadata, tree.control, &why),
	    MAIL_OK);
	assert_string_equal(file_get("m/posthaste-metadata.damaged"),
	    "posthaste-metadata 2\nx\n");
	mail_tree_close(&tree);
}

static const struct special_folder wanted[] = {
	{ "Drafts", SPECIAL_DRAFTS },
	{ "Sent", SPECIAL_SENT },
	{ "Junk", SPECIAL_JUNK },
	{ "Trash", SPECIAL_TRASH },
	{ NULL, 0 },
};

static unsigned int
use_of(const char *name)
{
	return mail_metadata_special(tree.metadata, name);
}

static void
test_special(void **state)
{
	(void)state;
	open_tree("maildir:new", '/');
	assert_int_equal(mail_account_adopt(&tree, wanted, &why), MAIL_OK);
	assert_string_equal(listing(),
	    "INBOX[xs+] Drafts[xs+] Junk[xs+] Sent[xs+] Trash[xs+]");
	assert_int_equal(use_of("Sent"), SPECIAL_SENT);
	/* once in an account's life */
	assert_int_equal(removes("Junk"), MAIL_OK);
	assert_int_equal(mail_account_adopt(&tree, wanted, &why), MAIL_OK);
	assert_int_equal(removes("Junk"), MAIL_NONEXISTENT);
	mail_tree_close(&tree);

	open_tree("maildir:old", '.');
	assert_int_equal(create("INBOX.Sent"), MAIL_OK);
	assert_int_equal(create("Gel\303\266schte Objekte"), MAIL_OK);
	assert_int_equal(create("junk e-mail"), MAIL_OK);
	assert_int_equal(create("ENTW\303\234RFE"), MAIL_OK);
	assert_int_equal(mail_account_adopt(&tree, wanted, &why), MAIL_OK);
	assert_int_equal(use_of("INBOX.Sent"), SPECIAL_SENT);
	assert_int_equal(use_of("Gel\303\266schte Objekte"), SPECIAL_TRASH);
	assert_int_equal(use_of("junk e-mail"), SPECIAL_JUNK);
	assert_int_equal(use_of("ENTW\303\234RFE"), SPECIAL_DRAFTS);
	assert_false(there("old/.Sent") || there("old/.Trash"));
	mail_tree_close(&tree);
}

static void
test_quota(void **state)
{
	static const struct mail_quota limits = { .bytes_limit = 100,
		.messages_limit = 3 };
	struct mail_quota_question more = { .limits = limits,
		.bytes = 100,
		.messages = 1 };
	struct mail_quota q;

	(void)state;
	assert_int_equal(mail_quota_check("maildir:m", &more, &why), MAIL_OK);
	more.bytes++;
	assert_int_equal(mail_quota_check("maildir:m", &more, &why),
	    MAIL_OVER_QUOTA);
	assert_false(there("m"));
	open_tree("maildir:m", '/');
	assert_int_equal(create("a"), MAIL_OK);
	file_put("m/.a/cur/1.x,S=50:2,", "x");
	file_put("m/.a/new/2.x", "0123456789");
	assert_int_equal(mail_quota_use(&tree, &limits, &q, &why), MAIL_OK);
	assert_int_equal(q.bytes, 60);
	assert_int_equal(q.messages, 2);
	assert_string_equal(file_get("m/maildirsize"), "100S,3C\n60 2\n");
	maildir_size_add(tree.root, 30, 1);
	maildir_size_add(tree.root, -10, -1);
	assert_string_equal(file_get("m/maildirsize"),
	    "100S,3C\n60 2\n30 1\n-10 -1\n");
	assert_int_equal(mail_quota_use(&tree, &limits, &q, &why), MAIL_OK);
	assert_int_equal(q.bytes, 80);
	assert_int_equal(q.messages, 2);
	assert_int_equal(mail_quota_ask(&tree, &limits, 20, 1, &why), MAIL_OK);
	/* full by what was noted: counted anew, and there is room */
	assert_int_equal(mail_quota_ask(&tree, &limits, 40, 1, &why), MAIL_OK);
	assert_string_equal(file_get("m/maildirsize"), "100S,3C\n60 2\n");
	/* full by a fresh count */
	assert_int_equal(mail_quota_ask(&tree, &limits, 41, 1, &why),
	    MAIL_OVER_QUOTA);
	assert_int_equal(mail_quota_ask(&tree, &limits, 1, 2, &why),
	    MAIL_OVER_QUOTA);
	/* other limits, or not a number */
	file_put("m/maildirsize", "100S\n1 1\n");
	assert_int_equal(mail_quota_use(&tree, &limits, &q, &why), MAIL_OK);
	assert_int_equal(q.bytes, 60);
	file_put("m/maildirsize", "3C,100S\n1 1\nx y\n");
	assert_int_equal(mail_quota_use(&tree, &limits, &q, &why), MAIL_OK);
	assert_int_equal(q.bytes, 60);
	file_put("m/maildirsize", "3C,100S\n1 1\n");
	assert_int_equal(mail_quota_use(&tree, &limits, &q, &why), MAIL_OK);
	assert_int_equal(q.bytes, 1);
	mail_tree_close(&tree);
}

static void
test_uidvalidity(void **state)
{
	uint32_t first, second;

	(void)state;
	open_tree("maildir:m", '/');
	first = mail_tree_new_uidvalidity(&tree);
	second = mail_tree_new_uidvalidity(&tree);
	assert_true(second > first);
	file_put("m/dovecot-uidvalidity", "fffffff0");
	assert_true(mail_tree_new_uidvalidity(&tree) == 0xfffffff1);
	mail_tree_close(&tree);
}

#define IN_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, folder_enter, folder_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_links_to_links),
		IN_FOLDER(test_plus),
		IN_FOLDER(test_fs),
		IN_FOLDER(test_rename),
		IN_FOLDER(test_rename_begun),
		IN_FOLDER(test_subscriptions),
		IN_FOLDER(test_locations),
		IN_FOLDER(test_control),
		IN_FOLDER(test_confined),
		IN_FOLDER(test_metadata),
		IN_FOLDER(test_special),
		IN_FOLDER(test_quota),
		IN_FOLDER(test_uidvalidity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
