/* SPDX-License-Identifier: ISC */
/* Every setting of the suite: the tables behind all params.def files. */
#define PARAM_DEFINE
#include "lib/conf/common.h"

#define PARAM_GROUP smtpd
#define PARAM_DEF "smtpd/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP cleanup
#define PARAM_DEF "cleanup/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP qmgr
#define PARAM_DEF "qmgr/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP smtp
#define PARAM_DEF "smtp/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP local
#define PARAM_DEF "local/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP bounce
#define PARAM_DEF "bounce/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP pickup
#define PARAM_DEF "pickup/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP lookup
#define PARAM_DEF "lookup/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP auth
#define PARAM_DEF "auth/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP keyd
#define PARAM_DEF "keyd/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP login
#define PARAM_DEF "lib/login/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP pop3d
#define PARAM_DEF "pop3d/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP imapd
#define PARAM_DEF "imapd/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP logd
#define PARAM_DEF "logd/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP master
#define PARAM_DEF "master/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP tls
#define PARAM_DEF "lib/tls/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP store
#define PARAM_DEF "lib/store/params.def"
#include "lib/conf/param.h"

#define PARAM_GROUP postmulti
#define PARAM_DEF "tools/params.def"
#include "lib/conf/param.h"

const struct param_group *const param_groups[] = {
	&common_param_group,
	&smtpd_param_group,
	&cleanup_param_group,
	&qmgr_param_group,
	&smtp_param_group,
	&local_param_group,
	&bounce_param_group,
	&pickup_param_group,
	&lookup_param_group,
	&auth_param_group,
	&keyd_param_group,
	&login_param_group,
	&pop3d_param_group,
	&imapd_param_group,
	&logd_param_group,
	&master_param_group,
	&tls_param_group,
	&store_param_group,
	&postmulti_param_group,
	NULL,
};
