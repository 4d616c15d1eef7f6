// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Flags of the load generator. A table of names keeps them in one place with their help.

#include "options.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <limits>
#include <string_view>

namespace spillway::load {
namespace {

constexpr const char* kHelp =
    R"(spillway-load: subscribers, a publisher, and a check that every message arrived once and in order

  --host A --port P            the server (127.0.0.1, 6001)
  --app ID:KEY:SECRET          its app (app-id:app-key:app-secret)
  --pid N, --metrics-port P    look at its process and its figures, before and after
  --clients N                  subscribers (NUM_CLIENTS, 1000)
  --channels N                 channels they are spread over (NUM_CHANNELS, 1)
  --layout even|mixed          mixed: half of them on one big channel
  --protocol feed|pusher       what they speak
  --mode closed|open           next broadcast after the last delivery, or at a fixed --rate per second (10)
  --messages N --warmup N      broadcasts measured (100) and before them (10)
  --size BYTES                 data of one message (128)
  --processes N                of subscribers (as few as descriptors allow)
  --cpus A,B,...               pin the publisher to A, the subscribers' processes to the rest in turn
  --against-single             the same deliveries over one channel, too, and the ratio
  --idle N [--hold S]          memory per idle client instead; wants --pid
  --json FILE                  the figures once more

Exit code: 0 all as promised, 1 something was lost, doubled, out of order or left behind, 2 it could not run.
)";

bool read_number(std::string_view text, double least, double most, double& value) {
    const std::string copy(text);
    char* end = nullptr;
    value = std::strtod(copy.c_str(), &end);
    return !copy.empty() && *end == '\0' && value >= least && value <= most;
}

template <class T>
std::function<bool(std::string_view)> number(T& target, double least, double most = std::numeric_limits<T>::max()) {
    return [&target, least, most](std::string_view text) {
        double value = 0;
        if (!read_number(text, least, most, value)) return false;
        target = static_cast<T>(value);
        return true;
    };
}

template <class T>
std::function<bool(std::string_view)> choice(T& target, std::string_view first, std::string_view second) {
    return [&target, first, second](std::string_view text) {
        target = text == second ? T{1} : T{0};
        return text == first || text == second;
    };
}

std::function<bool(std::string_view)> text(std::string& target) {
    return [&target](std::string_view value) { return target = value, !value.empty(); };
}

bool read_app(Options& o, std::string_view text) {
    const std::size_t a = text.find(':');
    const std::size_t b = a == text.npos ? a : text.find(':', a + 1);
    if (b == text.npos) return false;
    o.app_id = text.substr(0, a);
    o.app_key = text.substr(a + 1, b - a - 1);
    o.app_secret = text.substr(b + 1);
    return !o.app_id.empty() && !o.app_key.empty() && !o.app_secret.empty();
}

bool read_cpus(Options& o, std::string_view list) {
    for (; !list.empty();
         list.remove_prefix(std::min(list.size(), list.find(',') == list.npos ? list.size() : list.find(',') + 1))) {
        double cpu = 0;
        if (!read_number(list.substr(0, list.find(',')), 0, 1023, cpu)) return false;
        o.cpus.push_back(static_cast<unsigned>(cpu));
    }
    return !o.cpus.empty();
}

struct Flag {
    std::string_view name;
    std::function<bool(std::string_view)> read;
    const char* environment = nullptr;
};

std::vector<Flag> flags_of(Options& o) {
    return {
        {"--host", text(o.host)},
        {"--port", number(o.port, 1)},
        {"--metrics-port", number(o.metrics_port, 1)},
        {"--pid", number(o.pid, 1)},
        {"--app", [&o](std::string_view v) { return read_app(o, v); }},
        {"--clients", number(o.clients, 1, 1'000'000), "NUM_CLIENTS"},
        {"--channels", number(o.channels, 1, 100'000), "NUM_CHANNELS"},
        {"--messages", number(o.messages, 1, 10'000'000)},
        {"--warmup", number(o.warmup, 0, 1'000'000)},
        {"--size", number(o.size, kSizeMin, 16 * 1024 * 1024)},
        {"--rate", number(o.rate, 0.01, 1'000'000)},
        {"--mode", choice(o.mode, "closed", "open")},
        {"--protocol", choice(o.protocol, "feed", "pusher")},
        {"--layout", choice(o.layout, "even", "mixed")},
        {"--processes", number(o.processes, 1, kProcessesMax)},
        {"--cpus", [&o](std::string_view v) { return read_cpus(o, v); }},
        {"--idle", number(o.idle, 10, 1'000'000)},
        {"--hold", number(o.hold_seconds, 0, 86'400)},
        {"--json", text(o.json_file)},
    };
}

std::string check(Options& o) {
    const std::uint32_t most = std::max(o.clients, o.idle);
    const std::uint32_t needed = (most + kClientsPerProcess - 1) / kClientsPerProcess;
    if (o.processes == 0) o.processes = needed;
    if (needed > o.processes)
        return "one process holds at most 19000 clients; give --processes " + std::to_string(needed);
    if (o.channels > o.clients) o.channels = o.clients;
    if (o.layout == Layout::mixed && o.channels < 2) return "--layout mixed wants --channels 2 or more";
    if (o.idle != 0 && o.pid == 0) return "--idle wants --pid: the memory of which process?";
    return {};
}

}  // namespace

std::uint32_t channel_of(const Options& options, std::uint32_t index) {
    if (options.layout == Layout::even) return index % options.channels;
    return index % 2 == 0 ? 0 : 1 + index / 2 % (options.channels - 1);
}

std::string channel_name(std::uint32_t channel) { return "load-" + std::to_string(channel); }

std::expected<Options, std::string> read_options(int argc, char** argv) {
    Options options;
    const std::vector<Flag> flags = flags_of(options);
    for (const Flag& flag : flags) {
        const char* value = flag.environment == nullptr ? nullptr : std::getenv(flag.environment);
        if (value != nullptr && !flag.read(value))
            return std::unexpected(std::string(flag.environment) + ": not understood: " + value);
    }
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--help") return std::unexpected(std::string());
        if (name == "--against-single") {
            options.against_single = true;
            continue;
        }
        const Flag* known = nullptr;
        for (const Flag& flag : flags)
            if (flag.name == name) known = &flag;
        if (known == nullptr) return std::unexpected("unknown flag " + std::string(name) + "; --help lists them");
        if (i + 1 == argc) return std::unexpected(std::string(name) + " wants a value");
        if (!known->read(argv[++i])) return std::unexpected(std::string(name) + ": not understood: " + argv[i]);
    }
    if (std::string problem = check(options); !problem.empty()) return std::unexpected(problem);
    return options;
}

const char* help_text() { return kHelp; }

}  // namespace spillway::load
