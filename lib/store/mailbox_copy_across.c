/* SPDX-License-Identifier: ISC */
/*
 * Messages from one account into another: each is read and appended, all are
 * committed together. What a crash leaves is the originals, or both.
 */
#include "lib/store/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

enum { PIECE = 65536, TELL_EACH = 64 * PIECE };

struct crossing {
	struct mailbox *from, *to;
	const struct mail_copying *how;
	uint64_t done, all; /* messages */
	uint64_t untold; /* bytes since how->tell */
	struct mail_append *append;
	char *piece;
	struct why *why;
};

/* By name: bits mean different keywords in each folder. */
static enum mail_result
map_keywords(const struct crossing *x, uint64_t there, uint64_t *here)
{
	const char *const *names = mailbox_keywords(x->from);

	*here = 0;
	for (int i = 0; x->how->keywords && names[i] != NULL; i++) {
		int bit;

		if ((there >> i & 1) == 0)
			continue;
		x->why->error = 0;
		bit = mailbox_keyword(x->to, span_of(names[i]), true, x->why);
		if (bit < 0 && x->why->error != 0)
			return mail_result_of(x->why->error);
		/* of as many as a folder can have, it goes without */
		if (bit >= 0)
			*here |= UINT64_C(1) << bit;
	}
	return MAIL_OK;
}

/* Nothing is held: others of the process may be let run. */
static enum mail_result
tell(struct crossing *x, uint64_t bytes)
{
	const struct mail_copying *how = x->how;

	x->untold += bytes;
	if (how->tell == NULL || x->untold < TELL_EACH)
		return MAIL_OK;
	x->untold = 0;
	if (how->tell(how->with, x->done, x->all, false))
		return MAIL_OK;
	why_set(x->why, "4.2.0", "it was ended");
	return MAIL_FAILED;
}

static enum mail_result
put_text(struct crossing *x, struct store_blob *blob)
{
	enum mail_result r = MAIL_OK;
	int64_t n;

	while (
	    r == MAIL_OK && (n = store_blob_read(blob, x->piece, PIECE)) > 0) {
		r = mail_append_write(x->append, x->piece, (size_t)n, x->why);
		if (r == MAIL_OK)
			r = tell(x, PIECE); /* small ones cost as much */
	}
	if (r != MAIL_OK || n == 0)
		return r;
	why_errno(x->why, "4.2.0", "a message cannot be read");
	return MAIL_FAILED;
}

/* MAIL_GONE: there is no such message any more. */
static enum mail_result
carry(struct crossing *x, uint32_t uid)
{
	struct mail_append_message m = { 0 };
	struct mail_message info;
	struct store_blob blob;
	enum mail_result r;

	r = mailbox_message(x->from, uid, WANT_DATE | WANT_SIZE, &info, x->why);
	if (r == MAIL_OK)
		r = map_keywords(x, info.keywords, &m.keywords);
	if (r == MAIL_OK)
		r = mailbox_fetch(x->from, uid, &blob, x->why);
	if (r != MAIL_OK)
		return r;
	m.flags = info.flags & x->how->flags;
	m.internal_date = info.internal_date;
	r = mail_append_begin(x->append, &m, (uint64_t)blob.length, x->why);
	if (r == MAIL_OK)
		r = put_text(x, &blob);
	store_blob_close(&blob);
	return r;
}

static enum mail_result
carry_all(struct crossing *x, const struct uid_set *uids, struct uid_set *from)
{
	enum mail_result r = MAIL_OK;
	uint32_t uid = 0;

	x->all = uid_set_members(uids);
	while (r == MAIL_OK && uid_set_next(uids, &uid)) {
		r = carry(x, uid);
		if (r == MAIL_OK)
			uid_set_add(from, uid);
		else if (r == MAIL_GONE)
			r = MAIL_OK;
		x->done++;
	}
	return r;
}

static enum mail_result
remove_all(struct mailbox *from, const struct uid_set *uids, struct why *why)
{
	const struct flag_change deleted = { .action = FLAGS_ADD,
		.flags = MAIL_DELETED,
		.unchanged_since = UINT64_MAX };
	struct uid_set removed = { 0 };
	enum mail_result r;
	uint64_t modseq;

	r = mailbox_change_flags(from, uids, &deleted, &modseq, NULL, why);
	if (r == MAIL_OK)
		r = mailbox_expunge(from, uids, &removed, why);
	uid_set_fini(&removed);
	return r;
}

enum mail_result
mailbox_copy_across(struct mailbox *from, const struct uid_set *uids,
    struct mailbox *to, const struct mail_copying *how, struct mail_copies *out,
    struct why *why)
{
	struct crossing x = { .from = from, .to = to, .how = how, .why = why };
	enum mail_result r;

	memset(out, 0, sizeof(*out));
	x.append = mail_append_new(to);
	x.piece = mem_new(PIECE);
	r = carry_all(&x, uids, &out->from);
	out->count = uid_set_members(&out->from);
	if (r == MAIL_OK && out->count > 0)
		r = mail_append_commit(x.append, &out->uidvalidity, &out->to,
		    why);
	free(x.piece);
	mail_append_free(&x.append);
	if (r == MAIL_OK && how->move && out->count > 0)
		r = remove_all(from, &out->from, why);
	return r;
}
