/* SPDX-License-Identifier: ISC */
/* A pattern of LIST and a name, parted by a line end: as the definition says.
 */
#include "imapd/list_pattern.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SMALL = 14 };

/* Tries every way; for small ones. */
static bool
model(const char *p, const char *n, const char *name)
{
	bool inbox = strncmp(name, "INBOX", 5) == 0 &&
	    (name[5] == '\0' || name[5] == '/') && n - name < 5;

	if (*p == '\0')
		return *n == '\0';
	if (*p == '*' || *p == '%')
		return model(p + 1, n, name) ||
		    (*n != '\0' && !(*p == '%' && *n == '/') &&
			model(p, n + 1, name));
	return *n != '\0' && (*p == *n || (inbox && *p == *n + ('a' - 'A'))) &&
	    model(p + 1, n + 1, name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	size_t end = span_find(text, '\n');
	char *pattern = mem_span_text(span_take(text, end));
	char *name = end < text.n ? mem_span_text(span_skip(text, end + 1)) :
				    mem_text("");
	struct list_pattern *p = list_pattern_new(span_of(pattern), '/');

	if (p != NULL) {
		bool is = list_pattern_match(p, name);

		if (strlen(pattern) < SMALL && strlen(name) < SMALL)
			ensure(is == model(pattern, name, name));
	}
	list_pattern_free(&p);
	free(pattern);
	free(name);
	return 0;
}
