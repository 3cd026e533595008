/* SPDX-License-Identifier: Apache-2.0
 * mayfly.h -- all public headers at once. */
#ifndef MAYFLY_MAYFLY_H
#define MAYFLY_MAYFLY_H

#include <mayfly/cpu.h>
#include <mayfly/env.h>
#include <mayfly/error.h>
#include <mayfly/export.h>
#include <mayfly/flight.h>
#include <mayfly/metrics.h>
#include <mayfly/proof.h>
#include <mayfly/reclog.h>
#include <mayfly/seal.h>
#include <mayfly/sentinel.h>
#include <mayfly/state.h>

#endif
