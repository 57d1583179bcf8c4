/* SPDX-License-Identifier: ISC */
/*
 * What delivery commands print: a refusal is a code and one line, whatever they
 * print, and nothing but exit 0 is success. The first two bytes are the status.
 */
#include "local/exit_status.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct why why = { .dsn = "" };
	enum verdict v;
	char *output;
	int status;

	if (size < 2)
		return 0;
	/* an end: by exit, or by signal */
	status = data[0] << 8 | (data[0] == 0 ? data[1] & 0x7e : 0);
	output =
	    mem_span_text((struct span){ (const char *)data + 2, size - 2 });
	v = exit_status_verdict(status, "command", output, &why);
	ensure((v == OK) == (status == 0));
	ensure((v == OK) == (why.dsn[0] == '\0'));
	if (v != OK) {
		ensure(why_dsn_valid(why.dsn));
		ensure(why.dsn[0] == (v == LATER ? '4' : '5'));
		ensure(why.text[0] != '\0');
		ensure(!span_has_control(span_of(why.text)));
	}
	free(output);
	return 0;
}
