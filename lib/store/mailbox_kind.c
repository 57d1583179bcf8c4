/* SPDX-License-Identifier: ISC */
/* Calls of mailbox.h go to the account's kind of mail. */
#include "lib/store/mailbox_kind.h"

#include "lib/store/mailbox_internal.h"

/* ---- Maildirs ---- */

static enum mail_result
open_maildir(struct mailbox_folder *f, int directory, struct why *why)
{
	enum mail_result r;
	int control;

	if (maildir_folder_open(&f->files, directory) == -1)
		return mailbox_disk_failed("cannot open the mailbox", why);
	control = mail_account_open_control(f->account, f->name, &r, why);
	if (control >= 0)
		maildir_folder_control(&f->files, control);
	return r;
}

static void
close_maildir(struct mailbox_folder *f)
{
	maildir_folder_close(&f->files);
}

static int
stamp_maildir(struct mailbox_folder *f, struct mail_stamp *out)
{
	return maildir_folder_stamp(&f->files, "cur", out);
}

static int
flush_maildir(struct mailbox_folder *f)
{
	return maildir_folder_flush(&f->files);
}

const struct mailbox_kind *
mailbox_kind_maildir(void)
{
	static const struct mailbox_kind kind = {
		.open = open_maildir,
		.close = close_maildir,
		.stamp = stamp_maildir,
		.flush = flush_maildir,
		.points = mailbox_points_maildir,
		.sync = mailbox_sync_maildir,
		.load = mailbox_load_maildir,
		.learn = mailbox_message_learn,
		.fetch = mailbox_message_open,
		.start = mailbox_message_start,
		.change_flags = mailbox_flags_change,
		.expunge = mailbox_flags_expunge,
		.copy = mailbox_copy_files,
		.append_new = mail_append_files_new,
		.append_free = mail_append_files_free,
		.append_begin = mail_append_files_begin,
		.append_write = mail_append_files_write,
		.append_commit = mail_append_files_commit,
	};

	return &kind;
}

/* ---- any ---- */

static const struct mailbox_kind *
kind_of(const struct mailbox *m)
{
	return m->account->kind;
}

enum mail_result
mailbox_sync(struct mailbox *m, struct why *why)
{
	enum mail_result r = mailbox_refuse_failed(m->account, why);

	return r == MAIL_OK ? kind_of(m)->sync(m, why) : r;
}

enum mail_result
mailbox_load(struct mailbox *m, struct why *why)
{
	return kind_of(m)->load(m, why);
}

enum mail_result
mailbox_fetch(struct mailbox *m, uint32_t uid, struct store_blob *out,
    struct why *why)
{
	return kind_of(m)->fetch(m, uid, out, why);
}

enum mail_result
mailbox_fetch_start(struct mailbox *m, uint32_t uid, struct store_blob *out,
    char *to, size_t room, struct span *text, struct why *why)
{
	*text = SPAN("");
	if (kind_of(m)->start == NULL)
		return mailbox_fetch(m, uid, out, why);
	return kind_of(m)->start(m, uid, out, to, room, text, why);
}

enum mail_result
mailbox_change_flags(struct mailbox *m, const struct uid_set *uids,
    const struct flag_change *change, uint64_t *modseq, struct uid_set *failed,
    struct why *why)
{
	return kind_of(m)->change_flags(m, uids, change, modseq, failed, why);
}

enum mail_result
mailbox_expunge(struct mailbox *m, const struct uid_set *uids,
    struct uid_set *removed, struct why *why)
{
	return kind_of(m)->expunge(m, uids, removed, why);
}

enum mail_result
mailbox_copy(struct mailbox *from, const struct uid_set *uids,
    struct mailbox *to, const struct mail_copying *how, struct mail_copies *out,
    struct why *why)
{
	return kind_of(from)->copy(from, uids, to, how, out, why);
}

static const struct mailbox_kind *
kind_for(struct mail_append *a)
{
	return kind_of(((struct mail_append_base *)a)->to);
}

struct mail_append *
mail_append_new(struct mailbox *to)
{
	return kind_of(to)->append_new(to);
}

void
mail_append_free(struct mail_append **a)
{
	if (*a != NULL)
		kind_for(*a)->append_free(a);
}

enum mail_result
mail_append_begin(struct mail_append *a, const struct mail_append_message *m,
    uint64_t size, struct why *why)
{
	return kind_for(a)->append_begin(a, m, size, why);
}

enum mail_result
mail_append_write(struct mail_append *a, const void *data, size_t n,
    struct why *why)
{
	return kind_for(a)->append_write(a, data, n, why);
}

enum mail_result
mail_append_commit(struct mail_append *a, uint32_t *uidvalidity,
    struct uid_set *uids, struct why *why)
{
	return kind_for(a)->append_commit(a, uidvalidity, uids, why);
}
