/* SPDX-License-Identifier: ISC */
/* A path name by name, as the kernel would take it, and whose each step is. */
#include "lib/login/root_path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"

enum { STEPS_MAX = 256 }; /* names, and those in links */

/* None but root puts another thing in the place of what is in it. */
static bool
is_kept_by_root(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == 0 &&
	    ((st.st_mode & 022) == 0 || (st.st_mode & S_ISVTX) != 0);
}

/* A link that fd is: what it says comes before what is left of the way. */
static bool
follow(int fd, char **left)
{
	char text[PATH_MAX], *whole;
	ssize_t n = readlinkat(fd, "", text, sizeof(text));

	if (n <= 0 || (size_t)n >= sizeof(text))
		return false;
	whole = mem_printf("%.*s/%s", (int)n, text, *left);
	free(*left);
	*left = whole;
	return true;
}

/* One name of the way further; -1 where it is not root's. */
static void
go_on(int *at, char **left)
{
	const char *first = *left + strspn(*left, "/");
	size_t n = strcspn(first, "/");
	char *name = mem_printf("%.*s", (int)n, first);
	char *rest = mem_text(first + n);
	struct stat st = { .st_uid = 0 };
	int fd = -1;
	bool good;

	if (is_kept_by_root(*at))
		fd = openat(*at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	free(name);
	free(*left);
	*left = rest;
	good = fd != -1 && fstat(fd, &st) == 0 && st.st_uid == 0;
	if (good && S_ISLNK(st.st_mode)) {
		good = follow(fd, left);
		fd_close(&fd);
		fd = (*left)[0] == '/' ? open("/", O_PATH | O_CLOEXEC) :
					 fcntl(*at, F_DUPFD_CLOEXEC, 0);
	}
	fd_close(at);
	*at = fd;
	if (!good)
		fd_close(at);
}

int
root_path_open(const char *path)
{
	char *left = mem_text(path);
	int at = open("/", O_PATH | O_CLOEXEC);

	for (int i = 0; at != -1 && left[strspn(left, "/")] != '\0'; i++)
		if (i == STEPS_MAX)
			fd_close(&at);
		else
			go_on(&at, &left);
	free(left);
	return at;
}
