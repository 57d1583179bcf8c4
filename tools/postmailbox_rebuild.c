/* SPDX-License-Identifier: ISC */
/*
 * The index anew from what the files say. It happens inside the index's own
 * transactions, so sessions may be open meanwhile; they see each folder as
 * one whose index was lost.
 */
#include "tools/postmailbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mailbox_internal.h"

struct rebuilding {
	struct mail_account *account;
	unsigned int folders, failed;
	uint64_t messages, lost;
};

static bool
forget(struct mail_account *a, const unsigned char *id, struct why *why)
{
	if (!mail_index_begin(a->index, why))
		return false;
	if (mail_index_folder_remove(a->index, id))
		return mail_index_commit(a->index, why);
	mail_index_why(a->index, why);
	mail_index_abort(a->index);
	return false;
}

/* How many of the one set are not in the other. */
static uint64_t
missing(const struct uid_set *before, const struct uid_set *after)
{
	struct uid_set both = { 0 };
	uint64_t n;

	uid_set_copy(&both, before);
	uid_set_intersect(&both, after);
	n = uid_set_members(before) - uid_set_members(&both);
	uid_set_fini(&both);
	return n;
}

static bool
rebuild_folder(struct rebuilding *r, struct span name, struct why *why)
{
	struct uid_set before = { 0 }, after = { 0 };
	struct mailbox *m = NULL;
	bool good;

	good = mailbox_open(r->account, name, &m, why) == MAIL_OK &&
	    mailbox_uids(m, 0, &before, why) == MAIL_OK &&
	    forget(r->account, m->folder->state.id, why);
	mailbox_close(&m);
	good = good && mailbox_open(r->account, name, &m, why) == MAIL_OK &&
	    mailbox_uids(m, 0, &after, why) == MAIL_OK;
	mailbox_close(&m);
	if (good) {
		r->messages += uid_set_members(&after);
		r->lost += missing(&before, &after);
	}
	uid_set_fini(&before);
	uid_set_fini(&after);
	return good;
}

static bool
visit(void *with, const struct mail_folder *f)
{
	struct rebuilding *r = with;
	struct why why;

	if (!f->selectable)
		return true;
	r->folders++;
	if (rebuild_folder(r, span_of(f->name), &why))
		return true;
	r->failed++;
	log_error("%s: %s", f->name, why.text);
	return true;
}

int
postmailbox_rebuild(const struct postmailbox *p)
{
	struct mail_account_settings settings = { .location = p->location,
		.separator = p->separator,
		.uidl = p->uidl.text == NULL || p->uidl.text[0] == '\0' ?
		    NULL :
		    &p->uidl };
	struct rebuilding r = { 0 };
	struct why why;

	if (mail_account_open(&settings, &r.account, &why) != MAIL_OK)
		fatal_status(EX_TEMPFAIL, "%s", why.text);
	if (mail_folder_each(r.account, visit, &r, &why) != MAIL_OK)
		fatal_status(EX_TEMPFAIL, "%s", why.text);
	mail_account_close(&r.account);
	printf("%u folders, %" PRIu64 " messages; %" PRIu64
	       " UIDs lost, %u folders failed\n",
	    r.folders, r.messages, r.lost, r.failed);
	return r.failed == 0 && r.lost == 0 ? 0 : 1;
}
