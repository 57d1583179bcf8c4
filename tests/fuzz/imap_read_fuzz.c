/* SPDX-License-Identifier: ISC */
/*
 * IMAP commands: whatever comes, the reader ends, and every command makes one
 * line of the same form.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "tests/unit/lib/imap/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 60000, TREE_MAX = 1 << 20 };

static void
run(const uint8_t *data, size_t size, struct buf *tree)
{
	struct imap_limits small = imap_limits_session;
	struct stream *io;
	int fd[2];

	small.line = 2000;
	small.literal = 1000;
	small.total = 4000;
	small.args = 50;
	small.depth = 5;
	ensure(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	ensure(size == 0 || write(fd[1], data, size) == (ssize_t)size);
	shutdown(fd[1], SHUT_WR);
	io = stream_new(fd[0]);
	buf_init(tree, TREE_MAX);
	script_run(io, &small, tree);
	stream_free(&io);
	close(fd[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf tree;

	if (size > MOST)
		return 0;
	run(data, size, &tree);
	ensure(tree.n > 0);
	buf_fini(&tree);
	return 0;
}
