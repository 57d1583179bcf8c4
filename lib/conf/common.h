/* SPDX-License-Identifier: ISC */
#ifndef LIB_CONF_COMMON_H
#define LIB_CONF_COMMON_H

/* struct common_params: the settings that most programs read. */

#define PARAM_GROUP common
#define PARAM_DEF "lib/conf/params.def"
#include "lib/conf/param.h"

#endif
