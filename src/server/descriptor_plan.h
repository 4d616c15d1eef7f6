// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What a limit on descriptors allows: how many for connections in all, for clients, for API connections.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <spillway/config.h>

namespace spillway::server {

/// Descriptors kept aside: for the process itself (log, files, webhooks), and per core (ring, eventfd, listener, spare).
inline constexpr std::uint64_t kDescriptorsKept = 64;
inline constexpr std::uint64_t kDescriptorsKeptPerCore = 8;
/// API connections take a tenth, and no more than this.
inline constexpr std::uint64_t kApiShareMax = 1024;

struct DescriptorPlan {
    std::uint64_t connections = 1;  // of the main port; above it nothing more is accepted
    std::uint64_t clients = 1;      // for --max-clients where it is not said
    std::uint64_t api = 1;          // for --max-api-connections where it is not said
};

[[nodiscard]] constexpr DescriptorPlan plan_descriptors(std::uint64_t limit, std::size_t cores) {
    const std::uint64_t kept = kDescriptorsKept + kDescriptorsKeptPerCore * cores;
    DescriptorPlan plan;
    // A limit so small that nothing would be left: half, which is then short of what the process may want.
    plan.connections = std::max<std::uint64_t>(limit > 2 * kept ? limit - kept : limit / 2, 2);
    plan.api = std::clamp<std::uint64_t>(limit / 10, 1, std::min(kApiShareMax, plan.connections / 2));
    plan.clients = plan.connections - plan.api;
    return plan;
}

/// Puts in what the configuration leaves to the descriptor limit.
inline void settle(Config& config, const DescriptorPlan& plan) {
    config.max_connections = plan.connections;
    if (config.max_clients_derived) config.max_clients = plan.clients;
    if (config.max_api_connections_derived) config.max_api_connections = plan.api;
}

}  // namespace spillway::server
