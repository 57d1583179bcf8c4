/* SPDX-License-Identifier: ISC */
#include "lib/table/module_load.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"

const char *const module_types[] = {
	"ldap",
	"mysql",
	"pgsql",
	"redis",
	"sqlite",
	NULL,
};

enum { TYPES = sizeof(module_types) / sizeof(module_types[0]) - 1 };

/* Process lifetime; in the order of module_types. */
static const struct table_module *loaded[TYPES];

/* Nobody but root, or who runs this, can have written it. */
static bool
trusted(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & 022) == 0 &&
	    (st.st_uid == 0 || st.st_uid == geteuid());
}

static bool
is_set_id(void)
{
	return getauxval(AT_SECURE) != 0;
}

/* The daemons' folder seen from the executable: its own, or ../libexec. */
static char *
beside_executable(const char *type, const char *way)
{
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (n <= 0)
		return NULL;
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	if (slash == NULL)
		return NULL;
	*slash = '\0';
	return mem_printf("%s/%s/table_%s.so", exe, way, type);
}

/* NULL: there is none. */
static char *
find(const char *type)
{
	static const char *const ways[] = { ".", "../libexec/posthaste" };
	char *path;

	if (is_set_id())
		return NULL;
	path = mem_printf("%s/table_%s.so", DAEMON_DIRECTORY, type);
	for (size_t i = 0; i < 2 && path != NULL && !trusted(path); i++) {
		free(path);
		path = beside_executable(type, ways[i]);
	}
	if (path != NULL && !trusted(path)) {
		free(path);
		path = NULL;
	}
	return path;
}

bool
module_type(struct span type)
{
	for (size_t i = 0; i < TYPES; i++)
		if (span_is(type, module_types[i]))
			return true;
	return false;
}

bool
module_installed(const char *type)
{
	char *path = find(type);
	bool there = path != NULL;

	free(path);
	return there;
}

static const struct table_module *
open_module(const char *type, const char *path, struct buf *error)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct table_module *m;

	if (handle == NULL) {
		buf_printf(error, "%s", dlerror());
		return NULL;
	}
	m = dlsym(handle, TABLE_MODULE_SYMBOL);
	if (m == NULL || m->abi != TABLE_MODULE_ABI ||
	    strcmp(m->type, type) != 0) {
		buf_printf(error, "%s is a module of another release", path);
		dlclose(handle);
		return NULL;
	}
	if (m->prepare != NULL)
		m->prepare();
	return m;
}

const struct table_module *
module_load(const char *type, struct buf *error)
{
	size_t i = 0;
	char *path;

	while (i < TYPES && strcmp(module_types[i], type) != 0)
		i++;
	if (i == TYPES)
		return NULL;
	if (loaded[i] != NULL)
		return loaded[i];
	path = find(type);
	if (is_set_id())
		buf_printf(error,
		    "tables of type %s are not available to set-gid commands",
		    type);
	else if (path == NULL)
		buf_printf(error,
		    "unsupported dictionary type: %s: its module is not "
		    "installed: install the package posthaste-%s",
		    type, type);
	else
		loaded[i] = open_module(type, path, error);
	free(path);
	return loaded[i];
}
