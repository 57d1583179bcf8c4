/* SPDX-License-Identifier: ISC */
#include "lib/service/askers.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "lib/service/service.h"

static struct asker *all;
static bool leaving;

static void
hear_no_more(const struct asker *a)
{
	(void)shutdown(a->fd, SHUT_RD);
}

void
asker_add(struct asker *a, int fd)
{
	*a = (struct asker){ .next = all, .link = &all, .fd = fd };
	if (all != NULL)
		all->link = &a->next;
	all = a;
	if (leaving)
		hear_no_more(a);
}

void
asker_drop(struct asker *a)
{
	*a->link = a->next;
	if (a->next != NULL)
		a->next->link = a->link;
}

void
askers_leave(void)
{
	if (leaving)
		return;
	leaving = true;
	service_leave();
	for (struct asker *a = all; a != NULL; a = a->next)
		hear_no_more(a);
}
