// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "http/forwarded.h"

#include <algorithm>
#include <optional>

#include "base/address_text.h"

namespace spillway::http {
namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// Some proxies write a port: "192.0.2.1:4711", "[2001:db8::1]:4711".
std::optional<Address> parse_entry(std::string_view entry) {
    if (entry.starts_with('[')) {
        const std::size_t end = entry.find(']');
        return end == std::string_view::npos ? std::nullopt : base::parse_address(entry.substr(1, end - 1));
    }
    if (std::ranges::count(entry, ':') == 1) entry = entry.substr(0, entry.find(':'));
    return base::parse_address(entry);
}

}  // namespace

bool is_trusted(const Address& address, std::span<const Network> trusted) {
    return std::ranges::any_of(trusted, [&](const Network& network) { return network.contains(address); });
}

Address forwarded_client(const Address& peer, std::span<const Header> headers, std::span<const Network> trusted) {
    Address client = peer;
    // Field lines of one name are one list, in their order (RFC 9110 section 5.3).
    for (auto header = headers.rbegin(); header != headers.rend(); ++header) {
        if (!equals_ignoring_case(header->name, "x-forwarded-for")) continue;
        std::string_view rest = header->value;
        for (bool more = true; more;) {
            if (!is_trusted(client, trusted)) return client;
            const std::size_t comma = rest.rfind(',');
            more = comma != std::string_view::npos;
            const auto entry = parse_entry(trimmed(more ? rest.substr(comma + 1) : rest));
            if (!entry) return client;
            client = *entry;
            rest = rest.substr(0, more ? comma : 0);
        }
    }
    return client;
}

}  // namespace spillway::http
