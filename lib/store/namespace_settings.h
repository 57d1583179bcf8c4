/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_NAMESPACE_SETTINGS_H
#define LIB_STORE_NAMESPACE_SETTINGS_H

/*
 * What mail_shared_prefix, mail_public_folders ("Public =
 * maildir:/srv/mail/public", with commas between) and mail_public_owners say.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/why.h"

enum { PUBLIC_TREES_MAX = 32, PUBLIC_OWNERS_MAX = 64 };

struct namespace_settings {
	char separator;
	char *shared_name; /* "shared", or NULL: nothing is shared */
	char *shared; /* "shared/" */
	struct {
		char *name; /* one level */
		char *location;
	} trees[PUBLIC_TREES_MAX];
	size_t count;
	char *owners[PUBLIC_OWNERS_MAX + 1]; /* of all trees; NULL at the end */
};

/* The texts of the three settings. */
struct namespace_texts {
	const char *shared_prefix, *public_folders, *public_owners;
};

/* False with *why, and *setting naming the wrong one. Fini in any case. */
bool
namespace_settings_parse(const struct namespace_texts *texts, char separator,
    struct namespace_settings *out, const char **setting, struct why *why);
void namespace_settings_fini(struct namespace_settings *s);

#endif
