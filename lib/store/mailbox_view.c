/* SPDX-License-Identifier: ISC */
#include "lib/store/mailbox_view.h"

#include <string.h>

#include "lib/store/mailbox_internal.h"

enum mail_result
mailbox_view_open(struct mailbox_view *v, struct mailbox *m, struct why *why)
{
	struct mail_index *x = m->account->index;
	const struct mail_index_folder *row = &m->folder->row;
	enum mail_result r;
	bool found;

	*v = (struct mailbox_view){ .mailbox = m };
	r = mailbox_hold_rows(m, why);
	if (r != MAIL_OK)
		return r;
	r = mailbox_look(m, &found, why);
	if (r == MAIL_OK)
		r = mailbox_uids(m, 0, &v->uids, why);
	v->uidnext = row->uidnext;
	v->modseq = v->removals = row->highest_modseq;
	v->first_recent = row->first_recent;
	mail_index_release(x);
	if (r != MAIL_OK)
		mailbox_view_fini(v);
	return r;
}

enum mail_result
mailbox_view_restore(struct mailbox_view *v, struct mailbox *m, uint64_t modseq,
    uint32_t uidnext, struct why *why)
{
	struct uid_set gone = { 0 };
	bool complete;
	enum mail_result r = mailbox_view_open(v, m, why);

	if (r != MAIL_OK)
		return r;
	r = mailbox_expunged(m, modseq, &gone, &complete, why);
	/* told more than there ever was: of another index */
	if (r == MAIL_OK &&
	    (!complete || modseq > v->modseq || uidnext > v->uidnext))
		r = MAIL_GONE;
	if (r == MAIL_OK) {
		uid_set_add_set(&v->uids, &gone);
		if (uidnext > 0)
			uid_set_remove_range(&v->uids, uidnext, UINT32_MAX);
		v->uidnext = uidnext;
		v->modseq = v->removals = modseq;
	} else {
		mailbox_view_fini(v);
	}
	uid_set_fini(&gone);
	return r;
}

void
mailbox_view_fini(struct mailbox_view *v)
{
	uid_set_fini(&v->uids);
	*v = (struct mailbox_view){ 0 };
}

uint32_t
mailbox_view_count(const struct mailbox_view *v)
{
	return (uint32_t)uid_set_members(&v->uids);
}

uint32_t
mailbox_view_uid(const struct mailbox_view *v, uint32_t number)
{
	return number == 0 ? 0 : uid_set_nth(&v->uids, number - 1);
}

uint32_t
mailbox_view_number(const struct mailbox_view *v, uint32_t uid)
{
	if (!uid_set_has(&v->uids, uid))
		return 0;
	return (uint32_t)uid_set_rank(&v->uids, uid) + 1;
}

/* Both are walked once, side by side. */
void
mailbox_view_uids(const struct mailbox_view *v, const struct uid_set *numbers,
    struct uid_set *uids)
{
	uint64_t number = 1; /* of the range's first UID */
	size_t n = 0;

	for (size_t i = 0; i < v->uids.count && n < numbers->count; i++) {
		const struct uid_range *r = &v->uids.ranges[i];
		uint64_t last = number + (r->last - r->first);

		while (n < numbers->count && numbers->ranges[n].first <= last) {
			uint64_t from = numbers->ranges[n].first,
				 to = numbers->ranges[n].last;

			if (from < number)
				from = number;
			if (to > last)
				to = last;
			if (from <= to)
				uid_set_add_range(uids,
				    r->first + (uint32_t)(from - number),
				    r->first + (uint32_t)(to - number));
			if (numbers->ranges[n].last > last)
				break;
			n++;
		}
		number = last + 1;
	}
}

/* ---- what happened since ---- */

void
mailbox_update_fini(struct mailbox_update *u)
{
	uid_set_fini(&u->expunged);
	uid_set_fini(&u->changed);
	uid_set_fini(&u->arrived);
	*u = (struct mailbox_update){ 0 };
}

static enum mail_result
find_expunged(struct mailbox_view *v, struct uid_set *out, struct why *why)
{
	struct uid_set there = { 0 };
	bool complete;
	enum mail_result r =
	    mailbox_expunged(v->mailbox, v->removals, out, &complete, why);

	if (r != MAIL_OK)
		return r;
	if (complete) {
		uid_set_intersect(out, &v->uids);
		return MAIL_OK;
	}
	/* the history does not go back so far: what is not there any more */
	uid_set_copy(out, &v->uids);
	r = mailbox_uids(v->mailbox, 0, &there, why);
	if (r == MAIL_OK)
		uid_set_remove_set(out, &there);
	uid_set_fini(&there);
	return r;
}

static enum mail_result
find_changes(struct mailbox_view *v, bool expunges, struct mailbox_update *out,
    struct why *why)
{
	enum mail_result r = MAIL_OK;

	if (expunges && v->removals != out->modseq)
		r = find_expunged(v, &out->expunged, why);
	if (r == MAIL_OK && v->modseq != out->modseq)
		r = mailbox_changed(v->mailbox, v->modseq, &out->changed, why);
	if (r == MAIL_OK)
		uid_set_intersect(&out->changed, &v->uids);
	if (r == MAIL_OK && v->uidnext != out->uidnext)
		r = mailbox_uids(v->mailbox, v->uidnext - 1, &out->arrived,
		    why);
	return r;
}

enum mail_result
mailbox_view_update(struct mailbox_view *v, bool expunges,
    struct mailbox_update *out, struct why *why)
{
	struct mailbox *m = v->mailbox;
	struct mail_index *x = m->account->index;
	enum mail_result r;
	bool found;

	*out = (struct mailbox_update){ .expunges = expunges };
	r = mailbox_hold_rows(m, why);
	if (r != MAIL_OK)
		return r;
	r = mailbox_look(m, &found, why);
	if (r == MAIL_OK) {
		out->modseq = m->folder->row.highest_modseq;
		out->uidnext = m->folder->row.uidnext;
		if (out->modseq != v->modseq || out->uidnext != v->uidnext ||
		    (expunges && out->modseq != v->removals))
			r = find_changes(v, expunges, out, why);
	}
	mail_index_release(x);
	if (r != MAIL_OK)
		mailbox_update_fini(out);
	return r;
}

void
mailbox_view_apply(struct mailbox_view *v, const struct mailbox_update *u)
{
	uid_set_remove_set(&v->uids, &u->expunged);
	uid_set_add_set(&v->uids, &u->arrived);
	v->uidnext = u->uidnext;
	v->modseq = u->modseq;
	if (u->expunges)
		v->removals = u->modseq;
}
