/* SPDX-License-Identifier: ISC */
/*
 * The small files of an account, each read, or heeded, when it is opened. The
 * first byte of the input says which one the rest is. The account is then
 * listed and its INBOX read; whatever the file says, nothing outside of the
 * account is touched.
 */
#include "lib/store/mailbox_internal.h"

#include <fcntl.h>
#include <ftw.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/log/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "subscriptions", "posthaste-metadata",
	"posthaste-arriving", "posthaste-renames", "dovecot-uidlist",
	"dovecot-keywords" };

enum {
	NAMES = sizeof(names) / sizeof(names[0]),
	ARRIVING = 2,
	OUTSIDE = 3, /* files there */
};

static char base[64];
static int back; /* where we came from */

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind;
	return at->level == 0 ? 0 : remove(path);
}

static void
forget(void)
{
	if (base[0] != '\0') {
		(void)nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
		(void)rmdir(base);
	}
}

static void
prepare(void)
{
	log_threshold(LEVEL_PANIC);
	mail_account_prepare();
	snprintf(base, sizeof(base), "%s/account_files_fuzz.%ld",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
	    (long)getpid());
	ensure(mkdir(base, 0700) == 0);
	(void)atexit(forget);
	back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ensure(back >= 0);
}

static void
put(const char *path, const void *first, size_t n, const void *rest,
    size_t more)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ensure(fd >= 0 && write(fd, first, n) == (ssize_t)n);
	ensure(write(fd, rest, more) == (ssize_t)more);
	close(fd);
}

static void
make_tree(void)
{
	static const char *const directories[] = { "outside", "outside/cur",
		"mail", "mail/cur", "mail/new", "mail/tmp", "mail/.a",
		"mail/.a/cur", "mail/.a/new", "mail/.a/tmp", "mail/.a.b",
		"mail/.a.b/cur", "mail/.a.b/new", "mail/.a.b/tmp" };
	static const char *const files[] = { "outside/cur/1.a", "outside/x",
		"outside/.y", "mail/cur/1.a:2,S", "mail/cur/2.a,U=7:2,ab",
		"mail/new/3.a", "mail/.a/cur/4.a:2,", "mail/.a.b/cur/1.a:2," };
	static const char mail[] = "Subject: x\n\ny\n";

	for (size_t i = 0; i < sizeof(directories) / sizeof(char *); i++)
		ensure(mkdir(directories[i], 0700) == 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(char *); i++)
		put(files[i], mail, sizeof(mail) - 1, "", 0);
}

static unsigned int seen;

static int
count_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)path, (void)at;
	seen += kind == FTW_F && st->st_size > 0;
	return 0;
}

static bool
each_folder(void *with, const struct mail_folder *f)
{
	unsigned int *n = with;

	ensure(f->name[0] != '\0' && ++*n < 100000);
	return true;
}

static bool
each_entry(void *with, const char *name, struct span value)
{
	(void)with;
	ensure(name[0] != '\0' && (value.n == 0 || value.p != NULL));
	return true;
}

static void
read_all(struct mail_account *a)
{
	struct mailbox_status status;
	struct mailbox *m = NULL;
	struct why why;
	unsigned int n = 0;

	(void)mail_folder_each(a, each_folder, &n, &why);
	(void)mail_metadata_each(a, SPAN(""), each_entry, NULL, &why);
	(void)mail_metadata_each(a, SPAN("INBOX"), each_entry, NULL, &why);
	if (mailbox_open(a, SPAN("INBOX"), &m, &why) == MAIL_OK &&
	    mailbox_status(m, STATUS_SIZE, &status, &why) == MAIL_OK)
		ensure(status.uidnext > status.messages &&
		    status.uidvalidity > 0 && status.highest_modseq > 0);
	if (m != NULL)
		mailbox_close(&m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mail_account_settings settings = { .location =
							    "maildir:mail",
		.separator = '/' };
	struct mail_account *a = NULL;
	char path[100], head[200] = "";
	struct why why;
	size_t which;

	if (size == 0)
		return 0;
	if (base[0] == '\0')
		prepare();
	ensure(chdir(base) == 0);
	which = data[0] % NAMES;
	make_tree();
	if (which == ARRIVING) /* that of another boot is not heeded */
		snprintf(head, sizeof(head), "posthaste-arriving 2\nboot\t%s\n",
		    mail_index_boot());
	snprintf(path, sizeof(path), "mail/%s", names[which]);
	put(path, head, strlen(head), data + 1, size - 1);
	if (mail_account_open(&settings, &a, &why) == MAIL_OK) {
		read_all(a);
		(void)mail_account_settle(a, &why);
	}
	mail_account_close(&a);
	seen = 0;
	ensure(
	    nftw("outside", count_one, 16, FTW_PHYS) == 0 && seen == OUTSIDE);
	ensure(nftw(".", remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
	ensure(fchdir(back) == 0);
	return 0;
}
