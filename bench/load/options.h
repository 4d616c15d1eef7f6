// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What to play, as plain values. Flags beat NUM_CLIENTS and NUM_CHANNELS of the environment, which beat the defaults.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace spillway::load {

enum class Mode : std::uint8_t {
    closed,  // the next broadcast follows the last delivery of the one before: what one broadcast costs
    open,    // broadcasts come at a fixed rate whatever happens: what subscribers feel
};
enum class Protocol : std::uint8_t { feed, pusher };
enum class Layout : std::uint8_t {
    even,   // subscribers spread evenly over the channels
    mixed,  // half of them on the first channel, the rest spread over the others
};

struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 6001;
    std::uint16_t metrics_port = 0;  // 0: the server's own figures are not asked for
    int pid = 0;                     // 0: its process is not looked at
    std::string app_id = "app-id";
    std::string app_key = "app-key";
    std::string app_secret = "app-secret";

    std::uint32_t clients = 1000;
    std::uint32_t channels = 1;
    std::uint32_t messages = 100;  // broadcasts that are measured
    std::uint32_t warmup = 10;     // broadcasts before them
    std::uint32_t size = 128;      // bytes of a message's data
    double rate = 10;              // broadcasts per second in open mode
    Mode mode = Mode::closed;
    Protocol protocol = Protocol::feed;
    Layout layout = Layout::even;
    std::uint32_t processes = 0;  // 0: as few as the descriptor limit allows
    std::vector<unsigned> cpus;   // where to pin: the publisher first, then the subscribers' processes in turn
    bool against_single = false;  // play the same deliveries over one channel as well, and compare

    std::uint32_t idle = 0;          // not 0: measure memory per idle client up to this many instead
    std::uint32_t hold_seconds = 0;  // keep the idle clients that long
    std::string json_file;
};

/// Subscriber `index` listens to this channel.
[[nodiscard]] std::uint32_t channel_of(const Options& options, std::uint32_t index);
[[nodiscard]] std::string channel_name(std::uint32_t channel);

/// A message begins with its sequence number in ten digits.
inline constexpr std::uint32_t kSizeMin = 10;
inline constexpr std::uint32_t kClientsPerProcess = 19'000;  // under the usual hard limit of 20,000 descriptors
inline constexpr std::uint32_t kProcessesMax = 64;

/// The error is a sentence for the user; an empty one asks for the help text.
[[nodiscard]] std::expected<Options, std::string> read_options(int argc, char** argv);
[[nodiscard]] const char* help_text();

}  // namespace spillway::load
