/* SPDX-License-Identifier: ISC */
#include "local/person.h"

#include <errno.h>
#include <pwd.h>

static const struct person *
copy(struct arena *a, const struct passwd *pw)
{
	struct person *p = arena_alloc(a, sizeof(*p));

	p->name = arena_text(a, pw->pw_name);
	p->uid = pw->pw_uid;
	p->gid = pw->pw_gid;
	p->home = arena_text(a, pw->pw_dir);
	p->shell = arena_text(a, pw->pw_shell);
	return p;
}

enum verdict
person_by_name(struct arena *a, const char *name, const struct person **found,
    struct why *why)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	*found = pw != NULL ? copy(a, pw) : NULL;
	/* getpwnam(3): these, too, say that there is none */
	if (pw != NULL || errno == 0 || errno == ENOENT || errno == ESRCH ||
	    errno == EBADF || errno == EPERM)
		return OK;
	return why_errno(why, "4.3.0", "user lookup error for %s", name);
}

const struct person *
person_by_uid(struct arena *a, uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	return pw != NULL ? copy(a, pw) : NULL;
}
