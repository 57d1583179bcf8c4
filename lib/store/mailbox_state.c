/* SPDX-License-Identifier: ISC */
/* The state file of a folder that is open: read, followed, made where it is
 * missing or damaged. */
#include "lib/store/mailbox_state.h"

#include <errno.h>
#include <string.h>

#include "lib/log/log.h"
#include "lib/store/folder_claims.h"
#include "lib/store/maildir_uidlist.h"

void
mailbox_state_stamped(struct mailbox_folder *f)
{
	int error = errno;

	(void)maildir_folder_stamp(&f->files, FOLDER_STATE_NAME,
	    &f->state_stamp);
	errno = error;
}

void
mailbox_validity_log(const struct mailbox_folder *f, uint32_t old,
    const char *why)
{
	unsigned long now = f->state.uidvalidity;

	if (old == 0)
		log_info("%s: UIDVALIDITY %lu: %s", f->name, now, why);
	else if (old != now)
		log_warning("%s: UIDVALIDITY %lu, before %lu: %s", f->name, now,
		    (unsigned long)old, why);
}

/* What was set aside, and is of this UIDVALIDITY, knew of more UIDs. */
static void
heed_damaged(struct mailbox_folder *f)
{
	struct folder_state old;

	(void)folder_state_salvage(f->files.dir, false, &old);
	if (old.uidvalidity == f->state.uidvalidity &&
	    old.bound > f->state.bound)
		f->state.bound = old.bound;
	folder_state_fini(&old);
}

/* UIDVALIDITY and the rest as Dovecot had them, or new ones. */
static int
found_state(struct mailbox_folder *f)
{
	const char *why = "the folder had none";
	struct uidlist_header header;

	folder_state_new(&f->state, mail_account_new_uidvalidity(f->account));
	if (maildir_uidlist_read_header(f->files.control, &header)) {
		f->state.uidvalidity = header.uidvalidity;
		f->state.bound = header.uidnext;
		if (header.has_id)
			memcpy(f->state.id, header.id, sizeof(header.id));
		why = "that of " UIDLIST_NAME;
	}
	heed_damaged(f);
	if (folder_state_write(f->files.dir, &f->state) == -1)
		return -1;
	mailbox_validity_log(f, 0, why);
	return 0;
}

/* Another one than that of the damaged file, which others may have heard of. */
static uint32_t
another_uidvalidity(struct mailbox_folder *f)
{
	struct folder_state old;
	uint32_t next = mail_account_new_uidvalidity(f->account);

	(void)folder_state_salvage(f->files.dir, true, &old);
	if (next == old.uidvalidity)
		next = mail_account_new_uidvalidity(f->account);
	folder_state_fini(&old);
	return next;
}

/*
 * Which UIDs were given is not known any more: what Dovecot's list says of
 * UIDVALIDITY is as old as that. The list learns of the new one first: who
 * finds no state file goes by it.
 */
static int
replace_state(struct mailbox_folder *f)
{
	struct uidlist_header header;
	uint32_t old = 0;

	folder_state_new(&f->state, another_uidvalidity(f));
	if (maildir_uidlist_read_header(f->files.control, &header)) {
		old = header.uidvalidity;
		if (f->state.uidvalidity <= header.uidvalidity &&
		    header.uidvalidity < UINT32_MAX)
			f->state.uidvalidity = header.uidvalidity + 1;
		header.uidvalidity = f->state.uidvalidity;
		f->state.bound = header.uidnext;
		memcpy(header.id, f->state.id, sizeof(header.id));
		header.has_id = true;
		if (maildir_uidlist_write_header(f->files.control, &header) ==
		    -1)
			return -1;
	}
	folder_state_set_aside(f->files.dir,
	    "its folder gets another UIDVALIDITY");
	if (folder_state_write(f->files.dir, &f->state) == -1)
		return -1;
	mailbox_validity_log(f, old, FOLDER_STATE_NAME " was damaged");
	return 0;
}

static void
take(struct mailbox_folder *f, struct folder_state *state)
{
	folder_state_fini(&f->state);
	f->state = *state;
}

/* From what the index knows, UIDs and MAILBOXID included. */
static int
recovered_state(struct mailbox_folder *f, struct folder_state *state,
    bool damaged)
{
	if (damaged)
		folder_state_set_aside(f->files.dir,
		    "it is made anew from the index");
	else
		log_warning("%s: %s is gone; it is made anew from the index",
		    f->name, FOLDER_STATE_NAME);
	take(f, state);
	f->keywords_read = false;
	mailbox_doubt(f);
	return folder_state_write(f->files.dir, &f->state);
}

static int
take_state(struct mailbox_folder *f)
{
	struct folder_state state;
	int r;

	mailbox_state_stamped(f);
	r = folder_state_read(f->files.dir, &state);
	if (r == 0)
		take(f, &state);
	return r;
}

/* So that nobody who lost his state looks for this one far. */
static void
claim(struct mailbox_folder *f)
{
	folder_claims_note(&f->account->claims, f->state.id, f->name);
}

/* Where there is none: as the index has it, or made under the account's lock,
 * by one of us. */
int
mailbox_state_read(struct mailbox_folder *f)
{
	struct mail_index *x = f->account->index;
	struct folder_state state;
	int error, r = take_state(f);

	if (r == 0)
		claim(f);
	if (r <= 0)
		return r;
	if (!mail_index_begin(x, NULL)) {
		errno = mail_index_full(x) ? ENOSPC : EIO;
		return -1;
	}
	r = take_state(f);
	if (r > 0 && mailbox_state_recover(f, r == 2, &state)) {
		r = recovered_state(f, &state, r == 2);
		mailbox_state_stamped(f);
	} else if (r > 0) {
		folder_state_fini(&f->state);
		r = r == 1 ? found_state(f) : replace_state(f);
		mailbox_state_stamped(f);
	}
	error = errno;
	if (r == -1) /* what is in memory now is not the file's */
		memset(&f->state_stamp, 0, sizeof(f->state_stamp));
	else
		claim(f);
	(void)mail_index_commit(x, NULL);
	errno = error;
	return r;
}

int
mailbox_state_heed(struct mailbox_folder *f)
{
	struct mail_stamp now;

	if (maildir_folder_stamp(&f->files, FOLDER_STATE_NAME, &now) == 0 &&
	    mail_stamp_equal(&now, &f->state_stamp) && now.seconds != 0)
		return 0;
	return mailbox_state_read(f);
}
