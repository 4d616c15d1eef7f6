// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/app_table.h"

#include <utility>

#include "base/assert.h"
#include "base/format.h"

namespace spillway::server {

namespace {

// Longer than any scheme, host name (253) and port together: what is longer is not an origin, and matching stays cheap.
constexpr std::size_t kOriginMax = 512;

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

struct Origin {
    std::string_view host_and_port;
    std::string_view host;
};

/// Scheme, host and port only, as RFC 6454 section 6.2 writes an origin. Whatever could carry a foreign host past a
/// pattern that ends in ours ("evil.test/.our.test", "our.test@evil.test") makes it none.
std::optional<Origin> parse_origin(std::string_view origin) {
    const std::size_t scheme = origin.find("://");
    Origin parsed;
    parsed.host_and_port = scheme == std::string_view::npos ? origin : origin.substr(scheme + 3);
    for (const char c : parsed.host_and_port) {
        if (c <= ' ' || c == 0x7F || c == '/' || c == '?' || c == '#' || c == '@' || c == '\\') return std::nullopt;
    }
    const std::size_t bracket = parsed.host_and_port.rfind(']');  // the colons of an IPv6 address are no port's
    const std::size_t colon = parsed.host_and_port.rfind(':');
    const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || bracket < colon);
    parsed.host = has_port ? parsed.host_and_port.substr(0, colon) : parsed.host_and_port;
    if (parsed.host.empty()) return std::nullopt;
    return parsed;
}

bool has_port(std::string_view pattern) {
    const std::size_t bracket = pattern.rfind(']');
    const std::size_t colon = pattern.rfind(':');
    return colon != std::string_view::npos && (bracket == std::string_view::npos || bracket < colon);
}

}  // namespace

AppTable::AppTable(std::vector<AppConfig> apps, const std::vector<bool>& gone) {
    SPILLWAY_ASSERT(apps.size() <= kAppsMax && gone.size() == apps.size());
    auto tables = std::make_shared<Tables>();
    tables->apps = std::move(apps);
    for (std::size_t i = 0; i < tables->apps.size(); ++i) {
        if (gone[i]) continue;
        const auto index = static_cast<AppIndex>(i);
        SPILLWAY_ASSERT(tables->by_key.emplace(tables->apps[i].key, index).second);
        SPILLWAY_ASSERT(tables->by_id.emplace(tables->apps[i].id, index).second);
    }
    tables_ = std::move(tables);
}

AppTable::AppTable(std::vector<AppConfig> apps) {
    const std::vector<bool> gone(apps.size());
    *this = AppTable(std::move(apps), gone);
}

base::Result<AppTable> AppTable::successor(const AppTable& before, std::vector<AppConfig> apps) {
    std::vector<AppConfig> next = before.tables_->apps;
    std::vector<bool> gone(next.size(), true);
    Index places;
    for (std::size_t i = 0; i < next.size(); ++i) {
        next[i].enabled = false;
        places.emplace(before.tables_->apps[i].id, static_cast<AppIndex>(i));
    }
    for (AppConfig& app : apps) {
        if (const auto known = places.find(app.id); known != places.end()) {
            next[known->second] = std::move(app);
            gone[known->second] = false;
        } else if (next.size() == kAppsMax) {
            return base::fail(base::concat("no more than ", kAppsMax,
                                           " different apps can be served between two starts, those that are gone "
                                           "included: a restart forgets them"));
        } else {
            next.push_back(std::move(app));
            gone.push_back(false);
        }
    }
    return AppTable(std::move(next), gone);
}

std::optional<AppIndex> AppTable::by_key(std::string_view key) const {
    const auto found = tables_->by_key.find(key);
    return found == tables_->by_key.end() ? std::nullopt : std::optional(found->second);
}

std::optional<AppIndex> AppTable::by_id(std::string_view id) const {
    const auto found = tables_->by_id.find(id);
    return found == tables_->by_id.end() ? std::nullopt : std::optional(found->second);
}

const AppConfig& AppTable::operator[](AppIndex index) const {
    static const AppConfig kNotKnownYet;
    return index < tables_->apps.size() ? tables_->apps[index] : kNotKnownYet;
}

bool origin_allowed(const AppConfig& app, std::string_view origin) {
    if (app.allowed_origins.empty()) return true;
    if (origin.size() > kOriginMax) return false;
    const std::optional<Origin> parsed = parse_origin(origin);
    for (const std::string& pattern : app.allowed_origins) {
        if (pattern == "*") return true;
        if (!parsed) continue;
        const std::string_view compared = pattern.find("://") != std::string::npos ? origin
                                          : has_port(pattern)                      ? parsed->host_and_port
                                                                                   : parsed->host;
        if (wildcard_match(pattern, compared)) return true;
    }
    return false;
}

bool wildcard_match(std::string_view pattern, std::string_view text) noexcept {
    // On a mismatch the last star takes one character more; earlier stars never need to be tried again, so the work is
    // bounded by the product of the lengths.
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t star_took_to = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            star_took_to = t;
        } else if (p < pattern.size() && lower(pattern[p]) == lower(text[t])) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++star_took_to;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

}  // namespace spillway::server
