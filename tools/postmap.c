/* SPDX-License-Identifier: ISC */
/*
 * postmap - build lookup tables, and ask them.
 *
 * SECURITY: runs as whoever calls it; as root, a table is written with the
 * rights of its source's owner (unless -o), under a name nobody had before,
 * into a folder that belongs to that owner or to root. Sources and keys are
 * read with distrust.
 */
#include "tools/table_tool.h"

int
main(int argc, char **argv)
{
	return table_tool_main(argc, argv, TABLE_TOOL_MAP);
}
