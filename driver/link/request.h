/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/request.h - The table of what a driver answers. A row names the verb of the card
 * driver it needs, so a card that lacks one says -EOPNOTSUPP by itself.
 */
#pragma once

#include "driver/link/service.h"

/*
 * Serves one request. @error is what link_receive() said of it: then it is only answered. The
 * parts of @reply lie in service->out.
 */
void request_serve(struct service *service, int error, const struct packet *request,
		   struct packet *reply);
