/* SPDX-License-Identifier: ISC */
/*
 * postalias - build alias tables, in the syntax of aliases(5), and ask them.
 *
 * SECURITY: as postmap.
 */
#include "tools/table_tool.h"

int
main(int argc, char **argv)
{
	return table_tool_main(argc, argv, TABLE_TOOL_ALIAS);
}
