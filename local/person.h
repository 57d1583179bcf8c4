/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_PERSON_H
#define LOCAL_PERSON_H

/* Users of this machine, as their entry in the password database says. */

#include <sys/types.h>

#include "lib/base/mem.h"
#include "lib/base/why.h"

struct person {
	const char *name;
	uid_t uid;
	gid_t gid;
	const char *home;
	const char *shell;
};

/*
 * OK with *found NULL: there is no such user. LATER: the database does not
 * answer.
 */
enum verdict person_by_name(struct arena *a, const char *name,
    const struct person **found, struct why *why);
/* NULL: nobody has this uid. */
const struct person *person_by_uid(struct arena *a, uid_t uid);

#endif
