/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_COMMAND_H
#define LOCAL_COMMAND_H

/*
 * Handing a message to a command of the machine's people.
 *
 * The command starts as the given user for good, with descriptors 0, 1 and 2
 * and no others, in a process group of its own that is killed when the time
 * is over, with exactly the environment that is given.
 */

#include <sys/types.h>

#include "lib/base/why.h"
#include "lib/store/deliver_copy.h"

struct command {
	char **argv; /* NULL: use text */
	const char *text; /* of a shell; run directly where it needs none */
	const char *shell; /* "/bin/sh -c"; "" : /bin/sh, where needed */
	char **environment; /* NULL-terminated */
	const char *user; /* for its groups; NULL: only gid */
	uid_t uid;
	gid_t gid;
	bool root; /* we are root, and become uid and gid */
	const char *directory; /* working directory */
	const char *chroot; /* or NULL */
	off_t file_limit; /* largest file it may write; 0: none */
	int64_t limit_s;

	const struct deliver_source *source;
	const char *line_end;
	bool quote_from; /* ">" before "From " */
	bool dot_stuff; /* "." before "." */
	const char *before; /* text before the message ("From ..."), or NULL */
	const char *after; /* text behind it, or NULL */
};

enum { COMMAND_OUTPUT_MAX = 900 };

/*
 * Runs it and says what its exit means: sysexits(3) codes, or what the
 * output says if it begins with an enhanced code of class 4 or 5. OK leaves
 * *why alone; "output" has the first of what it wrote, on one line.
 */
enum verdict
command_run(const struct command *c, struct buf *output, struct why *why);
/* May it run without a shell? Only plain characters, and no built-in. */
bool command_is_plain(const char *text);

#endif
