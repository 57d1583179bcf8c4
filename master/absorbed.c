/* SPDX-License-Identifier: ISC */
#include "master/absorbed.h"

#include <stddef.h>
#include <string.h>

#define SERVED(command_, program_, meaning_) \
	{ #command_, ABSORBED_SERVED, #program_, meaning_ },
#define STANDS_IN(command_, program_, meaning_) \
	{ #command_, ABSORBED_STANDS_IN, #program_, meaning_ },
#define ABSORBED(command_, meaning_) \
	{ #command_, ABSORBED_IDLE, NULL, meaning_ },
#define REFUSED(command_, meaning_) \
	{ #command_, ABSORBED_REFUSED, NULL, meaning_ },
#define GUARDS(command_, meaning_) \
	{ #command_, ABSORBED_GUARDS, NULL, meaning_ },
static const struct absorbed table[] = {
#include "master/absorbed.def"
};

const struct absorbed *
absorbed_find(const char *command)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].command, command) == 0)
			return &table[i];
	return NULL;
}
