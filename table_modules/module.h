/* SPDX-License-Identifier: ISC */
#ifndef TABLE_MODULES_MODULE_H
#define TABLE_MODULES_MODULE_H

/* What the modules of table types have in common; see lib/table/module.h. */

#include <stdlib.h>
#include <string.h>

#include "lib/table/module.h"

/* The one symbol that a module shows. */
#define TABLE_MODULE \
	extern const struct table_module table_module; \
	__attribute__((visibility("default"))) \
	const struct table_module table_module

#define SETTING_TEXT(name, fallback) \
	{ \
		(name), MODULE_TEXT, (fallback), 0, 0, NULL \
	}
#define SETTING_BOOL(name, fallback) \
	{ \
		(name), MODULE_BOOL, (fallback), 0, 1, NULL \
	}
#define SETTING_COUNT(name, fallback, min, max) \
	{ \
		(name), MODULE_COUNT, (fallback), (min), (max), NULL \
	}
#define SETTING_LIMIT(name, fallback, min, max) \
	{ \
		(name), MODULE_LIMIT, (fallback), (min), (max), NULL \
	}
#define SETTING_WORD(name, fallback, words) \
	{ \
		(name), MODULE_WORD, (fallback), 0, 0, (words) \
	}
#define SETTINGS_END \
	{ \
		NULL, MODULE_TEXT, NULL, 0, 0, NULL \
	}

static inline bool
is_given(const char *text)
{
	return text[0] != '\0';
}

/* NULL for what is not set, as libraries like it. */
static inline const char *
or_null(const char *text)
{
	return is_given(text) ? text : NULL;
}

#endif
