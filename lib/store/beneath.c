/* SPDX-License-Identifier: ISC */
#include "lib/store/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/base/span.h"

bool
beneath_valid(const char *path)
{
	struct span rest = span_of(path), part;

	if (rest.n == 0 || path[0] == '/')
		return false;
	for (const char *p = path; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	while (span_cut(&rest, "/", false, &part))
		if (part.n == 0 || span_is(part, ".") || span_is(part, ".."))
			return false;
	return true;
}

static int
open_at(int at, struct span name, int flags, mode_t mode)
{
	char *text = mem_span_text(name);
	int fd = openat(at, text, flags | O_NOFOLLOW | O_CLOEXEC, mode);

	free(text);
	return fd;
}

/* Without openat2: part by part, and no link is followed. */
static int
walk(int base, struct span path, int flags, mode_t mode)
{
	int at = openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC), next;

	while (at >= 0 && span_find(path, '/') < path.n) {
		size_t n = span_find(path, '/');

		if (n + 1 == path.n) {
			path.n = n;
			flags |= O_DIRECTORY;
			break;
		}
		next = open_at(at, span_take(path, n), O_PATH | O_DIRECTORY, 0);
		fd_close(&at);
		at = next;
		path = span_skip(path, n + 1);
	}
	if (at < 0)
		return -1;
	next = open_at(at, path, flags, mode);
	fd_close(&at);
	return next;
}

int
beneath_open(int base, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned int)flags | O_CLOEXEC,
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	if (!beneath_valid(path)) {
		errno = EINVAL;
		return -1;
	}
	fd = syscall(SYS_openat2, base, path, &how, sizeof(how));
	/* an old kernel, or a container's filter that does not know it */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return walk(base, span_of(path), flags, mode);
	return (int)fd;
}

int
beneath_make(int base, const char *path, mode_t mode)
{
	struct span whole = span_of(path);
	int at = openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC), next;
	size_t done = 0;

	if (!beneath_valid(path)) {
		fd_close(&at);
		errno = EINVAL;
		return -1;
	}
	while (at >= 0 && done < whole.n) {
		size_t n = span_find(span_skip(whole, done), '/');
		char *name =
		    mem_span_text(span_take(span_skip(whole, done), n));
		char *so_far = mem_span_text(span_take(whole, done + n));

		next = -1;
		if (mkdirat(at, name, mode) == 0 || errno == EEXIST)
			next =
			    beneath_open(base, so_far, O_PATH | O_DIRECTORY, 0);
		free(name);
		free(so_far);
		fd_close(&at);
		at = next;
		done += n + 1;
	}
	if (at < 0)
		return -1;
	fd_close(&at);
	return 0;
}
