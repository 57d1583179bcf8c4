/* SPDX-License-Identifier: ISC */
/*
 * The small files of an account, each read, or heeded, when it is opened. The
 * first byte of the input says which one the rest is. The account is then
 * listed and its INBOX read; whatever the file says, nothing outside of the
 * account is touched.
 */
#include "lib/store/mailbox_internal.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/log/log.h"
#include "tests/fuzz/mail_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "subscriptions", "posthaste-metadata",
	"posthaste-arriving", "posthaste-renames", "dovecot-uidlist",
	"dovecot-keywords" };

enum {
	NAMES = sizeof(names) / sizeof(names[0]),
	ARRIVING = 2,
};

static void
prepare(void)
{
	log_threshold(LEVEL_PANIC);
	mail_account_prepare();
	mail_tree_prepare("account_files");
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
	if (mail_tree.base[0] == '\0')
		prepare();
	which = data[0] % NAMES;
	mail_tree_make(NULL);
	if (which == ARRIVING) /* that of another boot is not heeded */
		snprintf(head, sizeof(head), "posthaste-arriving 2\nboot\t%s\n",
		    mail_index_boot());
	snprintf(path, sizeof(path), "mail/%s", names[which]);
	mail_tree_put(path, head, strlen(head), data + 1, size - 1);
	if (mail_account_open(&settings, &a, &why) == MAIL_OK) {
		read_all(a);
		(void)mail_account_settle(a, &why);
	}
	mail_account_close(&a);
	mail_tree_end();
	return 0;
}
