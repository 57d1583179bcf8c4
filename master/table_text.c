/* SPDX-License-Identifier: ISC */
#include "master/table_text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/table/source.h"

enum { TEXT_MAX = 4 << 20 };

struct visiting {
	table_text_visit *visit;
	void *with;
	const char *path;
};

static bool
read_text(const char *path, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	bool done = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size <= TEXT_MAX &&
	    (st.st_uid == 0 || st.st_uid == geteuid()) &&
	    fd_read_whole(fd, text) == 0;

	fd_close(&fd);
	return done;
}

static void
pass_on(void *with, struct span key, struct span value, unsigned int line)
{
	const struct visiting *v = with;

	(void)key;
	v->visit(v->with, v->path, line, span_trim(value));
}

void
table_text_each(struct span spec, table_text_visit *visit, void *with)
{
	static const char *const types[] = { "btree", "cdb", "hash", "lmdb",
		"texthash" };
	struct span type;
	char *path;
	struct buf text = BUF_INIT(TEXT_MAX);
	bool known = false;

	while (span_starts(spec, "proxy:"))
		spec = span_skip(spec, sizeof("proxy:") - 1);
	type = span_take(spec, span_find(spec, ':'));
	path = mem_span_text(span_skip(spec, type.n + 1));
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		known |= span_is(type, types[i]);
	if (known && read_text(path, &text))
		(void)source_read(path, buf_span(&text),
		    &(struct source_how){ .syntax = SOURCE_MAP,
			.silent = true },
		    pass_on, &(struct visiting){ visit, with, path });
	buf_fini(&text);
	free(path);
}
