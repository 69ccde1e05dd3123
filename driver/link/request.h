/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/request.h - The one way of a request through the driver, from its packet to its reply.
 */
#pragma once

#include "driver/link/service.h"

/*
 * Serves one request. @error is what link_receive() said of it: then it is only answered. The
 * parts of @reply lie in service->out.
 */
void request_serve(struct service *service, int error, const struct packet *request,
		   struct packet *reply);
