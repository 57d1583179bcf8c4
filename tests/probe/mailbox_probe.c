/* SPDX-License-Identifier: ISC */
/*
 * What the mail store makes of a mailbox, for tests that compare it with what
 * other programs make of it.
 *
 * usage: mailbox_probe location separator [action arguments...]
 *	dump			all of it, a line for each fact (the default)
 *	append folder flags	a message from the standard input
 *	flag folder uid name	sets a flag or keyword
 *	expunge folder uid
 *	copy|move from uids to
 *	create|delete|subscribe|unsubscribe folder
 *	rename from to
 */
#include "lib/store/mailbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/imap/imap_set.h"
#include "lib/log/log.h"
#include "lib/store/store.h"

static struct mail_account *account;
static struct why why;

static void
need(enum mail_result r)
{
	if (r != MAIL_OK)
		fatal("result %d: %s", r, why.text);
}

static struct mailbox *
open_box(const char *name)
{
	struct mailbox *m;

	need(mailbox_open(account, span_of(name), &m, &why));
	return m;
}

static const struct {
	uint32_t flag;
	const char *name;
} flags[] = {
	{ MAIL_ANSWERED, "\\Answered" },
	{ MAIL_DELETED, "\\Deleted" },
	{ MAIL_DRAFT, "\\Draft" },
	{ MAIL_FLAGGED, "\\Flagged" },
	{ MAIL_SEEN, "\\Seen" },
};

enum { FLAGS = sizeof(flags) / sizeof(flags[0]) };

static void
dump_message(struct mailbox *m, const char *folder, uint32_t uid)
{
	const char *const *keywords = mailbox_keywords(m);
	struct mail_message message;

	need(mailbox_message(m, uid, WANT_DATE | WANT_SIZE, &message, &why));
	printf("message\t%s\t%u\t%" PRIu64 "\t%" PRId64 "\t", folder, uid,
	    message.size, message.internal_date);
	for (size_t i = 0; i < FLAGS; i++)
		if (message.flags & flags[i].flag)
			printf(" %s", flags[i].name);
	for (size_t i = 0; keywords[i] != NULL; i++)
		if (message.keywords >> i & 1)
			printf(" %s", keywords[i]);
	putchar('\n');
}

static bool
dump_folder(void *with, const struct mail_folder *f)
{
	struct mailbox_status status;
	struct uid_set uids = { 0 };
	struct mailbox *m;
	uint32_t uid = 0;

	(void)with;
	if (f->subscribed)
		printf("subscribed\t%s\n", f->name);
	if (!f->selectable)
		return true;
	m = open_box(f->name);
	need(mailbox_status(m, 0, &status, &why));
	printf("folder\t%s\t%u\t%u\t%u\n", f->name, status.uidvalidity,
	    status.uidnext, status.messages);
	need(mailbox_uids(m, 0, &uids, &why));
	while (uid_set_next(&uids, &uid))
		dump_message(m, f->name, uid);
	uid_set_fini(&uids);
	mailbox_close(&m);
	return true;
}

/* As POP3 has it. */
static void
dump_uidls(const char *location)
{
	struct store *s;

	if (store_open(location, false, NULL, &s, &why) != STORE_OK)
		fatal("%s", why.text);
	for (size_t i = 0; i < store_count(s); i++)
		printf("uidl\t%s\n", store_unique(s, i));
	store_close(&s);
}

static void
act_append(char **argv)
{
	struct mail_append_message how = { .internal_date = 1600000000 };
	struct mailbox *m = open_box(argv[0]);
	struct mail_append *a = mail_append_new(m);
	struct uid_set uids = { 0 };
	uint32_t validity;
	char chunk[4096];
	size_t n;

	for (size_t i = 0; i < FLAGS; i++)
		if (strstr(argv[1], flags[i].name) != NULL)
			how.flags |= flags[i].flag;
	need(mail_append_begin(a, &how, UINT64_MAX, &why));
	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
		need(mail_append_write(a, chunk, n, &why));
	need(mail_append_commit(a, &validity, &uids, &why));
	printf("appended\t%u\t%u\n", validity, uid_set_nth(&uids, 0));
	uid_set_fini(&uids);
	mail_append_free(&a);
	mailbox_close(&m);
}

static void
act_flag(char **argv)
{
	struct flag_change change = { .action = FLAGS_ADD,
		.unchanged_since = UINT64_MAX };
	struct mailbox *m = open_box(argv[0]);
	struct uid_set uids = { 0 };
	uint64_t modseq;
	int bit;

	uid_set_add(&uids, (uint32_t)atoi(argv[1]));
	for (size_t i = 0; i < FLAGS; i++)
		if (strcmp(argv[2], flags[i].name) == 0)
			change.flags = flags[i].flag;
	if (change.flags == 0) {
		bit = mailbox_keyword(m, span_of(argv[2]), true, &why);
		if (bit < 0)
			fatal("%s", why.text);
		change.keywords = UINT64_C(1) << bit;
	}
	need(mailbox_change_flags(m, &uids, &change, &modseq, NULL, &why));
	uid_set_fini(&uids);
	mailbox_close(&m);
}

static void
act_expunge(char **argv)
{
	char *deleted[] = { argv[0], argv[1], mem_text("\\Deleted") };
	struct uid_set uids = { 0 }, removed = { 0 };
	struct mailbox *m;

	act_flag(deleted);
	free(deleted[2]);
	m = open_box(argv[0]);
	uid_set_add(&uids, (uint32_t)atoi(argv[1]));
	need(mailbox_expunge(m, &uids, &removed, &why));
	uid_set_fini(&uids);
	uid_set_fini(&removed);
	mailbox_close(&m);
}

static void
transfer(char **argv, bool move)
{
	struct mailbox *from = open_box(argv[0]), *to = open_box(argv[2]);
	struct mail_copies copies = { 0 };
	struct buf text = BUF_INIT(65536);
	struct uid_set uids = { 0 };

	if (!imap_set_parse(span_of(argv[1]), UINT32_MAX, &uids))
		fatal("%s: no set", argv[1]);
	need(mailbox_copy(from, &uids, to,
	    &(struct mail_copying){ .move = move }, &copies, &why));
	uid_set_text(&copies.from, &text);
	buf_add_char(&text, '\t');
	uid_set_text(&copies.to, &text);
	printf("copied\t%s\n", buf_text(&text));
	mail_copies_fini(&copies);
	uid_set_fini(&uids);
	buf_fini(&text);
	mailbox_close(&to);
	mailbox_close(&from);
}

static void
act_copy(char **argv)
{
	transfer(argv, false);
}

static void
act_move(char **argv)
{
	transfer(argv, true);
}

static void
act_create(char **argv)
{
	need(mail_folder_create(account, span_of(argv[0]), 0, &why));
}

static void
act_delete(char **argv)
{
	need(mail_folder_delete(account, span_of(argv[0]), &why));
}

static void
act_rename(char **argv)
{
	need(mail_folder_rename(account, span_of(argv[0]), span_of(argv[1]),
	    &why));
}

static void
act_subscribe(char **argv)
{
	need(mail_folder_subscribe(account, span_of(argv[0]), true, &why));
}

static void
act_unsubscribe(char **argv)
{
	need(mail_folder_subscribe(account, span_of(argv[0]), false, &why));
}

static const struct {
	const char *name;
	int arguments;
	void (*act)(char **argv);
} actions[] = {
	{ "append", 2, act_append },
	{ "flag", 3, act_flag },
	{ "expunge", 2, act_expunge },
	{ "copy", 3, act_copy },
	{ "move", 3, act_move },
	{ "create", 1, act_create },
	{ "delete", 1, act_delete },
	{ "rename", 2, act_rename },
	{ "subscribe", 1, act_subscribe },
	{ "unsubscribe", 1, act_unsubscribe },
};

static void
act(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (strcmp(argv[0], actions[i].name) == 0 &&
		    argc == actions[i].arguments + 1) {
			actions[i].act(argv + 1);
			return;
		}
	fatal("%s: no such action, or not its arguments", argv[0]);
}

int
main(int argc, char **argv)
{
	struct mail_account_settings settings = { .flush_flags = true };

	log_open_stderr("mailbox_probe");
	if (argc < 3)
		fatal("usage: mailbox_probe location separator [action ...]");
	settings.location = argv[1];
	settings.separator = argv[2][0];
	need(mail_account_open(&settings, &account, &why));
	if (argc == 3 || strcmp(argv[3], "dump") == 0) {
		need(mail_folder_each(account, dump_folder, NULL, &why));
		dump_uidls(argv[1]);
	} else {
		act(argc - 3, argv + 3);
		need(mail_account_settle(account, &why));
	}
	mail_account_close(&account);
	return 0;
}
