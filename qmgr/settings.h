/* SPDX-License-Identifier: ISC */
#ifndef QMGR_SETTINGS_H
#define QMGR_SETTINGS_H

/*
 * What qmgr runs with: its settings, and which delivery services there are.
 * Filled before the rights are dropped, constant afterwards.
 */

#define PARAM_GROUP qmgr
#define PARAM_DEF "qmgr/params.def"
#include "lib/conf/param.h"
#include "lib/conf/common.h"
#include "lib/service/service.h"
#include "qmgr/backoff.h"
#include "qmgr/schedule.h"

/* For the skeleton to fill. */
extern const struct service_params settings_groups[];

const struct qmgr_params *settings_params(void);
const struct common_params *settings_common(void);
const struct backoff_limits *settings_backoff(void);

/* Reads master.cf for the services' process limits. */
void settings_load(struct conf *c);
/* The transport of this name, made from the settings when it is new. */
struct transport *settings_transport(const char *name);

#endif
