/* SPDX-License-Identifier: ISC */
#include "lib/base/process.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fdio.h"

static pid_t known; /* 0: not yet */

static void
forget(void)
{
	known = 0;
}

pid_t
process_id(void)
{
	static bool watched;

	if (known != 0)
		return known;
	/* without that, each call asks */
	if (!watched && pthread_atfork(NULL, NULL, forget) != 0)
		return getpid();
	watched = true;
	known = getpid();
	return known;
}

const char *
process_boot_id(void)
{
	static char boot[BOOT_ID_SIZE];
	ssize_t n;
	int fd;

	if (boot[0] != '\0')
		return boot;
	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	n = fd == -1 ? 0 : read(fd, boot, sizeof(boot) - 1);
	fd_close(&fd);
	if (n <= 0 || boot[n - 1] != '\n')
		n = 1; /* not the whole of it: none */
	memset(boot + n - 1, 0, sizeof(boot) - (size_t)n + 1);
	return boot;
}
