/* SPDX-License-Identifier: ISC */
#include "tools/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/log/log.h"

static const struct {
	const char *suffix;
	const char *program;
} kinds[] = {
	{ ".gz", "gzip" },
	{ ".bz2", "bzip2" },
	{ ".xz", "xz" },
	{ ".zst", "zstd" },
};

static noreturn void
unreadable(const char *path)
{
	fatal_status(EX_NOINPUT, "cannot read the log %s: %s", path,
	    strerror(errno));
}

/* The program that unpacks it; NULL: none is needed. */
static const char *
unpacker(const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t end = strlen(kinds[i].suffix);

		if (n > end && strcmp(path + n - end, kinds[i].suffix) == 0)
			return kinds[i].program;
	}
	return NULL;
}

static noreturn void
become_unpacker(const char *program, int from, int to)
{
	if (dup2(from, STDIN_FILENO) >= 0 && dup2(to, STDOUT_FILENO) >= 0)
		execlp(program, program, "-dc", (char *)NULL);
	_exit(127);
}

/* The file's text through the program. */
static void
unpack(struct log_file *f, const char *program, int from)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		unreadable(f->path);
	f->unpacker = fork();
	if (f->unpacker < 0)
		unreadable(f->path);
	if (f->unpacker == 0)
		become_unpacker(program, from, ends[1]);
	close(ends[1]);
	close(from);
	f->text = fdopen(ends[0], "r");
}

/* Standard input, from its beginning. */
static FILE *
input(void)
{
	static FILE *copy;
	char part[65536];
	size_t n;

	if (copy == NULL && fseek(stdin, 0, SEEK_SET) == 0)
		copy = stdin;
	if (copy == NULL) {
		copy = tmpfile();
		if (copy == NULL)
			unreadable("-");
		while ((n = fread(part, 1, sizeof(part), stdin)) > 0)
			if (fwrite(part, 1, n, copy) != n)
				unreadable("-");
	}
	rewind(copy);
	return copy;
}

void
log_file_open(struct log_file *f, const char *path)
{
	const char *program = unpacker(path);
	int fd;

	*f = (struct log_file){ .path = path };
	if (strcmp(path, "-") == 0) {
		f->text = input();
		return;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		unreadable(path);
	if (program != NULL)
		unpack(f, program, fd);
	else
		f->text = fdopen(fd, "r");
	if (f->text == NULL)
		unreadable(path);
}

void
log_file_close(struct log_file *f)
{
	bool whole = feof(f->text) != 0;
	int status;

	if (strcmp(f->path, "-") == 0)
		return;
	fclose(f->text);
	if (f->unpacker == 0 || waitpid(f->unpacker, &status, 0) < 0)
		return;
	if (whole && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		fatal_status(EX_NOINPUT, "cannot read the log %s: %s failed",
		    f->path, unpacker(f->path));
}
