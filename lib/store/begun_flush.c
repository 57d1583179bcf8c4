/* SPDX-License-Identifier: ISC */
#include "lib/store/begun_flush.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/base/thread.h"

struct begun_flush {
	struct maildir_folder folder;
	pthread_t thread;
	int error; /* of errno; the thread's until that has ended */
};

static void *
flush(void *with)
{
	struct begun_flush *b = with;

	b->error = maildir_folder_flush_names(&b->folder) == 0 ? 0 : errno;
	return NULL;
}

struct begun_flush *
begun_flush_new(const struct maildir_folder *folder)
{
	struct begun_flush *b = mem_new(sizeof(*b));

	b->folder = *folder;
	if (!thread_start(&b->thread, flush, b)) {
		free(b);
		return NULL;
	}
	return b;
}

int
begun_flush_end(struct begun_flush **bp)
{
	struct begun_flush done;

	if (*bp == NULL)
		return 0;
	(void)pthread_join((*bp)->thread, NULL);
	done = **bp;
	free(*bp);
	*bp = NULL;
	errno = done.error;
	return done.error == 0 ? maildir_folder_flushed(&done.folder) : -1;
}
