// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What an operator decides, as plain values: no parsing here (server/config_*.cpp fill it), no behaviour.
// Keys of the TOML file, flags and environment are these names; defaults are the documented ones.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <spillway/address.h>
#include <spillway/errors.h>
#include <spillway/limits.h>
#include <spillway/webhook.h>

namespace spillway {

using Milliseconds = std::chrono::milliseconds;

/// One `[[app.webhook]]`: where events of an app's channels are posted to, and which.
struct WebhookConfig {
    std::string url;
    WebhookEvents events = WebhookEvents::all();
    std::string channel_prefix;        // of the channels concerned; empty = all
    bool batch = false;                // several events in one POST
    std::vector<std::string> headers;  // "Name: value", checked
    Milliseconds timeout{10'000};      // of one try, from the resolving of the name to the end of the answer
    bool allow_private_network = false;
    std::uint64_t queue_events = 10'000;  // that may wait; more are dropped and counted

    friend bool operator==(const WebhookConfig&, const WebhookConfig&) = default;
};

/// One `[[app]]`: who may connect with which key, and its limits. 0 means unlimited where not said otherwise.
struct AppConfig {
    std::string id;
    std::string key;
    std::string secret;
    std::string secret_previous;  // still accepted while rotating; empty = none
    bool enabled = true;
    bool client_events = false;
    bool subscription_count = false;
    std::uint64_t max_clients = 0;
    bool watchlist = false;
    std::uint64_t max_channels_per_client = 0;
    std::uint64_t max_presence_members = 100;
    std::uint64_t max_presence_member_bytes = 1024;  // of a member's id and info together
    std::uint64_t max_subscribes_per_second = 0;     // of one client
    std::uint64_t max_event_bytes = 10'240;
    std::uint64_t max_channel_name = kChannelNameMax;
    std::uint64_t max_event_name = kEventNameMax;
    std::uint64_t max_channels_per_event = kChannelsPerEventMax;
    std::uint64_t max_batch = kBatchMax;
    std::uint64_t client_events_per_second = 10;
    std::uint64_t publishes_per_second = 0;
    Milliseconds cache_ttl{1'800'000};         // of a cache channel's last event
    std::vector<std::string> allowed_origins;  // empty = any; `*` matches any run of characters
    bool strict_protocol = false;
    bool require_authorization = false;  // signed in, or on a private or presence channel, in time
    Milliseconds authorization_timeout{30'000};
    bool high_priority_users = false;  // a signed sign-in may make its client a high-priority one
    bool has_overflow = false;         // false: the server's policy
    OverflowPolicy overflow = OverflowPolicy::drop_newest;
    std::vector<WebhookConfig> webhooks;
    WebhookEvents webhook_events;  // those that some webhook of the app needs to see; empty without webhooks

    friend bool operator==(const AppConfig&, const AppConfig&) = default;
};

enum class LogFormat : std::uint8_t { text, json };

/// From where on a figure is a warning or critical; 0 is never. Shares in per cent. See server/health.h.
struct HealthThresholds {
    Milliseconds loop_lag_warning{100};
    Milliseconds loop_lag_critical{1'000};
    Milliseconds stuck_loop{5'000};
    Milliseconds latency_warning{2'000};
    Milliseconds latency_critical{10'000};
    std::uint64_t drops_warning = 1;
    std::uint64_t drops_critical = 10;
    std::uint64_t errors_warning = 5;
    std::uint64_t errors_critical = 25;
    std::uint64_t queues_warning = 50;
    std::uint64_t queues_critical = 90;
    std::uint64_t stale_warning = 5;
    std::uint64_t stale_critical = 50;
    std::uint64_t stale_clients_least = 3;  // with no more than these the share does not count
    std::uint64_t memory_warning = 50;
    std::uint64_t memory_critical = 90;
    friend bool operator==(const HealthThresholds&, const HealthThresholds&) = default;
};

/// Everything `spillway serve` needs to know, after flags, environment and file were merged.
struct Config {
    std::string profile;        // the set of values in force instead of the defaults; empty = none
    bool take_over = false;     // the listening sockets of the server that runs at this address; it drains then
    std::string host;           // empty = 127.0.0.1 while no app is configured, else 0.0.0.0
    std::uint16_t port = 6001;  // 0 = any free port, printed
    std::string metrics_host = "127.0.0.1";
    std::uint16_t metrics_port = 9601;
    std::string dashboard_token;  // empty = none; wanted wherever the metrics port is not on loopback
    std::string unix_socket;      // path of one more listener; empty = none
    std::uint32_t unix_socket_mode = 0660;
    std::string user;              // NAME[:GROUP] to become once ports are bound; empty = stay
    std::vector<unsigned> cpus;    // CPUs to pin one core each to; empty = `cores`, or all available
    unsigned cores = 0;            // 0 = one per available CPU
    std::vector<AppConfig> apps;   // never empty after loading: the development app stands in
    bool development_app = false;  // the stand-in is in force
    std::string path_prefix;

    std::uint64_t max_clients = 0;         // 0 = none of our own
    bool max_clients_derived = true;       // true: derive from the descriptor limit at start
    std::uint64_t max_clients_per_ip = 0;  // 0 = none, here and below
    std::uint64_t connects_per_second_per_ip = 0;
    std::uint64_t client_messages_per_second = 0;
    std::uint64_t client_bytes_per_second = 0;
    std::vector<Network> trusted_proxies;
    bool proxy_protocol = false;
    std::uint64_t max_handshakes = 16'384;
    std::uint64_t max_api_connections = 0;
    bool max_api_connections_derived = true;
    std::uint64_t max_connections = 0;  // what the descriptor limit allows, found at start; 0 = not known

    std::uint64_t queue_messages = 1024;
    std::uint64_t queue_bytes = 1 * kMiB;
    std::uint64_t backlog_bytes = 0;  // of all clients together; 0 = none, here and below
    bool backlog_bytes_derived = true;
    std::uint64_t memory_limit = 0;
    bool memory_limit_derived = true;  // true: derived from the host's or the cgroup's at start
    OverflowPolicy overflow = OverflowPolicy::drop_newest;
    std::uint64_t socket_send_buffer = 256 * kKiB;

    Milliseconds ping_interval{30'000};
    Milliseconds pong_timeout{10'000};
    Milliseconds read_timeout{60'000};
    Milliseconds write_timeout{10'000};
    Milliseconds handshake_timeout{5'000};
    Milliseconds drain_timeout{10'000};
    Milliseconds activity_timeout{120'000};
    Milliseconds http_idle_timeout{75'000};

    std::uint64_t max_message = 32 * kKiB;
    std::uint64_t max_http_body = 1 * kMiB;
    std::uint64_t max_header_bytes = kHeaderBytesDefault;
    std::uint64_t max_headers = kHeadersDefault;

    HealthThresholds health;

    std::string echo_path;  // empty = off
    std::string log_level = "info";
    LogFormat log_format = LogFormat::text;

    friend bool operator==(const Config&, const Config&) = default;
};

}  // namespace spillway
