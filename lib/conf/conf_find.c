/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: set-gid commands run this before anything else, with an
 * environment, arguments and an executable name (a hard link) of the
 * caller's choice. They take a directory of the caller's only when the
 * built-in configuration names it.
 */
#include "lib/conf/conf_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/log/log.h"

static bool
privileged(void)
{
	/* root wins nothing by a set-gid bit */
	if (getuid() == 0 && geteuid() == 0)
		return false;
	return getauxval(AT_SECURE) != 0 || getuid() != geteuid() ||
	    getgid() != getegid();
}

static bool
listed(struct conf *c, const char *name, const char *directory)
{
	const char *list = conf_value(c, name);
	struct span rest = span_of(list ? list : ""), item;

	while (conf_list_next(&rest, &item))
		if (span_is(item, directory))
			return true;
	return false;
}

/* May a set-gid command read its settings there? */
static bool
allowed(const char *builtin, const char *directory)
{
	struct buf errors = BUF_INIT(65536);
	struct conf *c;
	bool ok;

	if (strcmp(builtin, directory) == 0)
		return true;
	c = conf_read(builtin, &errors, NULL);
	ok = c != NULL &&
	    (listed(c, "alternate_config_directories", directory) ||
		listed(c, "multi_instance_directories", directory));
	conf_free(&c);
	buf_fini(&errors);
	return ok;
}

static bool
same_owner(const char *executable, const char *directory, const char *file)
{
	struct stat exe, dir, main_cf;

	return stat(executable, &exe) == 0 && stat(directory, &dir) == 0 &&
	    stat(file, &main_cf) == 0 && dir.st_uid == exe.st_uid &&
	    main_cf.st_uid == exe.st_uid && (dir.st_mode & 022) == 0 &&
	    (main_cf.st_mode & 022) == 0;
}

/* BIN/../etc when a main.cf is there; for trees that may be moved. */
static char *
beside_executable(void)
{
	char exe[4096], *slash, *directory, *file;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	bool found;

	if (n <= 0)
		return NULL;
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	if (slash == NULL || slash == exe)
		return NULL;
	*slash = '\0';
	slash = strrchr(exe, '/');
	if (slash == NULL)
		return NULL;
	*slash = '\0';
	directory = mem_printf("%s/etc", exe);
	file = mem_printf("%s/main.cf", directory);
	found = access(file, F_OK) == 0 &&
	    (!privileged() || same_owner("/proc/self/exe", directory, file));
	free(file);
	if (!found) {
		free(directory);
		return NULL;
	}
	return directory;
}

const char *
conf_builtin_directory(void)
{
	static const char *directory;

	if (directory == NULL)
		directory = beside_executable();
	if (directory == NULL)
		directory = CONFIG_DIRECTORY;
	return directory;
}

const char *
conf_find_directory(const char *option)
{
	static struct arena *kept;
	const char *builtin = conf_builtin_directory();
	const char *asked = option ? option : getenv("MAIL_CONFIG");

	/* of a script whose variable is empty: the usual one is not meant */
	if (option != NULL && option[0] == '\0')
		fatal_status(1, "the configuration directory's name is empty");
	if (asked != NULL && asked[0] != '\0' && privileged() &&
	    !allowed(builtin, asked))
		fatal_status(EX_NOPERM,
		    "unauthorized configuration "
		    "directory name: %.200s",
		    asked);
	if (asked == NULL || asked[0] == '\0')
		return builtin;
	if (kept == NULL)
		kept = arena_new();
	return arena_text(kept, asked);
}
