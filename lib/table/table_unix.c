/* SPDX-License-Identifier: ISC */
/*
 * unix:passwd.byname and unix:group.byname: the system's accounts, as lines
 * of passwd(5) and group(5), through the name service switch.
 */
#include "lib/table/type.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

enum { RECORD_FIRST = 4096, RECORD_MAX = 1 << 20 };

/* One question; *found says whether there is such a name. An errno or 0. */
typedef int
ask(const char *name, char *room, size_t size, struct buf *value, bool *found);

static int
ask_passwd(const char *name, char *room, size_t size, struct buf *value,
    bool *found)
{
	struct passwd record;
	struct passwd *p = NULL;
	int error = getpwnam_r(name, &record, room, size, &p);

	*found = p != NULL;
	if (p != NULL)
		buf_printf(value, "%s:%s:%ld:%ld:%s:%s:%s", p->pw_name,
		    p->pw_passwd, (long)p->pw_uid, (long)p->pw_gid, p->pw_gecos,
		    p->pw_dir, p->pw_shell);
	return error;
}

static int
ask_group(const char *name, char *room, size_t size, struct buf *value,
    bool *found)
{
	struct group record;
	struct group *g = NULL;
	int error = getgrnam_r(name, &record, room, size, &g);

	*found = g != NULL;
	if (g == NULL)
		return error;
	buf_printf(value, "%s:%s:%ld:", g->gr_name, g->gr_passwd,
	    (long)g->gr_gid);
	for (size_t i = 0; g->gr_mem[i] != NULL; i++)
		buf_printf(value, "%s%s", i ? "," : "", g->gr_mem[i]);
	return error;
}

static const struct {
	const char *name;
	ask *ask;
} maps[] = {
	{ "passwd.byname", ask_passwd },
	{ "group.byname", ask_group },
};

enum { MAPS = sizeof(maps) / sizeof(maps[0]) };

/*
 * Sources of accounts in nsswitch.conf(5) that are files, or a daemon behind
 * a UNIX socket. Others (nis, ldap) connect by themselves.
 */
static bool
is_near(struct span source)
{
	static const char *const near[] = { "files", "compat", "db", "systemd",
		"sss", "extrausers", "winbind", "cache", "passwd_compat" };

	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++)
		if (span_is(source, near[i]))
			return true;
	return source.n == 0 || source.p[0] == '[' || source.p[0] == '#';
}

static bool
accounts_are_far(void)
{
	FILE *f = fopen("/etc/nsswitch.conf", "re");
	char line[1024];
	bool far = false;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		struct span rest = span_trim(span_of(line)), word;

		rest = span_take(rest, span_find(rest, '#'));
		if (!span_starts(rest, "passwd:") &&
		    !span_starts(rest, "group:"))
			continue;
		rest = span_skip(rest, span_find(rest, ':') + 1);
		while (span_cut(&rest, " \t", true, &word))
			far |= !is_near(word);
	}
	if (f != NULL)
		fclose(f);
	return far;
}

void
table_needs_accounts(void)
{
	if (accounts_are_far())
		table_speaks_to_servers();
}

static bool
open_unix(struct table *t, struct span argument, struct buf *error)
{
	size_t i = 0;

	while (i < MAPS && !span_is(argument, maps[i].name))
		i++;
	if (i == MAPS) {
		buf_printf(error, "unknown table: %s", t->name);
		return false;
	}
	table_needs_accounts();
	t->state = mem_new(sizeof(i));
	memcpy(t->state, &i, sizeof(i));
	return true;
}

/*
 * The switch gives the error of its last module, "no such file" for one
 * that is listed and not installed. That is "not found" where the accounts
 * can be read at all. EPERM is not among these errors: that may be our own
 * confinement.
 */
static bool
means_not_found(int error)
{
	char room[RECORD_FIRST];
	struct passwd record;
	struct passwd *root = NULL;

	if (error != ENOENT && error != ESRCH && error != EBADF)
		return false;
	return getpwuid_r(0, &record, room, sizeof(room), &root) == 0 &&
	    root != NULL;
}

static enum table_result
lookup(struct table *t, struct span key, struct buf *value)
{
	size_t which = *(size_t *)t->state;
	size_t size = RECORD_FIRST;
	char *name;
	char *room = NULL;
	bool found = false;
	int error;

	if (span_find(key, '\0') < key.n)
		return TABLE_NONE;
	name = mem_span_text(key);
	do {
		buf_reset(value);
		room = mem_resize(room, size);
		error = maps[which].ask(name, room, size, value, &found);
		size *= 2;
	} while (error == EINTR || (error == ERANGE && size <= RECORD_MAX));
	free(room);
	free(name);
	if (found)
		return TABLE_FOUND;
	if (error == 0 || means_not_found(error))
		return TABLE_NONE;
	buf_printf(value, "table %s: %s", t->name, strerror(error));
	return TABLE_AGAIN;
}

static void
close_unix(struct table *t)
{
	free(t->state);
}

const struct table_ops table_unix_ops = {
	.folds = true,
	.partial = true,
	.open = open_unix,
	.lookup = lookup,
	.close = close_unix,
};
