/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_LOG_FILE_H
#define TOOLS_LOG_FILE_H

/*
 * A log to be read several times from its beginning: a file, a packed one
 * (.gz, .bz2, .xz, .zst, through the program of that kind, no shell between),
 * or "-", standard input, which is kept in a file without a name if it
 * cannot be read twice. What cannot be read is fatal, with exit status 66.
 */

#include <stdio.h>
#include <sys/types.h>

struct log_file {
	FILE *text; /* for getline(3) */
	const char *path;
	pid_t unpacker; /* 0: none */
};

void log_file_open(struct log_file *f, const char *path);
void log_file_close(struct log_file *f);

#endif
