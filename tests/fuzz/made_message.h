/* SPDX-License-Identifier: ISC */
#ifndef TESTS_FUZZ_MADE_MESSAGE_H
#define TESTS_FUZZ_MADE_MESSAGE_H

/* Messages of a protocol, with values that a fuzzer's input chooses. */

#include "lib/base/mem.h"
#include "lib/ipc/ipc.h"

/* The i-th; they begin anew behind the last. */
const struct ipc_message *
made_choose(const struct ipc_message *const *messages, size_t i);
/*
 * A struct for m in the arena, within all limits, with short texts and lists.
 * Takes what it needs off the front of *in. Descriptor fields get "fd".
 */
void *made_message(struct arena *a, const struct ipc_message *m, int fd,
    struct span *in);
/* The first n bytes of *in, or as many as there are. */
struct span made_part(struct span *in, size_t n);

#endif
