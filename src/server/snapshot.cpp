// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/snapshot.h"

#include <utility>

#include "base/format.h"
#include "server/config_settings.h"

namespace spillway::server {

std::shared_ptr<const Snapshot> first_snapshot(Config config) {
    AppTable apps(std::exchange(config.apps, {}));
    return std::make_shared<const Snapshot>(Snapshot{std::move(config), std::move(apps)});
}

base::Result<Succession> succeed(const Snapshot& running, Config wanted) {
    auto apps = AppTable::successor(running.apps, std::exchange(wanted.apps, {}));
    if (!apps) return base::fail(std::move(apps).error());
    Succession next;
    for (const Setting& setting : server_settings()) {
        if (setting.hold == nullptr || !setting.hold(wanted, running.config)) continue;
        next.notices.push_back(base::concat(key_name(setting.name),
                                            " cannot change while running: it stays as it is until "
                                            "the next start"));
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < running.apps.size(); ++i) {
        const AppConfig& app = running.apps[static_cast<AppIndex>(i)];
        if (running.apps.by_id(app.id) && apps->by_id(app.id)) ++kept;
    }
    next.apps_added = apps->served() - kept;
    next.apps_removed = running.apps.served() - kept;
    next.snapshot = std::make_shared<const Snapshot>(Snapshot{std::move(wanted), *std::move(apps)});
    return next;
}

}  // namespace spillway::server
