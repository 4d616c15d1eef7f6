// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The settings in force as one value that never changes: a reload makes the next one, whole, or none. Cores copy the plain
// values and share the table of apps; each takes the next one over between two of its turns.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <spillway/config.h>

#include "base/result.h"
#include "server/app_table.h"

namespace spillway::server {

struct Snapshot {
    Config config;  // without its apps, which are in the table
    AppTable apps;
};

/// The first, of a checked configuration.
[[nodiscard]] std::shared_ptr<const Snapshot> first_snapshot(Config config);

/// What a reload leads to, and what the operator should be told of it.
struct Succession {
    std::shared_ptr<const Snapshot> snapshot;
    std::vector<std::string> notices;
    std::size_t apps_added = 0;
    std::size_t apps_removed = 0;
};

/// The snapshot after `running`. What cannot change while running keeps its value, with a notice that names it.
[[nodiscard]] base::Result<Succession> succeed(const Snapshot& running, Config wanted);

}  // namespace spillway::server
