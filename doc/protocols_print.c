/* SPDX-License-Identifier: ISC */
/*
 * Prints doc/PROTOCOLS.md from the message tables. A build-time program: it
 * is not installed. The test doc/protocols_current.sh compares.
 */
#include <stdio.h>

#include "lib/ipc/ipc.h"

static const char *const types[] = {
	[IPC_TEXT] = "text",
	[IPC_U64] = "number",
	[IPC_BOOL] = "yes or no",
	[IPC_BYTES] = "bytes",
	[IPC_FD] = "descriptor",
	[IPC_LIST] = "list",
};

static void
print_field(const struct ipc_field *f)
{
	printf("| `%s` | %s", f->name, types[f->type]);
	if (f->type == IPC_LIST)
		printf(" of %s", f->item->name);
	printf(" | ");
	if (f->type != IPC_BOOL && f->type != IPC_FD)
		printf("%llu", (unsigned long long)f->limit);
	printf(" | %s |\n", f->meaning);
}

static void
print_message(const struct ipc_message *m, const char *kind)
{
	printf("\n### %s%s\n\n%s.\n\n", m->name, kind, m->meaning);
	printf("| field | type | limit | meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; i < m->count; i++)
		print_field(&m->fields[i]);
	for (size_t i = 0; i < m->count; i++)
		if (m->fields[i].type == IPC_LIST)
			print_message(m->fields[i].item, " (an item)");
}

static void
print_protocol(const struct ipc_protocol *p)
{
	printf("\n## %s, version %u\n\n%s.\n", p->name, p->version, p->meaning);
	for (size_t i = 0; p->messages[i] != NULL; i++)
		print_message(p->messages[i], "");
}

int
main(void)
{
	printf("# What the programs say to each other\n\n"
	       "Printed from `lib/ipc/*.def` by `doc/protocols_print`; do not "
	       "edit.\n\n"
	       "Frames travel over UNIX stream sockets; their form is in "
	       "`lib/ipc/ipc.h`. Limits of texts and bytes are in bytes, of "
	       "numbers the largest value, of lists the most items. A frame "
	       "that is not as described here ends the connection. An empty "
	       "one in the place of an answer says that another process is to "
	       "be asked.\n");
	for (size_t i = 0; ipc_protocols[i] != NULL; i++)
		print_protocol(ipc_protocols[i]);
	return ferror(stdout) || fflush(stdout) != 0;
}
