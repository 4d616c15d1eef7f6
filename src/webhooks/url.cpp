// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/url.h"

#include <algorithm>

#include "base/log.h"

namespace spillway::webhooks {
namespace {

constexpr std::size_t kUrlMax = 2048;

bool begins(std::string_view text, std::string_view lower_case) {
    return text.size() >= lower_case.size() &&
           std::ranges::equal(text.substr(0, lower_case.size()), lower_case, {},
                              [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
}

/// What stands between "//" and the path, from the last '@' on.
std::string_view host_and_port(std::string_view url) {
    url.remove_prefix(std::min(url.find("//") + 2, url.size()));
    url = url.substr(0, url.find_first_of("/?#\\"));
    const std::size_t at = url.rfind('@');
    return at == std::string_view::npos ? url : url.substr(at + 1);
}

bool is_port(std::string_view text) {
    if (text.empty() || text.size() > 5) return false;
    unsigned port = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return false;
        port = port * 10 + static_cast<unsigned>(c - '0');
    }
    return port >= 1 && port <= 65'535;
}

}  // namespace

base::Result<void> check_url(std::string_view url) {
    if (url.size() > kUrlMax) return base::fail(base::concat("is longer than ", kUrlMax, " characters"));
    if (std::ranges::any_of(url, [](char c) { return c <= ' ' || c > '~' || c == '\\'; }))
        return base::fail("holds a blank, a backslash or a character that is not ASCII: escape it as %XX");
    if (!begins(url, "http://") && !begins(url, "https://")) return base::fail("must begin with http:// or https://");
    std::string_view host = host_and_port(url);
    const std::size_t bracket = host.rfind(']');
    const std::size_t colon = host.rfind(':');
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
        if (!is_port(host.substr(colon + 1))) return base::fail("has a port that is none: 1 to 65535");
        host = host.substr(0, colon);
    }
    if (host.empty() || host == "[]") return base::fail("names no host");
    return {};
}

std::string shown_url(std::string_view url) {
    const std::size_t slashes = url.find("//");
    if (slashes == std::string_view::npos) return "(no URL)";
    const std::string_view host = host_and_port(url);
    const auto after = static_cast<std::size_t>(host.data() + host.size() - url.data());
    const std::string_view path = url.substr(after, std::min(url.find_first_of("?#", after), url.size()) - after);
    return base::log::escaped(base::concat(url.substr(0, slashes + 2), host, path));
}

}  // namespace spillway::webhooks
