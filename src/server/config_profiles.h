// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Profiles: named sets of values that stand in for the defaults. Whatever file, environment or flags say beats them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/config_settings.h"

namespace spillway::server {

struct Profile {
    struct Value {
        std::string_view setting;  // flag name
        std::string_view text;
    };
    std::string_view name;
    std::string_view purpose;
    std::span<const Value> values;
};

[[nodiscard]] std::span<const Profile> profiles();

/// Refuses names that are none, with the nearest.
[[nodiscard]] base::Result<std::string> parse_profile(std::string_view text);

/// Lays the profile over `draft`; an empty name leaves it as it is.
[[nodiscard]] base::Result<void> lay_profile(ConfigDraft& draft, std::string_view name);

/// What `spillway profiles` prints.
[[nodiscard]] std::string profiles_text();

}  // namespace spillway::server
