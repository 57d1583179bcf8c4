/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/defaults.h"

#include "lib/base/ensure.h"
#include "lib/conf/conf_parts.h"

void
defaults_fill(const struct param_group *group, void *into)
{
	static struct conf *c;
	struct buf errors = BUF_INIT(65536);

	if (c == NULL) {
		c = conf_new("/nowhere");
		conf_set(c, SPAN("myhostname"), SPAN("mx.test"), "fuzz");
	}
	ensure(conf_fill(c, group, into, &errors));
	buf_fini(&errors);
}
