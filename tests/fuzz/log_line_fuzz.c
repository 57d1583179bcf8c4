/* SPDX-License-Identifier: ISC */
#include "tools/log_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = { (const char *)data, size };
	struct log_line l;
	struct span s;

	if (log_line_parse(line, &l)) {
		log_line_program(&l);
		log_line_child(&l, &s);
		log_line_client(&l, &s);
		log_line_value(&l, "to", &s);
	}
	return 0;
}
