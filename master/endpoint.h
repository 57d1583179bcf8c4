/* SPDX-License-Identifier: ISC */
#ifndef MASTER_ENDPOINT_H
#define MASTER_ENDPOINT_H

/* Where a service listens, and the sockets that do. */

#include "lib/base/mem.h"
#include "lib/conf/common.h"
#include "lib/conf/master_cf.h"
#include "lib/net/address.h"

struct endpoint {
	enum service_type type;
	struct address address; /* inet */
	const char *path; /* unix: relative to the queue directory */
	const char *text; /* "127.0.0.1:25", "private/cleanup"; its identity */
	bool optional; /* ::1 on a machine without IPv6 is no error */
};

struct endpoints {
	struct endpoint *list;
	size_t count;
};

/* Texts live in the arena. False with a line (without place) in *error. */
bool
endpoints_find(const struct master_entry *e, const struct common_params *common,
    struct arena *arena, struct endpoints *out, struct buf *error);

/* What inet_interfaces and inet_protocols stand for, with no port. */
bool endpoints_of_interfaces(const struct common_params *common,
    struct arena *arena, struct endpoints *out, struct buf *error);
/* Is this an address of ours? 0, or -1 with errno; any port. */
int endpoint_try(const struct endpoint *e);

/* By text. */
bool endpoints_have(const struct endpoints *list, const char *text);

/*
 * A listening (or, for datagrams, bound) socket, non-blocking and
 * close-on-exec, or -1 with errno. A UNIX socket replaces what has its
 * name; the working directory is the queue directory.
 */
int endpoint_open(const struct endpoint *e);
/*
 * The same for an inet socket beside one of ours that is in its way (0.0.0.0
 * and 127.0.0.1 of one port), which shares its place. The kernel gives no
 * place to another user. The end of sharing is the caller's to say.
 */
int endpoint_open_beside(const struct endpoint *e);
/* Errors show when somebody wants to share. */
void endpoint_share(int fd, bool on);

#endif
