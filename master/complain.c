/* SPDX-License-Identifier: ISC */
#include "master/complain.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/conf/conf.h"

enum { TEXT_MAX = 512 };

void
complain_service(struct buf *to, const struct master_entry *e,
    const char *format, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	if (to == NULL)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (e->line > 0)
		buf_printf(to, "master.cf: line %d: ", e->line);
	buf_printf(to, "service %s/%s: %s\n", e->name,
	    service_type_name(e->type), text);
}

void
complain_setting(struct buf *to, const struct conf *c, const char *setting,
    const char *format, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	if (to == NULL)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	buf_printf(to, "%s: %s: %s\n", conf_origin(c, setting), setting, text);
}
