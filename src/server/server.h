// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The whole server: starts one thread per core, then is the control endpoint of the mesh that passes signals on, and
// ends in order.
#pragma once

#include <spillway/config.h>

#include "base/result.h"
#include "server/reloader.h"

namespace spillway::server {

/// Serves until SIGTERM or SIGINT drained it (a second one cuts); SIGHUP asks `source` for the configuration anew. The result is the exit code, or why it could not start,
/// with what mends it. Blocks; to be called once, from the main thread.
[[nodiscard]] base::Result<int> serve(Config config, const ConfigSource& source);

}  // namespace spillway::server
