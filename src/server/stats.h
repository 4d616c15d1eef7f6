// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What one core counts. Written by that core alone, with plain adds, in batches where deliveries are concerned; read by
// whoever answers /metrics, without locks. Exact at rest.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include <spillway/errors.h>

#include "base/counter.h"
#include "pubsub/message.h"
#include "server/client.h"
#include "server/memory_budget.h"

namespace spillway::server {

/// HTTP endpoints as the metrics name them.
enum class Endpoint : std::uint8_t { upgrade, events, batch_events, channels, channel, users, terminate, ops, other };
inline constexpr std::size_t kEndpoints = 9;
[[nodiscard]] constexpr std::string_view to_string(Endpoint e) {
    constexpr std::string_view names[kEndpoints] = {"upgrade", "events",    "batch_events", "channels", "channel",
                                                    "users",   "terminate", "ops",          "other"};
    return names[static_cast<std::size_t>(e)];
}
/// Statuses that are told apart; anything else counts as the last, "other".
inline constexpr std::array<int, 22> kStatuses{101, 200, 204, 400, 401, 403, 404, 405, 408, 409, 413,
                                               414, 415, 417, 426, 429, 431, 500, 501, 503, 505, 0};

/// Why a connection or request was refused before it was anybody's, and what clients were refused by a rule.
enum class Refusal : std::uint8_t {
    max_clients,
    app_quota,
    unknown_app,
    app_disabled,
    origin,
    descriptors,
    draining,
    max_handshakes,
    max_api_connections,
    max_clients_per_ip,
    connect_rate,
    proxy_header,
    message_rate,
    byte_rate,
    signin,             // not signed by the app, or of nobody
    authorization,      // not authorised in its time
    subscribe_rate,     // a subscription over max_subscribes_per_second
    client_event,       // a client event against a rule
    client_event_rate,  // a client event over client_events_per_second
    memory,             // what would take memory, while there is none (MemoryStage)
};
inline constexpr std::size_t kRefusals = 20;
[[nodiscard]] constexpr std::string_view to_string(Refusal r) {
    constexpr std::string_view names[kRefusals] = {
        "max_clients",   "app_quota",      "unknown_app",    "app_disabled",        "origin",
        "descriptors",   "draining",       "max_handshakes", "max_api_connections", "max_clients_per_ip",
        "connect_rate",  "proxy_header",   "message_rate",   "byte_rate",           "signin",
        "authorization", "subscribe_rate", "client_event",   "client_event_rate",   "memory"};
    return names[static_cast<std::size_t>(r)];
}

/// Close codes that are told apart; 0 is none, the last is any other: a peer may name any from 3000 to 4999.
inline constexpr std::uint16_t kOtherCloseCode = 0xFFFF;
inline constexpr std::array<std::uint16_t, 27> kCloseCodes{
    0,    1000, 1001, 1002, 1003, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013,           1014,
    4000, 4001, 4003, 4004, 4006, 4007, 4008, 4009, 4100, 4200, 4201, 4202, kOtherCloseCode};

/// How full a client's queue can be and still belong to a bucket of the metric, in percent of --queue-bytes.
inline constexpr std::array<unsigned, 7> kQueueEdges{0, 10, 25, 50, 75, 90, 100};

/// One slice in so many has its CPU time taken, which costs two system calls.
inline constexpr std::uint64_t kSlicesWatched = 16;

/// Sees what becomes of deliveries that do not happen, one core's, as it is counted. The simulation holds it against books
/// of its own.
class StatsWitness {
public:
    /// `client`: whose delivery it was (packed); 0: so many who left before the message came.
    virtual void dropped(const pubsub::Message& message, DropReason reason, std::uint64_t n, std::uint64_t client) = 0;
    virtual void excluded(const pubsub::Message& message) = 0;

protected:
    ~StatsWitness() = default;
};

struct alignas(64) Stats {
    std::array<base::Gauge, kClientKinds> clients;
    base::Counter connections;    // accepted ever
    base::Counter accept_pauses;  // times accepting was held up for want of descriptors
    base::Gauge subscriptions;
    base::Gauge channels;     // occupied, counted at their home
    base::Counter published;  // publications sequenced here
    base::Counter deliveries;
    std::array<std::array<base::Counter, kPriorities>, kDropReasons> dropped;
    std::array<base::Counter, kChannelKinds> dropped_by_kind;
    base::Counter excluded;  // deliveries that were not for the subscriber: the publisher excluded it, or it feeds
    base::Counter broadcast_sent;   // deliveries expected of broadcasts that were sent into the mesh
    base::Counter broadcast_taken;  // the same, of broadcasts that arrived
    base::Counter bytes_received;
    base::Counter bytes_sent;
    std::array<std::array<base::Counter, kCloseReasons>, kCloseCodes.size()> closes;
    std::array<base::Counter, kRefusals> refused;
    std::array<std::array<base::Counter, kStatuses.size()>, kEndpoints> http;
    base::Gauge stale_clients;  // pinged, and silent for half the pong timeout since
    base::Counter pings;
    base::Counter swept;          // clients that the sweep found without a timer: 0, or something is wrong
    base::Counter stalls;         // turns that began late by more than Core::kStall
    base::Counter client_errors;  // pusher:error sent on open connections
    base::Gauge queued_bytes;
    base::Gauge queued_messages;
    std::array<base::Gauge, kMemoryKinds> memory;
    std::array<base::Counter, kQueueEdges.size() + 1> queue_looks;  // clients the sweep looked at, by how full
    base::Counter queue_percent;                                    // sum over those looks
    base::Gauge messages_held;                                      // alive here, each once however many wait for it
    base::Gauge message_bytes;                                      // of those, with what keeping them costs
    base::Gauge mesh_depth;
    base::Gauge presence_members;  // of channels whose home is here
    base::Gauge cached_events;     // of cache channels
    base::Counter cache_evicted;
    base::Counter publish_refused;  // 503 for want of room in the mesh
    base::Counter pauses;
    base::Counter webhook_overruns;  // notices for which the background thread had no room
    base::Counter slices;
    base::Counter turns;
    base::Counter ring_enters, ring_sqes, ring_cqes, ring_overflows, ring_no_buffers, ring_send_again, ring_send_short,
        ring_wakes, ring_zc_sends, ring_zc_notifications, ring_zc_copied;
    base::Gauge ring_zc_held, ring_zc_routes_off;
    base::Histogram broadcast;                   // sequenced -> last local send of it
    base::Histogram slice;                       // of fan-out
    base::Histogram slice_cpu;                   // CPU time of each kSlicesWatched-th of them
    base::Counter slice_lost_ns;                 // what those lasted longer than that
    base::Histogram loop_lag;                    // how long a turn kept others waiting
    base::Counter allocations, allocated_bytes;  // asked of operator new by the core's thread
    base::Counter thread;                        // the thread's id, for /proc; 0: none of its own
    base::Counter last_turn_ms;                  // monotonic, for the health check
    StatsWitness* witness = nullptr;             // none in the server

    [[nodiscard]] base::Gauge& memory_of(MemoryKind kind) { return memory[static_cast<std::size_t>(kind)]; }
    void count_close(std::uint16_t code, CloseReason reason) {
        std::size_t i = 0;
        while (i + 1 < kCloseCodes.size() && kCloseCodes[i] != code) ++i;
        closes[i][static_cast<std::size_t>(reason)].add();
    }
    void count_http(Endpoint endpoint, int status) {
        std::size_t i = 0;
        while (i + 1 < kStatuses.size() && kStatuses[i] != status) ++i;
        http[static_cast<std::size_t>(endpoint)][i].add();
    }
    /// `n` deliveries of this message that did not happen: in both families, so that their sums are equal.
    void count_drops(DropReason reason, const pubsub::Message& message, std::uint64_t n, std::uint64_t client = 0) {
        dropped[static_cast<std::size_t>(reason)][static_cast<std::size_t>(message.priority)].add(n);
        dropped_by_kind[static_cast<std::size_t>(message.kind)].add(n);
        if (witness != nullptr) witness->dropped(message, reason, n, client);
    }
    /// The delivery to this client.
    void count_drop(DropReason reason, const pubsub::Message& message, const Client& client) {
        count_drops(reason, message, 1, client.id);
    }
    void count_excluded(const pubsub::Message& message) {
        excluded.add();
        if (witness != nullptr) witness->excluded(message);
    }
    /// A queue was seen `percent` full.
    void count_queue_look(std::uint64_t percent) {
        std::size_t i = 0;
        while (i < kQueueEdges.size() && percent > kQueueEdges[i]) ++i;
        queue_looks[i].add();
        queue_percent.add(percent);
    }
    void count_refusal(Refusal reason) { refused[static_cast<std::size_t>(reason)].add(); }
};

}  // namespace spillway::server
