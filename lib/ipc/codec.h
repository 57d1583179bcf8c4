/* SPDX-License-Identifier: ISC */
#ifndef LIB_IPC_CODEC_H
#define LIB_IPC_CODEC_H

/*
 * The encoder and the decoder of frames, driven by message tables, without
 * any connection: for ipc.c, tests and fuzzers. The format is in ipc.h.
 */

#include "lib/base/buf.h"
#include "lib/ipc/ipc.h"

enum {
	IPC_FRAME_MAX = 16 * 1024 * 1024, /* body of a frame */
	IPC_FDS_MAX = 64, /* on their way in one direction */
	IPC_HEAD = 4, /* length before a frame or a chunk */
};

struct ipc_fds {
	int fd[IPC_FDS_MAX];
	size_t n;
};

/* What is wrong with a frame, for the log. */
struct ipc_fault {
	char text[200];
};

/*
 * Appends a frame with its length; adds descriptors to *fds. A NULL text is
 * written as an empty one. False, *out and *fds as they were, when a value
 * breaks the table's limits.
 */
bool ipc_encode(const struct ipc_message *m, const void *message,
    struct buf *out, struct ipc_fds *fds, struct ipc_fault *fault);

struct ipc_source {
	struct span body; /* of the frame, without its length */
	const struct ipc_fds *fds; /* that came with it, or before */
	const struct ipc_message *const *messages; /* that may be said */
	struct arena *arena; /* for the struct, its texts and lists */
};

/*
 * Decodes a body. Byte fields point into it, everything else is in the arena.
 * The first *taken of the descriptors are in the message. Strict: see ipc.h.
 */
bool ipc_decode(const struct ipc_source *from, const struct ipc_message **m,
    void **message, size_t *taken, struct ipc_fault *fault);

uint32_t ipc_get_u32(const char *p);
void ipc_set_u32(char *p, uint32_t v);

#endif
