/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_LIB_IPC_RANDOM_MESSAGE_H
#define TESTS_UNIT_LIB_IPC_RANDOM_MESSAGE_H

/* Messages with random values, made and compared through their tables. */

#include "lib/ipc/ipc.h"

/*
 * A struct for m in the arena. Descriptor fields get "fd". Texts and bytes
 * are at most "most" long, lists at most four items.
 */
void *random_message(struct arena *a, const struct ipc_message *m, int fd,
    size_t most);
/* Asserts that all but the descriptors is equal. */
void
assert_message_equal(const struct ipc_message *m, const void *a, const void *b);

#endif
