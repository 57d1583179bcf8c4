/* SPDX-License-Identifier: ISC */
/* Any bytes as master.cf. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/conf/conf_parts.h"
#include "lib/conf/master_cf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf errors = BUF_INIT(1 << 20);
	struct conf *c = conf_new("/nowhere");
	struct master_cf *m;

	m = master_cf_parse((struct span){ (const char *)data, size },
	    "master.cf", c, &errors, NULL);
	for (size_t i = 0; i < m->count; i++) {
		const struct master_entry *e = &m->entries[i];

		ensure(e->name[0] != '\0' && e->command[0] != '\0');
		ensure(strchr(e->command, '/') == NULL);
		ensure(e->arguments != NULL && e->overrides != NULL);
		for (char **o = e->overrides; *o != NULL; o++)
			ensure(strchr(*o, '=') != NULL);
	}
	master_cf_free(&m);
	conf_free(&c);
	buf_fini(&errors);
	return 0;
}
