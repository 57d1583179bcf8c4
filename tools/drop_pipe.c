/* SPDX-License-Identifier: ISC */
#include "tools/drop_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/log/log.h"

static noreturn void
run(const char *path, int input)
{
	char *argv[] = { mem_text("postdrop"), mem_text("-r"), NULL };

	if (dup2(input, STDIN_FILENO) == STDIN_FILENO)
		execv(path, argv);
	fprintf(stderr, "sendmail: cannot run %s: %s\n", path, strerror(errno));
	_exit(EX_OSERR);
}

static void
flush(struct drop_pipe *p)
{
	if (!p->broken && fd_write_all(p->fd, p->out.p, p->out.n) < 0)
		p->broken = true;
	buf_reset(&p->out);
}

bool
drop_pipe_start(struct drop_pipe *p, const char *command_directory,
    const struct drop_envelope *e)
{
	char *path;
	int ends[2];

	*p = (struct drop_pipe){ .fd = -1 };
	buf_init(&p->out, DROP_ENVELOPE_MAX);
	if (!drop_put_envelope(&p->out, e)) {
		buf_fini(&p->out);
		return false;
	}
	path = mem_printf("%s/postdrop", command_directory);
	if (pipe2(ends, O_CLOEXEC) < 0 || (p->pid = fork()) < 0)
		fatal_status(EX_OSERR, "cannot run postdrop: %s",
		    strerror(errno));
	if (p->pid == 0)
		run(path, ends[0]);
	close(ends[0]);
	p->fd = ends[1];
	free(path);
	flush(p);
	return true;
}

void
drop_pipe_add(struct drop_pipe *p, struct span content)
{
	while (content.n > 0 && !p->broken) {
		struct span part = span_take(content, DROP_CHUNK_MAX);

		drop_put_chunk(&p->out, part.p, part.n);
		flush(p);
		content = span_skip(content, part.n);
	}
}

int
drop_pipe_finish(struct drop_pipe *p, bool whole)
{
	int status;

	if (whole) {
		drop_put_chunk(&p->out, NULL, 0);
		flush(p);
	}
	close(p->fd);
	buf_fini(&p->out);
	while (waitpid(p->pid, &status, 0) < 0)
		if (errno != EINTR)
			return EX_OSERR;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
}
