/* SPDX-License-Identifier: ISC */
#ifndef LIB_NET_STREAM_POOL_H
#define LIB_NET_STREAM_POOL_H

/*
 * The buffers of all streams of a process. A stream has one only while it
 * holds bytes; thousands of idle ones share what a few active ones need.
 */

#include <stddef.h>

enum { STREAM_BUFFER_SIZE = 65536 };

char *stream_pool_get(void);
/* NULL is fine; *buffer is NULL afterwards. */
void stream_pool_put(char **buffer);
/* Those that are kept for the next streams go back to the system. */
void stream_pool_trim(void);
/* Buffers handed out now. */
size_t stream_pool_used(void);

#endif
