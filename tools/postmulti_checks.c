/* SPDX-License-Identifier: ISC */
/*
 * What a new instance may not be: one that has something in common with
 * another, or lies where it would take what is somebody else's.
 */
#include "tools/postmulti.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/queue/queue_file.h"

enum { PLACES = 3, CONFIG = 0 };

static const char *const place_names[PLACES] = { "config_directory",
	"queue_directory", "data_directory" };

static const char *
place(const struct mail_instance *i, size_t kind)
{
	const char *const all[PLACES] = { i->directory,
		i->common.queue_directory, i->common.data_directory };

	return all[kind];
}

/* Without symbolic links, as far as the path is there; to be freed. */
static char *
canonical(const char *path)
{
	char *real = realpath(path, NULL), *parent, *slash, *above;

	if (real != NULL)
		return real;
	parent = mem_text(path);
	slash = strrchr(parent, '/');
	if (slash == NULL || slash == parent)
		return parent;
	*slash = '\0';
	above = canonical(parent);
	real = slash[1] == '\0' ? mem_text(above) :
				  mem_printf("%s/%s", above, slash + 1);
	free(above);
	free(parent);
	return real;
}

static bool
is_inside(const char *a, const char *b)
{
	size_t n = strlen(b);

	return strncmp(a, b, n) == 0 && a[n] == '/';
}

/* Files of one are those of the other; configurations may be nested. */
static bool
overlap(const char *a, size_t a_kind, const char *b, size_t b_kind)
{
	char *x = canonical(a), *y = canonical(b);
	bool both = strcmp(x, y) == 0;

	if (a_kind != CONFIG && b_kind != CONFIG)
		both |= is_inside(x, y) || is_inside(y, x);
	free(x);
	free(y);
	return both;
}

noreturn static void
conflict(const struct mail_instance *i, size_t mine,
    const struct mail_instance *other, size_t theirs)
{
	fatal_status(EXIT_FAILURE,
	    "instance %s, %s=%s conflicts with instance %s, %s=%s",
	    i->directory, place_names[mine], place(i, mine), other->directory,
	    place_names[theirs], place(other, theirs));
}

static void
check_against(const struct mail_instance *i, const struct mail_instance *other)
{
	if (overlap(i->directory, CONFIG, other->directory, CONFIG))
		fatal_status(EXIT_FAILURE,
		    "new config_directory=%s is already in use by instance "
		    "%s, config_directory=%s",
		    i->directory, other->directory, other->directory);
	for (size_t mine = 0; mine < PLACES; mine++)
		for (size_t theirs = 0; theirs < PLACES; theirs++)
			if (overlap(place(i, mine), mine, place(other, theirs),
				theirs))
				conflict(i, mine, other, theirs);
}

void
check_unique(const struct instances *all, const struct mail_instance *i)
{
	for (size_t k = 0; k < all->count; k++)
		check_against(i, &all->list[k]);
	for (size_t a = 0; a < PLACES; a++)
		for (size_t b = a + 1; b < PLACES; b++)
			if (overlap(place(i, a), a, place(i, b), b))
				conflict(i, b, i, a);
}

void
check_not_shared(const struct instances *all, const struct mail_instance *i)
{
	for (size_t k = 0; k < all->count; k++) {
		const struct mail_instance *other = &all->list[k];

		for (size_t mine = 0; other != i && mine < PLACES; mine++)
			for (size_t theirs = 0;
			     theirs < (other->places_known ? PLACES : 1);
			     theirs++)
				if (overlap(place(i, mine), mine,
					place(other, theirs), theirs))
					conflict(i, mine, other, theirs);
	}
}

/* It is part of paths, of log lines and of lists in main.cf. */
static bool
is_name(const char *name)
{
	for (const char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("-_.+", *p) == NULL)
			return false;
	return name[0] != '\0';
}

void
check_name(const struct instances *all, const struct mail_instance *i,
    const char *name)
{
	if (strcmp(name, "-") == 0 || name[0] == '\0')
		return;
	if (strncmp(name, "posthaste-", 10) != 0 &&
	    strncmp(name, "postfix-", 8) != 0)
		fatal_status(EXIT_FAILURE,
		    "New instance name must start with 'posthaste-' or "
		    "'postfix-'");
	if (!is_name(name))
		fatal_status(EXIT_FAILURE,
		    "instance name '%s': letters, digits and -_.+ only", name);
	for (size_t k = 0; k < all->count; k++) {
		const struct mail_instance *other = &all->list[k];

		if (other != i && other->conf != NULL &&
		    strcmp(other->common.multi_instance_name, name) == 0)
			fatal_status(EXIT_FAILURE,
			    "instance %s, multi_instance_name=%s conflicts "
			    "with instance %s, multi_instance_name=%s",
			    i->directory, name, other->directory, name);
	}
}

/*
 * Whoever may write a directory above can put something else in the place of
 * what root makes there.
 */
static void
check_above(const char *what, const char *path, const char *real)
{
	char *above = mem_text(real), *slash;
	struct stat st;

	while ((slash = strrchr(above, '/')) != NULL) {
		slash[slash == above ? 1 : 0] = '\0';
		if (stat(above, &st) == 0 &&
		    ((st.st_uid != 0 && st.st_uid != geteuid()) ||
			((st.st_mode & 022) != 0 &&
			    (st.st_mode & S_ISVTX) == 0)))
			fatal_status(EXIT_FAILURE,
			    "%s %s: others than its owner can change %s", what,
			    path, above);
		if (slash == above)
			break;
	}
	free(above);
}

/* Whoever owns the place itself, or may write there, made what is in it. */
static void
check_itself(const char *what, const char *path, const char *real,
    const char *owner)
{
	const struct passwd *user = owner != NULL ? getpwnam(owner) : NULL;
	struct stat st;

	if (lstat(real, &st) < 0) {
		if (errno != ENOENT)
			fatal_status(EXIT_FAILURE, "%s %s: %m", what, path);
		return;
	}
	if (!S_ISDIR(st.st_mode))
		fatal_status(EXIT_FAILURE, "%s %s: this is no directory", what,
		    path);
	if (st.st_uid != 0 && st.st_uid != geteuid() &&
	    (user == NULL || st.st_uid != user->pw_uid))
		fatal_status(EXIT_FAILURE, "%s %s belongs to another user",
		    what, path);
	if ((st.st_mode & 022) != 0)
		fatal_status(EXIT_FAILURE,
		    "%s %s: others than its owner can change it", what, path);
}

char *
check_place(const char *what, const char *path, const char *owner)
{
	char *real;

	if (path[0] != '/')
		fatal_status(EXIT_FAILURE,
		    "Parameter setting '%s' is not an absolute path", what);
	for (const char *p = path; *p != '\0'; p++)
		if (isspace((unsigned char)*p) || iscntrl((unsigned char)*p) ||
		    strchr(",${}", *p) != NULL)
			fatal_status(EXIT_FAILURE,
			    "%s '%s': no blanks, commas, $ or braces, please",
			    what, path);
	real = canonical(path);
	/* where the links to it are, and where it is */
	check_above(what, path, path);
	check_above(what, path, real);
	check_itself(what, path, real, owner);
	return real;
}

/* What is in it; NULL: it is not there yet. */
static DIR *
look_into(const char *what, const char *path)
{
	DIR *dir = opendir(path);

	if (dir == NULL && errno != ENOENT)
		fatal_status(EXIT_FAILURE, "%s %s: %m", what, path);
	return dir;
}

static bool
is_queue_part(const char *name)
{
	const char *part;
	bool mail;

	for (size_t i = 0; (part = queue_directory_name(i, &mail)) != NULL; i++)
		if (strcmp(part, name) == 0)
			return true;
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

void
check_queue_place(const char *path)
{
	DIR *dir = look_into("queue_directory", path);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (!is_queue_part(entry->d_name))
			fatal_status(EXIT_FAILURE,
			    "queue_directory %s: there is %s in it, which is "
			    "no part of a queue of this suite: name a "
			    "directory that is empty, or none that is there",
			    path, entry->d_name);
	if (dir != NULL)
		closedir(dir);
}

/* set-permissions gives it to mail_owner. */
void
check_data_place(const char *path, const char *mail_owner)
{
	DIR *dir = look_into("data_directory", path);
	const struct passwd *owner = getpwnam(mail_owner);
	struct dirent *entry;
	struct stat st;

	if (dir == NULL)
		return;
	if (fstat(dirfd(dir), &st) == 0 &&
	    (geteuid() != 0 ? st.st_uid == geteuid() :
			      owner != NULL && st.st_uid == owner->pw_uid)) {
		closedir(dir);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			fatal_status(EXIT_FAILURE,
			    "data_directory %s belongs to another user than "
			    "%s, and there is %s in it",
			    path, mail_owner, entry->d_name);
	closedir(dir);
}
