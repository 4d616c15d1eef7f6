// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What to play, as plain values. Flags beat NUM_CLIENTS and NUM_CHANNELS of the environment, which beat the named
// scenario, which beats the defaults.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace spillway::load {

enum class Mode : std::uint8_t {
    closed,   // the next broadcast follows the last delivery of the one before: what one broadcast costs
    open,     // broadcasts come at a fixed rate whatever happens: what subscribers feel
    flood,    // always --window broadcasts under way: the server never pauses
    search,   // open loops at rising rates: the highest that keeps a bound
    connect,  // nothing is published: how fast subscribers come
    lone,     // one message at a time on an idle server, against an echo
    idle,     // nothing is published: what idle subscribers cost
};
enum class Protocol : std::uint8_t { feed, pusher };
enum class Layout : std::uint8_t {
    even,   // subscribers spread evenly over the channels
    mixed,  // half of them on the first channel, the rest spread over the others
};
enum class Publish : std::uint8_t {
    api,     // Spillway's HTTP API, signed
    ws,      // Spillway's publisher WebSocket
    post,    // a peer: POST of the data to a path that names the channel
    socket,  // a peer: a WebSocket per channel whose messages are the data
};

struct Options {
    std::string program;   // argv[0]
    std::string scenario;  // its name, when it has one

    std::string host = "127.0.0.1";
    std::uint16_t port = 6001;
    std::uint16_t metrics_port = 0;  // 0: the server's own figures are not asked for
    int pid = 0;                     // 0: its process is not looked at
    std::string app_id = "app-id";
    std::string app_key = "app-key";
    std::string app_secret = "app-secret";
    std::string path;       // of a subscriber at another server; {channel} stands for the channel's name
    std::string echo_path;  // of an echo endpoint
    Publish publish = Publish::api;
    std::string publish_path;  // post and socket; {channel} as above
    bool separate = false;     // one event per channel instead of one event that names all channels

    std::uint32_t clients = 1000;
    std::uint32_t channels = 1;
    std::uint32_t subscriptions = 1;  // channels of each client, pusher only
    std::uint32_t messages = 100;     // broadcasts that are measured
    std::uint32_t warmup = 10;        // broadcasts before them
    std::uint32_t size = 128;         // bytes of a message's data
    double rate = 10;                 // broadcasts per second in open mode; where a search begins
    std::uint32_t burst = 1;          // broadcasts that are due at the same time
    std::uint32_t window = 2;         // broadcasts under way in flood mode
    std::uint32_t pause_ms = 0;       // of silence before each broadcast in closed mode
    Mode mode = Mode::closed;
    Protocol protocol = Protocol::feed;
    Layout layout = Layout::even;

    std::uint32_t aside = 0;  // subscribers of a small channel beside all that, with its own rate and latency
    double aside_rate = 20;
    double slow_share = 0;             // of the clients, that do not read (0..1)
    double churn = 0;                  // visitors per second, who come, listen and leave beside the clients
    double search_share = 0.99;        // which percentile a search bounds
    double search_bound_ms = 250;      // to what
    double search_bound_passes = 0;    // not 0: to that many bare passes over as many sockets instead
    double search_precision = 1.05;    // ends when the rate that failed is at most that many times the best kept
    double step_seconds = 2.5;         // of a search
    std::uint32_t repeats = 1;         // of the whole, alternating with what it is compared with
    std::uint32_t processes = 0;       // 0: as few as the descriptor limit allows
    std::vector<unsigned> cpus;        // where to pin: the publisher first, then the subscribers' processes in turn
    bool spin = false;                 // readers never sleep: no send of the server pays for waking one
    bool against_single = false;       // play the same deliveries over one channel as well, and compare
    bool against_limit = false;        // bare passes between the broadcasts, and compare
    bool no_limit = false;             // not that, although the scenario says so
    std::vector<unsigned> limit_cpus;  // of the bare passes: sender, reader
    std::string limit_program;         // where bench/limit is, if not beside this program

    std::uint32_t idle = 0;          // memory per idle client up to this many
    std::uint32_t hold_seconds = 0;  // keep the idle clients that long
    std::string json_file;
    std::string plot_file;

    [[nodiscard]] std::uint32_t slow_clients() const {
        return static_cast<std::uint32_t>(static_cast<double>(clients) * slow_share);
    }
    /// Deliveries of one broadcast that are waited for.
    [[nodiscard]] std::uint32_t deliveries_each() const { return (clients - slow_clients()) * subscriptions; }
    [[nodiscard]] std::uint32_t all_processes() const { return processes + (aside != 0 ? 1 : 0); }
    /// Held by the first `processes` processes.
    [[nodiscard]] std::uint32_t clients_of_processes() const { return aside != 0 ? clients : ~0U; }
    [[nodiscard]] std::uint32_t connections() const { return clients + aside; }
};

/// Publications whose sequence numbers are their own: the broadcasts, and the small channel aside.
enum Stream : std::uint8_t { kMain, kAside };
inline constexpr std::size_t kStreams = 2;

[[nodiscard]] Stream stream_of(const Options& options, std::uint32_t index);

/// Channel number `which` (0 .. subscriptions-1) of subscriber `index`.
[[nodiscard]] std::uint32_t channel_of(const Options& options, std::uint32_t index, std::uint32_t which = 0);
[[nodiscard]] std::string channel_name(std::uint32_t channel);
/// The channels of a stream: numbers [first, end).
[[nodiscard]] std::uint32_t first_channel(const Options& options, Stream stream);
[[nodiscard]] std::uint32_t end_channel(const Options& options, Stream stream);
/// `path` with the channel's name where it says {channel}.
[[nodiscard]] std::string path_for(std::string path, std::uint32_t channel);

/// A message begins with its sequence number in ten digits.
inline constexpr std::uint32_t kSizeMin = 10;
inline constexpr std::uint32_t kClientsPerProcess = 19'000;  // under the usual hard limit of 20,000 descriptors
inline constexpr std::uint32_t kProcessesMax = 64;

/// The error is a sentence for the user; an empty one asks for the text of help_text() or list_text().
struct Refusal {
    std::string sentence;
    bool list = false;
};
[[nodiscard]] std::expected<Options, Refusal> read_options(int argc, char** argv);
[[nodiscard]] const char* help_text();

}  // namespace spillway::load
