/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_LOADED_H
#define LIB_TABLE_LOADED_H

/*
 * A table whose text is read whole and kept in memory in the type's own
 * form. A changed file is read anew and takes the old one's place at once,
 * whole; a reader never sees half of it.
 */

#include "lib/table/table.h"
#include "lib/table/watch.h"

/* Never NULL: what is wrong in the text is left out, with a warning. */
typedef void *loaded_parse(const char *path, struct span text, void *with);
/* For a changed file: frees old, or gives it back because it is better. */
typedef void *
loaded_renew(const char *path, struct span text, void *with, void *old);
typedef void loaded_release(void *data);

enum { LOADED_MAX = 256 << 20 }; /* bytes of such a table's text */

struct loaded {
	bool inlined; /* the text is in the name: nothing to watch */
	const char *noun; /* for errors: "database ", or NULL */
	struct watch watch;
	struct watch_stamp stamp;
	loaded_parse *parse;
	loaded_renew *renew; /* NULL: release, then parse */
	loaded_release *release;
	void *with; /* for parse */
	void *data; /* NULL: not to be had */
	struct buf error; /* why not */
};

/*
 * parse, release and with are set; reads at once if it can. Instead of a path
 * there may be the lines themselves, "{{line}, {line}}": false with *error
 * when the braces are wrong, and nothing to close.
 */
bool loaded_open(struct loaded *l, const char *path, struct buf *error);
void loaded_close(struct loaded *l);
/*
 * Takes a change up. TABLE_FOUND: l->data can be used until the next call.
 * TABLE_AGAIN with *why: there is no file, or no right to it.
 */
enum table_result loaded_look(struct loaded *l, struct buf *why);

/*
 * The text behind an open descriptor, and what fstat(2) says of it. Of what is
 * larger than *text may be nothing is read, of a device little: EFBIG. What is
 * no file, as a FIFO, is EINVAL. 0 or an errno.
 */
int loaded_read(int fd, struct stat *st, struct buf *text);
/* What an errno of these says of a table's file. */
const char *loaded_error(int error);
/* For types that hold more than one file: the text of one. 0 or an errno. */
int
loaded_text(const struct watch *w, struct watch_stamp *stamp, struct buf *text);

#endif
