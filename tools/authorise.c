/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: runs in set-gid commands, before anything is done for the caller.
 * Who cannot be told to be allowed is not.
 */
#include "tools/authorise.h"

#include <pwd.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/log/log.h"
#include "lib/table/table.h"

void
authorise(const char *setting, const char *allowed, const char *what)
{
	struct buf error = BUF_INIT(4096);
	struct passwd *user = getpwuid(getuid());
	struct match_list *l;
	char name[64];

	snprintf(name, sizeof(name), "%s", user ? user->pw_name : "unknown");
	l = match_list_open(allowed, MATCH_TEXT, &error);
	if (l == NULL)
		fatal_status(EX_CONFIG, "%s: %s", setting, buf_text(&error));
	if (match_list_match(l, span_of(name), &error) != TABLE_FOUND)
		fatal_status(EX_NOPERM, "User %s(%ld) is not allowed to %s",
		    name, (long)getuid(), what);
	match_list_free(&l);
	buf_fini(&error);
}
