// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config_profiles.h"

#include <algorithm>
#include <vector>

#include "base/assert.h"
#include "base/format.h"
#include "base/log.h"
#include "server/config_values.h"

namespace spillway::server {
namespace {

using base::concat;

constexpr Profile::Value kDevelopment[] = {
    {"log-level", "debug"},
    {"drain-timeout", "1s"},
    {"client-events", "true"},
};
constexpr Profile::Value kProduction[] = {
    {"log-format", "json"},
    {"drain-timeout", "25s"},  // within the 30 s that Kubernetes gives
    {"max-header-bytes", "8KiB"},
};
constexpr Profile::Value kLatency[] = {
    {"queue-messages", "128"},   {"queue-bytes", "128KiB"}, {"socket-send-buffer", "64KiB"},
    {"overflow", "drop-oldest"}, {"write-timeout", "5s"},
};
constexpr Profile::Value kThroughput[] = {
    {"queue-messages", "8192"}, {"queue-bytes", "8MiB"},   {"socket-send-buffer", "1MiB"},
    {"write-timeout", "30s"},   {"max-http-body", "4MiB"},
};

constexpr Profile kProfiles[] = {
    {"development", "a server that is restarted every minute and tells what it does", kDevelopment},
    {"production", "logs for machines, time to drain, small request heads", kProduction},
    {"latency", "late news is worth nothing: short queues and buffers, the oldest goes first", kLatency},
    {"throughput", "nothing may be lost in a burst: long queues and buffers, patience with the slow", kThroughput},
};

const Profile* find_profile(std::string_view name) {
    const auto found = std::find_if(std::begin(kProfiles), std::end(kProfiles),
                                    [name](const Profile& profile) { return profile.name == name; });
    return found == std::end(kProfiles) ? nullptr : found;
}

}  // namespace

std::span<const Profile> profiles() { return kProfiles; }

base::Result<std::string> parse_profile(std::string_view text) {
    if (find_profile(text) != nullptr) return std::string(text);
    std::vector<std::string_view> names;
    for (const Profile& profile : kProfiles) names.push_back(profile.name);
    return base::fail(concat('\'', base::log::escaped(text, 64), "' is not a profile", suggestion(text, names),
                             "; \"spillway profiles\" lists them"));
}

base::Result<void> lay_profile(ConfigDraft& draft, std::string_view name) {
    const Profile* profile = find_profile(name);
    if (profile == nullptr) return {};
    for (const Profile::Value& value : profile->values) {
        const Setting* setting = find_setting(value.setting);
        SPILLWAY_ASSERT(setting != nullptr);
        if (base::Result<void> applied = setting->apply(draft, value.text); !applied) return applied;
    }
    return {};
}

std::string profiles_text() {
    std::string text =
        "Profiles stand in for the defaults (--profile NAME); whatever file, environment or flags say beats them.\n";
    for (const Profile& profile : kProfiles) {
        base::append(text, "\n", profile.name, ": ", profile.purpose, "\n");
        for (const Profile::Value& value : profile.values)
            base::append(text, "  --", value.setting, '=', value.text, '\n');
    }
    return text;
}

}  // namespace spillway::server
