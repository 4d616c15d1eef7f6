// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config_values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "io/unix_listener.h"

namespace spillway::server {

namespace {

constexpr std::uint64_t kDurationMaxMs = 365ULL * 24 * 3600 * 1000;
constexpr unsigned kCpuMax = 1023;  // CPU_SETSIZE - 1

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};
constexpr Unit kDurationUnits[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
constexpr Unit kSizeUnits[] = {{"", 1},
                               {"B", 1},
                               {"kB", 1'000},
                               {"KB", 1'000},
                               {"MB", 1'000'000},
                               {"GB", 1'000'000'000},
                               {"KiB", 1ULL << 10},
                               {"MiB", 1ULL << 20},
                               {"GiB", 1ULL << 30}};

std::string quoted(std::string_view text) { return base::concat('\'', base::log::escaped(text, 100), '\''); }

/// Digits at the front of `text`, taken off it; nothing if there are none or they do not fit 64 bits.
std::optional<std::uint64_t> take_digits(std::string_view& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

std::optional<std::uint64_t> factor_of(std::span<const Unit> units, std::string_view name) {
    for (const Unit& unit : units) {
        if (unit.name == name) return unit.factor;
    }
    return std::nullopt;
}

/// Decimals ("5" of "1.5") times `factor`, if that is whole; digits beyond the ninth must be zeros.
std::optional<std::uint64_t> fraction_of(std::string_view digits, std::uint64_t factor) {
    std::uint64_t numerator = 0;
    std::uint64_t denominator = 1;
    for (const char c : digits) {
        if (denominator < 1'000'000'000) {
            numerator = numerator * 10 + static_cast<std::uint64_t>(c - '0');
            denominator *= 10;
        } else if (c != '0') {
            return std::nullopt;
        }
    }
    if (numerator * factor % denominator != 0) return std::nullopt;
    return numerator * factor / denominator;
}

std::string_view take_decimals(std::string_view& text) {
    if (!text.starts_with('.')) return {};
    const std::size_t end = std::min(text.find_first_not_of("0123456789", 1), text.size());
    const std::string_view digits = text.substr(1, end - 1);
    if (!digits.empty()) text.remove_prefix(end);
    return digits;
}

}  // namespace

base::Result<Milliseconds> parse_duration(std::string_view text) {
    std::string_view rest = text;
    const auto whole = take_digits(rest);
    const std::string_view decimals = whole ? take_decimals(rest) : std::string_view{};
    const auto factor = factor_of(kDurationUnits, rest);
    if (!whole || !factor) {
        return base::fail(quoted(text) + " is not a duration: write 30s, 500ms, 2m, 1h, or a number of seconds");
    }
    if (*whole > kDurationMaxMs / *factor) return base::fail(quoted(text) + " is too long: at most 365 days (8760h)");
    const auto fraction = fraction_of(decimals, *factor);
    if (!fraction) return base::fail(quoted(text) + " is finer than a millisecond");
    const std::uint64_t ms = *whole * *factor + *fraction;
    if (ms > kDurationMaxMs) return base::fail(quoted(text) + " is too long: at most 365 days (8760h)");
    return Milliseconds{static_cast<Milliseconds::rep>(ms)};
}

base::Result<std::uint64_t> parse_size(std::string_view text) {
    std::string_view rest = text;
    const auto number = take_digits(rest);
    const auto factor = factor_of(kSizeUnits, rest);
    if (!number || !factor) {
        return base::fail(quoted(text) + " is not a size: write 64KiB, 1MiB, 10kB, or a number of bytes");
    }
    if (*number > UINT64_MAX / *factor) return base::fail(quoted(text) + " is too large for a size");
    return *number * *factor;
}

base::Result<std::uint64_t> parse_count(std::string_view text) {
    std::string_view rest = text;
    const auto number = take_digits(rest);
    if (!number || !rest.empty()) return base::fail(quoted(text) + " is not a whole number");
    return *number;
}

base::Result<bool> parse_switch(std::string_view text) {
    if (text == "true") return true;
    if (text == "false") return false;
    return base::fail(quoted(text) + " is neither true nor false");
}

base::Result<OverflowPolicy> parse_overflow(std::string_view text) {
    std::string name(text);
    std::replace(name.begin(), name.end(), '_', '-');
    if (name == "drop-newest") return OverflowPolicy::drop_newest;
    if (name == "drop-oldest") return OverflowPolicy::drop_oldest;
    if (name == "conflate") return OverflowPolicy::conflate;
    if (name == "disconnect") return OverflowPolicy::disconnect;
    return base::fail(quoted(text) + " is not an overflow policy: drop-newest, drop-oldest, conflate or disconnect");
}

base::Result<std::string> parse_address(std::string_view text) {
    if (text == "localhost") return std::string("127.0.0.1");
    std::string_view bare = text;
    if (bare.starts_with('[') && bare.ends_with(']')) bare = bare.substr(1, bare.size() - 2);
    std::string address(bare);
    in6_addr parsed{};
    const bool is_address = address.find('\0') == std::string::npos &&
                            (inet_pton(AF_INET6, address.c_str(), &parsed) == 1 ||
                             (bare == text && inet_pton(AF_INET, address.c_str(), &parsed) == 1));
    if (is_address) return address;
    return base::fail(quoted(text) + " is not an IPv4 or IPv6 address (names are not resolved)");
}

base::Result<std::string> parse_socket_path(std::string_view text) {
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c != 0x7F; });
    if (!text.starts_with('/') || text.ends_with('/') || !plain)
        return base::fail(quoted(text) + " is not an absolute path without spaces");
    if (text.size() > io::kUnixPathMax)
        return base::fail(
            base::concat(quoted(text), " is too long for a Unix socket: at most ", io::kUnixPathMax, " bytes"));
    return std::string(text);
}

base::Result<std::uint32_t> parse_mode(std::string_view text) {
    std::uint32_t mode = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    if (error != std::errc{} || end != text.data() + text.size() || mode > 0777)
        return base::fail(quoted(text) + " are not permissions in octal, like 0660");
    return mode;
}

base::Result<CoreChoice> parse_cores(std::string_view text) {
    CoreChoice choice;
    if (text.find(',') == std::string_view::npos) {
        const auto count = parse_count(text);
        if (!count) return base::fail(quoted(text) + " is neither a number of cores nor a list of CPUs like 0,2,4");
        if (*count < 1 || *count > kCoresMax) {
            return base::fail(base::concat(quoted(text), " cores: 1 to ", kCoresMax, " are possible"));
        }
        choice.cores = static_cast<unsigned>(*count);
        return choice;
    }
    std::string_view rest = text.ends_with(',') ? text.substr(0, text.size() - 1) : text;
    while (true) {
        const std::size_t comma = rest.find(',');
        const auto cpu = parse_count(rest.substr(0, comma));
        if (!cpu) return base::fail(quoted(text) + " is not a list of CPUs like 0,2,4");
        if (*cpu > kCpuMax) return base::fail(base::concat("CPU ", *cpu, " cannot exist: 0 to ", kCpuMax));
        const auto number = static_cast<unsigned>(*cpu);
        if (std::find(choice.cpus.begin(), choice.cpus.end(), number) != choice.cpus.end()) {
            return base::fail(base::concat("CPU ", number, " is listed twice in ", quoted(text)));
        }
        choice.cpus.push_back(number);
        if (comma == std::string_view::npos) break;
        rest.remove_prefix(comma + 1);
    }
    if (choice.cpus.size() > kCoresMax) return base::fail(base::concat("at most ", kCoresMax, " CPUs can be listed"));
    choice.cores = static_cast<unsigned>(choice.cpus.size());
    return choice;
}

base::Result<std::string> parse_path(std::string_view text) {
    if (text.empty() || text == "/") return std::string{};
    constexpr std::string_view allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@/";
    if (!text.starts_with('/') || text.ends_with('/') || text.find("//") != std::string_view::npos ||
        text.find_first_not_of(allowed) != std::string_view::npos) {
        return base::fail(quoted(text) + " is not a path like /live: it begins with a slash and does not end with one");
    }
    return std::string(text);
}

namespace {

/// Slips between two names: substitution, insertion, omission, and swapping of neighbours count one each.
std::size_t slips(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        std::swap(before, last);
        std::swap(last, row);
    }
    return last[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates) {
    constexpr std::size_t kNameMax = 64;  // longer than any name of ours: the rest cannot matter
    std::string_view best;
    std::size_t best_slips = SIZE_MAX;
    for (const std::string_view candidate : candidates) {
        const std::size_t here = slips(name.substr(0, kNameMax), candidate);
        if (here < best_slips) {
            best = candidate;
            best_slips = here;
        }
    }
    return best;
}

std::string suggestion(std::string_view name, std::span<const std::string_view> candidates) {
    const std::string_view best = nearest(name, candidates);
    if (best.empty()) return {};
    if (name.size() < 64 && slips(name, best) <= std::max<std::size_t>(2, best.size() / 3)) {
        return base::concat(": did you mean '", best, "'?");
    }
    return base::concat(" (the nearest known one is '", best, "')");
}

std::string size_text(std::uint64_t bytes) {
    for (const Unit& unit : {Unit{"GiB", 1ULL << 30}, Unit{"MiB", 1ULL << 20}, Unit{"KiB", 1ULL << 10}}) {
        if (bytes >= unit.factor && bytes % unit.factor == 0) return base::concat(bytes / unit.factor, unit.name);
    }
    return base::concat(bytes, 'B');
}

}  // namespace spillway::server
