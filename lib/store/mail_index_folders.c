/* SPDX-License-Identifier: ISC */
/* What is known of folders as wholes. */
#include "lib/store/mail_index_internal.h"

#include <string.h>

#include "lib/base/ensure.h"

static bool
folder_sane(const struct mail_index_folder *f)
{
	return f->number > 0 && f->uidvalidity > 0 && f->uidnext > 0 &&
	    f->messages < f->uidnext && f->unseen <= f->messages &&
	    f->deleted <= f->messages;
}

static struct index_key
key_of_id(const unsigned char id[MAIL_INDEX_ID])
{
	struct index_key k = index_key_small(0, KIND_BITS);

	index_key_bytes(&k, id, MAIL_INDEX_ID);
	return k;
}

bool
mail_index_folder(struct mail_index *x, const unsigned char id[MAIL_INDEX_ID],
    struct mail_index_folder *out, bool *found)
{
	struct index_key k = key_of_id(id);
	struct span value;
	uint32_t number;
	int r = index_get(x, SMALL, &k, &value);

	*found = false;
	if (r == MDB_NOTFOUND)
		return true;
	if (r != 0)
		return false;
	if (value.n != sizeof(number))
		return index_damaged(x);
	memcpy(&number, value.p, sizeof(number));
	k = index_key_small(number, KIND_FOLDER);
	if (number == 0 || index_get(x, SMALL, &k, &value) != 0 ||
	    value.n != sizeof(*out))
		return index_damaged(x);
	memcpy(out, value.p, sizeof(*out));
	if (out->number != number || memcmp(out->id, id, MAIL_INDEX_ID) != 0 ||
	    !folder_sane(out))
		return index_damaged(x);
	*found = true;
	return true;
}

static bool
next_id(struct mail_index *x, unsigned char id[MAIL_INDEX_ID], bool *found)
{
	struct index_key from = index_key_small(0, KIND_BITS);
	struct index_walk w;
	size_t start = from.n;
	int r;

	index_key_bytes(&from, id, MAIL_INDEX_ID);
	index_walk_begin(&w, x, SMALL);
	r = index_walk_to(&w, &from);
	*found = r == 0 && w.key.n == from.n &&
	    memcmp(w.key.bytes, from.bytes, start) == 0;
	if (*found)
		memcpy(id, w.key.bytes + start, MAIL_INDEX_ID);
	index_walk_end(&w);
	return r == 0 || r == MDB_NOTFOUND;
}

/* The next possible one; false: there is none. */
static bool
id_after(unsigned char id[MAIL_INDEX_ID])
{
	size_t i = MAIL_INDEX_ID;

	while (i > 0 && ++id[i - 1] == 0)
		i--;
	return i > 0;
}

bool
mail_index_folders(struct mail_index *x, mail_index_folder_visit *visit,
    void *with)
{
	unsigned char id[MAIL_INDEX_ID] = { 0 };
	struct mail_index_folder f;
	bool found, there;

	do {
		if (!next_id(x, id, &found))
			return false;
		if (!found)
			break;
		if (!mail_index_folder(x, id, &f, &there))
			return false;
	} while ((!there || visit(with, &f)) && id_after(id));
	return true;
}

static bool
number_folder(struct mail_index *x, struct mail_index_folder *f)
{
	struct index_key k = key_of_id(f->id);
	struct index_self self;

	if (!index_self_get(x, &self) || self.next_folder == UINT32_MAX)
		return index_damaged(x);
	f->number = self.next_folder++;
	return index_self_put(x, &self) &&
	    index_put(x, SMALL, &k,
		(struct span){ (const char *)&f->number, sizeof(f->number) },
		(struct span){ NULL, 0 }) == 0;
}

bool
mail_index_folder_put(struct mail_index *x, struct mail_index_folder *f)
{
	struct index_key k;

	ensure(x->writes > 0);
	if (f->number == 0 && !number_folder(x, f))
		return false;
	k = index_key_small(f->number, KIND_FOLDER);
	return index_put(x, SMALL, &k,
		   (struct span){ (const char *)f, sizeof(*f) },
		   (struct span){ NULL, 0 }) == 0;
}

/* All keys that begin with this folder, from "from" on. */
static bool
remove_range(struct mail_index *x, enum index_tree t, struct index_key from,
    uint32_t folder)
{
	struct index_walk w;
	int r;

	index_walk_begin(&w, x, t);
	for (r = index_walk_to(&w, &from);
	     r == 0 && w.key.n >= 4 && index_u32(w.key.bytes) == folder;
	     r = index_walk_to(&w, &from))
		if ((r = index_walk_del(&w)) != 0)
			break;
	index_walk_end(&w);
	return r == 0 || r == MDB_NOTFOUND;
}

bool
mail_index_folder_empty(struct mail_index *x, uint32_t number)
{
	return remove_range(x, SMALL, index_key_small(number, KIND_BITS),
		   number) &&
	    remove_range(x, ROWS, index_key_row(number, 0), number) &&
	    remove_range(x, CACHE, index_key_cache(number, 0, 0), number);
}

bool
mail_index_folder_remove(struct mail_index *x,
    const unsigned char id[MAIL_INDEX_ID])
{
	struct mail_index_folder f;
	struct index_key k = key_of_id(id);
	bool found;

	if (!mail_index_folder(x, id, &f, &found))
		return false;
	if (!found)
		return true;
	if (!mail_index_folder_empty(x, f.number) ||
	    index_del(x, SMALL, &k) != 0)
		return false;
	k = index_key_small(f.number, KIND_FOLDER);
	return index_del(x, SMALL, &k) == 0;
}
