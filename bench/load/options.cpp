// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Flags of the load generator. A table of names keeps them in one place with their help.

#include "options.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <limits>
#include <string_view>

#include "named.h"

namespace spillway::load {
namespace {

constexpr const char* kHelp =
    R"(spillway-load: subscribers, a publisher, and a check that every message arrived once and in order

  --list, --scenario NAME      named scenarios; the flags below beat what they say

which server
  --host A --port P            the server (127.0.0.1, 6001)
  --app ID:KEY:SECRET          its app (app-id:app-key:app-secret)
  --pid N, --metrics-port P    look at its process and its figures, before and after
  --url ws://A:P/PATH          another server instead: where to subscribe; {channel} in it is the channel's name
  --publish api|ws|post:PATH|socket:PATH
                               Spillway's HTTP API (default), its publisher WebSocket, or a peer's: POST of the data,
                               a WebSocket that takes the data; {channel} as above
  --echo PATH                  an echo endpoint, for --mode lone

who listens to what
  --clients N                  subscribers (NUM_CLIENTS, 1000)
  --channels N                 channels they are spread over (NUM_CHANNELS, 1)
  --subscriptions N            channels of each client (1), Pusher only
  --layout even|mixed          mixed: half of them on one big channel
  --protocol feed|pusher       what they speak
  --aside N --aside-rate R     N more on a small channel with R messages per second of its own (0, 20)
  --slow SHARE                 of the clients, that do not read until the end (0)
  --churn R                    visitors per second that come, listen and leave (0)

what is published
  --mode closed|open|flood     the next broadcast after the last delivery; at --rate per second (10), --burst at once
                               (1); or always --window broadcasts under way (2)
  --pause MS                   of silence between the last delivery and the next broadcast in closed mode (0)
  --search pN=BOUND            the highest rate whose percentile N stays under BOUND: 250ms, or 2.5pass for as many
                               bare passes over as many sockets. Begins at --rate, steps of --step seconds (2.5), until
                               the rate is known to a factor of --precision (1.05)
  --mode connect|lone          connects per second; one message at a time against an echo
  --idle N [--hold S]          memory per idle client instead; wants --pid
  --messages N --warmup N      broadcasts measured (100) and before them (10)
  --size BYTES                 data of one message (128)
  --separate                   one event per channel instead of one that names all

how
  --repeats N                  of the whole, in turn with what it is compared with (1)
  --against-single             the same deliveries over one channel, too, and the ratio
  --against-limit              bare passes of bench/limit in turn with the broadcasts, and the ratio;
                               --limit PROGRAM, --limit-cpus SENDER,READER; --no-limit undoes a scenario's
  --processes N                of subscribers (as few as descriptors allow)
  --cpus A,B,...               pin the publisher to A, the subscribers' processes to the rest in turn
  --spin                       readers, those of the bare passes too, poll and never sleep: each wants a processor to
                               itself, and then no send pays for waking its reader
  --json FILE, --plot FILE     the figures once more; latency percentiles over time or rate, as SVG

Exit code: 0 all as promised, 1 something was lost, doubled, out of order or left behind, 2 it could not run.
)";

using Reader = std::function<bool(std::string_view)>;

bool read_number(std::string_view text, double least, double most, double& value) {
    const std::string copy(text);
    char* end = nullptr;
    value = std::strtod(copy.c_str(), &end);
    return !copy.empty() && *end == '\0' && value >= least && value <= most;
}

template <class T>
Reader number(T& target, double least, double most = std::numeric_limits<T>::max()) {
    return [&target, least, most](std::string_view text) {
        double value = 0;
        if (!read_number(text, least, most, value)) return false;
        target = static_cast<T>(value);
        return true;
    };
}

/// The names in the order of the enumeration's values.
template <class T>
Reader choice(T& target, std::initializer_list<std::string_view> names) {
    return [&target, names = std::vector(names)](std::string_view text) {
        const auto found = std::find(names.begin(), names.end(), text);
        if (found != names.end()) target = static_cast<T>(found - names.begin());
        return found != names.end();
    };
}

Reader text(std::string& target) {
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

Reader cpus(std::vector<unsigned>& target) {
    return [&target](std::string_view list) {
        target.clear();
        while (!list.empty()) {
            double cpu = 0;
            const std::size_t comma = std::min(list.find(','), list.size());
            if (!read_number(list.substr(0, comma), 0, 1023, cpu)) return false;
            target.push_back(static_cast<unsigned>(cpu));
            list.remove_prefix(std::min(list.size(), comma + 1));
        }
        return !target.empty();
    };
}

/// ws://HOST:PORT/PATH
bool read_url(Options& o, std::string_view url) {
    constexpr std::string_view kScheme = "ws://";
    if (!url.starts_with(kScheme)) return false;
    url.remove_prefix(kScheme.size());
    const std::size_t slash = url.find('/');
    const std::size_t colon = url.find(':');
    double port = 0;
    if (slash == url.npos || colon > slash || !read_number(url.substr(colon + 1, slash - colon - 1), 1, 65535, port))
        return false;
    o.host = url.substr(0, colon);
    o.port = static_cast<std::uint16_t>(port);
    o.path = url.substr(slash);
    return true;
}

bool read_publish(Options& o, std::string_view how) {
    const std::size_t colon = std::min(how.find(':'), how.size());
    const bool known = choice(o.publish, {"api", "ws", "post", "socket"})(how.substr(0, colon));
    o.publish_path = how.substr(std::min(colon + 1, how.size()));
    const bool wants_path = o.publish == Publish::post || o.publish == Publish::socket;
    return known && wants_path == o.publish_path.starts_with('/');
}

/// p99=250ms or p99=2.5pass
bool read_search(Options& o, std::string_view text) {
    const std::size_t equals = text.find('=');
    double percent = 0;
    if (!text.starts_with('p') || equals == text.npos || !read_number(text.substr(1, equals - 1), 1, 99.999, percent))
        return false;
    std::string_view bound = text.substr(equals + 1);
    const bool passes = bound.ends_with("pass");
    if (!passes && !bound.ends_with("ms")) return false;
    bound.remove_suffix(passes ? 4 : 2);
    o.mode = Mode::search;
    o.search_share = percent / 100;
    return read_number(bound, 0.001, 1e6, passes ? o.search_bound_passes : o.search_bound_ms);
}

struct Flag {
    std::string_view name;
    Reader read;
    const char* environment = nullptr;
};

struct Switch {
    std::string_view name;
    bool* target;
};

std::vector<Flag> flags_of(Options& o) {
    return {
        {"--host", text(o.host)},
        {"--port", number(o.port, 1)},
        {"--metrics-port", number(o.metrics_port, 1)},
        {"--pid", number(o.pid, 1)},
        {"--app", [&o](std::string_view v) { return read_app(o, v); }},
        {"--url", [&o](std::string_view v) { return read_url(o, v); }},
        {"--publish", [&o](std::string_view v) { return read_publish(o, v); }},
        {"--echo", text(o.echo_path)},
        {"--clients", number(o.clients, 1, 1'000'000), "NUM_CLIENTS"},
        {"--channels", number(o.channels, 1, 100'000), "NUM_CHANNELS"},
        {"--subscriptions", number(o.subscriptions, 1, 1000)},
        {"--messages", number(o.messages, 1, 10'000'000)},
        {"--warmup", number(o.warmup, 0, 1'000'000)},
        {"--size", number(o.size, kSizeMin, 16 * 1024 * 1024)},
        {"--rate", number(o.rate, 0.01, 1'000'000)},
        {"--burst", number(o.burst, 1, 100'000)},
        {"--window", number(o.window, 1, 1000)},
        {"--pause", number(o.pause_ms, 0, 60'000)},
        {"--mode", choice(o.mode, {"closed", "open", "flood", "search", "connect", "lone"})},
        {"--search", [&o](std::string_view v) { return read_search(o, v); }},
        {"--step", number(o.step_seconds, 0.1, 3600)},
        {"--precision", number(o.search_precision, 1.001, 2)},
        {"--protocol", choice(o.protocol, {"feed", "pusher"})},
        {"--layout", choice(o.layout, {"even", "mixed"})},
        {"--aside", number(o.aside, 0, 10'000)},
        {"--aside-rate", number(o.aside_rate, 0.01, 10'000)},
        {"--slow", number(o.slow_share, 0, 0.99)},
        {"--churn", number(o.churn, 0, 100'000)},
        {"--repeats", number(o.repeats, 1, 1000)},
        {"--processes", number(o.processes, 1, kProcessesMax - 1)},
        {"--cpus", cpus(o.cpus)},
        {"--limit", text(o.limit_program)},
        {"--limit-cpus", cpus(o.limit_cpus)},
        {"--idle",
         [&o, read = number(o.idle, 10, 1'000'000)](std::string_view v) { return o.mode = Mode::idle, read(v); }},
        {"--hold", number(o.hold_seconds, 0, 86'400)},
        {"--json", text(o.json_file)},
        {"--plot", text(o.plot_file)},
    };
}

std::vector<Switch> switches_of(Options& o) {
    return {{"--against-single", &o.against_single},
            {"--against-limit", &o.against_limit},
            {"--no-limit", &o.no_limit},
            {"--spin", &o.spin},
            {"--separate", &o.separate}};
}

std::string check(Options& o) {
    if (o.no_limit) o.against_limit = false;
    const std::uint32_t most = o.mode == Mode::idle ? o.idle : o.clients;
    const std::uint32_t needed = (most + kClientsPerProcess - 1) / kClientsPerProcess;
    if (o.processes == 0) o.processes = needed;
    if (needed > o.processes)
        return "one process holds at most 19000 clients; give --processes " + std::to_string(needed);
    if (o.channels > o.clients) o.channels = o.clients;
    if (o.layout == Layout::mixed && o.channels < 2) return "--layout mixed wants --channels 2 or more";
    if (o.mode == Mode::idle && o.pid == 0) return "--idle wants --pid: the memory of which process?";
    if (o.subscriptions > 1 && o.protocol != Protocol::pusher) return "--subscriptions wants --protocol pusher";
    if (o.subscriptions > o.channels) return "--subscriptions wants as many --channels";
    if (o.subscriptions > 1 && o.layout == Layout::mixed) return "--subscriptions wants --layout even";
    if (o.aside != 0 && o.mode != Mode::flood) return "--aside wants --mode flood";
    if (!o.path.empty() && o.protocol != Protocol::feed) return "--url wants --protocol feed";
    return {};
}

struct Words {
    Options& options;
    std::vector<Flag> flags = flags_of(options);
    std::vector<Switch> switches = switches_of(options);

    /// The error, or nothing.
    std::string read(const std::vector<std::string>& words) {
        for (std::size_t i = 0; i < words.size(); ++i) {
            const std::string& name = words[i];
            if (name == "--scenario") {
                ++i;  // was read before everything else
                continue;
            }
            const auto off = std::find_if(switches.begin(), switches.end(), [&](auto& s) { return s.name == name; });
            if (off != switches.end()) {
                *off->target = true;
                continue;
            }
            const auto flag = std::find_if(flags.begin(), flags.end(), [&](auto& f) { return f.name == name; });
            if (flag == flags.end()) return "unknown flag " + name + "; --help lists them";
            if (i + 1 == words.size()) return name + " wants a value";
            if (!flag->read(words[++i])) return name + ": not understood: " + words[i];
        }
        return {};
    }

    std::string read_environment() {
        for (const Flag& flag : flags) {
            const char* value = flag.environment == nullptr ? nullptr : std::getenv(flag.environment);
            if (value != nullptr && !flag.read(value))
                return std::string(flag.environment) + ": not understood: " + value;
        }
        return {};
    }
};

std::vector<std::string> split(std::string_view words) {
    std::vector<std::string> parts;
    while (!words.empty()) {
        const std::size_t space = std::min(words.find(' '), words.size());
        parts.emplace_back(words.substr(0, space));
        words.remove_prefix(std::min(words.size(), space + 1));
    }
    return parts;
}

}  // namespace

Stream stream_of(const Options& options, std::uint32_t index) { return index < options.clients ? kMain : kAside; }

std::uint32_t channel_of(const Options& options, std::uint32_t index, std::uint32_t which) {
    if (stream_of(options, index) == kAside) return first_channel(options, kAside);
    if (options.layout == Layout::even) return (index * options.subscriptions + which) % options.channels;
    return index % 2 == 0 ? 0 : 1 + index / 2 % (options.channels - 1);
}

std::string channel_name(std::uint32_t channel) { return "load-" + std::to_string(channel); }

std::uint32_t first_channel(const Options& options, Stream stream) { return stream == kMain ? 0 : options.channels; }
std::uint32_t end_channel(const Options& options, Stream stream) {
    return stream == kMain ? options.channels : options.channels + 1;
}

std::string path_for(std::string path, std::uint32_t channel) {
    constexpr std::string_view kHole = "{channel}";
    const std::size_t at = path.find(kHole);
    return at == path.npos ? path : path.replace(at, kHole.size(), channel_name(channel));
}

std::expected<Options, Refusal> read_options(int argc, char** argv) {
    Options options;
    const std::vector<std::string> words(argv + 1, argv + argc);
    options.program = argv[0];
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "--help") return std::unexpected(Refusal{});
        if (words[i] == "--list") return std::unexpected(Refusal{.sentence = {}, .list = true});
        if (words[i] == "--scenario") options.scenario = i + 1 < words.size() ? words[i + 1] : "?";
    }
    Words reader{options};
    std::string problem;
    if (!options.scenario.empty()) {
        const NamedScenario* named = find_scenario(options.scenario);
        problem = named == nullptr ? "no scenario is called " + options.scenario + "; --list has them"
                                   : reader.read(split(named->flags));
    }
    if (problem.empty()) problem = reader.read_environment();
    if (problem.empty()) problem = reader.read(words);
    if (problem.empty()) problem = check(options);
    if (!problem.empty()) return std::unexpected(Refusal{.sentence = problem});
    return options;
}

const char* help_text() { return kHelp; }

}  // namespace spillway::load
