/* SPDX-License-Identifier: ISC */
#include "lib/ipc/ipc_connection.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

enum { SPARE_ROOMS = 4 }; /* of IPC_ROOM_FIRST */

/*
 * A connection that waits for its next message has no room for it: hundreds
 * of them share what a few need. Spare rooms are clean.
 */
static struct {
	char *p[SPARE_ROOMS];
	size_t n;
} spare;

void
ipc_input_drop(struct ipc_input *in)
{
	if (in->p == NULL)
		return;
	explicit_bzero(in->p, in->touched);
	if (in->room == IPC_ROOM_FIRST && spare.n < SPARE_ROOMS)
		spare.p[spare.n++] = in->p;
	else
		free(in->p);
	in->p = NULL;
	in->room = in->touched = 0;
}

static void
first_room(struct ipc_input *in)
{
	in->p =
	    spare.n > 0 ? spare.p[--spare.n] : mem_resize(NULL, IPC_ROOM_FIRST);
	in->room = IPC_ROOM_FIRST;
}

static void
grow(struct ipc_input *in)
{
	size_t room = in->room * 2;
	char *p = mem_resize(NULL, room);

	memcpy(p, in->p, in->end);
	ipc_input_drop(in);
	in->p = p;
	in->room = room;
	in->touched = in->end;
}

void
ipc_input_rest(struct ipc_input *in, size_t most)
{
	if (in->start != in->end || in->room > most)
		return;
	in->start = in->end = 0;
	ipc_input_drop(in);
}

void
ipc_input_room(struct ipc_input *in)
{
	if (in->start == in->end) {
		in->start = in->end = 0;
		if (in->room > IPC_ROOM_KEEP)
			ipc_input_drop(in);
	}
	if (in->start > 0 && in->room - in->end < in->room / 2) {
		memmove(in->p, in->p + in->start, in->end - in->start);
		in->end -= in->start;
		in->start = 0;
	}
	if (in->room == 0)
		first_room(in);
	else if (in->end == in->room)
		grow(in);
}
