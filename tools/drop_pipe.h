/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_DROP_PIPE_H
#define TOOLS_DROP_PIPE_H

/* A message on its way from sendmail into postdrop. */

#include <sys/types.h>
#include "lib/queue/drop_file.h"

struct drop_pipe {
	pid_t pid;
	int fd;
	bool broken; /* postdrop listens no more; its exit status says why */
	struct buf out;
};

/* False: the envelope is one that postdrop would refuse; nothing runs. */
bool drop_pipe_start(struct drop_pipe *p, const char *command_directory,
    const struct drop_envelope *e);
void drop_pipe_add(struct drop_pipe *p, struct span content);
/*
 * Ends the message ("whole"), or has postdrop drop it. postdrop's exit
 * status, which is ours: it has said on standard error what was wrong.
 */
int drop_pipe_finish(struct drop_pipe *p, bool whole);

#endif
