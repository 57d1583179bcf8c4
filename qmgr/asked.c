/* SPDX-License-Identifier: ISC */
#include "qmgr/asked.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/log/log.h"

#define PATH "pid/qmgr.asked"

static int file = -1;

void
asked_open(void)
{
	file = open(PATH, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file == -1)
		fatal("cannot open %s: %m", PATH);
}

/* Killed in between it leaves more than was asked for, not less. */
void
asked_write(struct span lines)
{
	if (file != -1 &&
	    (pwrite(file, lines.p, lines.n, 0) != (ssize_t)lines.n ||
		ftruncate(file, (off_t)lines.n) == -1))
		log_warning("cannot write %s: %m", PATH);
}

void
asked_read(struct buf *lines)
{
	char piece[4096];
	off_t at = 0;
	ssize_t n;

	while (file != -1 && (n = pread(file, piece, sizeof(piece), at)) > 0) {
		buf_add(lines, piece, (size_t)n);
		at += n;
	}
}
