/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_READ_AHEAD_H
#define LIB_STORE_READ_AHEAD_H

/*
 * Small files that are going to be wanted in this order, read by a second
 * thread while the first one works on those before.
 *
 * The thread opens, reads and closes files of one directory, and does nothing
 * else but the work that it was given for each: all that is decided is the
 * first one's. Who comes to a file that nobody has begun to read reads it
 * himself, and who comes to one that is being read reads others behind it
 * meanwhile, so that neither waits while there is something to do. At most 1 MB
 * is under way; then the thread sleeps until some of it is taken. It ends with
 * read_ahead_free.
 *
 * It is a hint: whatever is not as it was expected (a file that is gone, or of
 * another length) is not given, and the caller opens it as ever.
 *
 *	read_ahead_put		as many as there is room for
 *	read_ahead_go		and then, once
 *	read_ahead_take		each, as it is needed; then put again
 *
 * Who goes through a mailbox uses mailbox_read_ahead of mailbox.h instead, and
 * finds the bytes by mailbox_fetch_start.
 *
 * SECURITY: the thread is made after the process has given up its rights, and
 * has none of its own: user, root directory, Landlock and system call filter
 * are those of who made it. The promise "threads" is needed for it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "lib/base/span.h"

enum {
	READ_AHEAD_FILE_MAX = 128 * 1024, /* larger ones are not read so */
	READ_AHEAD_AIM = 64, /* under way, that is enough */
	READ_AHEAD_FEW = 32, /* and below that more should be put */
	READ_AHEAD_LEAST = 64, /* for fewer files it is not worth while */
	READ_AHEAD_RUN = 16, /* read one after the other before */
};

struct read_ahead;

/*
 * What is to be done with each file as soon as it is read, by whichever thread
 * has read it: so it must touch nothing but its "with", of which there is one
 * for the first thread and one for the second, and what nobody changes. It
 * writes at most "room" bytes, and says how many.
 */
struct read_ahead_work {
	size_t (*run)(void *with, struct span text, char *to, size_t room);
	void *with[2];
	size_t least; /* room for each, and as much more as the file is long */
};

struct read_ahead_file {
	struct span text; /* until the next put or take */
	struct span made; /* by the work, likewise */
	bool times; /* they were asked for: */
	struct timespec modified, changed;
};

/*
 * The directory's descriptor stays the caller's. "work" is copied, and may be
 * NULL. NULL: there is one processor
 * only, or two of them are at work in this process, or there can be no thread.
 */
struct read_ahead *
read_ahead_new(int directory, const struct read_ahead_work *work);
void read_ahead_free(struct read_ahead **r); /* NULL is fine */
/*
 * "size": what it must be of; "times": those are wanted. False: there is no
 * room now, or never for one so large.
 */
bool
read_ahead_put(struct read_ahead *r, const char *name, size_t size, bool times);
/*
 * Wakes the thread, if it sleeps, to read what was put. Not with each file: who
 * wakes it and goes on would meet it asleep again each time.
 */
void read_ahead_go(struct read_ahead *r);
/* What was put and not taken, which nobody is going to ask for. */
void read_ahead_forget(struct read_ahead *r);
/* How many were put that nobody took. */
size_t read_ahead_waiting(const struct read_ahead *r);
/*
 * The file of this name; those that were put before it are forgotten. False:
 * it was not put, or is not what was expected.
 */
bool read_ahead_take(struct read_ahead *r, const char *name,
    struct read_ahead_file *out);

#endif
