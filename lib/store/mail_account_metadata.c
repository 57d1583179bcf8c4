/* SPDX-License-Identifier: ISC */
#include "lib/store/mail_account_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/store/mail_folder_tree.h"
#include "lib/store/mail_metadata.h"

/* *place is the folder that the entry belongs to; name "" is the server. */
static enum mail_result
find(struct mail_account *a, struct span folder, struct mail_place *place,
    struct why *why)
{
	enum mail_result r;

	if (folder.n == 0) {
		*place = (struct mail_place){ mem_text(""), mem_text(""),
			PLACE_FOLDER };
		return MAIL_OK;
	}
	r = mail_place_find(a->tree, folder, place);
	if (r == MAIL_OK && place->kind != PLACE_FOLDER) {
		why_set(why, "5.2.0", "there is no such folder");
		r = MAIL_NONEXISTENT;
	}
	return r;
}

/* RFC 6154 section 5.4: a use belongs to one folder, and is one we know. */
static enum mail_result
check_special(struct mail_account *a, const char *folder, const char *entry,
    struct span value, struct why *why)
{
	const struct mail_metadata *m = a->tree->metadata;
	unsigned int use;
	const char *owner;

	if (value.p == NULL || strcmp(entry, METADATA_SPECIAL_USE) != 0)
		return MAIL_OK;
	use = special_use_parse(value);
	owner = mail_metadata_special_owner(m, use);
	if (use != 0 && folder[0] != '\0' &&
	    (owner == NULL || strcmp(owner, folder) == 0))
		return MAIL_OK;
	why_set(why, "5.2.0", "this special use cannot be given");
	return MAIL_NOT_ALLOWED;
}

static enum mail_result
set(struct mail_account *a, const char *folder, const char *entry,
    struct span value, struct why *why)
{
	struct mail_tree *t = a->tree;
	enum mail_result r = mail_metadata_read(t->metadata, t->control, why);

	if (r == MAIL_OK)
		r = check_special(a, folder, entry, value, why);
	if (r == MAIL_OK)
		r = mail_metadata_put(t->metadata, folder, entry, value, why);
	if (r == MAIL_OK)
		r = mail_metadata_write(t->metadata, t->control, why);
	return r;
}

enum mail_result
mail_metadata_set(struct mail_account *a, struct span folder, const char *entry,
    struct span value, struct why *why)
{
	struct mail_place place = { 0 };
	enum mail_result r = mail_tree_lock(a->tree, why);

	if (r != MAIL_OK)
		return r;
	r = find(a, folder, &place, why);
	if (r == MAIL_OK)
		r = set(a, place.name, entry, value, why);
	mail_place_fini(&place);
	mail_tree_unlock(a->tree);
	return r;
}

/* A copy of what there is, because the visit may wait. */
struct taken {
	struct arena *memory;
	struct taken_entry {
		const char *name;
		struct span value;
	} * all;
	size_t count;
};

static bool
take(void *with, const char *entry, struct span value)
{
	struct taken *t = with;

	/* what is ours alone */
	if (strncmp(entry, "/posthaste/", 11) == 0)
		return true;
	t->all = mem_resize(t->all, (t->count + 1) * sizeof(*t->all));
	t->all[t->count].name = arena_text(t->memory, entry);
	t->all[t->count++].value =
	    (struct span){ arena_span(t->memory, value), value.n };
	return true;
}

static int
compare(const void *left, const void *right)
{
	const struct taken_entry *a = left, *b = right;

	return strcmp(a->name, b->name);
}

enum mail_result
mail_metadata_each(struct mail_account *a, struct span folder,
    mail_metadata_visit *visit, void *with, struct why *why)
{
	struct taken t = { 0 };
	struct mail_place place = { 0 };
	enum mail_result r = find(a, folder, &place, why);

	if (r == MAIL_OK)
		r = mail_metadata_read(a->tree->metadata, a->tree->control,
		    why);
	if (r == MAIL_OK) {
		t.memory = arena_new();
		mail_metadata_walk(a->tree->metadata, place.name, take, &t);
		if (t.count > 0)
			qsort(t.all, t.count, sizeof(*t.all), compare);
		for (size_t i = 0; i < t.count; i++)
			if (!visit(with, t.all[i].name, t.all[i].value))
				break;
		arena_free(&t.memory);
	}
	free(t.all);
	mail_place_fini(&place);
	return r;
}
