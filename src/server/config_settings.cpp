// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config_settings.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "base/address_text.h"
#include "base/format.h"
#include "base/log.h"
#include "protocol/rate_limit.h"
#include "pubsub/channel_name.h"
#include "server/app_table.h"
#include "server/config_profiles.h"
#include "server/config_values.h"
#include "webhooks/url.h"

namespace spillway::server {

namespace {

using base::concat;
using base::fail;
using Applied = base::Result<void>;
using namespace std::chrono_literals;

constexpr Milliseconds kTimeoutMin = 10ms;  // a tick of the timer wheel
constexpr Milliseconds kWebhookTimeoutMax = 60s;
constexpr std::uint64_t kWebhookQueueEventsMax = 1'000'000;
constexpr std::uint64_t kMemoryMax = std::uint64_t{1} << 50;
constexpr std::uint64_t kUnbounded = std::numeric_limits<std::uint64_t>::max();

std::string quoted(std::string_view text) { return concat('\'', base::log::escaped(text, 100), '\''); }

// ---- one kind of value each, with its bounds ------------------------------------------------------------------------

template <class T>
Applied keep(T& target, base::Result<T> parsed) {
    if (!parsed) return fail(std::move(parsed).error());
    target = *std::move(parsed);
    return {};
}

Applied word(std::string& target, std::string_view text) {
    target = text;
    return {};
}

Applied duration(Milliseconds& target, std::string_view text, Milliseconds least = kTimeoutMin) {
    const auto parsed = parse_duration(text);
    if (parsed && *parsed < least) return fail(concat(quoted(text), " is too short: at least ", least.count(), "ms"));
    return keep(target, parsed);
}

Applied size(std::uint64_t& target, std::string_view text, std::uint64_t least, std::uint64_t most) {
    const auto parsed = parse_size(text);
    if (parsed && (*parsed < least || *parsed > most)) {
        return fail(concat(quoted(text), " is out of range: ", size_text(least), " to ", size_text(most)));
    }
    return keep(target, parsed);
}

Applied count(std::uint64_t& target, std::string_view text, std::uint64_t least = 0, std::uint64_t most = kUnbounded) {
    const auto parsed = parse_count(text);
    if (parsed && (*parsed < least || *parsed > most)) {
        return fail(concat(quoted(text), " is out of range: ", least, " to ", most));
    }
    return keep(target, parsed);
}

Applied port(std::uint16_t& target, std::string_view text) {
    const auto parsed = parse_count(text);
    if (!parsed || *parsed > 65'535) return fail(quoted(text) + " is not a port: 0 to 65535, 0 for any free one");
    target = static_cast<std::uint16_t>(*parsed);
    return {};
}

Applied switch_on(std::optional<bool>& target, std::string_view text) {
    const auto parsed = parse_switch(text);
    if (!parsed) return fail(parsed.error());
    target = *parsed;
    return {};
}

Applied cores(Config& config, std::string_view text) {
    auto choice = parse_cores(text);
    if (!choice) return fail(std::move(choice).error());
    config.cores = choice->cores;
    config.cpus = std::move(choice->cpus);
    return {};
}

Applied activity_timeout(Config& config, std::string_view text) {
    Milliseconds parsed{};
    if (Applied applied = duration(parsed, text, 1s); !applied) return applied;
    if (parsed % 1s != 0ms) return fail(quoted(text) + " is told to clients in whole seconds");
    config.activity_timeout = parsed;
    return {};
}

Applied echo_path(Config& config, std::string_view text) {
    auto path = parse_path(text);
    if (!path) return fail(std::move(path).error());
    for (const std::string_view taken : {"/app", "/apps", "/feed"}) {
        if (*path == taken || path->starts_with(concat(taken, '/'))) {
            return fail(concat(quoted(text), " is taken: ", taken, "/ has a meaning of its own"));
        }
    }
    config.echo_path = *std::move(path);
    return {};
}

Applied log_level(Config& config, std::string_view text) {
    if (!base::log::level_named(text))
        return fail(quoted(text) + " is not a level: trace, debug, info, warn, error or off");
    config.log_level = text;
    return {};
}

Applied log_format(Config& config, std::string_view text) {
    if (text != "text" && text != "json") return fail(quoted(text) + " is not a format: text or json");
    config.log_format = text == "json" ? LogFormat::json : LogFormat::text;
    return {};
}

Applied dashboard_token(Config& config, std::string_view text) {
    constexpr std::size_t kTokenMin = 16;
    if (text.size() < kTokenMin) return fail(concat("the dashboard's token has at least ", kTokenMin, " characters"));
    config.dashboard_token = text;
    return {};
}

Applied max_clients(Config& config, std::string_view text) {
    if (Applied applied = count(config.max_clients, text); !applied) return applied;
    config.max_clients_derived = false;
    return {};
}

/// See Setting::hold: nobody asks for a port or a thread to move under its clients.
template <auto... Member>
bool fixed(Config& next, const Config& running) {
    const bool differs = ((next.*Member != running.*Member) || ...);
    ((next.*Member = running.*Member), ...);
    return differs;
}

Applied memory_limit(Config& config, std::string_view text) {
    config.memory_limit_derived = false;
    if (text == "0") return keep(config.memory_limit, parse_count(text));
    return size(config.memory_limit, text, kKiB, kMemoryMax);
}

Applied backlog_bytes(Config& config, std::string_view text) {
    config.backlog_bytes_derived = false;
    if (text == "0") return keep(config.backlog_bytes, parse_count(text));
    return size(config.backlog_bytes, text, kKiB, kMemoryMax);
}

Applied max_api_connections(Config& config, std::string_view text) {
    if (Applied applied = count(config.max_api_connections, text); !applied) return applied;
    config.max_api_connections_derived = false;
    return {};
}

/// "10.0.0.0/8,::1,unix": what is behind them says whom it speaks for.
Applied trusted_proxies(Config& config, std::string_view text) {
    config.trusted_proxies.clear();
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        const std::string_view one = text.substr(0, comma);
        const auto network = one == "unix" ? Network{} : base::parse_network(one);
        if (!network)
            return fail(concat(quoted(one), " is not a network like 10.0.0.0/8 or 2001:db8::/32, an address, or unix"));
        config.trusted_proxies.push_back(*network);
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    return {};
}

/// What can be limited fits a bucket (protocol/rate_limit.h).
Applied rate(std::uint64_t& target, std::string_view text) {
    return count(target, text, 0, protocol::TokenBucket::kPerSecondMax);
}

/// One receive must fit into a second.
Applied byte_rate(std::uint64_t& target, std::string_view text) {
    if (text == "0") return keep(target, parse_count(text));
    return size(target, text, 16 * kKiB, protocol::TokenBucket::kPerSecondMax);
}

// ---- the tables -----------------------------------------------------------------------------------------------------

constexpr Setting kServerSettings[] = {
    {"profile", "NAME", "none", "other defaults for a purpose: development, production, latency or throughput",
     [](ConfigDraft& d, std::string_view v) { return keep(d.config.profile, parse_profile(v)); }},
    {"host", "ADDRESS", "127.0.0.1 while no app is configured, else 0.0.0.0", "address to listen on",
     [](ConfigDraft& d, std::string_view v) { return keep(d.config.host, parse_address(v)); }, fixed<&Config::host>},
    {"port", "PORT", "6001", "port for clients and the HTTP API; 0 takes any free one",
     [](ConfigDraft& d, std::string_view v) { return port(d.config.port, v); }, fixed<&Config::port>},
    {"unix-socket", "SOCKET", "none", "path of a Unix socket to listen on as well",
     [](ConfigDraft& d, std::string_view v) { return keep(d.config.unix_socket, parse_socket_path(v)); },
     fixed<&Config::unix_socket>},
    {"unix-socket-mode", "MODE", "0660", "its permissions",
     [](ConfigDraft& d, std::string_view v) { return keep(d.config.unix_socket_mode, parse_mode(v)); },
     fixed<&Config::unix_socket_mode>},
    {"take-over", "", "off", "take the listening sockets over from the server at this address, if one runs; it drains",
     [](ConfigDraft& d, std::string_view v) { return keep(d.config.take_over, parse_switch(v)); }},
    {"metrics-host", "ADDRESS", "127.0.0.1", "address for health, metrics and statistics",
     [](ConfigDraft& d, std::string_view v) { return keep(d.config.metrics_host, parse_address(v)); },
     fixed<&Config::metrics_host>},
    {"metrics-port", "PORT", "9601", "port for health, metrics and statistics",
     [](ConfigDraft& d, std::string_view v) { return port(d.config.metrics_port, v); }, fixed<&Config::metrics_port>},
    {"user", "NAME[:GROUP]", "none", "whom to become once ports are bound, for who starts it as root",
     [](ConfigDraft& d, std::string_view v) { return word(d.config.user, v); }, fixed<&Config::user>},
    {"dashboard-token", "TOKEN", "none",
     "what the dashboard wants to be shown; needed where the metrics port is not on loopback",
     [](ConfigDraft& d, std::string_view v) { return dashboard_token(d.config, v); }},
    {"cores", "N|LIST", "all available", "how many cores to use, or which CPUs (0,2,4; a single one: 3,)",
     [](ConfigDraft& d, std::string_view v) { return cores(d.config, v); }, fixed<&Config::cores, &Config::cpus>},
    {"client-events", "", "on for the development app alone", "apps that do not say accept client events",
     [](ConfigDraft& d, std::string_view v) { return switch_on(d.client_events, v); }},
    {"path-prefix", "PATH", "none", "what stands before every path, as in /live/app/KEY",
     [](ConfigDraft& d, std::string_view v) { return keep(d.config.path_prefix, parse_path(v)); }},
    {"max-clients", "N", "what the descriptor limit allows", "clients in all; 0 sets no limit",
     [](ConfigDraft& d, std::string_view v) { return max_clients(d.config, v); }},
    {"max-clients-per-ip", "N", "0", "clients of one address (IPv6: one /64); 0 sets no limit",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.max_clients_per_ip, v); }},
    {"connects-per-second-per-ip", "N", "0", "new clients a second of one address; 0 sets no limit",
     [](ConfigDraft& d, std::string_view v) { return rate(d.config.connects_per_second_per_ip, v); }},
    {"client-messages-per-second", "N", "0",
     "messages and pings a second of one Pusher or Feed client; 0 sets no limit",
     [](ConfigDraft& d, std::string_view v) { return rate(d.config.client_messages_per_second, v); }},
    {"client-bytes-per-second", "SIZE", "0", "bytes a second of one Pusher or Feed client; 0 sets no limit",
     [](ConfigDraft& d, std::string_view v) { return byte_rate(d.config.client_bytes_per_second, v); }},
    {"trusted-proxies", "NETWORKS", "none", "networks whose X-Forwarded-For is believed (10.0.0.0/8,::1,unix)",
     [](ConfigDraft& d, std::string_view v) { return trusted_proxies(d.config, v); }},
    {"proxy-protocol", "", "off", "trusted proxies begin connections with a PROXY protocol header (version 1 or 2)",
     [](ConfigDraft& d, std::string_view v) { return keep(d.config.proxy_protocol, parse_switch(v)); }},
    {"max-handshakes", "N", "16384", "connections whose first request has not come; 0 sets no limit",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.max_handshakes, v); }},
    {"max-api-connections", "N", "a tenth of the descriptors, at most 1024",
     "connections of the HTTP API; 0 sets no limit",
     [](ConfigDraft& d, std::string_view v) { return max_api_connections(d.config, v); }},
    {"queue-messages", "N", "1024", "messages that may wait for one client",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.queue_messages, v, 1, 1'048'576); }},
    {"queue-bytes", "SIZE", "1MiB", "bytes that may wait for one client",
     [](ConfigDraft& d, std::string_view v) { return size(d.config.queue_bytes, v, kKiB, 1024 * kMiB); }},
    {"memory-limit", "SIZE", "3/4 of the host's or the cgroup's memory",
     "memory at which clients, backlogs and publications are refused in turn; 0 sets no limit",
     [](ConfigDraft& d, std::string_view v) { return memory_limit(d.config, v); }},
    {"backlog-bytes", "SIZE", "half of memory-limit", "bytes that may wait for all clients together; 0 sets no limit",
     [](ConfigDraft& d, std::string_view v) { return backlog_bytes(d.config, v); }},
    {"overflow", "POLICY", "drop-newest", "drop-newest, drop-oldest, conflate or disconnect, when a client is too slow",
     [](ConfigDraft& d, std::string_view v) { return keep(d.config.overflow, parse_overflow(v)); }},
    {"socket-send-buffer", "SIZE", "256KiB", "the kernel's send buffer of one client",
     [](ConfigDraft& d, std::string_view v) { return size(d.config.socket_send_buffer, v, 4 * kKiB, 1024 * kMiB); }},
    {"ping-interval", "TIME", "30s", "silence of a client after which it is pinged",
     [](ConfigDraft& d, std::string_view v) { return duration(d.config.ping_interval, v); }},
    {"pong-timeout", "TIME", "10s", "how long a ping may stay unanswered",
     [](ConfigDraft& d, std::string_view v) { return duration(d.config.pong_timeout, v); }},
    {"read-timeout", "TIME", "60s",
     "silence after which a client is closed; how long a request body may take; at least ping interval + pong timeout",
     [](ConfigDraft& d, std::string_view v) { return duration(d.config.read_timeout, v); }},
    {"write-timeout", "TIME", "10s", "how long a client may take no byte of what waits for it",
     [](ConfigDraft& d, std::string_view v) { return duration(d.config.write_timeout, v); }},
    {"handshake-timeout", "TIME", "5s", "from accepting a connection to the end of its request head",
     [](ConfigDraft& d, std::string_view v) { return duration(d.config.handshake_timeout, v); }},
    {"http-idle-timeout", "TIME", "75s", "silence after which a kept-alive API connection is closed",
     [](ConfigDraft& d, std::string_view v) { return duration(d.config.http_idle_timeout, v); }},
    {"drain-timeout", "TIME", "10s", "how long a stopping server takes to see its clients off",
     [](ConfigDraft& d, std::string_view v) { return duration(d.config.drain_timeout, v, 0ms); }},
    {"activity-timeout", "TIME", "120s", "silence after which Pusher clients are told to ping; whole seconds",
     [](ConfigDraft& d, std::string_view v) { return activity_timeout(d.config, v); }},
    {"max-message", "SIZE", "32KiB", "largest message from a client",
     [](ConfigDraft& d, std::string_view v) { return size(d.config.max_message, v, 128, 256 * kMiB); }},
    {"max-http-body", "SIZE", "1MiB", "largest body of an HTTP request",
     [](ConfigDraft& d, std::string_view v) { return size(d.config.max_http_body, v, 128, 256 * kMiB); }},
    {"max-header-bytes", "SIZE", "16KiB", "largest request head",
     [](ConfigDraft& d, std::string_view v) { return size(d.config.max_header_bytes, v, kKiB, kHeaderBytesMax); }},
    {"max-headers", "N", "100", "most header lines of a request",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.max_headers, v, 8, 1'000); }},
    {"health-loop-lag-warning", "TIME", "100ms", "length of a loop's turns (p99 of 5 s) from which health is a warning",
     [](ConfigDraft& d, std::string_view v) { return duration(d.config.health.loop_lag_warning, v, 0ms); }},
    {"health-loop-lag-critical", "TIME", "1s", "the same, critical",
     [](ConfigDraft& d, std::string_view v) { return duration(d.config.health.loop_lag_critical, v, 0ms); }},
    {"health-stuck-loop", "TIME", "5s", "time without a turn from which a loop is stuck: critical",
     [](ConfigDraft& d, std::string_view v) { return duration(d.config.health.stuck_loop, v, 0ms); }},
    {"health-latency-warning", "TIME", "2s", "p95 of broadcasts from which health is a warning",
     [](ConfigDraft& d, std::string_view v) { return duration(d.config.health.latency_warning, v, 0ms); }},
    {"health-latency-critical", "TIME", "10s", "the same, critical",
     [](ConfigDraft& d, std::string_view v) { return duration(d.config.health.latency_critical, v, 0ms); }},
    {"health-drops-warning", "N", "1", "per cent of dropped deliveries from which health is a warning; 0 is never",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.health.drops_warning, v, 0, 100); }},
    {"health-drops-critical", "N", "10", "per cent of dropped deliveries from which health is critical; 0 is never",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.health.drops_critical, v, 0, 100); }},
    {"health-errors-warning", "N", "5", "per cent of requests answered 5xx from which health is a warning; 0 is never",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.health.errors_warning, v, 0, 100); }},
    {"health-errors-critical", "N", "25", "per cent of requests answered 5xx from which health is critical; 0 is never",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.health.errors_critical, v, 0, 100); }},
    {"health-queues-warning", "N", "50",
     "per cent of bytes waiting, of all that may wait from which health is a warning; 0 is never",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.health.queues_warning, v, 0, 100); }},
    {"health-queues-critical", "N", "90",
     "per cent of bytes waiting, of all that may wait from which health is critical; 0 is never",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.health.queues_critical, v, 0, 100); }},
    {"health-stale-warning", "N", "5", "per cent of stale clients from which health is a warning; 0 is never",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.health.stale_warning, v, 0, 100); }},
    {"health-stale-critical", "N", "50", "per cent of stale clients from which health is critical; 0 is never",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.health.stale_critical, v, 0, 100); }},
    {"health-stale-least", "N", "3", "stale clients up to which their share does not count",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.health.stale_clients_least, v); }},
    {"health-memory-warning", "N", "50", "per cent of memory-limit in use from which health is a warning; 0 is never",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.health.memory_warning, v, 0, 100); }},
    {"health-memory-critical", "N", "90", "per cent of memory-limit in use from which health is critical; 0 is never",
     [](ConfigDraft& d, std::string_view v) { return count(d.config.health.memory_critical, v, 0, 100); }},
    {"echo", "PATH", "off", "a WebSocket echo endpoint for conformance runs",
     [](ConfigDraft& d, std::string_view v) { return echo_path(d.config, v); }},
    {"log-level", "LEVEL", "info", "trace, debug, info, warn, error or off",
     [](ConfigDraft& d, std::string_view v) { return log_level(d.config, v); }},
    {"log-format", "FORMAT", "text", "text or json",
     [](ConfigDraft& d, std::string_view v) { return log_format(d.config, v); }, fixed<&Config::log_format>},
};

Applied origins(AppConfig& app, std::string_view text) {
    app.allowed_origins.clear();
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        const std::string_view one = text.substr(0, comma);
        if (one.empty() || one.find_first_of(" \t\r\n") != std::string_view::npos) {
            return fail(quoted(one) + " is not an origin like https://*.example.com");
        }
        app.allowed_origins.emplace_back(one);
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    return {};
}

Applied overflow_of(AppConfig& app, std::string_view text) {
    app.has_overflow = true;
    return keep(app.overflow, parse_overflow(text));
}

Applied event_bytes(AppDraft& draft, std::string_view text) {
    draft.has_event_bytes = true;
    return size(draft.app.max_event_bytes, text, 1, 256 * kMiB);
}

constexpr AppSetting kAppSettings[] = {
    {"id", [](AppDraft& d, std::string_view v) { return word(d.app.id, v); }},
    {"key", [](AppDraft& d, std::string_view v) { return word(d.app.key, v); }},
    {"secret", [](AppDraft& d, std::string_view v) { return word(d.app.secret, v); }},
    {"secret_file", [](AppDraft& d, std::string_view v) { return word(d.secret_file.emplace(), v); }},
    {"secret_previous", [](AppDraft& d, std::string_view v) { return word(d.app.secret_previous, v); }},
    {"enabled", [](AppDraft& d, std::string_view v) { return keep(d.app.enabled, parse_switch(v)); }},
    {"client_events", [](AppDraft& d, std::string_view v) { return switch_on(d.client_events, v); }},
    {"subscription_count",
     [](AppDraft& d, std::string_view v) { return keep(d.app.subscription_count, parse_switch(v)); }},
    {"max_clients", [](AppDraft& d, std::string_view v) { return count(d.app.max_clients, v); }},
    {"max_channels_per_client",
     [](AppDraft& d, std::string_view v) { return count(d.app.max_channels_per_client, v); }},
    {"max_presence_members",
     [](AppDraft& d, std::string_view v) { return count(d.app.max_presence_members, v, 1, kPresenceMembersMax); }},
    {"max_presence_member_bytes",
     [](AppDraft& d, std::string_view v) {
         return size(d.app.max_presence_member_bytes, v, 1, kPresenceMemberBytesMax);
     }},
    {"max_subscribes_per_second",
     [](AppDraft& d, std::string_view v) { return count(d.app.max_subscribes_per_second, v); }},
    {"max_event_bytes", [](AppDraft& d, std::string_view v) { return event_bytes(d, v); }},
    {"max_channel_name",
     [](AppDraft& d, std::string_view v) { return count(d.app.max_channel_name, v, 1, kChannelNameMax); }},
    {"max_event_name",
     [](AppDraft& d, std::string_view v) { return count(d.app.max_event_name, v, 1, kEventNameMax); }},
    {"max_channels_per_event",
     [](AppDraft& d, std::string_view v) { return count(d.app.max_channels_per_event, v, 1, kChannelsPerEventMax); }},
    {"max_batch", [](AppDraft& d, std::string_view v) { return count(d.app.max_batch, v, 1, kBatchMax); }},
    {"client_events_per_second",
     [](AppDraft& d, std::string_view v) { return count(d.app.client_events_per_second, v); }},
    {"publishes_per_second",
     [](AppDraft& d, std::string_view v) { return count(d.app.publishes_per_second, v, 0, 1'000'000'000); }},
    {"cache_ttl", [](AppDraft& d, std::string_view v) { return duration(d.app.cache_ttl, v); }},
    {"allowed_origins", [](AppDraft& d, std::string_view v) { return origins(d.app, v); }},
    {"watchlist", [](AppDraft& d, std::string_view v) { return keep(d.app.watchlist, parse_switch(v)); }},
    {"require_authorization",
     [](AppDraft& d, std::string_view v) { return keep(d.app.require_authorization, parse_switch(v)); }},
    {"authorization_timeout", [](AppDraft& d, std::string_view v) { return duration(d.app.authorization_timeout, v); }},
    {"high_priority_users",
     [](AppDraft& d, std::string_view v) { return keep(d.app.high_priority_users, parse_switch(v)); }},
    {"strict_protocol", [](AppDraft& d, std::string_view v) { return keep(d.app.strict_protocol, parse_switch(v)); }},
    {"overflow", [](AppDraft& d, std::string_view v) { return overflow_of(d.app, v); }},
};

// ---- webhooks

Applied webhook_url(WebhookConfig& webhook, std::string_view text) {
    // The text may hold a secret: no message repeats it.
    if (const auto checked = webhooks::check_url(text); !checked) return fail("the URL " + checked.error());
    webhook.url = text;
    return {};
}

Applied webhook_events(WebhookConfig& webhook, std::string_view text) {
    std::vector<std::string_view> known;
    known.reserve(kWebhookEvents);
    for (std::size_t i = 0; i < kWebhookEvents; ++i) known.push_back(to_string(static_cast<WebhookEvent>(i)));
    WebhookEvents wanted;
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        const std::string_view one = text.substr(0, comma);
        const auto found = std::find(known.begin(), known.end(), one);
        if (found == known.end()) return fail(concat(quoted(one), " is not an event", suggestion(one, known)));
        wanted.add(static_cast<WebhookEvent>(found - known.begin()));
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    webhook.events = wanted.empty() ? WebhookEvents::all() : wanted;
    return {};
}

Applied channel_prefix(WebhookConfig& webhook, std::string_view text) {
    if (!text.empty() && !pubsub::is_valid_channel_name(text, kChannelNameMax))
        return fail(quoted(text) + " begins no channel's name");
    return word(webhook.channel_prefix, text);
}

constexpr WebhookSetting kWebhookSettings[] = {
    {"url", webhook_url},
    {"events", webhook_events},
    {"channel_prefix", channel_prefix},
    {"batch", [](WebhookConfig& w, std::string_view v) { return keep(w.batch, parse_switch(v)); }},
    {"timeout",
     [](WebhookConfig& w, std::string_view v) {
         if (Applied applied = duration(w.timeout, v, 100ms); !applied) return applied;
         return w.timeout <= kWebhookTimeoutMax ? Applied{} : Applied(fail(quoted(v) + " is too long: at most 60s"));
     }},
    {"allow_private_network",
     [](WebhookConfig& w, std::string_view v) { return keep(w.allow_private_network, parse_switch(v)); }},
    {"queue_events",
     [](WebhookConfig& w, std::string_view v) { return count(w.queue_events, v, 1, kWebhookQueueEventsMax); }},
};

// ---- what must be right together ------------------------------------------------------------------------------------

/// Ids and keys stand in paths and before a colon in signatures, so neither may need escaping or hold a colon.
Applied check_name(std::string_view what, std::string_view name) {
    constexpr std::string_view allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=@";
    constexpr std::size_t kNameMax = 128;
    if (name.size() > kNameMax) return fail(concat("the ", what, " of an app has at most ", kNameMax, " characters"));
    const std::size_t bad = name.find_first_not_of(allowed);
    if (bad == std::string_view::npos) return {};
    return fail(concat("the ", what, ' ', quoted(name), " holds ", quoted(name.substr(bad, 1)),
                       ", which cannot stand in a URL's path unescaped or divides fields"));
}

Applied check_app(const AppDraft& draft) {
    const AppConfig& app = draft.app;
    for (const auto& [what, value] :
         {std::pair<std::string_view, const std::string&>{"id", app.id}, {"key", app.key}}) {
        if (value.empty()) return fail(concat(draft.where, ": an app needs '", what, '\''));
        if (const Applied named = check_name(what, value); !named)
            return fail(concat(draft.where, ": ", named.error()));
    }
    if (app.secret.empty()) return fail(draft.where + ": an app needs 'secret' or 'secret_file'");
    return {};
}

Applied check_apps(const std::vector<AppDraft>& apps) {
    if (apps.size() > AppTable::kAppsMax) return fail(concat("at most ", AppTable::kAppsMax, " apps are possible"));
    std::map<std::string_view, const AppDraft*> ids;
    std::map<std::string_view, const AppDraft*> keys;
    for (const AppDraft& draft : apps) {
        if (Applied checked = check_app(draft); !checked) return checked;
        if (const auto [same, added] = ids.emplace(draft.app.id, &draft); !added) {
            return fail(
                concat(draft.where, ": the app id ", quoted(draft.app.id), " is taken by ", same->second->where));
        }
        if (const auto [same, added] = keys.emplace(draft.app.key, &draft); !added) {
            return fail(
                concat(draft.where, ": the app key ", quoted(draft.app.key), " is taken by ", same->second->where));
        }
    }
    return {};
}

AppConfig development_app() {
    AppConfig app;
    app.id = "app-id";
    app.key = "app-key";
    app.secret = "app-secret";
    app.client_events = true;
    app.subscription_count = true;
    app.watchlist = true;
    return app;
}

void settle_apps(ConfigDraft& draft, CheckedConfig& checked) {
    Config& config = checked.config;
    config.development_app = draft.apps.empty();
    if (config.development_app) {
        config.apps.push_back(development_app());
        config.apps.back().client_events = draft.client_events.value_or(true);
    }
    for (AppDraft& app : draft.apps) {
        app.app.client_events = app.client_events.value_or(draft.client_events.value_or(false));
        if (app.has_event_bytes && app.app.max_event_bytes > config.max_http_body) {
            checked.notices.push_back(concat(app.where, ": max_event_bytes of ", size_text(app.app.max_event_bytes),
                                             " cannot be reached: max-http-body is ", size_text(config.max_http_body)));
        }
        config.apps.push_back(std::move(app.app));
    }
    if (config.host.empty()) config.host = config.development_app ? "127.0.0.1" : "0.0.0.0";
}

void settle_read_timeout(CheckedConfig& checked) {
    Config& config = checked.config;
    const Milliseconds least = config.ping_interval + config.pong_timeout;
    if (config.read_timeout >= least) return;
    checked.notices.push_back(concat("read-timeout is raised from ", config.read_timeout.count(), "ms to ",
                                     least.count(),
                                     "ms: ping-interval + pong-timeout, or no client could answer in time"));
    config.read_timeout = least;
}

bool is_any_address(std::string_view address) { return address == "0.0.0.0" || address == "::"; }

Applied check_ports(const Config& config) {
    if (config.port == 0 || config.port != config.metrics_port) return {};
    if (config.host != config.metrics_host && !is_any_address(config.host) && !is_any_address(config.metrics_host))
        return {};
    return fail(concat("port and metrics-port are both ", config.port, ": they must differ"));
}

}  // namespace

std::span<const Setting> server_settings() { return kServerSettings; }
std::span<const AppSetting> app_settings() { return kAppSettings; }
std::span<const WebhookSetting> webhook_settings() { return kWebhookSettings; }

const Setting* find_setting(std::string_view name) {
    const auto found = std::find_if(std::begin(kServerSettings), std::end(kServerSettings),
                                    [name](const Setting& s) { return s.name == name; });
    return found == std::end(kServerSettings) ? nullptr : found;
}

std::string key_name(std::string_view flag_name) {
    std::string key(flag_name);
    std::replace(key.begin(), key.end(), '-', '_');
    return key;
}

std::string variable_name(std::string_view flag_name) {
    std::string name = "SPILLWAY_" + key_name(flag_name);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return name;
}

base::Result<AppDraft> parse_app(std::string_view text, std::string where) {
    // The text holds a secret: no message repeats it.
    const std::size_t first = text.find(':');
    const std::size_t second = first == std::string_view::npos ? first : text.find(':', first + 1);
    if (second == std::string_view::npos || text.find(':', second + 1) != std::string_view::npos) {
        return fail(concat(where,
                           ": an app is written ID:KEY:SECRET, three parts with a colon between them"
                           " (a secret with a colon in it can stand in the configuration file)"));
    }
    AppDraft draft;
    draft.where = std::move(where);
    draft.app.id = text.substr(0, first);
    draft.app.key = text.substr(first + 1, second - first - 1);
    draft.app.secret = text.substr(second + 1);
    if (draft.app.id.empty() || draft.app.key.empty() || draft.app.secret.empty()) {
        return fail(draft.where + ": an app is written ID:KEY:SECRET, and none of the three may be empty");
    }
    if (Applied checked = check_app(draft); !checked) return fail(std::move(checked).error());
    return draft;
}

base::Result<CheckedConfig> finish(ConfigDraft draft) {
    if (Applied checked = check_apps(draft.apps); !checked) return fail(std::move(checked).error());
    CheckedConfig result;
    result.config = std::move(draft.config);
    settle_apps(draft, result);
    settle_read_timeout(result);
    if (result.config.proxy_protocol && result.config.trusted_proxies.empty())
        result.notices.emplace_back("proxy-protocol does nothing without trusted-proxies: nobody else is believed");
    if (Applied checked = check_ports(result.config); !checked) return fail(std::move(checked).error());
    return result;
}

}  // namespace spillway::server
