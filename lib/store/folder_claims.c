/* SPDX-License-Identifier: ISC */
#include "lib/store/folder_claims.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/hash_table.h"
#include "lib/base/mem.h"

struct claim {
	unsigned char id[MAIL_INDEX_ID];
	char *name;
	UT_hash_handle hh;
};

struct folder_claims {
	struct claim *all;
};

static struct claim *
find(const struct folder_claims *c, const unsigned char id[MAIL_INDEX_ID])
{
	struct claim *found = NULL;

	if (c != NULL)
		HASH_FIND(hh, c->all, id, MAIL_INDEX_ID, found);
	return found;
}

static void
add(struct folder_claims *c, const unsigned char id[MAIL_INDEX_ID],
    const char *name)
{
	struct claim *new;

	if (HASH_COUNT(c->all) >= FOLDER_CLAIMS_MAX)
		return;
	new = mem_new(sizeof(*new));
	memcpy(new->id, id, MAIL_INDEX_ID);
	new->name = mem_text(name);
	HASH_ADD(hh, c->all, id, MAIL_INDEX_ID, new);
}

void
folder_claims_note(struct folder_claims **c,
    const unsigned char id[MAIL_INDEX_ID], const char *name)
{
	struct claim *old = find(*c, id);

	if (*c == NULL)
		*c = mem_new(sizeof(**c));
	if (old == NULL) {
		add(*c, id, name);
	} else if (strcmp(old->name, name) != 0) {
		free(old->name);
		old->name = mem_text(name);
	}
}

const char *
folder_claims_name(const struct folder_claims *c,
    const unsigned char id[MAIL_INDEX_ID])
{
	const struct claim *found = find(c, id);

	return found == NULL ? NULL : found->name;
}

void
folder_claims_free(struct folder_claims **c)
{
	if (*c == NULL)
		return;
	while ((*c)->all != NULL) {
		struct claim *first = (*c)->all;

		HASH_DEL((*c)->all, first);
		free(first->name);
		free(first);
	}
	free(*c);
	*c = NULL;
}
