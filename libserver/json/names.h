/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/names.h - Members that carry a number by its name. A name nobody knows marks the
 * object bad.
 */
#pragma once

#include "libserver/json/object.h"

enum kf_method json_in_method(struct json_in *in, const char *name);
/* One that items of this version have. */
enum kf_function json_in_function(struct json_in *in, const char *name);
/* A container's number, or %KF_CONTAINER_PINS. */
uint32_t json_in_target(struct json_in *in, const char *name);
/* %KF_PIN_USER or %KF_PIN_PUK. */
uint32_t json_in_pin(struct json_in *in, const char *name);
/* Key pairs only. */
enum kf_key_type json_in_key_type(struct json_in *in, const char *name);
/* SIGN, DECRYPT or DERIVE. */
enum kf_purpose json_in_purpose(struct json_in *in, const char *name);
enum kf_grade json_in_grade(struct json_in *in, const char *name);
