// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The apps in force, found by key (connections) or id (the HTTP API). Built once from a checked configuration and never
// changed: every core reads the same table without a lock, and a reload builds another, in which every app keeps its
// index.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <spillway/config.h>
#include <spillway/ids.h>

#include "base/result.h"

namespace spillway::server {

/// A handle: copies share one table. Thread: each handle one, the table any.
class AppTable {
public:
    /// Most apps of one table, by the width of AppIndex.
    static constexpr std::size_t kAppsMax = 65'535;

    /// Ids and keys are distinct (the configuration was checked). An app's index is its place in `apps`.
    explicit AppTable(std::vector<AppConfig> apps);

    /// The table after a reload: an app that `before` has, by its id, keeps its index; new ones get new indices. What is
    /// not in `apps` any more keeps its index, too, is disabled and found neither by key nor by id; it may come back.
    /// Fails when there are no indices left.
    [[nodiscard]] static base::Result<AppTable> successor(const AppTable& before, std::vector<AppConfig> apps);

    [[nodiscard]] std::optional<AppIndex> by_key(std::string_view key) const;
    [[nodiscard]] std::optional<AppIndex> by_id(std::string_view id) const;

    /// Valid as long as a handle of this table. Of an index it does not have, an app with the defaults: a core that takes a
    /// reload over later than another hears of channels of apps that are new to it.
    [[nodiscard]] const AppConfig& operator[](AppIndex index) const;
    /// Indices in use, those of apps that are gone included.
    [[nodiscard]] std::size_t size() const noexcept { return tables_->apps.size(); }
    /// Apps that can be found.
    [[nodiscard]] std::size_t served() const noexcept { return tables_->by_id.size(); }

private:
    using Index = std::unordered_map<std::string_view, AppIndex>;  // views into apps
    struct Tables {
        std::vector<AppConfig> apps;
        Index by_key;
        Index by_id;
    };

    AppTable(std::vector<AppConfig> apps, const std::vector<bool>& gone);

    std::shared_ptr<const Tables> tables_;
};

/// May a page of this `Origin` connect? An empty list allows any. A pattern with "://" is compared with the whole
/// origin, any other with its host (with its port, if the pattern has one); `*` stands for any run of characters; case
/// of ASCII letters does not matter. Whoever sends no Origin header is no browser and need not be asked.
[[nodiscard]] bool origin_allowed(const AppConfig& app, std::string_view origin);

/// `*` in the pattern stands for any run of characters, everything else for itself without regard to ASCII case.
[[nodiscard]] bool wildcard_match(std::string_view pattern, std::string_view text) noexcept;

}  // namespace spillway::server
